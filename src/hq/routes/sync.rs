//! The sync listener: enrolled gateways only, over mutual TLS.
//!
//! The handshake has proven that headquarters signed the certificate; here each request is held against
//! the register, so a revoked gateway is refused at once and not when its certificate ends.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use uuid::Uuid;

use super::{Refused, SMALL_BODY_BYTES, not_found, read_body, read_json, within_time};
use crate::domain::ids::{GatewayId, StreamId};
use crate::hq::authority::{CLIENT_LASTS, ClientGrant, ClientRequest, PeerName, Serial};
use crate::hq::db::{
    AuditEntry, Caller, Certificate, Delivery, Frame, Gateway, Greeting, IngestOutcome, Marks,
    Report, ReportedBundle, Taken,
};
use crate::hq::examine::examine;
use crate::hq::state::Shared;
use crate::ops::metrics;
use crate::ops::serve::Peer;
use crate::wire::batch::{
    self, Expected, Header, MAX_BATCH_BYTES, MAX_BATCH_FRAMES, Receipt, Refused as PutAside, What,
};
use crate::wire::encoding::gunzip;
use crate::wire::link::{BundleState, Hello, HelloReply, Renewed, Reported, Serves, StreamMark};

/// Middleboxes close what is silent for a minute.
const LONGEST_POLL: Duration = Duration::from_secs(50);

/// A gateway has two streams, and two more after each time that it lost one.
const MAX_STREAMS: usize = 64;

/// A bundle version that a gateway may claim to have; far above what one edit a second could reach.
const HIGHEST_VERSION: u64 = 1 << 40;

/// The reason for a refused bundle is for one line on a page.
const MAX_WHY_CHARS: usize = 500;

pub fn router(hq: Shared) -> Router {
    let quick = Router::new()
        .route("/v1/hello", post(hello))
        .route("/v1/up/{stream}", post(take_batch))
        .route("/v1/bundle/{sha256}", get(bundle))
        .route("/v1/reported", post(reported))
        .route("/v1/renew", post(renew))
        .layer(middleware::from_fn(within_time));
    Router::new()
        .route("/v1/down", get(down))
        .merge(quick)
        .fallback(not_found)
        .with_state(hq)
}

/// The gateway at the other end, known and in good standing.
struct Known(Gateway);

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
    let ids: Vec<StreamId> = hello.streams.iter().map(|offer| offer.id).collect();
    let now = hq.clock.now();
    let greeting = Greeting {
        gateway: gateway.id,
        offers: hello.streams,
        now,
    };
    let marks = match hq.ledger.greet(greeting).await? {
        Marks::At(marks) => marks,
        Marks::ForeignStream(stream) => {
            let what = format!("hello with stream {stream}");
            let entry = AuditEntry::new(now, "stream_foreign", &gateway.id, &what);
            hq.ledger.note(entry).await?;
            return Err(foreign_stream());
        }
        Marks::RolledBack(stream) => {
            metrics::count(metrics::HQ_STREAMS_ROLLED_BACK);
            tracing::error!(
                gateway.id = %gateway.id,
                stream.id = %stream,
                "a gateway numbers frames anew that are here already; it is refused so that it keeps them"
            );
            return Err(rolled_back());
        }
    };
    let at = |(id, acked)| StreamMark {
        id,
        acked,
        closed: false,
    };
    Ok(Json(HelloReply {
        now: hq.clock.now().as_millisecond(),
        streams: ids.into_iter().zip(marks).map(at).collect(),
        desired: hq.bundles.pointer(gateway.id),
    }))
}

/// The gateway keeps its frames and asks again, until somebody looks.
fn rolled_back() -> Refused {
    let message = "headquarters has more of this stream than the gateway ever wrote, so the gateway was put \
                   back to an older state; save its journal, take it away and start with a new one";
    Refused::new(StatusCode::CONFLICT, "stream_rolled_back", &message)
}

/// Another gateway's stream: a copied memory card, or worse.
fn foreign_stream() -> Refused {
    let message = "this stream belongs to another gateway; open a new one";
    Refused::new(StatusCode::FORBIDDEN, "stream_foreign", &message)
}

async fn take_batch(
    State(hq): State<Shared>,
    Known(gateway): Known,
    Path(stream): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let stream = Uuid::parse_str(&stream).map(StreamId).map_err(|_| {
        Refused::new(
            StatusCode::BAD_REQUEST,
            "stream_malformed",
            &"a stream is a UUID",
        )
    })?;
    let packed = Packing::of(&headers)?;
    let limit = usize::try_from(MAX_BATCH_BYTES).unwrap_or(usize::MAX);
    let bytes = read_body(body, limit).await?;
    let (header, frames) = read_batch(packed, bytes, gateway.serves.clone()).await?;
    let delivery = Delivery {
        gateway: gateway.id,
        stream,
        received: hq.clock.now(),
        waiting: header.q.frames,
        frames,
    };
    match hq.ledger.ingest(delivery).await? {
        IngestOutcome::Taken(taken) => {
            count(&taken);
            Ok(Json(receipt(&hq, gateway.id, taken)).into_response())
        }
        IngestOutcome::Expected { acked } => {
            Ok((StatusCode::CONFLICT, Json(Expected { acked })).into_response())
        }
        IngestOutcome::ForeignStream => {
            tracing::warn!(gateway.id = %gateway.id, "a gateway sent into another one's stream");
            Err(foreign_stream())
        }
    }
}

#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Plain,
}

impl Packing {
    fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        match headers
            .get(header::CONTENT_ENCODING)
            .map(|value| value.as_bytes())
        {
            None | Some(b"identity") => Ok(Self::Plain),
            Some(b"gzip") => Ok(Self::Gzip),
            Some(_) => {
                let message = "batches are packed with gzip or not at all";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Err(Refused::new(status, "encoding_unknown", &message))
            }
        }
    }
}

/// Unpacks and reads on a thread that may take its time: a full batch is milliseconds of work.
async fn read_batch(
    packing: Packing,
    bytes: Bytes,
    serves: Serves,
) -> Result<(Header, Vec<Frame>), Refused> {
    let read = move || {
        let unpacked = match packing {
            Packing::Plain => bytes.to_vec(),
            Packing::Gzip => gunzip(&bytes, MAX_BATCH_BYTES).map_err(|error| {
                // What begins like gzip is taken for too large rather than broken: the gateway halves it.
                let status = if bytes.starts_with(&[0x1f, 0x8b]) {
                    StatusCode::PAYLOAD_TOO_LARGE
                } else {
                    StatusCode::BAD_REQUEST
                };
                Refused::new(status, "batch_not_unpacked", &error)
            })?,
        };
        let malformed = |fault: &dyn std::fmt::Display| {
            Refused::new(StatusCode::BAD_REQUEST, "batch_malformed", fault)
        };
        let batch = batch::decode(&unpacked).map_err(|bad| malformed(&bad))?;
        if batch.header.first == 0 {
            return Err(malformed(&"sequences begin at 1"));
        }
        if batch
            .lines
            .iter()
            .any(|line| matches!(line.what, What::Gap(_)))
        {
            return Err(malformed(&"gaps are not taken"));
        }
        if batch.lines.len() > MAX_BATCH_FRAMES {
            let message = format!("more than {MAX_BATCH_FRAMES} frames");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Refused::new(status, "batch_too_long", &message));
        }
        Ok((batch.header, examine(&serves, batch.lines)))
    };
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "reading a batch ended in a panic");
            let message = "headquarters failed to read this batch";
            Err(Refused::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "batch_failed",
                &message,
            ))
        })
}

fn count(taken: &Taken) {
    ::metrics::counter!(metrics::HQ_FRAMES).increment(taken.fresh);
    ::metrics::counter!(metrics::HQ_FRAMES_RESENT).increment(taken.resent);
    if !taken.put_aside.is_empty() {
        let count = taken.put_aside.len();
        ::metrics::counter!(metrics::HQ_EVENTS_QUARANTINED).increment(count as u64);
        tracing::warn!(
            count,
            "events were put aside; see the quarantine of the ledger"
        );
    }
}

fn receipt(hq: &Shared, gateway: GatewayId, taken: Taken) -> Receipt {
    Receipt {
        acked: taken.acked,
        now: hq.clock.now().as_millisecond(),
        desired_v: hq.bundles.pointer(gateway).map_or(0, |pointer| pointer.v),
        wait_ms: 0,
        refused: taken
            .put_aside
            .into_iter()
            .map(|(s, why)| PutAside {
                s,
                why: why.to_owned(),
            })
            .collect(),
    }
}

#[derive(Deserialize)]
struct Poll {
    /// The version that the gateway has.
    v: u64,
    /// Seconds to wait for a newer one.
    #[serde(default)]
    wait: u64,
}

/// Answers as soon as there is a newer bundle, or with nothing when the wait is over.
async fn down(
    State(hq): State<Shared>,
    Known(gateway): Known,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(poll) = poll.map_err(|bad| {
        Refused::new(StatusCode::BAD_REQUEST, "query_malformed", &bad.body_text())
    })?;
    // Before the first look: a change between looking and waiting must wake the wait.
    let mut changed = hq.bundles.subscribe();
    if let Some(pointer) = hq.bundles.pointer(gateway.id)
        && (pointer.v + 1..=HIGHEST_VERSION).contains(&poll.v)
    {
        note_ahead(&hq, &gateway, poll.v).await?;
    }
    let newer = async {
        loop {
            match hq.bundles.pointer(gateway.id) {
                Some(pointer) if pointer.v > poll.v => return Some(pointer),
                _ if changed.changed().await.is_err() => return None,
                _ => {}
            }
        }
    };
    let wait = Duration::from_secs(poll.wait).min(LONGEST_POLL);
    let found = tokio::select! {
        found = tokio::time::timeout(wait, newer) => found.ok().flatten(),
        () = hq.tasks.stopping() => None,
    };
    Ok(match found {
        Some(pointer) => Json(pointer).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Headquarters came back from a backup and the gateway has run on: it takes only what is newer than it
/// has, and reports a version once, so headquarters learns of it here.
async fn note_ahead(hq: &Shared, gateway: &Gateway, version: u64) -> Result<(), Refused> {
    tracing::warn!(
        gateway.id = %gateway.id,
        bundle.version = version,
        "a gateway has a newer bundle than headquarters; was the ledger restored from a backup?"
    );
    let report = Report {
        gateway: gateway.id,
        bundle: ReportedBundle {
            version,
            state: BundleState::Applied,
            why: String::new(),
        },
        software: gateway.software.clone(),
        now: hq.clock.now(),
    };
    hq.ledger.record_report(report).await?;
    hq.bundles.look_now();
    Ok(())
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
