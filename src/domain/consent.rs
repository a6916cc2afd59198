//! What guests of this box have agreed to and not taken back, each with a receipt: when, to which words, of which
//! version.
//!
//! An agreement is a person's and not a coupon's: it outlives the coupon on whose page it was given, and taking it
//! back takes it back everywhere. As the wallet, this decides nothing and is told; taking in an event a second time,
//! in the order of the journal, is harmless. It is bounded by [`MOST`]: headquarters has them all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Consent, Event, Occurrence, unix_millis};
use super::ids::{StoreId, Vid};

/// More than agree at one box in a year. The oldest go first.
const MOST: usize = 20_000;

/// One agreement, as its guest may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub store: StoreId,
    #[serde(with = "unix_millis")]
    pub at: Timestamp,
    pub consent: Consent,
}

/// Everybody's. There is one purpose, so a person has one.
#[derive(Debug, Clone, Default)]
pub struct Agreements {
    given: BTreeMap<Vid, Receipt>,
    /// Those that the checkpoint does not hold as they are.
    dirty: BTreeSet<Vid>,
}

impl Agreements {
    pub fn of(&self, vid: Vid) -> Option<&Receipt> {
        self.given.get(&vid)
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        if let Event::ConsentGiven(consent) = &occurrence.event {
            self.restore(Receipt {
                store: occurrence.store.clone(),
                at: occurrence.moment.at,
                consent: consent.clone(),
            });
            self.dirty.insert(consent.vid);
            self.make_room();
        } else if let Event::ConsentWithdrawn(consent) = &occurrence.event {
            self.forget(consent.vid);
        } else if let Event::EraseRequested(erased) = &occurrence.event {
            self.forget(erased.vid);
        }
    }

    /// Takes back an entry of the checkpoint.
    pub fn restore(&mut self, receipt: Receipt) {
        self.given.insert(receipt.consent.vid, receipt);
    }

    /// Those that have changed since the last call: none for one that is gone.
    pub fn take_changes(&mut self) -> Vec<(Vid, Option<&Receipt>)> {
        let changed = std::mem::take(&mut self.dirty);
        let entry = |vid: Vid| (vid, self.given.get(&vid));
        changed.into_iter().map(entry).collect()
    }

    fn forget(&mut self, vid: Vid) {
        self.given.remove(&vid);
        self.dirty.insert(vid);
    }

    fn make_room(&mut self) {
        if self.given.len() <= MOST {
            return;
        }
        let oldest = self.given.iter().min_by_key(|(_, receipt)| receipt.at);
        if let Some(vid) = oldest.map(|(vid, _)| *vid) {
            self.forget(vid);
        }
    }
}
