//! A guest books a table, sees how the booking stands, changes or cancels it.
//!
//! Party, day and time are links and buttons, so the page works without a script. It promises only what is on
//! stable storage, and never more than the half-hour takes: whoever sends the form of an old page is told at the
//! field what to choose again, and what they typed is still there. Whoever knows a booking's address may change
//! it, as with a coupon. A name is never logged, and a number is sealed before anything is decided.

mod chooser;
mod gift;
mod moving_up;
mod one;
mod phone;

use axum::Router;
use axum::extract::{RawQuery, State as Extract};
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use axum::routing::get;
use jiff::civil::DateTime;
use serde::Deserialize;

use super::State;
use super::diner;
use super::error::{Apology, not_saved};
use super::ledger::{Ledger, happening, only_say, write};
use super::texts::{Book as Texts, texts};
use super::visitor::Visitor;
use crate::domain::bill::Party;
use crate::domain::booking::book::{Asked, Refused};
use crate::domain::booking::{BadName, Booking, GuestName, Standing};
use crate::domain::event::Event;
use crate::domain::ids::{BookingId, Slug, StoreId, Vid};
use crate::domain::sealed::Sealed;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::{Bundle, StoreFolder};

use chooser::Faults;
pub(super) use gift::{given, promised};
pub(super) use moving_up::{follow, move_up, move_up_in};
pub(super) use one::{Line, at_time, lines, people, when, why_not};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(choose).post(send))
        .route("/{id}", get(one::show).post(one::act))
}

/// Everything that forms and links about bookings say, as it was typed: one type, because each costs a router two
/// kilobytes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    /// Drawn when the page was shown, so that a form sent twice books once; or the booking that is meant.
    #[serde(default)]
    pub(super) id: Option<BookingId>,
    #[serde(default)]
    pub(super) act: String,
    /// How many changes of it the page showed.
    #[serde(default)]
    pub(super) rev: Option<u32>,
    /// There where the booking is to be changed.
    #[serde(default)]
    change: Option<String>,
    #[serde(default)]
    pub(super) store: Option<StoreId>,
    #[serde(default)]
    pub(super) party: String,
    #[serde(default)]
    day: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    phone: String,
    /// That invites to an event, or that a guest says at its door.
    #[serde(default)]
    pub(super) code: String,
    /// The event whose list staff are on.
    #[serde(default)]
    pub(super) event: Option<Slug>,
}

impl Fields {
    /// What a link says. One that somebody has edited shows what it would without the edit. A new booking's id is
    /// drawn here and never taken from a link: whoever made the link could open the booking by it.
    pub(super) fn of_link(query: Option<String>) -> Self {
        let said: Self = serde_urlencoded::from_str(&query.unwrap_or_default()).unwrap_or_default();
        Self {
            id: said.changes(),
            ..said
        }
    }

    /// The booking that is to be changed.
    fn changes(&self) -> Option<BookingId> {
        self.id.filter(|_| self.change.is_some())
    }
}

/// The store that somebody books at: the one this box stands in, unless another one is named. A street gateway
/// does not know how full a shop is, so it promises no table in any.
pub(super) fn store_of<'b>(
    state: &State,
    bundle: &'b Bundle,
    named: Option<&StoreId>,
) -> Option<&'b StoreFolder> {
    let own = state.own_store(bundle)?;
    named
        .is_none_or(|named| *named == own.store.id)
        .then_some(own)
}

/// `GET /book`
async fn choose(
    Extract(state): Extract<State>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::of_link(query);
    let faults = Faults {
        party: chooser::party_fault(&state, &visitor, &fields),
        ..Faults::default()
    };
    chooser::page(&state, &visitor, &fields, faults).await
}

/// `POST /book`
async fn send(
    Extract(state): Extract<State>,
    visitor: Visitor,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let Ok(Form(fields)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let t = &texts(visitor.language).book;
    let mut faults = Faults {
        party: chooser::party_fault(&state, &visitor, &fields),
        ..Faults::default()
    };
    let at = fields.at.parse::<DateTime>();
    if at.is_err() {
        faults.time = Some(&t.fault_time);
    }
    let name = match fields.changes() {
        // The name stays what it was.
        Some(_) => None,
        None => match GuestName::typed(&fields.name) {
            Ok(name) => Some(name),
            Err(bad) => {
                faults.name = Some(name_fault(t, bad));
                None
            }
        },
    };
    let phone = match fields.changes() {
        // As the name.
        Some(_) => None,
        None => phone::sealed(&state, &fields).unwrap_or_else(|bad| {
            faults.phone = Some(phone::fault(t, bad));
            None
        }),
    };
    let party = Party::parse(&fields.party);
    let wish = match (at, party) {
        (Ok(at), Ok(party)) if faults.are_none() => Wish {
            at,
            party,
            name,
            phone,
        },
        (Ok(_) | Err(_), _) => return chooser::page(&state, &visitor, &fields, faults).await,
    };
    let vid = visitor.vid.unwrap_or(Vid::from_entropy(random()));
    match book(&state, &fields, wish, vid).await {
        Ok(Ok(id)) => {
            move_up(&state).await;
            let mut response = visitor.see_other(&format!("/book/{id}"));
            let cookie = diner::remembered(&state, vid);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Ok(Err(refused)) => {
            metrics::count(metrics::BOOKINGS_REFUSED);
            refuse(&state, &visitor, &fields, refused).await
        }
        Err(apology) => apology.page(&visitor),
    }
}

/// What is wrong with a name, said at its field.
pub(super) fn name_fault(t: &'static Texts, bad: BadName) -> &'static str {
    match bad {
        BadName::Empty | BadName::TooLong => &t.fault_name,
        BadName::TellsHowToReach => &t.fault_reach,
    }
}

/// What a guest wants, read.
struct Wish {
    at: DateTime,
    party: Party,
    /// None where a booking is changed.
    name: Option<GuestName>,
    phone: Option<Sealed>,
}

async fn book(
    state: &State,
    fields: &Fields,
    wish: Wish,
    vid: Vid,
) -> Result<Result<BookingId, Refused>, Apology> {
    let (own, bundle) = (state.clone(), state.bundle());
    let (named, changes) = (fields.store.clone(), fields.changes());
    let id = fields.id.ok_or(Apology::Incomplete)?;
    let codes = std::array::from_fn(|_| u64::from_be_bytes(random()));
    let decide = move |ledger: &mut Ledger| {
        let Some(folder) = store_of(&own, &bundle, named.as_ref()) else {
            return only_say(Err(Refused::NotHere));
        };
        let (store, now) = (&folder.store, own.now());
        let bookings = ledger.bookings();
        let decided = match (changes, wish.name) {
            (None, Some(name)) => bookings.ask(
                &Asked {
                    id,
                    house: folder.house(),
                    issuer: own.issuer,
                    vid,
                    is_vip: ledger.members().is_vip(vid),
                    name,
                    phone: wish.phone,
                    party: wish.party,
                    now,
                    codes,
                },
                wish.at,
            ),
            (Some(_), _) | (None, None) => {
                bookings.change(id, folder.house(), (wish.at, wish.party), now)
            }
        };
        match decided {
            Err(refused) => only_say(Err(refused)),
            Ok(None) => only_say(Ok(id)),
            Ok(Some(booking)) => {
                metrics::count(metrics::BOOKINGS);
                let happened = happening(store, now, said(booking));
                write(own.boot_time(), happened, Ok(id))
            }
        }
    };
    let answer = state.journal.commit(decide).await;
    answer.map_err(|error| not_saved(&error))
}

/// The event that says how a booking stands.
pub(super) fn said(booking: Booking) -> Event {
    let booking = Box::new(booking);
    match (&booking.tasting, booking.standing) {
        (Some(_), Standing::Seated) => Event::EventCheckin(booking),
        (Some(_), _) => Event::EventRsvp(booking),
        (None, _) if booking.revision == 1 => Event::BookingRequested(booking),
        (None, _) => Event::BookingChanged(booking),
    }
}

async fn refuse(state: &State, visitor: &Visitor, fields: &Fields, refused: Refused) -> Response {
    let t = &texts(visitor.language).book;
    let time = match refused {
        Refused::NotThen(why) => chooser::why_not_then(t, why),
        Refused::Full => &t.fault_full,
        Refused::TooLarge => {
            let party = chooser::party_fault(state, visitor, fields);
            let faults = Faults {
                party,
                ..Faults::default()
            };
            return chooser::page(state, visitor, fields, faults).await;
        }
        Refused::Enough => return Apology::BookedEnough.page(visitor),
        Refused::NotHere => return Apology::NoBookings.page(visitor),
        // What it became meanwhile is on its own page.
        Refused::Unknown
        | Refused::MovedOn
        | Refused::SignUpClosed
        | Refused::BadCode(_)
        | Refused::Already(_) => {
            return match fields.id {
                Some(id) => visitor.see_other(&format!("/book/{id}")),
                None => Apology::NoSuchPage.page(visitor),
            };
        }
    };
    let faults = Faults {
        time: Some(time),
        ..Faults::default()
    };
    chooser::page(state, visitor, fields, faults).await
}

/// A booking, once everything that was decided before is on stable storage.
async fn find(state: &State, id: BookingId) -> Option<Booking> {
    let look = move |ledger: &mut Ledger| only_say(ledger.bookings().get(id).cloned());
    state.journal.commit(look).await.ok().flatten()
}
