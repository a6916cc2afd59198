//! A guest sees what they agreed to, takes it back, and has all of it forgotten: by the box, by headquarters and by
//! the boxes that may have heard of them.

use axum::http::StatusCode;
use maitred::cli::demo::phone::Phone;

use crate::support::{Sending, Tasks, TestChain, Till, eventually, scan, see, table, tap};

async fn own_page(phone: &mut Phone) -> String {
    let page = phone.get("/me?lang=en").await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    page.html
}

const WORDS: &str = "Send me this shop&#39;s offers";

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_agrees_sees_the_receipt_and_withdraws_with_one_tap() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let coupon = tap(&mut phone, &landing).await;
    assert!(own_page(&mut phone).await.contains("You agreed to nothing"));
    let agree = format!("{coupon}/consent?lang=en");
    phone.post(&agree, &[("marketing", "yes")]).await.unwrap();
    let page = own_page(&mut phone).await;
    assert!(page.contains(WORDS) && page.contains("Agreed on"), "{page}");
    assert!(page.contains("Version of the words 2 · "), "{page}");

    // Another coupon of the same guest knows it, and a restart does not forget it.
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut again = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    again.remember(phone.cookies());
    assert!(own_page(&mut again).await.contains(WORDS));

    let back = again.post("/me/withdraw", &[]).await.unwrap();
    assert_eq!(back.location.as_deref(), Some("/me"));
    assert!(own_page(&mut again).await.contains("You agreed to nothing"));
    let page = again.get(&format!("{coupon}?lang=en")).await.unwrap();
    assert!(page.html.contains("name=\"marketing\""), "{}", page.html);
    assert!(!page.html.contains(" checked"), "the box is never ticked");
    let twice = again.post("/me/withdraw", &[]).await.unwrap();
    assert_eq!(twice.status, StatusCode::SEE_OTHER, "twice is once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_is_erased_is_gone_and_their_coupon_is_good_for_whoever_has_it() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = tap(&mut phone, &landing).await;
    let coupon = see(&mut phone, &path).await;
    phone
        .post(&format!("{path}/consent"), &[("marketing", "yes")])
        .await
        .unwrap();
    let before = phone.cookies();
    let export = phone.get("/me/export").await.unwrap().html;
    assert!(export.contains("\"agreement\":{") && export.contains("\"coupons\":[{"));

    let asked = phone.get("/me/erase?lang=en").await.unwrap();
    assert!(asked.html.contains("Coupons: 1"), "{}", asked.html);
    assert!(asked.html.contains("log of Internet access"));
    let keep = [("coupons", "keep")];
    let gone = phone.post("/me/erase?lang=en", &keep).await.unwrap();
    assert!(gone.html.contains("<h1>Deleted</h1>"), "{}", gone.html);
    let again = phone.post("/me/erase?lang=en", &keep).await.unwrap();
    assert!(again.html.contains("This box keeps nothing of yours"));
    let page = own_page(&mut phone).await;
    assert!(page.contains("Nothing of yours is kept here"), "{page}");

    // A second window that still has the number finds nothing by it, over a restart too.
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut other = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    other.remember(before);
    let page = own_page(&mut other).await;
    assert!(page.contains("Nothing of yours is kept here"), "{page}");

    let mut till = Till::open(&store, &pin).await;
    let redeemed = till.redeem(&coupon.code).await;
    assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.html);
    store.wait_until_sent().await;
    assert_eq!(chain.totals().await.quarantined, 0);

    // Headquarters has told the boxes that may know them, and this one has answered.
    eventually("the proof", || async {
        let told = chain.hq(&["erasures"]);
        told.contains("1 of 1 boxes  done everywhere").then_some(())
    })
    .await;
    let agreed = chain.hq(&["consents"]);
    assert!(agreed.contains("0 people may be sent offers"), "{agreed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_it_so_has_their_coupons_void_and_a_broken_form_changes_nothing() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(2)).await;
    let path = tap(&mut phone, &landing).await;
    let coupon = see(&mut phone, &path).await;
    let refused = phone
        .post("/me/erase", &[("coupons", "burn")])
        .await
        .unwrap();
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(own_page(&mut phone).await.contains("Coupons: 1"));
    phone
        .post("/me/erase", &[("coupons", "void")])
        .await
        .unwrap();
    let mut till = Till::open(&store, &pin).await;
    let refused = till.redeem(&coupon.code).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
}
