//! The list of booked tables at the counter: who waits for an answer, VIPs first; who comes today; who comes later.
//!
//! Staff confirm, seat, or say that nobody came, with one tap each, and take a tap back as long as the room is not
//! somebody else's. Each event has a list of its own, and a field for the codes that guests say, or that a scanner
//! types, at its door. Whoever is seated gets the coupon of the bookings' campaign in the same frame, so that neither
//! is there without the other. It works without the Internet, as everything at the counter does.

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
use crate::domain::ids::{BookingId, CouponId, ShortCode, Slug, StaffName, TapId};
use crate::domain::text::Language;
use crate::domain::wallet::{Fresh, TapAsked, Tapped};
use crate::journal::Verdict;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::State;
use crate::portal::book::{Fields, at_time, gift, move_up, people, said, when, why_not};
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
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
                let events = [said(seated)];
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
    let fresh = Fresh {
        coupon: random(),
        vid: random(),
        codes: std::array::from_fn(|_| u64::from_be_bytes(random())),
    };
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
    let mut booking = match bookings.act(id, folder.house(), act, by, now) {
        Err(refused) => return only_say(Err(refused)),
        Ok(None) => return only_say(Ok(())),
        Ok(Some(booking)) => booking,
    };
    let mut events = Vec::new();
    let is_table = booking.tasting.is_none();
    if is_table && booking.standing == Standing::Seated && booking.gift.is_none() {
        let (coupon, claim) = give(state, (bundle, folder), ledger, &booking, fresh);
        booking.gift = coupon;
        events.extend(claim);
    }
    events.push(said(booking));
    write_all(state.boot_time(), (store, now), events, Ok(()))
}

/// The coupon that comes with a booking, and its claim where it is new. None where the campaign gives nothing to
/// this guest now: a table is worth more than a gift.
fn give(
    state: &State,
    (bundle, folder): (&Bundle, &StoreFolder),
    ledger: &Ledger,
    booking: &Booking,
    fresh: Fresh,
) -> (Option<CouponId>, Option<Event>) {
    let rules = folder.store.booking();
    let campaign = rules.and_then(|rules| bundle.campaign(rules.gift.as_ref()?));
    let Some(campaign) = campaign else {
        return (None, None);
    };
    // A claim counts for a place, and nobody has said yet which table it is.
    let mut places = folder.touchpoints.values();
    let place = places.find(|place| place.is_bound() && campaign.touchpoints.contains(&place.kind));
    let Some(touchpoint) = place else {
        return (None, None);
    };
    let asked = TapAsked {
        // The same booking is the same tap, however often it is seated.
        tap: TapId::from_entropy(booking.id.to_bytes()),
        vid: Some(booking.vid),
        standing: ledger.members().standing(Some(booking.vid)),
        store: &folder.store,
        touchpoint,
        campaign,
        slice: bundle.slice(campaign),
        issuer: state.issuer,
        now: state.now(),
        fresh,
    };
    match ledger.wallet().claim(&asked) {
        Ok(Tapped::Held(coupon)) => (Some(coupon), None),
        Ok(Tapped::New(claim)) => {
            metrics::count(metrics::CLAIMS);
            (Some(claim.coupon), Some(Event::Claim(*claim)))
        }
        Err(_) => {
            metrics::count(metrics::CLAIMS_REFUSED);
            (None, None)
        }
    }
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
    let mut bookings = of_store(state, folder).await;
    let has_any = !bookings.is_empty() || !folder.tastings.is_empty();
    let wanted = event.map(|event| &event.id);
    bookings.retain(|booking| booking.tasting.as_ref() == wanted);
    let language = visitor.language;
    let all = texts(language);
    let link = match event {
        None => LanguageLink::At("/counter/bookings"),
        Some(_) => visitor.language_link(),
    };
    let local = folder.store.local(state.now());
    let ahead = folder.tastings.iter().filter(|event| event.at >= local);
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
            let held = bookings.iter().filter(|b| b.standing.holds_room());
            let people: u32 = held.map(|b| u32::from(b.party.people())).sum();
            format!(
                "{people}/{} · {}",
                event.places,
                at_time(event.at, language)
            )
        }),
        events: match event {
            Some(_) => Vec::new(),
            None => ahead
                .map(|event| (&event.id, event.title.of(language)))
                .collect(),
        },
        groups: groups(state, (&bundle, folder), &bookings, language),
        said,
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// The bookings of today and later, in their order.
async fn of_store(state: &State, folder: &StoreFolder) -> Vec<Booking> {
    let store = folder.store.id.clone();
    let today = business_day(folder.store.local(state.now()));
    let look = move |ledger: &mut Ledger| {
        let bookings = ledger.bookings().of_store(&store).into_iter();
        let ahead = bookings.filter(|booking| business_day(booking.at) >= today);
        only_say(ahead.cloned().collect())
    };
    // A journal that cannot write says so where somebody wants something written.
    state.journal.commit(look).await.unwrap_or_default()
}

/// How many wait for an answer in the store this box stands in; none where it takes no bookings.
pub(super) async fn unanswered(state: &State, folder: &StoreFolder) -> Option<usize> {
    if folder.store.booking().is_none() && folder.tastings.is_empty() {
        return None;
    }
    let bookings = of_store(state, folder).await;
    // Those who wait for an event are answered by whoever cancels.
    let unanswered = bookings
        .iter()
        .filter(|b| b.tasting.is_none() && b.standing.is_unanswered());
    Some(unanswered.count())
}

fn groups<'a>(
    state: &State,
    (bundle, folder): (&Bundle, &StoreFolder),
    bookings: &[Booking],
    language: Language,
) -> Vec<Group<'a>> {
    let t = &texts(language).bookings;
    let today = business_day(folder.store.local(state.now()));
    let row = |booking: &Booking| row(bundle, booking, today, language);
    let of = |title, is_in: &dyn Fn(&Booking) -> bool| Group {
        title,
        rows: bookings.iter().filter(|b| is_in(b)).map(row).collect(),
    };
    let is_today = |booking: &Booking| business_day(booking.at) == today;
    let is_booked = |booking: &Booking| booking.standing == Standing::Confirmed;
    let mut unanswered = of(&t.unanswered, &|b| b.standing.is_unanswered());
    // Whoever is to be answered first, whatever day they come.
    unanswered.rows.sort_by_key(|row| !row.is_vip);
    let mut groups = vec![
        unanswered,
        of(&t.today, &|b| is_today(b) && is_booked(b)),
        of(&t.coming, &|b| !is_today(b) && is_booked(b)),
        of(&t.settled, &|b| !b.standing.is_ahead()),
    ];
    groups.retain(|group| !group.rows.is_empty());
    groups
}

fn row(bundle: &Bundle, booking: &Booking, today: Date, language: Language) -> Row {
    let all = texts(language);
    let t = &all.bookings;
    let is_due = business_day(booking.at) <= today;
    let acts = Act::ALL.into_iter().filter(|act| match act {
        // Nobody sits down, or stays away, before the day.
        Act::Seat | Act::NoShow => is_due && booking.after(*act).is_some(),
        Act::Confirm | Act::Cancel | Act::Undo => booking.after(*act).is_some(),
    });
    Row {
        id: booking.id,
        revision: booking.revision,
        when: when(booking, language),
        people: people(booking, &all.book),
        name: booking.name.as_str().to_owned(),
        code: booking.code,
        is_vip: booking.is_vip,
        standing: standing(t, booking.standing),
        gift: gift(bundle, booking, language),
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
