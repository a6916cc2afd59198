//! A guest on 4G claims at the street gateway and redeems at the table's store.

use axum::http::StatusCode;

use crate::support::{TestChain, Till, claim, eventually, table};

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_from_the_street_is_redeemed_by_its_qr_and_once() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let street = chain.open_street().await;
    // The store enrols after the street, so that its bundle carries the street's coupon key.
    let store = chain.open_store().await;

    let coupon = claim(street.portal(), &table(1)).await;
    assert!(coupon.code.starts_with('Z'), "{coupon:?}");
    let mut till = Till::open(&store, &pin).await;
    let ask_for_qr = till.redeem(&coupon.code).await;
    assert_eq!(ask_for_qr.status, StatusCode::CONFLICT);
    assert!(
        ask_for_qr.html.contains("请客人出示二维码"),
        "{}",
        ask_for_qr.html
    );

    assert_eq!(till.redeem(&coupon.token).await.status, StatusCode::OK);
    assert_eq!(
        till.redeem(&coupon.token).await.status,
        StatusCode::CONFLICT
    );
    let totals = eventually("both halves at headquarters", || async {
        let totals = chain.totals().await;
        (totals.claims == 1 && totals.redemptions == 1).then_some(totals)
    })
    .await;
    assert_eq!(totals.quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_street_has_no_till_and_no_wall() {
    let chain = TestChain::start();
    let street = chain.open_street().await;
    let tasks = maitred::ops::tasks::Tasks::new();
    let mut phone = maitred::cli::demo::phone::Phone::open(street.portal(), &tasks)
        .await
        .unwrap();
    assert_eq!(
        phone.get("/till").await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(phone.get("/").await.unwrap().status, StatusCode::NOT_FOUND);
    let admit = phone.post("/admit", &[]).await.unwrap();
    assert_eq!(admit.status, StatusCode::NOT_FOUND);
}
