//! The sync listener: enrolled gateways only, over mutual TLS.
//!
//! The handshake has proven that headquarters signed the certificate; here each request is held against
//! the register, so a revoked gateway is refused at once and not when its certificate ends.

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};

use super::down::down;
use super::{Refused, SMALL_BODY_BYTES, not_found, read_body, read_json, sisters, up, within_time};
use crate::domain::ids::{GatewayId, StreamId};
use crate::hq::authority::{CLIENT_LASTS, ClientGrant, ClientRequest, PeerName, Serial};
use crate::hq::certificate;
use crate::hq::db::plan::Disagreement;
use crate::hq::db::{
    AuditEntry, Caller, Certificate, Gateway, Greeting, HostRequest, Marks, Report, ReportedBundle,
};
use crate::hq::state::Shared;
use crate::ops::metrics;
use crate::ops::serve::Peer;
use crate::wire::link::{Hello, HelloReply, Renewed, Reported};

/// A gateway has two streams, and two more after each time that it lost one; it names those with frames
/// that wait.
const MAX_STREAMS: usize = 64;

/// A bundle version that a gateway may claim to have; far above what one edit a second could reach.
pub(super) const HIGHEST_VERSION: u64 = 1 << 40;

/// The reason for a refused bundle is for one line on a page.
const MAX_WHY_CHARS: usize = 500;

pub fn router(hq: Shared) -> Router {
    let quick = Router::new()
        .route("/v1/hello", post(hello))
        .route("/v1/up/{stream}", post(up::take_batch))
        .route("/v1/bundle/{sha256}", get(bundle))
        .route("/v1/reported", post(reported))
        .route("/v1/renew", post(renew))
        .route("/v1/redeem", post(sisters::redeem))
        .route("/v1/unused", post(sisters::unused))
        .layer(middleware::from_fn(within_time));
    Router::new()
        .route("/v1/down", get(down))
        .merge(quick)
        .fallback(not_found)
        .with_state(hq)
}

/// The gateway at the other end, known and in good standing.
pub(super) struct Known(pub(super) Gateway);

impl FromRequestParts<Shared> for Known {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, hq: &Shared) -> Result<Self, Refused> {
        let name = parts
            .extensions
            .get::<Peer>()
            .and_then(|peer| peer.certificate.as_deref())
            .and_then(PeerName::read)
            .ok_or_else(|| {
                let message = "this listener is for gateways with a certificate of this chain";
                Refused::new(StatusCode::UNAUTHORIZED, "certificate_missing", &message)
            })?;
        let caller = Caller {
            gateway: name.gateway,
            serial: name.serial,
            now: hq.clock.now(),
        };
        let known = hq.ledger.recognise(caller).await?.map_err(|denied| {
            tracing::warn!(gateway.id = %name.gateway, code = denied.code(), "a gateway was refused");
            Refused::new(StatusCode::FORBIDDEN, denied.code(), &denied)
        })?;
        Ok(Self(known))
    }
}

async fn hello(
    State(hq): State<Shared>,
    Known(gateway): Known,
    body: Body,
) -> Result<Json<HelloReply>, Refused> {
    let hello: Hello = read_json(body).await?;
    if hello.streams.len() > MAX_STREAMS {
        let message = format!("more than {MAX_STREAMS} streams");
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "streams_too_many",
            &message,
        ));
    }
    let now = hq.clock.now();
    let greeting = Greeting {
        gateway: gateway.id,
        offers: hello.streams,
        now,
    };
    let streams = match hq.ledger.greet(greeting).await? {
        Marks::At {
            streams,
            closed_now,
        } => {
            for (stream, why) in closed_now {
                note_closed(gateway.id, stream, why);
            }
            streams
        }
        Marks::ForeignStream(stream) => {
            let what = format!("hello with stream {stream}");
            let entry = AuditEntry::new(now, "stream_foreign", &gateway.id, &what);
            hq.ledger.note(entry).await?;
            return Err(foreign_stream());
        }
    };
    if let Some(csr_pem) = hello.host_csr {
        keep_host_request(&hq, gateway.id, csr_pem).await?;
    }
    Ok(Json(HelloReply {
        now: hq.clock.now().as_millisecond(),
        streams,
        desired: hq.bundles.pointer(gateway.id),
    }))
}

/// What is no request is only logged: the gateway's frames do not wait for its certificate.
async fn keep_host_request(
    hq: &Shared,
    gateway: GatewayId,
    csr_pem: String,
) -> Result<(), Refused> {
    if !certificate::is_request(&csr_pem) {
        tracing::warn!(gateway.id = %gateway, "a request for a host's certificate cannot be read");
        return Ok(());
    }
    let received = hq.clock.now();
    let request = HostRequest {
        gateway,
        csr_pem,
        received,
    };
    Ok(hq.ledger.keep_host_request(request).await?)
}

/// Counts a stream that has just been closed. The box goes on in a new one by itself; that it was copied or
/// put back is for people to know.
pub(super) fn note_closed(gateway: GatewayId, stream: StreamId, why: Disagreement) {
    metrics::add_of(metrics::HQ_STREAMS_CLOSED, ("why", why.code()), 1);
    tracing::error!(
        gateway.id = %gateway,
        stream.id = %stream,
        why = why.code(),
        "a stream was closed: the gateway has something else than what it sent before; was its image put \
         back or copied?"
    );
}

/// Another gateway's stream: a copied memory card, or worse.
pub(super) fn foreign_stream() -> Refused {
    let message = "this stream belongs to another gateway; open a new one";
    Refused::new(StatusCode::FORBIDDEN, "stream_foreign", &message)
}

/// A gateway's own bundle and no other's: a store's staff and shares are nobody else's business.
async fn bundle(
    State(hq): State<Shared>,
    Known(gateway): Known,
    Path(sha256): Path<String>,
) -> Result<Response, Refused> {
    let ready = hq
        .bundles
        .of(gateway.id)
        .filter(|ready| ready.pointer.sha256 == sha256)
        .ok_or_else(|| {
            let message = "this is not the bundle that this gateway should have; ask /v1/down";
            Refused::new(StatusCode::NOT_FOUND, "bundle_unknown", &message)
        })?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar"),
        (header::CACHE_CONTROL, "private, immutable"),
    ];
    Ok((headers, ready.bytes.clone()).into_response())
}

async fn reported(
    State(hq): State<Shared>,
    Known(gateway): Known,
    body: Body,
) -> Result<StatusCode, Refused> {
    let reported: Reported = read_json(body).await?;
    if reported.v > HIGHEST_VERSION {
        let message = "no bundle has this version";
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "version_unknown",
            &message,
        ));
    }
    let report = Report {
        gateway: gateway.id,
        bundle: ReportedBundle {
            version: reported.v,
            state: reported.state,
            why: reported.why.chars().take(MAX_WHY_CHARS).collect(),
        },
        software: reported.sw.chars().take(32).collect(),
        now: hq.clock.now(),
    };
    hq.ledger.record_report(report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new certificate over the current one, for a signing request in PEM.
async fn renew(
    State(hq): State<Shared>,
    Known(gateway): Known,
    body: Body,
) -> Result<Json<Renewed>, Refused> {
    let bytes = read_body(body, SMALL_BODY_BYTES).await?;
    let pem = String::from_utf8_lossy(&bytes);
    let request = ClientRequest::parse(&pem)
        .map_err(|bad| Refused::new(StatusCode::BAD_REQUEST, "csr_malformed", &bad))?;
    let chain = hq.bundles.chain().ok_or_else(chain_unreadable)?;
    let (now, serial) = (hq.clock.now(), Serial::random());
    let certificate = Certificate {
        serial: serial.to_hex(),
        gateway: gateway.id,
        issued: now,
        not_after: now + CLIENT_LASTS,
    };
    hq.ledger.record_certificate(certificate).await?;
    let grant = ClientGrant {
        chain: &chain.id,
        serves: &gateway.serves,
        gateway: gateway.id,
        serial: &serial,
        now,
    };
    Ok(Json(Renewed {
        certificate_pem: issue(&hq, &request, &grant)?,
        certificate_ends: grant.not_after().as_second(),
    }))
}

/// Signs, after the serial has been recorded.
pub(super) fn issue(
    hq: &Shared,
    request: &ClientRequest,
    grant: &ClientGrant<'_>,
) -> Result<String, Refused> {
    hq.identity
        .gateway_ca
        .issue_client(request, grant)
        .map_err(|error| {
            tracing::error!(error = %format!("{error:#}"), "a certificate cannot be issued");
            let message = "headquarters cannot issue a certificate";
            Refused::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "certificate_failed",
                &message,
            )
        })
}

pub(super) fn chain_unreadable() -> Refused {
    let message =
        "headquarters cannot read its chain folder yet; ask its operator to look at /readyz";
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "chain_unreadable",
        &message,
    )
}
