//! Every booking that a gateway knows, and whether there is room for one more.
//!
//! As the wallet, it decides and is told: a decision changes nothing, and the event it returns changes the book
//! once it is in the journal. Taking in an event a second time is harmless. It promises that no half-hour ever
//! holds more parties, or more people, than the store's rules allow at the moment of each decision.
//!
//! It is bounded: a day that has been over for a week is forgotten, and a store has [`MOST`] bookings ahead. One
//! diner has few of them open, so nobody fills a shop with a phone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::rules::{NotThen, Room, Rules};
use super::{Act, Booking, GuestName, Standing};
use crate::domain::bill::Party;
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{BookingId, Issuer, ShortCode, StaffName, StoreId, Vid};
use crate::domain::store::Store;

/// More than a shop has within its days ahead; a book of them is below a megabyte.
const MOST: usize = 1_000;

/// A family's dinners; somebody who needs more speaks to the shop.
const MOST_OPEN_OF_ONE: usize = 3;

/// Guest and staff look back this far, whatever zone the store is in.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What a guest asks for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Drawn when the page was shown, so that a form sent twice books once.
    pub id: BookingId,
    pub store: &'a Store,
    pub issuer: Issuer,
    pub vid: Vid,
    pub is_vip: bool,
    pub name: GuestName,
    pub party: Party,
    pub at: DateTime,
    pub now: Timestamp,
    /// Each is tried as a code until one is free.
    pub codes: [u64; 8],
}

/// Why nothing is booked, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this store takes no bookings")]
    NotHere,
    #[error(transparent)]
    NotThen(#[from] NotThen),
    #[error("the half-hour is full")]
    Full,
    #[error("the party is larger than the store takes by itself")]
    TooLarge,
    #[error("this diner has enough bookings ahead, or the store has")]
    Enough,
    #[error("there is no such booking")]
    Unknown,
    #[error("the booking has moved on, and this makes no sense any more")]
    MovedOn,
}

#[derive(Debug, Clone, Default)]
pub struct Bookings {
    all: BTreeMap<BookingId, Booking>,
    /// Those that the checkpoint does not hold as they are.
    dirty: BTreeSet<BookingId>,
}

impl Bookings {
    pub fn get(&self, id: BookingId) -> Option<&Booking> {
        self.all.get(&id)
    }

    /// All of a store, in the order of lists.
    pub fn of_store<'a>(&'a self, store: &'a StoreId) -> Vec<&'a Booking> {
        let mut bookings: Vec<_> = self.in_store(store).collect();
        bookings.sort_by_key(|booking| booking.rank());
        bookings
    }

    /// Those of a diner, in the order of their times.
    pub fn of_diner(&self, vid: Vid) -> Vec<&Booking> {
        let own = self.all.values().filter(|booking| booking.vid == vid);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|booking| booking.rank());
        own
    }

    fn in_store<'a>(&'a self, store: &'a StoreId) -> impl Iterator<Item = &'a Booking> {
        let all = self.all.values();
        all.filter(move |booking| booking.store == *store)
    }

    /// What each half-hour of a store holds, but for one booking.
    pub fn held_by_half_hours(
        &self,
        store: &StoreId,
        but_for: Option<BookingId>,
    ) -> BTreeMap<DateTime, Room> {
        let mut held = BTreeMap::<DateTime, Room>::new();
        for booking in self.in_store(store) {
            if booking.standing.holds_room() && Some(booking.id) != but_for {
                let half_hour = held.entry(booking.at).or_default();
                half_hour.parties += 1;
                half_hour.people += u32::from(booking.party.people());
            }
        }
        held
    }

    /// Whether a party may come at `at` beside those that are booked; `but_for` is its own booking.
    fn has_room(
        &self,
        (store, rules): (&StoreId, &Rules),
        at: DateTime,
        party: Party,
        but_for: Option<BookingId>,
    ) -> bool {
        let held = self.held_by_half_hours(store, but_for);
        let beside = held.get(&at).copied().unwrap_or_default();
        rules.room().has_place_for(party, beside)
    }

    /// Decides on a request. `Ok(None)`: it is there already.
    pub fn ask(&self, asked: &Asked<'_>) -> Result<Option<Booking>, Refused> {
        if self.all.contains_key(&asked.id) {
            return Ok(None);
        }
        let store = asked.store;
        self.check(store, asked.at, asked.party, None, asked.now)?;
        let ahead = |booking: &&Booking| booking.standing.is_ahead();
        let of_one = self.of_diner(asked.vid).into_iter().filter(ahead);
        let of_all = self.in_store(&store.id).filter(ahead);
        if of_one.count() >= MOST_OPEN_OF_ONE || of_all.count() >= MOST {
            return Err(Refused::Enough);
        }
        Ok(Some(Booking {
            id: asked.id,
            revision: 1,
            store: store.id.clone(),
            at: asked.at,
            party: asked.party,
            name: asked.name.clone(),
            vid: asked.vid,
            code: self.free_code(asked).ok_or(Refused::Enough)?,
            standing: Standing::Requested,
            before: None,
            staff: None,
            asked_at: asked.now,
            is_vip: asked.is_vip,
            gift: None,
        }))
    }

    /// Decides on another time or party for a booking that is ahead; staff answer anew. `Ok(None)`: it is so already.
    pub fn change(
        &self,
        id: BookingId,
        store: &Store,
        (at, party): (DateTime, Party),
        now: Timestamp,
    ) -> Result<Option<Booking>, Refused> {
        let known = self.own(id, &store.id)?;
        if !known.standing.is_ahead() {
            return Err(Refused::MovedOn);
        }
        if (known.at, known.party) == (at, party) {
            return Ok(None);
        }
        self.check(store, at, party, Some(id), now)?;
        Ok(Some(Booking {
            revision: known.revision + 1,
            at,
            party,
            standing: Standing::Requested,
            before: None,
            staff: None,
            ..known.clone()
        }))
    }

    /// Decides on a word about a booking, by a member of staff or by the guest. `Ok(None)`: it was said before.
    pub fn act(
        &self,
        id: BookingId,
        store: &Store,
        act: Act,
        staff: Option<&StaffName>,
    ) -> Result<Option<Booking>, Refused> {
        let known = self.own(id, &store.id)?;
        if known.is_done(act) {
            return Ok(None);
        }
        if staff.is_none() && !known.is_for_guest(act) {
            return Err(Refused::MovedOn);
        }
        let standing = known.after(act).ok_or(Refused::MovedOn)?;
        if standing.holds_room() && !known.standing.holds_room() {
            let rules = store.booking().ok_or(Refused::NotHere)?;
            if !self.has_room((&store.id, rules), known.at, known.party, None) {
                return Err(Refused::Full);
            }
        }
        Ok(Some(Booking {
            revision: known.revision + 1,
            standing,
            before: (act != Act::Undo).then_some(known.standing),
            staff: staff.cloned(),
            ..known.clone()
        }))
    }

    /// The first of those who wait for whom there is room now: VIPs before others, then whoever asked first.
    pub fn next_up(&self, store: &Store, now: Timestamp) -> Option<Booking> {
        let rules = store.booking()?;
        let waiting = self.of_store(&store.id).into_iter().find(|booking| {
            booking.standing == Standing::Waiting
                && booking.at >= store.local(now)
                && self.has_room((&store.id, rules), booking.at, booking.party, None)
        })?;
        Some(Booking {
            revision: waiting.revision + 1,
            standing: Standing::Requested,
            before: None,
            staff: None,
            ..waiting.clone()
        })
    }

    fn own(&self, id: BookingId, store: &StoreId) -> Result<&Booking, Refused> {
        let known = self.all.get(&id);
        known
            .filter(|booking| booking.store == *store)
            .ok_or(Refused::Unknown)
    }

    fn check(
        &self,
        store: &Store,
        at: DateTime,
        party: Party,
        but_for: Option<BookingId>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let rules = store.booking().ok_or(Refused::NotHere)?;
        if party.people() > rules.largest_party.people() {
            return Err(Refused::TooLarge);
        }
        store.can_be_booked(rules, at, now)?;
        match self.has_room((&store.id, rules), at, party, but_for) {
            true => Ok(()),
            false => Err(Refused::Full),
        }
    }

    /// A code that no other booking of the store has.
    fn free_code(&self, asked: &Asked<'_>) -> Option<ShortCode> {
        let is_free = |code: &ShortCode| {
            let mut others = self.in_store(&asked.store.id);
            others.all(|booking| booking.code != *code)
        };
        let codes = asked.codes.into_iter();
        codes
            .map(|entropy| ShortCode::from_entropy(entropy, 4, asked.issuer))
            .find(is_free)
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let said = if let Event::BookingRequested(booking) = &occurrence.event {
            booking
        } else if let Event::BookingChanged(booking) = &occurrence.event {
            booking
        } else {
            return;
        };
        let known = self.all.get(&said.id);
        if known.is_none_or(|known| known.revision < said.revision) {
            self.all.insert(said.id, (**said).clone());
            self.dirty.insert(said.id);
        }
    }

    /// Takes back an entry of the checkpoint.
    pub fn restore(&mut self, booking: Booking) {
        self.all.insert(booking.id, booking);
    }

    /// The bookings that have changed since the last call, by their ids: none for one that is gone. Those whose day
    /// was over a week before `steady` leave; only such as an earlier checkpoint held, so that no log brings them
    /// back.
    pub fn take_changes(&mut self, steady: Timestamp) -> Vec<(BookingId, Option<&Booking>)> {
        let over = steady.saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
        let over = TimeZone::UTC.to_datetime(over);
        let changed = std::mem::take(&mut self.dirty);
        let mut gone = Vec::new();
        self.all.retain(|id, booking| {
            let stays = booking.at >= over || changed.contains(id);
            if !stays {
                gone.push(*id);
            }
            stays
        });
        let ids = changed.into_iter().chain(gone);
        ids.map(|id| (id, self.all.get(&id))).collect()
    }
}
