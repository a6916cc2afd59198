//! One guest at the counter, found by the code of their card or of a coupon: whether they are a VIP, since when,
//! what is missing; and what staff say of them by hand.
//!
//! Staff make a VIP with one tap. Taking it away is a manager's word, with their PIN, because a guest has earned
//! it. Who is in the group nobody tells us but staff. The page names nobody: it shows a code, days and counts.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::calendar::business_day;
use crate::domain::ids::{MemberCode, StaffName, Vid};
use crate::domain::members::{Member, Topic};
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, only_say, write_all};
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::texts::texts;
use crate::portal::till::sign_in::{PinRefused, SignInForm, try_pin};
use crate::portal::till::{SignedIn, redeem};
use crate::portal::vip;
use crate::wire::bundle::Bundle;
use crate::wire::staff::{Role, Staff};

/// Where the guest with this card is shown.
pub(in crate::portal) fn address(card: MemberCode) -> String {
    format!("/counter/guest?code={card}")
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    code: String,
}

/// `GET /counter/guest`
pub(super) async fn show(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let code = asked.map(|Query(asked)| asked.code).unwrap_or_default();
    draw(&state, &signed_in, code, None).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Vip,
    End,
    Joined,
    Left,
}

impl What {
    /// What is said, and whether it is so from now on.
    const fn topic(self) -> (Topic, bool) {
        match self {
            Self::Vip => (Topic::Vip, true),
            Self::End => (Topic::Vip, false),
            Self::Joined => (Topic::Group, true),
            Self::Left => (Topic::Group, false),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct SayForm {
    code: String,
    what: What,
    /// A manager, where one is needed.
    name: Option<StaffName>,
    pin: Option<String>,
}

/// `POST /counter/guest`: a word of staff on a guest.
pub(super) async fn say(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    form: Result<Form<SayForm>, FormRejection>,
) -> Response {
    let visitor = &signed_in.visitor;
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(visitor);
    };
    let mut by = signed_in.staff.clone();
    if form.what == What::End {
        let Some((name, pin)) = form.name.zip(form.pin) else {
            return Apology::Incomplete.page(visitor);
        };
        let typed = SignInForm { name, pin };
        let is_manager = |staff: &Staff| staff.role == Role::Manager;
        match try_pin(&state, visitor, signed_in.device, typed, is_manager).await {
            Ok(manager) => by = manager.name,
            Err(PinRefused::NotKept(apology)) => return apology.page(visitor),
            Err(PinRefused::Said(status, fault)) => {
                return draw(&state, &signed_in, form.code, Some((status, fault))).await;
            }
        }
    }
    let (bundle, boot_time) = (state.bundle(), state.boot_time());
    let (on_thread, clock) = (state.clone(), Arc::clone(&state.clock));
    let (code, (topic, is)) = (form.code.clone(), form.what.topic());
    let decide = move |ledger: &mut Ledger| {
        let vid = find(&on_thread, &bundle, ledger, &code);
        let Some((vid, folder)) = vid.zip(on_thread.own_store(&bundle)) else {
            return only_say(());
        };
        let now = clock.now();
        let today = business_day(folder.store.local(now));
        let said = ledger
            .members()
            .say(topic, (vid, is), (today, now), Some(by));
        match said {
            Some(event) => write_all(boot_time, (&folder.store, now), [event], ()),
            None => only_say(()),
        }
    };
    match state.journal.commit(decide).await {
        Ok(()) => {
            let shown = MemberCode::parse(&form.code).map(address);
            match shown {
                Ok(address) => see_other(&address),
                // By the code of a coupon: it may be a QR, which no address has room for.
                Err(_) => draw(&state, &signed_in, form.code, None).await,
            }
        }
        Err(error) => not_saved(&error).page(visitor),
    }
}

/// Whose code this is.
fn find(state: &State, bundle: &Bundle, ledger: &Ledger, typed: &str) -> Option<Vid> {
    if let Ok(card) = MemberCode::parse(typed) {
        return ledger.members().of_code(card);
    }
    let shown = redeem::read(typed, state, bundle).ok()?;
    let wallet = ledger.wallet();
    let coupon = wallet.coupon(wallet.shown(&shown)?)?;
    Some(coupon.claim.vid)
}

async fn draw(
    state: &State,
    SignedIn { visitor, staff, .. }: &SignedIn,
    code: String,
    fault: Option<(StatusCode, String)>,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let is_asked = !code.trim().is_empty();
    let (on_thread, rules, typed) = (state.clone(), Arc::clone(&bundle), code.clone());
    let look = move |ledger: &mut Ledger| {
        let vid = find(&on_thread, &rules, ledger, &typed);
        only_say(vid.map(|vid| (vid, ledger.members().get(vid).cloned().unwrap_or_default())))
    };
    let found = match state.journal.commit(look).await {
        Ok(found) => found.filter(|_| is_asked),
        Err(error) => return not_saved(&error).page(visitor),
    };
    let language = visitor.language;
    let today = business_day(folder.store.local(state.now()));
    let (status, fault) = fault.unzip();
    let unknown = (is_asked && found.is_none()).then_some(StatusCode::NOT_FOUND);
    let managers = folder.staff.iter();
    let managers = managers.filter(|staff| staff.role == Role::Manager);
    let html = render(&GuestPage {
        shell: Shell::new(
            language,
            LanguageLink::At("/counter/guest"),
            Some(&folder.store),
        ),
        store: folder.store.name.of(language),
        staff,
        is_unknown: unknown.is_some(),
        shown: found.map(|(vid, guest)| Shown {
            card: MemberCode::of(vid),
            vip_since: guest.vip_since(),
            group_since: guest.in_group_since(),
            visits: visits(&guest, &texts(language).guest),
            ways: vip::ways(&guest, &bundle.members, today, language),
        }),
        code,
        managers: managers.map(|staff| &staff.name).collect(),
        fault,
    });
    let status = status.or(unknown).unwrap_or(StatusCode::OK);
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// How often they came of late, and when last.
fn visits(guest: &Member, t: &crate::portal::texts::Guest) -> String {
    let days = guest.days();
    let words = match days.len() {
        0 => return t.none.clone(),
        1 => &t.visit,
        _ => &t.visits,
    };
    let last = days.last().map(Date::to_string);
    words
        .replace("{n}", &days.len().to_string())
        .replace("{day}", &last.unwrap_or_default())
}

/// A guest who was found.
struct Shown {
    card: MemberCode,
    vip_since: Option<Date>,
    group_since: Option<Date>,
    visits: String,
    ways: Vec<String>,
}

#[derive(Template)]
#[template(path = "portal/counter_guest.html")]
struct GuestPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    code: String,
    is_unknown: bool,
    shown: Option<Shown>,
    managers: Vec<&'a StaffName>,
    /// What came of a PIN that was typed.
    fault: Option<String>,
}
