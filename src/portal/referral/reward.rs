//! What a referral comes to at the till: the friend's coupon is redeemed, so the bringer's gift is issued; that is
//! taken back, so the gift goes, where it is not used yet.
//!
//! Each is in the frame of what it follows from.

use jiff::Timestamp;

use super::place;
use crate::domain::event::{Claim, Event, Redeem, RedeemUndone};
use crate::domain::ids::{Issuer, TapId};
use crate::domain::offer::Occasion;
use crate::domain::referral::ReferralRewarded;
use crate::domain::wallet::{Fresh, TapAsked, Tapped, Wallet};
use crate::ops::metrics;
use crate::portal::ledger::Ledger;
use crate::wire::bundle::{Bundle, StoreFolder};

/// The bringer's gift, where a friend's coupon is redeemed; nothing where there is none left to give.
pub(in crate::portal) fn for_bringer(
    (ledger, wallet): (&Ledger, &Wallet),
    (bundle, folder): (&Bundle, &StoreFolder),
    redeem: &Redeem,
    (now, issuer, fresh): (Timestamp, Issuer, Fresh),
) -> Vec<Event> {
    let claim = ledger
        .referrals()
        .bringer_of(redeem.coupon)
        .and_then(|bringer| {
            let campaign = bundle.campaign(&bundle.referral(folder)?.bringer)?;
            let asked = TapAsked {
                // No two redemptions have the same number, also where one is taken back and done again.
                tap: TapId::from_entropy(redeem.redemption.to_bytes()),
                vid: Some(bringer),
                standing: ledger.members().standing(Some(bringer)),
                occasion: Occasion::Referral,
                store: &folder.store,
                touchpoint: place(folder, redeem.origin.map(|origin| origin.touchpoint))?,
                campaign,
                slice: bundle.slice(campaign),
                issuer,
                now,
                fresh,
            };
            match wallet.claim(&asked) {
                Ok(Tapped::New(claim)) => Some(claim),
                Ok(Tapped::Held(_)) => None,
                Err(refused) => {
                    metrics::count(metrics::CLAIMS_REFUSED);
                    tracing::info!(
                        why = refused.code(),
                        "a friend has come, and there is no gift for who brought them"
                    );
                    None
                }
            }
        });
    let Some(claim) = claim else {
        return Vec::new();
    };
    metrics::count(metrics::CLAIMS);
    let rewarded = ReferralRewarded {
        of: redeem.coupon,
        gift: claim.coupon,
    };
    let claim = Claim {
        given: true,
        ..*claim
    };
    vec![Event::Claim(claim), Event::ReferralRewarded(rewarded)]
}

/// A redemption that is taken back, with the gift that was issued for it, unless that is used.
pub(in crate::portal) fn undone(
    (ledger, wallet): (&Ledger, &Wallet),
    undone: RedeemUndone,
    now: Timestamp,
) -> Vec<Event> {
    let gift = ledger.referrals().gift_for(undone.coupon);
    let voided = gift.and_then(|gift| wallet.void(gift, now));
    let voided = voided.map(Event::CouponVoided);
    std::iter::once(Event::RedeemUndone(undone))
        .chain(voided)
        .collect()
}
