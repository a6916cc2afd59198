//! The plug is pulled: what a diner was shown is still there, and headquarters has it once.

use crate::support::{Sending, TestChain, claim, scan, see, table, tap};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_between_claim_and_sync_loses_nothing_and_doubles_nothing() {
    let chain = TestChain::start();
    // The first start only brings the bundle.
    chain.open_store().await.process.stop();

    let store = chain.start_store(Sending::Never).await;
    let mut seen = Vec::new();
    for n in 1..=7 {
        seen.push(claim(store.portal(), &table(n)).await);
    }
    store.process.kill();
    assert_eq!(
        chain.totals().await.claims,
        0,
        "nothing was sent before the cut"
    );

    let store = chain.start_store(Sending::AtOnce).await;
    let totals = chain.totals_with(7).await;
    assert_eq!(
        (totals.claims, totals.coupons, totals.frames_twice),
        (7, 7, 0)
    );
    let (mut phone, _) = scan(store.portal(), &table(1)).await;
    for coupon in seen {
        assert_eq!(see(&mut phone, &coupon.path).await, coupon);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_after_kill_every_coupon_that_was_seen_is_counted_once() {
    let chain = TestChain::start();
    chain.open_store().await.process.stop();
    let mut seen = 0;
    for round in 0..6 {
        let store = chain.start_store(Sending::AtOnce).await;
        for n in 1..=3 {
            let (mut phone, landing) = scan(store.portal(), &table(3 * round + n)).await;
            let path = tap(&mut phone, &landing).await;
            see(&mut phone, &path).await;
            seen += 1;
        }
        // Somewhere between the answer, the batch and its receipt.
        store.process.kill();
    }
    let _store = chain.start_store(Sending::AtOnce).await;
    let totals = chain.totals_with(seen).await;
    assert_eq!(
        (totals.claims, totals.coupons, totals.frames_twice),
        (seen, seen, 0)
    );
}
