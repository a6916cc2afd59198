//! A booking's own page: how it stands, and the buttons that change it.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::civil::DateTime;

use super::chooser::in_short;
use super::{Fields, move_up, promised, said};
use crate::domain::booking::book::{Bookings, Refused, Speaker};
use crate::domain::booking::tasting::{CodeMaker as _, InviteCode};
use crate::domain::booking::{Act, Booking, Standing};
use crate::domain::calendar::clock;
use crate::domain::ids::{BookingId, CouponId, ShortCode, StoreId, Vid};
use crate::domain::text::Language;
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::pages::{Shell, page, render};
use crate::portal::texts::{Book as Texts, Texts as Words, texts};
use crate::portal::visitor::Visitor;
use crate::wire::bundle::{Bundle, StoreFolder};
use crate::wire::invite_code::Codes;
use crate::wire::qr::{Correction, Symbol};

/// `GET /book/{id}`
pub(super) async fn show(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<BookingId>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return Apology::NoSuchPage.page(&visitor);
    };
    draw(&state, &visitor, id, None).await
}

/// `POST /book/{id}`: the guest cancels, or takes that back.
pub(super) async fn act(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<BookingId>, PathRejection>,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let act = form.ok().and_then(|Form(fields)| Act::named(&fields.act));
    let Some(act) = act else {
        return Apology::Incomplete.page(&visitor);
    };
    let (own, bundle) = (state.clone(), state.bundle());
    let decide = move |ledger: &mut Ledger| {
        let bookings = ledger.bookings();
        let store = bookings.get(id).map(|booking| &booking.store);
        let Some(folder) = store.and_then(|store| bundle.stores.get(store)) else {
            return only_say(Err(Refused::Unknown));
        };
        let now = own.now();
        match bookings.act(id, folder.house(), act, Speaker::Guest, now) {
            Err(refused) => only_say(Err(refused)),
            Ok(None) => only_say(Ok(())),
            Ok(Some(booking)) => {
                let happened = happening(&folder.store, now, said(booking));
                write(own.boot_time(), happened, Ok(()))
            }
        }
    };
    let t = &texts(visitor.language).book;
    match state.journal.commit(decide).await {
        Ok(Ok(())) => {
            move_up(&state).await;
            visitor.see_other(&format!("/book/{id}"))
        }
        Ok(Err(refused)) => draw(&state, &visitor, id, Some(why_not(t, refused))).await,
        Err(error) => not_saved(&error).page(&visitor),
    }
}

/// Why a word changes nothing.
pub(in crate::portal) fn why_not(t: &Texts, refused: Refused) -> &str {
    match refused {
        Refused::Full => &t.no_room,
        Refused::NotThen(_) => &t.over,
        Refused::Enough => &t.enough_text,
        Refused::Already(_) => &t.one_place,
        Refused::NotHere
        | Refused::TooLarge
        | Refused::Unknown
        | Refused::SignUpClosed
        | Refused::BadCode(_)
        | Refused::MovedOn => &t.moved_on,
    }
}

#[derive(Template)]
#[template(path = "portal/booking.html")]
struct BookingPage<'a> {
    shell: Shell,
    id: BookingId,
    store: &'a StoreId,
    title: String,
    text: &'a str,
    /// The event's, where it is one.
    event: Option<&'a str>,
    /// Codes that the guest can pass on, each with whether somebody has used it.
    pass_on: Vec<(InviteCode, bool)>,
    /// The code at the door, for a scanner.
    qr: Option<String>,
    /// Where the guest says afterwards how it was.
    feedback: Option<String>,
    when: String,
    name: &'a str,
    people: String,
    has_phone: bool,
    code: ShortCode,
    /// What comes with it.
    gift: Option<String>,
    coupon: Option<CouponId>,
    is_ahead: bool,
    can_undo: bool,
    fault: Option<&'a str>,
}

async fn draw(state: &State, visitor: &Visitor, id: BookingId, fault: Option<&str>) -> Response {
    let bundle = state.bundle();
    let (own, known, language) = (state.clone(), Arc::clone(&bundle), visitor.language);
    let look = move |ledger: &mut Ledger| {
        let bookings = ledger.bookings();
        only_say(bookings.get(id).map(|booking| {
            (
                booking.clone(),
                bookings.place_in_line(booking),
                to_pass_on(&known, bookings, booking),
                promised(&own, &known, ledger, booking, language),
            )
        }))
    };
    let found = state.journal.commit(look).await.ok().flatten();
    let Some((booking, place_in_line, pass_on, gift)) = found else {
        return Apology::NoSuchPage.page(visitor);
    };
    let folder = bundle.stores.get(&booking.store);
    let shell = Shell::of(visitor, folder.map(|folder| &folder.store));
    let (title, text) = match booking.tasting {
        None => {
            let (title, text) = in_words(&shell.t.book, booking.standing);
            (title.to_owned(), text)
        }
        Some(_) => of_event(shell.t, booking.standing, place_in_line),
    };
    let tasting = folder.and_then(|folder| folder.house().tasting(booking.tasting.as_ref()?));
    let html = render(&BookingPage {
        id,
        store: &booking.store,
        title,
        text,
        event: tasting.map(|tasting| tasting.title.of(language)),
        pass_on,
        qr: tasting
            .filter(|_| booking.standing.is_ahead())
            .and_then(|_| {
                let symbol = Symbol::of(booking.code.as_str(), Correction::Medium).ok()?;
                Some(symbol.svg(&shell.t.book.code))
            }),
        feedback: tasting
            .filter(|_| booking.standing == Standing::Seated)
            .map(|tasting| match tasting.feedback_at {
                Some(code) => format!("/feedback/{code}"),
                None => "/feedback".to_owned(),
            }),
        when: when(&booking, language),
        name: booking.name.as_str(),
        people: people(&booking, &shell.t.book),
        has_phone: booking.phone.is_some(),
        code: booking.code,
        gift,
        coupon: booking.gift,
        is_ahead: booking.standing.is_ahead(),
        can_undo: booking.is_for_guest(Act::Undo),
        fault,
        shell,
    });
    let status = match fault {
        None => StatusCode::OK,
        Some(_) => StatusCode::CONFLICT,
    };
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

pub(in crate::portal) fn when(booking: &Booking, language: Language) -> String {
    at_time(booking.at, language)
}

/// `Fri 12-04 19:00`
pub(in crate::portal) fn at_time(at: DateTime, language: Language) -> String {
    format!("{} {}", in_short(at.date(), language), clock(at.time()))
}

pub(in crate::portal) fn people(booking: &Booking, t: &Texts) -> String {
    t.people.replace("{n}", &booking.party.people().to_string())
}

/// How a booking stands, for its guest: a headline and a sentence.
pub(in crate::portal) fn in_words(t: &Texts, standing: Standing) -> (&str, &str) {
    match standing {
        Standing::Waiting => (&t.waiting, &t.waiting_text),
        Standing::Requested => (&t.requested, &t.requested_text),
        Standing::Confirmed => (&t.confirmed, &t.confirmed_text),
        Standing::Seated => (&t.seated, &t.seated_text),
        Standing::NoShow => (&t.no_show, &t.no_show_text),
        Standing::Cancelled => (&t.cancelled, &t.cancelled_text),
    }
}

/// The same of a sign-up for an event.
fn of_event(t: &Words, standing: Standing, place_in_line: usize) -> (String, &str) {
    let (title, text) = match standing {
        Standing::Waiting => (&t.tasting.waiting, &t.tasting.waiting_text),
        Standing::Requested | Standing::Confirmed => (&t.tasting.placed, &t.tasting.placed_text),
        Standing::Seated => (&t.book.seated, &t.tasting.seated_text),
        Standing::NoShow => (&t.book.no_show, &t.tasting.no_show_text),
        Standing::Cancelled => (&t.tasting.cancelled, &t.tasting.cancelled_text),
    };
    (title.replace("{n}", &place_in_line.to_string()), text)
}

/// The codes that a guest with a place can pass on, each with whether somebody has used it.
fn to_pass_on(bundle: &Bundle, bookings: &Bookings, booking: &Booking) -> Vec<(InviteCode, bool)> {
    let folder = bundle.stores.get(&booking.store);
    let tasting = folder.and_then(|folder| folder.house().tasting(booking.tasting.as_ref()?));
    let Some(tasting) = tasting.filter(|_| booking.standing.holds_room()) else {
        return Vec::new();
    };
    let codes = (0..tasting.codes_per_guest).map(|n| Codes.of_guest(booking.id, n));
    let is_used = |code| bookings.is_used(&booking.store, tasting, code);
    codes.map(|code| (code, is_used(code))).collect()
}

/// A booking among all that a phone holds.
pub(in crate::portal) struct Line {
    pub(in crate::portal) id: BookingId,
    pub(in crate::portal) store: Option<String>,
    pub(in crate::portal) when: String,
    pub(in crate::portal) people: String,
    pub(in crate::portal) standing: &'static str,
}

/// The bookings of a diner that are still ahead, once everything that was decided before is on stable storage.
pub(in crate::portal) async fn lines(
    state: &State,
    bundle: &Bundle,
    vid: Vid,
    language: Language,
) -> Vec<Line> {
    let look = move |ledger: &mut Ledger| {
        let own = ledger.bookings().of_diner(vid).into_iter();
        only_say(own.cloned().collect::<Vec<_>>())
    };
    let now = state.now();
    // A journal that cannot write says so where somebody wants something written.
    let bookings = state.journal.commit(look).await.unwrap_or_default();
    let t = texts(language);
    let line = |booking: &Booking| {
        let folder = bundle.stores.get(&booking.store);
        let is_ahead = |folder: &StoreFolder| booking.is_ahead(folder.store.local(now));
        folder.is_none_or(is_ahead).then(|| Line {
            id: booking.id,
            store: folder.map(|folder| folder.store.name.of(language).to_owned()),
            when: when(booking, language),
            people: people(booking, &t.book),
            standing: match booking.tasting {
                Some(_) if booking.standing.holds_room() => &t.tasting.placed,
                Some(_) | None => in_words(&t.book, booking.standing).0,
            },
        })
    };
    bookings.iter().filter_map(line).collect()
}
