//! Coupons of this store that a street gateway issued, passed down by headquarters so that the till takes their
//! short codes, too.
//!
//! Such a coupon counts for its diner and in the day's limits, and not in this box's share of the campaign: it
//! came out of the street's. What happened to it before it came down stays: a redemption by its QR, or that it
//! is void. It may come down any number of times and is here once.
//!
//! Street gateways do not know each other's codes, so two of them may give one code to two guests of a store.
//! While both coupons last, the code opens neither, and the till asks for the QR.

use jiff::Timestamp;

use super::coupons::Record;
use super::{Coupon, TillRefused, Wallet};
use crate::domain::event::CouponKnown;
use crate::domain::ids::{ShortCode, StoreId};

/// What a coupon that is passed down is to a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    New,
    /// It has been here before.
    Before,
    /// It has run out, so there is nothing left to know.
    Over,
}

impl Wallet {
    /// Decides whether a coupon that is passed down is to be written down.
    pub fn learn(&self, known: &CouponKnown, now: Timestamp) -> Learnt {
        if self.coupons.get(known.claim.coupon).is_some() {
            return Learnt::Before;
        }
        // By the slower of the two: a clock that is years ahead for a minute must not lose it.
        match known.claim.not_after < now.min(self.steady) {
            true => Learnt::Over,
            false => Learnt::New,
        }
    }

    pub(super) fn take_in(&mut self, known: &CouponKnown, store: &StoreId) {
        self.issue(&Coupon {
            claim: known.claim.clone(),
            store: store.clone(),
            issued_at: known.claimed_at,
            day: known.day,
            consented: false,
            given_back: false,
            passed_down: true,
        });
        self.count_or_give_back(known.claim.coupon);
    }

    /// The coupon that a typed code stands for; none where it has never been given out.
    pub(super) fn typed(
        &self,
        code: ShortCode,
        now: Timestamp,
    ) -> Result<Option<&Record>, TillRefused> {
        let lasts = |coupon: &&Record| Timestamp::from(coupon.not_after) >= now;
        if self.coupons.of_code(code).filter(lasts).count() > 1 {
            return Err(TillRefused::AskForQr);
        }
        let latest = self.latest_of(code);
        if latest.is_none() && code.is_from_street() {
            return Err(TillRefused::AskForQr);
        }
        Ok(latest)
    }

    /// The coupon that a code stood for last: it was another's before, if two street gateways gave it out.
    pub(super) fn latest_of(&self, code: ShortCode) -> Option<&Record> {
        self.coupons.of_code(code).max_by_key(|one| one.not_after)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::super::tests::{TestShop, restarted};
    use super::super::{Presented, TapRefused, Tapped, TokenClaims};
    use super::*;
    use crate::domain::calendar::business_day;
    use crate::domain::event::{Claim, Event};
    use crate::domain::ids::{Issuer, TapId};

    /// A claim at a table of the shop, as a street gateway writes it.
    fn on_the_street(shop: &TestShop, seed: u8) -> CouponKnown {
        let (not_before, not_after) = shop.campaign.validity.span(&shop.store, shop.now);
        let claim = Claim {
            coupon: crate::domain::ids::CouponId::from_entropy([seed; 16]),
            code: ShortCode::from_entropy(u64::from(seed), 4, Issuer::Street),
            campaign: shop.campaign.id.clone(),
            touchpoint: shop.table.code,
            tap: TapId::from_entropy([seed; 16]),
            vid: crate::domain::ids::Vid::from_entropy([seed; 16]),
            not_before,
            not_after,
            gift: shop.campaign.offer.gift.text(),
            remember_until: not_after + SignedDuration::from_hours(7 * 24),
            off_peak: true,
            given: false,
        };
        CouponKnown {
            claim,
            claimed_at: shop.now,
            day: business_day(shop.store.local(shop.now)),
            store: None,
        }
    }

    /// Has headquarters pass it down; whether it was written.
    fn pass_down(shop: &mut TestShop, known: &CouponKnown) -> Learnt {
        let learnt = shop.wallet.learn(known, shop.now);
        if learnt == Learnt::New {
            shop.happen(Event::CouponKnown(known.clone()));
        }
        learnt
    }

    fn qr(known: &CouponKnown, shop: &TestShop) -> Presented {
        Presented::Token(TokenClaims {
            coupon: known.claim.coupon,
            campaign: known.claim.campaign.clone(),
            store: shop.store.id.clone(),
            not_before: known.claim.not_before,
            not_after: known.claim.not_after,
            cap_fen: 0,
        })
    }

    #[test]
    fn a_street_code_is_redeemed_once_it_has_come_down() {
        let mut shop = TestShop::open();
        let known = on_the_street(&shop, 1);
        let code = Presented::Code(known.claim.code);
        assert_eq!(shop.show(&code), Err(TillRefused::AskForQr));
        assert_eq!(pass_down(&mut shop, &known), Learnt::New);
        assert_eq!(pass_down(&mut shop, &known), Learnt::Before);
        let redeem = shop.show(&code).unwrap();
        assert_eq!(redeem.vid, Some(known.claim.vid), "the store knows whose");
        let again = shop.show(&qr(&known, &shop));
        assert!(matches!(again, Err(TillRefused::AlreadyRedeemed(_))));
    }

    #[test]
    fn what_was_redeemed_by_its_qr_or_made_void_before_it_came_down_stays_so() {
        let mut shop = TestShop::open();
        let (used, void) = (on_the_street(&shop, 1), on_the_street(&shop, 2));
        shop.show(&qr(&used, &shop)).unwrap();
        let voided = shop.wallet.void(void.claim.coupon, shop.now).unwrap();
        shop.happen(Event::CouponVoided(voided));
        for known in [&used, &void] {
            assert_eq!(pass_down(&mut shop, known), Learnt::New);
        }
        let said = shop.show(&Presented::Code(used.claim.code));
        assert!(matches!(said, Err(TillRefused::AlreadyRedeemed(_))));
        let said = shop.show(&Presented::Code(void.claim.code));
        assert_eq!(said, Err(TillRefused::Voided));
    }

    #[test]
    fn an_undo_counts_where_its_redemption_did_also_when_the_coupon_came_down_in_between() {
        let mut shop = TestShop::open();
        let (early, late) = (on_the_street(&shop, 1), on_the_street(&shop, 2));
        pass_down(&mut shop, &early);
        let redeemed = [&early, &late].map(|known| shop.show(&qr(known, &shop)).unwrap());
        pass_down(&mut shop, &late);
        assert!(redeemed[0].origin.is_some());
        assert_eq!(redeemed[1].origin, None);
        for _ in 0..2 {
            for redeem in &redeemed {
                let undone = shop.wallet.take_back(redeem.coupon, &redeem.staff).unwrap();
                assert_eq!(undone.origin, redeem.origin);
            }
            shop.wallet = restarted(&mut shop.wallet, &mut BTreeMap::new());
        }
    }

    #[test]
    fn what_has_run_out_on_its_way_down_is_dropped() {
        let mut shop = TestShop::open();
        let known = on_the_street(&shop, 1);
        shop.claim(9);
        shop.weeks_of_ordinary_life(2);
        assert_eq!(pass_down(&mut shop, &known), Learnt::Over);
    }

    #[test]
    fn a_diner_who_claimed_on_the_street_is_shown_that_coupon_in_the_shop() {
        let mut shop = TestShop::open();
        let known = on_the_street(&shop, 1);
        pass_down(&mut shop, &known);
        let tapped = shop.tap(2, Some(known.claim.vid));
        assert_eq!(tapped, Ok(Tapped::Held(known.claim.coupon)));
    }

    #[test]
    fn a_code_that_two_street_gateways_gave_out_asks_for_the_qr_while_both_last() {
        let mut shop = TestShop::open();
        let first = on_the_street(&shop, 1);
        pass_down(&mut shop, &first);
        shop.hours_of_ordinary_life(24);
        let mut second = on_the_street(&shop, 2);
        second.claim.code = first.claim.code;
        pass_down(&mut shop, &second);
        let code = Presented::Code(first.claim.code);
        assert_eq!(shop.show(&code), Err(TillRefused::AskForQr));
        assert!(shop.show(&qr(&first, &shop)).is_ok());
        // Used or not: whoever types the code may hold either.
        assert_eq!(shop.show(&code), Err(TillRefused::AskForQr));
        shop.hours_of_ordinary_life(6 * 24 + 1);
        shop.now = first.claim.not_after + SignedDuration::from_mins(2);
        let redeem = shop.show(&code).unwrap();
        assert_eq!(redeem.coupon, second.claim.coupon);
    }

    #[test]
    fn the_coupon_that_a_code_shows_is_the_one_that_it_redeems() {
        for ends_first in 0..2 {
            let mut shop = TestShop::open();
            let mut pair = [1, 2].map(|seed| on_the_street(&shop, seed));
            pair[1].claim.code = pair[0].claim.code;
            pair[ends_first].claim.not_after = shop.now + SignedDuration::from_mins(1);
            for known in &pair {
                pass_down(&mut shop, known);
            }
            shop.later(2);
            let code = Presented::Code(pair[0].claim.code);
            let redeem = shop.show(&code).unwrap();
            assert_eq!(redeem.coupon, pair[1 - ends_first].claim.coupon);
            assert_eq!(shop.wallet.shown(&code), Some(redeem.coupon));
        }
    }

    proptest! {
        /// However often coupons come down, and whatever is restarted in between, the store's own share is its own
        /// and each counts in the day's limit once.
        #[test]
        fn what_is_passed_down_counts_once_and_not_in_the_stores_own_share(
            steps in prop::collection::vec((0_u8..3, 1_u8..6), 0..60),
        ) {
            let mut shop = TestShop::open();
            shop.slice = Some(1);
            shop.campaign.limits.per_store_per_day = Some(6);
            shop.campaign.limits.per_table_per_day = None;
            let street: Vec<_> = (1..6).map(|seed| on_the_street(&shop, seed)).collect();
            let mut kept = BTreeMap::new();
            let mut here = std::collections::BTreeSet::new();
            for (step, which) in steps {
                match step {
                    0 | 1 => {
                        let known = &street[usize::from(which) - 1];
                        pass_down(&mut shop, known);
                        here.insert(known.claim.coupon);
                    }
                    _ => shop.wallet = restarted(&mut shop.wallet, &mut kept),
                }
            }
            prop_assert_eq!(shop.wallet.len(), here.len());
            let used = shop.wallet.used_today(&shop.campaign, &shop.store, shop.now);
            prop_assert_eq!(used as usize, here.len());
            prop_assert!(matches!(shop.tap(90, None), Ok(Tapped::New(_))));
            prop_assert_eq!(shop.tap(91, None), Err(TapRefused::CampaignIsDone));
        }
    }
}
