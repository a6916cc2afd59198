//! When a store takes bookings and how many: `[[hours]]` and `[booking]` of its `store.toml`.
//!
//! A table is booked for a half-hour in which the store is open from its first minute to its last. Hours may run
//! over midnight: half past twelve belongs to the evening before, as everywhere.

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::domain::bill::Party;
use crate::domain::calendar::{BUSINESS_DAY_CUT_HOUR, business_day};
use crate::domain::floor::HalfHour;
use crate::domain::ids::CampaignId;
use crate::domain::store::Store;

/// `[booking]`: without it, or without hours, the store takes no bookings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Parties that may come within one half-hour.
    #[serde(default = "two")]
    pub parties_per_half_hour: u16,
    /// The same in people; as many as the parties are, where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats_per_half_hour: Option<u16>,
    #[serde(default = "eight")]
    pub largest_party: Party,
    /// How many days after today.
    #[serde(default = "a_week")]
    pub days_ahead: u8,
    /// So long before it a table can be booked no more.
    #[serde(default = "half_an_hour")]
    pub minutes_before: u16,
    /// The campaign whose coupon comes with being seated, for whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gift: Option<CampaignId>,
}

/// What a small kitchen can start at a time beside those who walk in.
const fn two() -> u16 {
    2
}

fn eight() -> Party {
    Party::try_from(8).expect("eight are a party")
}

const fn a_week() -> u8 {
    7
}

const fn half_an_hour() -> u16 {
    30
}

/// How much may come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    pub parties: u32,
    pub people: u32,
}

impl Room {
    /// Whether a party still fits beside those that are there.
    pub fn has_place_for(self, party: Party, beside: Self) -> bool {
        beside.parties < self.parties
            && beside.people.saturating_add(u32::from(party.people())) <= self.people
    }
}

impl Rules {
    pub fn room(&self) -> Room {
        Room {
            parties: self.parties_per_half_hour.into(),
            people: self.seats_per_half_hour.map_or(u32::MAX, u32::from),
        }
    }
}

/// Why nobody can book for that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotThen {
    #[error("it is over, or too soon")]
    TooSoon,
    #[error("it is too far ahead")]
    TooFar,
    #[error("the store is closed then")]
    Closed,
}

impl Store {
    /// The rules, where the store takes bookings at all.
    pub fn booking(&self) -> Option<&Rules> {
        let rules = self.booking.as_ref();
        rules.filter(|_| !self.hours.is_empty())
    }

    /// The business days for which a table can be booked, from today on.
    pub fn days_to_book(&self, rules: &Rules, now: Timestamp) -> impl Iterator<Item = Date> {
        let today = business_day(self.local(now));
        (0..=i64::from(rules.days_ahead)).map(move |after| today.saturating_add(after.days()))
    }

    /// The half-hours of a business day for which a table can be booked at `now`.
    pub fn half_hours_to_book(
        &self,
        rules: &Rules,
        day: Date,
        now: Timestamp,
    ) -> impl Iterator<Item = DateTime> {
        let next = day.tomorrow().unwrap_or(day);
        HalfHour::of_a_business_day().filter_map(move |half| {
            let begins = half.begins();
            let date = if begins.hour() < BUSINESS_DAY_CUT_HOUR {
                next
            } else {
                day
            };
            let at = date.to_datetime(begins);
            self.can_be_booked(rules, at, now).is_ok().then_some(at)
        })
    }

    /// Whether a table can be booked for `at`.
    pub fn can_be_booked(
        &self,
        rules: &Rules,
        at: DateTime,
        now: Timestamp,
    ) -> Result<(), NotThen> {
        let local = self.local(now);
        if at < local.saturating_add(i64::from(rules.minutes_before).minutes()) {
            return Err(NotThen::TooSoon);
        }
        let last = business_day(local).saturating_add(i64::from(rules.days_ahead).days());
        if business_day(at) > last {
            return Err(NotThen::TooFar);
        }
        let begins_a_half_hour = at.date().to_datetime(HalfHour::of(at).begins()) == at;
        let is_open = |time| {
            let mut hours = self.hours.iter();
            hours.any(|window| window.contains(time, &self.holidays))
        };
        if begins_a_half_hour && is_open(at) && is_open(at.saturating_add(29.minutes())) {
            Ok(())
        } else {
            Err(NotThen::Closed)
        }
    }
}
