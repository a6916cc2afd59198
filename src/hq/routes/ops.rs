//! The ops listener: is it alive, can it work, and its metrics. For loopback and the operator's monitoring.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::not_found;
use crate::hq::state::Shared;
use crate::ops::metrics;

/// A ledger that takes longer to say yes is not one to send gateways to.
const LEDGER_WITHIN: Duration = Duration::from_secs(2);

pub fn router(hq: Shared) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async || metrics::text()))
        .fallback(not_found)
        .with_state(hq)
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    ledger: &'static str,
    /// `ok`, `broken` (the last good one is in use) or `missing` (there never was a good one).
    chain: &'static str,
    chain_faults: Vec<String>,
    /// Campaigns that are refused and go to no box.
    left_out: Vec<String>,
    gateways_with_a_bundle: usize,
    sync_certificate_expires: String,
}

/// Ready while the ledger answers and some good folder has been read. A folder that has a mistake now
/// is said and not a reason to send gateways away: their frames are counted all the same.
async fn ready(State(hq): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let ledger = match tokio::time::timeout(LEDGER_WITHIN, hq.ledger.ping()).await {
        Ok(Ok(())) => "ok",
        Ok(Err(_)) => "failed",
        Err(_) => "slow",
    };
    let known = hq.bundles.known();
    let chain = match (&known.chain, known.faults.is_empty()) {
        (Some(_), true) => "ok",
        (Some(_), false) => "broken",
        (None, _) => "missing",
    };
    let ready = ledger == "ok" && chain != "missing";
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let readiness = Readiness {
        ready,
        ledger,
        chain,
        chain_faults: known.faults.clone(),
        left_out: known.left_out.clone(),
        gateways_with_a_bundle: hq.bundles.count(),
        sync_certificate_expires: hq.identity.sync_expires.to_string(),
    };
    (status, Json(readiness))
}
