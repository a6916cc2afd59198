//! A box that does not know the time: routers wake up in 1970, and a box with a bad battery in 2070.

use axum::http::StatusCode;

use crate::support::{ClockOff, Sending, TestChain, claim, scan, table};

#[tokio::test(flavor = "multi_thread")]
async fn a_box_in_1970_and_one_in_2070_bring_their_captures_to_the_right_day() {
    for wrong in [
        ClockOff::to("1970-01-02T00:00:00Z"),
        ClockOff::to("2070-01-01T00:00:00Z"),
    ] {
        let mut chain = TestChain::start();
        // The installer's box does not know the time either.
        chain.clock = wrong;
        let store = chain.open_store().await;
        store.wait_for_link("clock_bad").await;
        claim(store.portal(), &table(1)).await;
        let totals = chain.totals_with(1).await;
        assert_eq!((totals.claims, totals.quarantined), (1, 0));
        // The console shows today; what was dated to another day would not be there.
        let page = chain.console_page().await;
        assert!(page.contains(">1<"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_wakes_in_1970_without_headquarters_goes_on_from_the_time_it_was_last_sure_of() {
    let mut chain = TestChain::start();
    let store = chain.open_store().await;
    let known = claim(store.portal(), &table(1)).await;
    chain.totals_with(1).await;
    store.process.stop();
    chain.stop_hq();

    chain.clock = ClockOff::to("1970-01-02T00:00:00Z");
    let store = chain.start_store(Sending::AtOnce).await;
    let (mut phone, _) = scan(store.portal(), &table(2)).await;
    let page = phone.get(&known.path).await.unwrap();
    assert_eq!(
        page.status,
        StatusCode::OK,
        "the coupon is still good: {}",
        page.html
    );
    claim(store.portal(), &table(3)).await;

    chain.clock = ClockOff::default();
    chain.start_hq();
    let totals = chain.totals_with(2).await;
    assert_eq!((totals.claims, totals.frames_twice), (2, 0));
}
