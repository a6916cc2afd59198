//! What happens when the disk is full, or is none.

use super::*;

#[tokio::test]
async fn a_capture_is_refused_when_there_is_too_little_room() {
    let mut shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    journal.close().await.unwrap();

    shop.options.free_floor_bytes = u64::MAX;
    let journal = shop.open();
    let refused = capture(&journal, "key4=value4").await.unwrap_err();
    assert_eq!(refused.code(), "journal_no_space");
    journal.note(b"view".to_vec());
    assert_eq!(look(&journal).await.values.len(), 3, "looking still works");
    assert_eq!(
        drain(&journal, Spool::P0).await,
        numbered(1..4),
        "and draining"
    );
    assert_eq!(drain(&journal, Spool::P1).await, []);
    journal.close().await.unwrap();

    shop.options.free_floor_bytes = 0;
    let journal = shop.open();
    capture_numbers(&journal, 4..5).await;
    assert_eq!(drain(&journal, Spool::P0).await, numbered(4..5));
}

#[tokio::test]
async fn views_go_before_a_capture_is_refused() {
    let mut shop = Shop::with(|options| options.kept_bytes = 1 << 30);
    let journal = shop.open();
    capture_numbers(&journal, 1..10).await;
    journal.note(b"view".to_vec());
    let stream = journal.outbox().depths().borrow().p0.written().stream;
    let outbox = journal.outbox();
    outbox.acknowledge(Spool::P0, stream, 8).await.unwrap();
    journal.close().await.unwrap();

    shop.options.free_floor_bytes = u64::MAX;
    let journal = shop.open();
    let depths = journal.outbox().depths().borrow().clone();
    assert_eq!((depths.p0.frames, depths.p1.frames), (1, 0));
    assert_eq!(
        depths.p1.written().next,
        2,
        "headquarters can be told which"
    );
    assert_eq!(
        shop.generations("p0"),
        [generation(9)],
        "kept for nobody now"
    );
}

#[tokio::test]
async fn a_full_disk_gets_the_reserve_and_the_next_commit_works() {
    let shop = Shop::with(|options| options.ballast_bytes = 4_096);
    let journal = shop.open();
    let ballast = shop.path("BALLAST");
    assert!(ballast.exists());
    capture_numbers(&journal, 1..4).await;
    database::faults::fill_disk(&shop.path(&format!("p0/{}", generation(1))));
    let refused = capture(&journal, "key4=value4").await.unwrap_err();
    assert_eq!(refused.code(), "journal_storage");
    capture(&journal, "after=1").await.unwrap();
    assert!(!ballast.exists(), "what it held is there to write to");
    assert_eq!(drain(&journal, Spool::P0).await[..3], numbered(1..4));
    look(&journal).await;
    assert!(ballast.exists(), "there was room enough again");
}

#[tokio::test]
async fn a_state_directory_in_memory_is_refused() {
    let shop = Shop::with(|options| options.memory = Memory::Refuse);
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let shop = Shop { dir, ..shop };
    assert_eq!(shop.try_open().unwrap_err().code(), "journal_storage");
    assert_eq!(disk::names_in(shop.dir.path()).unwrap(), ["LOCK"]);
}
