//! The checkpoint: the wallet as entries that can be written, replaced and deleted one by one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CampaignId, Coupon, CouponId, DeviceId, Redemption, Tally, Wallet, WrongPins, tallies,
    unix_millis,
};

/// The name of one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    // Written in this order: a total that counts a forgotten coupon comes before the coupon goes, so that a
    // power cut between the two counts it twice and never not at all.
    Forgotten(CampaignId),
    Steady,
    Coupon(CouponId),
    Redemption(CouponId),
    WrongPins(DeviceId),
}

/// One entry as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry(pub(super) Kept);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kept {
    Coupon(Box<Coupon>),
    Redemption(Box<Redemption>),
    WrongPins(DeviceId, WrongPins),
    Forgotten(CampaignId, u32),
    Steady(#[serde(with = "unix_millis")] Timestamp),
}

impl Wallet {
    /// What has changed since the last call: `None` where an entry is gone.
    ///
    /// Coupons that nothing needs to remember any more leave the wallet here, and only such as
    /// an earlier checkpoint held: their claims lie before every log that could be replayed.
    pub fn take_changes(&mut self) -> Vec<(Key, Option<Entry>)> {
        self.forget_the_old();
        let dirty = std::mem::take(&mut self.dirty);
        dirty
            .into_iter()
            .map(|key| {
                let entry = self.entry(&key);
                (key, entry)
            })
            .collect()
    }

    fn entry(&mut self, key: &Key) -> Option<Entry> {
        let kept = match key {
            Key::Coupon(id) => {
                let coupon = self.coupons.get_mut(id)?;
                coupon.settled = true;
                Kept::Coupon(Box::new(coupon.clone()))
            }
            Key::Redemption(id) => {
                let redemption = self.redemptions.get_mut(id)?;
                redemption.settled = true;
                Kept::Redemption(Box::new(redemption.clone()))
            }
            Key::WrongPins(device) => Kept::WrongPins(*device, *self.wrong_pins.get(device)?),
            Key::Forgotten(campaign) => {
                Kept::Forgotten(campaign.clone(), *self.forgotten.get(campaign)?)
            }
            Key::Steady => Kept::Steady(self.steady),
        };
        Some(Entry(kept))
    }

    /// Takes in one entry of a checkpoint.
    pub fn restore(&mut self, entry: Entry) {
        match entry.0 {
            Kept::Coupon(mut coupon) => {
                coupon.settled = true;
                self.index(&coupon);
                self.coupons.insert(coupon.claim.coupon, *coupon);
            }
            Kept::Redemption(mut redemption) => {
                redemption.settled = true;
                self.redemptions
                    .insert(redemption.redeem.coupon, *redemption);
            }
            Kept::Steady(time) => self.steady = time,
            Kept::WrongPins(device, wrong) => {
                self.wrong_pins.insert(device, wrong);
            }
            Kept::Forgotten(campaign, count) => {
                *self
                    .tally
                    .entry(Tally::Campaign(campaign.clone()))
                    .or_default() += count;
                self.forgotten.insert(campaign, count);
            }
        }
    }

    fn forget_the_old(&mut self) {
        let steady = self.steady;
        let old: Vec<CouponId> = self
            .coupons
            .values()
            .filter(|coupon| coupon.settled && coupon.claim.remember_until < steady)
            .map(|coupon| coupon.claim.coupon)
            .collect();
        for id in old {
            if let Some(coupon) = self.coupons.remove(&id) {
                self.unindex(&coupon);
                self.dirty.insert(Key::Coupon(id));
            }
        }
        let over: Vec<CouponId> = self
            .redemptions
            .iter()
            .filter(|(_, done)| done.settled && done.redeem.remember_until < steady)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.redemptions.remove(&id);
            self.dirty.insert(Key::Redemption(id));
        }
    }

    fn unindex(&mut self, coupon: &Coupon) {
        let claim = &coupon.claim;
        self.by_tap.remove(&claim.tap);
        self.by_code.remove(&claim.code);
        if let Some(held) = self.by_diner.get_mut(&claim.vid) {
            held.retain(|id| *id != claim.coupon);
            if held.is_empty() {
                self.by_diner.remove(&claim.vid);
            }
        }
        let [_, store_day, table_day] = tallies(coupon);
        // The day is over, so its limits are too; the campaign's total stays counted.
        self.tally.remove(&store_day);
        self.tally.remove(&table_day);
        *self.forgotten.entry(claim.campaign.clone()).or_default() += 1;
        self.dirty.insert(Key::Forgotten(claim.campaign.clone()));
    }
}
