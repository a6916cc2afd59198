//! A store as its pages and its campaigns see it, and the places in it that carry a code.

mod brand;
mod logo;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

use super::booking::rules::Rules;
use super::calendar::{BUSINESS_DAY_CUT_HOUR, Holidays, Window, business_day};
use super::ids::{Slug, StoreId, TouchpointCode};
use super::phone::Country;
use super::referral::ReferralRules;
use super::text::Text;
pub use brand::{Brand, Colour, Greeting, Ink};
pub use logo::{BadLogo, Logo};

/// A store, as written in its `store.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub id: StoreId,
    pub name: Text,
    /// The host that the store's printed codes are on, at most 13 characters so that a code stays a
    /// version 3 QR symbol.
    pub host: String,
    /// The name of the zone, for people: `Asia/Shanghai`.
    pub time_zone: String,
    /// The same zone as a POSIX string, `CST-8`: what the box goes by, because a router has no zone files.
    pub posix_time_zone: PosixZone,
    #[serde(default)]
    pub region: Option<Slug>,
    /// Where a phone number is from that is typed here without its country.
    #[serde(default)]
    pub country: Country,
    /// The law wants it kept who was on the guest Wi-Fi and when; see `portal::access`.
    #[serde(default)]
    pub access_log: bool,
    #[serde(default)]
    pub tags: Vec<Slug>,
    pub seats: u16,
    #[serde(default)]
    pub brand: Brand,
    /// When the store is open; without them it takes no bookings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Window>,
    /// See [`Store::booking`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) booking: Option<Rules>,
    /// What whoever brings a friend gets here, and the friend, where it is not as in the whole chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<ReferralRules>,
    /// The chain's, which stand in a file of their own.
    #[serde(skip)]
    pub holidays: Holidays,
}

impl Store {
    /// What the clock on the store's wall shows.
    pub fn local(&self, now: Timestamp) -> DateTime {
        self.posix_time_zone.zone.to_datetime(now)
    }

    /// When the clock on the store's wall shows that, or the first time that it does.
    pub fn moment_of(&self, local: DateTime) -> Option<Timestamp> {
        self.posix_time_zone.zone.to_timestamp(local).ok()
    }

    /// When the business day after that of `now` begins. Where a change of the clock skips that hour, it is as
    /// much later as the clock was moved.
    pub fn next_business_day(&self, now: Timestamp) -> Timestamp {
        let zone = &self.posix_time_zone.zone;
        let next = business_day(self.local(now)).tomorrow().ok();
        next.map(|day| day.at(BUSINESS_DAY_CUT_HOUR, 0, 0, 0))
            .and_then(|begins| zone.to_timestamp(begins).ok())
            .unwrap_or(Timestamp::MAX)
    }

    pub fn offset(&self, now: Timestamp) -> Offset {
        self.posix_time_zone.zone.to_offset(now)
    }
}

/// A time zone that needs no zone files (IEEE Std 1003.1, 8.3, `TZ`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PosixZone {
    text: String,
    zone: TimeZone,
}

impl TryFrom<String> for PosixZone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let zone = TimeZone::posix(&text).map_err(|error| {
            format!("`{text}` is not a POSIX time zone such as CST-8 ({error})")
        })?;
        Ok(Self { text, zone })
    }
}

impl From<PosixZone> for String {
    fn from(zone: PosixZone) -> Self {
        zone.text
    }
}

/// What a code is stuck on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TouchpointKind {
    Table,
    Wifi,
    Door,
    Till,
    Receipt,
    Queue,
    Delivery,
    Tissue,
    Creator,
}

impl TouchpointKind {
    pub const ALL: [Self; 9] = [
        Self::Table,
        Self::Wifi,
        Self::Door,
        Self::Till,
        Self::Receipt,
        Self::Queue,
        Self::Delivery,
        Self::Tissue,
        Self::Creator,
    ];

    /// As it is written in `touchpoints.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Wifi => "wifi",
            Self::Door => "door",
            Self::Till => "till",
            Self::Receipt => "receipt",
            Self::Queue => "queue",
            Self::Delivery => "delivery",
            Self::Tissue => "tissue",
            Self::Creator => "creator",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A printed code and where it hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touchpoint {
    pub code: TouchpointCode,
    pub kind: TouchpointKind,
    /// What people call the place: `A12`. Empty while the sticker is not bound to a place yet.
    #[serde(default)]
    pub label: String,
    /// What printing it, or having it posted, has cost: so that placements can be compared. Files of older
    /// versions have no such column.
    #[serde(default)]
    pub cost_fen: Option<u32>,
}

impl Touchpoint {
    pub fn is_bound(&self) -> bool {
        !self.label.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Shenzhen, Stuttgart and New York, over years of summer and winter times.
        #[test]
        fn the_next_business_day_begins_within_a_day_and_at_four(hours in 0_i64..24 * 365 * 8, zone in 0_usize..3) {
            let zone = ["CST-8", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0"][zone];
            let file = include_str!("../../tests/fixtures/chain/stores/SZ01/store.toml");
            let store: Store = toml::from_str(&file.replace("CST-8", zone)).unwrap();
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56 + hours);
            let begins = store.next_business_day(now);
            prop_assert!(now < begins && begins <= now + SignedDuration::from_hours(25));
            let local = store.local(begins);
            prop_assert_eq!((local.hour(), local.minute()), (4, 0));
            let today = business_day(store.local(now));
            prop_assert_eq!(business_day(local), today.tomorrow().unwrap());
        }
    }

    #[test]
    fn a_kind_is_called_as_it_is_written() {
        for kind in TouchpointKind::ALL {
            assert_eq!(TouchpointKind::named(kind.name()), Some(kind));
            let written = serde_json::to_string(&kind).unwrap();
            assert_eq!(written, format!("\"{}\"", kind.name()));
        }
    }
}
