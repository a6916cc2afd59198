//! A shop's day at the wall, minute by minute.

use jiff::civil::datetime;

use super::*;
use crate::admission::firewall::Access;

const MINUTE: Duration = Duration::from_secs(60);

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn zone() -> ZoneName {
    ZoneName::try_from("guest".to_owned()).unwrap()
}

/// So many minutes after noon.
fn at(minutes: u64) -> Now {
    let noon: Timestamp = "2026-12-01T04:00:00Z".parse().unwrap();
    let since_boot = Duration::from_secs(1_000) + MINUTE * u32::try_from(minutes).unwrap();
    let by = jiff::SignedDuration::try_from(MINUTE * u32::try_from(minutes).unwrap()).unwrap();
    Now::new(
        noon + by,
        since_boot,
        datetime(2026, 12, 1, 12, 0, 0, 0) + by,
    )
}

fn asks(last: u8, tier: Tier) -> Asked {
    Asked {
        mac: mac(last),
        zone: zone(),
        tier,
        terms: Terms {
            session: MINUTE * 60,
            idle: Some(MINUTE * 30),
            quota: Some(1_000),
            up: None,
            down: Some(125_000),
        },
    }
}

fn let_in(book: &mut Book, asked: &Asked, now: Now) -> Entry {
    match book.admit(asked, now).unwrap() {
        Verdict::New(entry, session) => {
            book.put(asked.mac, *session, now);
            entry
        }
        Verdict::Already => panic!("was in already"),
    }
}

fn moved(book: &Book, last: u8, up: u64, down: u64) -> Traffic {
    let (_, session) = book.iter().find(|(found, _)| *found == mac(last)).unwrap();
    Traffic {
        mark: session.mark,
        up,
        down,
        quota_used: None,
    }
}

#[test]
fn a_session_ends_when_its_time_is_up_and_the_device_may_return_that_day() {
    let mut book = Book::default();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 10, 20)];
    assert_eq!(book.sweep(&traffic, at(29)), []);
    let still = moved(&book, 1, 11, 20);
    assert_eq!(book.sweep(&[still], at(59)), []);
    assert!(book.session(mac(1), at(59)).is_some());
    assert!(
        book.session(mac(1), at(60)).is_none(),
        "before anybody has swept"
    );
    assert_eq!(book.sweep(&[still], at(60)), [(mac(1), Reason::Time)]);
    book.take(mac(1), Reason::Time, at(60)).unwrap();
    assert_eq!(book.returns(mac(1), at(61)), Some(Tier::Guest));
    assert_eq!(book.returns(mac(1), at(12 * 60)), None, "the next day");
    assert_eq!(book.returns(mac(2), at(61)), None);
}

#[test]
fn a_device_that_moves_nothing_has_left() {
    let mut book = Book::default();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 10, 20)];
    assert_eq!(book.sweep(&traffic, at(5)), []);
    assert_eq!(book.sweep(&traffic, at(34)), []);
    assert_eq!(book.sweep(&traffic, at(35)), [(mac(1), Reason::Idle)]);
}

#[test]
fn a_second_tap_neither_lengthens_a_session_nor_fills_its_quota_again() {
    let mut book = Book::default();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(20)),
        Ok(Verdict::Already)
    );
    let traffic = [moved(&book, 1, 600, 400)];
    assert_eq!(book.sweep(&traffic, at(21)), [(mac(1), Reason::Quota)]);
    book.take(mac(1), Reason::Quota, at(21)).unwrap();
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(22)),
        Err(Refused::QuotaSpent)
    );
    assert_eq!(book.returns(mac(1), at(22)), None);
    assert!(
        book.admit(&asks(1, Tier::Guest), at(13 * 60)).is_ok(),
        "the next day"
    );
}

#[test]
fn a_better_tier_is_more_time_and_what_was_moved_counts() {
    let mut book = Book::default();
    let first = let_in(&mut book, &asks(1, Tier::Guest), at(0));
    book.sweep(&[moved(&book, 1, 100, 300)], at(10));
    let second = let_in(&mut book, &asks(1, Tier::Coupon), at(20));
    assert_eq!((second.mark, second.lasts), (first.mark, MINUTE * 60));
    let Access::Open(meter) = second.access else {
        panic!("a session is open");
    };
    assert_eq!(meter.quota, Some(600));
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(21)),
        Ok(Verdict::Already)
    );
}

#[test]
fn a_pass_is_given_three_times_an_hour_and_a_session_takes_its_place() {
    let mut book = Book::default();
    for begins in [0, 5, 10] {
        let verdict = book.pass(mac(1), &zone(), (MINUTE, 3), at(begins)).unwrap();
        let Verdict::New(entry, session) = verdict else {
            panic!("was in already");
        };
        assert_eq!((entry.access, entry.lasts), (Access::Garden, MINUTE));
        book.put(mac(1), *session, at(begins));
    }
    let again = |book: &Book, minute| book.pass(mac(1), &zone(), (MINUTE, 3), at(minute));
    assert_eq!(again(&book, 10), Ok(Verdict::Already), "one runs");
    assert_eq!(again(&book, 12), Err(Refused::PassesSpent));
    assert!(
        matches!(again(&book, 61), Ok(Verdict::New(..))),
        "the first is an hour old"
    );
    let entry = let_in(&mut book, &asks(1, Tier::Guest), at(12));
    assert!(matches!(entry.access, Access::Open(_)));
    assert_eq!(again(&book, 13), Ok(Verdict::Already));
}

#[test]
fn staff_are_in_and_the_blocked_are_not() {
    let mut book = Book::new(&[mac(7)], &[mac(8)]);
    assert_eq!(
        book.admit(&asks(7, Tier::Guest), at(0)),
        Ok(Verdict::Already)
    );
    assert_eq!(
        book.admit(&asks(8, Tier::Guest), at(0)),
        Err(Refused::Blocked)
    );
    assert_eq!(
        book.pass(mac(8), &zone(), (MINUTE, 3), at(0)),
        Err(Refused::Blocked)
    );
    let guest = let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let entries = book.entries(at(0));
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].mac, mac(7));
    assert_ne!(entries[0].mark, guest.mark);
}

#[test]
fn a_wall_that_is_set_up_anew_counts_on_from_what_was_moved() {
    let mut book = Book::default();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    book.sweep(&[moved(&book, 1, 100, 300)], at(1));
    let Access::Open(meter) = book.entries(at(1))[0].access else {
        panic!("a session is open");
    };
    assert_eq!(meter.quota, Some(600));
    book.sweep(&[moved(&book, 1, 50, 50)], at(2));
    let session = book.session(mac(1), at(2)).unwrap();
    assert_eq!(session.moved(), Moved { up: 150, down: 350 });
}

#[test]
fn no_two_devices_have_one_mark_also_when_the_numbers_have_gone_round() {
    let mut book = Book::new(&[mac(7)], &[]);
    book.last_number = u16::MAX - 1;
    let marks: BTreeSet<_> = (10..20)
        .map(|last| let_in(&mut book, &asks(last, Tier::Guest), at(0)).mark)
        .collect();
    assert_eq!(marks.len(), 10);
    let staff = book.entries(at(0))[0].mark;
    assert!(!marks.contains(&staff));
}

#[test]
fn a_full_house_says_so_and_lets_those_in_it_stay() {
    let mut book = Book::default();
    for number in 0..MOST_SESSIONS {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        let asked = Asked {
            mac: Mac([2, 0, 0, 1, high, low]),
            ..asks(0, Tier::Guest)
        };
        let_in(&mut book, &asked, at(0));
    }
    assert_eq!(book.admit(&asks(1, Tier::Guest), at(0)), Err(Refused::Full));
    let inside = Asked {
        mac: Mac([2, 0, 0, 1, 0, 0]),
        ..asks(0, Tier::Coupon)
    };
    assert!(matches!(book.admit(&inside, at(0)), Ok(Verdict::New(..))));
}
