//! What the uplink sees, and how the disk gets its space back.

use super::*;

#[tokio::test]
async fn generations_that_headquarters_has_wholly_taken_leave_the_disk() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..28).await;
    assert_eq!(
        shop.generations("p0"),
        [generation(1), generation(9), generation(17), generation(25)]
    );
    let outbox = journal.outbox();
    let stream = outbox.depths().borrow().p0.written().stream;

    outbox.acknowledge(Spool::P0, stream, 12).await.unwrap();
    look(&journal).await;
    assert_eq!(
        shop.generations("p0"),
        [generation(9), generation(17), generation(25)]
    );
    let depth = outbox.depths().borrow().p0.clone();
    assert_eq!(
        (depth.frames, depth.written().floor, depth.written().next),
        (15, 13, 28)
    );

    outbox.acknowledge(Spool::P0, stream, 27).await.unwrap();
    look(&journal).await;
    assert_eq!(shop.generations("p0"), [generation(25)]);
    capture_numbers(&journal, 28..29).await;
    outbox.acknowledge(Spool::P0, stream, 28).await.unwrap();
    look(&journal).await;
    // Drained after more than three frames: not worth filling up.
    assert_eq!(shop.generations("p0"), [generation(29)]);
}

#[tokio::test]
async fn a_batch_stays_within_frames_and_bytes_but_is_never_empty() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..7).await;
    let outbox = journal.outbox();
    let size = "key1=value1".len();
    for (max_frames, max_bytes, expected) in [
        (2, usize::MAX, 2),
        (100, 3 * size, 3),
        (100, 3 * size - 1, 2),
        (100, 1, 1),
    ] {
        let peeked = outbox.peek(Spool::P0, max_frames, max_bytes).await.unwrap();
        let batch = peeked.frames;
        assert_eq!(batch.len(), expected);
        assert_eq!(batch[0].seq, 1);
    }
}

#[tokio::test]
async fn a_stale_or_foreign_acknowledgement_is_harmless() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let outbox = journal.outbox();
    let depths = outbox.depths().borrow().clone();
    let (ours, foreign) = (depths.p0.written().stream, depths.p1.written().stream);

    outbox.acknowledge(Spool::P0, ours, 2).await.unwrap();
    outbox.acknowledge(Spool::P0, ours, 1).await.unwrap();
    outbox.acknowledge(Spool::P0, ours, 0).await.unwrap();
    outbox.acknowledge(Spool::P0, foreign, 99).await.unwrap();
    assert_eq!(drain(&journal, Spool::P0).await, numbered(3..4));
}

#[tokio::test]
async fn an_acknowledgement_of_what_was_never_written_is_refused() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let outbox = journal.outbox();
    let stream = outbox.depths().borrow().p0.written().stream;
    let refused = outbox.acknowledge(Spool::P0, stream, 4).await.unwrap_err();
    assert_eq!(refused.code(), "journal_acknowledged_beyond_end");
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..4));
}

#[tokio::test]
async fn the_depth_tells_since_when_the_oldest_capture_waits() {
    let shop = Shop::new();
    let journal = shop.open();
    let outbox = journal.outbox();
    assert_eq!(outbox.depths().borrow().p0.oldest_unix_ms, None);
    capture_numbers(&journal, 1..2).await;
    shop.clock.set("2026-10-01T19:00:00Z".parse().unwrap());
    capture_numbers(&journal, 2..3).await;
    let depth = outbox.depths().borrow().p0.clone();
    assert_eq!(
        depth.oldest_unix_ms,
        Some(unix_millis_of("2026-10-01T18:30:00Z"))
    );

    outbox
        .acknowledge(Spool::P0, depth.written().stream, 1)
        .await
        .unwrap();
    let depth = outbox.depths().borrow().p0.clone();
    assert_eq!(
        depth.oldest_unix_ms,
        Some(unix_millis_of("2026-10-01T19:00:00Z"))
    );
}

#[tokio::test]
async fn the_two_spools_are_different_streams() {
    let shop = Shop::new();
    let journal = shop.open();
    let depths = journal.outbox().depths().borrow().clone();
    assert_ne!(depths.p0.written().stream, depths.p1.written().stream);
}
