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

fn empty() -> Book {
    Book::new(vec![zone()], &[], &[])
}

/// Counts, and says whose time is over while every zone is open.
fn sweep(book: &mut Book, traffic: &[Traffic], now: Now) -> Vec<(Mac, Reason)> {
    book.count(traffic, now);
    book.over(|_| true, now)
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
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 10, 20)];
    assert_eq!(sweep(&mut book, &traffic, at(29)), []);
    let still = moved(&book, 1, 11, 20);
    assert_eq!(sweep(&mut book, &[still], at(59)), []);
    assert!(book.session(mac(1), &zone(), at(59)).is_some());
    assert!(
        book.session(mac(1), &zone(), at(60)).is_none(),
        "before anybody has swept"
    );
    assert_eq!(sweep(&mut book, &[still], at(60)), [(mac(1), Reason::Time)]);
    book.take(mac(1), Reason::Time, at(60)).unwrap();
    assert_eq!(book.returns(mac(1), &zone(), at(61)), Some(Tier::Guest));
    assert_eq!(
        book.returns(mac(1), &zone(), at(12 * 60)),
        None,
        "the next day"
    );
    assert_eq!(book.returns(mac(2), &zone(), at(61)), None);
}

#[test]
fn a_device_returns_unasked_only_where_it_was() {
    let yard = ZoneName::try_from("yard".to_owned()).unwrap();
    let mut book = Book::new(vec![zone(), yard.clone()], &[], &[]);
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    book.take(mac(1), Reason::Time, at(60)).unwrap();
    assert_eq!(book.returns(mac(1), &yard, at(61)), None);
    assert_eq!(book.returns(mac(1), &zone(), at(61)), Some(Tier::Guest));
}

#[test]
fn a_device_that_moves_nothing_has_left() {
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 10, 20)];
    assert_eq!(sweep(&mut book, &traffic, at(5)), []);
    assert_eq!(sweep(&mut book, &traffic, at(34)), []);
    assert_eq!(sweep(&mut book, &traffic, at(35)), [(mac(1), Reason::Idle)]);
}

#[test]
fn a_second_tap_neither_lengthens_a_session_nor_fills_its_quota_again() {
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(20)),
        Ok(Verdict::Already)
    );
    let traffic = [moved(&book, 1, 600, 400)];
    assert_eq!(
        sweep(&mut book, &traffic, at(21)),
        [(mac(1), Reason::Quota)]
    );
    book.take(mac(1), Reason::Quota, at(21)).unwrap();
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(22)),
        Err(Refused::QuotaSpent)
    );
    assert_eq!(book.returns(mac(1), &zone(), at(22)), None);
    assert!(
        book.admit(&asks(1, Tier::Guest), at(13 * 60)).is_ok(),
        "the next day"
    );
}

#[test]
fn a_better_tier_is_more_time_and_what_was_moved_counts() {
    let mut book = empty();
    let first = let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 100, 300)];
    sweep(&mut book, &traffic, at(10));
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
    let mut book = empty();
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
    let mut book = Book::new(vec![zone()], &[mac(7)], &[mac(8)]);
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
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 100, 300)];
    sweep(&mut book, &traffic, at(1));
    let Access::Open(meter) = book.entries(at(1))[0].access else {
        panic!("a session is open");
    };
    assert_eq!(meter.quota, Some(600));
    book.begin_counting();
    let traffic = [moved(&book, 1, 50, 50)];
    sweep(&mut book, &traffic, at(2));
    let session = book.session(mac(1), &zone(), at(2)).unwrap();
    assert_eq!(session.moved(), Moved { up: 150, down: 350 });
}

#[test]
fn no_two_devices_have_one_mark_also_when_the_numbers_have_gone_round() {
    let mut book = Book::new(vec![zone()], &[mac(7)], &[]);
    book.last_number = MOST_NUMBER - 1;
    let marks: BTreeSet<_> = (10..20)
        .map(|last| let_in(&mut book, &asks(last, Tier::Guest), at(0)).mark)
        .collect();
    assert_eq!(marks.len(), 10);
    let staff = book.entries(at(0))[0].mark;
    assert!(!marks.contains(&staff));
}

#[test]
fn a_full_house_says_so_and_lets_those_in_it_stay() {
    let mut book = empty();
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

#[test]
fn a_pass_does_not_fill_a_quota_that_was_used_up() {
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 600, 400)];
    sweep(&mut book, &traffic, at(1));
    book.take(mac(1), Reason::Quota, at(1)).unwrap();
    let Verdict::New(_, pass) = book.pass(mac(1), &zone(), (MINUTE, 3), at(2)).unwrap() else {
        panic!("a device without a session gets a pass");
    };
    book.put(mac(1), *pass, at(2));
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(2)),
        Err(Refused::QuotaSpent)
    );
    book.take(mac(1), Reason::Time, at(3)).unwrap();
    assert_eq!(
        book.admit(&asks(1, Tier::Guest), at(4)),
        Err(Refused::QuotaSpent)
    );
}

#[test]
fn what_was_given_in_one_zone_is_nothing_in_another() {
    let yard = ZoneName::try_from("yard".to_owned()).unwrap();
    let mut book = Book::new(vec![zone(), yard.clone()], &[], &[]);
    let there = let_in(&mut book, &asks(1, Tier::Vip), at(0));
    assert!(book.session(mac(1), &yard, at(1)).is_none());
    let asked = Asked {
        zone: yard,
        ..asks(1, Tier::Guest)
    };
    let here = let_in(&mut book, &asked, at(1));
    assert_ne!(here.mark, there.mark, "the kernel tells them apart");
    assert!(book.session(mac(1), &zone(), at(1)).is_none());
}

#[test]
fn a_zone_that_closes_ends_its_sessions_but_for_those_let_in_by_hand() {
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let_in(&mut book, &asks(2, Tier::Vip), at(0));
    assert_eq!(book.over(|_| false, at(1)), [(mac(1), Reason::Closed)]);
}

#[test]
fn a_device_that_was_blocked_or_made_the_shops_own_has_no_session_after_a_restart() {
    let mut before = empty();
    for last in [1, 7, 8] {
        let_in(&mut before, &asks(last, Tier::Guest), at(0));
    }
    let mut book = Book::new(vec![zone()], &[mac(7)], &[mac(8)]);
    let restored: Vec<_> = before
        .iter()
        .map(|(mac, session)| book.restore(mac, session.clone()))
        .collect();
    assert_eq!(restored, [true, false, false]);
    let macs: Vec<_> = book.entries(at(0)).iter().map(|entry| entry.mac).collect();
    assert_eq!(macs, [mac(7), mac(1)], "each once");
}

#[test]
fn a_second_session_of_a_day_reports_what_it_moved_itself() {
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 100, 200)];
    sweep(&mut book, &traffic, at(1));
    book.take(mac(1), Reason::Time, at(60)).unwrap();
    let_in(&mut book, &asks(1, Tier::Guest), at(61));
    let traffic = [moved(&book, 1, 10, 20)];
    sweep(&mut book, &traffic, at(62));
    let session = book.session(mac(1), &zone(), at(62)).unwrap();
    assert_eq!(session.moved(), Moved { up: 10, down: 20 });
    assert_eq!(session.quota_left(), Some(1_000 - 330));
}

#[test]
fn yesterdays_devices_are_forgotten() {
    let mut book = empty();
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    book.take(mac(1), Reason::Time, at(60)).unwrap();
    assert_eq!(book.forget(at(61)), []);
    assert_eq!(book.forget(at(13 * 60)), [mac(1)]);
    assert_eq!(book.forget(at(13 * 60)), [], "once");
}

#[test]
fn a_pass_in_another_zone_does_not_fill_the_quota_of_the_first() {
    let yard = ZoneName::try_from("yard".to_owned()).unwrap();
    let mut book = Book::new(vec![zone(), yard.clone()], &[], &[]);
    let_in(&mut book, &asks(1, Tier::Guest), at(0));
    let traffic = [moved(&book, 1, 600, 300)];
    sweep(&mut book, &traffic, at(1));
    let Verdict::New(_, pass) = book.pass(mac(1), &yard, (MINUTE, 3), at(2)).unwrap() else {
        panic!("it has nothing in the yard");
    };
    book.put(mac(1), *pass, at(2));
    let back = let_in(&mut book, &asks(1, Tier::Guest), at(4));
    let Access::Open(meter) = back.access else {
        panic!("a session is open");
    };
    assert_eq!(meter.quota, Some(100));
}
