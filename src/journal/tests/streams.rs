//! Streams that end, frames that move on, and frames that are kept for a headquarters that loses them.

use jiff::SignedDuration;

use super::*;
use crate::domain::ids::{Chain, FrameId, StreamId};

/// Everything that waits, stream by stream: acknowledges what it reads.
async fn drain_streams(journal: &Journal<Shelf>) -> Vec<(StreamId, u64, FrameId, String)> {
    let outbox = journal.outbox();
    let mut taken = Vec::new();
    loop {
        let peeked = outbox.peek(Spool::P0, 5, usize::MAX).await.unwrap();
        let Some(last) = peeked.frames.last() else {
            return taken;
        };
        let (stream, through) = (peeked.stream, last.seq);
        taken.extend(
            peeked
                .frames
                .into_iter()
                .map(|frame| (stream, frame.seq, frame.id, text(&frame.body))),
        );
        outbox
            .acknowledge(Spool::P0, stream, through)
            .await
            .unwrap();
    }
}

fn written(journal: &Journal<Shelf>) -> StreamDepth {
    *journal.outbox().depths().borrow().p0.written()
}

#[tokio::test]
async fn the_chain_goes_on_through_batches_generations_and_restarts() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..20).await;
    let mut chain = Chain::START;
    let mut journal = journal;
    for round in 0..7 {
        let outbox = journal.outbox();
        let peeked = outbox.peek(Spool::P0, 3, usize::MAX).await.unwrap();
        assert_eq!(peeked.prev, Some(chain), "round {round}");
        for frame in &peeked.frames {
            chain = chain.after(frame.seq, frame.id, &frame.body);
        }
        let last = peeked.frames.last().unwrap().seq;
        outbox
            .acknowledge(Spool::P0, peeked.stream, last)
            .await
            .unwrap();
        drop((journal, outbox));
        journal = shop.open();
    }
    // Batches end where a generation does: 3, 3 and 2 frames, twice, and the last 3.
    assert_eq!(written(&journal).last, Some(chain));
    assert_eq!(written(&journal).floor, 20);
}

#[tokio::test]
async fn a_stream_that_is_left_is_drained_before_the_new_one() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let old = written(&journal).stream;
    let outbox = journal.outbox();
    outbox.leave(Spool::P0, old).await.unwrap();
    // The second time it is not the one that is written.
    outbox.leave(Spool::P0, old).await.unwrap();
    capture_numbers(&journal, 4..6).await;
    let depth = outbox.depths().borrow().p0.clone();
    let new = written(&journal).stream;
    assert_ne!(new, old);
    let streams: Vec<_> = depth
        .streams
        .iter()
        .map(|depth| (depth.stream, depth.floor, depth.next))
        .collect();
    assert_eq!(streams, [(old, 1, 4), (new, 1, 3)]);
    drop((journal, outbox));

    let journal = shop.open();
    assert_eq!(journal.outbox().depths().borrow().p0, depth);
    let taken = drain_streams(&journal).await;
    let order: Vec<_> = taken
        .iter()
        .map(|(s, seq, _, body)| (*s, *seq, body.as_str()))
        .collect();
    assert_eq!(
        order,
        [
            (old, 1, "key1=value1"),
            (old, 2, "key2=value2"),
            (old, 3, "key3=value3"),
            (new, 1, "key4=value4"),
            (new, 2, "key5=value5"),
        ]
    );
}

#[tokio::test]
async fn frames_of_a_closed_stream_move_on_except_those_that_headquarters_has() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..20).await;
    let outbox = journal.outbox();
    let old = written(&journal).stream;
    outbox.acknowledge(Spool::P0, old, 2).await.unwrap();
    let before = outbox.peek(Spool::P0, 3, usize::MAX).await.unwrap().frames;
    let values = look(&journal).await.values;
    outbox.leave(Spool::P0, old).await.unwrap();
    outbox
        .move_on(Spool::P0, old, 12, vec![4, 5])
        .await
        .unwrap();
    let depth = outbox.depths().borrow().p0.clone();
    assert_eq!(depth.streams[0].floor, 13);
    outbox.move_on(Spool::P0, old, 19, vec![]).await.unwrap();
    let depth = outbox.depths().borrow().p0.clone();
    let waits = |stream: &&StreamDepth| stream.floor < stream.next;
    let waiting: Vec<_> = depth.streams.iter().filter(waits).collect();
    assert_eq!(waiting, [depth.written()], "the old one is only kept");
    assert_eq!(depth.frames, 15);
    drop((journal, outbox));

    let journal = shop.open();
    assert_eq!(look(&journal).await.values, values);
    let taken = drain_streams(&journal).await;
    assert_eq!(
        taken[0].2, before[0].id,
        "the same frame under a new number"
    );
    let bodies: Vec<_> = taken
        .into_iter()
        .map(|(_, seq, _, body)| (seq, body))
        .collect();
    let expected: Vec<_> = (1..)
        .zip([3].into_iter().chain(6..20))
        .map(|(seq, number)| (seq, format!("key{number}=value{number}")))
        .collect();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn a_frame_moves_on_as_often_as_headquarters_closes_its_stream() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let outbox = journal.outbox();
    let first = written(&journal).stream;
    outbox.move_on(Spool::P0, first, 3, vec![]).await.unwrap();
    let second = written(&journal).stream;
    outbox.move_on(Spool::P0, second, 3, vec![]).await.unwrap();
    // What the first stream still keeps is not taken for a copy that was made already.
    let third = written(&journal).stream;
    let taken = drain_streams(&journal).await;
    let numbers: Vec<_> = taken.iter().map(|frame| (frame.0, frame.1)).collect();
    assert_eq!(numbers, [(third, 1), (third, 2), (third, 3)]);
}

#[tokio::test]
async fn a_move_interrupted_half_way_moves_nothing_twice() {
    let shop = Shop::new();
    let journal = shop.open();
    for number in 1..7 {
        capture(&journal, &format!("key={number}")).await.unwrap();
    }
    let outbox = journal.outbox();
    let old = written(&journal).stream;
    outbox.leave(Spool::P0, old).await.unwrap();
    let old_generation = shop.path(&format!("p0/{}", generation(1)));
    let saved = tempfile::tempdir().unwrap();
    damage::copy(&old_generation, saved.path());
    outbox.move_on(Spool::P0, old, 4, vec![]).await.unwrap();
    // A capture after it, so that to apply the moved ones again would go back in time.
    capture(&journal, "key=after").await.unwrap();
    drop((journal, outbox));
    // The cut: the copies are durable, and that the old ones are let go is not.
    fs_err::remove_dir_all(&old_generation).unwrap();
    fs_err::create_dir(&old_generation).unwrap();
    damage::copy(saved.path(), &old_generation);

    let journal = shop.open();
    let outbox = journal.outbox();
    assert_eq!(look(&journal).await.values["key"], "after");
    // Smaller batches than before.
    for through in [3, 6] {
        outbox
            .move_on(Spool::P0, old, through, vec![])
            .await
            .unwrap();
    }
    let bodies: Vec<_> = drain_streams(&journal)
        .await
        .into_iter()
        .map(|taken| taken.3)
        .collect();
    let order = ["1", "2", "3", "4", "after", "5", "6"];
    assert_eq!(bodies, order.map(|value| format!("key={value}")));
}

#[tokio::test]
async fn a_restored_headquarters_gets_again_what_is_kept() {
    let shop = Shop::with(|options| options.kept_bytes = 1 << 30);
    let journal = shop.open();
    capture_numbers(&journal, 1..30).await;
    assert_eq!(drain(&journal, Spool::P0).await.len(), 29);
    let stream = written(&journal).stream;
    let outbox = journal.outbox();
    assert_eq!(outbox.take_back(Spool::P0, stream, 29).await.unwrap(), 30);
    assert_eq!(outbox.take_back(Spool::P0, stream, 11).await.unwrap(), 12);
    drop((journal, outbox));

    let journal = shop.open();
    let outbox = journal.outbox();
    let peeked = outbox.peek(Spool::P0, 2, usize::MAX).await.unwrap();
    assert!(peeked.prev.is_some());
    assert_eq!(drain(&journal, Spool::P0).await, numbered(12..30));
    assert_eq!(outbox.take_back(Spool::P0, stream, 0).await.unwrap(), 1);
    assert_eq!(outbox.depths().borrow().p0.frames, 29);
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..30));
}

#[tokio::test]
async fn nothing_is_taken_back_beyond_a_generation_that_is_gone() {
    let shop = Shop::with(|options| options.kept_bytes = 1 << 30);
    let journal = shop.open();
    capture_numbers(&journal, 1..30).await;
    drain(&journal, Spool::P0).await;
    let stream = written(&journal).stream;
    journal.close().await.unwrap();
    fs_err::remove_dir_all(shop.path(&format!("p0/{}", generation(9)))).unwrap();

    let journal = shop.open();
    let outbox = journal.outbox();
    assert_eq!(outbox.take_back(Spool::P0, stream, 0).await.unwrap(), 17);
    assert_eq!(drain(&journal, Spool::P0).await, numbered(17..30));
}

#[tokio::test]
async fn what_headquarters_has_is_kept_for_a_week() {
    let shop = Shop::with(|options| options.kept_bytes = 1 << 30);
    let journal = shop.open();
    capture_numbers(&journal, 1..18).await;
    let stream = written(&journal).stream;
    let outbox = journal.outbox();
    outbox.acknowledge(Spool::P0, stream, 8).await.unwrap();
    shop.clock.advance(SignedDuration::from_hours(100));
    outbox.acknowledge(Spool::P0, stream, 16).await.unwrap();
    look(&journal).await;
    let all = [generation(1), generation(9), generation(17)];
    assert_eq!(shop.generations("p0"), all);
    drop((journal, outbox));

    shop.clock.advance(SignedDuration::from_hours(68));
    let journal = shop.open();
    assert_eq!(shop.generations("p0"), all, "a week to the hour");
    shop.clock.advance(SignedDuration::from_hours(1));
    let outbox = journal.outbox();
    outbox.acknowledge(Spool::P0, stream, 17).await.unwrap();
    look(&journal).await;
    assert_eq!(shop.generations("p0"), all[1..]);
    let kept = inspect(shop.dir.path(), &mut |_, _| {}).unwrap();
    assert_eq!(kept.generations[0].state, GenerationState::Kept);
}

#[tokio::test]
async fn the_oldest_of_what_is_kept_goes_when_it_is_too_much() {
    let shop = Shop::with(|options| options.kept_bytes = 200_000);
    let journal = shop.open();
    let long = "v".repeat(1_400);
    for number in 0..200 {
        capture(&journal, &format!("key{number}={long}"))
            .await
            .unwrap();
    }
    drain(&journal, Spool::P0).await;
    look(&journal).await;
    let kept = inspect(shop.dir.path(), &mut |_, _| {})
        .unwrap()
        .generations;
    let kept: Vec<_> = kept
        .iter()
        .filter(|report| report.state == GenerationState::Kept)
        .collect();
    let bytes: u64 = kept.iter().map(|report| report.bytes_on_disk).sum();
    assert!(!kept.is_empty() && bytes <= 200_000, "{bytes}");
    assert_eq!(
        kept.last().unwrap().contents.next_seq,
        written(&journal).next
    );
}

#[tokio::test]
async fn what_was_taken_back_is_still_wanted_when_the_generation_is_rebuilt() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..8).await;
    let stream = written(&journal).stream;
    let outbox = journal.outbox();
    outbox.acknowledge(Spool::P0, stream, 6).await.unwrap();
    assert_eq!(outbox.take_back(Spool::P0, stream, 2).await.unwrap(), 3);
    drop((journal, outbox));
    let conf = shop.path(&format!("p0/{}/conf", generation(1)));
    fs_err::write(conf, "torn in the middle").unwrap();

    let journal = shop.open();
    assert_eq!(journal.damage().borrow().reports, 1);
    assert_eq!(drain(&journal, Spool::P0).await, numbered(3..8));
    assert_ne!(written(&journal).stream, stream, "its end cannot be proven");
}

#[tokio::test]
async fn what_has_moved_is_not_shown_again_when_the_old_frames_are_gone() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..6).await;
    journal.close().await.unwrap();

    // The checkpoint knows the frames by their old numbers, and would let them go.
    let journal = shop.open();
    let outbox = journal.outbox();
    let old = written(&journal).stream;
    outbox.move_on(Spool::P0, old, 5, vec![]).await.unwrap();
    drop((journal, outbox));

    let journal = shop.open();
    assert_eq!(shop.generations("p0").len(), 1, "the old ones are gone");
    assert_eq!(look(&journal).await.shown, []);
    let taken = drain_streams(&journal).await;
    assert_eq!(taken.len(), 5, "and headquarters gets them");
}
