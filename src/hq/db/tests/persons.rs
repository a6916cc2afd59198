//! What every ledger keeps of persons, and how it forgets one.

use super::*;
use crate::domain::event::{Claim, Consent, EraseRequested, Purpose};
use crate::domain::feedback::Words;
use crate::domain::ids::Vid;
use crate::hq::db::persons::{Agreed, Erasure};

of_every_ledger! {
    a_diner_who_asks_to_be_forgotten_is_nowhere_once_every_box_has_answered,
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

/// Tables and conditions by which a ledger would know them, in its own words.
fn traces(place: &Place) -> Vec<String> {
    let name = diner();
    let (bytes, body) = match place {
        Place::Folder(_) => (
            format!("vid = x'{name}'"),
            format!("instr(body, cast('{name}' as blob)) > 0"),
        ),
        Place::Database(_) => (
            format!("vid = '{name}'::uuid"),
            format!("position(convert_to('{name}', 'UTF8') in body) > 0"),
        ),
    };
    let visits: &[&str] = match place {
        Place::Folder(_) => &["visit"],
        Place::Database(_) => &["visit_day", "person_first"],
    };
    let tables = ["event", "patron", "consent", "erasure"].iter();
    let mut traces: Vec<_> = tables
        .chain(visits)
        .map(|table| format!("{table} where {bytes}"))
        .collect();
    traces.push(format!("frame where {body}"));
    let details = format!("details like '%{name}%'");
    traces.extend(["command", "notice"].map(|table| format!("{table} where {details}")));
    traces
}

/// The tables in which a ledger still knows them.
async fn known_in(hq: &Scratch) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for trace in traces(&hq.place) {
        let table = trace.split(' ').next().unwrap().to_owned();
        let sql = format!("select count(*) from {trace}");
        let count: i64 = match &hq.place {
            Place::Folder(dir) => {
                let file = rusqlite::Connection::open(file(dir)).unwrap();
                file.query_row(&sql, [], |row| row.get(0)).unwrap()
            }
            Place::Database(database) => count(&database.url, &sql).await,
        };
        if count > 0 {
            known.insert(table);
        }
    }
    known
}

async fn count(url: &str, sql: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let tasks = crate::ops::tasks::Tasks::new();
    tasks.spawn("a test's connection", async {
        connection.await.unwrap();
    });
    client.query_one(sql, &[]).await.unwrap().get(0)
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

    for (gateway, number) in [(own, 11), (other, 12), (street, 13)] {
        answer(hq, gateway, number).await;
    }
    assert_eq!(hq.ledger.sweep(now()).await.unwrap(), 1);
    let later = now() + SignedDuration::from_hours(9 * 24);
    assert_eq!(hq.ledger.sweep(later).await.unwrap(), 0);
    assert_eq!(known_in(hq).await, BTreeSet::new());
    let erasure = only_one(hq).await;
    assert!(erasure.is_closed && erasure.done == 3, "{erasure:?}");
    assert_eq!(hq.ledger.totals().await.unwrap().quarantined, 0);
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
