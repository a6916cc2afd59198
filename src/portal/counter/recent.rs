//! The last redemptions of the day, each with its way back.

use jiff::{SignedDuration, Timestamp};

use crate::domain::calendar::{business_day, clock};
use crate::domain::ids::RedemptionId;
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::domain::wallet::{Redemption, Wallet};
use crate::portal::till::gift;
use crate::wire::bundle::Bundle;

/// As many as fit a phone's screen.
const SHOWN: usize = 5;

/// One redemption.
pub(super) struct Row {
    pub(super) at: String,
    pub(super) gift: String,
    pub(super) staff: String,
    pub(super) redemption: RedemptionId,
}

/// The redemptions of the business day, newest first.
pub(super) fn of_today(wallet: &Wallet, store: &Store, now: Timestamp) -> Vec<Redemption> {
    let today = business_day(store.local(now));
    // A day of 25 hours, when summer time ends.
    let mut done = wallet.redeemed_since(now - SignedDuration::from_hours(25), usize::MAX);
    done.retain(|done| business_day(store.local(done.at)) == today);
    done
}

/// The newest of them, in words.
pub(super) fn rows(
    done: &[Redemption],
    wallet: &Wallet,
    bundle: &Bundle,
    store: &Store,
    language: Language,
) -> Vec<Row> {
    let row = |done: &Redemption| Row {
        at: clock(store.local(done.at).time()),
        gift: gift(wallet, bundle, done.redeem.coupon, &done.redeem.campaign)
            .map_or_else(String::new, |gift| gift.of(language).to_owned()),
        staff: done.redeem.staff.to_string(),
        redemption: done.redeem.redemption,
    };
    done.iter().take(SHOWN).map(row).collect()
}
