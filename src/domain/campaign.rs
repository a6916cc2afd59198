//! A campaign: who gets which gift where and when, and how often, as a person writes it in a file.
//!
//! The types are the file: reading one is `toml` straight into [`Campaign`], and what contradicts itself
//! is refused while reading.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

use super::calendar::{Holidays, Schedule, Window, business_day};
use super::ids::{CampaignId, Slug, StoreId};
use super::store::{Store, TouchpointKind};
use super::text::{Language, Text};
use super::together::Group;
use super::written::date;

/// A campaign file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    pub id: CampaignId,
    pub title: Text,
    pub terms: Text,
    #[serde(with = "date")]
    pub starts: Date,
    /// The last day.
    #[serde(with = "date")]
    pub ends: Date,
    #[serde(default)]
    pub stores: Vec<StoreId>,
    #[serde(default)]
    pub regions: Vec<Slug>,
    #[serde(default)]
    pub tags: Vec<Slug>,
    pub touchpoints: Vec<TouchpointKind>,
    #[serde(default)]
    pub audience: Audience,
    /// For a whole table: no page gives it to one guest alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    pub offer: Offer,
    /// None: the whole week.
    #[serde(default, rename = "window", skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    #[serde(default)]
    pub schedule: Schedule,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub validity: Validity,
    /// What the coupon page may invite to, never as a condition.
    #[serde(default)]
    pub after_claim: AfterClaim,
}

impl Campaign {
    /// Whether this campaign is for `store`: listed, or in a listed region, or carrying a listed tag.
    pub fn reaches(&self, store: &Store) -> bool {
        self.stores.contains(&store.id)
            || store
                .region
                .as_ref()
                .is_some_and(|region| self.regions.contains(region))
            || store.tags.iter().any(|tag| self.tags.contains(tag))
    }

    /// Whether the offer can be claimed at this moment of the store's time.
    pub fn is_open(&self, local: DateTime, holidays: &Holidays) -> bool {
        self.runs_on(business_day(local)) && self.is_inside_windows(local, holidays)
    }

    /// Whether the campaign runs on a business day, at whatever hours.
    pub fn runs_on(&self, day: Date) -> bool {
        self.starts <= day && day <= self.ends && self.schedule.is_on(day)
    }

    /// Whether the moment lies in the hours the campaign is about; always, where it names none.
    pub fn is_inside_windows(&self, local: DateTime, holidays: &Holidays) -> bool {
        let mut windows = self.windows.iter();
        self.windows.is_empty() || windows.any(|window| window.contains(local, holidays))
    }

    /// When the window that is open now closes.
    pub fn closes_at(&self, local: DateTime, holidays: &Holidays) -> Option<DateTime> {
        self.windows
            .iter()
            .filter_map(|window| window.end_of(local, holidays))
            .max()
    }

    /// A campaign about certain hours of the week: its figures are the store's off-peak figures.
    pub fn is_off_peak(&self) -> bool {
        !self.windows.is_empty()
    }
}

/// Whom an offer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    #[default]
    Everyone,
    FirstVisit,
    Returning,
    Vip,
    /// Who has told their birthday, in its month.
    Birthday,
    /// Who is seated at what they booked: no page offers it.
    Booked,
    /// Whoever brings a friend, or is brought: no page offers it, `[referral]` names it.
    Referral,
}

/// What the diner gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OfferAsWritten", into = "OfferAsWritten")]
pub struct Offer {
    pub gift: Gift,
    /// What it costs the shop, in fen (1/100 yuan).
    pub cost_fen: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gift {
    /// `quantity` of something to eat or drink, in `unit` where it is not pieces.
    Item {
        item: Text,
        quantity: u32,
        unit: Option<String>,
    },
    /// Per cent off the bill, 1 to 100.
    Percent(u8),
    /// Fen off the bill.
    Amount(u32),
    /// Seated first.
    Priority,
}

impl Gift {
    /// The gift in a few words, as on the button and on the till's screen.
    pub fn name(&self, language: Language) -> String {
        let chinese = language != Language::English;
        let traditional = language == Language::TraditionalChinese;
        match self {
            Self::Item {
                item,
                quantity,
                unit,
            } => match (unit, chinese) {
                (Some(unit), true) => format!("{} {quantity} {unit}", item.of(language)),
                (Some(unit), false) => format!("{quantity} {unit} of {}", item.of(language)),
                (None, true) => format!("{} {quantity} 份", item.of(language)),
                (None, false) if *quantity == 1 => item.of(language).to_owned(),
                (None, false) => format!("{quantity} × {}", item.of(language)),
            },
            // Chinese says what is left to pay in tenths: 15 % off is 8.5 折.
            Self::Percent(percent) if chinese => {
                let left = 100 - percent;
                if left % 10 == 0 {
                    format!("{} 折", left / 10)
                } else {
                    format!("{}.{} 折", left / 10, left % 10)
                }
            }
            Self::Percent(percent) => format!("{percent} % off"),
            Self::Amount(fen) if traditional => format!("減 {} 元", yuan(*fen)),
            Self::Amount(fen) if chinese => format!("减 {} 元", yuan(*fen)),
            Self::Amount(fen) => format!("¥{} off", yuan(*fen)),
            Self::Priority if traditional => "優先入座".to_owned(),
            Self::Priority if chinese => "优先入座".to_owned(),
            Self::Priority => "priority seating".to_owned(),
        }
    }

    pub fn text(&self) -> Text {
        Text::new(&self.name(Language::Chinese), &self.name(Language::English))
            .in_traditional(&self.name(Language::TraditionalChinese))
    }
}

fn yuan(fen: u32) -> String {
    if fen.is_multiple_of(100) {
        (fen / 100).to_string()
    } else {
        format!("{}.{:02}", fen / 100, fen % 100)
    }
}

/// The `[offer]` table before it is known to make sense.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferAsWritten {
    kind: GiftKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_fen: Option<u32>,
    #[serde(default)]
    cost_fen: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GiftKind {
    Item,
    Percent,
    Amount,
    Priority,
}

impl TryFrom<OfferAsWritten> for Offer {
    type Error = &'static str;

    fn try_from(written: OfferAsWritten) -> Result<Self, Self::Error> {
        let gift = match (
            written.kind,
            written.item,
            written.percent,
            written.amount_fen,
        ) {
            (GiftKind::Item, Some(item), None, None) => Gift::Item {
                item,
                quantity: written.quantity.unwrap_or(1),
                unit: written.unit,
            },
            (GiftKind::Percent, None, Some(percent @ 1..=100), None) => Gift::Percent(percent),
            (GiftKind::Amount, None, None, Some(fen)) => Gift::Amount(fen),
            (GiftKind::Priority, None, None, None) => Gift::Priority,
            (GiftKind::Item, ..) => {
                return Err("an offer of kind `item` has `item` and `quantity`");
            }
            (GiftKind::Percent, ..) => {
                return Err("an offer of kind `percent` has `percent`, 1 to 100");
            }
            (GiftKind::Amount, ..) => return Err("an offer of kind `amount` has `amount_fen`"),
            (GiftKind::Priority, ..) => return Err("an offer of kind `priority` has nothing else"),
        };
        Ok(Self {
            gift,
            cost_fen: written.cost_fen,
        })
    }
}

impl From<Offer> for OfferAsWritten {
    fn from(offer: Offer) -> Self {
        let mut written = Self {
            kind: GiftKind::Priority,
            item: None,
            quantity: None,
            unit: None,
            percent: None,
            amount_fen: None,
            cost_fen: offer.cost_fen,
        };
        match offer.gift {
            Gift::Item {
                item,
                quantity,
                unit,
            } => {
                written.kind = GiftKind::Item;
                written.item = Some(item);
                written.quantity = Some(quantity);
                written.unit = unit;
            }
            Gift::Percent(percent) => {
                written.kind = GiftKind::Percent;
                written.percent = Some(percent);
            }
            Gift::Amount(fen) => {
                written.kind = GiftKind::Amount;
                written.amount_fen = Some(fen);
            }
            Gift::Priority => {}
        }
        written
    }
}

/// How often; none means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Coupons one diner may hold within `per_person_days`.
    pub per_person: u32,
    pub per_person_days: u16,
    pub per_device_per_day: Option<u32>,
    pub per_table_per_day: Option<u32>,
    pub per_store_per_day: Option<u32>,
    /// For the whole campaign, divided into a slice for each gateway.
    pub total: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_person: 1,
            per_person_days: 7,
            per_device_per_day: None,
            per_table_per_day: None,
            per_store_per_day: None,
            total: None,
        }
    }
}

/// No coupon is valid for longer: so long a box remembers one of another box that is void.
pub const MOST_VALID_DAYS: u16 = 400;

fn valid_days<'de, D: Deserializer<'de>>(reader: D) -> Result<u16, D::Error> {
    let days = u16::deserialize(reader)?;
    if days > MOST_VALID_DAYS {
        let fault = format!("a coupon is valid for {MOST_VALID_DAYS} days at most");
        return Err(serde::de::Error::custom(fault));
    }
    Ok(days)
}

/// When and where a coupon can be redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validity {
    /// Days from its beginning, at most [`MOST_VALID_DAYS`].
    #[serde(deserialize_with = "valid_days")]
    pub days: u16,
    pub begins: Begins,
    /// Redeemable only inside the campaign's windows.
    pub windows_apply: bool,
    pub stores: RedeemableAt,
    pub other_store_offline: OtherStoreOffline,
}

impl Default for Validity {
    fn default() -> Self {
        Self {
            days: 7,
            begins: Begins::AtOnce,
            windows_apply: false,
            stores: RedeemableAt::Issuing,
            other_store_offline: OtherStoreOffline::Refuse,
        }
    }
}

impl Validity {
    /// What another store may give on a coupon while it cannot ask headquarters, in fen; 0 for nothing.
    pub fn cap_fen(&self) -> u32 {
        match (self.stores, self.other_store_offline) {
            (RedeemableAt::Any, OtherStoreOffline::AcceptUpToFen(fen)) => fen,
            (RedeemableAt::Issuing, _) | (_, OtherStoreOffline::Refuse) => 0,
        }
    }

    /// From when to when a coupon is good that is claimed `now` in `store`.
    pub fn span(&self, store: &Store, now: Timestamp) -> (Timestamp, Timestamp) {
        let begins = match self.begins {
            Begins::AtOnce => now,
            Begins::NextVisit => store.next_business_day(now),
        };
        let lasts = SignedDuration::from_hours(i64::from(self.days) * 24);
        (
            begins,
            begins.saturating_add(lasts).unwrap_or(Timestamp::MAX),
        )
    }
}

/// From when on a coupon is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Begins {
    #[default]
    AtOnce,
    /// From the next business day on: a reason to come again.
    NextVisit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedeemableAt {
    Issuing,
    Any,
}

/// What a store does with another store's coupon while it cannot ask headquarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherStoreOffline {
    Refuse,
    AcceptUpToFen(u32),
}

/// Invitations shown beside a claimed coupon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AfterClaim {
    pub invite: Vec<Slug>,
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;
    use crate::domain::written::read_strictly;

    const FILE: &str = include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml");

    #[test]
    fn a_campaign_file_reads_as_written() {
        let campaign: Campaign = read_strictly("quiet-hours.toml", FILE).unwrap();
        assert_eq!(campaign.id.as_str(), "quiet-hours");
        assert_eq!(campaign.offer.gift.name(Language::Chinese), "凉拌黄瓜 1 份");
        assert_eq!(
            campaign.offer.gift.name(Language::English),
            "cucumber salad"
        );
        assert_eq!(campaign.limits.total, Some(5000));
        let again: Campaign = read_strictly("again", &toml::to_string(&campaign).unwrap()).unwrap();
        assert_eq!(again, campaign);
    }

    #[test]
    fn a_date_is_written_as_toml_writes_it_or_in_quotes() {
        let starts = |date: &str| {
            let file = FILE.replace("starts = 2026-12-01", &format!("starts = {date}"));
            read_strictly::<Campaign>("dates", &file).map(|campaign| campaign.starts)
        };
        let expected = jiff::civil::date(2026, 12, 1);
        assert_eq!(starts("2026-12-01"), Ok(expected));
        assert_eq!(starts("\"2026-12-01\""), Ok(expected));
        for (wrong, said) in [
            (
                "\"1 December\"",
                "`1 December` is not a date such as 2026-12-01",
            ),
            ("20261201", "expected a date such as 2026-12-01"),
        ] {
            let bad = starts(wrong).unwrap_err();
            assert_eq!(bad.key, "starts");
            assert!(bad.fault.contains(said), "{bad}");
        }
    }

    #[test]
    fn no_coupon_is_valid_for_longer_than_a_box_remembers_a_void_one() {
        let days = |days: u32| {
            let file = FILE.replace(
                "days = 7\nwindows_apply",
                &format!("days = {days}\nwindows_apply"),
            );
            read_strictly::<Campaign>("days", &file).map(|campaign| campaign.validity.days)
        };
        assert_eq!(days(400), Ok(400));
        let refused = days(401).unwrap_err().to_string();
        assert!(refused.contains("400 days at most"), "{refused}");
    }

    #[test]
    fn an_offer_that_contradicts_itself_is_refused() {
        for offer in [
            "kind = \"percent\"",
            "kind = \"percent\"\npercent = 101",
            "kind = \"item\"\npercent = 10",
            "kind = \"priority\"\namount_fen = 1",
        ] {
            assert!(
                read_strictly::<Offer>("offer", offer).is_err(),
                "{offer} was taken"
            );
        }
    }

    #[test]
    fn the_last_day_of_a_campaign_lasts_until_its_business_day_is_over() {
        let mut campaign: Campaign = read_strictly("quiet-hours.toml", FILE).unwrap();
        campaign.windows.clear();
        campaign.schedule = Schedule::Always;
        let is_open =
            |hour| campaign.is_open(datetime(2027, 3, 1, hour, 0, 0, 0), &Holidays::default());
        assert!(is_open(1) && !is_open(4));
    }

    #[test]
    fn a_discount_is_named_as_each_language_counts_it() {
        let gift = Gift::Percent(15);
        assert_eq!(gift.name(Language::Chinese), "8.5 折");
        assert_eq!(gift.name(Language::English), "15 % off");
        assert_eq!(gift.text().zh_hant, None, "the same in both scripts");
    }
}
