//! What each place of a shop has brought over the last weeks: seen, claimed, redeemed, came back, and what one
//! of them has cost. So a table tent can be held against the poster at the door.
//!
//! A coupon counts where it was claimed and on that day, also when it is redeemed later and elsewhere; so what is
//! redeemed is a part of what was claimed. A diner came back if they were seen in the store on a business day
//! after their first claim at the place in the days that are asked about.
//!
//! [`PlaceBook`] is what a box counts by itself, as the day book does: each day knows how far into each stream it
//! has come. A coupon that was claimed on the street counts as claimed once it has come down. The limits, beside the day book's: of the diners of one day it follows [`MOST_FOLLOWED`]; and where
//! a crash has the journal show a return before the claim it follows, that return is missed. Headquarters has
//! neither limit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::through::Through;
use super::{Deed, Fact, Spot, fold};
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{FramePlace, StoreId, TouchpointCode, Vid};
use crate::domain::interval::Share;
use crate::domain::store::{Touchpoint, TouchpointKind};

/// The days that are compared, today among them.
pub const COMPARED_DAYS: i64 = 28;

/// Those, and room for a clock that was wrong.
const KEPT_DAYS: usize = 36;

/// Twice a full house.
const MOST_FOLLOWED: usize = 300;

/// Sums by place, or of what belongs to none.
pub type Counts = BTreeMap<(Option<TouchpointCode>, Deed), i64>;

/// Diners who claimed at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Patrons {
    pub people: i64,
    pub came_back: i64,
}

/// What a store's places have brought over some days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    pub counts: Counts,
    pub patrons: BTreeMap<TouchpointCode, Patrons>,
}

impl Places {
    /// A deed over the whole store.
    pub fn of_store(&self, deed: Deed) -> i64 {
        let of_it = self.counts.iter().filter(|((_, known), _)| *known == deed);
        of_it.map(|(_, count)| count).sum()
    }

    fn at(&self, place: TouchpointCode, deed: Deed) -> i64 {
        self.counts.get(&(Some(place), deed)).copied().unwrap_or(0)
    }

    /// Redemptions of coupons whose place nobody here knows.
    pub fn redeemed_from_unknown(&self) -> i64 {
        let found = self.counts.get(&(None, Deed::Redeemed));
        found.copied().unwrap_or(0)
    }
}

/// The business days that are compared on `today`.
pub fn compared(today: Date) -> RangeInclusive<Date> {
    today.saturating_sub((COMPARED_DAYS - 1).days())..=today
}

/// The figures of one place, or of all of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    pub label: String,
    pub seen: i64,
    pub claimed: i64,
    pub redeemed: i64,
    pub patrons: Patrons,
    /// What all of it has cost, where anybody has said so.
    pub cost_fen: Option<i64>,
}

impl Line {
    /// Claims among page opens.
    pub fn claim_share(&self) -> Option<Share> {
        Share::of(self.claimed, self.seen)
    }

    pub fn redeem_share(&self) -> Option<Share> {
        Share::of(self.redeemed, self.claimed)
    }

    pub fn return_share(&self) -> Option<Share> {
        Share::of(self.patrons.came_back, self.patrons.people)
    }

    pub fn fen_per_claim(&self) -> Option<i64> {
        self.cost_fen
            .filter(|_| self.claimed > 0)
            .map(|fen| fen / self.claimed)
    }

    pub fn fen_per_redeemed(&self) -> Option<i64> {
        self.cost_fen
            .filter(|_| self.redeemed > 0)
            .map(|fen| fen / self.redeemed)
    }

    fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.claimed += other.claimed;
        self.redeemed += other.redeemed;
        self.patrons.people += other.patrons.people;
        self.patrons.came_back += other.patrons.came_back;
        if let Some(fen) = other.cost_fen {
            *self.cost_fen.get_or_insert(0) += fen;
        }
    }
}

/// All places of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub kind: TouchpointKind,
    pub sum: Line,
    /// Those with the most claims first.
    pub lines: Vec<Line>,
}

/// An amount in hundredths, as people write it.
pub fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Sets the places beside each other. Stickers that are bound to no place yet are left out.
pub fn compare<'a>(
    touchpoints: impl Iterator<Item = &'a Touchpoint>,
    places: &Places,
) -> Vec<Group> {
    let mut kinds: BTreeMap<TouchpointKind, (Line, Vec<Line>)> = BTreeMap::new();
    for touchpoint in touchpoints.filter(|place| place.is_bound()) {
        let patrons = places.patrons.get(&touchpoint.code);
        let line = Line {
            label: touchpoint.label.clone(),
            seen: places.at(touchpoint.code, Deed::Seen),
            claimed: places.at(touchpoint.code, Deed::Claimed),
            redeemed: places.at(touchpoint.code, Deed::Redeemed),
            patrons: patrons.copied().unwrap_or_default(),
            cost_fen: touchpoint.cost_fen.map(i64::from),
        };
        let (sum, lines) = kinds.entry(touchpoint.kind).or_default();
        sum.add(&line);
        let rank = |line: &Line| (line.claimed, line.seen);
        let before = |other: &Line| {
            rank(other) > rank(&line) || (rank(other) == rank(&line) && other.label < line.label)
        };
        lines.insert(lines.iter().take_while(|other| before(other)).count(), line);
    }
    let groups = kinds.into_iter();
    groups
        .map(|(kind, (sum, lines))| Group { kind, sum, lines })
        .collect()
}

/// What a box has counted of its own places.
#[derive(Debug, Default)]
pub struct PlaceBook {
    /// None beside headquarters, which counts for itself.
    store: Option<StoreId>,
    days: BTreeMap<Date, Day>,
    /// Days that the checkpoint may hold.
    gone: BTreeSet<Date>,
}

/// A business day. A coupon's day is that of its claim.
#[derive(Debug, Default, PartialEq, Eq)]
struct Day {
    counts: Counts,
    patrons: BTreeMap<Vid, Followed>,
    through: Through,
    has_changed: bool,
}

/// A diner who claimed on a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Followed {
    at: Vec<TouchpointCode>,
    came_back: bool,
}

/// A day as the checkpoint has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct WrittenDay {
    store: StoreId,
    day: Date,
    counts: Vec<(Option<TouchpointCode>, String, i64)>,
    patrons: Vec<(Vid, Vec<TouchpointCode>, bool)>,
    through: Through,
}

impl PlaceBook {
    pub fn of(store: Option<StoreId>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// Forgets everything but whose book it is.
    pub fn reset(&mut self) {
        *self = Self::of(self.store.take());
    }

    /// Takes in all events of the frame at `at`; sums only where it was not taken in before.
    pub fn apply(&mut self, at: FramePlace, frame: &[Occurrence]) {
        for occurrence in frame {
            if let Event::EraseRequested(erased) = &occurrence.event {
                self.rename(erased.vid, erased.instead);
            }
        }
        let mut counted = BTreeSet::new();
        for fact in frame.iter().flat_map(at_own_places) {
            match fact {
                Fact::Count { spot, deed, by } if self.store.as_ref() == Some(&spot.store) => {
                    if let Some(day) = self.day(spot.day)
                        && !day.through.contains(at)
                    {
                        *day.counts.entry((spot.place, deed)).or_default() += by;
                        counted.insert(spot.day);
                    }
                }
                Fact::Patron {
                    store,
                    place,
                    vid,
                    day,
                } if self.store.as_ref() == Some(&store) => {
                    if let Some(day) = self.day(day) {
                        day.follow(vid, place);
                    }
                }
                Fact::Visit { store, vid, day } if self.store.as_ref() == Some(&store) => {
                    for (_, before) in self.days.range_mut(..day) {
                        before.see_again(vid);
                    }
                }
                Fact::Add { .. }
                | Fact::Count { .. }
                | Fact::Patron { .. }
                | Fact::Visit { .. } => {}
            }
        }
        // Not before: another event of this frame may be of the same day.
        for day in counted {
            if let Some(day) = self.days.get_mut(&day) {
                day.through.reach(at);
                day.has_changed = true;
            }
        }
    }

    /// Follows a diner under another name from now on; the sums stay as they are.
    fn rename(&mut self, vid: Vid, instead: Vid) {
        for day in self.days.values_mut() {
            if let Some(followed) = day.patrons.remove(&vid) {
                let known = day.patrons.entry(instead).or_default();
                known.came_back |= followed.came_back;
                known.at = followed.at;
                day.has_changed = true;
            }
        }
    }

    /// The first day that was counted: a day that only knows of a coupon used later was not.
    pub fn begins(&self) -> Option<Date> {
        let is_counted = |day: &Day| day.counts.keys().any(|(_, deed)| *deed != Deed::Redeemed);
        let counted = self.days.iter().find(|(_, day)| is_counted(day));
        counted.map(|(date, _)| *date)
    }

    /// What the places have brought over `days`.
    pub fn over(&self, days: RangeInclusive<Date>) -> Places {
        let mut places = Places::default();
        let mut first: BTreeMap<(TouchpointCode, Vid), bool> = BTreeMap::new();
        for (_, day) in self.days.range(days) {
            for (key, count) in &day.counts {
                *places.counts.entry(*key).or_default() += count;
            }
            for (vid, followed) in &day.patrons {
                for place in &followed.at {
                    // The first of the days: whoever came after a later one came after it, too.
                    first.entry((*place, *vid)).or_insert(followed.came_back);
                }
            }
        }
        for ((place, _), came_back) in first {
            let patrons = places.patrons.entry(place).or_default();
            patrons.people += 1;
            patrons.came_back += i64::from(came_back);
        }
        places
    }

    /// Takes back a day of the checkpoint. One of another store was written before the box moved.
    pub fn restore(&mut self, written: WrittenDay) {
        if self.store.as_ref() != Some(&written.store) {
            return;
        }
        let known = written.counts.into_iter();
        let counts = known.filter_map(|(place, deed, count)| {
            // A later version may count more.
            Some(((place, Deed::from_name(&deed)?), count))
        });
        let patrons = written.patrons.into_iter();
        let day = Day {
            counts: counts.collect(),
            patrons: patrons
                .map(|(vid, at, came_back)| (vid, Followed { at, came_back }))
                .collect(),
            through: written.through,
            has_changed: false,
        };
        self.days.insert(written.day, day);
    }

    /// The days that have changed since the last call: none for one that is gone.
    pub fn take_changes(&mut self) -> Vec<(Date, Option<WrittenDay>)> {
        let gone = std::mem::take(&mut self.gone).into_iter();
        let mut changes: Vec<_> = gone.map(|day| (day, None)).collect();
        let Some(store) = &self.store else {
            return changes;
        };
        for (date, day) in &mut self.days {
            if std::mem::take(&mut day.has_changed) {
                changes.push((*date, Some(day.write(store.clone(), *date))));
            }
        }
        changes
    }

    /// A day, begun if need be; none if it is older than all that are kept.
    fn day(&mut self, date: Date) -> Option<&mut Day> {
        self.days.entry(date).or_default();
        if self.days.len() > KEPT_DAYS
            && let Some((oldest, _)) = self.days.pop_first()
        {
            self.gone.insert(oldest);
        }
        self.days.get_mut(&date)
    }
}

/// What `occurrence` adds to a box's own places. A coupon that was passed down is redeemed here where it came
/// from, so its claim is counted there, too; [`fold`] has it from the box that issued it.
fn at_own_places(occurrence: &Occurrence) -> Vec<Fact> {
    let mut facts = fold(occurrence);
    if let Event::CouponKnown(known) = &occurrence.event {
        let (store, day, place) = (&occurrence.store, known.day, known.claim.touchpoint);
        facts.push(Fact::Count {
            spot: Spot {
                store: store.clone(),
                day,
                place: Some(place),
            },
            deed: Deed::Claimed,
            by: 1,
        });
        facts.push(Fact::Patron {
            store: store.clone(),
            place,
            vid: known.claim.vid,
            day,
        });
    }
    facts
}

impl Day {
    fn follow(&mut self, vid: Vid, place: TouchpointCode) {
        if self.patrons.len() >= MOST_FOLLOWED && !self.patrons.contains_key(&vid) {
            return;
        }
        let followed = self.patrons.entry(vid).or_default();
        if !followed.at.contains(&place) {
            followed.at.push(place);
            self.has_changed = true;
        }
    }

    fn see_again(&mut self, vid: Vid) {
        if let Some(followed) = self.patrons.get_mut(&vid)
            && !followed.came_back
        {
            followed.came_back = true;
            self.has_changed = true;
        }
    }

    fn write(&self, store: StoreId, day: Date) -> WrittenDay {
        let counts = self.counts.iter();
        let patrons = self.patrons.iter();
        WrittenDay {
            store,
            day,
            counts: counts
                .map(|((place, deed), count)| (*place, deed.name().to_owned(), *count))
                .collect(),
            patrons: patrons
                .map(|(vid, followed)| (*vid, followed.at.clone(), followed.came_back))
                .collect(),
            through: self.through.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
