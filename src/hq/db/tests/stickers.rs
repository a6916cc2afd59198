//! What every ledger keeps of stickers: who said what last, and when a store was walked.

use super::*;
use crate::domain::ids::{BindingId, StaffName, TouchpointCode};
use crate::domain::stickers::{TouchpointBound, WalkFinished};
use crate::domain::store::TouchpointKind;
use crate::hq::db::stickers::{By, KEPT, Said, Word};
use crate::hq::stickers::last_words;

of_every_ledger! {
    the_last_word_on_a_sticker_counts_whoever_said_it,
    of_a_sticker_that_is_moved_often_the_last_words_are_kept,
    the_last_walk_of_a_store_is_kept,
}

fn code() -> TouchpointCode {
    TouchpointCode::parse("C6ACKWGQ").unwrap()
}

fn lin() -> StaffName {
    StaffName::parse("lin").unwrap()
}

fn bound(id: u8, label: &str) -> Event {
    Event::TouchpointBound(TouchpointBound {
        code: code(),
        id: BindingId::from_entropy([id; 16]),
        kind: TouchpointKind::Table,
        label: label.to_owned(),
        staff: lin(),
    })
}

fn at(label: &str) -> Said {
    Said::At(TouchpointKind::Table, label.to_owned())
}

async fn the_last_word_on_a_sticker_counts_whoever_said_it(hq: &Scratch) {
    assert_eq!(hq.ledger.last_word().await.unwrap(), 0);
    let (one, _) = hq.enrol(at_store("SZ01")).await;
    let (two, _) = hq.enrol(at_store("SZ01")).await;
    for (gateway, number, label) in [(one, 1, "A12"), (two, 2, "B3")] {
        let told = delivery(
            gateway,
            stream(number),
            frames(1, vec![bound(number, label)]),
        );
        for _ in 0..2 {
            hq.ledger.ingest(told.clone()).await.unwrap();
        }
    }
    let words = hq.ledger.words().await.unwrap();
    let said: Vec<_> = words.iter().map(|word| &word.said).collect();
    assert_eq!(said, [&at("A12"), &at("B3")], "each once");
    assert_eq!(words[1].by, By::Staff(lin(), two));
    let last = last_words(&words, &store("SZ01"))[&code()];
    assert_eq!(last.against.unwrap().said, at("A12"), "two boxes disagree");

    let before = hq.ledger.last_word().await.unwrap();
    let word = Word {
        store: store("SZ01"),
        code: code(),
        id: BindingId::from_entropy([9; 16]),
        said: Said::AsWritten,
        by: By::Operator("admin".to_owned()),
        at: now(),
    };
    hq.ledger.say(word.clone()).await.unwrap();
    assert!(hq.ledger.last_word().await.unwrap() > before);
    let words = hq.open_again().await.words().await.unwrap();
    assert_eq!(words.last(), Some(&word));
    let last = last_words(&words, &store("SZ01"))[&code()];
    assert!(last.against.is_none(), "headquarters has decided");
    let audit = hq.ledger.audit(1).await.unwrap();
    assert_eq!(audit[0].action, "sticker_bound");
}

async fn of_a_sticker_that_is_moved_often_the_last_words_are_kept(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let events = (1..=20).map(|id| bound(id, &id.to_string())).collect();
    let told = delivery(gateway, stream(1), frames(1, events));
    hq.ledger.ingest(told).await.unwrap();
    let words = hq.ledger.words().await.unwrap();
    assert_eq!(words.len(), usize::try_from(KEPT).unwrap());
    assert_eq!(words.last().unwrap().said, at("20"));
}

async fn the_last_walk_of_a_store_is_kept(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let walk = |found| {
        Event::WalkFinished(WalkFinished {
            staff: lin(),
            places: 24,
            found,
            missing: 24 - found,
            wrong: 1,
            doubled: 0,
        })
    };
    let told = delivery(gateway, stream(1), frames(1, vec![walk(20), walk(23)]));
    hq.ledger.ingest(told).await.unwrap();
    let walks = hq.ledger.walks().await.unwrap();
    let [last] = walks.as_slice() else {
        panic!("one a store: {walks:?}");
    };
    assert_eq!((last.found.found, last.at), (23, now()));
}
