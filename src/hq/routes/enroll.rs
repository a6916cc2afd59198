//! The enroll listener: a one-time token and a signing request against a certificate.
//!
//! Anybody can knock here, so a request costs little until its token has been found, and what a stranger
//! can make us write down has a limit.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router, middleware};

use super::sync::{chain_unreadable, issue};
use super::{Refused, not_found, read_json, within_time};
use crate::hq::authority::{CLIENT_LASTS, ClientGrant, ClientRequest, Serial};
use crate::hq::db::{AuditEntry, Enrolment, TokenHash, TokenRefusal};
use crate::hq::state::Shared;
use crate::hq::token;
use crate::ops::metrics;
use crate::wire::encoding::hex;
use crate::wire::link::{EnrollRequest, Enrolled};

pub fn router(hq: Shared) -> Router {
    Router::new()
        .route("/v1/enroll", post(enroll))
        .fallback(not_found)
        .layer(middleware::from_fn(within_time))
        .with_state(hq)
}

async fn enroll(State(hq): State<Shared>, body: Body) -> Result<Json<Enrolled>, Refused> {
    let asked: EnrollRequest = read_json(body).await?;
    let chain = hq.bundles.chain().ok_or_else(chain_unreadable)?;
    let (hash, now) = (token::hash(&asked.token), hq.clock.now());
    let serves = match hq.ledger.look_at_token(hash, now).await? {
        Ok(serves) if token::has(&chain, &serves) => serves,
        Ok(_) => return Err(refuse(&hq, hash, TokenRefusal::Foreign).await?),
        Err(refusal) => return Err(refuse(&hq, hash, refusal).await?),
    };
    // Before the token is used up: a mistake in the request must not cost the installer a token.
    let request = ClientRequest::parse(&asked.csr_pem)
        .map_err(|bad| Refused::new(StatusCode::BAD_REQUEST, "csr_malformed", &bad))?;
    let serial = Serial::random();
    let enrolment = Enrolment {
        token: hash,
        coupon_key: asked.coupon_key,
        software: asked.sw.chars().take(32).collect(),
        serial: serial.to_hex(),
        now,
        not_after: now + CLIENT_LASTS,
    };
    let gateway = match hq.ledger.enrol(enrolment).await? {
        Ok(gateway) => gateway,
        Err(refusal) => return Err(refuse(&hq, hash, refusal).await?),
    };
    let grant = ClientGrant {
        chain: &chain.id,
        serves: &serves,
        gateway,
        serial: &serial,
        now,
    };
    let certificate_ends = grant.not_after().as_second();
    let certificate_pem = issue(&hq, &request, &grant)?;
    hq.bundles.look_now();
    tracing::info!(gateway.id = %gateway, "a gateway has been enrolled");
    Ok(Json(Enrolled {
        gateway,
        chain: chain.id.clone(),
        serves,
        certificate_pem,
        certificate_ends,
        server_ca_pem: hq.identity.server_ca_pem.clone(),
        publish_root: hq.identity.publish_root,
        sync_url: hq.sync_url.clone(),
    }))
}

/// Counts and notes a refusal; the note names the token by the beginning of its hash.
async fn refuse(hq: &Shared, hash: TokenHash, refusal: TokenRefusal) -> Result<Refused, Refused> {
    metrics::count(metrics::HQ_ENROLMENTS_REFUSED);
    tracing::warn!(code = refusal.code(), "an enrolment was refused");
    let now = hq.clock.now();
    // Only an unknown token costs nothing to make up; with a real one there is something to look into.
    if refusal != TokenRefusal::Unknown || hq.unknown_tokens_noted.admits(now) {
        let object = format!("token {}", hex(&hash[..4]));
        let entry = AuditEntry::new(now, "enrolment_refused", &object, refusal.code());
        hq.ledger.note(entry).await?;
    }
    Ok(Refused::new(
        StatusCode::FORBIDDEN,
        refusal.code(),
        &refusal,
    ))
}
