//! What a coupon that runs out unused gives back: its place in the campaign's total or slice, in the day's limits
//! and in its diner's, once.
//!
//! A coupon counts, or it does not, by two facts alone (whether it was redeemed, and whether the time that
//! forgetting goes by is past its end), so a log that is read twice, in part or after a checkpoint ends with the
//! same count. A street gateway never gives its coupons back: it does not hear what a shop redeemed. In the
//! shop they were passed down to they count for their diner and the day, and come back to those.
//!
//! Where the box's clock was ahead and was set right, a coupon may have been given back that still has hours to
//! live; it is honoured and counts again, and the limit is exceeded by it.

use super::packed::Flag;
use super::{CouponId, Wallet, tallies};

impl Wallet {
    pub(super) fn give_back_what_ran_out(&mut self) {
        while let Some(coupon) = self.coupons.next_run_out(self.run_out_until.into()) {
            self.count_or_give_back(coupon);
        }
    }

    /// Makes the limits count a coupon of this box, or no longer.
    pub(super) fn count_or_give_back(&mut self, coupon: CouponId) {
        let is_redeemed = self.is_redeemed(coupon);
        let now = self.run_out_until.into();
        let Some(record) = self.coupons.get_mut(coupon) else {
            return;
        };
        let hears_of_its_use = record.is_passed_down() || !record.code.is_from_street();
        let has_run_out = record.not_after < now && hears_of_its_use;
        let given_back = has_run_out && !is_redeemed;
        if record.is_given_back() == given_back {
            return;
        }
        record.flags.set(Flag::GivenBack, given_back);
        record.saved.has_changed();
        for tally in tallies(record) {
            let count = self.tally.entry(tally).or_default();
            *count = if given_back {
                count.saturating_sub(1)
            } else {
                *count + 1
            };
        }
        self.stock_changes += 1;
        if !given_back {
            // It may run out unused once more: its redemption is taken back, or the clock was ahead.
            self.coupons.look_at_its_end_again(coupon);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::packed::Millis;
    use super::super::tests::{TestShop, restarted};
    use super::super::{Event, Presented, TapRefused, Tapped, Undoer};

    #[test]
    fn a_coupon_that_runs_out_unused_comes_back_to_its_slice_once() {
        let mut shop = TestShop::open();
        shop.slice = Some(1);
        let first = shop.claim(1);
        assert_eq!(shop.tap(2, None), Err(TapRefused::CampaignIsDone));
        shop.weeks_of_ordinary_life(1);
        shop.later(1);
        shop.view();
        let again = shop.tap(3, Some(first.vid)).unwrap();
        assert!(
            matches!(again, Tapped::New(_)),
            "its diner may have another"
        );
        shop.view();
        assert_eq!(shop.tap(4, None), Err(TapRefused::CampaignIsDone));
    }

    #[test]
    fn what_was_redeemed_stays_counted_until_the_redemption_is_taken_back() {
        let mut shop = TestShop::open();
        shop.slice = Some(1);
        let claim = shop.claim(1);
        shop.show(&Presented::Code(claim.code)).unwrap();
        shop.weeks_of_ordinary_life(2);
        assert_eq!(shop.tap(2, None), Err(TapRefused::CampaignIsDone));
        let taken_back = shop.wallet.take_back(claim.coupon, &shop.staff).unwrap();
        shop.happen(Event::RedeemUndone(taken_back));
        shop.claim(3);
    }

    #[test]
    fn a_coupon_that_was_given_back_by_a_clock_that_was_ahead_comes_back_in_its_own_time() {
        let mut shop = TestShop::open();
        shop.slice = Some(1);
        let claim = shop.claim(1);
        shop.weeks_of_ordinary_life(1);
        shop.later(1);
        shop.view();
        // The clock is set right: a minute before its end it is used, and that is taken back.
        shop.now = claim.not_after;
        shop.later(-1);
        let redeem = shop.show(&Presented::Code(claim.code)).unwrap();
        let undone = shop
            .wallet
            .undo(redeem.redemption, Undoer::Staff(&shop.staff), shop.now);
        shop.happen(Event::RedeemUndone(undone.unwrap()));
        assert_eq!(shop.tap(2, None), Err(TapRefused::CampaignIsDone));
        shop.later(3);
        shop.view();
        shop.claim(3);
    }

    #[test]
    fn a_used_coupon_stays_counted_for_as_long_as_its_diners_limit_remembers_it() {
        let mut shop = TestShop::open();
        let mut kept = std::collections::BTreeMap::new();
        shop.slice = Some(1);
        shop.campaign.limits.per_person_days = 30;
        let claim = shop.claim(1);
        shop.show(&Presented::Code(claim.code)).unwrap();
        for _ in 0..3 {
            shop.weeks_of_ordinary_life(1);
            shop.wallet = restarted(&mut shop.wallet, &mut kept);
        }
        shop.view();
        assert_eq!(shop.tap(2, None), Err(TapRefused::CampaignIsDone));
        let held = shop.tap(3, Some(claim.vid));
        assert_eq!(held, Ok(Tapped::Held(claim.coupon)));
        assert!(shop.wallet.is_redeemed(claim.coupon));
    }

    /// What happens in a shop, as numbers.
    fn lives() -> impl Strategy<Value = Vec<(u8, u8)>> {
        prop::collection::vec((0_u8..5, 0_u8..12), 1..120)
    }

    proptest! {
        /// However claims, redemptions, restarts and weeks follow each other: no more coupons live or were used
        /// than the slice holds, and what is neither is there to be claimed.
        #[test]
        fn a_slice_holds_what_lives_and_what_was_used(steps in lives(), slice in 1_u32..6) {
            let mut shop = TestShop::open();
            shop.slice = Some(slice);
            shop.campaign.limits.per_table_per_day = None;
            shop.campaign.limits.per_store_per_day = None;
            shop.campaign.windows.clear();
            let (mut claims, mut used) = (Vec::new(), Vec::new());
            let mut kept = std::collections::BTreeMap::new();
            for (seed, (step, which)) in (1_u8..).zip(steps) {
                match step {
                    0 | 1 => {
                        if let Ok(Tapped::New(claim)) = shop.tap(seed, None) {
                            claims.push(*claim);
                        }
                    }
                    2 => if let Some(claim) = claims.get(usize::from(which)) {
                        let shown = shop.show(&Presented::Code(claim.code));
                        used.extend(shown.map(|redeem| redeem.coupon));
                    },
                    3 => {
                        shop.hours_of_ordinary_life(24);
                    }
                    _ => shop.wallet = restarted(&mut shop.wallet, &mut kept),
                }
                shop.hours_of_ordinary_life(i64::from(which) * 4);
                let minute = |time: Timestamp| Millis::from(time).minute();
                let counted = claims.iter().filter(|claim| {
                    minute(claim.not_after) >= minute(shop.now)
                        || used.contains(&claim.coupon)
                });
                let counted = u32::try_from(counted.count()).unwrap();
                prop_assert!(counted <= slice, "{counted} of {slice}");
                let stock = shop.wallet.stock(
                    &shop.campaign, &shop.store, Some(shop.table.code), Some(slice), shop.now,
                );
                prop_assert_eq!(stock.is_ok(), counted < slice);
            }
        }
    }
}
