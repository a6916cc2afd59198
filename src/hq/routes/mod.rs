//! The listeners that programs talk to, and what their refusals have in common.

use std::error::Error as _;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::db::LedgerError;
use crate::wire::link::Refusal;

pub mod admission;
mod down;
pub mod enroll;
pub mod ops;
mod sisters;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod throttle;
mod up;

/// Everything but a batch is small: the largest is an enrolment with its request, about 1 KiB.
pub(super) const SMALL_BODY_BYTES: usize = 64 << 10;

/// A handler that takes longer is given up; the client comes again. Ledger jobs take milliseconds.
const HANDLER_WITHIN: Duration = Duration::from_secs(30);

/// Seconds after which to come again when headquarters is busy: a ledger that is being backed up is back
/// by then. Without it a gateway takes the answer for one of somebody else's.
pub(super) const RETRY_AFTER: &str = "5";

/// An answer that says no: the status for proxies, the code for programs, the message for people.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refused {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: &dyn std::fmt::Display,
    ) -> Self {
        Self {
            status,
            code,
            message: message.to_string(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let refusal = Refusal {
            code: self.code.to_owned(),
            message: self.message,
        };
        let mut response = (self.status, Json(refusal)).into_response();
        let busy = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if busy.contains(&self.status) {
            let seconds = HeaderValue::from_static(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        tracing::error!(%error, "a request was refused because of the ledger");
        let message = "headquarters cannot reach its ledger; try again";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger_unavailable",
            &message,
        )
    }
}

/// Ends a request that takes too long. Not for the long poll, which is meant to.
pub(super) async fn within_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(HANDLER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "headquarters is busy; try again";
            Refused::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", &message).into_response()
        }
    }
}

pub(super) async fn not_found() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "not_found",
        &"there is nothing at this address",
    )
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Refused> {
    to_bytes(body, limit).await.map_err(|error| {
        let too_large = error
            .source()
            .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if too_large {
            let message = format!("the body is over {limit} bytes");
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &message)
        } else {
            Refused::new(
                StatusCode::BAD_REQUEST,
                "body_cut_short",
                &"the body ended early",
            )
        }
    })
}

/// Reads a small JSON body.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body) -> Result<T, Refused> {
    let bytes = read_body(body, SMALL_BODY_BYTES).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Refused::new(StatusCode::BAD_REQUEST, "body_malformed", &error))
}
