//! The checkpoint: the wallet as entries that can be written, replaced and deleted one by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::by_hand::ByHand;
use super::packed::Saved;
use super::{
    CampaignId, Coupon, CouponId, DeviceId, RedeemedElsewhere, Redemption, RedemptionId, Tally,
    Wallet, WrongPins, days_tallies, unix_millis,
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
    Voided(CouponId),
    ByHand(CampaignId),
    Elsewhere(CouponId, RedemptionId),
    TakenBack(RedemptionId),
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
    Voided(CouponId, #[serde(with = "unix_millis")] Timestamp),
    ByHand(CampaignId, ByHand),
    Elsewhere(Box<RedeemedElsewhere>),
    TakenBack(RedemptionId, #[serde(with = "unix_millis")] Timestamp),
}

impl Wallet {
    /// The entries that have changed since the last call, in the order they are to be written.
    ///
    /// Only their names: what each holds now is asked for one by one ([`Self::entry`]), before the wallet
    /// changes again, so that a checkpoint of very many coupons needs no second copy of them.
    ///
    /// Coupons that nothing needs to remember any more leave the wallet here, and only such as
    /// an earlier checkpoint held: their claims lie before every log that could be replayed.
    pub fn take_changes(&mut self) -> BTreeSet<Key> {
        self.forget_the_old();
        let mut changes = std::mem::take(&mut self.dirty);
        for coupon in self.coupons.iter_mut() {
            if coupon.saved != Saved::AsItIs {
                coupon.saved = Saved::AsItIs;
                changes.insert(Key::Coupon(coupon.coupon));
            }
        }
        for done in self.redemptions.iter_mut() {
            if done.saved != Saved::AsItIs {
                done.saved = Saved::AsItIs;
                changes.insert(Key::Redemption(done.coupon));
            }
        }
        changes
    }

    /// What an entry holds: `None` where it is gone.
    pub fn entry(&self, key: &Key) -> Option<Entry> {
        let kept = match key {
            Key::Coupon(id) => Kept::Coupon(Box::new(self.coupon(*id)?)),
            // As it is kept: where its coupon came from stands with the coupon.
            Key::Redemption(id) => {
                Kept::Redemption(Box::new(self.redemptions.of(*id)?.unpack(&self.names)))
            }
            Key::WrongPins(device) => Kept::WrongPins(*device, *self.wrong_pins.get(device)?),
            Key::Forgotten(campaign) => {
                Kept::Forgotten(campaign.clone(), *self.forgotten.get(campaign)?)
            }
            Key::Steady => Kept::Steady(self.steady),
            Key::Voided(coupon) => Kept::Voided(*coupon, *self.voided.get(coupon)?),
            Key::ByHand(campaign) => Kept::ByHand(campaign.clone(), *self.by_hand.get(campaign)?),
            Key::Elsewhere(coupon, redemption) => {
                let used = self.elsewhere.get(&(*coupon, *redemption))?;
                Kept::Elsewhere(Box::new(used.clone()))
            }
            Key::TakenBack(id) => Kept::TakenBack(*id, *self.taken_back.get(id)?),
        };
        Some(Entry(kept))
    }

    /// Takes in one entry of a checkpoint, which holds each once.
    pub fn restore(&mut self, entry: Entry) {
        match entry.0 {
            Kept::Coupon(coupon) => self.remember(&coupon, Saved::AsItIs),
            Kept::Redemption(redemption) => self.hand_over(&redemption, Saved::AsItIs),
            Kept::Steady(time) => self.steady = time,
            Kept::Voided(coupon, until) => {
                self.voided.insert(coupon, until);
            }
            Kept::ByHand(campaign, by_hand) => {
                self.by_hand.insert(campaign, by_hand);
            }
            Kept::Elsewhere(used) => {
                self.elsewhere.insert((used.coupon, used.redemption), *used);
            }
            Kept::TakenBack(id, until) => {
                self.taken_back.insert(id, until);
            }
            Kept::WrongPins(device, wrong) => {
                self.wrong_pins.insert(device, wrong);
            }
            Kept::Forgotten(campaign, count) => {
                let tally = Tally::Campaign(self.names.campaigns.number(&campaign));
                *self.tally.entry(tally).or_default() += count;
                self.forgotten.insert(campaign, count);
            }
        }
    }

    fn forget_the_old(&mut self) {
        let steady = self.steady.into();
        self.coupons.forget(
            |coupon| coupon.saved != Saved::Never && coupon.remember_until < steady,
            |coupon| {
                // The day is over, so its limits are too; the campaign's total stays counted.
                for tally in days_tallies(coupon) {
                    self.tally.remove(&tally);
                }
                self.dirty.insert(Key::Coupon(coupon.coupon));
                if coupon.is_given_back() || coupon.is_passed_down() {
                    return;
                }
                let campaign = self.names.campaigns.get(coupon.campaign);
                *self.forgotten.entry(campaign.clone()).or_default() += 1;
                self.dirty.insert(Key::Forgotten(campaign.clone()));
            },
        );
        self.voided.retain(|coupon, until| {
            let stays = *until >= self.steady;
            if !stays {
                self.dirty.insert(Key::Voided(*coupon));
            }
            stays
        });
        self.taken_back.retain(|id, until| {
            let stays = *until >= self.steady;
            if !stays {
                self.dirty.insert(Key::TakenBack(*id));
            }
            stays
        });
        // A coupon that is remembered stays a used one.
        let coupons = &self.coupons;
        self.elsewhere.retain(|(coupon, redemption), used| {
            let stays = used.remember_until >= self.steady || coupons.get(*coupon).is_some();
            if !stays {
                self.dirty.insert(Key::Elsewhere(*coupon, *redemption));
            }
            stays
        });
        self.redemptions.forget(
            |done| {
                done.saved != Saved::Never
                    && done.remember_until < steady
                    && coupons.get(done.coupon).is_none()
            },
            |done| {
                self.dirty.insert(Key::Redemption(done.coupon));
            },
        );
    }
}
