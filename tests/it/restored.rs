//! One side is an older copy of itself: a box whose memory card was put back, two boxes from one card, and a
//! headquarters that came back from a backup. Nothing that a diner was shown is lost or counted twice.

use std::path::Path;

use crate::support::{Sending, TestChain, TestStore, claim, eventually, table};

pub(crate) fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else if let Err(error) = fs_err::copy(entry.path(), to) {
            // SQLite takes its log away when the last one who looked has gone.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
    }
}

pub(crate) fn put_back(from: &Path, to: &Path) {
    fs_err::remove_dir_all(to).unwrap();
    copy(from, to);
}

/// Takes `n` coupons at `store`, one after the other.
async fn claims(store: &TestStore, n: usize) {
    for _ in 0..n {
        claim(store.portal(), &table(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_put_back_to_an_older_state_brings_its_new_captures_all_the_same() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    claims(&store, 3).await;
    chain.totals_with(3).await;
    store.process.stop();
    let (state, image) = (chain.path("store"), chain.path("image"));
    copy(&state, &image);

    let store = chain.start_store(Sending::AtOnce).await;
    claims(&store, 4).await;
    chain.totals_with(7).await;
    store.process.stop();
    put_back(&image, &state);

    // As many new captures as make the numbers meet again, before headquarters is asked.
    let store = chain.start_store(Sending::Never).await;
    claims(&store, 4).await;
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    claims(&store, 1).await;
    let totals = chain.totals_with(12).await;
    assert_eq!((totals.claims, totals.coupons), (12, 12));
    assert_eq!(totals.frames_twice, 0);
    store.wait_until_sent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boxes_from_one_memory_card_lose_nothing_and_count_nothing_twice() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    claims(&store, 2).await;
    chain.totals_with(2).await;
    store.process.stop();
    copy(&chain.path("store"), &chain.path("twin"));

    let store = chain.start_store(Sending::AtOnce).await;
    let twin = chain.start_store_in("twin", Sending::AtOnce).await;
    for _ in 0..3 {
        claims(&store, 2).await;
        claims(&twin, 2).await;
    }
    let totals = chain.totals_with(14).await;
    assert_eq!((totals.claims, totals.coupons), (14, 14));
    assert_eq!(totals.frames_twice, 0);
    store.wait_until_sent().await;
    twin.wait_until_sent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_headquarters_from_a_backup_gets_again_what_the_box_has_kept() {
    let mut chain = TestChain::start();
    let store = chain.open_store().await;
    claims(&store, 2).await;
    chain.totals_with(2).await;
    chain.stop_hq();
    let (ledger, backup) = (chain.path("hq"), chain.path("backup"));
    copy(&ledger, &backup);
    chain.start_hq();
    claims(&store, 3).await;
    chain.totals_with(5).await;
    chain.stop_hq();
    put_back(&backup, &ledger);

    chain.start_hq();
    claims(&store, 1).await;
    let totals = chain.totals_with(6).await;
    assert_eq!((totals.claims, totals.coupons), (6, 6));
    assert_eq!(totals.frames_twice, 0);
    eventually("an audit without holes", || async {
        store
            .ops("/readyz")
            .await
            .contains("\"detail\":\"online\"")
            .then_some(())
    })
    .await;
}
