//! What staff say of a campaign at the counter: sold out for today, so many left, stopped.
//!
//! It is true of the store this box stands in, and for the business day on which it was said; a stop lasts until
//! it is taken back.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Key, Wallet};
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, StockChanged};
use crate::domain::ids::StaffName;
use crate::domain::store::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ByHand {
    pub(super) is_stopped: bool,
    /// The day, and the number of its last coupon.
    stock: Option<(Date, u32)>,
}

impl ByHand {
    pub(super) fn up_to(self, today: Date) -> Option<u32> {
        let (day, up_to) = self.stock?;
        (day == today).then_some(up_to)
    }
}

impl Wallet {
    /// Whether staff have stopped a campaign.
    pub fn is_stopped(&self, campaign: &Campaign) -> bool {
        self.by_hand
            .get(&campaign.id)
            .is_some_and(|by_hand| by_hand.is_stopped)
    }

    /// Whether staff said today how much of a campaign is left.
    pub fn is_set_by_hand(&self, campaign: &Campaign, store: &Store, now: Timestamp) -> bool {
        let today = business_day(store.local(now));
        let by_hand = self.by_hand.get(&campaign.id);
        by_hand.is_some_and(|by_hand| by_hand.up_to(today).is_some())
    }

    /// What is to be written when staff say that `left` coupons are left today, or that the campaign's own limits
    /// hold again.
    pub fn set_stock(
        &self,
        campaign: &Campaign,
        store: &Store,
        left: Option<u32>,
        staff: StaffName,
        now: Timestamp,
    ) -> StockChanged {
        let used = self.used_today(campaign, store, now);
        StockChanged {
            campaign: campaign.id.clone(),
            day: business_day(store.local(now)),
            up_to: left.map(|left| used.saturating_add(left)),
            staff,
        }
    }

    pub(super) fn hear_staff(&mut self, event: &Event) {
        let campaign = if let Event::StockChanged(changed) = event {
            let by_hand = self.by_hand.entry(changed.campaign.clone()).or_default();
            by_hand.stock = changed.up_to.map(|up_to| (changed.day, up_to));
            &changed.campaign
        } else if let Event::PromoSwitched(switched) = event {
            let by_hand = self.by_hand.entry(switched.campaign.clone()).or_default();
            by_hand.is_stopped = !switched.on;
            &switched.campaign
        } else {
            return;
        };
        if self.by_hand.get(campaign) == Some(&ByHand::default()) {
            self.by_hand.remove(campaign);
        }
        self.dirty.insert(Key::ByHand(campaign.clone()));
        self.stock_changes += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::TapRefused;
    use super::super::tests::{TestShop, restarted};
    use super::*;
    use crate::domain::event::PromoSwitched;

    fn say(shop: &mut TestShop, left: Option<u32>) {
        let staff = shop.staff.clone();
        let (wallet, campaign) = (&shop.wallet, &shop.campaign);
        let changed = wallet.set_stock(campaign, &shop.store, left, staff, shop.now);
        shop.happen(Event::StockChanged(changed));
    }

    fn switch(shop: &mut TestShop, on: bool) {
        let switched = PromoSwitched {
            campaign: shop.campaign.id.clone(),
            on,
            staff: shop.staff.clone(),
        };
        shop.happen(Event::PromoSwitched(switched));
    }

    #[test]
    fn sold_out_is_true_at_once_and_until_the_next_business_day() {
        let mut shop = TestShop::open();
        shop.claim(1);
        say(&mut shop, Some(0));
        assert_eq!(shop.tap(2, None), Err(TapRefused::StoreIsDone));
        shop.later(24 * 60);
        shop.claim(3);
    }

    #[test]
    fn what_staff_say_is_left_is_given_out_and_no_more_also_over_a_restart() {
        let mut shop = TestShop::open();
        let mut kept = BTreeMap::new();
        shop.claim(1);
        say(&mut shop, Some(2));
        shop.claim(2);
        shop.wallet = restarted(&mut shop.wallet, &mut kept);
        shop.claim(3);
        assert_eq!(shop.tap(4, None), Err(TapRefused::StoreIsDone));
        say(&mut shop, None);
        shop.claim(5);
        shop.wallet = restarted(&mut shop.wallet, &mut kept);
        assert!(!kept.contains_key(&Key::ByHand(shop.campaign.id.clone())));
    }

    #[test]
    fn a_stopped_campaign_gives_nothing_until_it_goes_on() {
        let mut shop = TestShop::open();
        let mut kept = BTreeMap::new();
        switch(&mut shop, false);
        shop.wallet = restarted(&mut shop.wallet, &mut kept);
        assert_eq!(shop.tap(1, None), Err(TapRefused::Stopped));
        switch(&mut shop, true);
        shop.claim(2);
    }
}
