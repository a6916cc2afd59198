//! What frames add to the figures, summed first: a transaction touches each row once, and in one order.
//!
//! The ledgers write a tally, the auditor compares one; both get it from here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Frame;
use crate::domain::ids::{StoreId, TouchpointCode, Vid};
use crate::domain::uptake::{Cell, Deed, Fact, Spot, Step};

/// The columns of a row of figures.
pub const COLUMNS: usize = 9;

/// The last column: events whose hour is not certain. They are in the other columns, too.
pub const UNCERTAIN: usize = 8;

/// As the tables call them.
pub const COLUMN_NAMES: [&str; COLUMNS] = [
    "came",
    "claimed",
    "consented",
    "redeemed",
    "refused",
    "off_peak_came",
    "off_peak_claimed",
    "off_peak_redeemed",
    "uncertain",
];

pub type Sums = [i64; COLUMNS];

/// The sums of some frames. In the order of the tables' keys, so that two transactions that touch the same
/// rows lock them in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    pub cells: BTreeMap<Cell, Sums>,
    pub visits: BTreeSet<(StoreId, Date, Vid)>,
    pub spots: BTreeMap<(Spot, Deed), i64>,
    pub patrons: BTreeSet<(StoreId, Date, TouchpointCode, Vid)>,
}

impl Tally {
    pub fn of<'a>(frames: impl Iterator<Item = &'a Frame>) -> Self {
        let mut tally = Self::default();
        frames.for_each(|frame| tally.add(frame));
        tally
    }

    pub fn add(&mut self, frame: &Frame) {
        for fact in &frame.facts {
            match fact {
                Fact::Add { cell, step, by } => self.cell(cell)[column(*step)] += by,
                Fact::Visit { store, vid, day } => {
                    self.visits.insert((store.clone(), *day, *vid));
                }
                Fact::Count { spot, deed, by } => {
                    *self.spots.entry((spot.clone(), *deed)).or_default() += by;
                }
                Fact::Patron {
                    store,
                    place,
                    vid,
                    day,
                } => {
                    self.patrons.insert((store.clone(), *day, *place, *vid));
                }
            }
        }
        for cell in &frame.uncertain {
            self.cell(cell)[UNCERTAIN] += 1;
        }
    }

    /// Adds what other frames came to.
    pub fn merge(&mut self, other: &Self) {
        for (cell, sums) in &other.cells {
            let own = self.cell(cell).iter_mut();
            own.zip(sums).for_each(|(own, by)| *own += by);
        }
        self.visits.extend(other.visits.iter().cloned());
        for (spot, by) in &other.spots {
            *self.spots.entry(spot.clone()).or_default() += by;
        }
        self.patrons.extend(other.patrons.iter().cloned());
    }

    fn cell(&mut self, cell: &Cell) -> &mut Sums {
        // Most cells are there already: a key is copied only when it is new.
        if !self.cells.contains_key(cell) {
            self.cells.insert(cell.clone(), Sums::default());
        }
        self.cells
            .get_mut(cell)
            .expect("it has just been put there")
    }
}

const fn column(step: Step) -> usize {
    match step {
        Step::Came => 0,
        Step::Claimed => 1,
        Step::Consented => 2,
        Step::Redeemed => 3,
        Step::Refused => 4,
        Step::OffPeakCame => 5,
        Step::OffPeakClaimed => 6,
        Step::OffPeakRedeemed => 7,
    }
}
