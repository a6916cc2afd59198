//! Holding the figures against the frames they were counted from.
//!
//! Every stored frame of a store is read and folded again, by the same function that counted it when it
//! came, and what that gives for one business day is compared with the figures that were kept.
//!
//! It takes as long as reading all frames of all stores takes: no index finds those of one, because every
//! frame that comes would pay for it, and the streams' counts are of all frames anyhow. For an operator, at
//! a quiet hour.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};

use super::Frame;
use super::tally::{Sums, Tally};
use crate::domain::calendar::{BUSINESS_DAY_CUT_HOUR, business_day};
use crate::domain::ids::{CampaignId, FrameId, GatewayId, StreamId, TouchpointCode, Vid};
use crate::domain::uptake::Cell;
use crate::domain::uptake::places::Counts;
use crate::hq::examine::examine_frame;
use crate::wire::batch::Time;
use crate::wire::link::Serves;

/// A business day counted in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayAudit {
    pub from_frames: DayCount,
    pub kept: DayCount,
    /// How many frames of the store were read.
    pub frames: u64,
    /// Where they came from.
    pub streams: BTreeSet<StreamId>,
}

/// A store's business day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayCount {
    pub cells: BTreeMap<(DateTime, Option<CampaignId>), Sums>,
    pub people: i64,
    pub came_back: i64,
    /// None of a day before places were counted.
    pub places: Option<PlaceCount>,
}

/// What the places of a store have brought on a business day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlaceCount {
    pub counts: Counts,
    pub patrons: BTreeSet<(TouchpointCode, Vid)>,
}

/// What is stored of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamCount {
    pub stream: StreamId,
    pub gateway: GatewayId,
    pub acked: u64,
    pub frames: u64,
    /// Numbers that will never come.
    pub lost: u64,
}

impl StreamCount {
    /// Every number up to the mark is a frame or in a gap, once.
    pub const fn agrees(&self) -> bool {
        self.acked == self.frames + self.lost
    }
}

/// The hours of a business day on the store's wall: from the first to before the second.
pub(super) fn hours(day: Date) -> (DateTime, DateTime) {
    let begins = |day: Date| day.at(BUSINESS_DAY_CUT_HOUR, 0, 0, 0);
    let next = day.tomorrow().unwrap_or(day);
    (begins(day), begins(next))
}

/// A frame as it is stored.
pub(super) struct StoredFrame {
    pub(super) stream: StreamId,
    pub(super) seq: u64,
    pub(super) id: FrameId,
    pub(super) time: Option<Time>,
    pub(super) body: Vec<u8>,
}

/// Counts a store's day from all its frames, given one after the other.
pub(super) struct Recount {
    day: Date,
    cells: BTreeMap<(DateTime, Option<CampaignId>), Sums>,
    firsts: BTreeMap<Vid, Date>,
    today: BTreeSet<Vid>,
    places: PlaceCount,
    frames: u64,
    streams: BTreeSet<StreamId>,
}

impl Recount {
    pub(super) fn new(day: Date) -> Self {
        Self {
            day,
            cells: BTreeMap::new(),
            firsts: BTreeMap::new(),
            today: BTreeSet::new(),
            places: PlaceCount::default(),
            frames: 0,
            streams: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, stored: StoredFrame) {
        self.frames += 1;
        self.streams.insert(stored.stream);
        // Whether the gateway may speak for this store was decided when the frame came: a frame that it
        // may not has no store in the ledger, and is not among these.
        let StoredFrame {
            seq,
            id,
            time,
            body,
            ..
        } = stored;
        let frame: Frame = examine_frame(&Serves::Street, seq, id, time, body);
        let tally = Tally::of(std::iter::once(&frame));
        for (Cell { hour, campaign, .. }, sums) in tally.cells {
            if business_day(hour) == self.day {
                let kept = self.cells.entry((hour, campaign)).or_default();
                kept.iter_mut().zip(sums).for_each(|(kept, by)| *kept += by);
            }
        }
        for ((spot, deed), by) in tally.spots {
            if spot.day == self.day {
                *self.places.counts.entry((spot.place, deed)).or_default() += by;
            }
        }
        for (_, day, place, vid) in tally.patrons {
            if day == self.day {
                self.places.patrons.insert((place, vid));
            }
        }
        for (_, day, vid) in tally.visits {
            let first = self.firsts.entry(vid).or_insert(day);
            *first = day.min(*first);
            if day == self.day {
                self.today.insert(vid);
            }
        }
    }

    /// Puts what the figures say beside it.
    pub(super) fn against(self, kept: DayCount) -> DayAudit {
        let came_back = self.today.iter().filter(|vid| self.firsts[*vid] < self.day);
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        DayAudit {
            from_frames: DayCount {
                came_back: count(came_back.count()),
                people: count(self.today.len()),
                cells: self.cells,
                places: kept.places.as_ref().map(|_| self.places),
            },
            kept,
            frames: self.frames,
            streams: self.streams,
        }
    }
}
