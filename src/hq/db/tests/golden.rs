//! What every released version has sent is taken by every ledger, for ever.

use std::path::Path;

use super::*;
use crate::wire::batch::{self, Batch};

/// The batches of `tests/fixtures/wire`: a released version adds one and never changes one.
fn released() -> Vec<(String, Batch)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire"));
    let files = crate::ops::files::read_tree(folder).unwrap();
    files
        .into_iter()
        .filter(|(name, _)| name.starts_with("batch-"))
        .map(|(name, bytes)| (name, batch::decode(&bytes).unwrap()))
        .collect()
}

async fn batches_of_every_released_version_are_taken(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let batches = released();
    assert!(batches.len() >= 2);
    let mut frames = 0;
    for (number, (name, batch)) in (1..).zip(batches) {
        // The fixture is from the middle of a stream: all before it is said to be lost.
        let before = gap(1, batch.header.first - 1, batch.header.prev);
        let before = delivery(gateway, stream(number), vec![before]);
        hq.ledger.ingest(before).await.unwrap();
        let last = batch.lines.last().unwrap().end();
        let entries = examine(&at_store("SZ01"), batch.lines);
        frames += entries
            .iter()
            .filter(|entry| matches!(entry, Entry::Frame(_)))
            .count() as u64;
        let sent = Delivery {
            prev: batch.header.prev,
            ..delivery(gateway, stream(number), entries)
        };
        let outcome = hq.ledger.ingest(sent).await.unwrap();
        let IngestOutcome::Taken(taken) = outcome else {
            panic!("{name}: {outcome:?}");
        };
        assert_eq!(taken.acked, last, "{name}");
        assert!(taken.put_aside.is_empty(), "{name}: {taken:?}");
    }
    assert_eq!(hq.ledger.totals().await.unwrap().frames, frames);
    let streams = hq.ledger.audit_streams().await.unwrap();
    assert!(streams.iter().all(StreamCount::agrees));
}

async fn a_frame_of_0_1_0_counts_as_it_did_then(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let body = include_str!("../../../../tests/fixtures/wire/frame-0.1.0.json");
    let id = FrameId::from_time_and_entropy(1, [7; 10]);
    let line = Line::frame(1, id, body.trim_end().as_bytes().to_vec());
    send(hq, gateway, examine(&at_store("SZ01"), vec![line])).await;
    let expected = Figures {
        came: 1,
        claimed: 1,
        off_peak_claimed: 1,
        uncertain: 2,
        people: 1,
        ..Figures::default()
    };
    assert_eq!(figures_of_the_first(hq).await, expected);
}

of_every_ledger! {
    batches_of_every_released_version_are_taken,
    a_frame_of_0_1_0_counts_as_it_did_then,
}
