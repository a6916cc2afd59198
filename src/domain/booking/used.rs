//! Invitation codes that were used, where the booking they were used for is gone: the mark stays, the guest does not.
//!
//! A code is good once. Whoever used it may ask to be forgotten, and then nothing tells who they were; but the code
//! is not good again for that. A mark is kept until its event has been over for a week.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;

use super::Booking;
use super::tasting::InviteCode;
use crate::domain::ids::{Slug, StoreId};

type Key = (StoreId, Slug, InviteCode);

#[derive(Debug, Clone, Default)]
pub(super) struct UsedCodes {
    /// Each with the time of its event.
    all: BTreeMap<Key, DateTime>,
    /// Those that the checkpoint does not hold.
    dirty: BTreeSet<Key>,
}

impl UsedCodes {
    pub(super) fn contains(&self, store: &StoreId, tasting: &Slug, code: InviteCode) -> bool {
        let key = (store.clone(), tasting.clone(), code);
        self.all.contains_key(&key)
    }

    /// Marks the code that a booking was made with, if it was.
    pub(super) fn remember(&mut self, booking: &Booking) {
        if let (Some(tasting), Some(code)) = (&booking.tasting, booking.invited_with) {
            let key = (booking.store.clone(), tasting.clone(), code);
            self.all.insert(key.clone(), booking.at);
            self.dirty.insert(key);
        }
    }

    /// Reads what [`UsedCodes::take_changes`] wrote.
    pub(super) fn restore(&mut self, key: &str, value: &str) -> Option<()> {
        let mut parts = key.split(' ');
        let mut next = || parts.next();
        let key = (
            StoreId::parse(next()?).ok()?,
            Slug::parse(next()?).ok()?,
            InviteCode::parse(next()?).ok()?,
        );
        self.all.insert(key, value.parse().ok()?);
        Some(())
    }

    /// What has changed since the last call, as text; none for a mark of an event before `over`.
    pub(super) fn take_changes(&mut self, over: DateTime) -> Vec<(String, Option<String>)> {
        let mut changed = std::mem::take(&mut self.dirty);
        self.all.retain(|key, at| {
            let stays = *at >= over;
            if !stays {
                changed.insert(key.clone());
            }
            stays
        });
        let written = |key: Key| {
            let at = self.all.get(&key).map(DateTime::to_string);
            let (store, tasting, code) = key;
            (format!("{store} {tasting} {code}"), at)
        };
        changed.into_iter().map(written).collect()
    }
}
