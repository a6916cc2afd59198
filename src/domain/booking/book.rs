//! Every booking that a gateway knows, and whether there is room for one more.
//!
//! As the wallet, it decides and is told: a decision changes nothing, and the event it returns changes the book
//! once it is in the journal. Taking in an event a second time is harmless. It promises that no half-hour ever
//! holds more parties, or more people, than the store's rules allow at the moment of each decision.
//!
//! It is bounded: a day that has been over for a week is forgotten, a store has [`MOST`] bookings ahead, and beside
//! them [`MOST_CANCELLED`] are kept that their guests cancelled. One diner has few of them open, and cancels few, so
//! nobody fills a shop with a phone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::rules::{NotThen, Room};
use super::tasting::{self, BadCode, CodeMaker, InviteCode, SignUp, Tasting};
use super::used::UsedCodes;
use super::{Act, Booking, GuestName, Slot, Standing};
use crate::domain::bill::Party;
use crate::domain::calendar::business_day;
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{BookingId, CampaignId, Issuer, ShortCode, Slug, StaffName, StoreId, Vid};
use crate::domain::sealed::Sealed;
use crate::domain::store::Store;

/// More than a shop has within its days ahead; a book of them is below a megabyte.
const MOST: usize = 1_000;

/// A family's dinners; somebody who needs more speaks to the shop.
const MOST_OPEN_OF_ONE: usize = 3;

/// Somebody who cancels more tables that are still to come plays.
const MOST_CANCELLED_OF_ONE: usize = 10;

/// What a checkpoint keeps of cancelled bookings for those who open their pages.
const MOST_CANCELLED: usize = 500;

/// Guest and staff look back this far, whatever zone the store is in.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Where something can be booked: a store and its events.
#[derive(Debug, Clone, Copy)]
pub struct House<'a> {
    pub store: &'a Store,
    pub tastings: &'a [Tasting],
}

impl<'a> House<'a> {
    pub fn tasting(self, id: &Slug) -> Option<&'a Tasting> {
        self.tastings.iter().find(|tasting| tasting.id == *id)
    }

    /// The campaign whose coupon comes with being seated at what was booked.
    pub fn gift(self, booking: &Booking) -> Option<&'a CampaignId> {
        match &booking.tasting {
            Some(event) => self.tasting(event)?.gift.as_ref(),
            None => self.store.booking()?.gift.as_ref(),
        }
    }

    /// How much a slot takes; none where the store takes no such bookings any more.
    fn room(self, slot: Slot<'_>) -> Option<Room> {
        match slot {
            Slot::Table(_) => Some(self.store.booking()?.room()),
            Slot::Tasting(id) => Some(self.tasting(id)?.room()),
        }
    }
}

/// Who asks for something.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Drawn when the page was shown, so that a form sent twice books once.
    pub id: BookingId,
    pub house: House<'a>,
    pub issuer: Issuer,
    pub vid: Vid,
    pub is_vip: bool,
    pub name: GuestName,
    pub phone: Option<Sealed>,
    pub party: Party,
    pub now: Timestamp,
    /// Each is tried as a code until one is free.
    pub codes: [u64; 8],
}

/// Whose word about a booking it is.
#[derive(Debug, Clone, Copy)]
pub enum Speaker<'a> {
    /// Whoever knows the booking's address.
    Guest,
    Staff {
        name: &'a StaffName,
        /// How many changes their list showed: they take back that word, and none that came after it.
        saw: Option<u32>,
    },
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
    #[error("guests cannot sign up yet, or any more")]
    SignUpClosed,
    #[error(transparent)]
    BadCode(#[from] BadCode),
    #[error("this diner has signed up before")]
    Already(BookingId),
    #[error("the booking has moved on, and this makes no sense any more")]
    MovedOn,
}

#[derive(Debug, Clone, Default)]
pub struct Bookings {
    all: BTreeMap<BookingId, Booking>,
    /// Those that the checkpoint does not hold as they are.
    dirty: BTreeSet<BookingId>,
    /// Invitation codes of bookings that are gone.
    used: UsedCodes,
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

    /// What each slot of a store holds, but for one booking.
    fn held<'a>(
        &'a self,
        store: &'a StoreId,
        but_for: Option<BookingId>,
    ) -> BTreeMap<Slot<'a>, Room> {
        let mut held = BTreeMap::<Slot<'_>, Room>::new();
        for booking in self.in_store(store) {
            if booking.standing.holds_room() && Some(booking.id) != but_for {
                let slot = held.entry(booking.slot()).or_default();
                slot.parties += 1;
                slot.people += u32::from(booking.party.people());
            }
        }
        held
    }

    /// What each half-hour of a store holds, but for one booking.
    pub fn held_by_half_hours(
        &self,
        store: &StoreId,
        but_for: Option<BookingId>,
    ) -> BTreeMap<DateTime, Room> {
        let held = self.held(store, but_for).into_iter();
        held.filter_map(|(slot, room)| match slot {
            Slot::Table(at) => Some((at, room)),
            Slot::Tasting(_) => None,
        })
        .collect()
    }

    /// Whether a party may come beside those that are booked; `but_for` is its own booking.
    fn has_room(
        &self,
        house: House<'_>,
        slot: Slot<'_>,
        party: Party,
        but_for: Option<BookingId>,
    ) -> bool {
        let held = self.held(&house.store.id, but_for);
        let beside = held.get(&slot).copied().unwrap_or_default();
        house
            .room(slot)
            .is_some_and(|room| room.has_place_for(party, beside))
    }

    /// Decides on a request for a table. `Ok(None)`: it is there already.
    pub fn ask(&self, asked: &Asked<'_>, at: DateTime) -> Result<Option<Booking>, Refused> {
        if self.all.contains_key(&asked.id) {
            return Ok(None);
        }
        self.check(asked.house, at, asked.party, None, asked.now)?;
        self.check_asker(asked)?;
        self.begin(asked, at, Standing::Requested).map(Some)
    }

    /// Decides on a sign-up for an event: a place, or else the list of those who wait. `Ok(None)`: it is there
    /// already.
    pub fn sign_up(
        &self,
        asked: &Asked<'_>,
        tasting: &Tasting,
        code: Option<InviteCode>,
        maker: &dyn CodeMaker,
    ) -> Result<Option<Booking>, Refused> {
        if self.all.contains_key(&asked.id) {
            return Ok(None);
        }
        let own = self.of_tasting(&asked.house.store.id, &tasting.id);
        one_place(own.clone(), asked.vid)?;
        if tasting.sign_up(asked.house.store, asked.now) != SignUp::Open {
            return Err(Refused::SignUpClosed);
        }
        if asked.party.people() > tasting.largest_party.people() {
            return Err(Refused::TooLarge);
        }
        let own_waiting = own.clone();
        let is_used = code.is_some_and(|code| self.is_used(&asked.house.store.id, tasting, code));
        tasting::check(tasting, code.map(|code| (code, is_used)), own, maker)?;
        self.check_asker(asked)?;
        let slot = Slot::Tasting(&tasting.id);
        // A place that has just come free is for whoever waits.
        let mut before_them = own_waiting.filter(|other| other.standing == Standing::Waiting);
        let is_free = before_them.next().is_none();
        let standing = match is_free && self.has_room(asked.house, slot, asked.party, None) {
            true => Standing::Confirmed,
            false => Standing::Waiting,
        };
        Ok(Some(Booking {
            tasting: Some(tasting.id.clone()),
            invited_with: code,
            ..self.begin(asked, tasting.at, standing)?
        }))
    }

    /// The sign-ups for an event.
    fn of_tasting<'a>(
        &'a self,
        store: &'a StoreId,
        tasting: &'a Slug,
    ) -> impl Iterator<Item = &'a Booking> + Clone {
        let all = self.all.values();
        all.filter(move |booking| {
            booking.store == *store && booking.tasting.as_ref() == Some(tasting)
        })
    }

    /// Whether somebody has used a code, whatever became of them since.
    pub fn is_used(&self, store: &StoreId, tasting: &Tasting, code: InviteCode) -> bool {
        let mut sign_ups = self.of_tasting(store, &tasting.id);
        sign_ups.any(|booking| booking.invited_with == Some(code))
            || self.used.contains(store, &tasting.id, code)
    }

    /// How many people have a place at an event, and how many sign-ups wait for one.
    pub fn taken(&self, store: &StoreId, tasting: &Slug) -> (u32, usize) {
        let own = self.of_tasting(store, tasting);
        let placed = own.clone().filter(|booking| booking.standing.holds_room());
        let people = placed.map(|booking| u32::from(booking.party.people()));
        let waiting = own.filter(|booking| booking.standing == Standing::Waiting);
        (people.sum(), waiting.count())
    }

    /// Which number a booking has on the list of those who wait, from 1.
    pub fn place_in_line(&self, booking: &Booking) -> usize {
        let before = self.in_store(&booking.store).filter(|other| {
            other.slot() == booking.slot()
                && other.standing == Standing::Waiting
                && other.rank() < booking.rank()
        });
        before.count() + 1
    }

    /// How many bookings of the same kind are served before `booking`; of one business day, where it is said.
    pub fn others_before(&self, booking: &Booking, day: Option<Date>) -> usize {
        let before = self.in_store(&booking.store).filter(|other| {
            other.tasting == booking.tasting
                && other.standing.is_ahead()
                && other.rank() < booking.rank()
                && day.is_none_or(|day| business_day(other.at) == day)
        });
        before.count()
    }

    /// The sign-up for an event whose guest says this code.
    pub fn by_code<'a>(
        &'a self,
        store: &'a StoreId,
        tasting: &'a Slug,
        code: ShortCode,
    ) -> Option<&'a Booking> {
        let mut own = self.of_tasting(store, tasting);
        own.find(|booking| booking.code == code)
    }

    /// Whether somebody may ask for one more.
    fn check_asker(&self, asked: &Asked<'_>) -> Result<(), Refused> {
        let (store, now) = (asked.house.store, asked.now);
        let local = store.local(now);
        let cancelled = self.of_diner(asked.vid).into_iter().filter(|booking| {
            booking.standing == Standing::Cancelled
                && booking.staff.is_none()
                && !booking.is_over(local)
        });
        match cancelled.count() >= MOST_CANCELLED_OF_ONE {
            true => Err(Refused::Enough),
            false => self.check_limits(asked.vid, store, now),
        }
    }

    /// Whether a diner may have one more booking ahead in a store.
    fn check_limits(&self, vid: Vid, store: &Store, now: Timestamp) -> Result<(), Refused> {
        let local = store.local(now);
        let ahead = |booking: &&Booking| booking.is_ahead(local);
        let of_one = self.of_diner(vid).into_iter().filter(ahead);
        let of_all = self.in_store(&store.id).filter(ahead);
        match of_one.count() >= MOST_OPEN_OF_ONE || of_all.count() >= MOST {
            true => Err(Refused::Enough),
            false => Ok(()),
        }
    }

    fn begin(
        &self,
        asked: &Asked<'_>,
        at: DateTime,
        standing: Standing,
    ) -> Result<Booking, Refused> {
        Ok(Booking {
            id: asked.id,
            revision: 1,
            store: asked.house.store.id.clone(),
            at,
            tasting: None,
            invited_with: None,
            party: asked.party,
            name: asked.name.clone(),
            phone: asked.phone.clone(),
            vid: asked.vid,
            code: self.free_code(asked).ok_or(Refused::Enough)?,
            standing,
            before: None,
            staff: None,
            asked_at: asked.now,
            is_vip: asked.is_vip,
            gift: None,
        })
    }

    /// Decides on another time or party for a booking that is ahead; staff answer anew. `Ok(None)`: it is so already.
    pub fn change(
        &self,
        id: BookingId,
        house: House<'_>,
        (at, party): (DateTime, Party),
        now: Timestamp,
    ) -> Result<Option<Booking>, Refused> {
        let known = self.own(id, &house.store.id)?;
        // Whoever wants another place at an event cancels and signs up anew, at the end of the list.
        if !known.standing.is_ahead() || known.tasting.is_some() {
            return Err(Refused::MovedOn);
        }
        if (known.at, known.party) == (at, party) {
            return Ok(None);
        }
        self.check(house, at, party, Some(id), now)?;
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

    /// Decides on a word about a booking. `Ok(None)`: it was said before.
    pub fn act(
        &self,
        id: BookingId,
        house: House<'_>,
        act: Act,
        by: Speaker<'_>,
        now: Timestamp,
    ) -> Result<Option<Booking>, Refused> {
        let known = self.own(id, &house.store.id)?;
        if known.is_done(act) {
            return Ok(None);
        }
        let staff = match by {
            Speaker::Guest => {
                self.check_guest(known, house.store, act, now)?;
                None
            }
            // Every other word says what becomes of the booking; this one means the last that they have seen.
            Speaker::Staff { saw, .. } if act == Act::Undo && saw != Some(known.revision) => {
                return Err(Refused::MovedOn);
            }
            Speaker::Staff { name, .. } => Some(name),
        };
        let standing = known.after(act).ok_or(Refused::MovedOn)?;
        let needs_room = standing.holds_room() && !known.standing.holds_room();
        if needs_room && !self.has_room(house, known.slot(), known.party, None) {
            return Err(Refused::Full);
        }
        Ok(Some(Booking {
            revision: known.revision + 1,
            standing,
            before: (act != Act::Undo).then_some(known.standing),
            staff: staff.cloned(),
            ..known.clone()
        }))
    }

    /// Whether a guest may say it. To take a cancellation back is to ask again, within the same limits.
    fn check_guest(
        &self,
        known: &Booking,
        store: &Store,
        act: Act,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if !known.is_for_guest(act) {
            return Err(Refused::MovedOn);
        }
        if act != Act::Undo {
            return Ok(());
        }
        if known.is_over(store.local(now)) {
            return Err(Refused::NotThen(NotThen::TooSoon));
        }
        if let Some(tasting) = &known.tasting {
            one_place(self.of_tasting(&store.id, tasting), known.vid)?;
        }
        self.check_limits(known.vid, store, now)
    }

    /// The first of those who wait for whom there is room now: VIPs before others, then whoever asked first.
    pub fn next_up(&self, house: House<'_>, now: Timestamp) -> Option<Booking> {
        let store = house.store;
        let waiting = self.of_store(&store.id).into_iter().find(|booking| {
            booking.standing == Standing::Waiting
                && booking.at >= store.local(now)
                && self.has_room(house, booking.slot(), booking.party, None)
        })?;
        Some(Booking {
            revision: waiting.revision + 1,
            standing: match waiting.slot() {
                Slot::Table(_) => Standing::Requested,
                // Nobody has to be asked.
                Slot::Tasting(_) => Standing::Confirmed,
            },
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
        house: House<'_>,
        at: DateTime,
        party: Party,
        but_for: Option<BookingId>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let store = house.store;
        let rules = store.booking().ok_or(Refused::NotHere)?;
        if party.people() > rules.largest_party.people() {
            return Err(Refused::TooLarge);
        }
        store.can_be_booked(rules, at, now)?;
        match self.has_room(house, Slot::Table(at), party, but_for) {
            true => Ok(()),
            false => Err(Refused::Full),
        }
    }

    /// A code that no other booking of the store has.
    fn free_code(&self, asked: &Asked<'_>) -> Option<ShortCode> {
        let is_free = |code: &ShortCode| {
            let mut others = self.in_store(&asked.house.store.id);
            others.all(|booking| booking.code != *code)
        };
        let codes = asked.codes.into_iter();
        codes
            .map(|entropy| ShortCode::from_entropy(entropy, 4, asked.issuer))
            .find(is_free)
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let said = if let Event::BookingRequested(booking) | Event::BookingChanged(booking) =
            &occurrence.event
        {
            booking
        } else if let Event::EventRsvp(booking) | Event::EventCheckin(booking) = &occurrence.event {
            booking
        } else if let Event::EraseRequested(erased) = &occurrence.event {
            let theirs: Vec<_> = self.of_diner(erased.vid).iter().map(|one| one.id).collect();
            for id in theirs {
                self.drop_out(id);
                self.dirty.insert(id);
            }
            return;
        } else {
            return;
        };
        let known = self.all.get(&said.id);
        if known.is_none_or(|known| known.revision < said.revision) {
            self.all.insert(said.id, (**said).clone());
            self.dirty.insert(said.id);
        }
    }

    /// Lets go of a booking; that its code was used is remembered without it.
    fn drop_out(&mut self, id: BookingId) {
        if let Some(booking) = self.all.remove(&id) {
            self.used.remember(&booking);
        }
    }

    /// Takes back an entry of the checkpoint.
    pub fn restore(&mut self, booking: Booking) {
        self.all.insert(booking.id, booking);
    }

    /// Takes back a used code of the checkpoint; none where it cannot be read.
    pub fn restore_used(&mut self, key: &str, value: &str) -> Option<()> {
        self.used.restore(key, value)
    }

    /// The bookings that have changed since the last call, by their ids: none for one that is gone. Those whose day
    /// was over a week before `steady` leave, and the oldest of too many that are cancelled; only such as an earlier
    /// checkpoint held, so that no log brings them back.
    pub fn take_changes(&mut self, steady: Timestamp) -> Vec<(BookingId, Option<&Booking>)> {
        let over = long_over(steady);
        let changed = std::mem::take(&mut self.dirty);
        let held = self.all.values().filter(|one| !changed.contains(&one.id));
        let (mut leaving, mut staying) = (Vec::new(), Vec::new());
        for booking in held {
            if booking.at < over {
                leaving.push(booking.id);
            } else if booking.standing == Standing::Cancelled && booking.staff.is_none() {
                staying.push((booking.asked_at, booking.id));
            }
        }
        staying.sort_unstable();
        let too_many = staying.len().saturating_sub(MOST_CANCELLED);
        leaving.extend(staying.drain(..too_many).map(|(_, id)| id));
        for id in &leaving {
            self.drop_out(*id);
        }
        let ids = changed.into_iter().chain(leaving);
        ids.map(|id| (id, self.all.get(&id))).collect()
    }

    /// The used codes that have changed since the last call, each with whether it is still kept. What
    /// [`Bookings::take_changes`] let go of is among them, so it is asked first.
    pub fn take_used(&mut self, steady: Timestamp) -> Vec<(String, Option<String>)> {
        self.used.take_changes(long_over(steady))
    }
}

/// Whose day was before this is forgotten.
fn long_over(steady: Timestamp) -> DateTime {
    let over = steady.saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
    TimeZone::UTC.to_datetime(over)
}

/// Whether a diner has no place yet among the sign-ups for an event.
fn one_place<'a>(mut sign_ups: impl Iterator<Item = &'a Booking>, vid: Vid) -> Result<(), Refused> {
    let is_theirs = |other: &&Booking| other.vid == vid && other.standing != Standing::Cancelled;
    match sign_ups.find(is_theirs) {
        Some(theirs) => Err(Refused::Already(theirs.id)),
        None => Ok(()),
    }
}
