//! What every ledger keeps of guests: the last words, what their parties paid, who hears of a VIP, a list of before.

use super::*;
use crate::domain::bill::Fen;
use crate::domain::command::Command;
use crate::domain::event::{Bill, Consent, Purpose, Redeem};
use crate::domain::ids::{DeviceId, RedemptionId, StaffName};
use crate::domain::members::{Birthday, BirthdayTold, Membership};
use crate::hq::db::members::{Imported, ImportedRow, Reached};

of_every_ledger! {
    the_last_word_on_a_guest_counts_whatever_the_order_they_come_in,
    what_a_party_paid_is_its_guests_whichever_is_heard_of_first,
    a_vip_is_told_to_the_store_the_street_and_whoever_enrols_later_and_never_told_back,
    a_list_of_members_is_taken_in_whole_and_told_once,
    what_was_said_since_a_list_was_made_stands_and_a_withdrawal_on_the_street_holds_in_every_store,
}

const GUEST: Vid = Vid::from_entropy([7; 16]);

fn word(is: bool, second: i64) -> Membership {
    let at = (
        date(2026, 12, 1),
        Timestamp::from_second(1_796_100_000 + second).unwrap(),
    );
    Membership::now(GUEST, is, at, None)
}

async fn the_last_word_on_a_guest_counts_whatever_the_order_they_come_in(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let told = |day: Option<&str>| {
        Event::BirthdayTold(BirthdayTold {
            vid: GUEST,
            day: day.map(|day| Birthday::parse(day).unwrap()),
            words_hash: "00".to_owned(),
        })
    };
    let events = vec![
        Event::VipChanged(word(true, 9)),
        Event::VipChanged(word(false, 3)),
        Event::GroupReported(word(true, 0)),
        told(Some("08-15")),
    ];
    let first = delivery(gateway, stream(1), frames(1, events));
    for _ in 0..2 {
        hq.ledger.ingest(first.clone()).await.unwrap();
    }
    let guests = hq.ledger.members(store("SZ01")).await.unwrap();
    let [guest] = guests.as_slice() else {
        panic!("one guest, not {guests:?}");
    };
    assert_eq!(guest.vid, Some(GUEST));
    assert_eq!(guest.vip_since, Some(date(2026, 12, 1)));
    assert_eq!(guest.in_group_since, Some(date(2026, 12, 1)));
    assert_eq!(guest.birthday, Birthday::parse("08-15").ok());
    let later = frames(5, vec![Event::VipChanged(word(false, 10))]);
    hq.ledger
        .ingest(delivery(gateway, stream(1), later))
        .await
        .unwrap();
    let guests = hq.ledger.members(store("SZ01")).await.unwrap();
    assert_eq!(guests[0].vip_since, None);
    assert_eq!(hq.ledger.members(store("SZ02")).await.unwrap(), []);

    let at = Timestamp::from_second(1_796_100_100).unwrap();
    let reached = Reached {
        store: store("SZ01"),
        vid: GUEST,
        at,
        list: "sleeping",
    };
    hq.ledger
        .reach(vec![reached.clone(), reached])
        .await
        .unwrap();
    let guests = hq.ledger.members(store("SZ01")).await.unwrap();
    assert_eq!(guests[0].reached, [at]);
}

async fn what_a_party_paid_is_its_guests_whichever_is_heard_of_first(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let redemption = RedemptionId::from_entropy([4; 16]);
    let bill = |fen| {
        Event::Bill(Bill {
            redemption: Some(redemption),
            number: None,
            party: None,
            amount: Some(Fen::try_from(fen).unwrap()),
            staff: StaffName::parse("lin").unwrap(),
            device: DeviceId::from_entropy([1; 16]),
        })
    };
    let redeemed = Event::Redeem(Redeem {
        redemption,
        coupon: CouponId::from_entropy([2; 16]),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        staff: StaffName::parse("lin").unwrap(),
        device: DeviceId::from_entropy([1; 16]),
        vid: Some(GUEST),
        remember_until: now(),
        off_peak: false,
        origin: None,
        home: None,
    });
    let paid = delivery(gateway, stream(1), frames(1, vec![bill(12_800)]));
    hq.ledger.ingest(paid).await.unwrap();
    let then = delivery(gateway, stream(1), frames(2, vec![redeemed]));
    hq.ledger.ingest(then).await.unwrap();
    let guests = hq.ledger.members(store("SZ01")).await.unwrap();
    assert_eq!(guests[0].spent_fen, 12_800);
    assert_eq!(guests[0].seen.unwrap().days, 1);
}

/// The words on VIPs that a gateway is given.
async fn given(hq: &Scratch, gateway: GatewayId) -> Vec<Membership> {
    let items = hq
        .ledger
        .commands_after(gateway, None, now())
        .await
        .unwrap();
    let word = |item: &Item| match item.command() {
        Some(Command::VipIs(word)) => *word,
        other => panic!("a word on a VIP, not {other:?}"),
    };
    items.iter().map(word).collect()
}

async fn a_vip_is_told_to_the_store_the_street_and_whoever_enrols_later_and_never_told_back(
    hq: &Scratch,
) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (other, _) = hq.enrol(at_store("SZ02")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let made = delivery(
        own,
        stream(1),
        frames(1, vec![Event::VipChanged(word(true, 0))]),
    );
    hq.ledger.ingest(made).await.unwrap();
    assert_eq!(given(hq, own).await, [word(true, 0)]);
    assert_eq!(given(hq, street).await, [word(true, 0)]);
    assert_eq!(given(hq, other).await, []);
    let (later, _) = hq.enrol(at_store("SZ01")).await;
    assert_eq!(given(hq, later).await, [word(true, 0)]);
    // The box's journal says that it was told: that is no news to anybody.
    let echo = Membership {
        is_told: true,
        ..word(true, 0)
    };
    let echo = frames(1, vec![Event::VipChanged(echo)]);
    hq.ledger
        .ingest(delivery(street, stream(2), echo))
        .await
        .unwrap();
    let ended = frames(2, vec![Event::VipChanged(word(false, 5))]);
    hq.ledger
        .ingest(delivery(own, stream(1), ended))
        .await
        .unwrap();
    assert_eq!(given(hq, street).await, [word(true, 0), word(false, 5)]);
}

async fn a_list_of_members_is_taken_in_whole_and_told_once(hq: &Scratch) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let row = |vid, phone: Option<&str>| ImportedRow {
        vid,
        phone: phone.map(str::to_owned),
        since: Some(date(2024, 3, 1)),
        consents: Some(true),
    };
    let imported = Imported {
        store: store("SZ01"),
        at: now(),
        today: date(2026, 12, 1),
        rows: vec![row(Some(GUEST), Some("ab")), row(None, Some("cd"))],
    };
    for _ in 0..2 {
        hq.ledger.import(imported.clone()).await.unwrap();
    }
    let guests = hq.ledger.members(store("SZ01")).await.unwrap();
    assert_eq!(guests.len(), 1, "who was not seen is no guest yet");
    assert_eq!(guests[0].vip_since, Some(date(2024, 3, 1)));
    assert!(guests[0].consents);
    for gateway in [own, street] {
        let told = given(hq, gateway).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].since, date(2024, 3, 1));
    }
}

async fn what_was_said_since_a_list_was_made_stands_and_a_withdrawal_on_the_street_holds_in_every_store(
    hq: &Scratch,
) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let consent = || Consent {
        vid: GUEST,
        coupon: CouponId::from_entropy([1; 16]),
        purpose: Purpose::Marketing,
        version: 2,
        words_hash: "0123456789abcdef".to_owned(),
        words: None,
    };
    let earlier = now() - SignedDuration::from_hours(1);
    let agreed = line(1, &store("SZ01"), earlier, Event::ConsentGiven(consent()));
    let taken = line(2, &store("SZ01"), now(), Event::VipChanged(word(false, 5)));
    let sent = examine(&at_store("SZ01"), vec![agreed, taken]);
    hq.ledger
        .ingest(delivery(own, stream(1), sent))
        .await
        .unwrap();
    let guest = async || {
        let mut guests = hq.ledger.members(store("SZ01")).await.unwrap();
        assert_eq!(guests.len(), 1);
        guests.remove(0)
    };
    assert!(guest().await.consents);

    let taken_back = Event::ConsentWithdrawn(consent());
    let again = Event::ConsentGiven(consent());
    let later = now() + SignedDuration::from_hours(1);
    let lines = vec![
        line(1, &store("SZ02"), now(), taken_back),
        line(2, &store("SZ02"), later, again),
    ];
    let sent = examine(&Serves::Street, lines);
    hq.ledger
        .ingest(delivery(street, stream(2), sent))
        .await
        .unwrap();
    assert!(
        !guest().await.consents,
        "to the other store they agreed anew"
    );

    let row = ImportedRow {
        vid: Some(GUEST),
        phone: None,
        since: Some(date(2024, 3, 1)),
        consents: Some(true),
    };
    let imported = Imported {
        store: store("SZ01"),
        at: later,
        today: date(2026, 12, 1),
        rows: vec![row],
    };
    hq.ledger.import(imported).await.unwrap();
    let guest = guest().await;
    assert!(!guest.consents && guest.vip_since.is_none(), "{guest:?}");
}
