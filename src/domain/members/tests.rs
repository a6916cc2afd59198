//! Members as a story: who becomes a VIP, who is one no more, and what a restart remembers.

use jiff::SignedDuration;
use jiff::civil::date;
use jiff::tz::Offset;
use proptest::prelude::*;

use super::*;
use crate::domain::bill::Fen;
use crate::domain::event::{Bill, Moment, Redeem, RedeemUndone};
use crate::domain::ids::{CampaignId, CouponId, DeviceId, StoreId};

const GUEST: Vid = Vid::from_entropy([7; 16]);

/// Noon of the first of December, and so many days later.
fn noon(days: i64) -> Timestamp {
    let first: Timestamp = "2026-12-01T04:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24 * days)
}

fn at(days: i64, event: Event) -> Occurrence {
    Occurrence {
        store: StoreId::parse("SZ01").unwrap(),
        moment: Moment {
            at: noon(days),
            offset: Offset::constant(8),
        },
        event,
    }
}

fn redeem(n: u8) -> Event {
    Event::Redeem(Redeem {
        redemption: RedemptionId::from_entropy([n; 16]),
        coupon: CouponId::from_entropy([n; 16]),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        staff: lin(),
        device: DeviceId::from_entropy([1; 16]),
        vid: Some(GUEST),
        remember_until: noon(30),
        off_peak: false,
        origin: None,
        home: None,
    })
}

fn undo(n: u8) -> Event {
    Event::RedeemUndone(RedeemUndone {
        redemption: RedemptionId::from_entropy([n; 16]),
        coupon: CouponId::from_entropy([n; 16]),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        staff: lin(),
        redeemed_at: noon(0),
        off_peak: false,
        origin: None,
        home: None,
    })
}

fn bill(n: u8, fen: u32) -> Event {
    Event::Bill(Bill {
        redemption: Some(RedemptionId::from_entropy([n; 16])),
        number: None,
        party: None,
        amount: Some(Fen::try_from(fen).unwrap()),
        staff: lin(),
        device: DeviceId::from_entropy([1; 16]),
    })
}

fn vip(is: bool, days: i64) -> Event {
    let today = date(2026, 12, 1).saturating_add(days.days());
    Event::VipChanged(Membership::now(GUEST, is, (today, noon(days)), Some(lin())))
}

fn lin() -> StaffName {
    StaffName::parse("lin").unwrap()
}

/// Has everything happen as a box does: what the rule makes of an event is in the same frame.
fn happen(members: &mut Members, rules: &MemberRules, occurrence: &Occurrence) {
    let promoted = members.promotion(occurrence, rules).map(Event::VipChanged);
    let moment = occurrence.moment;
    members.apply(occurrence);
    if let Some(event) = promoted {
        members.apply(&Occurrence {
            event,
            moment,
            ..occurrence.clone()
        });
    }
}

fn three_visits() -> MemberRules {
    MemberRules {
        visits: Some(3),
        ..MemberRules::default()
    }
}

#[test]
fn the_third_visit_makes_a_vip_and_one_that_was_a_mistake_is_none() {
    let (mut members, rules) = (Members::default(), three_visits());
    happen(&mut members, &rules, &at(0, redeem(1)));
    happen(&mut members, &rules, &at(3, redeem(2)));
    happen(&mut members, &rules, &at(3, undo(2)));
    happen(&mut members, &rules, &at(4, redeem(3)));
    assert!(!members.is_vip(GUEST));
    happen(&mut members, &rules, &at(9, redeem(4)));
    let since = members.get(GUEST).unwrap().vip_since();
    assert_eq!(since, Some(date(2026, 12, 10)));
    happen(&mut members, &rules, &at(20, redeem(5)));
    assert_eq!(members.get(GUEST).unwrap().vip_since(), since, "once");
}

#[test]
fn what_a_party_paid_makes_a_vip_when_the_bill_is_known() {
    let mut members = Members::default();
    let rules = MemberRules {
        spend_fen: Some(20_000),
        ..MemberRules::default()
    };
    happen(&mut members, &rules, &at(0, redeem(1)));
    happen(&mut members, &rules, &at(0, bill(1, 12_000)));
    happen(&mut members, &rules, &at(0, bill(1, 9_000)));
    assert!(!members.is_vip(GUEST), "the last word on a bill counts");
    happen(&mut members, &rules, &at(1, redeem(2)));
    happen(&mut members, &rules, &at(1, bill(2, 11_000)));
    assert!(members.is_vip(GUEST));
}

#[test]
fn a_vip_that_was_taken_away_is_earned_by_new_visits_alone() {
    let (mut members, rules) = (Members::default(), three_visits());
    for (n, day) in [(1, 0), (2, 1), (3, 2)] {
        happen(&mut members, &rules, &at(day, redeem(n)));
    }
    happen(&mut members, &rules, &at(3, vip(false, 3)));
    happen(&mut members, &rules, &at(4, redeem(4)));
    assert!(!members.is_vip(GUEST));
    let missing = members.get(GUEST).unwrap();
    let missing = missing.missing(&rules, date(2026, 12, 5)).unwrap();
    assert_eq!(missing.visits, Some(2));
    happen(&mut members, &rules, &at(5, redeem(5)));
    happen(&mut members, &rules, &at(6, redeem(6)));
    assert!(members.is_vip(GUEST));
}

#[test]
fn what_is_so_already_is_not_said_again_and_the_last_word_is_the_latest_whatever_the_clock_says() {
    let mut members = Members::default();
    let today = date(2026, 12, 1);
    let mut say = |topic, is, days| {
        let said = members.say(topic, (GUEST, is), (today, noon(days)), Some(lin()));
        if let Some(event) = &said {
            members.apply(&at(0, event.clone()));
        }
        said.is_some()
    };
    assert!(!say(Topic::Vip, false, 0), "was never one");
    assert!(say(Topic::Vip, true, 9) && !say(Topic::Vip, true, 9));
    assert!(say(Topic::Group, true, 0) && say(Topic::Card, true, 0));
    assert!(say(Topic::Vip, false, 3), "the clock was put back");
    let guest = members.get(GUEST).unwrap();
    assert_eq!(guest.vip_since(), None);
    assert_eq!(guest.in_group_since(), Some(today));
    assert_eq!(guest.card_since(), Some(today));
}

#[test]
fn a_code_finds_its_member_and_nobody_where_it_could_be_two() {
    let mut members = Members::default();
    let code = MemberCode::of(GUEST);
    assert_eq!(members.of_code(code), None);
    members.apply(&at(0, vip(true, 0)));
    assert_eq!(members.of_code(code), Some(GUEST));
    let mut twin = [7; 16];
    twin[15] = 8;
    let word = Membership::now(
        Vid::from_entropy(twin),
        true,
        (date(2026, 12, 1), noon(0)),
        None,
    );
    members.apply(&at(0, Event::MemberRegistered(word)));
    assert_eq!(members.of_code(code), None);
}

#[test]
fn a_guest_with_nothing_but_visits_is_forgotten_and_a_member_is_not() {
    let mut members = Members::default();
    let today = date(2026, 12, 1);
    members.apply(&at(0, redeem(1)));
    assert_eq!(members.take_changes(today).len(), 1);
    let later = today.saturating_add(401.days());
    assert_eq!(members.take_changes(later), [(GUEST, None)]);
    members.apply(&at(0, vip(true, 0)));
    members.take_changes(today);
    assert_eq!(members.take_changes(later), []);
    assert!(members.is_vip(GUEST));
}

/// Boxes in shops have written these: what reads them is added to and never changed.
#[test]
fn a_line_of_the_checkpoint_is_read_as_it_was_written() {
    let line = "card=1,2026-12-01,1796097600000 vip=0,2026-12-04,1796356800000 group=1,2026-12-02,1796184000000 \
                born=08-15 at=01010101010101010101010101010101,2026-12-01,12800";
    let mut members = Members::default();
    assert!(members.restore(GUEST, &format!("{line} of-the-future=1")));
    members.dirty.insert(GUEST);
    let [(_, written)] = members.take_changes(date(2026, 12, 4)).try_into().unwrap();
    assert_eq!(written.as_deref(), Some(line));
    assert!(!members.restore(GUEST, "vip=1,yesterday,0"));
}

fn events() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let event = prop_oneof![
        4 => (1..6_u8).prop_map(redeem),
        1 => (1..6_u8).prop_map(undo),
        2 => (1..6_u8, 1..9_000_u32).prop_map(|(n, fen)| bill(n, fen)),
        2 => (any::<bool>(), 0..9_i64).prop_map(|(is, days)| vip(is, days)),
    ];
    proptest::collection::vec((0..9_i64, event), 0..30)
}

proptest! {
    #[test]
    fn a_log_that_overlaps_its_checkpoint_changes_no_vip(events in events(), cut in 0_usize..30) {
        let mut members = Members::default();
        for (day, event) in &events {
            members.apply(&at(*day, event.clone()));
        }
        let mut again = Members::default();
        for (vid, line) in members.take_changes(date(2026, 12, 10)) {
            prop_assert!(again.restore(vid, &line.unwrap()));
        }
        prop_assert_eq!(again.guests.get(&GUEST), members.guests.get(&GUEST));
        for (day, event) in events.iter().skip(cut) {
            again.apply(&at(*day, event.clone()));
        }
        prop_assert_eq!(again.is_vip(GUEST), members.is_vip(GUEST));
    }

    #[test]
    fn words_on_a_vip_count_by_their_time_in_whatever_order_they_come(
        mut words in proptest::collection::vec((any::<bool>(), 0..20_i64), 1..8).prop_shuffle()
    ) {
        words.dedup_by_key(|word| word.1);
        let mut seen = BTreeSet::new();
        words.retain(|(_, day)| seen.insert(*day));
        let mut members = Members::default();
        for (is, day) in &words {
            members.apply(&at(0, vip(*is, *day)));
        }
        let (last, _) = *words.iter().max_by_key(|(_, day)| *day).unwrap();
        prop_assert_eq!(members.is_vip(GUEST), last);
    }
}
