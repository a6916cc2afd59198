//! The sessions at the Wi-Fi wall, for whoever stands at the box: list, show, let in, end, lengthen.
//!
//! | route | |
//! |---|---|
//! | `GET /api/v1/sessions` | [`Listing`]; without devices unless `?devices=1` |
//! | `GET /api/v1/sessions/{mac}` | [`Shown`], 404 where there is none |
//! | `PUT /api/v1/sessions/{mac}` | lets in: `{"zone":"guest","tier":"vip"}` |
//! | `DELETE /api/v1/sessions/{mac}` | ends, and cuts what the device has open |
//! | `POST /api/v1/sessions/{mac}/extend` | lengthens: `{"minutes":60}` |
//!
//! All answer at once, also while a crowd is being let in: the wall's lock is held for microseconds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Parts;
use crate::admission::book::{Asked, Kind};
use crate::admission::zone::ZoneName;
use crate::admission::{Listed, Mac};
use crate::domain::wifi::Tier;

/// Longer than this a session is no session.
const MOST_MINUTES: u32 = 7 * 24 * 60;

pub(super) fn routes() -> Router<Arc<Parts>> {
    Router::new()
        .route("/", get(list))
        .route("/{mac}", get(show).put(admit).delete(revoke))
        .route("/{mac}/extend", post(extend))
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Listing {
    /// Devices that are let in.
    pub admitted: usize,
    /// Devices with a temporary pass.
    pub passing: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Shown>,
}

/// One session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    pub device: Mac,
    pub zone: ZoneName,
    pub tier: Tier,
    pub kind: Kind,
    /// RFC 3339.
    pub began: String,
    pub seconds_left: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    /// None without a quota.
    pub bytes_left: Option<u64>,
    /// Bytes a second; none without a limit.
    pub up_limit: Option<u64>,
    pub down_limit: Option<u64>,
}

impl From<Listed> for Shown {
    fn from(listed: Listed) -> Self {
        let (session, moved) = (&listed.session, listed.session.moved());
        Self {
            device: listed.mac,
            zone: session.zone.clone(),
            tier: session.tier,
            kind: session.kind,
            began: session.began.to_string(),
            seconds_left: listed.left.as_secs(),
            bytes_up: moved.up,
            bytes_down: moved.down,
            bytes_left: session.quota_left(),
            up_limit: session.up,
            down_limit: session.down,
        }
    }
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    devices: u8,
}

async fn list(State(parts): State<Arc<Parts>>, Query(wanted): Query<Wanted>) -> Json<Listing> {
    let listed = parts.wall.list();
    let passing = listed
        .iter()
        .filter(|one| one.session.kind == Kind::Pass)
        .count();
    Json(Listing {
        admitted: listed.len() - passing,
        passing,
        sessions: match wanted.devices {
            0 => Vec::new(),
            _ => listed.into_iter().map(Shown::from).collect(),
        },
    })
}

async fn show(State(parts): State<Arc<Parts>>, Path(mac): Path<Mac>) -> Response {
    let found = parts.wall.list().into_iter().find(|one| one.mac == mac);
    found.map_or_else(no_session, |one| Json(Shown::from(one)).into_response())
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Admit {
    pub zone: ZoneName,
    pub tier: Tier,
}

async fn admit(State(parts): State<Arc<Parts>>, Path(mac): Path<Mac>, body: Bytes) -> Response {
    let Ok(admit) = serde_json::from_slice::<Admit>(&body) else {
        return unreadable();
    };
    let terms = (parts.terms)(&admit.zone, admit.tier);
    let asked = Asked {
        mac,
        zone: admit.zone,
        tier: admit.tier,
        terms,
    };
    match parts.wall.admit(&asked) {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::CONFLICT, error.to_string()).into_response(),
    }
}

async fn revoke(State(parts): State<Arc<Parts>>, Path(mac): Path<Mac>) -> Response {
    if parts.wall.revoke(mac) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        no_session()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Extend {
    pub minutes: u32,
}

async fn extend(State(parts): State<Arc<Parts>>, Path(mac): Path<Mac>, body: Bytes) -> Response {
    let Ok(extend) = serde_json::from_slice::<Extend>(&body) else {
        return unreadable();
    };
    if !(1..=MOST_MINUTES).contains(&extend.minutes) {
        let fault = format!("a session is lengthened by 1 to {MOST_MINUTES} minutes");
        return (StatusCode::UNPROCESSABLE_ENTITY, fault).into_response();
    }
    let by = Duration::from_secs(u64::from(extend.minutes) * 60);
    match parts.wall.extend(mac, by) {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => no_session(),
        Err(error) => (StatusCode::CONFLICT, error.to_string()).into_response(),
    }
}

/// Not by axum's own reader: it knows the path of a mistake, which is 10 kB on a router.
fn unreadable() -> Response {
    let fault = "the body is not the JSON that this asks for";
    (StatusCode::UNPROCESSABLE_ENTITY, fault).into_response()
}

fn no_session() -> Response {
    (StatusCode::NOT_FOUND, "the device has no session").into_response()
}
