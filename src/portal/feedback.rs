//! What a guest asks of the shop and says to it: calls for staff, a rating, words; and what became of them.
//!
//! A call makes sense where somebody can come: from a table of the store this box stands in. From anywhere else,
//! and from the street, the page takes a rating and words and says why it takes no call. It promises an answer
//! only where there is one: a request is shown once it is on stable storage, to whoever knows its address or
//! brings the cookie it was sent with. Words are never logged.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::State;
use super::coupon::on_the_wall;
use super::diner;
use super::error::{Apology, not_saved};
use super::ledger::{Ledger, happening, only_say, write};
use super::pages::{Shell, page, render};
use super::texts::{Feedback as Texts, texts};
use super::visitor::Visitor;
use crate::domain::event::Event;
use crate::domain::feedback::inbox::{Asked, Asking, Enough, Inbox, Request, Said};
use crate::domain::feedback::{BadWords, Call, MOST_WORDS, Rating, Words};
use crate::domain::ids::{RequestId, StoreId, TouchpointCode, Vid};
use crate::domain::store::{Store, Touchpoint, TouchpointKind};
use crate::domain::text::Language;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::{Bundle, StoreFolder};

/// A guest is shown what they said within so long.
const OWN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// As many as fit a page of 14 KB, each with its longest words.
const MOST_OWN: usize = 4;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(without_place).post(say))
        .route("/call", post(call))
        .route("/{code}", get(at_place))
        .route("/said/{id}", get(said).post(write_back))
}

/// Where a guest is.
#[derive(Clone, Copy)]
struct Here<'b> {
    folder: &'b StoreFolder,
    touchpoint: Option<&'b Touchpoint>,
}

impl<'b> Here<'b> {
    /// The place of a code, or, without one, the store this box stands in.
    fn find(
        bundle: &'b Bundle,
        own: Option<&StoreId>,
        code: Option<TouchpointCode>,
    ) -> Option<Self> {
        match code {
            Some(code) => {
                let (folder, touchpoint) = bundle.touchpoint(code)?;
                touchpoint.is_bound().then_some(Self {
                    folder,
                    touchpoint: Some(touchpoint),
                })
            }
            None => Some(Self {
                folder: bundle.stores.get(own?)?,
                touchpoint: None,
            }),
        }
    }

    const fn store(&self) -> &'b Store {
        &self.folder.store
    }

    /// The place that staff can come to.
    fn table(&self, own: Option<&StoreId>) -> Option<&'b Touchpoint> {
        let is_table = |place: &&Touchpoint| place.kind == TouchpointKind::Table;
        self.touchpoint
            .filter(is_table)
            .filter(|_| own == Some(&self.folder.store.id))
    }
}

/// `GET /feedback`
async fn without_place(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    show(&state, &visitor, None, Draft::default()).await
}

/// `GET /feedback/{code}`
async fn at_place(
    Extract(state): Extract<State>,
    visitor: Visitor,
    code: Result<Path<TouchpointCode>, PathRejection>,
) -> Response {
    let Ok(Path(code)) = code else {
        return Apology::UnknownCode.page(&visitor);
    };
    show(&state, &visitor, Some(code), Draft::default()).await
}

/// What has been typed into the form, and what is wrong with it.
#[derive(Default)]
struct Draft {
    rating: Option<Rating>,
    words: String,
    fault: Option<&'static str>,
}

async fn show(
    state: &State,
    visitor: &Visitor,
    code: Option<TouchpointCode>,
    draft: Draft,
) -> Response {
    let bundle = state.bundle();
    let own = state.store.as_ref();
    let Some(here) = Here::find(&bundle, own, code) else {
        return Apology::UnknownCode.page(visitor);
    };
    let status = match draft.fault {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let language = visitor.language;
    let t = &texts(language).feedback;
    let said = match visitor.vid {
        Some(vid) => said_by(state, here.store(), vid).await,
        None => Vec::new(),
    };
    let html = render(&FeedbackPage {
        shell: Shell::of(visitor, Some(here.store())),
        label: here.touchpoint.map(|place| place.label.as_str()),
        is_table: here
            .touchpoint
            .is_some_and(|place| place.kind == TouchpointKind::Table),
        code: here.touchpoint.map(|place| place.code),
        calls: here
            .table(own)
            .map(|_| Call::ALL.map(|call| (call.name(), called(t, call)))),
        no_call: match own {
            Some(_) => &t.no_call,
            None => &t.no_call_street,
        },
        id: RequestId::from_entropy(random()),
        rated: draft.rating.map_or(0, Rating::stars),
        words: draft.words,
        most: MOST_WORDS,
        fault: draft.fault,
        said: said
            .iter()
            .map(|request| Shown::of(request, &bundle, language))
            .collect(),
    });
    (
        visitor.remember_language(),
        page(status, visitor.packing, html),
    )
        .into_response()
}

/// What a diner said in the last day, the newest first, once it is on stable storage.
async fn said_by(state: &State, store: &Store, vid: Vid) -> Vec<Request> {
    let (store, since) = (store.id.clone(), ago(state.now(), OWN_FOR));
    let read = move |inbox: &Inbox| -> Vec<Request> {
        let own = |request: &&Request| request.vid == vid && request.at >= since;
        let latest = inbox.of_store(&store).filter(own).rev().take(MOST_OWN);
        latest.cloned().collect()
    };
    let look = move |ledger: &mut Ledger| only_say(read(ledger.inbox()));
    // Where the journal cannot write, nothing new could be said either: the form is shown without the rest.
    state.journal.commit(look).await.unwrap_or_default()
}

fn ago(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

#[derive(Debug, Deserialize)]
struct CallForm {
    code: TouchpointCode,
    what: Call,
}

/// `POST /feedback/call`
async fn call(
    Extract(state): Extract<State>,
    visitor: Visitor,
    form: Result<Form<CallForm>, FormRejection>,
) -> Response {
    let Ok(Form(CallForm { code, what })) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let id = RequestId::from_entropy(random());
    let own = state.store.clone();
    ask(
        &state,
        &visitor,
        Some(code),
        id,
        move |inbox, asking, here| {
            // Gone from the bundle since the page was shown, or never a table of ours.
            let table = here.table(own.as_ref()).ok_or(Apology::UnknownCode)?;
            let asked = inbox.call(asking, table.code, what)?;
            Ok(match asked {
                Asked::AsBefore(id) => (id, None),
                Asked::New(called) => {
                    metrics::count(metrics::STAFF_CALLS);
                    (called.id, Some(Event::StaffCalled(called)))
                }
            })
        },
    )
    .await
}

#[derive(Debug, Deserialize)]
struct SayForm {
    /// Drawn when the page was shown, so that a form sent twice says it once.
    id: RequestId,
    #[serde(default)]
    code: String,
    #[serde(default)]
    rating: Option<u8>,
    #[serde(default)]
    words: String,
}

/// `POST /feedback`
async fn say(
    Extract(state): Extract<State>,
    visitor: Visitor,
    form: Result<Form<SayForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let code = match form.code.as_str() {
        "" => None,
        code => match TouchpointCode::parse(code) {
            Ok(code) => Some(code),
            Err(_) => return Apology::UnknownCode.page(&visitor),
        },
    };
    let Ok(rating) = form.rating.map(Rating::try_from).transpose() else {
        return Apology::Incomplete.page(&visitor);
    };
    let t = &texts(visitor.language).feedback;
    let words = match Words::typed(&form.words) {
        Ok(None) if rating.is_none() => Err(BadWords::Empty),
        typed => typed,
    };
    let words = match words {
        Ok(words) => words,
        Err(bad) => {
            let draft = Draft {
                rating,
                words: form.words,
                fault: Some(fault(t, bad)),
            };
            return show(&state, &visitor, code, draft).await;
        }
    };
    ask(&state, &visitor, code, form.id, move |inbox, asking, _| {
        Ok(match inbox.feedback(asking, rating, words)? {
            Asked::AsBefore(id) => (id, None),
            Asked::New(feedback) => {
                metrics::count(metrics::FEEDBACK);
                (feedback.id, Some(Event::Feedback(feedback)))
            }
        })
    })
    .await
}

fn fault(t: &Texts, bad: BadWords) -> &str {
    match bad {
        BadWords::Empty => &t.empty,
        BadWords::TooLong => &t.too_long,
        BadWords::TellsHowToReach => &t.reach,
    }
}

/// What a guest's question comes to: the request to show, and what is to be written for it.
type Decision = Result<(RequestId, Option<Event>), Apology>;

impl From<Enough> for Apology {
    fn from(Enough: Enough) -> Self {
        Self::Enough
    }
}

/// Has `decide` look at the inbox on the journal's thread, and goes on to the request's own page.
async fn ask(
    state: &State,
    visitor: &Visitor,
    code: Option<TouchpointCode>,
    id: RequestId,
    decide: impl FnOnce(&Inbox, &Asking<'_>, Here<'_>) -> Decision + Send + 'static,
) -> Response {
    let vid = visitor.vid.unwrap_or(Vid::from_entropy(random()));
    let (bundle, own) = (state.bundle(), state.store.clone());
    let (clock, boot_time) = (Arc::clone(&state.clock), state.boot_time());
    let look = move |ledger: &mut Ledger| {
        let Some(here) = Here::find(&bundle, own.as_ref(), code) else {
            return only_say(Err(Apology::UnknownCode));
        };
        let now = clock.now();
        let asking = Asking {
            store: &here.store().id,
            place: here.touchpoint.map(|place| place.code),
            vid,
            id,
            now,
        };
        match decide(ledger.inbox(), &asking, here) {
            Err(apology) => only_say(Err(apology)),
            Ok((id, None)) => only_say(Ok(id)),
            Ok((id, Some(event))) => write(boot_time, happening(here.store(), now, event), Ok(id)),
        }
    };
    match state.journal.commit(look).await {
        Ok(Ok(id)) => {
            let mut response = visitor.see_other(&format!("/feedback/said/{id}"));
            let cookie = diner::remembered(state, vid);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Ok(Err(apology)) => apology.page(visitor),
        Err(error) => not_saved(&error).page(visitor),
    }
}

/// `GET /feedback/said/{id}`
async fn said(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<RequestId>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return Apology::NoSuchPage.page(&visitor);
    };
    show_said(&state, &visitor, id, Draft::default()).await
}

#[derive(Debug, Deserialize)]
struct BackForm {
    words: String,
}

/// `POST /feedback/said/{id}`: the guest writes back to the shop's answer, once.
async fn write_back(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<RequestId>, PathRejection>,
    form: Result<Form<BackForm>, FormRejection>,
) -> Response {
    let Ok(Path(of)) = id else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let Ok(Form(BackForm { words: typed })) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let words = match Words::typed(&typed).and_then(|words| words.ok_or(BadWords::Empty)) {
        Ok(words) => words,
        Err(bad) => {
            let draft = Draft {
                rating: None,
                words: typed,
                fault: Some(fault(&texts(visitor.language).feedback, bad)),
            };
            return show_said(&state, &visitor, of, draft).await;
        }
    };
    let place = state.journal.commit(move |ledger: &mut Ledger| {
        only_say(ledger.inbox().get(of).and_then(|request| request.place))
    });
    let code = place.await.unwrap_or_default();
    let id = RequestId::from_entropy(random());
    ask(&state, &visitor, code, id, move |inbox, asking, _| {
        let asked = inbox.write_back(asking, of, words);
        Ok(match asked.ok_or(Apology::NoSuchPage)? {
            Asked::AsBefore(id) => (id, None),
            Asked::New(feedback) => (of, Some(Event::Feedback(feedback))),
        })
    })
    .await
}

async fn show_said(state: &State, visitor: &Visitor, id: RequestId, draft: Draft) -> Response {
    let look = move |ledger: &mut Ledger| only_say(ledger.inbox().get(id).cloned());
    let request = match state.journal.commit(look).await {
        Ok(Some(request)) => request,
        Ok(None) => return Apology::NoSuchPage.page(visitor),
        Err(error) => return not_saved(&error).page(visitor),
    };
    let bundle = state.bundle();
    let status = match draft.fault {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let store = bundle
        .stores
        .get(&request.store)
        .map(|folder| &folder.store);
    let shown = Shown::of(&request, &bundle, visitor.language);
    let html = render(&SaidPage {
        shell: Shell::of(visitor, store),
        id,
        // Only whoever said it, and once.
        takes_words: visitor.vid == Some(request.vid) && request.takes_words_back(),
        words: draft.words,
        most: MOST_WORDS,
        fault: draft.fault,
        is_call: request.is_call(),
        is_bad: request.is_alert(),
        // From the street nobody in the shop reads it.
        in_shop: state.store.is_some(),
        back: match request.place {
            Some(code) if is_bound(&bundle, code) => format!("/feedback/{code}"),
            Some(_) | None => "/feedback".to_owned(),
        },
        said: vec![shown],
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// Whether a sticker that was scanned marks a place still.
pub(super) fn is_bound(bundle: &Bundle, code: TouchpointCode) -> bool {
    let found = bundle.touchpoint(code);
    found.is_some_and(|(_, touchpoint)| touchpoint.is_bound())
}

/// A request as its guest sees it.
struct Shown {
    what: String,
    at: String,
    words: Option<String>,
    is_open: bool,
    /// What staff wrote, with the time.
    answers: Vec<(String, String)>,
    /// What the guest wrote to that.
    back: Option<(String, String)>,
    /// Where they may.
    write_back: Option<RequestId>,
}

impl Shown {
    fn of(request: &Request, bundle: &Bundle, language: Language) -> Self {
        let t = &texts(language).feedback;
        let wall = |time| match bundle.stores.get(&request.store) {
            Some(folder) => on_the_wall(&folder.store, time),
            None => time.to_string(),
        };
        let answers = request.answers.iter().filter_map(|answer| {
            let words = answer.words.as_ref()?;
            Some((wall(answer.at), words.as_str().to_owned()))
        });
        Self {
            what: in_words(t, &request.said),
            at: wall(request.at),
            words: words_of(&request.said),
            is_open: request.is_open() && request.is_call(),
            answers: answers.collect(),
            back: back(request, wall),
            write_back: request.takes_words_back().then_some(request.id),
        }
    }
}

/// What its guest wrote back, with the time.
pub(super) fn back(
    request: &Request,
    wall: impl Fn(Timestamp) -> String,
) -> Option<(String, String)> {
    let back = request.back.as_ref()?;
    Some((wall(back.at), back.words.as_str().to_owned()))
}

/// What a request is, in a few words.
pub(super) fn in_words(t: &Texts, said: &Said) -> String {
    match said {
        Said::Call { what, .. } => called(t, *what).to_owned(),
        Said::Feedback { rating, .. } => match rating {
            Some(rating) => {
                let stars = usize::from(rating.stars());
                let rest = usize::from(Rating::BEST) - stars;
                format!(
                    "{}{} {stars}/{}",
                    "★".repeat(stars),
                    "☆".repeat(rest),
                    Rating::BEST
                )
            }
            None => t.said.clone(),
        },
    }
}

pub(super) fn words_of(said: &Said) -> Option<String> {
    match said {
        Said::Call { .. } => None,
        Said::Feedback { words, .. } => words.as_ref().map(|words| words.as_str().to_owned()),
    }
}

fn called(t: &Texts, call: Call) -> &str {
    match call {
        Call::Waiter => &t.waiter,
        Call::Bill => &t.bill,
        Call::Water => &t.water,
    }
}

#[derive(Template)]
#[template(path = "portal/feedback.html")]
struct FeedbackPage<'a> {
    shell: Shell,
    label: Option<&'a str>,
    is_table: bool,
    code: Option<TouchpointCode>,
    /// What can be called for here, by the form's word and the guest's.
    calls: Option<[(&'static str, &'a str); Call::ALL.len()]>,
    no_call: &'a str,
    id: RequestId,
    rated: u8,
    words: String,
    most: usize,
    fault: Option<&'a str>,
    said: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "portal/said.html")]
struct SaidPage<'a> {
    shell: Shell,
    id: RequestId,
    /// The guest may write back.
    takes_words: bool,
    words: String,
    most: usize,
    fault: Option<&'a str>,
    is_call: bool,
    is_bad: bool,
    in_shop: bool,
    back: String,
    said: Vec<Shown>,
}
