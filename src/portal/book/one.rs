//! A booking's own page: how it stands, and the buttons that change it.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::chooser::in_short;
use super::{Fields, find, move_up, said};
use crate::domain::booking::book::Refused;
use crate::domain::booking::{Act, Booking, Standing};
use crate::domain::calendar::clock;
use crate::domain::campaign::Audience;
use crate::domain::ids::{BookingId, CouponId, ShortCode, StoreId, Vid};
use crate::domain::text::Language;
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::pages::{Shell, page, render};
use crate::portal::texts::{Book as Texts, texts};
use crate::portal::visitor::Visitor;
use crate::wire::bundle::Bundle;

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
        match bookings.act(id, folder.house(), act, None) {
            Err(refused) => only_say(Err(refused)),
            Ok(None) => only_say(Ok(())),
            Ok(Some(booking)) => {
                let happened = happening(&folder.store, own.now(), said(booking));
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
        Refused::NotHere
        | Refused::NotThen(_)
        | Refused::TooLarge
        | Refused::Enough
        | Refused::Unknown
        | Refused::SignUpClosed
        | Refused::BadCode(_)
        | Refused::Already(_)
        | Refused::MovedOn => &t.moved_on,
    }
}

#[derive(Template)]
#[template(path = "portal/booking.html")]
struct BookingPage<'a> {
    shell: Shell,
    id: BookingId,
    store: &'a StoreId,
    title: &'a str,
    text: &'a str,
    when: String,
    name: &'a str,
    people: String,
    code: ShortCode,
    /// What comes with it, where that is for everybody who books.
    gift: Option<String>,
    coupon: Option<CouponId>,
    is_ahead: bool,
    can_undo: bool,
    fault: Option<&'a str>,
}

async fn draw(state: &State, visitor: &Visitor, id: BookingId, fault: Option<&str>) -> Response {
    let Some(booking) = find(state, id).await else {
        return Apology::NoSuchPage.page(visitor);
    };
    let bundle = state.bundle();
    let folder = bundle.stores.get(&booking.store);
    let language = visitor.language;
    let shell = Shell::of(visitor, folder.map(|folder| &folder.store));
    let (title, text) = in_words(&shell.t.book, booking.standing);
    let html = render(&BookingPage {
        id,
        store: &booking.store,
        title,
        text,
        when: when(&booking, language),
        name: booking.name.as_str(),
        people: people(&booking, &shell.t.book),
        code: booking.code,
        gift: gift(&bundle, &booking, language),
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

/// `Fri 12-04 19:00`
pub(in crate::portal) fn when(booking: &Booking, language: Language) -> String {
    let day = in_short(booking.at.date(), language);
    format!("{day} {}", clock(booking.at.time()))
}

pub(in crate::portal) fn people(booking: &Booking, t: &Texts) -> String {
    t.people.replace("{n}", &booking.party.people().to_string())
}

/// What the campaign of bookings gives to this guest, where it has not been given yet.
pub(in crate::portal) fn gift(
    bundle: &Bundle,
    booking: &Booking,
    language: Language,
) -> Option<String> {
    let rules = bundle.stores.get(&booking.store)?.store.booking()?;
    let campaign = bundle.campaign(rules.gift.as_ref()?)?;
    let is_for_them = campaign.audience != Audience::Vip || booking.is_vip;
    let t = &texts(language).book;
    let name = campaign.offer.gift.name(language);
    (is_for_them && booking.gift.is_none() && booking.standing.is_ahead())
        .then(|| t.gift.replace("{gift}", &name))
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

/// A booking among all that a phone holds.
pub(in crate::portal) struct Line {
    pub(in crate::portal) id: BookingId,
    pub(in crate::portal) store: Option<String>,
    pub(in crate::portal) when: String,
    pub(in crate::portal) people: String,
    pub(in crate::portal) standing: &'static str,
}

/// The bookings of a diner that are ahead, once everything that was decided before is on stable storage.
pub(in crate::portal) async fn lines(
    state: &State,
    bundle: &Bundle,
    vid: Vid,
    language: Language,
) -> Vec<Line> {
    let look = move |ledger: &mut Ledger| {
        let own = ledger.bookings().of_diner(vid).into_iter();
        let ahead = own.filter(|booking| booking.standing.is_ahead());
        only_say(ahead.cloned().collect::<Vec<_>>())
    };
    // A journal that cannot write says so where somebody wants something written.
    let bookings = state.journal.commit(look).await.unwrap_or_default();
    let t = &texts(language).book;
    let line = |booking: &Booking| {
        let folder = bundle.stores.get(&booking.store);
        Line {
            id: booking.id,
            store: folder.map(|folder| folder.store.name.of(language).to_owned()),
            when: when(booking, language),
            people: people(booking, t),
            standing: in_words(t, booking.standing).0,
        }
    };
    bookings.iter().map(line).collect()
}
