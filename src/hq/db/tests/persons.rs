//! What every ledger keeps of persons, and how it forgets one.

use super::*;
use crate::domain::bill::{Fen, Party};
use crate::domain::booking::{Booking, GuestName, Standing};
use crate::domain::event::{Bill, Claim, Consent, EraseRequested, Purpose, Redeem};
use crate::domain::feedback::Words;
use crate::domain::ids::{BookingId, DeviceId, Issuer, RedemptionId, ShortCode, StaffName, Vid};
use crate::domain::members::{Birthday, BirthdayTold, Membership};
use crate::domain::sealed::Sealed;
use crate::hq::db::members::{Imported, ImportedRow, Member, Reached};
use crate::hq::db::persons::{Agreed, Erasure};
use crate::hq::db::phones::{Found, Which};

of_every_ledger! {
    a_diner_who_asks_to_be_forgotten_is_nowhere_once_every_box_has_answered,
    a_member_who_asks_to_be_forgotten_is_nobody_and_whoever_enrols_later_is_not_told_of_them,
    what_was_said_on_the_street_is_in_no_command_once_they_ask_to_be_forgotten,
    no_box_hears_of_whoever_was_forgotten_whatever_comes_first,
    whoever_agreed_is_counted_by_the_words_whatever_comes_first,
}

/// One that no other bytes of a test look like.
fn diner() -> Vid {
    Vid::from_entropy([0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xa5])
}

/// A claim of theirs.
fn theirs(claimed: Event) -> Event {
    let Event::Claim(claim) = claimed else {
        panic!("a claim, and not {claimed:?}");
    };
    Event::Claim(Claim {
        vid: diner(),
        ..claim
    })
}

fn consent(vid: Vid, version: u32) -> Consent {
    Consent {
        vid,
        coupon: CouponId::from_entropy([1; 16]),
        purpose: Purpose::Marketing,
        version,
        words_hash: "0123456789abcdef".to_owned(),
        words: None,
    }
}

fn erase() -> Event {
    Event::EraseRequested(EraseRequested {
        vid: diner(),
        instead: Vid::from_entropy([0x77; 16]),
        passed_on: false,
    })
}

fn said() -> Event {
    Event::Feedback(Feedback {
        id: RequestId::from_entropy([4; 16]),
        touchpoint: None,
        vid: diner(),
        rating: None,
        words: Words::typed("the soup was cold").unwrap(),
        of: None,
    })
}

/// Where a ledger keeps its guests.
const OF_MEMBERS: [&str; 5] = [
    "member_word",
    "spending",
    "reach",
    "member_import",
    "booking_phone",
];

/// What they book a table under, and no other bytes of a test look like.
const BOOKED_AS: &str = "Chen Qin";

/// Their number, which only headquarters' key would open.
const SEALED: &str = "AQ-c2VhbGVk_z9";

const BORN_ON: &str = "08-15";

/// What a member does and says, with what a store says of them.
fn of_a_member() -> Vec<Event> {
    let word = Membership::now(diner(), true, (date(2026, 12, 1), now()), None);
    let redemption = RedemptionId::from_entropy([6; 16]);
    let (staff, device) = (
        StaffName::parse("lin").unwrap(),
        DeviceId::from_entropy([1; 16]),
    );
    let booking = Box::new(Booking {
        id: BookingId::from_entropy([3; 16]),
        revision: 1,
        store: store("SZ01"),
        at: date(2026, 12, 1).at(18, 30, 0, 0),
        tasting: None,
        invited_with: None,
        party: Party::try_from(4).unwrap(),
        name: GuestName::typed(BOOKED_AS).unwrap(),
        phone: Sealed::try_from(SEALED.to_owned()).ok(),
        vid: diner(),
        code: ShortCode::from_entropy(3, 4, Issuer::Street),
        standing: Standing::Seated,
        before: None,
        staff: None,
        asked_at: now(),
        is_vip: true,
        gift: None,
    });
    let Event::Redeem(redeem) = redeem(6, 1) else {
        panic!("a redemption");
    };
    vec![
        Event::MemberRegistered(word.clone()),
        Event::VipChanged(word.clone()),
        Event::GroupReported(word),
        Event::BirthdayTold(BirthdayTold {
            vid: diner(),
            day: Birthday::parse(BORN_ON).ok(),
            words_hash: "0123456789abcdef".to_owned(),
        }),
        Event::BookingRequested(booking.clone()),
        Event::BookingChanged(booking.clone()),
        Event::EventRsvp(booking.clone()),
        Event::EventCheckin(booking),
        Event::Redeem(Redeem {
            vid: Some(diner()),
            ..redeem
        }),
        Event::Bill(Bill {
            redemption: Some(redemption),
            number: None,
            party: None,
            amount: Fen::try_from(12_800).ok(),
            staff,
            device,
        }),
    ]
}

/// Frames that hold a text.
fn traces_of_frames(place: &Place, text: &str) -> String {
    match place {
        Place::Folder(_) => format!("frame where instr(body, cast('{text}' as blob)) > 0"),
        Place::Database(_) => {
            format!("frame where position(convert_to('{text}', 'UTF8') in body) > 0")
        }
    }
}

/// Tables and conditions by which a ledger would know them, in its own words.
fn traces(place: &Place) -> Vec<String> {
    let name = diner();
    let bytes = match place {
        Place::Folder(_) => format!("vid = x'{name}'"),
        Place::Database(_) => format!("vid = '{name}'::uuid"),
    };
    let in_body = |text: &str| traces_of_frames(place, text);
    let visits: &[&str] = match place {
        Place::Folder(_) => &["visit"],
        Place::Database(_) => &["visit_day", "person_first"],
    };
    let tables = ["event", "patron", "consent", "erasure"]
        .iter()
        .chain(&OF_MEMBERS);
    let mut traces: Vec<_> = tables
        .chain(visits)
        .map(|table| format!("{table} where {bytes}"))
        .collect();
    traces.extend([&name.to_string(), BOOKED_AS, BORN_ON, SEALED].map(in_body));
    let details = format!("details like '%{name}%'");
    traces.extend(["command", "notice"].map(|table| format!("{table} where {details}")));
    traces
}

/// The tables in which a ledger still knows them.
async fn known_in(hq: &Scratch) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for trace in traces(&hq.place) {
        let table = trace.split(' ').next().unwrap().to_owned();
        if rows(hq, &trace).await > 0 {
            known.insert(table);
        }
    }
    known
}

/// How many rows there are of a table and a condition.
async fn rows(hq: &Scratch, of: &str) -> i64 {
    let sql = format!("select count(*) from {of}");
    let database = match &hq.place {
        Place::Folder(dir) => {
            let file = rusqlite::Connection::open(file(dir)).unwrap();
            return file.query_row(&sql, [], |row| row.get(0)).unwrap();
        }
        Place::Database(database) => database,
    };
    let (client, connection) = tokio_postgres::connect(&database.url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let tasks = crate::ops::tasks::Tasks::new();
    tasks.spawn("a test's connection", async {
        connection.await.unwrap();
    });
    client.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn only_one(hq: &Scratch) -> Erasure {
    let mut erasures = hq.ledger.erasures().await.unwrap();
    assert_eq!(erasures.len(), 1);
    erasures.remove(0)
}

/// A box says that it has dealt with everything it was given.
async fn answer(hq: &Scratch, gateway: GatewayId, number: u8) {
    let given = hq.ledger.commands(gateway).await.unwrap();
    let done = given.iter().map(|given| {
        let done = CommandDone::new(given.item.cursor, &given.item.kind, Outcome::Done);
        Event::CommandDone(done)
    });
    let sent = of_its_own(number, frames(1, done.collect()));
    let sent = delivery(gateway, stream(number), sent);
    hq.ledger.ingest(sent).await.unwrap();
}

async fn a_diner_who_asks_to_be_forgotten_is_nowhere_once_every_box_has_answered(hq: &Scratch) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (other, _) = hq.enrol(at_store("SZ02")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let sister = line(1, &store("SZ02"), now(), theirs(claim(2, 1)));
    let sister = delivery(other, stream(2), examine(&at_store("SZ02"), vec![sister]));
    hq.ledger.ingest(sister).await.unwrap();
    let of_them = vec![
        theirs(claim(1, 1)),
        Event::ConsentGiven(consent(diner(), 2)),
        said(),
        claim(3, 3),
        erase(),
    ];
    send(hq, own, frames(1, of_them)).await;
    let day = || async {
        let audit = hq.ledger.audit_day(store("SZ01"), date(2026, 12, 1)).await;
        audit.unwrap()
    };
    let before = day().await;
    assert!(known_in(hq).await.contains("frame"), "the look finds them");
    assert_eq!(hq.ledger.agreed().await.unwrap()[0].standing, 1);

    assert_eq!(hq.ledger.sweep(now()).await.unwrap(), 1);
    assert_eq!(hq.ledger.sweep(now()).await.unwrap(), 0, "once is enough");
    let waiting = ["command", "erasure", "notice"].map(str::to_owned);
    assert_eq!(known_in(hq).await, BTreeSet::from(waiting));
    let after = day().await;
    assert_eq!(after.from_frames.cells, before.from_frames.cells);
    assert_eq!(after.from_frames.people, before.from_frames.people);
    assert_eq!(after.from_frames, after.kept, "and the figures agree");
    assert_eq!(hq.ledger.agreed().await.unwrap()[0].standing, 0);
    let erasure = only_one(hq).await;
    assert_eq!((erasure.frames, erasure.boxes, erasure.done), (5, 3, 0));

    let waits = async || {
        let waits = hq.ledger.unanswered().await.unwrap();
        assert!(waits.iter().all(|one| one.erasure == erasure.number));
        waits.iter().map(|one| one.gateway).collect::<Vec<_>>()
    };
    assert_eq!(waits().await, [own, other, street]);

    for (gateway, number) in [(own, 11), (other, 12), (street, 13)] {
        answer(hq, gateway, number).await;
    }
    assert_eq!(waits().await, []);
    assert_eq!(hq.ledger.sweep(now()).await.unwrap(), 1);

    // A box that was cut off knew them, too, and nobody knew that.
    let (late, _) = hq.enrol(at_store("SZ03")).await;
    let claimed = line(1, &store("SZ03"), now(), theirs(claim(4, 1)));
    let claimed = delivery(late, stream(4), examine(&at_store("SZ03"), vec![claimed]));
    hq.ledger.ingest(claimed).await.unwrap();
    assert!(known_in(hq).await.contains("frame"));
    let later = now() + SignedDuration::from_hours(9 * 24);
    assert_eq!(hq.ledger.sweep(later).await.unwrap(), 1, "the last look");
    assert_eq!(hq.ledger.sweep(later).await.unwrap(), 0);
    assert!(!known_in(hq).await.contains("frame"));
    assert!(!only_one(hq).await.is_closed, "that box has not answered");
    answer(hq, late, 14).await;
    assert_eq!(hq.ledger.sweep(later).await.unwrap(), 1);
    assert_eq!(hq.ledger.sweep(later).await.unwrap(), 0);
    assert_eq!(known_in(hq).await, BTreeSet::new());
    let erasure = only_one(hq).await;
    assert!(erasure.is_closed && erasure.done == 4, "{erasure:?}");
    assert_eq!(hq.ledger.totals().await.unwrap().quarantined, 0);
}

async fn what_was_said_on_the_street_is_in_no_command_once_they_ask_to_be_forgotten(hq: &Scratch) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let lines = [line(1, &store("SZ01"), now(), said())];
    send(hq, street, examine(&Serves::Street, lines.into())).await;
    assert_eq!(given(hq, own).await, [("know_feedback".to_owned(), true)]);
    let lines = [line(2, &store("SZ01"), now(), erase())];
    send(hq, street, examine(&Serves::Street, lines.into())).await;
    hq.ledger.sweep(now()).await.unwrap();
    let kept = [("know_feedback", false), ("erase_person", true)];
    let kept = kept.map(|(kind, is_readable)| (kind.to_owned(), is_readable));
    assert_eq!(given(hq, own).await, kept);
}

/// The kinds of what a gateway is given, and whether it can tell what each is about.
async fn given(hq: &Scratch, gateway: GatewayId) -> Vec<(String, bool)> {
    let given = hq.ledger.commands(gateway).await.unwrap();
    let kind = |given: Given| (given.item.kind.clone(), given.item.command().is_some());
    given.into_iter().map(kind).collect()
}

/// What a store is told of its bookings' numbers.
async fn number_of_a_booking(hq: &Scratch) {
    let of = async |at: &str, which| hq.ledger.booked_phone(store(at), which).await.unwrap();
    let code = Which::Code(ShortCode::from_entropy(3, 4, Issuer::Street));
    let booking = BookingId::from_entropy([3; 16]);
    let found = Found {
        booking,
        sealed: Sealed::try_from(SEALED.to_owned()).unwrap(),
    };
    for which in [Which::Booking(booking), code] {
        assert_eq!(of("SZ01", which).await, Some(found.clone()));
        assert_eq!(of("SZ02", which).await, None, "for its own store alone");
    }
    let other = Which::Booking(BookingId::from_entropy([4; 16]));
    assert_eq!(of("SZ01", other).await, None);
    assert_eq!(hq.ledger.forget_phones(now()).await.unwrap(), 0);
}

async fn a_member_who_asks_to_be_forgotten_is_nobody_and_whoever_enrols_later_is_not_told_of_them(
    hq: &Scratch,
) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let events = of_a_member();
    let next = 1 + events.len() as u64;
    send(hq, own, frames(1, events)).await;
    let row = |vid, phone: &str| ImportedRow {
        vid,
        phone: Some(phone.to_owned()),
        since: Some(date(2024, 3, 1)),
        consents: Some(true),
    };
    let imported = Imported {
        store: store("SZ01"),
        at: now() + SignedDuration::from_secs(1),
        today: date(2026, 12, 1),
        rows: vec![row(Some(diner()), "ab"), row(None, "cd")],
    };
    hq.ledger.import(imported).await.unwrap();
    let reached = Reached {
        store: store("SZ01"),
        vid: diner(),
        at: now(),
        list: "sleeping",
    };
    hq.ledger.reach(vec![reached]).await.unwrap();
    let known = known_in(hq).await;
    assert!(
        OF_MEMBERS.iter().all(|table| known.contains(*table)),
        "{known:?}"
    );
    assert_eq!(rows(hq, &traces_of_frames(&hq.place, SEALED)).await, 0);
    number_of_a_booking(hq).await;
    let told = |kind: &str| (kind.to_owned(), true);
    assert_eq!(given(hq, own).await, [told("vip_is"), told("vip_is")]);

    send(hq, own, frames(next, vec![erase()])).await;
    assert_eq!(hq.ledger.sweep(now()).await.unwrap(), 1);
    let waiting = ["command", "erasure", "notice"].map(str::to_owned);
    assert_eq!(known_in(hq).await, BTreeSet::from(waiting));
    let hashes_of_nobody = rows(hq, "member_import").await;
    assert_eq!(hashes_of_nobody, 1);
    assert_eq!(rows(hq, "spending where fen = 12800").await, 1);
    let guests = hq.ledger.members(store("SZ01")).await.unwrap();
    let [guest] = guests.as_slice() else {
        panic!("one was there, and nobody knows who: {guests:?}");
    };
    let nobody = Member {
        vid: Some(Vid::from_entropy([0x77; 16])),
        seen: guest.seen,
        ..Member::default()
    };
    assert_eq!(*guest, nobody);
    let (later, _) = hq.enrol(at_store("SZ01")).await;
    let passed_over = |kind: &str| (kind.to_owned(), false);
    assert_eq!(given(hq, later).await, [told("erase_person")]);
    let vip = || passed_over("vip_is");
    let kept = [vip(), vip(), told("erase_person")];
    assert_eq!(given(hq, own).await, kept);
    // Of a coupon, and of nobody.
    let used = told("redeemed_elsewhere");
    let kept = [vip(), used, vip(), told("erase_person")];
    assert_eq!(given(hq, street).await, kept);

    for (gateway, number) in [(own, 11), (street, 12), (later, 13)] {
        answer(hq, gateway, number).await;
    }
    assert_eq!(hq.ledger.sweep(now()).await.unwrap(), 1);
    let closing = now() + SignedDuration::from_hours(9 * 24);
    assert_eq!(hq.ledger.sweep(closing).await.unwrap(), 1, "the last look");
    assert_eq!(hq.ledger.sweep(closing).await.unwrap(), 0);
    assert_eq!(known_in(hq).await, BTreeSet::new());
    assert!(only_one(hq).await.is_closed);
    let day = hq.ledger.audit_day(store("SZ01"), date(2026, 12, 1)).await;
    let day = day.unwrap();
    assert_eq!(day.from_frames, day.kept, "and the figures agree");
}

async fn no_box_hears_of_whoever_was_forgotten_whatever_comes_first(hq: &Scratch) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let vip = |second| {
        let at = (date(2026, 12, 1), now() + SignedDuration::from_secs(second));
        Event::VipChanged(Membership::now(diner(), true, at, None))
    };
    let from_the_street = |seq, events: Vec<Event>| {
        let lines = (seq..).zip(events);
        let lines = lines.map(|(seq, event)| line(seq, &store("SZ01"), now(), event));
        let read = examine(&Serves::Street, lines.collect());
        delivery(street, stream(2), read)
    };
    let early = from_the_street(1, vec![theirs(claim(1, 1)), vip(0)]);
    hq.ledger.ingest(early).await.unwrap();
    send(hq, own, frames(1, vec![erase()])).await;
    hq.ledger.sweep(now()).await.unwrap();
    for (gateway, number) in [(own, 11), (street, 12)] {
        answer(hq, gateway, number).await;
    }
    hq.ledger.sweep(now()).await.unwrap();

    let late = from_the_street(3, vec![theirs(claim(2, 1)), vip(5)]);
    hq.ledger.ingest(late).await.unwrap();
    let (later, _) = hq.enrol(at_store("SZ01")).await;
    for gateway in [own, street, later] {
        let items = hq.ledger.commands_after(gateway, None, now()).await;
        for command in items.unwrap().iter().filter_map(Item::command) {
            assert_ne!(command.guest(), Some(diner()), "{command:?}");
        }
    }
    let coupons = |kinds: Vec<(String, bool)>| {
        let known = kinds.into_iter().filter(|(kind, _)| kind == "know_coupon");
        known.filter(|(_, can_tell)| *can_tell).count()
    };
    assert_eq!(coupons(given(hq, own).await), 2, "their coupons stay good");
    assert_eq!(coupons(given(hq, later).await), 2);
}

async fn whoever_agreed_is_counted_by_the_words_whatever_comes_first(hq: &Scratch) {
    let (own, _) = hq.enrol(at_store("SZ01")).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    let earlier = now() - SignedDuration::from_hours(1);
    let at = |seq, at, event| line(seq, &store("SZ01"), at, event);
    let given = |diner, version| Event::ConsentGiven(consent(vid(diner), version));
    let taken_back = |diner| Event::ConsentWithdrawn(consent(vid(diner), 2));
    let lines = vec![
        at(1, now(), taken_back(1)),
        at(2, earlier, taken_back(2)),
        at(3, earlier, given(3, 1)),
        at(4, now(), given(3, 2)),
    ];
    let sent = delivery(own, stream(1), examine(&at_store("SZ01"), lines));
    hq.ledger.ingest(sent).await.unwrap();
    // From a box that was away: the first had agreed before they took it back, the second agreed afterwards.
    let late = vec![at(1, earlier, given(1, 2)), at(2, now(), given(2, 2))];
    let sent = delivery(street, stream(2), examine(&Serves::Street, late));
    hq.ledger.ingest(sent).await.unwrap();
    let counted: Vec<Agreed> = hq.ledger.agreed().await.unwrap();
    let of = |version| counted.iter().find(|words| words.version == version);
    let second = of(2).unwrap();
    assert_eq!((second.standing, second.withdrawn), (2, 1), "{counted:?}");
    assert_eq!(of(1), None, "the words of the third are the new ones");
}
