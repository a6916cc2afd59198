//! A gift for a table: once so many different guests of it have come together, one coupon a sitting.
//!
//! Each of them scans the table's code and says that they are there; the one who makes the number full holds the
//! coupon for all. A guest is the cookie of a phone and, in the guest Wi-Fi, its device; a phone counts once at a
//! table, and not again on a day on which it had its part of a table's gift. As the wallet, this decides and is
//! told; taking in an event a second time, in the order of the journal, is harmless. It is bounded: of each table
//! the latest [`MOST_SEATS`] guests, for a day and a half.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

use super::calendar::business_day;
use super::event::{Event, Occurrence, unix_millis};
use super::ids::{CampaignId, CouponId, DayMark, TouchpointCode, Vid};

/// More than sit down at one table in a day.
const MOST_SEATS: usize = 120;

/// A business day, and the night after it.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(36);

/// `[group]` of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Different guests of one table.
    #[serde(deserialize_with = "guests")]
    pub guests: u8,
    /// From the first of them to the last.
    pub within_minutes: u16,
    /// A table that had its gift has the next after so long: other guests sit there then.
    #[serde(default = "sitting")]
    pub sitting_minutes: u16,
}

const fn sitting() -> u16 {
    120
}

fn guests<'de, D: Deserializer<'de>>(reader: D) -> Result<u8, D::Error> {
    let guests = u8::deserialize(reader)?;
    if !(2..=20).contains(&guests) {
        return Err(serde::de::Error::custom(
            "a table's gift is for 2 to 20 guests",
        ));
    }
    Ok(guests)
}

/// A guest said that they are at a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableJoined {
    #[serde(rename = "tp")]
    pub place: TouchpointCode,
    pub vid: Vid,
    #[serde(rename = "dv", default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DayMark>,
}

/// A table is complete and has its coupon; the claim is in the same frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTreated {
    #[serde(rename = "tp")]
    pub place: TouchpointCode,
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    /// When the first of its guests said so.
    #[serde(rename = "snc", with = "unix_millis")]
    pub since: Timestamp,
}

/// One guest at a table, as the checkpoint has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seat {
    vid: Vid,
    #[serde(rename = "dv", default, skip_serializing_if = "Option::is_none")]
    device: Option<DayMark>,
    #[serde(with = "unix_millis")]
    at: Timestamp,
    day: Date,
    /// What they have together.
    #[serde(rename = "cpn", default, skip_serializing_if = "Option::is_none")]
    coupon: Option<CouponId>,
}

impl Seat {
    const fn guest(&self) -> Guest {
        Guest {
            vid: Some(self.vid),
            device: self.device,
        }
    }

    fn is_of(&self, guest: Guest) -> bool {
        guest.vid == Some(self.vid) || (self.device.is_some() && self.device == guest.device)
    }
}

/// Somebody at a table, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    pub vid: Option<Vid>,
    pub device: Option<DayMark>,
}

/// Where, for which gift and when somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub place: TouchpointCode,
    pub guest: Guest,
    pub group: Group,
    pub today: Date,
    pub now: Timestamp,
}

/// How a table stands, to one of its guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// So many are there; the asker among them or not.
    Gathers { here: usize, is_counted: bool },
    /// It has had its gift in this sitting; the coupon, where the asker has part in it.
    HasHad(Option<CouponId>),
    /// The asker had their part of a table's gift today, here or elsewhere.
    HadToday,
}

/// What becomes of a guest's word that they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// Nothing changes.
    Stands(Table),
    Counts(TableJoined),
    /// They make the number full; the first said so then.
    Completes(TableJoined, Timestamp),
}

/// Who sits where.
#[derive(Debug, Default)]
pub struct Tables {
    seats: BTreeMap<TouchpointCode, Vec<Seat>>,
    dirty: BTreeSet<TouchpointCode>,
}

impl Tables {
    fn at(&self, place: TouchpointCode) -> &[Seat] {
        self.seats.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Whether somebody had their part of a table's gift on a day, wherever that was.
    fn has_had(&self, guest: Guest, day: Date) -> bool {
        let mut seats = self.seats.values().flatten();
        seats.any(|seat| seat.coupon.is_some() && seat.day == day && seat.is_of(guest))
    }

    /// Those who wait for the others: not whoever has meanwhile had their part at another table.
    fn waiting(&self, asked: &Asked) -> impl Iterator<Item = &Seat> {
        let (now, within) = (asked.now, minutes(asked.group.within_minutes));
        let waits = move |seat: &&Seat| {
            seat.coupon.is_none()
                && seat.at <= now
                && is_within(seat.at, now, within)
                && !self.has_had(seat.guest(), seat.day)
        };
        self.at(asked.place).iter().filter(waits)
    }

    /// How a table stands.
    pub fn look(&self, asked: &Asked) -> Table {
        let sitting = minutes(asked.group.sitting_minutes);
        let had = self
            .at(asked.place)
            .iter()
            .filter(|seat| seat.coupon.is_some());
        let last = had.max_by_key(|seat| seat.at);
        if let Some(last) = last.filter(|last| is_within(last.at, asked.now, sitting)) {
            let mut with = self
                .at(asked.place)
                .iter()
                .filter(|seat| seat.coupon == last.coupon);
            let is_theirs = with.any(|seat| seat.is_of(asked.guest));
            return Table::HasHad(last.coupon.filter(|_| is_theirs));
        }
        if self.has_had(asked.guest, asked.today) {
            return Table::HadToday;
        }
        Table::Gathers {
            here: self.waiting(asked).count(),
            is_counted: self.waiting(asked).any(|seat| seat.is_of(asked.guest)),
        }
    }

    /// Decides on the word of `vid` that they are there.
    pub fn join(&self, asked: &Asked, vid: Vid) -> Joined {
        let here = match self.look(asked) {
            Table::Gathers {
                here,
                is_counted: false,
            } => here,
            stands @ (Table::Gathers { .. } | Table::HasHad(_) | Table::HadToday) => {
                return Joined::Stands(stands);
            }
        };
        let joined = TableJoined {
            place: asked.place,
            vid,
            device: asked.guest.device,
        };
        if here + 1 < usize::from(asked.group.guests) {
            return Joined::Counts(joined);
        }
        let since = self.waiting(asked).map(|seat| seat.at).min();
        Joined::Completes(joined, since.unwrap_or(asked.now))
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let at = occurrence.moment.at;
        if let Event::TableJoined(joined) = &occurrence.event {
            let seats = self.seats.entry(joined.place).or_default();
            // The same event again, from a log that overlaps the checkpoint.
            if seats
                .iter()
                .any(|seat| seat.vid == joined.vid && seat.at == at)
            {
                return;
            }
            if seats.len() >= MOST_SEATS {
                seats.remove(0);
            }
            let day = business_day(occurrence.moment.local());
            seats.push(Seat {
                vid: joined.vid,
                device: joined.device,
                at,
                day,
                coupon: None,
            });
            self.dirty.insert(joined.place);
        } else if let Event::TableTreated(treated) = &occurrence.event {
            // None that came later: the log may be read again beside a later checkpoint.
            let gathered = treated.since..=at;
            let is_with = |seat: &Seat| {
                let waited = seat.coupon.is_none() && gathered.contains(&seat.at);
                waited && !self.has_had(seat.guest(), seat.day)
            };
            let with: Vec<bool> = self.at(treated.place).iter().map(is_with).collect();
            let seats = self.seats.entry(treated.place).or_default();
            for (seat, is_with) in seats.iter_mut().zip(with) {
                if is_with {
                    seat.coupon = Some(treated.coupon);
                }
            }
            self.dirty.insert(treated.place);
        } else if let Event::EraseRequested(erased) = &occurrence.event {
            for (place, seats) in &mut self.seats {
                for seat in seats.iter_mut().filter(|seat| seat.vid == erased.vid) {
                    // The table has had its gift all the same.
                    (seat.vid, seat.device) = (erased.instead, None);
                    self.dirty.insert(*place);
                }
            }
        }
    }

    /// Whether anything here is a guest's.
    pub fn knows(&self, vid: Vid) -> bool {
        self.seats.values().flatten().any(|seat| seat.vid == vid)
    }

    /// The tables that have changed since the last call: none for one where nobody sits any more.
    pub fn take_changes(&mut self, steady: Timestamp) -> Vec<(TouchpointCode, Option<String>)> {
        let dirty = &mut self.dirty;
        self.seats.retain(|place, seats| {
            let before = seats.len();
            seats.retain(|seat| is_within(seat.at, steady, KEPT_FOR));
            if seats.len() < before {
                dirty.insert(*place);
            }
            !seats.is_empty()
        });
        let changed = std::mem::take(&mut self.dirty);
        let line = |seats: &Vec<Seat>| serde_json::to_string(seats).expect("seats are plain data");
        let entry = |place| (place, self.seats.get(&place).map(line));
        changed.into_iter().map(entry).collect()
    }

    /// Takes back an entry of the checkpoint; false where it cannot be read.
    pub fn restore(&mut self, place: &str, written: &str) -> bool {
        let (place, seats) = (TouchpointCode::parse(place), serde_json::from_str(written));
        let read = place.ok().zip(seats.ok());
        let is_read = read.is_some();
        self.seats.extend(read);
        is_read
    }
}

fn minutes(minutes: u16) -> SignedDuration {
    SignedDuration::from_mins(minutes.into())
}

/// Whichever of the two is later: a clock may have been set back.
fn is_within(then: Timestamp, now: Timestamp, most: SignedDuration) -> bool {
    now.duration_since(then).abs() <= most
}
