//! Coupons between stores: what the till of one gives on a coupon of another, and what the coupon's own store
//! hears of it.
//!
//! A campaign says whether its coupons are good in any store. The store that takes one asks headquarters, which
//! says yes to one store at a time. Where headquarters does not answer, the campaign's cap decides: what costs no
//! more is given and said to be provisional, anything else is refused. The own store never asks anybody; it
//! refuses from the moment at which it hears that the coupon was used elsewhere. So a coupon may be used twice
//! while stores cannot hear each other. That shows at headquarters, and nobody takes it out on the diner.

use jiff::Timestamp;

use super::{Key, TillRefused, TokenClaims, Wallet};
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, Home, RedeemedElsewhere};
use crate::domain::ids::{CouponId, RedemptionId, StoreId};
use crate::domain::store::Store;

/// What headquarters says of another store's coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It was not asked, or did not answer in time.
    Nothing,
    /// Nobody else has used it, and nobody else will be told yes.
    Yes,
    Used {
        store: StoreId,
        at: Timestamp,
    },
    Voided,
}

/// The own store of what was shown, where that is another than `here` and it may be redeemed all the same.
pub(super) fn home(
    here: &Store,
    shown: &TokenClaims,
    said: &Said,
    rules: Option<&Campaign>,
) -> Result<Option<Home>, TillRefused> {
    if shown.store == here.id {
        return Ok(None);
    }
    let provisional = match said {
        Said::Yes => false,
        Said::Nothing => {
            let cost = rules.map_or(u32::MAX, |rules| rules.offer.cost_fen);
            if shown.cap_fen == 0 || cost > shown.cap_fen {
                return Err(TillRefused::HeadquartersAway(shown.store.clone()));
            }
            true
        }
        Said::Used { store, at } => {
            return Err(TillRefused::UsedElsewhere {
                store: store.clone(),
                at: *at,
            });
        }
        Said::Voided => return Err(TillRefused::Voided),
    };
    Ok(Some(Home {
        store: shown.store.clone(),
        provisional,
    }))
}

impl Wallet {
    /// The redemption of a coupon of this store in another one.
    pub(super) fn used_elsewhere(&self, coupon: CouponId) -> Option<&RedeemedElsewhere> {
        let (least, most) = (
            RedemptionId::from_entropy([0; 16]),
            RedemptionId::from_entropy([0xff; 16]),
        );
        let mut used = self.elsewhere.range((coupon, least)..=(coupon, most));
        used.next().map(|(_, used)| used)
    }

    pub(super) fn hear_of_elsewhere(&mut self, event: &Event) {
        let (coupon, redemption) = if let Event::RedeemedElsewhere(used) = event {
            let place = (used.coupon, used.redemption);
            self.elsewhere.insert(place, used.clone());
            place
        } else if let Event::UndoneElsewhere(undone) = event {
            let place = (undone.coupon, undone.redemption);
            self.elsewhere.remove(&place);
            place
        } else {
            return;
        };
        self.dirty.insert(Key::Elsewhere(coupon, redemption));
        self.count_or_give_back(coupon);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::tests::{TestShop, restarted};
    use super::super::{Presented, RedeemAsked, TapRefused, Undoer};
    use super::*;
    use crate::domain::campaign::RedeemableAt;
    use crate::domain::event::{Redeem, UndoneElsewhere};
    use crate::domain::ids::DeviceId;

    fn sister() -> StoreId {
        StoreId::parse("SZ03").unwrap()
    }

    /// A shop that takes coupons of its sisters; the gift costs 250 fen.
    fn open() -> TestShop {
        let mut shop = TestShop::open();
        shop.campaign.validity.stores = RedeemableAt::Any;
        shop
    }

    fn of_the_sister(shop: &TestShop, cap_fen: u32) -> Presented {
        Presented::Token(TokenClaims {
            coupon: CouponId::from_entropy([5; 16]),
            campaign: shop.campaign.id.clone(),
            store: sister(),
            not_before: shop.now,
            not_after: shop.now + SignedDuration::from_hours(48),
            cap_fen,
        })
    }

    fn decide(shop: &TestShop, shown: &Presented, said: &Said) -> Result<Redeem, TillRefused> {
        let asked = RedeemAsked {
            presented: shown,
            store: &shop.store,
            staff: &shop.staff,
            device: DeviceId::from_entropy([1; 16]),
            redemption: RedemptionId::from_entropy([7; 16]),
            now: shop.now,
        };
        let rules = |_: &_| Some(&shop.campaign);
        shop.wallet.redeem_as_said(&asked, said, rules)
    }

    fn used(shop: &TestShop, coupon: CouponId, number: u8) -> RedeemedElsewhere {
        RedeemedElsewhere {
            redemption: RedemptionId::from_entropy([number; 16]),
            coupon,
            store: sister(),
            redeemed_at: shop.now,
            remember_until: shop.now + SignedDuration::from_hours(24 * 14),
        }
    }

    #[test]
    fn headquarters_word_decides_on_a_sisters_coupon() {
        let shop = open();
        let shown = of_the_sister(&shop, 0);
        let redeem = decide(&shop, &shown, &Said::Yes).unwrap();
        let home = redeem.home.unwrap();
        assert_eq!((home.store, home.provisional), (sister(), false));
        let (store, at) = (sister(), shop.now);
        let no = Said::Used { store, at };
        let (store, at) = (sister(), shop.now);
        let refused = TillRefused::UsedElsewhere { store, at };
        assert_eq!(decide(&shop, &shown, &no), Err(refused));
        let refused = decide(&shop, &shown, &Said::Voided);
        assert_eq!(refused, Err(TillRefused::Voided));
    }

    #[test]
    fn without_headquarters_the_cap_in_the_token_decides() {
        let shop = open();
        for (cap, accepted) in [(0, false), (249, false), (250, true), (2_000, true)] {
            let decided = decide(&shop, &of_the_sister(&shop, cap), &Said::Nothing);
            match decided {
                Ok(redeem) => assert!(accepted && redeem.home.unwrap().provisional, "{cap}"),
                Err(no) => {
                    assert_eq!(no, TillRefused::HeadquartersAway(sister()));
                    assert!(!accepted, "{cap}");
                }
            }
        }
    }

    #[test]
    fn a_campaign_for_its_own_stores_is_refused_whatever_anybody_says() {
        let mut shop = open();
        shop.campaign.validity.stores = RedeemableAt::Issuing;
        let refused = decide(&shop, &of_the_sister(&shop, 2_000), &Said::Yes);
        assert_eq!(refused, Err(TillRefused::OtherStore(sister())));
    }

    #[test]
    fn the_redemption_of_a_sisters_coupon_is_taken_back_with_its_home_over_a_restart() {
        let mut shop = open();
        let redeem = decide(&shop, &of_the_sister(&shop, 0), &Said::Yes).unwrap();
        shop.happen(Event::Redeem(redeem.clone()));
        let mut kept = std::collections::BTreeMap::new();
        shop.wallet = restarted(&mut shop.wallet, &mut kept);
        let by = Undoer::Staff(&shop.staff);
        let undone = shop.wallet.undo(redeem.redemption, by, shop.now);
        assert_eq!(undone.unwrap().home, Some(sister()));
    }

    #[test]
    fn what_was_used_elsewhere_is_refused_at_home_until_each_redemption_is_taken_back() {
        let mut shop = open();
        let mut kept = std::collections::BTreeMap::new();
        let claim = shop.claim(1);
        for number in [1, 2, 2] {
            let used = used(&shop, claim.coupon, number);
            shop.happen(Event::RedeemedElsewhere(used));
        }
        let code = Presented::Code(claim.code);
        for number in [1, 2] {
            shop.wallet = restarted(&mut shop.wallet, &mut kept);
            let (store, at) = (sister(), shop.now);
            assert_eq!(
                shop.show(&code),
                Err(TillRefused::UsedElsewhere { store, at })
            );
            assert!(shop.wallet.is_redeemed(claim.coupon));
            shop.happen(Event::UndoneElsewhere(UndoneElsewhere {
                redemption: RedemptionId::from_entropy([number; 16]),
                coupon: claim.coupon,
            }));
        }
        assert!(shop.show(&code).is_ok());
    }

    #[test]
    fn what_was_used_elsewhere_does_not_come_back_to_the_slice() {
        let mut shop = open();
        shop.slice = Some(1);
        let claim = shop.claim(1);
        let used = used(&shop, claim.coupon, 1);
        shop.happen(Event::RedeemedElsewhere(used));
        shop.weeks_of_ordinary_life(2);
        assert_eq!(shop.tap(2, None), Err(TapRefused::CampaignIsDone));
    }
}
