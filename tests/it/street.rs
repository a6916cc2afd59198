//! A guest on 4G claims at the street gateway and redeems at the table's store.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::http::StatusCode;

use crate::support::{Phone, Sending, Tasks, TestChain, Till, claim, eventually, scan, table, tap};

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

/// Waits until a box has been told so many coupons of the street, and has written all of them down.
async fn told(chain: &TestChain, gateway: &str, coupons: usize) {
    eventually("the coupons of the street at the store", || async {
        let list = chain.hq(&["commands", gateway]);
        let known = list.lines().filter(|line| line.contains("know_coupon"));
        let done = known.filter(|line| line.contains("done")).count();
        (done == coupons).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_street_code_is_good_at_the_till_once_headquarters_has_passed_it_down() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let street = chain.open_street().await;
    let early = claim(street.portal(), &table(1)).await;
    street.wait_until_sent().await;
    // Enrolled after the claim: it is told all the same.
    let store = chain.open_store().await;
    told(&chain, "gw-000002", 1).await;
    let late = claim(street.portal(), &table(2)).await;
    told(&chain, "gw-000002", 2).await;

    let mut till = Till::open(&store, &pin).await;
    // By its QR first; the other way round first for the second.
    assert_eq!(till.redeem(&early.token).await.status, StatusCode::OK);
    assert_eq!(till.redeem(&late.code).await.status, StatusCode::OK);
    for shown in [&early.code, &late.token] {
        let no = till.redeem(shown).await;
        assert_eq!(no.status, StatusCode::CONFLICT);
        assert!(no.html.contains("已经用过"), "{}", no.html);
    }
    // The coupon's page is there in the shop, too, where the same name leads to the store's box.
    let page = till.phone.get(&late.path).await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    store.wait_until_sent().await;
    let totals = chain.totals().await;
    assert_eq!((totals.claims, totals.redemptions), (2, 2));
    assert_eq!(totals.quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn either_of_two_street_gateways_may_be_killed_and_no_guest_loses_a_coupon() {
    let mut chain = TestChain::start();
    let pin = chain.add_staff();
    let one = chain.open_street_in("street-1").await;
    let other = chain.open_street_in("street-2").await;
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    // The Internet of headquarters, the store and the street is away, so nobody hears of anybody.
    chain.stop_hq();
    let first = claim(one.portal(), &table(1)).await;
    one.process.kill();
    let second = claim(other.portal(), &table(1)).await;
    other.process.kill();

    // The guest has the page open, and the till knows the key of the dead gateway.
    assert_eq!(till.redeem(&first.token).await.status, StatusCode::OK);
    let ask = till.redeem(&second.code).await;
    assert!(ask.html.contains("请客人出示二维码"), "{}", ask.html);

    chain.start_hq();
    let one = chain.start_street_in("street-1").await;
    let other = chain.start_street_in("street-2").await;
    told(&chain, "gw-000003", 2).await;
    assert_eq!(till.redeem(&first.code).await.status, StatusCode::CONFLICT);
    assert_eq!(till.redeem(&second.code).await.status, StatusCode::OK);
    for (street, coupon) in [(&one, &first), (&other, &second)] {
        let mut phone = Phone::open(street.portal(), &Tasks::new()).await.unwrap();
        let page = phone.get(&coupon.path).await.unwrap();
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    }
    store.wait_until_sent().await;
    let totals = chain.totals().await;
    assert_eq!((totals.claims, totals.redemptions), (2, 2));
    assert_eq!((totals.frames_twice, totals.quarantined), (0, 0));
}

/// Taps as a phone with these cookies, on the page that a new one is shown.
async fn tap_as(
    portal: SocketAddr,
    cookies: BTreeMap<String, String>,
) -> (String, BTreeMap<String, String>) {
    let (_, landing) = scan(portal, &table(1)).await;
    let mut phone = Phone::open(portal, &Tasks::new()).await.unwrap();
    phone.remember(cookies);
    let path = tap(&mut phone, &landing).await;
    (path, phone.cookies())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diner_is_the_same_one_on_the_street_and_in_the_shop() {
    let chain = TestChain::start();
    // The store's bundle is read after both have enrolled, as the street's is.
    chain.enroll_store();
    let street = chain.open_street().await;
    let store = chain.start_store(Sending::AtOnce).await;
    let (on_the_street, cookies) = tap_as(street.portal(), BTreeMap::new()).await;
    told(&chain, "gw-000001", 1).await;
    // The limit of one a person holds in the shop, too: the guest is shown what they have.
    let (in_the_shop, cookies) = tap_as(store.portal(), cookies).await;
    assert_eq!(in_the_shop, on_the_street);
    // And back: the shop's cookie is believed on the street.
    let (again, _) = tap_as(street.portal(), cookies).await;
    assert_eq!(again, on_the_street);
    assert_eq!(chain.totals_with(1).await.claims, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_diner_claims_and_uses_in_a_shop_counts_on_every_box_of_the_street() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let streets = [
        chain.open_street_in("street-1").await,
        chain.open_street_in("street-2").await,
    ];
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let in_the_shop = tap_as(store.portal(), BTreeMap::new()).await;
    let on_the_street = tap_as(streets[0].portal(), BTreeMap::new()).await;
    for gateway in ["gw-000001", "gw-000002"] {
        told(&chain, gateway, 3).await;
    }
    for street in &streets {
        for (path, cookies) in [&in_the_shop, &on_the_street] {
            let (held, _) = tap_as(street.portal(), cookies.clone()).await;
            assert_eq!(held, *path, "one for each person");
        }
    }
    // Used in the shop: the guest's page says so on the street.
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    for street in &streets {
        eventually("the coupon to be used up on the street", || async {
            let mut phone = Phone::open(street.portal(), &Tasks::new()).await.unwrap();
            let page = phone.get(&coupon.path).await.unwrap();
            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            page.html.contains("已使用").then_some(())
        })
        .await;
    }
    let totals = chain.totals_with(3).await;
    assert_eq!((totals.redemptions, totals.quarantined), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_street_has_no_till_and_no_wall() {
    let chain = TestChain::start();
    let street = chain.open_street().await;
    let mut phone = Phone::open(street.portal(), &Tasks::new()).await.unwrap();
    assert_eq!(
        phone.get("/till").await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(phone.get("/").await.unwrap().status, StatusCode::NOT_FOUND);
    let admit = phone.post("/admit", &[]).await.unwrap();
    assert_eq!(admit.status, StatusCode::NOT_FOUND);
}
