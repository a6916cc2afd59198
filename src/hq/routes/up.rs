//! `POST /v1/up/{stream}`: a batch of frames against a receipt.
//!
//! Only the envelope can be refused; what is in it is counted, or put aside, and acknowledged. The answer is
//! given after the ledger's commit and never before.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::sync::{Known, foreign_stream, note_closed};
use super::{Refused, read_body};
use crate::domain::ids::{GatewayId, StreamId};
use crate::hq::db::{Delivery, Entry, IngestOutcome, Taken};
use crate::hq::examine::examine;
use crate::hq::state::Shared;
use crate::ops::metrics;
use crate::wire::batch::{
    self, Closed, Expected, Header, MAX_BATCH_BYTES, MAX_BATCH_FRAMES, Receipt, Refused as PutAside,
};
use crate::wire::encoding::gunzip;
use crate::wire::link::Serves;

/// What any database can count to; a gateway that filled it would have sent a million frames a second for
/// longer than there are shops.
const HIGHEST_SEQUENCE: u64 = 1 << 62;

/// A turn at the ledger, held while the batch is read and written.
pub(super) struct Turn {
    _held: OwnedSemaphorePermit,
}

impl FromRequestParts<Shared> for Turn {
    type Rejection = Refused;

    async fn from_request_parts(_: &mut Parts, hq: &Shared) -> Result<Self, Refused> {
        let _held = hq.admission.turn().ok_or_else(|| {
            let message = "headquarters has its hands full; try again";
            too_many("headquarters_busy", &message)
        })?;
        Ok(Self { _held })
    }
}

fn too_many(code: &'static str, message: &dyn std::fmt::Display) -> Refused {
    metrics::add_of(metrics::HQ_BATCHES_PUT_OFF, ("code", code), 1);
    Refused::new(StatusCode::TOO_MANY_REQUESTS, code, message)
}

pub(super) async fn take_batch(
    State(hq): State<Shared>,
    // Before the gateway is looked up: a rush must not cost the database anything.
    _turn: Turn,
    Known(gateway): Known,
    Path(stream): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    if !hq.admission.admits(gateway.id, hq.clock.now()) {
        let message = "this gateway sends faster than its share";
        return Err(too_many("gateway_too_fast", &message));
    }
    let stream = Uuid::parse_str(&stream).map(StreamId).map_err(|_| {
        let message = "a stream is a UUID";
        Refused::new(StatusCode::BAD_REQUEST, "stream_malformed", &message)
    })?;
    let packed = Packing::of(&headers)?;
    let limit = usize::try_from(MAX_BATCH_BYTES).unwrap_or(usize::MAX);
    let bytes = read_body(body, limit).await?;
    let (header, entries) = read_batch(packed, bytes, gateway.serves.clone()).await?;
    let delivery = Delivery {
        gateway: gateway.id,
        stream,
        received: hq.clock.now(),
        waiting: header.q.frames,
        prev: header.prev,
        entries,
    };
    let outcome = hq.ledger.ingest(delivery).await?;
    answer(&hq, gateway.id, stream, outcome)
}

fn answer(
    hq: &Shared,
    gateway: GatewayId,
    stream: StreamId,
    outcome: IngestOutcome,
) -> Result<Response, Refused> {
    match outcome {
        IngestOutcome::Taken(taken) => {
            count(&taken);
            Ok(Json(receipt(hq, gateway, taken)).into_response())
        }
        IngestOutcome::Expected { acked } => {
            Ok((StatusCode::CONFLICT, Json(Expected { acked })).into_response())
        }
        IngestOutcome::Closed { known, now } => {
            if let Some(why) = now {
                note_closed(gateway, stream, why);
            }
            Ok((StatusCode::GONE, Json(Closed { known })).into_response())
        }
        IngestOutcome::ForeignStream => {
            tracing::warn!(gateway.id = %gateway, "a gateway sent into another one's stream");
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
) -> Result<(Header, Vec<Entry>), Refused> {
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
        if batch.lines.iter().any(|line| line.end() > HIGHEST_SEQUENCE) {
            return Err(malformed(&"no stream is that long"));
        }
        if batch.lines.len() > MAX_BATCH_FRAMES {
            let message = format!("more than {MAX_BATCH_FRAMES} lines");
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
    metrics::add(metrics::HQ_FRAMES, taken.fresh);
    metrics::add(metrics::HQ_FRAMES_RESENT, taken.resent);
    if !taken.put_aside.is_empty() {
        let count = taken.put_aside.len();
        metrics::add(metrics::HQ_EVENTS_QUARANTINED, count as u64);
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
        wait_ms: u64::try_from(hq.admission.wait().as_millis()).unwrap_or_default(),
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
