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
    let stream = journal.outbox().depths().borrow().p0.stream;
    capture_numbers(&journal, 1..3).await;
    drain(&journal, Spool::P0).await;
    drop(journal);

    let journal = shop.open();
    let depth = journal.outbox().depths().borrow().p0;
    assert_eq!((depth.frames, depth.first_seq, depth.next_seq), (0, 3, 3));
    assert_eq!(depth.stream, stream);
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
        format!("views/{}/CLEAN", generation(1)),
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
async fn a_checkpoint_interrupted_between_two_syncs_leads_to_the_same_book() {
    let shop = Shop::new();
    let journal = shop.open();
    // Two values for each key, more entries than one sync may cover.
    for round in 0..2 {
        for key in 0..30 {
            let body = format!("key{key}={round}");
            capture(&journal, &body).await.unwrap();
        }
    }
    let before = look(&journal).await.values;
    let stream = journal.outbox().depths().borrow().p0.stream;
    database::faults::fail_next_sync(&shop.path(&format!("views/{}", generation(1))));
    let refused = journal.outbox().acknowledge(Spool::P0, stream, 5).await;
    assert_eq!(refused.unwrap_err().code(), "journal_storage");

    assert_eq!(look(&journal).await.values, before);
    let front = peek_front(&journal, Spool::P0).await;
    assert_eq!(front[0].0, 1, "nothing was removed without a checkpoint");
    drop(journal);
    assert_eq!(look(&shop.open()).await.values, before);
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
async fn a_damaged_ready_is_never_taken_for_a_missing_one() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    journal.close().await.unwrap();
    let ready = shop.path(&format!("p0/{}/READY", generation(1)));
    fs_err::write(&ready, "maitred gen").unwrap();

    assert_eq!(shop.try_open().unwrap_err().code(), "journal_storage");
    assert!(ready.exists());
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

#[tokio::test]
async fn a_missing_generation_in_the_middle_is_damage_and_not_a_short_queue() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..20).await;
    journal.close().await.unwrap();
    fs_err::remove_dir_all(shop.path(&format!("p0/{}", generation(9)))).unwrap();

    assert_eq!(shop.try_open().unwrap_err().code(), "journal_storage");
}
