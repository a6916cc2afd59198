//! How many coupons a campaign has left at a place: its limits, and what staff said at the counter.

use jiff::Timestamp;

use super::packed::Number;
use super::{Tally, TapRefused, Wallet};
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::ids::TouchpointCode;
use crate::domain::store::Store;

/// What is left of a campaign with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub coupons: u32,
    /// It is a limit of the day that leaves no more.
    pub is_of_today: bool,
}

impl Wallet {
    /// What the limits leave of a campaign at a place, or, without one, in the whole store; none where nothing
    /// limits it.
    pub fn stock(
        &self,
        campaign: &Campaign,
        store: &Store,
        touchpoint: Option<TouchpointCode>,
        slice: Option<u32>,
        now: Timestamp,
    ) -> Result<Option<Left>, TapRefused> {
        let limits = &campaign.limits;
        let day = business_day(store.local(now));
        let by_hand = self.by_hand.get(&campaign.id);
        if by_hand.is_some_and(|by_hand| by_hand.is_stopped) {
            return Err(TapRefused::Stopped);
        }
        // A campaign without a number has no coupon yet.
        let id = self.names.campaigns.find(&campaign.id);
        let in_all = self.used(id.map(Tally::Campaign));
        let of_store = self.used(self.store_day(id, store, now));
        let of_table = self.used(
            id.zip(touchpoint)
                .map(|(id, at)| Tally::TableDay(id, at, day)),
        );
        let per_table = touchpoint.and(limits.per_table_per_day);
        let by_hand = by_hand.and_then(|by_hand| by_hand.up_to(day));

        let mut least: Option<Left> = None;
        for (limit, used, is_of_today, refused) in [
            (
                slice.or(limits.total),
                in_all,
                false,
                TapRefused::CampaignIsDone,
            ),
            (
                limits.per_store_per_day,
                of_store,
                true,
                TapRefused::StoreIsDone,
            ),
            (by_hand, of_store, true, TapRefused::StoreIsDone),
            (per_table, of_table, true, TapRefused::TableIsDone),
        ] {
            let Some(limit) = limit else { continue };
            let coupons = limit.saturating_sub(used);
            if coupons == 0 {
                return Err(refused);
            }
            if least.is_none_or(|least| coupons < least.coupons) {
                least = Some(Left {
                    coupons,
                    is_of_today,
                });
            }
        }
        Ok(least)
    }

    /// Coupons of a campaign that a store has given out today.
    pub(super) fn used_today(&self, campaign: &Campaign, store: &Store, now: Timestamp) -> u32 {
        let id = self.names.campaigns.find(&campaign.id);
        self.used(self.store_day(id, store, now))
    }

    fn store_day(&self, campaign: Option<Number>, store: &Store, now: Timestamp) -> Option<Tally> {
        let home = self.names.stores.find(&store.id)?;
        let day = business_day(store.local(now));
        Some(Tally::StoreDay(campaign?, home, day))
    }

    fn used(&self, tally: Option<Tally>) -> u32 {
        let count = tally.and_then(|tally| self.tally.get(&tally));
        count.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TestShop;
    use super::*;

    fn left(shop: &TestShop) -> Result<Option<Left>, TapRefused> {
        let (campaign, store) = (&shop.campaign, &shop.store);
        let table = Some(shop.table.code);
        shop.wallet
            .stock(campaign, store, table, shop.slice, shop.now)
    }

    const fn of_today(coupons: u32) -> Left {
        Left {
            coupons,
            is_of_today: true,
        }
    }

    #[test]
    fn the_tightest_limit_says_what_is_left() {
        let mut shop = TestShop::open();
        assert_eq!(left(&shop), Ok(Some(of_today(4))), "of this table");
        shop.claim(1);
        assert_eq!(left(&shop), Ok(Some(of_today(3))));
        shop.slice = Some(3);
        let in_all = Left {
            coupons: 2,
            is_of_today: false,
        };
        assert_eq!(left(&shop), Ok(Some(in_all)));
        shop.slice = Some(1);
        assert_eq!(left(&shop), Err(TapRefused::CampaignIsDone));
    }

    #[test]
    fn what_has_no_limit_has_no_number() {
        let mut shop = TestShop::open();
        shop.campaign.limits.total = None;
        shop.campaign.limits.per_store_per_day = None;
        shop.campaign.limits.per_table_per_day = None;
        assert_eq!(left(&shop), Ok(None));
    }
}
