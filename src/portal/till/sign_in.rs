//! Pairing a device and signing in on it.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde::Deserialize;

use super::{AtTill, Shift, fields};
use crate::domain::event::{Event, RedeemRefused, RefusalReason};
use crate::domain::ids::{DeviceId, ShortCode, StaffName};
use crate::ops::files::random;
use crate::portal::State;
use crate::portal::cookie;
use crate::portal::coupon::on_the_wall;
use crate::portal::error::{Apology, not_kept};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, happening, write};
use crate::portal::pages::{self, LanguageLink, Shell, render, see_other};
use crate::portal::texts::texts;
use crate::portal::visitor::Visitor;
use crate::wire::staff::Staff;

/// How the pairing page came to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    Asked,
    /// By the address that a paired device showed.
    Scanned(ShortCode),
    Wrong,
}

#[derive(Debug, Deserialize)]
pub(super) struct PairForm {
    code: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Scanned {
    code: ShortCode,
}

/// Where a device that is to be paired is led.
pub(in crate::portal) fn address_to_pair(origin: &str, code: ShortCode) -> String {
    format!("{origin}/till/pair?code={code}")
}

/// `GET /till/pair`
pub(super) async fn scanned(
    axum::extract::State(state): axum::extract::State<State>,
    at_till: AtTill,
    asked: Result<Query<Scanned>, QueryRejection>,
) -> Response {
    match (at_till.device, asked) {
        (None, Ok(Query(Scanned { code }))) => {
            pair_page(&state, &at_till.visitor, Pairing::Scanned(code))
        }
        (Some(_), _) | (None, Err(_)) => see_other("/till"),
    }
}

/// `POST /till/pair`
pub(super) async fn pair(
    axum::extract::State(state): axum::extract::State<State>,
    at_till: AtTill,
    form: Result<Form<PairForm>, FormRejection>,
) -> Response {
    let form = match fields(form) {
        Ok(form) => form,
        Err(apology) => return apology.page(&at_till.visitor),
    };
    if !state.pairing.redeem(&form.code, &*state.clock) {
        return pair_page(&state, &at_till.visitor, Pairing::Wrong);
    }
    let device = DeviceId::from_entropy(random());
    tracing::info!(till.device = %device, "a till device was paired");
    let mut response = see_other("/till");
    let cookie = state.signer.set(cookie::DEVICE, &device.to_string());
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

pub(super) fn pair_page(state: &State, visitor: &Visitor, pairing: Pairing) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(visitor);
    };
    let (code, wrong, status) = match pairing {
        Pairing::Asked => (None, false, StatusCode::OK),
        Pairing::Scanned(code) => (Some(code), false, StatusCode::OK),
        Pairing::Wrong => (None, true, StatusCode::FORBIDDEN),
    };
    let html = render(&PairPage {
        shell: Shell::new(
            visitor.language,
            LanguageLink::At("/till"),
            Some(&folder.store),
        ),
        code,
        wrong,
    });
    pages::page(status, visitor.packing, html)
}

#[derive(Debug, Deserialize)]
pub(in crate::portal) struct SignInForm {
    pub(in crate::portal) name: StaffName,
    pub(in crate::portal) pin: String,
}

/// `POST /till/sign-in`
pub(super) async fn sign_in(
    axum::extract::State(state): axum::extract::State<State>,
    at_till: AtTill,
    form: Result<Form<SignInForm>, FormRejection>,
) -> Response {
    let visitor = &at_till.visitor;
    let form = match fields(form) {
        Ok(form) => form,
        Err(apology) => return apology.page(visitor),
    };
    let Some(device) = at_till.device else {
        return pair_page(&state, visitor, Pairing::Asked);
    };
    match try_pin(&state, visitor, device, form, |_| true).await {
        Ok(staff) => {
            let until = state.now().as_second() + i64::from(cookie::STAFF.max_age_seconds);
            let value = Shift::begin(device, &staff, until).to_string();
            let mut response = see_other("/till");
            let cookie = state.signer.set(cookie::STAFF, &value);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(PinRefused::NotKept(apology)) => apology.page(visitor),
        Err(PinRefused::Said(status, fault)) => page(&state, visitor, status, Some(fault)),
    }
}

/// Why a PIN does not help.
pub(in crate::portal) enum PinRefused {
    /// It is wrong, or it is not its time: what stands at the field.
    Said(StatusCode, String),
    /// That it was wrong could not be written down.
    NotKept(Apology),
}

/// The member of staff who `may`, if the PIN is theirs. A wrong one counts on this device.
pub(in crate::portal) async fn try_pin(
    state: &State,
    visitor: &Visitor,
    device: DeviceId,
    typed: SignInForm,
    may: fn(&Staff) -> bool,
) -> Result<Staff, PinRefused> {
    // One at a time: tries sent all at once would otherwise all pass the wait before the first counts.
    let _turn = state.pin_turn.lock().await;
    if let Some(fault) = must_wait(state, device, visitor) {
        return Err(PinRefused::Said(StatusCode::TOO_MANY_REQUESTS, fault));
    }
    if let Some(staff) = with_pin(state, typed, may).await {
        return Ok(staff);
    }
    count_wrong_pin(state, device)
        .await
        .map_err(PinRefused::NotKept)?;
    let fault = texts(visitor.language).till.pin_wrong.clone();
    Err(PinRefused::Said(StatusCode::FORBIDDEN, fault))
}

/// The sentence that says until when this device waits.
fn must_wait(state: &State, device: DeviceId, visitor: &Visitor) -> Option<String> {
    let bundle = state.bundle();
    let folder = state.own_store(&bundle)?;
    let now = state.now();
    let from = state.wallet.read().pin_allowed_from(device, now);
    if from <= now {
        return None;
    }
    let until = on_the_wall(&folder.store, from);
    Some(format!("{} {until}", texts(visitor.language).till.pin_wait))
}

/// The member of staff whose name and PIN these are.
async fn with_pin(state: &State, form: SignInForm, may: fn(&Staff) -> bool) -> Option<Staff> {
    let bundle = state.bundle();
    let mut staff = state.own_store(&bundle)?.staff.iter();
    let staff = staff.find(|staff| staff.name == form.name && may(staff))?;
    let staff = staff.clone();
    // Twenty milliseconds of hashing are too long for an async thread.
    tokio::task::spawn_blocking(move || staff.knows(&form.pin).then_some(staff))
        .await
        .ok()
        .flatten()
}

/// Writes a wrong PIN down before it is answered, so that the wait outlives a restart.
async fn count_wrong_pin(state: &State, device: DeviceId) -> Result<(), Apology> {
    let bundle = state.bundle();
    let folder = state.own_store(&bundle).ok_or(Apology::NoSuchPage)?;
    let event = Event::RedeemRefused(RedeemRefused {
        reason: RefusalReason::WrongPin,
        device,
        coupon: None,
    });
    let (store, now) = (folder.store.clone(), state.now());
    let boot_time = state.boot_time();
    state
        .journal
        .commit(move |ledger: &mut Ledger| {
            let stamp = ledger.wallet().slip_stamp(device, now);
            write(boot_time, happening(&store, stamp, event), ())
        })
        .await
        .map_err(|error| not_kept(&error))
}

/// `POST /till/sign-out`
pub(super) async fn sign_out(_at_till: AtTill) -> Response {
    let mut response = see_other("/till");
    let cookie = cookie::clear(cookie::STAFF);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

pub(super) fn page(
    state: &State,
    visitor: &Visitor,
    status: StatusCode,
    fault: Option<String>,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(visitor);
    };
    let html = render(&SignInPage {
        shell: Shell::new(
            visitor.language,
            LanguageLink::At("/till"),
            Some(&folder.store),
        ),
        store: folder.store.name.of(visitor.language),
        staff: folder.staff.iter().map(|staff| &staff.name).collect(),
        fault,
    });
    pages::page(status, visitor.packing, html)
}

#[derive(Template)]
#[template(path = "portal/till_pair.html")]
struct PairPage {
    shell: Shell,
    code: Option<ShortCode>,
    wrong: bool,
}

#[derive(Template)]
#[template(path = "portal/till_sign_in.html")]
struct SignInPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: Vec<&'a StaffName>,
    fault: Option<String>,
}
