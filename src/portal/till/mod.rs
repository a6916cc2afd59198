//! The till: a paired device, a member of staff with a PIN, and a code that is redeemed once.
//!
//! It opens from the staff network only. A device is paired with a one-time code that the operator asks
//! the running gateway for; staff sign in on it with their PIN; from then on a redemption is one form.

pub(super) mod pairing;
mod redeem;
mod sign_in;

use axum::extract::FromRequestParts;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use jiff::Timestamp;

use super::State;
use super::cookie;
use super::error::Apology;
use super::visitor::Visitor;
use crate::domain::ids::{DeviceId, StaffName};
use crate::ops::serve::Peer;
use crate::wire::encoding::from_base64;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(open))
        .route("/pair", post(sign_in::pair))
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/redeem", post(redeem::redeem))
        .route("/undo", post(redeem::undo))
}

/// A request from the staff network.
struct AtTill {
    visitor: Visitor,
    device: Option<DeviceId>,
    staff: Option<StaffName>,
}

impl FromRequestParts<State> for AtTill {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
        let address = parts.extensions.get::<Peer>().map(|peer| peer.address.ip());
        let is_staff_network = address.is_some_and(|address| {
            let address = address.to_canonical();
            state.till_networks.iter().any(|net| net.contains(&address))
        });
        if !is_staff_network {
            return Err(Apology::StaffOnly.page(&visitor));
        }
        let device = state
            .signer
            .get(&visitor.headers, cookie::DEVICE)
            .and_then(|value| DeviceId::parse(value).ok());
        let staff = device.and_then(|device| {
            let value = state.signer.get(&visitor.headers, cookie::STAFF)?;
            signed_in(value, device, state.now())
        });
        Ok(Self {
            visitor,
            device,
            staff,
        })
    }
}

/// Reads a staff cookie's value `<device>.<name in base64>.<until, Unix seconds>`.
fn signed_in(value: &str, device: DeviceId, now: Timestamp) -> Option<StaffName> {
    let mut parts = value.split('.');
    let on_device = DeviceId::parse(parts.next()?).ok()?;
    let name = String::from_utf8(from_base64(parts.next()?)?).ok()?;
    let until: i64 = parts.next()?.parse().ok()?;
    if on_device != device || now.as_second() >= until {
        return None;
    }
    StaffName::parse(&name).ok()
}

/// `GET /till`: the page for whoever is there.
async fn open(
    axum::extract::State(state): axum::extract::State<State>,
    at_till: AtTill,
) -> Response {
    let remember = at_till.visitor.remember_language();
    let response = match (at_till.device, &at_till.staff) {
        (None, _) => sign_in::pair_page(&state, &at_till.visitor, sign_in::Pairing::Asked),
        (Some(_), None) => sign_in::page(&state, &at_till.visitor, StatusCode::OK, None),
        (Some(_), Some(staff)) => {
            redeem::page(&state, &at_till.visitor, staff, redeem::Outcome::None)
        }
    };
    (remember, response).into_response()
}

/// A form's fields, or the apology for their absence.
fn fields<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Apology> {
    form.map(|Form(form)| form).map_err(|_| Apology::Incomplete)
}
