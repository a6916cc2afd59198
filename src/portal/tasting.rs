//! A guest signs up for a tasting event: a place, or a number on the list of those who wait.
//!
//! The sign-up is a booking, and its own page is the booking's. Whoever is wrong about a field is told at that
//! field, and what they typed is still there.

use askama::Template;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::State;
use super::book::{Fields, at_time, move_up, name_fault, said, store_of};
use super::diner;
use super::error::{Apology, not_saved};
use super::ledger::{Ledger, happening, only_say, write};
use super::pages::{Shell, page, render};
use super::texts::{Tasting as Texts, texts};
use super::visitor::Visitor;
use crate::domain::bill::Party;
use crate::domain::booking::book::{Asked, Bookings, Refused};
use crate::domain::booking::tasting::{BadCode, InviteCode, SignUp, Tasting};
use crate::domain::booking::{GuestName, LONGEST_NAME, Standing};
use crate::domain::ids::{BookingId, Slug, StoreId, Vid};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::form::{Form, FormRejection};
use crate::wire::invite_code::Codes;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(list))
        .route("/{id}", get(show).post(send))
}

/// What is wrong with the fields, said beside each.
#[derive(Default)]
struct Faults {
    party: Option<String>,
    name: Option<&'static str>,
    code: Option<&'static str>,
}

impl Faults {
    const fn are_none(&self) -> bool {
        self.party.is_none() && self.name.is_none() && self.code.is_none()
    }
}

/// `GET /events`
async fn list(
    Extract(state): Extract<State>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::of_link(query);
    let bundle = state.bundle();
    let Some(folder) = store_of(&state, &bundle, fields.store.as_ref()) else {
        return Apology::NoBookings.page(&visitor);
    };
    let store = &folder.store;
    let (id, known) = (store.id.clone(), folder.tastings.clone());
    let look = move |ledger: &mut Ledger| {
        let bookings = ledger.bookings();
        let taken = known.iter().map(|tasting| bookings.taken(&id, &tasting.id));
        only_say(taken.collect::<Vec<_>>())
    };
    // A journal that cannot write takes no sign-up either, and says so then.
    let taken = state.journal.commit(look).await.unwrap_or_default();
    let local = store.local(state.now());
    let events = folder.tastings.iter().zip(taken);
    let ahead = events.filter(|(tasting, _)| tasting.at >= local);
    let html = render(&EventsPage {
        shell: Shell::of(&visitor, Some(store)),
        store: &store.id,
        events: ahead
            .map(|(tasting, taken)| Line {
                id: &tasting.id,
                title: tasting.title.of(visitor.language),
                when: at_time(tasting.at, visitor.language),
                standing: standing(&state, store, tasting, taken, visitor.language),
            })
            .collect(),
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// An event of the list.
struct Line<'a> {
    id: &'a Slug,
    title: &'a str,
    when: String,
    standing: String,
}

#[derive(Template)]
#[template(path = "portal/events.html")]
struct EventsPage<'a> {
    shell: Shell,
    store: &'a StoreId,
    events: Vec<Line<'a>>,
}

/// Whether there is a place, in a sentence.
fn standing(
    state: &State,
    store: &Store,
    tasting: &Tasting,
    (people, waiting): (u32, usize),
    language: Language,
) -> String {
    let t = &texts(language).tasting;
    match tasting.sign_up(store, state.now()) {
        SignUp::NotYet(opens) => t.not_yet.replace("{time}", &at_time(opens, language)),
        SignUp::Over => t.over.clone(),
        SignUp::Open => match u32::from(tasting.places).saturating_sub(people) {
            0 => t.full.replace("{n}", &waiting.to_string()),
            left => t.left.replace("{n}", &left.to_string()),
        },
    }
}

/// `GET /events/{id}`
async fn show(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<Slug>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path(id)) = id else {
        return Apology::NoSuchPage.page(&visitor);
    };
    draw(
        &state,
        &visitor,
        &id,
        &Fields::of_link(query),
        Faults::default(),
    )
    .await
}

#[derive(Template)]
#[template(path = "portal/event.html")]
struct EventPage<'a> {
    shell: Shell,
    store: &'a StoreId,
    event: &'a Slug,
    title: &'a str,
    text: &'a str,
    when: String,
    standing: String,
    /// Of the sign-up that this becomes.
    id: BookingId,
    /// The sign-up that this phone has.
    own: Option<BookingId>,
    is_open: bool,
    is_full: bool,
    needs_code: bool,
    takes_codes: bool,
    largest: u8,
    party: u8,
    name: &'a str,
    longest: usize,
    code: &'a str,
    faults: Faults,
}

async fn draw(
    state: &State,
    visitor: &Visitor,
    event: &Slug,
    fields: &Fields,
    faults: Faults,
) -> Response {
    let bundle = state.bundle();
    let folder = store_of(state, &bundle, fields.store.as_ref());
    let found = folder.and_then(|folder| Some((folder, folder.house().tasting(event)?)));
    let Some((folder, tasting)) = found else {
        return Apology::NoSuchPage.page(visitor);
    };
    let store = &folder.store;
    let (vid, id, known) = (visitor.vid, store.id.clone(), event.clone());
    let read = move |bookings: &Bookings| {
        let own = vid.map_or_else(Vec::new, |vid| bookings.of_diner(vid));
        let own = own.into_iter().find(|own| {
            own.tasting.as_ref() == Some(&known) && own.standing != Standing::Cancelled
        });
        (bookings.taken(&id, &known), own.map(|own| own.id))
    };
    let look = move |ledger: &mut Ledger| only_say(read(ledger.bookings()));
    // A journal that cannot write takes no sign-up either, and says so then.
    let (taken, own) = state.journal.commit(look).await.unwrap_or_default();
    let status = if faults.are_none() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let largest = tasting.largest_party.people();
    let party = Party::parse(&fields.party).map_or(1, Party::people);
    let html = render(&EventPage {
        shell: Shell::of(visitor, Some(store)),
        store: &store.id,
        event,
        title: tasting.title.of(visitor.language),
        text: tasting.text.of(visitor.language),
        when: at_time(tasting.at, visitor.language),
        standing: standing(state, store, tasting, taken, visitor.language),
        id: fields.id.unwrap_or(BookingId::from_entropy(random())),
        own,
        is_open: tasting.sign_up(store, state.now()) == SignUp::Open,
        is_full: taken.0 >= u32::from(tasting.places),
        needs_code: tasting.by_invitation,
        takes_codes: tasting.by_invitation || !tasting.codes.is_empty(),
        largest,
        party: party.min(largest),
        name: &fields.name,
        longest: LONGEST_NAME,
        code: &fields.code,
        faults,
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// What a guest wants, read.
struct Wish {
    party: Party,
    name: GuestName,
    code: Option<InviteCode>,
}

impl Wish {
    fn read(fields: &Fields, language: Language) -> Result<Self, Faults> {
        let all = texts(language);
        let mut faults = Faults::default();
        let party = Party::parse(&fields.party);
        if party.is_err() {
            faults.party = Some(all.tasting.fault_party.clone());
        }
        let name = GuestName::typed(&fields.name);
        faults.name = name.as_ref().err().map(|bad| name_fault(&all.book, *bad));
        let code = match fields.code.trim() {
            "" => Ok(None),
            typed => InviteCode::parse(typed).map(Some),
        };
        if code.is_err() {
            faults.code = Some(&all.tasting.fault_code);
        }
        match (party, name, code) {
            (Ok(party), Ok(name), Ok(code)) => Ok(Self { party, name, code }),
            _ => Err(faults),
        }
    }
}

/// `POST /events/{id}`
async fn send(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<Slug>, PathRejection>,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let (Ok(Path(event)), Ok(Form(fields))) = (id, form) else {
        return Apology::Incomplete.page(&visitor);
    };
    let wish = match Wish::read(&fields, visitor.language) {
        Ok(wish) => wish,
        Err(faults) => return draw(&state, &visitor, &event, &fields, faults).await,
    };
    let vid = visitor.vid.unwrap_or(Vid::from_entropy(random()));
    let id = match sign_up(&state, &event, &fields, wish, vid).await {
        Ok(Ok(id) | Err(Refused::Already(id))) => id,
        Ok(Err(refused)) => {
            metrics::count(metrics::BOOKINGS_REFUSED);
            return refuse(&state, &visitor, &event, &fields, refused).await;
        }
        Err(apology) => return apology.page(&visitor),
    };
    move_up(&state).await;
    let mut response = visitor.see_other(&format!("/book/{id}"));
    let cookie = diner::remembered(&state, vid);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

async fn sign_up(
    state: &State,
    event: &Slug,
    fields: &Fields,
    wish: Wish,
    vid: Vid,
) -> Result<Result<BookingId, Refused>, Apology> {
    let (own, bundle) = (state.clone(), state.bundle());
    let (named, event) = (fields.store.clone(), event.clone());
    let id = fields.id.ok_or(Apology::Incomplete)?;
    let codes = std::array::from_fn(|_| u64::from_be_bytes(random()));
    let decide = move |ledger: &mut Ledger| {
        let folder = store_of(&own, &bundle, named.as_ref());
        let found = folder.and_then(|folder| Some((folder, folder.house().tasting(&event)?)));
        let Some((folder, tasting)) = found else {
            // Gone from the bundle since the page was shown.
            return only_say(Err(Refused::SignUpClosed));
        };
        let now = own.now();
        let asked = Asked {
            id,
            house: folder.house(),
            issuer: own.issuer,
            vid,
            is_vip: ledger.members().is_vip(vid),
            name: wish.name,
            phone: None,
            party: wish.party,
            now,
            codes,
        };
        let bookings = ledger.bookings();
        match bookings.sign_up(&asked, tasting, wish.code, &Codes) {
            Err(refused) => only_say(Err(refused)),
            Ok(None) => only_say(Ok(id)),
            Ok(Some(booking)) => {
                metrics::count(metrics::BOOKINGS);
                let happened = happening(&folder.store, now, said(booking));
                write(own.boot_time(), happened, Ok(id))
            }
        }
    };
    let answer = state.journal.commit(decide).await;
    answer.map_err(|error| not_saved(&error))
}

async fn refuse(
    state: &State,
    visitor: &Visitor,
    event: &Slug,
    fields: &Fields,
    refused: Refused,
) -> Response {
    let t = &texts(visitor.language).tasting;
    let mut faults = Faults::default();
    match refused {
        Refused::BadCode(bad) => faults.code = Some(code_fault(t, bad)),
        Refused::TooLarge => faults.party = Some(t.fault_party.clone()),
        Refused::Enough => return Apology::BookedEnough.page(visitor),
        // The page says that sign-up is over.
        Refused::SignUpClosed
        | Refused::NotHere
        | Refused::NotThen(_)
        | Refused::Full
        | Refused::Unknown
        | Refused::Already(_)
        | Refused::MovedOn => {}
    }
    draw(state, visitor, event, fields, faults).await
}

fn code_fault(t: &'static Texts, bad: BadCode) -> &'static str {
    match bad {
        BadCode::Missing => &t.fault_no_code,
        BadCode::Unknown => &t.fault_code,
        BadCode::Used => &t.fault_used,
    }
}
