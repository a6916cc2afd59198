//! The list of booked tables at the counter: who waits for an answer, VIPs first; of whom nobody has said for days
//! whether they came; who comes today; who comes later.
//!
//! Staff confirm, seat, or say that nobody came, with one tap each, and take a tap back as long as the room is not
//! somebody else's. Each event has a list of its own, and a field for the codes that guests say, or that a scanner
//! types, at its door. Whoever is seated gets the coupon of the bookings' campaign, or of the event's, in the same
//! frame, so that neither is there without the other. It works without the Internet, as everything at the counter does.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;

use crate::domain::booking::book::{Refused, Speaker};
use crate::domain::booking::tasting::Tasting;
use crate::domain::booking::{Act, Booking, Standing};
use crate::domain::calendar::business_day;
use crate::domain::event::Event;
use crate::domain::ids::{BookingId, ShortCode, Slug, StaffName};
use crate::domain::text::Language;
use crate::domain::wallet::Fresh;
use crate::journal::Verdict;
use crate::portal::State;
use crate::portal::book::{Fields, at_time, given, move_up, people, promised, said, when, why_not};
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::join::fresh;
use crate::portal::ledger::{Ledger, only_say, write_all};
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::texts::{Bookings as Texts, texts};
use crate::portal::till::SignedIn;
use crate::wire::bundle::{Bundle, StoreFolder};

/// `GET /counter/bookings`
pub(super) async fn list(Extract(state): Extract<State>, signed_in: SignedIn) -> Response {
    show(&state, &signed_in, None, Said::Nothing).await
}

/// `GET /counter/events/{id}`: who has signed up for an event.
pub(super) async fn event(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    id: Result<Path<Slug>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return Apology::NoSuchPage.page(&signed_in.visitor);
    };
    show(&state, &signed_in, Some(&id), Said::Nothing).await
}

/// `POST /counter/events/{id}`: whoever says this code is here.
pub(super) async fn check_in(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    id: Result<Path<Slug>, PathRejection>,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let (Ok(Path(event)), Ok(Form(fields))) = (id, form) else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    let all = texts(signed_in.visitor.language);
    let code = ShortCode::parse(&fields.code).ok();
    let fresh = fresh();
    let (own, bundle, staff) = (state.clone(), state.bundle(), signed_in.staff.clone());
    let wanted = event.clone();
    let decide = move |ledger: &mut Ledger| {
        let found = own.own_store(&bundle).zip(code).and_then(|(folder, code)| {
            let bookings = ledger.bookings();
            let booking = bookings.by_code(&folder.store.id, &wanted, code)?;
            Some((folder, booking.clone()))
        });
        let Some((folder, booking)) = found else {
            return only_say(Ok(None));
        };
        let was_in = booking.standing == Standing::Seated;
        let (bookings, now) = (ledger.bookings(), own.now());
        let by = Speaker::Staff {
            name: &staff,
            saw: None,
        };
        match bookings.act(booking.id, folder.house(), Act::Seat, by, now) {
            Err(refused) => only_say(Err(refused)),
            Ok(None) => only_say(Ok(Some((booking, was_in)))),
            Ok(Some(seated)) => {
                let events = seat(&own, &bundle, ledger, seated, fresh);
                let answer = Ok(Some((booking, was_in)));
                write_all(own.boot_time(), (&folder.store, now), events, answer)
            }
        }
    };
    let said = match state.journal.commit(decide).await {
        Ok(Ok(Some((booking, was_in)))) => {
            let words = if was_in {
                &all.tasting.before
            } else {
                &all.tasting.is_in
            };
            let (name, people) = (booking.name.as_str(), people(&booking, &all.book));
            Said::Done(format!("{words} {name}, {people}"))
        }
        Ok(Ok(None)) => Said::Fault(&all.tasting.unknown),
        Ok(Err(refused)) => Said::Fault(why_not(&all.book, refused)),
        Err(error) => return not_saved(&error).page(&signed_in.visitor),
    };
    show(&state, &signed_in, Some(&event), said).await
}

/// What the page answers.
enum Said {
    Nothing,
    Done(String),
    Fault(&'static str),
}

/// `POST /counter/bookings`
pub(super) async fn act(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let asked = form.ok().and_then(|Form(fields)| {
        let act = Act::named(&fields.act)?;
        Some((fields.id?, act, fields.rev, fields.event))
    });
    let Some((id, act, saw, event)) = asked else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    let fresh = fresh();
    let (own, bundle, staff) = (state.clone(), state.bundle(), signed_in.staff.clone());
    let decide = move |ledger: &mut Ledger| match own.own_store(&bundle) {
        Some(folder) => {
            let by = Speaker::Staff { name: &staff, saw };
            decide(&own, (&bundle, folder), ledger, (id, act, by), fresh)
        }
        None => only_say(Err(Refused::NotHere)),
    };
    match state.journal.commit(decide).await {
        Ok(Ok(())) => {
            move_up(&state).await;
            see_other(&match event {
                Some(event) => format!("/counter/events/{event}"),
                None => "/counter/bookings".to_owned(),
            })
        }
        Ok(Err(refused)) => {
            let t = &texts(signed_in.visitor.language).book;
            let fault = Said::Fault(why_not(t, refused));
            show(&state, &signed_in, event.as_ref(), fault).await
        }
        Err(error) => not_saved(&error).page(&signed_in.visitor),
    }
}

fn decide(
    state: &State,
    (bundle, folder): (&Bundle, &StoreFolder),
    ledger: &Ledger,
    (id, act, by): (BookingId, Act, Speaker<'_>),
    fresh: Fresh,
) -> Verdict<Result<(), Refused>> {
    let (store, now) = (&folder.store, state.now());
    let bookings = ledger.bookings();
    let booking = match bookings.act(id, folder.house(), act, by, now) {
        Err(refused) => return only_say(Err(refused)),
        Ok(None) => return only_say(Ok(())),
        Ok(Some(booking)) => booking,
    };
    let events = seat(state, bundle, ledger, booking, fresh);
    write_all(state.boot_time(), (store, now), events, Ok(()))
}

/// What is written where a booking has become what it is now: with it, once, the coupon for being seated.
fn seat(
    state: &State,
    bundle: &Bundle,
    ledger: &Ledger,
    mut booking: Booking,
    fresh: Fresh,
) -> Vec<Event> {
    let mut events = Vec::new();
    if booking.standing == Standing::Seated && booking.gift.is_none() {
        let (coupon, claim) = given(state, bundle, ledger, &booking, fresh);
        booking.gift = coupon;
        events.extend(claim);
    }
    events.push(said(booking));
    events
}

/// Bookings that have something in common.
struct Group<'a> {
    title: &'a str,
    rows: Vec<Row>,
}

/// A booking as staff see it.
struct Row {
    id: BookingId,
    revision: u32,
    when: String,
    people: String,
    name: String,
    code: ShortCode,
    is_vip: bool,
    has_phone: bool,
    standing: &'static str,
    gift: Option<String>,
    /// Who said the last word.
    staff: Option<StaffName>,
    acts: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "portal/counter_bookings.html")]
struct BookingsPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    takes_bookings: bool,
    /// The event that this is the list of.
    event: Option<&'a Tasting>,
    title: &'a str,
    /// Of an event: how many people there are places for, and have one; and how many wait.
    places: Option<String>,
    /// The events that are still to come.
    events: Vec<(&'a Slug, &'a str)>,
    groups: Vec<Group<'a>>,
    said: Said,
}

async fn show(
    state: &State,
    SignedIn { visitor, staff, .. }: &SignedIn,
    event: Option<&Slug>,
    said: Said,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let event = match event.map(|id| folder.house().tasting(id)) {
        Some(None) => return Apology::NoSuchPage.page(visitor),
        Some(found) => found,
        None => None,
    };
    let mut bookings = of_store(state, &bundle, visitor.language).await;
    let has_any = !bookings.is_empty() || !folder.tastings.is_empty();
    let wanted = event.map(|event| &event.id);
    let today = business_day(folder.store.local(state.now()));
    // The list of an event that is over, too, until somebody has said of everybody whether they came.
    let is_left_open = |id: &Slug| {
        bookings
            .iter()
            .any(|listed| listed.booking.tasting.as_ref() == Some(id))
    };
    let events = folder.tastings.iter().filter(|event| {
        wanted.is_none() && (business_day(event.at) >= today || is_left_open(&event.id))
    });
    let events = events.collect::<Vec<_>>();
    bookings.retain(|listed| listed.booking.tasting.as_ref() == wanted);
    let language = visitor.language;
    let all = texts(language);
    let link = match event {
        None => LanguageLink::At("/counter/bookings"),
        Some(_) => visitor.language_link(),
    };
    let status = match said {
        Said::Nothing | Said::Done(_) => StatusCode::OK,
        Said::Fault(_) => StatusCode::CONFLICT,
    };
    let html = render(&BookingsPage {
        shell: Shell::new(language, link, Some(&folder.store)),
        store: folder.store.name.of(language),
        staff,
        takes_bookings: folder.store.booking().is_some() || has_any,
        event,
        title: event.map_or(&all.bookings.title, |event| event.title.of(language)),
        places: event.map(|event| {
            let all = bookings.iter().map(|listed| &listed.booking);
            let held = all.filter(|booking| booking.standing.holds_room());
            let people: u32 = held.map(|b| u32::from(b.party.people())).sum();
            format!(
                "{people}/{} · {}",
                event.places,
                at_time(event.at, language)
            )
        }),
        events: events
            .into_iter()
            .map(|event| (&event.id, event.title.of(language)))
            .collect(),
        groups: groups(&bookings, today, language),
        said,
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// A booking of the list, and what its guest was promised with it.
struct Listed {
    booking: Booking,
    gift: Option<String>,
}

/// The bookings that staff have something to do with, in their order: those of today and later; those of before of
/// which nobody has said whether the guest came; and what was said of yesterday's, to take it back.
async fn of_store(state: &State, bundle: &Arc<Bundle>, language: Language) -> Vec<Listed> {
    let (own, bundle) = (state.clone(), Arc::clone(bundle));
    let look = move |ledger: &mut Ledger| {
        let Some(folder) = own.own_store(&bundle) else {
            return only_say(Vec::new());
        };
        let today = business_day(folder.store.local(own.now()));
        let yesterday = today.yesterday().unwrap_or(today);
        let is_listed = |booking: &&Booking| {
            let day = business_day(booking.at);
            let is_settled = !booking.standing.is_ahead();
            day >= today || booking.is_left_open(today) || (day == yesterday && is_settled)
        };
        let bookings = ledger.bookings().of_store(&folder.store.id).into_iter();
        let listed = bookings.filter(is_listed).map(|booking| Listed {
            booking: booking.clone(),
            gift: promised(&own, &bundle, ledger, booking, language),
        });
        only_say(listed.collect())
    };
    // A journal that cannot write says so where somebody wants something written.
    state.journal.commit(look).await.unwrap_or_default()
}

/// How many tables wait for an answer in the store this box stands in; none where it takes no bookings.
pub(super) async fn unanswered(state: &State, folder: &StoreFolder) -> Option<usize> {
    if folder.store.booking().is_none() && folder.tastings.is_empty() {
        return None;
    }
    let store = folder.store.id.clone();
    let today = business_day(folder.store.local(state.now()));
    let look = move |ledger: &mut Ledger| {
        let bookings = ledger.bookings().of_store(&store).into_iter();
        // Those who wait for an event are answered by whoever cancels.
        let unanswered = bookings.filter(|booking| {
            booking.tasting.is_none()
                && booking.standing.is_unanswered()
                && business_day(booking.at) >= today
        });
        only_say(unanswered.count())
    };
    Some(state.journal.commit(look).await.unwrap_or_default())
}

fn groups(listed: &[Listed], today: Date, language: Language) -> Vec<Group<'static>> {
    let t = &texts(language).bookings;
    let of = |title, is_in: &dyn Fn(&Booking) -> bool| {
        let rows = listed.iter().filter(|listed| is_in(&listed.booking));
        Group {
            title,
            rows: rows.map(|listed| row(listed, today, language)).collect(),
        }
    };
    let is_today = |booking: &Booking| business_day(booking.at) == today;
    let is_booked =
        |booking: &Booking| booking.standing == Standing::Confirmed && !booking.is_left_open(today);
    let waits =
        |booking: &Booking| booking.standing.is_unanswered() && !booking.is_left_open(today);
    let mut unanswered = of(&t.unanswered, &waits);
    // Whoever is to be answered first, whatever day they come.
    unanswered.rows.sort_by_key(|row| !row.is_vip);
    let mut groups = vec![
        unanswered,
        of(&t.left_open, &|b| b.is_left_open(today)),
        of(&t.today, &|b| is_today(b) && is_booked(b)),
        of(&t.coming, &|b| !is_today(b) && is_booked(b)),
        of(&t.settled, &|b| !b.standing.is_ahead()),
    ];
    groups.retain(|group| !group.rows.is_empty());
    groups
}

fn row(Listed { booking, gift }: &Listed, today: Date, language: Language) -> Row {
    let all = texts(language);
    let t = &all.bookings;
    let day = business_day(booking.at);
    let acts = Act::ALL.into_iter().filter(|act| match act {
        // Nobody sits down, or stays away, before the day.
        Act::Seat | Act::NoShow => day <= today && booking.after(*act).is_some(),
        // Nor is there anything to promise after it.
        Act::Confirm | Act::Cancel => day >= today && booking.after(*act).is_some(),
        Act::Undo => booking.after(*act).is_some(),
    });
    Row {
        id: booking.id,
        revision: booking.revision,
        when: when(booking, language),
        people: people(booking, &all.book),
        name: booking.name.as_str().to_owned(),
        code: booking.code,
        is_vip: booking.is_vip,
        has_phone: booking.phone.is_some(),
        standing: standing(t, booking.standing),
        gift: gift.clone(),
        staff: booking.staff.clone(),
        acts: acts.map(|act| (act.name(), words(t, act))).collect(),
    }
}

fn standing(t: &'static Texts, standing: Standing) -> &'static str {
    match standing {
        Standing::Waiting => &t.is_waiting,
        Standing::Requested => &t.is_requested,
        Standing::Confirmed => &t.is_confirmed,
        Standing::Seated => &t.is_seated,
        Standing::NoShow => &t.is_no_show,
        Standing::Cancelled => &t.is_cancelled,
    }
}

fn words(t: &'static Texts, act: Act) -> &'static str {
    match act {
        Act::Confirm => &t.confirm,
        Act::Seat => &t.seat,
        Act::NoShow => &t.no_show,
        Act::Cancel => &t.cancel,
        Act::Undo => &t.undo,
    }
}
