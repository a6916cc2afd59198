//! The demo's last word: what phones counted against what headquarters counted.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::time::Instant;

use super::FACTOR;
use super::chain::DemoChain;
use super::guests::Counts;
use crate::hq::db::Totals;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Landing pages that guests saw.
    taps: u64,
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
    /// Frames or coupons that headquarters has twice.
    hq_duplicates: u64,
    /// Coupons that guests saw and headquarters does not have.
    lost: u64,
    quarantined: u64,
    seconds: u64,
    calendar_factor: u32,
}

impl Report {
    /// Waits until headquarters has what the phones have seen, or the time is over, and counts.
    pub(super) async fn settle(
        chain: &DemoChain,
        counts: Counts,
        duration: Duration,
        within: Duration,
    ) -> anyhow::Result<Self> {
        let end = Instant::now() + within;
        loop {
            let totals = chain.ledger.totals().await.context("asking the ledger")?;
            let report = Self::of(counts, &totals, duration);
            if (report.agrees() && drained(chain)) || Instant::now() >= end {
                return Ok(report);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn of(counts: Counts, totals: &Totals, duration: Duration) -> Self {
        Self {
            taps: counts.taps,
            captures: counts.captures,
            coupons_issued: totals.coupons,
            coupons_redeemed: totals.redemptions_net(),
            redeemed_at_tills: counts.redeemed,
            refused_at_tills: counts.refused,
            undone_at_tills: counts.undone,
            hq_frames: totals.frames,
            hq_frames_resent: totals.frames_resent,
            hq_duplicates: totals.frames_twice + totals.claims.saturating_sub(totals.coupons),
            lost: counts.captures.saturating_sub(totals.coupons),
            quarantined: totals.quarantined,
            seconds: duration.as_secs(),
            calendar_factor: FACTOR,
        }
    }

    /// Whether both sides counted the same.
    pub(super) fn agrees(&self) -> bool {
        self.captures == self.coupons_issued
            && self.redeemed_at_tills == self.coupons_redeemed
            && self.hq_duplicates == 0
            && self.lost == 0
            && self.quarantined == 0
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
fn drained(chain: &DemoChain) -> bool {
    let stores = chain.stores.iter().map(|store| &store.gateway);
    stores
        .chain([&chain.street])
        .all(|gateway| gateway.captures_waiting() == 0)
}
