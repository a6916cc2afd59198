//! Stories of bookings and of sign-ups: what a half-hour and an event take, who waits, and whose word counts.

use jiff::civil::{DateTime, datetime};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::book::{Asked, Bookings, House, Refused, Speaker};
use super::rules::NotThen;
use super::tasting::{BadCode, CodeMaker, SignUp, Tasting};
use super::*;
use crate::domain::event::{EraseRequested, Event, Occurrence};
use crate::domain::ids::Issuer;
use crate::domain::store::Store;
use crate::domain::wallet::moment_at;

/// A shop that is open from noon to two in the morning and takes two parties, or ten people, a half-hour.
struct Shop {
    store: Store,
    tastings: Vec<Tasting>,
    book: Bookings,
    now: Timestamp,
    /// What is in the journal.
    log: Vec<Occurrence>,
}

impl Shop {
    fn open() -> Self {
        let file = include_str!("../../../tests/fixtures/chain/stores/SZ01/store.toml");
        let more = "\n[[hours]]\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n\
                    from = \"12:00\"\nto = \"02:00\"\n\
                    [booking]\nparties_per_half_hour = 2\nseats_per_half_hour = 10\n";
        Self {
            store: toml::from_str(&format!("{file}{more}")).unwrap(),
            tastings: vec![tasting()],
            book: Bookings::default(),
            // A Tuesday, 14:10 on the wall.
            now: "2026-12-01T06:10:00Z".parse().unwrap(),
            log: Vec::new(),
        }
    }

    fn ask(&mut self, guest: u8, party: u8, at: DateTime) -> Result<Option<Booking>, Refused> {
        self.ask_as(guest, party, at, false)
    }

    fn ask_as(
        &mut self,
        guest: u8,
        party: u8,
        at: DateTime,
        is_vip: bool,
    ) -> Result<Option<Booking>, Refused> {
        let asked = Asked {
            is_vip,
            ..self.asked(guest, party)
        };
        let said = self.book.ask(&asked, at)?;
        if let Some(booking) = &said {
            self.happen(Event::BookingRequested(Box::new(booking.clone())));
        }
        Ok(said)
    }

    fn asked(&self, guest: u8, party: u8) -> Asked<'_> {
        Asked {
            id: id(guest),
            house: self.house(),
            issuer: Issuer::Store,
            vid: Vid::from_entropy([guest; 16]),
            is_vip: false,
            name: name(),
            phone: None,
            party: people(party),
            now: self.now,
            codes: std::array::from_fn(|n| n as u64),
        }
    }

    fn house(&self) -> House<'_> {
        House {
            store: &self.store,
            tastings: &self.tastings,
        }
    }

    fn sign_up(&mut self, guest: u8, code: Option<InviteCode>) -> Result<Option<Booking>, Refused> {
        let said = self
            .book
            .sign_up(&self.asked(guest, 1), &self.tastings[0], code, &Maker)?;
        if let Some(booking) = &said {
            self.happen(Event::EventRsvp(Box::new(booking.clone())));
        }
        Ok(said)
    }

    fn invite(&mut self, guest: u8, code: InviteCode) -> Result<Option<Booking>, Refused> {
        self.sign_up(guest, Some(code))
    }

    fn act(&mut self, guest: u8, act: Act, by_staff: bool) -> Result<Option<Booking>, Refused> {
        let saw = self.book.get(id(guest)).map(|booking| booking.revision);
        let lin = lin();
        let by = match by_staff {
            true => Speaker::Staff { name: &lin, saw },
            false => Speaker::Guest,
        };
        let said = self.book.act(id(guest), self.house(), act, by, self.now)?;
        self.changed(said.clone());
        Ok(said)
    }

    fn change(&mut self, guest: u8, at: DateTime, party: u8) -> Result<Option<Booking>, Refused> {
        let wanted = (at, people(party));
        let said = self
            .book
            .change(id(guest), self.house(), wanted, self.now)?;
        self.changed(said.clone());
        Ok(said)
    }

    fn changed(&mut self, said: Option<Booking>) {
        if let Some(booking) = said {
            self.happen(Event::BookingChanged(Box::new(booking)));
        }
    }

    fn happen(&mut self, event: Event) {
        let occurrence = Occurrence {
            store: self.store.id.clone(),
            moment: moment_at(&self.store, self.now),
            event,
        };
        self.book.apply(&occurrence);
        self.log.push(occurrence);
    }

    fn standing(&self, guest: u8) -> Standing {
        self.book.get(id(guest)).unwrap().standing
    }

    /// Has a guest wait, as one who asked on the street.
    fn wait(&mut self, guest: u8, at: DateTime, is_vip: bool) {
        self.happen(Event::BookingRequested(Box::new(Booking {
            id: id(guest),
            revision: 1,
            store: self.store.id.clone(),
            at,
            tasting: None,
            invited_with: None,
            party: people(2),
            name: name(),
            phone: None,
            vid: Vid::from_entropy([guest; 16]),
            code: ShortCode::from_entropy(guest.into(), 4, Issuer::Street),
            standing: Standing::Waiting,
            before: None,
            staff: None,
            asked_at: self.now,
            is_vip,
            gift: None,
        })));
    }

    /// The box starts anew from its checkpoint and the whole log.
    fn restart(&mut self) {
        let mut again = Bookings::default();
        for (_, booking) in self.book.take_changes(Timestamp::MIN) {
            if let Some(booking) = booking {
                again.restore(booking.clone());
            }
        }
        for (code, at) in self.book.take_used(Timestamp::MIN) {
            again.restore_used(&code, &at.unwrap()).unwrap();
        }
        for occurrence in &self.log {
            again.apply(occurrence);
        }
        self.book = again;
    }
}

/// Three places on Saturday, by invitation; everybody there can pass on two codes.
fn tasting() -> Tasting {
    toml::from_str(
        "id = \"new-broth\"\ntitle = { zh = \"新汤品鉴\", en = \"The new broth\" }\n\
         text = { zh = \"请来尝尝。\", en = \"Come and taste.\" }\nat = \"2026-12-05T19:00\"\n\
         places = 3\nopens = \"2026-12-01T12:00\"\nby_invitation = true\n\
         codes = [\"1\", \"2\", \"3\"]\ncodes_per_guest = 2\n",
    )
    .unwrap()
}

/// The code with entropy `n` has the digest `n`.
struct Maker;

impl CodeMaker for Maker {
    fn digest(&self, _: &Tasting, code: InviteCode) -> String {
        let mut numbers = 0..100;
        let found = numbers.find(|n| InviteCode::from_entropy(*n) == code);
        found.map_or_else(String::new, |n| n.to_string())
    }

    fn of_guest(&self, booking: BookingId, n: u8) -> InviteCode {
        passed_on(booking.to_bytes()[0], n)
    }
}

fn listed(n: u64) -> InviteCode {
    InviteCode::from_entropy(n)
}

fn passed_on(guest: u8, n: u8) -> InviteCode {
    InviteCode::from_entropy(1_000 + u64::from(guest) * 10 + u64::from(n))
}

fn name() -> GuestName {
    GuestName::typed("王女士").unwrap()
}

fn people(number: u8) -> Party {
    Party::try_from(number).unwrap()
}

fn lin() -> StaffName {
    StaffName::parse("lin").unwrap()
}

fn id(guest: u8) -> BookingId {
    BookingId::from_entropy([guest; 16])
}

fn tonight(hour: i8) -> DateTime {
    datetime(2026, 12, 1, hour, 0, 0, 0)
}

#[test]
fn a_half_hour_takes_its_parties_and_no_more() {
    let mut shop = Shop::open();
    assert_eq!(
        shop.ask(1, 4, tonight(19)).unwrap().unwrap().standing,
        Standing::Requested
    );
    assert_eq!(
        shop.ask(2, 7, tonight(19)),
        Err(Refused::Full),
        "eleven people"
    );
    shop.ask(3, 6, tonight(19)).unwrap();
    assert_eq!(
        shop.ask(4, 1, tonight(19)),
        Err(Refused::Full),
        "three parties"
    );
    shop.ask(4, 1, datetime(2026, 12, 1, 19, 30, 0, 0)).unwrap();
    shop.act(1, Act::NoShow, true).unwrap();
    shop.ask(5, 2, tonight(19)).unwrap();
    let no = shop.act(1, Act::Undo, true);
    assert_eq!(no, Err(Refused::Full), "the table is somebody else's now");
    shop.act(5, Act::Cancel, false).unwrap();
    shop.act(1, Act::Undo, true).unwrap();
    assert_eq!(shop.standing(1), Standing::Requested);
}

#[test]
fn the_same_form_twice_is_one_booking_and_the_same_word_twice_is_one_word() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    assert_eq!(shop.ask(1, 2, tonight(19)), Ok(None));
    shop.act(1, Act::Confirm, true).unwrap();
    assert_eq!(shop.act(1, Act::Confirm, true), Ok(None));
    assert_eq!(shop.change(1, tonight(19), 2), Ok(None));
    assert_eq!(shop.log.len(), 2);
}

#[test]
fn nobody_books_the_past_a_closed_hour_or_next_year() {
    let mut shop = Shop::open();
    for (at, why) in [
        (tonight(12), NotThen::TooSoon),
        (datetime(2026, 12, 1, 14, 30, 0, 0), NotThen::TooSoon),
        (datetime(2025, 12, 1, 19, 0, 0, 0), NotThen::TooSoon),
        (datetime(2026, 12, 2, 11, 30, 0, 0), NotThen::Closed),
        (datetime(2026, 12, 2, 2, 0, 0, 0), NotThen::Closed),
        (datetime(2026, 12, 1, 19, 7, 0, 0), NotThen::Closed),
        (datetime(2026, 12, 9, 19, 0, 0, 0), NotThen::TooFar),
        (datetime(9999, 12, 31, 23, 30, 0, 0), NotThen::TooFar),
    ] {
        assert_eq!(shop.ask(1, 2, at), Err(Refused::NotThen(why)), "{at}");
    }
    assert_eq!(shop.ask(1, 9, tonight(19)), Err(Refused::TooLarge));
    // Past midnight is still tonight.
    shop.ask(1, 2, datetime(2026, 12, 2, 1, 30, 0, 0)).unwrap();
    let rules = shop.store.booking().unwrap();
    let days = shop.store.days_to_book(rules, shop.now);
    let all: Vec<_> = days
        .flat_map(|day| shop.store.half_hours_to_book(rules, day, shop.now))
        .collect();
    assert_eq!(all[0], tonight(15), "half an hour from now at the earliest");
    assert_eq!(all.len(), 22 + 7 * 28);
}

#[test]
fn a_store_without_hours_or_without_rules_takes_no_bookings() {
    let mut shop = Shop::open();
    shop.store.hours.clear();
    assert_eq!(shop.ask(1, 2, tonight(19)), Err(Refused::NotHere));
    let file = include_str!("../../../tests/fixtures/chain/stores/SZ01/store.toml");
    shop.store = toml::from_str(file).unwrap();
    assert_eq!(shop.ask(1, 2, tonight(19)), Err(Refused::NotHere));
}

#[test]
fn one_diner_books_three_times_ahead() {
    let mut shop = Shop::open();
    for (booking, hour) in [(1, 18), (2, 19), (3, 20)] {
        let asked = Asked {
            vid: Vid::from_entropy([7; 16]),
            ..shop.asked(booking, 2)
        };
        let said = shop.book.ask(&asked, tonight(hour)).unwrap().unwrap();
        shop.happen(Event::BookingRequested(Box::new(said)));
    }
    let fourth = |shop: &Shop| {
        let asked = Asked {
            vid: Vid::from_entropy([7; 16]),
            ..shop.asked(4, 2)
        };
        shop.book
            .ask(&asked, tonight(21))
            .map(|said| said.is_some())
    };
    assert_eq!(fourth(&shop), Err(Refused::Enough));
    shop.act(2, Act::Cancel, false).unwrap();
    assert_eq!(fourth(&shop), Ok(true));
    let asked = Asked {
        vid: Vid::from_entropy([7; 16]),
        ..shop.asked(4, 2)
    };
    let said = shop.book.ask(&asked, tonight(21)).unwrap().unwrap();
    shop.happen(Event::BookingRequested(Box::new(said)));
    let again = shop.act(2, Act::Undo, false);
    assert_eq!(again, Err(Refused::Enough), "the fourth by another way");
    shop.act(2, Act::Undo, true).unwrap();
}

#[test]
fn nobody_takes_back_a_cancellation_when_the_table_is_over() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    shop.act(1, Act::Cancel, false).unwrap();
    shop.now += SignedDuration::from_hours(10);
    let late = Err(Refused::NotThen(NotThen::TooSoon));
    assert_eq!(shop.act(1, Act::Undo, false), late);
}

#[test]
fn staff_take_back_the_word_they_saw_and_no_later_one() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    shop.act(1, Act::Confirm, true).unwrap();
    let saw = shop.book.get(id(1)).map(|booking| booking.revision);
    shop.act(1, Act::Seat, true).unwrap();
    let other_till = |shop: &Shop, saw| {
        let lin = lin();
        let by = Speaker::Staff { name: &lin, saw };
        shop.book
            .act(id(1), shop.house(), Act::Undo, by, shop.now)
            .map(|said| said.map(|booking| booking.standing))
    };
    assert_eq!(other_till(&shop, saw), Err(Refused::MovedOn));
    assert_eq!(other_till(&shop, None), Err(Refused::MovedOn));
    let now = shop.book.get(id(1)).map(|booking| booking.revision);
    assert_eq!(other_till(&shop, now), Ok(Some(Standing::Confirmed)));
}

#[test]
fn a_table_that_nobody_tapped_is_over_with_its_evening() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    let booking = shop.book.get(id(1)).unwrap();
    assert!(booking.is_ahead(tonight(18)));
    assert!(booking.is_ahead(tonight(22)), "they may be late");
    assert!(!booking.is_ahead(tonight(23)));
    let (today, tomorrow) = (tonight(0).date(), datetime(2026, 12, 2, 0, 0, 0, 0).date());
    assert!(!booking.is_left_open(today));
    assert!(booking.is_left_open(tomorrow), "did they come?");
    shop.act(1, Act::NoShow, true).unwrap();
    let booking = shop.book.get(id(1)).unwrap();
    assert!(!booking.is_left_open(tomorrow));
}

#[test]
fn others_before_one_are_those_that_are_still_to_come() {
    let mut shop = Shop::open();
    for (guest, day) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
        let at = datetime(2026, 12, day, 19, 0, 0, 0);
        shop.ask(guest, 2, at).unwrap();
    }
    let last = shop.book.get(id(4)).unwrap().clone();
    let before = |shop: &Shop, day| shop.book.others_before(&last, day);
    assert_eq!(before(&shop, None), 3);
    assert_eq!(before(&shop, Some(last.at.date())), 1);
    shop.act(1, Act::Cancel, true).unwrap();
    assert_eq!(before(&shop, None), 2);
}

#[test]
fn a_guest_changes_and_cancels_and_takes_back_only_their_own_word() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    shop.act(1, Act::Confirm, true).unwrap();
    assert_eq!(shop.act(1, Act::Undo, false), Err(Refused::MovedOn));
    assert_eq!(shop.act(1, Act::Seat, false), Err(Refused::MovedOn));
    shop.change(1, tonight(20), 4).unwrap();
    assert_eq!(shop.standing(1), Standing::Requested, "staff answer anew");
    shop.act(1, Act::Cancel, false).unwrap();
    shop.act(1, Act::Undo, false).unwrap();
    assert_eq!(shop.standing(1), Standing::Requested);
    shop.act(1, Act::Cancel, true).unwrap();
    assert_eq!(shop.act(1, Act::Undo, false), Err(Refused::MovedOn));
    assert_eq!(shop.change(1, tonight(21), 2), Err(Refused::MovedOn));
    shop.act(1, Act::Undo, true).unwrap();
    shop.act(1, Act::Seat, true).unwrap();
    assert_eq!(shop.act(1, Act::Cancel, false), Err(Refused::MovedOn));
}

#[test]
fn whoever_waits_moves_up_vips_first() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    shop.ask(2, 2, tonight(19)).unwrap();
    for (guest, is_vip) in [(3, false), (4, true), (5, false)] {
        shop.now += SignedDuration::from_secs(1);
        shop.wait(guest, tonight(19), is_vip);
    }
    assert_eq!(shop.book.next_up(shop.house(), shop.now), None);
    let mut order = Vec::new();
    for leaves in [1, 2] {
        shop.act(leaves, Act::Cancel, false).unwrap();
        let next = shop.book.next_up(shop.house(), shop.now).unwrap();
        order.push(next.id);
        shop.changed(Some(next));
    }
    assert_eq!(order, [id(4), id(3)]);
    assert_eq!(shop.book.next_up(shop.house(), shop.now), None);
    assert_eq!(shop.act(5, Act::Confirm, true), Err(Refused::Full));
}

#[test]
fn a_code_invites_once_and_everybody_with_a_place_passes_on_their_own() {
    let mut shop = Shop::open();
    let bad = |bad| Err(Refused::BadCode(bad));
    assert_eq!(shop.sign_up(1, None), bad(BadCode::Missing));
    assert_eq!(shop.invite(1, listed(4)), bad(BadCode::Unknown));
    shop.invite(1, listed(1)).unwrap();
    assert_eq!(shop.invite(2, listed(1)), bad(BadCode::Used));
    assert_eq!(shop.invite(2, passed_on(1, 2)), bad(BadCode::Unknown));
    shop.invite(2, passed_on(1, 0)).unwrap();
    shop.invite(3, passed_on(1, 1)).unwrap();
    assert_eq!(shop.invite(4, passed_on(1, 1)), bad(BadCode::Used));
    // The fourth waits, and has nothing to pass on until there is a place.
    shop.invite(4, listed(2)).unwrap();
    assert_eq!(shop.standing(4), Standing::Waiting);
    assert_eq!(shop.invite(5, passed_on(4, 0)), bad(BadCode::Unknown));
    shop.act(2, Act::Cancel, false).unwrap();
    assert_eq!(shop.invite(6, passed_on(1, 0)), bad(BadCode::Used));
    assert_eq!(shop.invite(4, listed(3)), Ok(None), "the same form");
    let again = Asked {
        vid: Vid::from_entropy([4; 16]),
        ..shop.asked(9, 1)
    };
    let again = shop
        .book
        .sign_up(&again, &shop.tastings[0], Some(listed(3)), &Maker);
    assert_eq!(again, Err(Refused::Already(id(4))), "one person, one place");
}

#[test]
fn a_code_of_a_guest_who_is_forgotten_is_not_good_again() {
    let mut shop = Shop::open();
    shop.invite(1, listed(1)).unwrap();
    shop.happen(Event::EraseRequested(EraseRequested {
        vid: Vid::from_entropy([1; 16]),
        instead: Vid::from_entropy([9; 16]),
        passed_on: false,
    }));
    let used = |shop: &mut Shop| shop.invite(2, listed(1)) == Err(Refused::BadCode(BadCode::Used));
    assert_eq!(shop.book.get(id(1)), None);
    assert!(used(&mut shop));
    shop.restart();
    assert!(used(&mut shop), "the checkpoint knows the code");
    shop.log.clear();
    shop.book.take_used(shop.now);
    let later = shop.now + SignedDuration::from_hours(13 * 24);
    let gone = shop.book.take_used(later);
    assert_eq!(gone.len(), 1, "and for a week after the event");
    assert!(gone.iter().all(|(_, at)| at.is_none()));
}

#[test]
fn one_diner_cancels_ten_times_and_the_book_keeps_the_last_of_many() {
    let mut shop = Shop::open();
    let theirs = Vid::from_entropy([7; 16]);
    let ask = |shop: &Shop, booking| {
        let asked = Asked {
            vid: theirs,
            codes: std::array::from_fn(|n| u64::from(booking) * 8 + n as u64),
            ..shop.asked(booking, 2)
        };
        shop.book.ask(&asked, tonight(19))
    };
    for booking in 1..=10 {
        let said = ask(&shop, booking).unwrap().unwrap();
        shop.happen(Event::BookingRequested(Box::new(said)));
        shop.act(booking, Act::Cancel, false).unwrap();
    }
    assert_eq!(ask(&shop, 11), Err(Refused::Enough));
    let one = shop.book.get(id(1)).unwrap().clone();
    for many in 0..600_u32 {
        let mut entropy = [0xff; 16];
        entropy[..4].copy_from_slice(&many.to_be_bytes());
        shop.happen(Event::BookingChanged(Box::new(Booking {
            id: BookingId::from_entropy(entropy),
            vid: Vid::from_entropy(entropy),
            asked_at: one.asked_at + SignedDuration::from_secs(many.into()),
            ..one.clone()
        })));
    }
    let kept = |shop: &Shop| shop.book.of_store(&shop.store.id).len();
    assert_eq!(shop.book.take_changes(shop.now).len(), 610);
    assert_eq!(kept(&shop), 610, "no log brings one back that has left");
    assert_eq!(shop.book.take_changes(shop.now).len(), 110);
    assert_eq!(kept(&shop), 500);
    assert_eq!(shop.book.get(id(1)), None, "the oldest leave first");
}

#[test]
fn a_cancelled_place_is_not_taken_back_beside_a_new_one() {
    let mut shop = Shop::open();
    shop.tastings[0].by_invitation = false;
    let theirs = Vid::from_entropy([7; 16]);
    for booking in [1, 2] {
        let asked = Asked {
            vid: theirs,
            ..shop.asked(booking, 1)
        };
        let said = shop.book.sign_up(&asked, &shop.tastings[0], None, &Maker);
        let said = said.unwrap().unwrap();
        shop.happen(Event::EventRsvp(Box::new(said)));
        if booking == 1 {
            shop.act(1, Act::Cancel, false).unwrap();
        }
    }
    let again = shop.act(1, Act::Undo, false);
    assert_eq!(again, Err(Refused::Already(id(2))), "one person, one place");
}

#[test]
fn whoever_waits_for_an_event_knows_their_number_and_moves_up() {
    let mut shop = Shop::open();
    shop.tastings[0].by_invitation = false;
    for guest in 1..=6 {
        shop.now += SignedDuration::from_secs(1);
        shop.sign_up(guest, None).unwrap();
    }
    let number = |shop: &Shop, guest| shop.book.place_in_line(shop.book.get(id(guest)).unwrap());
    assert_eq!([4, 5, 6].map(|guest| number(&shop, guest)), [1, 2, 3]);
    assert_eq!(
        shop.book.taken(&shop.store.id, &shop.tastings[0].id),
        (3, 3)
    );
    shop.act(2, Act::Cancel, false).unwrap();
    let next = shop.book.next_up(shop.house(), shop.now).unwrap();
    assert_eq!((next.id, next.standing), (id(4), Standing::Confirmed));
    shop.happen(Event::EventRsvp(Box::new(next)));
    assert_eq!([5, 6].map(|guest| number(&shop, guest)), [1, 2]);
    assert_eq!(shop.act(2, Act::Undo, false), Err(Refused::Full));
    // At the door.
    let code = shop.book.get(id(1)).unwrap().code;
    let store = &shop.store.id;
    let found = shop.book.by_code(store, &shop.tastings[0].id, code);
    assert_eq!(found.map(|booking| booking.id), Some(id(1)));
    shop.act(1, Act::Seat, true).unwrap();
    assert_eq!(
        shop.act(5, Act::Seat, true),
        Err(Refused::Full),
        "there is no chair"
    );
    assert_eq!(
        shop.act(1, Act::Seat, true),
        Ok(None),
        "in twice is in once"
    );
}

#[test]
fn an_event_takes_sign_ups_between_its_times() {
    let shop = Shop::open();
    let mut tasting = tasting();
    let at = |time: &str| {
        let local: DateTime = time.parse().unwrap();
        shop.store.offset(shop.now).to_timestamp(local).unwrap()
    };
    let said = |tasting: &Tasting, time| tasting.sign_up(&shop.store, at(time));
    let noon = tonight(12);
    assert_eq!(said(&tasting, "2026-12-01T11:59"), SignUp::NotYet(noon));
    assert_eq!(said(&tasting, "2026-12-01T12:00"), SignUp::Open);
    assert_eq!(said(&tasting, "2026-12-05T18:59"), SignUp::Open);
    assert_eq!(said(&tasting, "2026-12-05T19:00"), SignUp::Over);
    tasting.closes = Some(tonight(20));
    assert_eq!(said(&tasting, "2026-12-01T20:00"), SignUp::Over);
}

#[test]
fn a_booking_is_forgotten_a_week_after_its_day_in_the_checkpoint_too() {
    let mut shop = Shop::open();
    shop.ask(1, 2, tonight(19)).unwrap();
    let later = shop.now + SignedDuration::from_hours(9 * 24);
    assert_eq!(shop.book.take_changes(shop.now).len(), 1);
    assert_eq!(shop.book.take_changes(shop.now).len(), 0);
    assert_eq!(shop.book.take_changes(later), [(id(1), None)]);
    assert_eq!(shop.book.get(id(1)), None);
}

#[test]
fn a_name_is_short_and_no_way_to_reach_anybody() {
    for (typed, bad) in [
        ("  ", BadName::Empty),
        ("\u{7}", BadName::Empty),
        (
            "一二三四五六七八九十一二三四五六七八九十一",
            BadName::TooLong,
        ),
        ("Lin 13800138000", BadName::TellsHowToReach),
        ("lin@example.cn", BadName::TellsHowToReach),
    ] {
        assert_eq!(GuestName::typed(typed), Err(bad), "{typed}");
    }
    let name = GuestName::typed(" 王 女士\n").unwrap();
    assert_eq!(name.as_str(), "王 女士");
    assert!(!format!("{name:?}").contains('王'), "not in a log");
}

/// An entry that boxes in shops have on their disks, and in frames on their way.
#[test]
fn a_booking_reads_as_it_was_written() {
    let written = r#"{"bk":"01010101010101010101010101010101","n":2,"st":"SZ01","at":"2026-12-01T19:00:00","pty":4,"nm":"王女士","vid":"02020202020202020202020202020202","cd":"7K3F","is":"confirmed","was":"requested","stf":"lin","ask":1796110200000}"#;
    let booking: Booking = serde_json::from_str(written).unwrap();
    assert_eq!(booking.at, tonight(19));
    assert_eq!(serde_json::to_string(&booking).unwrap(), written);
    let with_phone = written.replace(",\"vid\":", ",\"ph\":\"AQ-_z9\",\"vid\":");
    let booking: Booking = serde_json::from_str(&with_phone).unwrap();
    assert_eq!(serde_json::to_string(&booking).unwrap(), with_phone);
}

proptest! {
    /// Whatever guests ask, change, cancel and take back, and staff say, and however often the box starts anew in
    /// between: no half-hour holds more than it may, and nobody waits beside an empty table for longer than one
    /// more decision.
    #[test]
    fn no_half_hour_ever_holds_more_than_it_may(
        steps in prop::collection::vec((0_u8..9, 1_u8..12, 1_u8..9, 0_i8..3), 0..120),
    ) {
        let mut shop = Shop::open();
        for (step, guest, party, half) in steps {
            let at = tonight(19) + SignedDuration::from_mins(30 * i64::from(half));
            let known = shop.book.get(id(guest)).is_some();
            match step {
                0 | 1 => { shop.ask(guest, party, at).ok(); }
                2 => { shop.change(guest, at, party).ok(); }
                3 if !known => shop.wait(guest, at, party > 4),
                3 | 4 => { shop.act(guest, Act::Cancel, party > 4).ok(); }
                5 => { shop.act(guest, Act::Undo, party > 4).ok(); }
                6 => { shop.act(guest, Act::ALL[usize::from(party) % 4], true).ok(); }
                7 => shop.restart(),
                _ => while let Some(next) = shop.book.next_up(shop.house(), shop.now) {
                    shop.changed(Some(next));
                },
            }
            for half in 0..3 {
                let at = tonight(19) + SignedDuration::from_mins(30 * half);
                let here = shop.book.of_store(&shop.store.id).into_iter();
                let here: Vec<_> = here.filter(|b| b.at == at && b.standing.holds_room()).collect();
                let people: u32 = here.iter().map(|b| u32::from(b.party.people())).sum();
                prop_assert!(here.len() <= 2 && people <= 10, "{at}: {here:?}");
            }
        }
    }
}
