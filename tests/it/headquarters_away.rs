//! The Internet is not needed for a coupon or its redemption.

use axum::http::StatusCode;

use crate::support::{TestChain, Till, claim, eventually, table};

#[tokio::test(flavor = "multi_thread")]
async fn with_headquarters_away_a_guest_claims_and_redeems_and_the_figures_come_later() {
    let mut chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    chain.stop_hq();

    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    let readiness = eventually("the gateway to notice", || async {
        let readiness = store.ops("/readyz").await;
        readiness
            .contains("\"detail\":\"offline\"")
            .then_some(readiness)
    })
    .await;
    assert!(
        readiness.contains("\"ready\":true"),
        "diners are served: {readiness}"
    );
    assert!(
        readiness.contains("2 captures wait for headquarters"),
        "{readiness}"
    );
    let counter = till.phone.get("/counter?lang=en").await.unwrap();
    assert!(
        counter.html.contains("There is no Internet"),
        "{}",
        counter.html
    );
    assert!(
        counter.html.contains("<p class=\"gift\">2</p>"),
        "{}",
        counter.html
    );
    let metrics = store.ops("/metrics").await;
    assert!(
        metrics.contains("uplink_state{state=\"offline\"} 1"),
        "{metrics}"
    );

    chain.start_hq();
    let totals = eventually("the story at headquarters", || async {
        let totals = chain.totals().await;
        (totals.redemptions == 1).then_some(totals)
    })
    .await;
    assert_eq!((totals.claims, totals.frames_twice), (1, 0));
    eventually("the way to be good again", || async {
        let readiness = store.ops("/readyz").await;
        readiness.contains("\"detail\":\"online\"").then_some(())
    })
    .await;
}
