//! The coupons that were handed over, packed as the coupons are.

use super::Redemption;
use super::index::Index;
use super::packed::{Flag, Flags, Millis, Names, Number, Saved};
use super::slab::{Slab, Slot};
use crate::domain::event::{Home, Redeem};
use crate::domain::ids::{CouponId, DeviceId, RedemptionId, Vid};

/// A [`Redemption`], packed.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) redemption: RedemptionId,
    pub(super) coupon: CouponId,
    device: DeviceId,
    /// As bytes, which need no room for an alignment.
    pub(super) vid: Option<[u8; 16]>,
    pub(super) at: Millis,
    pub(super) remember_until: Millis,
    campaign: Number,
    staff: Number,
    /// The coupon's own store, where the flags say that it is another.
    home: Number,
    flags: Flags,
    pub(super) saved: Saved,
}

const _: () = assert!(size_of::<Option<Record>>() <= 96);

impl Record {
    pub(super) fn pack(done: &Redemption, saved: Saved, names: &mut Names) -> Self {
        let redeem = &done.redeem;
        Self {
            redemption: redeem.redemption,
            coupon: redeem.coupon,
            device: redeem.device,
            vid: redeem.vid.map(Vid::to_bytes),
            at: done.at.into(),
            remember_until: redeem.remember_until.into(),
            campaign: names.campaigns.number(&redeem.campaign),
            staff: names.staff.number(&redeem.staff),
            home: match &redeem.home {
                Some(home) => names.stores.number(&home.store),
                None => Number::NONE,
            },
            flags: Flags::of([
                (Flag::OffPeak, redeem.off_peak),
                (Flag::FromElsewhere, redeem.home.is_some()),
                (
                    Flag::Provisional,
                    redeem.home.as_ref().is_some_and(|home| home.provisional),
                ),
                (Flag::Unplaced, done.unplaced),
            ]),
            saved,
        }
    }

    pub(super) fn unpack(&self, names: &Names) -> Redemption {
        Redemption {
            redeem: Redeem {
                redemption: self.redemption,
                coupon: self.coupon,
                campaign: names.campaigns.get(self.campaign).clone(),
                staff: names.staff.get(self.staff).clone(),
                device: self.device,
                vid: self.vid.map(Vid::from_entropy),
                remember_until: self.remember_until.into(),
                off_peak: self.flags.has(Flag::OffPeak),
                // The wallet adds it from the coupon: fifteen bytes a record are saved.
                origin: None,
                home: self.flags.has(Flag::FromElsewhere).then(|| Home {
                    store: names.stores.get(self.home).clone(),
                    provisional: self.flags.has(Flag::Provisional),
                }),
            },
            at: self.at.into(),
            unplaced: self.flags.has(Flag::Unplaced),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Redemptions {
    records: Slab<Record>,
    by_coupon: Index,
}

impl Redemptions {
    pub(super) fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    pub(super) fn of(&self, coupon: CouponId) -> Option<&Record> {
        self.slot(coupon).map(|slot| self.records.get(slot))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut()
    }

    /// Takes in a redemption, in place of the one its coupon had.
    pub(super) fn put(&mut self, record: Record) {
        let coupon = record.coupon;
        match self.slot(coupon) {
            Some(slot) => *self.records.get_mut(slot) = record,
            None => {
                let slot = self.records.insert(record);
                self.by_coupon.insert(coupon, slot);
            }
        }
    }

    pub(super) fn remove(&mut self, coupon: CouponId) {
        if let Some(slot) = self.slot(coupon) {
            self.free(slot);
        }
    }

    /// Lets go of the redemptions that nothing needs any more, and shows each to `farewell`.
    pub(super) fn forget(
        &mut self,
        is_over: impl Fn(&Record) -> bool,
        mut farewell: impl FnMut(&Record),
    ) {
        for slot in self.records.slots_where(is_over) {
            farewell(self.records.get(slot));
            self.free(slot);
        }
    }

    fn free(&mut self, slot: Slot) {
        self.by_coupon.remove(slot);
        self.records.remove(slot);
    }

    fn slot(&self, coupon: CouponId) -> Option<Slot> {
        self.by_coupon
            .find(coupon)
            .find(|slot| self.records.get(*slot).coupon == coupon)
    }
}
