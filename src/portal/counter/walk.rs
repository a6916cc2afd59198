//! The walk past all stickers of the shop: begun here, gone on with by scanning, and finished here.
//!
//! Only its end is written down, as counts: headquarters sees when a store was last walked, and how it was.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};

use crate::domain::event::Event;
use crate::domain::ids::{StaffName, TouchpointCode};
use crate::domain::walk::{Findings, Line};
use crate::portal::State;
use crate::portal::cookie;
use crate::portal::error::not_saved;
use crate::portal::ledger::{Ledger, happening, write};
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::place;
use crate::portal::texts::Texts;
use crate::portal::till::SignedIn;
use crate::portal::walk::reason;
use crate::sheet::SHEET_VERSION;
use crate::wire::bundle::StoreFolder;

/// `GET /counter/walk`
pub(super) async fn show(Extract(state): Extract<State>, signed_in: SignedIn) -> Response {
    let SignedIn {
        visitor,
        device,
        staff,
    } = &signed_in;
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let shell = Shell::new(visitor.language, LanguageLink::Here, Some(&folder.store));
    let round = state.rounds.of(*device, state.clock.since_boot());
    let html = render(&WalkPage {
        store: folder.store.name.of(visitor.language),
        staff,
        round: round.map(|round| {
            let findings = round.walk.findings(folder.touchpoints.values());
            Told::of(folder, &findings, round.is_over, shell.t)
        }),
        version: SHEET_VERSION,
        shell,
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// `POST /counter/walk/begin`
pub(super) async fn begin(
    Extract(state): Extract<State>,
    SignedIn { device, .. }: SignedIn,
) -> Response {
    state.rounds.begin(device, state.clock.since_boot());
    let mut response = see_other("/counter/walk");
    let cookie = state.signer.set(cookie::WALK, &device.to_string());
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// `POST /counter/walk/finish`
pub(super) async fn finish(
    Extract(state): Extract<State>,
    SignedIn {
        visitor,
        device,
        staff,
    }: SignedIn,
) -> Response {
    let since_boot = state.clock.since_boot();
    let bundle = state.bundle();
    let folder = state.own_store(&bundle);
    let round = state.rounds.of(device, since_boot);
    let goes_on = folder.zip(round.filter(|round| !round.is_over));
    if let Some((folder, round)) = goes_on {
        let findings = round.walk.findings(folder.touchpoints.values());
        let event = Event::WalkFinished(findings.finished(staff));
        let (store, boot_time, now) = (folder.store.clone(), state.boot_time(), state.now());
        let decide = move |_: &mut Ledger| write(boot_time, happening(&store, now, event), ());
        if let Err(error) = state.journal.commit(decide).await {
            // It goes on, and can be finished once more.
            return not_saved(&error).page(&visitor);
        }
        state.rounds.end(device, since_boot);
    }
    let mut response = see_other("/counter/walk");
    let cookie = cookie::clear(cookie::WALK);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// How a round stands, in words.
struct Told {
    is_over: bool,
    progress: String,
    is_complete: bool,
    missing: Vec<String>,
    /// Codes, and what is wrong with them.
    wrong: Vec<(String, String)>,
    /// Places, and the codes that lead to them.
    doubled: Vec<(String, Vec<TouchpointCode>)>,
    found: Vec<String>,
}

impl Told {
    fn of(folder: &StoreFolder, findings: &Findings, is_over: bool, t: &Texts) -> Self {
        let place = |line: &Line| format!("{} · {}", line.label, place::kind(line.kind, &t.kinds));
        let (found, missing): (Vec<_>, Vec<_>) =
            findings.lines.iter().partition(|line| line.is_found);
        let doubled = findings.lines.iter().filter(|line| line.is_double());
        let progress = t.walk.progress.replace("{n}", &found.len().to_string());
        let wrong = findings.wrong.iter();
        Self {
            is_over,
            progress: progress.replace("{all}", &findings.lines.len().to_string()),
            is_complete: missing.is_empty() && !folder.touchpoints.is_empty(),
            missing: missing.into_iter().map(place).collect(),
            wrong: wrong
                .map(|(text, wrong)| (text.clone(), reason(*wrong, &t.walk).to_owned()))
                .collect(),
            doubled: doubled
                .map(|line| (place(line), line.codes.clone()))
                .collect(),
            found: found.into_iter().map(place).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "portal/counter_walk.html")]
struct WalkPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    round: Option<Told>,
    version: u32,
}
