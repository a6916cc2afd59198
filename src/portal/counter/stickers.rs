//! Where the stickers of the shop are: all of them, and one that somebody has scanned to say where it sticks.
//!
//! It is one frame of the journal, so it counts for the next guest, without headquarters and after a power cut.
//! A guest who scans a sticker that marks no place reads that our staff can help; in the staff network there is
//! the way to this page beside it.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::domain::event::Event;
use crate::domain::ids::{BindingId, StaffName, TouchpointCode};
use crate::domain::stickers::{TouchpointBound, natural, read_label, suggestions};
use crate::domain::store::{Touchpoint, TouchpointKind};
use crate::domain::wallet::moment_at;
use crate::journal::Verdict;
use crate::ops::files::random;
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, only_say};
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::place;
use crate::portal::till::{AtTill, SignedIn};
use crate::portal::visitor::Visitor;
use crate::wire::bundle::StoreFolder;
use crate::wire::frame::{self, Contents};

/// Names that are offered for a sticker, each on a button of its own.
const MOST_SUGGESTED: usize = 6;

/// Stickers that may give way to one at a time: more than that on one place is no slip.
const MOST_FREED: usize = 3;

/// The answer to a sticker that marks no place: the form for whoever is signed in, and a kind word for guests.
pub(in crate::portal) async fn unbound(
    state: &State,
    code: Option<TouchpointCode>,
    visitor: &Visitor,
    request: Request,
) -> Response {
    let bundle = state.bundle();
    let place = state.own_store(&bundle).zip(code);
    let place = place.and_then(|(folder, code)| Some((folder, folder.touchpoints.get(&code)?)));
    let Some((folder, touchpoint)) = place else {
        return Apology::UnknownCode.page(visitor);
    };
    let (mut parts, _) = request.into_parts();
    match AtTill::from_request_parts(&mut parts, state).await {
        Err(_) => Apology::UnknownCode.page(visitor),
        Ok(AtTill {
            staff: Some(staff), ..
        }) => ask(folder, touchpoint, (visitor, &staff), Trouble::None),
        Ok(AtTill { staff: None, .. }) => {
            let html = render(&BlankPage {
                shell: Shell::of(visitor, Some(&folder.store)),
                code: touchpoint.code,
            });
            page(StatusCode::NOT_FOUND, visitor.packing, html)
        }
    }
}

/// `GET /counter/stickers`
pub(super) async fn list(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let shell = Shell::new(visitor.language, LanguageLink::Here, Some(&folder.store));
    let mut stickers: Vec<_> = folder.touchpoints.values().collect();
    stickers.sort_by_key(|one| (!one.is_bound(), one.kind, natural(&one.label)));
    let row = |touchpoint: &&Touchpoint| Row {
        code: touchpoint.code,
        kind: place::kind(touchpoint.kind, &shell.t.kinds),
        label: touchpoint.is_bound().then(|| touchpoint.label.clone()),
    };
    let html = render(&StickersPage {
        store: folder.store.name.of(visitor.language),
        staff: &staff,
        blanks: stickers.iter().filter(|one| !one.is_bound()).count(),
        rows: stickers.iter().map(row).collect(),
        shell,
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// `GET /counter/stickers/{code}`
pub(super) async fn show(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
    code: Result<Path<TouchpointCode>, PathRejection>,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let touchpoint = code
        .ok()
        .and_then(|Path(code)| folder.touchpoints.get(&code));
    match touchpoint {
        None => Apology::UnknownCode.page(&visitor),
        Some(touchpoint) => ask(folder, touchpoint, (&visitor, &staff), Trouble::None),
    }
}

/// What stood in the way of a form that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    None,
    /// The name is empty, or too long for a sticker.
    BadLabel,
    /// Other stickers are at this place.
    Taken {
        /// As forms send it.
        kind: &'static str,
        label: String,
    },
}

/// The form of one sticker.
fn ask(
    folder: &StoreFolder,
    touchpoint: &Touchpoint,
    (visitor, staff): (&Visitor, &StaffName),
    trouble: Trouble,
) -> Response {
    let link = LanguageLink::Nowhere;
    let shell = Shell::new(visitor.language, link, Some(&folder.store));
    let t = &shell.t.kinds;
    let tables = folder.touchpoints.values();
    let tables = tables.filter(|one| one.kind == TouchpointKind::Table);
    let status = match trouble {
        Trouble::None => StatusCode::OK,
        Trouble::BadLabel => StatusCode::UNPROCESSABLE_ENTITY,
        Trouble::Taken { .. } => StatusCode::CONFLICT,
    };
    let html = render(&StickerPage {
        store: folder.store.name.of(visitor.language),
        staff,
        code: touchpoint.code,
        place: touchpoint.is_bound().then_some(touchpoint.label.as_str()),
        kind: place::kind(touchpoint.kind, t),
        kinds: TouchpointKind::ALL
            .map(|kind| Choice {
                value: kind.name(),
                name: place::kind(kind, t),
                is_chosen: kind == touchpoint.kind,
            })
            .into(),
        suggestions: suggestions(tables.map(|one| one.label.as_str()), MOST_SUGGESTED),
        trouble,
        shell,
    });
    page(status, visitor.packing, html)
}

#[derive(Debug, Deserialize)]
pub(super) struct BindForm {
    /// A name that was offered, instead of a typed one.
    #[serde(default)]
    pick: Option<String>,
    #[serde(default)]
    label: String,
    kind: TouchpointKind,
    #[serde(default)]
    others: Others,
}

/// What becomes of other stickers at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Others {
    /// Whoever binds decides when there are some.
    #[default]
    Ask,
    Stay,
    GiveWay,
}

/// `POST /counter/stickers/{code}`
pub(super) async fn bind(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    code: Result<Path<TouchpointCode>, PathRejection>,
    form: Result<Form<BindForm>, FormRejection>,
) -> Response {
    let (Ok(Path(code)), Ok(Form(form))) = (code, form) else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    // A name that was offered is of a table: it is the rows of tables that have gaps.
    let kind = if form.pick.is_some() {
        TouchpointKind::Table
    } else {
        form.kind
    };
    let label = read_label(form.pick.as_ref().unwrap_or(&form.label));
    let wish = label.ok_or(Trouble::BadLabel).map(|label| Wish {
        code,
        kind,
        label,
        others: form.others,
    });
    say(&state, signed_in, code, wish).await
}

/// `POST /counter/stickers/{code}/free`
pub(super) async fn free(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    code: Result<Path<TouchpointCode>, PathRejection>,
) -> Response {
    let Ok(Path(code)) = code else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    let wish = Wish {
        code,
        kind: TouchpointKind::Table,
        label: String::new(),
        others: Others::Stay,
    };
    say(&state, signed_in, code, Ok(wish)).await
}

/// Where a sticker is to be.
#[derive(Debug, Clone)]
struct Wish {
    code: TouchpointCode,
    kind: TouchpointKind,
    /// Empty: no place.
    label: String,
    others: Others,
}

async fn say(
    state: &State,
    SignedIn { visitor, staff, .. }: SignedIn,
    code: TouchpointCode,
    wish: Result<Wish, Trouble>,
) -> Response {
    let said = match wish {
        Err(trouble) => Ok(Err(trouble)),
        Ok(wish) => {
            let (state_there, by) = (state.clone(), staff.clone());
            let ids = std::array::from_fn(|_| BindingId::from_entropy(random()));
            let decide = move |_: &mut Ledger| decide(&state_there, &wish, &by, ids);
            state.journal.commit(decide).await
        }
    };
    match said {
        Ok(Ok(())) => see_other(&format!("/counter/stickers/{code}")),
        Ok(Err(trouble)) => {
            let bundle = state.bundle();
            let folder = state.own_store(&bundle);
            let found = folder.and_then(|folder| Some((folder, folder.touchpoints.get(&code)?)));
            match found {
                Some((folder, touchpoint)) => ask(folder, touchpoint, (&visitor, &staff), trouble),
                None => Apology::UnknownCode.page(&visitor),
            }
        }
        Err(error) => not_saved(&error).page(&visitor),
    }
}

/// On the journal's thread: what is to be written, against the table as all earlier words have made it.
fn decide(
    state: &State,
    wish: &Wish,
    staff: &StaffName,
    ids: [BindingId; MOST_FREED + 1],
) -> Verdict<Result<(), Trouble>> {
    let bundle = state.bundle();
    let folder = state.own_store(&bundle);
    let found = folder.and_then(|folder| Some((folder, folder.touchpoints.get(&wish.code)?)));
    let Some((folder, touchpoint)) = found else {
        // Gone from the table since the page was shown; whoever asks again reads that it is unknown.
        return only_say(Err(Trouble::None));
    };
    let is_as_wished =
        touchpoint.label == wish.label && (touchpoint.kind == wish.kind || wish.label.is_empty());
    if is_as_wished {
        return only_say(Ok(()));
    }
    let is_at = |other: &&Touchpoint| {
        other.code != wish.code && other.kind == wish.kind && other.label == wish.label
    };
    let others: Vec<_> = folder.touchpoints.values().filter(is_at).collect();
    let freed = match wish.others {
        _ if wish.label.is_empty() => &[],
        Others::Ask if !others.is_empty() => {
            return only_say(Err(Trouble::Taken {
                kind: wish.kind.name(),
                label: wish.label.clone(),
            }));
        }
        Others::Ask | Others::Stay => &[],
        Others::GiveWay => others.as_slice(),
    };
    let bound = |code, kind, label: &str, id| {
        Event::TouchpointBound(TouchpointBound {
            code,
            id,
            kind,
            label: label.to_owned(),
            staff: staff.clone(),
        })
    };
    let [id, rest @ ..] = ids;
    let kind = if wish.label.is_empty() {
        touchpoint.kind
    } else {
        wish.kind
    };
    let freed = freed.iter().zip(rest);
    let events = freed
        .map(|(other, id)| bound(other.code, other.kind, "", id))
        .chain([bound(wish.code, kind, &wish.label, id)]);
    let contents = Contents {
        store: folder.store.id.clone(),
        boot_time: state.boot_time(),
        moment: moment_at(&folder.store, state.now()),
        events: events.map(|event| (SignedDuration::ZERO, event)).collect(),
    };
    Verdict {
        body: Some(frame::encode(&contents)),
        answer: Ok(()),
    }
}

/// One sticker of the list.
struct Row<'a> {
    code: TouchpointCode,
    kind: &'a str,
    /// None: it marks no place.
    label: Option<String>,
}

#[derive(Template)]
#[template(path = "portal/counter_stickers.html")]
struct StickersPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    rows: Vec<Row<'a>>,
    blanks: usize,
}

struct Choice<'a> {
    value: &'static str,
    name: &'a str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "portal/counter_sticker.html")]
struct StickerPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    code: TouchpointCode,
    place: Option<&'a str>,
    kind: &'a str,
    kinds: Vec<Choice<'a>>,
    suggestions: Vec<String>,
    trouble: Trouble,
}

#[derive(Template)]
#[template(path = "portal/blank.html")]
struct BlankPage {
    shell: Shell,
    code: TouchpointCode,
}
