//! The coupons a wallet remembers, and the four ways to find one.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::Coupon;
use super::index::Index;
use super::packed::{Flag, Flags, Millis, Names, Number, Saved};
use super::slab::{Slab, Slot};
use crate::domain::event::Claim;
use crate::domain::ids::{CouponId, ShortCode, TapId, TouchpointCode, Vid};

/// A [`Coupon`], packed.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) coupon: CouponId,
    pub(super) tap: TapId,
    pub(super) vid: Vid,
    pub(super) touchpoint: TouchpointCode,
    pub(super) not_before: Millis,
    pub(super) not_after: Millis,
    pub(super) remember_until: Millis,
    pub(super) issued_at: Millis,
    pub(super) campaign: Number,
    pub(super) store: Number,
    pub(super) gift: Number,
    pub(super) day: Date,
    pub(super) code: ShortCode,
    pub(super) flags: Flags,
    pub(super) saved: Saved,
}

// A router holds 50,000 of them: one more field is one more MiB before anybody notices.
const _: () = assert!(size_of::<Option<Record>>() <= 112);

impl Record {
    pub(super) fn pack(coupon: &Coupon, saved: Saved, names: &mut Names) -> Self {
        let claim = &coupon.claim;
        Self {
            coupon: claim.coupon,
            tap: claim.tap,
            vid: claim.vid,
            touchpoint: claim.touchpoint,
            not_before: claim.not_before.into(),
            not_after: claim.not_after.into(),
            remember_until: claim.remember_until.into(),
            issued_at: coupon.issued_at.into(),
            campaign: names.campaigns.number(&claim.campaign),
            store: names.stores.number(&coupon.store),
            gift: names.gifts.number(&claim.gift),
            day: coupon.day,
            code: claim.code,
            flags: Flags::of([
                (Flag::OffPeak, claim.off_peak),
                (Flag::Given, claim.given),
                (Flag::Consented, coupon.consented),
                (Flag::GivenBack, coupon.given_back),
                (Flag::PassedDown, coupon.passed_down),
            ]),
            saved,
        }
    }

    pub(super) fn unpack(&self, names: &Names) -> Coupon {
        Coupon {
            claim: Claim {
                coupon: self.coupon,
                code: self.code,
                campaign: names.campaigns.get(self.campaign).clone(),
                touchpoint: self.touchpoint,
                tap: self.tap,
                vid: self.vid,
                not_before: self.not_before.into(),
                not_after: self.not_after.into(),
                gift: names.gifts.get(self.gift).clone(),
                remember_until: self.remember_until.into(),
                off_peak: self.flags.has(Flag::OffPeak),
                given: self.flags.has(Flag::Given),
            },
            store: names.stores.get(self.store).clone(),
            issued_at: self.issued_at.into(),
            day: self.day,
            consented: self.flags.has(Flag::Consented),
            given_back: self.is_given_back(),
            passed_down: self.is_passed_down(),
        }
    }

    /// Whether the limits count it no more.
    pub(super) const fn is_given_back(&self) -> bool {
        self.flags.has(Flag::GivenBack)
    }

    /// Whether it was issued on the street, out of another share of its campaign.
    pub(super) const fn is_passed_down(&self) -> bool {
        self.flags.has(Flag::PassedDown)
    }

    /// A place in the order in which coupons run out.
    fn end(&self, slot: Slot) -> End {
        (self.not_after.minute(), slot)
    }
}

/// The minute in which a coupon runs out, and where it is.
type End = (u32, Slot);

#[derive(Debug, Default)]
pub(super) struct Coupons {
    records: Slab<Record>,
    by_id: Index,
    by_tap: Index,
    by_code: Index,
    by_diner: Index,
    /// Those whose end has not been looked at since the start of the process.
    by_end: BTreeSet<End>,
}

impl Coupons {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn get(&self, id: CouponId) -> Option<&Record> {
        self.slot(id).map(|slot| self.records.get(slot))
    }

    pub(super) fn get_mut(&mut self, id: CouponId) -> Option<&mut Record> {
        self.slot(id).map(|slot| self.records.get_mut(slot))
    }

    pub(super) fn of_tap(&self, tap: TapId) -> Option<&Record> {
        self.at(self.by_tap.find(tap))
            .find(|record| record.tap == tap)
    }

    pub(super) fn of_code(&self, code: ShortCode) -> impl Iterator<Item = &Record> {
        self.at(self.by_code.find(code))
            .filter(move |record| record.code == code)
    }

    pub(super) fn of_diner(&self, vid: Vid) -> impl Iterator<Item = &Record> {
        self.at(self.by_diner.find(vid))
            .filter(move |record| record.vid == vid)
    }

    /// Changes the coupons of a diner, and not whose they are.
    pub(super) fn change(&mut self, vid: Vid, change: impl Fn(&mut Record)) {
        for slot in self.slots_of(vid) {
            change(self.records.get_mut(slot));
        }
    }

    /// Gives the coupons of a diner to others: `rename` changes one and says who has it now.
    pub(super) fn rename(&mut self, vid: Vid, rename: impl Fn(&mut Record) -> Vid) {
        for slot in self.slots_of(vid) {
            let now = rename(self.records.get_mut(slot));
            self.by_diner.remove(slot);
            self.by_diner.insert(now, slot);
        }
    }

    fn slots_of(&self, vid: Vid) -> Vec<Slot> {
        let found = self.by_diner.find(vid);
        found
            .filter(|slot| self.records.get(*slot).vid == vid)
            .collect()
    }

    /// Takes in a coupon that is not here yet.
    pub(super) fn insert(&mut self, record: Record) {
        let Record {
            coupon,
            tap,
            code,
            vid,
            ..
        } = record;
        let has_run_out = record.is_given_back();
        let slot = self.records.insert(record);
        if !has_run_out {
            self.by_end.insert(self.records.get(slot).end(slot));
        }
        self.by_id.insert(coupon, slot);
        self.by_tap.insert(tap, slot);
        self.by_code.insert(code, slot);
        self.by_diner.insert(vid, slot);
    }

    /// The next coupon that has run out before `now`, to the minute; each once.
    pub(super) fn next_run_out(&mut self, now: Millis) -> Option<CouponId> {
        let (minute, slot) = *self.by_end.first()?;
        if minute >= now.minute() {
            return None;
        }
        self.by_end.pop_first();
        Some(self.records.get(slot).coupon)
    }

    /// Has [`Self::next_run_out`] name a coupon once more.
    pub(super) fn look_at_its_end_again(&mut self, id: CouponId) {
        if let Some(slot) = self.slot(id) {
            self.by_end.insert(self.records.get(slot).end(slot));
        }
    }

    /// Lets go of the coupons that nothing needs any more, and shows each to `farewell`.
    pub(super) fn forget(
        &mut self,
        is_over: impl Fn(&Record) -> bool,
        mut farewell: impl FnMut(&Record),
    ) {
        for slot in self.records.slots_where(is_over) {
            let record = self.records.get(slot);
            farewell(record);
            self.by_end.remove(&record.end(slot));
            for index in [
                &mut self.by_id,
                &mut self.by_tap,
                &mut self.by_code,
                &mut self.by_diner,
            ] {
                index.remove(slot);
            }
            self.records.remove(slot);
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut()
    }

    fn slot(&self, id: CouponId) -> Option<Slot> {
        self.by_id
            .find(id)
            .find(|slot| self.records.get(*slot).coupon == id)
    }

    fn at(&self, slots: impl Iterator<Item = Slot>) -> impl Iterator<Item = &Record> {
        slots.map(|slot| self.records.get(slot))
    }
}
