//! The operator's side of a gateway, on loopback: health, metrics, sessions, the journal, till pairing.
//!
//! It shows counts and states, and never a person. Hardware addresses are shown where somebody on the box asks
//! for the [`sessions`], and nowhere else.

pub mod sessions;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::admission::Wall;
use crate::admission::zone::ZoneName;
use crate::domain::wifi::{Terms, Tier};
use crate::journal::{Depth, Outbox};
use crate::ops::metrics;

/// One thing that readiness depends on, or that an operator wants to see beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Worth knowing, and no reason to send nobody here.
    Degraded,
    /// Diners cannot be served.
    Failed,
}

/// What a device of a tier would get in a zone.
pub type TermsOf = dyn Fn(&ZoneName, Tier) -> Terms + Send + Sync;

/// What the listener is made of; built once, in `cli`.
pub struct Parts {
    pub outbox: Outbox,
    pub wall: Arc<Wall>,
    /// Checks beyond those made here.
    pub checks: Box<dyn Fn() -> Vec<Check> + Send + Sync>,
    pub terms: Box<TermsOf>,
    /// Gives out a till pairing code.
    pub pair_till: Box<dyn Fn() -> String + Send + Sync>,
}

/// The routes of the ops listener.
pub fn router(parts: Parts) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(async || metrics::text()))
        .route("/api/v1/journal", get(journal))
        .nest("/api/v1/sessions", sessions::routes())
        .route("/api/v1/till/pairing", post(pair_till))
        .with_state(Arc::new(parts))
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Check>,
}

async fn ready(State(parts): State<Arc<Parts>>) -> Response {
    let checks = (parts.checks)();
    let ready = checks.iter().all(|check| check.verdict != Verdict::Failed);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, checks })).into_response()
}

/// A spool as an operator sees it.
#[derive(Serialize)]
struct SpoolReport {
    frames: u64,
    bytes: u64,
    oldest_unix_ms: Option<u64>,
    /// Oldest first; the last one is written.
    streams: Vec<StreamReport>,
}

#[derive(Serialize)]
struct StreamReport {
    stream: String,
    first_seq: u64,
    next_seq: u64,
}

impl From<&Depth> for SpoolReport {
    fn from(depth: &Depth) -> Self {
        let streams = depth.streams.iter().map(|depth| StreamReport {
            stream: depth.stream.to_string(),
            first_seq: depth.floor,
            next_seq: depth.next,
        });
        Self {
            frames: depth.frames,
            bytes: depth.bytes,
            oldest_unix_ms: depth.oldest_unix_ms,
            streams: streams.collect(),
        }
    }
}

#[derive(Serialize)]
struct JournalReport {
    p0: SpoolReport,
    p1: SpoolReport,
}

async fn journal(State(parts): State<Arc<Parts>>) -> Json<JournalReport> {
    let depths = parts.outbox.depths();
    let depths = depths.borrow();
    Json(JournalReport {
        p0: SpoolReport::from(&depths.p0),
        p1: SpoolReport::from(&depths.p1),
    })
}

/// The answer to a question for a till pairing code.
#[derive(Debug, Serialize, Deserialize)]
pub struct PairingCode {
    pub code: String,
}

async fn pair_till(State(parts): State<Arc<Parts>>) -> Json<PairingCode> {
    Json(PairingCode {
        code: (parts.pair_till)(),
    })
}
