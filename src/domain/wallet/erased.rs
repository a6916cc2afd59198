//! Cutting what a wallet holds from the person who asks to be forgotten.
//!
//! A coupon that can still be used stays good for whoever shows it, as a paper one would: from then on it belongs to
//! a person of its own, named after the coupon ([`nobody`]).

use super::packed::Flag;
use super::{Vid, Wallet, coupons};
use crate::domain::erased::nobody;

impl Wallet {
    /// Whether anything here is a diner's.
    pub fn knows(&self, vid: Vid) -> bool {
        self.coupons.of_diner(vid).next().is_some()
    }

    pub(super) fn cut_from(&mut self, vid: Vid) {
        self.coupons.rename(vid, |coupon: &mut coupons::Record| {
            coupon.vid = nobody(coupon.coupon);
            coupon.flags.set(Flag::Consented, false);
            coupon.saved.has_changed();
            coupon.vid
        });
        for done in self.redemptions.iter_mut() {
            if done.vid == Some(vid.to_bytes()) {
                done.vid = None;
                done.saved.has_changed();
            }
        }
    }
}
