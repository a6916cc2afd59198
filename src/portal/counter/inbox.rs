//! What guests asked and said, for whoever stands at the counter: bad ratings and calls that wait on top, each
//! done with one tap, and a log of what was answered.
//!
//! The list comes again by itself while it is open, because a call must be seen without a tap; there is nothing
//! to type on it, so nothing typed is lost. Answers are written on a page of their own, which stays as it is.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::domain::event::{Event, GuestAnswered};
use crate::domain::feedback::inbox::{Inbox, Request, Standing};
use crate::domain::feedback::{BadWords, MOST_WORDS, Words};
use crate::domain::ids::{RequestId, StaffName};
use crate::domain::text::Language;
use crate::portal::State;
use crate::portal::coupon::on_the_wall;
use crate::portal::error::{Apology, not_saved};
use crate::portal::feedback::{back, in_words, words_of};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::place;
use crate::portal::texts::{Texts, texts};
use crate::portal::till::SignedIn;
use crate::wire::bundle::StoreFolder;

/// A guest who has waited for longer has been forgotten.
const SEEN_WITHIN: HeaderValue = HeaderValue::from_static("15");

/// Calls that were seen to stay in sight for so long, for a tap that was a mistake.
const CALLS_STAY: SignedDuration = SignedDuration::from_mins(30);

/// Settled feedback on the list, the newest first: a screen or two.
const MOST_SETTLED: usize = 20;

/// The list in its order.
#[derive(Default)]
pub(super) struct Shown {
    /// Bad ratings that nobody has seen to.
    alerts: Vec<Item>,
    /// Calls that wait, the oldest first.
    calls: Vec<Item>,
    /// Feedback that nobody has seen to.
    new: Vec<Item>,
    settled: Vec<Item>,
}

impl Shown {
    /// What must be seen at once.
    pub(super) fn urgent(&self) -> impl Iterator<Item = &Item> {
        self.alerts.iter().chain(&self.calls)
    }

    fn waiting(&self) -> impl Iterator<Item = &Item> {
        self.urgent().chain(&self.new)
    }
}

/// A request as staff see it.
#[derive(Template)]
#[template(path = "portal/counter_item.html")]
pub(super) struct Item {
    t: &'static Texts,
    id: RequestId,
    place: String,
    what: String,
    words: Option<String>,
    at: String,
    /// Minutes since a call that waits.
    waited: Option<i64>,
    times: u32,
    on_street: bool,
    is_alert: bool,
    is_open: bool,
    is_call: bool,
    /// On the page where it is answered.
    is_alone: bool,
    log: Vec<Line>,
    /// What the guest wrote back.
    back: Option<(String, String)>,
}

/// A line of the log.
struct Line {
    at: String,
    staff: StaffName,
    is_done: bool,
    words: Option<String>,
}

/// What waits at the counter of the store this box stands in.
pub(super) async fn shown(state: &State, folder: &StoreFolder, language: Language) -> Shown {
    let store = folder.store.id.clone();
    let now = state.now();
    let read = move |inbox: &Inbox| inbox.of_store(&store).cloned().collect::<Vec<_>>();
    let look = move |ledger: &mut Ledger| only_say(read(ledger.inbox()));
    // A journal that cannot write says so where somebody wants something written.
    let requests = state.journal.commit(look).await.unwrap_or_default();
    sort(&requests, now, |request| {
        item(request, folder, language, now)
    })
}

fn sort(requests: &[Request], now: Timestamp, item: impl Fn(&Request) -> Item) -> Shown {
    let mut shown = Shown::default();
    for request in requests {
        let list = match (request.is_open(), request.is_call()) {
            (true, true) => &mut shown.calls,
            (true, false) if request.is_alert() => &mut shown.alerts,
            (true, false) => &mut shown.new,
            (false, _) => continue,
        };
        list.push(item(request));
    }
    let settled = requests.iter().rev().filter(|request| {
        let last = request
            .answers
            .last()
            .map_or(request.at, |answer| answer.at);
        let is_recent = now.duration_since(last) < CALLS_STAY;
        !request.is_open() && (is_recent || !request.is_call())
    });
    shown.settled = settled.take(MOST_SETTLED).map(item).collect();
    shown
}

fn item(request: &Request, folder: &StoreFolder, language: Language, now: Timestamp) -> Item {
    let t = texts(language);
    let wall = |time| on_the_wall(&folder.store, time);
    let place = request
        .place
        .and_then(|code| folder.touchpoints.get(&code))
        // A sticker that was taken off since then.
        .filter(|place| place.is_bound())
        .map(|place| place::in_words(place, language));
    let is_waiting_call = request.is_call() && request.is_open();
    Item {
        t,
        id: request.id,
        place: place.unwrap_or_else(|| t.inbox.no_place.clone()),
        what: in_words(&t.feedback, &request.said),
        words: words_of(&request.said),
        at: wall(request.at),
        waited: is_waiting_call.then(|| now.duration_since(request.at).as_mins().max(0)),
        times: request.times(),
        on_street: request.on_street,
        is_alert: request.is_alert(),
        is_open: request.is_open(),
        is_call: request.is_call(),
        is_alone: false,
        back: back(request, wall),
        log: request
            .answers
            .iter()
            .map(|answer| Line {
                at: wall(answer.at),
                staff: answer.staff.clone(),
                is_done: answer.standing == Standing::Done,
                words: answer.words.as_ref().map(|words| words.as_str().to_owned()),
            })
            .collect(),
    }
}

/// `GET /counter/inbox`; `?hold` for a page that stays as it is.
pub(super) async fn list(
    Extract(state): Extract<State>,
    RawQuery(query): RawQuery,
    SignedIn { visitor, staff, .. }: SignedIn,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let is_held = query.is_some_and(|query| query.split('&').any(|word| word == "hold"));
    let inbox = shown(&state, folder, visitor.language).await;
    let html = render(&InboxPage {
        shell: Shell::new(visitor.language, LanguageLink::Here, Some(&folder.store)),
        store: folder.store.name.of(visitor.language),
        staff: &staff,
        is_held,
        inbox,
    });
    let mut response = page(StatusCode::OK, visitor.packing, html);
    if !is_held {
        response.headers_mut().insert(REFRESH, SEEN_WITHIN);
    }
    (visitor.remember_language(), response).into_response()
}

/// `GET /counter/inbox/{id}`
pub(super) async fn one(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    id: Result<Path<RequestId>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return Apology::NoSuchPage.page(&signed_in.visitor);
    };
    show_one(&state, &signed_in, id, String::new(), None).await
}

async fn show_one(
    state: &State,
    SignedIn { visitor, staff, .. }: &SignedIn,
    id: RequestId,
    words: String,
    fault: Option<&'static str>,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let look = move |ledger: &mut Ledger| only_say(ledger.inbox().get(id).cloned());
    let request = match state.journal.commit(look).await {
        Ok(Some(request)) if request.store == folder.store.id => request,
        Ok(_) => return Apology::NoSuchPage.page(visitor),
        Err(error) => return not_saved(&error).page(visitor),
    };
    let status = match fault {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let html = render(&AnswerPage {
        shell: Shell::new(
            visitor.language,
            visitor.language_link(),
            Some(&folder.store),
        ),
        staff,
        item: Item {
            is_alone: true,
            ..item(&request, folder, visitor.language, state.now())
        },
        words,
        most: MOST_WORDS,
        fault,
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

#[derive(Debug, Deserialize)]
pub(super) struct AnswerForm {
    id: RequestId,
    is: Standing,
    #[serde(default)]
    words: Option<String>,
}

/// `POST /counter/inbox`: done, not done yet, or an answer in words.
pub(super) async fn answer(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Response {
    let Ok(Form(AnswerForm { id, is, words })) = form else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    let Some(store) = state.store.clone() else {
        return see_other("/till");
    };
    let t = &texts(signed_in.visitor.language).feedback;
    let written = match words.as_deref().map(Words::typed).transpose() {
        Ok(written) => written.flatten(),
        Err(bad) => {
            let fault = match bad {
                BadWords::TooLong => &t.too_long,
                BadWords::TellsHowToReach | BadWords::Empty => &t.reach,
            };
            let words = words.unwrap_or_default();
            return show_one(&state, &signed_in, id, words, Some(fault)).await;
        }
    };
    let (bundle, boot_time) = (state.bundle(), state.boot_time());
    let clock = Arc::clone(&state.clock);
    let decide = move |ledger: &mut Ledger| {
        let known = ledger.inbox().get(id);
        let known = known.filter(|request| request.store == store);
        let Some((request, folder)) = known.zip(bundle.stores.get(&store)) else {
            return only_say(Err(Apology::NoSuchPage));
        };
        // Two people tapped, or one of them twice.
        if written.is_none() && request.is_open() == (is == Standing::Open) {
            return only_say(Ok(()));
        }
        let answered = GuestAnswered {
            of: id,
            staff: signed_in.staff,
            standing: is,
            words: written,
            on_street: request.on_street,
        };
        let event = Event::GuestAnswered(answered);
        write(
            boot_time,
            happening(&folder.store, clock.now(), event),
            Ok(()),
        )
    };
    match state.journal.commit(decide).await {
        Ok(Ok(())) => see_other("/counter/inbox"),
        Ok(Err(apology)) => apology.page(&signed_in.visitor),
        Err(error) => not_saved(&error).page(&signed_in.visitor),
    }
}

#[derive(Template)]
#[template(path = "portal/counter_inbox.html")]
struct InboxPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    is_held: bool,
    inbox: Shown,
}

#[derive(Template)]
#[template(path = "portal/counter_answer.html")]
struct AnswerPage<'a> {
    shell: Shell,
    staff: &'a StaffName,
    item: Item,
    /// What was typed and could not be taken.
    words: String,
    most: usize,
    fault: Option<&'a str>,
}
