//! What is there again after a crash.

use super::*;

#[tokio::test]
async fn every_acknowledged_capture_is_there_in_order_after_a_crash() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..21).await;
    let before = look(&journal).await;
    drop(journal);

    let journal = shop.open();
    assert_eq!(look(&journal).await.values, before.values);
    capture_numbers(&journal, 21..24).await;
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..24));
}

#[tokio::test]
async fn the_sequence_goes_on_after_everything_was_drained() {
    let shop = Shop::new();
    let journal = shop.open();
    let stream = journal.outbox().depths().borrow().p0.written().stream;
    capture_numbers(&journal, 1..3).await;
    drain(&journal, Spool::P0).await;
    drop(journal);

    let journal = shop.open();
    let depth = journal.outbox().depths().borrow().p0.clone();
    assert_eq!(
        (depth.frames, depth.written().floor, depth.written().next),
        (0, 3, 3)
    );
    assert_eq!(depth.written().stream, stream);
    capture_numbers(&journal, 3..4).await;
    assert_eq!(drain(&journal, Spool::P0).await, numbered(3..4));
}

#[tokio::test]
async fn the_book_comes_back_from_its_checkpoint_when_the_frames_are_gone() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..30).await;
    capture(&journal, "key7=").await.unwrap();
    drain(&journal, Spool::P0).await;
    capture_numbers(&journal, 31..34).await;
    let before = look(&journal).await;
    drop(journal);

    let journal = shop.open();
    let after = look(&journal).await;
    assert_eq!(after.values, before.values);
    assert_eq!(after.values.get("key7"), None);
    assert_eq!(after.applied, 3, "only the tail is applied again");
}

#[tokio::test]
async fn a_clean_close_leaves_nothing_to_replay() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..12).await;
    journal.note(b"view".to_vec());
    journal.close().await.unwrap();
    for clean in [
        format!("p0/{}/CLEAN", generation(1)),
        format!("p0/{}/CLEAN", generation(9)),
        format!("p1/{}/CLEAN", generation(1)),
    ] {
        assert!(shop.path(&clean).exists(), "{clean} is missing");
    }

    let journal = shop.open();
    let tail = format!("p0/{}/CLEAN", generation(9));
    assert!(!shop.path(&tail).exists(), "sled may write again");
    let shelf = look(&journal).await;
    assert_eq!((shelf.applied, shelf.values.len()), (0, 11));
    assert_eq!(drain(&journal, Spool::P1).await, [(1, "view".to_owned())]);
}

#[tokio::test]
async fn a_checkpoint_that_fails_leads_to_the_same_book() {
    let shop = Shop::new();
    let journal = shop.open();
    let capture_long = async |journal: &Journal<Shelf>, keys: std::ops::Range<u32>| {
        for key in keys {
            let body = format!("key{key}={}", "v".repeat(1_000));
            capture(journal, &body).await.unwrap();
        }
    };
    capture_long(&journal, 0..100).await;
    journal.close().await.unwrap();
    let journal = shop.open();
    capture_long(&journal, 90..120).await;
    let before = look(&journal).await.values;
    let outbox = journal.outbox();
    let stream = outbox.depths().borrow().p0.written().stream;
    let views = &shop.generations("views")[0];
    database::faults::fail_next_sync(&shop.path(&format!("views/{views}")));
    outbox.acknowledge(Spool::P0, stream, 112).await.unwrap();

    assert_eq!(look(&journal).await.values, before);
    let first = &shop.generations("p0")[0];
    assert_eq!(first, &generation(97), "let go of without a checkpoint");
    drop((journal, outbox));
    let journal = shop.open();
    assert_eq!(look(&journal).await.values, before);
    let first = &shop.generations("p0")[0];
    assert_eq!(first, &generation(113), "the second try succeeded");
}

#[tokio::test]
async fn a_generation_without_ready_is_removed_at_start() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    journal.close().await.unwrap();
    let unready = shop.path(&format!("p0/{}", generation(4)));
    fs_err::create_dir(&unready).unwrap();
    fs_err::write(unready.join("db"), b"half").unwrap();
    fs_err::create_dir(shop.path(&format!("p1/trash-{}", generation(1)))).unwrap();

    let journal = shop.open();
    assert_eq!(shop.generations("p0"), [generation(1)]);
    assert_eq!(shop.generations("p1"), [generation(1)]);
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..4));
}

#[tokio::test]
async fn a_snapshot_torn_by_a_cut_during_open_does_not_stop_the_next_open() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    drop(journal);
    let torn = shop.path(&format!(
        "p0/{}/snap.00000000FFFFFFFF.generating",
        generation(1)
    ));
    shop.open().close().await.unwrap();
    fs_err::write(&torn, b"torn").unwrap();

    let journal = shop.open();
    assert!(!torn.exists());
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..4));
}

#[tokio::test]
async fn what_a_killed_run_left_unsynced_is_synced_before_anyone_builds_on_it() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    drop(journal);
    let tail = shop.path(&format!("p0/{}", generation(1)));
    let before = inode(&tail.join("db"));
    database::faults::fail_next_sync(&tail);

    let journal = shop.open();
    assert_ne!(inode(&tail.join("db")), before, "its pages were in doubt");
    assert_eq!(look(&journal).await.applied, 3);
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..4));
}

#[tokio::test]
async fn a_box_that_gets_another_profile_keeps_what_it_has() {
    let mut shop = Shop::with(|options| options.profile = Profile::Standard);
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    journal.close().await.unwrap();

    shop.options.profile = Profile::Small;
    let journal = shop.open();
    capture_numbers(&journal, 4..11).await;
    assert_eq!(shop.generations("p0"), [generation(1), generation(9)]);
    let small = fs_err::read_to_string(shop.path(&format!("p0/{}/READY", generation(9)))).unwrap();
    assert!(small.contains("profile small"));
    assert_eq!(drain(&journal, Spool::P0).await, numbered(1..11));
}
