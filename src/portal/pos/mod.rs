//! What a point of sale asks: redeem a coupon, tell of a bill. JSON in, JSON out, from the till's networks only.
//!
//! Every request carries `Authorization: Bearer <key>`; `maitred hq pos add` prints the key once, and the bundle
//! carries its SHA-256. After five wrong keys in a minute an address waits half a minute.
//!
//! ```text
//! POST /api/v1/redeem  {"id": "R-1047", "code": "7K3F"}
//! 200  {"redemption": "<32 digits>", "coupon": "<32 digits>", "campaign": "quiet-hours",
//!       "gift": {"zh": "凉拌黄瓜 1 份", "en": "cucumber salad"}, "place": "A12"}
//!
//! POST /api/v1/bill    {"number": "20261201-0042", "amount_fen": 12800, "party": 4, "redemption": "<32 digits>"}
//! 200  {"number": "20261201-0042", "is": "new"}          or "known", where it was told before
//!
//! any other status     {"code": "already_redeemed", "message": "already used at 2026-12-01 15:32"}
//! ```
//!
//! | field | what it is |
//! |---|---|
//! | `id` | the POS's own number of this redemption, 1 to 64 characters: asked twice it is done once, also after a lost answer |
//! | `code` | what was typed, or the whole text of the QR |
//! | `number` | the bill's own number: it is noted once, and is refused with other contents |
//! | `amount_fen`, `party`, `redemption` | each may be left out, the amount and the party not both |
//!
//! | status | `code` | what to do |
//! |---|---|---|
//! | 401 | `wrong_key` | ask headquarters for a key |
//! | 403 | `wrong_network` | connect to the network of the staff |
//! | 405, 413, 422 | `not_post`, `too_long`, `bad_json`, `bad_id`, `bad_number`, `bad_amount`, `bad_party`, `bad_redemption` | mend the request; nothing was done |
//! | 409 | `unknown_code`, `street_code`, `bad_token`, `other_store`, `other_chain`, `headquarters_away`, `used_elsewhere`, `already_redeemed`, `voided`, `not_yet_valid`, `expired`, `outside_hours` | hand nothing over |
//! | 409 | `id_used`, `number_used`, `unknown_redemption` | the number stands for something else, or for what was taken back; nothing was done |
//! | 429 | `wait` | come again after `Retry-After` seconds |
//! | 503 | `not_ready`, `not_kept` | nothing was done; ask again with the same number |

mod bill;
mod redeem;
mod tries;

use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::State;
use super::till::is_in_staff_network;
use crate::journal::CommitError;
use crate::ops::serve::Peer;
use crate::wire::pos::Pos;
pub(super) use tries::Tries;

/// How long whoever tries keys, or codes, waits.
const WAIT_SECONDS: &str = "30";

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/redeem", post(redeem::redeem).fallback(not_post))
        .route("/bill", post(bill::bill).fallback(not_post))
}

async fn not_post() -> Refusal {
    let message = "ask with POST";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not_post", message)
}

/// A request of a point of sale whose key fits, and its body.
struct Asked {
    pos: Pos,
    body: Bytes,
}

impl FromRequest<State> for Asked {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &State) -> Result<Self, Refusal> {
        let peer = request.extensions().get::<Peer>();
        let address = peer
            .map(|peer| peer.address.ip())
            .filter(|address| is_in_staff_network(state, *address))
            .ok_or_else(Refusal::wrong_network)?;
        let now = state.clock.since_boot();
        if state.key_tries.must_wait(address, now) {
            return Err(Refusal::wait("too many wrong keys came from this address"));
        }
        let Some(pos) = whose_key(state, request.headers()) else {
            state.key_tries.was_wrong(address, now);
            let message = "the key is none of this store's";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "wrong_key", message));
        };
        let body = Bytes::from_request(request, state).await.map_err(|_| {
            let message = "the body is too long or did not come";
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long", message)
        })?;
        Ok(Self { pos, body })
    }
}

fn whose_key(state: &State, headers: &HeaderMap) -> Option<Pos> {
    let key = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let key = key.strip_prefix("Bearer ")?.trim();
    let bundle = state.bundle();
    let mut known = state.own_store(&bundle)?.pos.iter();
    known.find(|pos| pos.knows(key)).cloned()
}

impl Asked {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // Where it is and never what: a body goes into no answer.
            let (line, column) = (error.line(), error.column());
            let message = format!(
                "the body is not the JSON that is asked for (line {line}, column {column})"
            );
            Refusal::bad("bad_json", &message)
        })
    }
}

/// A no, in a word for programs and a sentence for their makers.
struct Refusal {
    status: StatusCode,
    said: Said,
}

#[derive(Serialize)]
struct Said {
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        let message = message.to_owned();
        Self {
            status,
            said: Said { code, message },
        }
    }

    /// The request cannot be so.
    fn bad(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// The request is well and the answer is no.
    fn no(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    fn wait(message: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "wait", message)
    }

    fn wrong_network() -> Self {
        let message = "a point of sale is heard from the staff's network only";
        Self::new(StatusCode::FORBIDDEN, "wrong_network", message)
    }

    fn not_ready() -> Self {
        let message = "the box does not know its store yet";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message)
    }

    /// Logs what could not be kept, once.
    fn not_kept(error: &CommitError) -> Self {
        super::error::not_saved(error);
        let message = "the box could not write it down, so it was not done";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_kept", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &self.said);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = HeaderValue::from_static(WAIT_SECONDS);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

fn json(status: StatusCode, said: &impl Serialize) -> Response {
    let body = serde_json::to_vec(said).expect("an answer is plain data");
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
