//! The counter page: how the box is doing, in words for the manager of the shop.
//!
//! It opens like the till: from the staff network, on a paired device, for somebody who is signed in. It
//! tells what waits for headquarters and why, and what can be done about it here.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::State;
use super::pages::{LanguageLink, Shell, page, render, see_other};
use super::texts::Counter;
use super::till::AtTill;
use crate::domain::calendar::day_and_clock;
use crate::domain::ids::StaffName;
use crate::wire::link::LinkState;

#[derive(Template)]
#[template(path = "portal/counter.html")]
struct CounterPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    link: &'a str,
    is_well: bool,
    /// Captures that wait for headquarters, and since when.
    waiting: u64,
    oldest: Option<String>,
}

/// `GET /counter`
pub(super) async fn show(Extract(state): Extract<State>, at_till: AtTill) -> Response {
    let AtTill { visitor, staff, .. } = at_till;
    let Some(staff) = staff else {
        return see_other("/till");
    };
    let bundle = state.bundle();
    let store = state.own_store(&bundle).map(|folder| &folder.store);
    let shell = Shell::new(visitor.language, LanguageLink::Here, store);
    let (waiting, oldest_ms) = {
        let depths = state.outbox.depths();
        let p0 = &depths.borrow().p0;
        (p0.frames, p0.oldest_unix_ms)
    };
    let oldest = oldest_ms
        .and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok())
        .zip(store)
        .map(|(time, store)| day_and_clock(store.local(time)));
    let link = state.link.as_ref().map(|link| *link.borrow());
    let html = render(&CounterPage {
        store: store.map_or("", |store| store.name.of(visitor.language)),
        staff: &staff,
        link: words(&shell.t.counter, link),
        is_well: matches!(link, None | Some(LinkState::Online)),
        waiting,
        oldest,
        shell,
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

fn words(texts: &Counter, link: Option<LinkState>) -> &str {
    match link {
        None => &texts.alone,
        Some(LinkState::Unknown) => &texts.unknown,
        Some(LinkState::Online) => &texts.online,
        Some(LinkState::ClockBad) => &texts.clock_bad,
        Some(LinkState::Offline) => &texts.offline,
        Some(LinkState::HqDown) => &texts.hq_down,
        Some(LinkState::CertBad) => &texts.cert_bad,
        Some(LinkState::UpstreamCaptive) => &texts.upstream_captive,
    }
}
