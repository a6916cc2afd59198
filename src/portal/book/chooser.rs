//! The page on which party, day and time are chosen, for a booking that is new or is changed.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::civil::{Date, DateTime};

use super::{Fields, store_of};
use crate::domain::bill::Party;
use crate::domain::booking::rules::{NotThen, Room, Rules};
use crate::domain::booking::{Booking, LONGEST_NAME};
use crate::domain::calendar::{business_day, clock, weekday};
use crate::domain::ids::{BookingId, StoreId};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::ops::files::random;
use crate::portal::State;
use crate::portal::error::Apology;
use crate::portal::ledger::{Ledger, only_say};
use crate::portal::pages::{Shell, render};
use crate::portal::texts::{Book as Texts, texts};
use crate::portal::visitor::Visitor;

/// What is wrong with the fields, said beside each.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) party: Option<String>,
    pub(super) time: Option<&'static str>,
    pub(super) name: Option<&'static str>,
    pub(super) phone: Option<&'static str>,
}

impl Faults {
    pub(super) const fn are_none(&self) -> bool {
        self.party.is_none() && self.time.is_none() && self.name.is_none() && self.phone.is_none()
    }
}

/// A link to the same page with something else chosen.
struct Chip {
    label: String,
    href: String,
    is_chosen: bool,
}

/// A half-hour.
struct Choice {
    at: DateTime,
    label: String,
    is_full: bool,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "portal/book.html")]
struct BookPage<'a> {
    shell: Shell,
    store: &'a StoreId,
    /// Of the booking that this becomes, or that is changed.
    id: BookingId,
    is_change: bool,
    parties: Vec<Chip>,
    party: u8,
    more: String,
    /// Days on which the store is open; the first that has a free time is shown.
    days: Vec<Chip>,
    times: Vec<Choice>,
    name: &'a str,
    longest: usize,
    takes_phone: bool,
    phone: &'a str,
    faults: Faults,
}

/// What is wrong with a party that was chosen, or typed into the address.
pub(super) fn party_fault(state: &State, visitor: &Visitor, fields: &Fields) -> Option<String> {
    let bundle = state.bundle();
    let rules = store_of(state, &bundle, fields.store.as_ref())?
        .store
        .booking()?;
    let most = rules.largest_party.people();
    let is_fine = |party: Party| party.people() <= most;
    let fault = || {
        let t = &texts(visitor.language).book;
        t.fault_party.replace("{n}", &most.to_string())
    };
    match fields.party.as_str() {
        "" => None,
        typed => (!Party::parse(typed).is_ok_and(is_fine)).then(fault),
    }
}

pub(super) fn why_not_then(t: &'static Texts, why: NotThen) -> &'static str {
    match why {
        NotThen::TooSoon => &t.fault_soon,
        NotThen::TooFar => &t.fault_far,
        NotThen::Closed => &t.fault_closed,
    }
}

/// The page; what was chosen and typed before is there again.
pub(super) async fn page(
    state: &State,
    visitor: &Visitor,
    fields: &Fields,
    faults: Faults,
) -> Response {
    let bundle = state.bundle();
    let changed = match fields.changes() {
        Some(id) => match super::find(state, id).await {
            Some(booking) if booking.standing.is_ahead() => Some(booking),
            Some(_) => return visitor.see_other(&format!("/book/{id}")),
            None => return Apology::NoSuchPage.page(visitor),
        },
        None => None,
    };
    let named = changed.as_ref().map(|booking| &booking.store);
    let folder = store_of(state, &bundle, named.or(fields.store.as_ref()));
    let open = folder.and_then(|folder| Some((&folder.store, folder.store.booking()?)));
    let Some((store, rules)) = open else {
        return Apology::NoBookings.page(visitor);
    };
    let status = if faults.are_none() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let wanted = Wanted::of(fields, changed.as_ref(), rules);
    let held = held(state, &store.id, changed.as_ref().map(|booking| booking.id)).await;
    let days = days(state, store, rules, &wanted, &held);
    let shell = Shell::of(visitor, Some(store));
    let links = Links {
        store: &store.id,
        change: fields.changes(),
        carry: shell.carry_too(),
    };
    // The day that was chosen; where none was, the first with a free time.
    let is_free = |(_, times): &&OpenDay| times.iter().any(|(_, free)| *free);
    let shown = days
        .iter()
        .find(|(day, _)| Some(*day) == wanted.day)
        .or_else(|| days.iter().find(is_free))
        .or_else(|| days.first());
    let party = wanted.party.people();
    let html = render(&BookPage {
        store: &store.id,
        id: match (fields.changes(), fields.id) {
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => BookingId::from_entropy(random()),
        },
        is_change: changed.is_some(),
        parties: (1..=rules.largest_party.people())
            .map(|people| Chip {
                label: people.to_string(),
                href: links.to(people, shown.map(|(day, _)| *day)),
                is_chosen: people == party,
            })
            .collect(),
        party,
        more: {
            let most = rules.largest_party.people().to_string();
            shell.t.book.party_more.replace("{n}", &most)
        },
        days: days
            .iter()
            .map(|(day, _)| Chip {
                label: in_short(*day, visitor.language),
                href: links.to(party, Some(*day)),
                is_chosen: shown.is_some_and(|(shown, _)| shown == day),
            })
            .collect(),
        times: shown.map_or_else(Vec::new, |shown| choices(shown, &wanted, visitor.language)),
        name: &fields.name,
        longest: LONGEST_NAME,
        takes_phone: super::phone::is_taken(&bundle),
        phone: &fields.phone,
        faults,
        shell,
    });
    let answer = crate::portal::pages::page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// Where the links of the page lead: to the page itself with something else chosen.
struct Links<'a> {
    store: &'a StoreId,
    change: Option<BookingId>,
    carry: String,
}

impl Links<'_> {
    fn to(&self, party: u8, day: Option<Date>) -> String {
        let day = day.map_or_else(String::new, |day| format!("&day={day}"));
        let change = self
            .change
            .map_or_else(String::new, |id| format!("&id={id}&change=yes"));
        let (store, carry) = (self.store, &self.carry);
        format!("/book?store={store}&party={party}{day}{change}{carry}")
    }
}

/// The half-hours of a day, to choose one.
fn choices((day, times): &OpenDay, wanted: &Wanted, language: Language) -> Vec<Choice> {
    let choice = |(at, is_free): &(DateTime, bool)| Choice {
        at: *at,
        label: label(*day, *at, language),
        is_full: !is_free,
        is_chosen: *is_free && wanted.at == Some(*at),
    };
    times.iter().map(choice).collect()
}

/// What is chosen so far.
struct Wanted {
    party: Party,
    day: Option<Date>,
    at: Option<DateTime>,
}

impl Wanted {
    fn of(fields: &Fields, changed: Option<&Booking>, rules: &Rules) -> Self {
        let fits = |party: &Party| party.people() <= rules.largest_party.people();
        let typed = Party::parse(&fields.party).ok().filter(fits);
        let two = Party::try_from(2).ok().filter(fits);
        let party = typed
            .or_else(|| Some(changed?.party).filter(fits))
            .or(two)
            .unwrap_or(rules.largest_party);
        let at = fields.at.parse().ok();
        let at = at.or_else(|| Some(changed?.at));
        let day = fields.day.parse().ok();
        Self {
            party,
            day: day.or_else(|| at.map(business_day)),
            at,
        }
    }
}

/// A day with its half-hours, and whether the party can come then.
type OpenDay = (Date, Vec<(DateTime, bool)>);

/// What each half-hour of a store holds, but for the booking that is to be changed.
async fn held(
    state: &State,
    store: &StoreId,
    but_for: Option<BookingId>,
) -> BTreeMap<DateTime, Room> {
    let store = store.clone();
    let look =
        move |ledger: &mut Ledger| only_say(ledger.bookings().held_by_half_hours(&store, but_for));
    // A journal that cannot write takes no booking either, and says so then.
    state.journal.commit(look).await.unwrap_or_default()
}

/// The days on which the store is open.
fn days(
    state: &State,
    store: &Store,
    rules: &Rules,
    wanted: &Wanted,
    held: &BTreeMap<DateTime, Room>,
) -> Vec<OpenDay> {
    let now = state.now();
    let is_free = |at: DateTime| {
        let beside = held.get(&at).copied().unwrap_or_default();
        rules.room().has_place_for(wanted.party, beside)
    };
    let days = store.days_to_book(rules, now).map(|day| {
        let times = store.half_hours_to_book(rules, day, now);
        let times: Vec<_> = times.map(|at| (at, is_free(at))).collect();
        (day, times)
    });
    days.filter(|(_, times)| !times.is_empty()).collect()
}

/// `Fri 12-04`
pub(super) fn in_short(day: Date, language: Language) -> String {
    let (month, date) = (day.month(), day.day());
    format!("{} {month}-{date:02}", weekday(day, language))
}

/// The time, with its weekday where that is not the evening's own.
fn label(day: Date, at: DateTime, language: Language) -> String {
    let time = clock(at.time());
    if at.date() == day {
        time
    } else {
        format!("{time} {}", weekday(at.date(), language))
    }
}
