//! A store as its pages and its campaigns see it, and the places in it that carry a code.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

use super::ids::{Slug, StoreId, TouchpointCode};
use super::text::Text;

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
    #[serde(default)]
    pub tags: Vec<Slug>,
    pub seats: u16,
    #[serde(default)]
    pub brand: Brand,
}

impl Store {
    /// What the clock on the store's wall shows.
    pub fn local(&self, now: Timestamp) -> DateTime {
        self.posix_time_zone.zone.to_datetime(now)
    }

    pub fn offset(&self, now: Timestamp) -> Offset {
        self.posix_time_zone.zone.to_offset(now)
    }
}

/// How the store's pages look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brand {
    /// The colour of the button, `#rrggbb`.
    pub colour: Colour,
    /// Who invites: "the manager adds a dish for you" carries this name.
    pub manager: Option<Text>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            // A dark red that keeps 4.5 : 1 against the white words on it (WCAG 2.2, 1.4.3): 7.4 : 1.
            colour: Colour("#a3231f".to_owned()),
            manager: None,
        }
    }
}

/// `#rrggbb` and nothing else: the only text of a brand that lands inside a style sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(String);

impl Colour {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is not a colour such as #a3231f"))
        }
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.0
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

/// A printed code and where it hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touchpoint {
    pub code: TouchpointCode,
    pub kind: TouchpointKind,
    /// What people call the place: `A12`. Empty while the sticker is not bound to a place yet.
    #[serde(default)]
    pub label: String,
}

impl Touchpoint {
    pub fn is_bound(&self) -> bool {
        !self.label.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_colour_cannot_break_out_of_its_style_sheet() {
        assert!(Colour::try_from("#a3231f".to_owned()).is_ok());
        for bad in ["red", "#a3231", "#a3231f;}", "a3231f"] {
            assert!(Colour::try_from(bad.to_owned()).is_err(), "{bad} was taken");
        }
    }
}
