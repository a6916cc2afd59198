//! The till: a paired device, a member of staff with a PIN, and a code that is redeemed once.
//!
//! It opens from the staff network only. A device is paired with a one-time code that the operator asks
//! the running gateway for; staff sign in on it with their PIN; from then on a redemption is one form.

mod about;
mod bill;
pub(super) mod pairing;
pub(super) mod redeem;
pub(super) mod script;
pub(super) mod sign_in;
mod undo;

pub(super) use sign_in::address_to_pair;
pub(super) mod sisters;

use std::fmt;
use std::net::IpAddr;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;

use super::State;
use super::cookie;
use super::error::Apology;
use super::pages::see_other;
use super::visitor::Visitor;
use crate::domain::ids::{DeviceId, StaffName};
use crate::ops::serve::Peer;
use crate::portal::form::{Form, FormRejection};
use crate::wire::encoding::{from_base64, to_base64};
use crate::wire::staff::Staff;

pub(super) use redeem::gift;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(open))
        .route("/pair", get(sign_in::scanned).post(sign_in::pair))
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/redeem", post(redeem::redeem))
        .route("/undo", post(undo::undo))
        .route("/undo/manager", post(undo::by_manager))
        .route("/bill", post(bill::note))
        .route(script::ROUTE, get(script::send))
}

/// A request from the staff network.
pub(super) struct AtTill {
    pub(super) visitor: Visitor,
    pub(super) device: Option<DeviceId>,
    pub(super) staff: Option<StaffName>,
}

impl FromRequestParts<State> for AtTill {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
        let address = parts.extensions.get::<Peer>().map(|peer| peer.address.ip());
        if !address.is_some_and(|address| is_in_staff_network(state, address)) {
            return Err(Apology::StaffOnly.page(&visitor));
        }
        let device = state
            .signer
            .get(&parts.headers, cookie::DEVICE)
            .and_then(|value| DeviceId::parse(value).ok());
        let staff = device.and_then(|device| {
            let value = state.signer.get(&parts.headers, cookie::STAFF)?;
            let shift = Shift::read(value)?;
            let bundle = state.bundle();
            let staff = &state.own_store(&bundle)?.staff;
            shift.holder(device, staff, state.now()).cloned()
        });
        Ok(Self {
            visitor,
            device,
            staff,
        })
    }
}

/// A request from the staff network by somebody whose shift is on; anybody else there is led to the till.
pub(super) struct SignedIn {
    pub(super) visitor: Visitor,
    pub(super) device: DeviceId,
    pub(super) staff: StaffName,
}

impl FromRequestParts<State> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        match AtTill::from_request_parts(parts, state).await? {
            AtTill {
                visitor,
                device: Some(device),
                staff: Some(staff),
            } => Ok(Self {
                visitor,
                device,
                staff,
            }),
            AtTill { .. } => Err(see_other("/till")),
        }
    }
}

/// Whether the till may be used from `address`.
pub(super) fn is_in_staff_network(state: &State, address: IpAddr) -> bool {
    let address = address.to_canonical();
    state.till_networks.iter().any(|net| net.contains(&address))
}

/// A staff cookie's value: who signed in on which device, with which PIN's verifier, and until when.
///
/// It ends with its time, with the person's entry in the bundle, and with a new PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shift {
    device: DeviceId,
    name: StaffName,
    /// The beginning of the verifier: enough to see that it is the same one.
    verifier: String,
    /// Unix seconds.
    until: i64,
}

impl Shift {
    fn begin(device: DeviceId, staff: &Staff, until: i64) -> Self {
        Self {
            device,
            name: staff.name.clone(),
            verifier: mark(staff),
            until,
        }
    }

    fn read(value: &str) -> Option<Self> {
        let mut parts = value.split('.');
        let device = DeviceId::parse(parts.next()?).ok()?;
        let name = String::from_utf8(from_base64(parts.next()?)?).ok()?;
        Some(Self {
            device,
            name: StaffName::parse(&name).ok()?,
            verifier: parts.next()?.to_owned(),
            until: parts.next()?.parse().ok()?,
        })
    }

    /// Whose shift it is, if it is still on.
    fn holder<'s>(
        &self,
        device: DeviceId,
        staff: &'s [Staff],
        now: Timestamp,
    ) -> Option<&'s StaffName> {
        if self.device != device || now.as_second() >= self.until {
            return None;
        }
        staff
            .iter()
            .find(|staff| staff.name == self.name && mark(staff) == self.verifier)
            .map(|staff| &staff.name)
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = to_base64(self.name.as_str().as_bytes());
        write!(f, "{}.{name}.{}.{}", self.device, self.verifier, self.until)
    }
}

fn mark(staff: &Staff) -> String {
    staff.verifier.chars().take(12).collect()
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
            let nothing = redeem::Outcome::None;
            redeem::page(&state, &at_till.visitor, staff, nothing, None)
        }
    };
    (remember, response).into_response()
}

/// A form's fields, or the apology for their absence.
fn fields<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Apology> {
    form.map(|Form(form)| form).map_err(|_| Apology::Incomplete)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::staff::Role;

    fn staff(name: &str, pin: &str) -> Staff {
        Staff::new(StaffName::parse(name).unwrap(), Role::Staff, pin, [7; 16])
    }

    #[test]
    fn a_shift_ends_with_its_time_its_person_and_a_new_pin() {
        let now: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        let device = DeviceId::from_entropy([1; 16]);
        let lin = staff("小林", "4711");
        let shift = Shift::begin(device, &lin, now.as_second() + 60);
        let shift = Shift::read(&shift.to_string()).unwrap();
        let on = |device, staff: &[Staff], now| shift.holder(device, staff, now).is_some();

        assert!(on(device, std::slice::from_ref(&lin), now));
        let later = now + jiff::SignedDuration::from_secs(61);
        assert!(!on(device, std::slice::from_ref(&lin), later));
        assert!(!on(device, &[staff("小林", "4712")], now), "a new PIN");
        assert!(
            !on(device, &[staff("other", "4711")], now),
            "gone from the bundle"
        );
        let other = DeviceId::from_entropy([2; 16]);
        assert!(!on(other, std::slice::from_ref(&lin), now));
    }
}
