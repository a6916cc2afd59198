//! The demo's last word: what was seen at phones and tills against what headquarters has.
//!
//! Coupons are compared one by one, not as numbers: one lost and one made up must not cancel out.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::time::Instant;

use super::FACTOR;
use super::chain::DemoChain;
use super::guests::Tally;
use crate::hq::db::{Coupons, Totals};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Landing pages that guests saw.
    taps: u64,
    /// The same by headquarters' count of views.
    taps_at_hq: u64,
    /// Coupons that guests saw, each once.
    captures: u64,
    /// Coupons that headquarters has.
    coupons_issued: u64,
    /// Redeemed by headquarters' count, less those taken back.
    coupons_redeemed: u64,
    /// The same at the tills.
    redeemed_at_tills: u64,
    refused_at_tills: u64,
    undone_at_tills: u64,
    hq_frames: u64,
    /// Frames that came again and were trimmed: harmless, and so not a fault.
    hq_frames_resent: u64,
    /// Frames, claims or redemptions that are there twice, at headquarters or at a till.
    hq_duplicates: u64,
    /// Coupons that guests saw, or that a till redeemed, and headquarters does not have so.
    lost: u64,
    /// Coupons that headquarters has, claimed or redeemed, and nobody saw so.
    made_up: u64,
    quarantined: u64,
    seconds: u64,
    calendar_factor: u32,
}

impl Report {
    /// Waits until headquarters has what was seen, or the time is over, and compares.
    pub(super) async fn settle(
        chain: &DemoChain,
        seen: &Tally,
        duration: Duration,
        within: Duration,
    ) -> anyhow::Result<Self> {
        let end = Instant::now() + within;
        loop {
            let totals = chain.ledger.totals().await.context("asking the ledger")?;
            let coupons = chain.ledger.coupons().await.context("asking the ledger")?;
            let report = Self::of(seen, &totals, &coupons, duration);
            if (report.agrees() && is_drained(chain)) || Instant::now() >= end {
                return Ok(report);
            }
            // Between two looks at another thread's work; nothing hangs on how long.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn of(seen: &Tally, totals: &Totals, coupons: &Coupons, duration: Duration) -> Self {
        let counts = &seen.counts;
        let missing = seen.coupons.difference(&coupons.claimed).count()
            + seen.redeemed.difference(&coupons.redeemed).count();
        let made_up = coupons.claimed.difference(&seen.coupons).count()
            + coupons.redeemed.difference(&seen.redeemed).count();
        Self {
            taps: counts.taps,
            taps_at_hq: totals.views,
            captures: counts.captures,
            coupons_issued: totals.coupons,
            coupons_redeemed: totals.redemptions_net(),
            redeemed_at_tills: counts.redeemed,
            refused_at_tills: counts.refused,
            undone_at_tills: counts.undone,
            hq_frames: totals.frames,
            hq_frames_resent: totals.frames_resent,
            hq_duplicates: totals.frames_twice
                + totals.claims.saturating_sub(totals.coupons)
                + coupons.redeemed_twice.len() as u64
                + seen.redeemed_twice,
            lost: missing as u64,
            made_up: made_up as u64,
            quarantined: totals.quarantined,
            seconds: duration.as_secs(),
            calendar_factor: FACTOR,
        }
    }

    /// Whether both sides saw the same, and there was something to see.
    pub(super) fn agrees(&self) -> bool {
        let same = self.taps == self.taps_at_hq
            && self.captures == self.coupons_issued
            && self.redeemed_at_tills == self.coupons_redeemed;
        let faults = self.hq_duplicates + self.lost + self.made_up + self.quarantined;
        same && faults == 0 && self.captures > 0 && self.redeemed_at_tills > 0
    }

    pub(super) fn summary(&self) -> String {
        let verdict = if self.agrees() {
            "phones and headquarters agree"
        } else {
            "PHONES AND HEADQUARTERS DO NOT AGREE"
        };
        format!(
            "{} taps, {} coupons at phones and {} at headquarters, {} redeemed at tills and {} at headquarters, {} frames, {} duplicates, lost {}: {verdict}",
            self.taps,
            self.captures,
            self.coupons_issued,
            self.redeemed_at_tills,
            self.coupons_redeemed,
            self.hq_frames,
            self.hq_duplicates,
            self.lost
        )
    }
}

/// Whether no gateway holds a capture that headquarters has not acknowledged.
fn is_drained(chain: &DemoChain) -> bool {
    let stores = chain.stores.iter().map(|store| &store.gateway);
    stores
        .chain([&chain.street])
        .all(|gateway| gateway.captures_waiting() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CouponId;

    fn coupon(number: u8) -> CouponId {
        CouponId::from_entropy([number; 16])
    }

    /// One guest saw coupon 1 and a till was green for it; headquarters has `claimed` and `redeemed`.
    fn report(claimed: &[u8], redeemed: &[u8]) -> Report {
        let mut seen = Tally::default();
        seen.counts.captures = 1;
        seen.counts.redeemed = 1;
        seen.coupons.insert(coupon(1));
        seen.redeemed.insert(coupon(1));
        let coupons = Coupons {
            claimed: claimed.iter().copied().map(coupon).collect(),
            redeemed: redeemed.iter().copied().map(coupon).collect(),
            ..Coupons::default()
        };
        let totals = Totals {
            claims: coupons.claimed.len() as u64,
            coupons: coupons.claimed.len() as u64,
            redemptions: coupons.redeemed.len() as u64,
            ..Totals::default()
        };
        Report::of(&seen, &totals, &coupons, Duration::ZERO)
    }

    #[test]
    fn the_same_coupons_on_both_sides_agree() {
        assert!(report(&[1], &[1]).agrees());
    }

    #[test]
    fn a_lost_coupon_and_a_made_up_one_do_not_cancel_out() {
        let report = report(&[2], &[1]);
        assert_eq!((report.lost, report.made_up), (1, 1));
        assert!(!report.agrees());
    }

    #[test]
    fn a_redemption_that_did_not_arrive_is_lost() {
        assert_eq!(report(&[1], &[]).lost, 1);
    }

    #[test]
    fn a_demo_in_which_nothing_happened_proves_nothing() {
        let totals = Totals::default();
        let report = Report::of(
            &Tally::default(),
            &totals,
            &Coupons::default(),
            Duration::ZERO,
        );
        assert!(!report.agrees());
    }
}
