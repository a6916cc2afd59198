//! One diner's tap, from the table to the manager's screen.

use axum::http::StatusCode;

use crate::support::{
    Sending, TestChain, Till, claim, claim_fields, eventually, scan, see, table, tap,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_becomes_a_coupon_is_redeemed_and_shows_on_the_managers_screen() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;

    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    let yes = till.redeem(&coupon.code).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.html);
    assert!(yes.html.contains("凉拌黄瓜"), "{}", yes.html);

    let totals = eventually("the redemption at headquarters", || async {
        let totals = chain.totals().await;
        (totals.redemptions == 1).then_some(totals)
    })
    .await;
    assert_eq!(
        (totals.claims, totals.coupons, totals.quarantined),
        (1, 1, 0)
    );
    let page = chain.console_page().await;
    assert!(page.contains("Shiwei Beef Noodles, Nanshan"), "{page}");
    store.process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_tap_is_the_same_coupon_even_after_a_restart() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let first = tap(&mut phone, &landing).await;
    assert_eq!(tap(&mut phone, &landing).await, first, "a double tap");
    store.process.kill();

    let store = chain.start_store(Sending::AtOnce).await;
    // Another phone without the cookie: the tap alone is what makes it the same.
    let (mut other, _) = scan(store.portal(), &table(1)).await;
    assert_eq!(
        tap(&mut other, &landing).await,
        first,
        "a retry after the restart"
    );
    assert_eq!(chain.totals_with(1).await.claims, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_taps_at_the_same_moment_are_one_coupon() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let (mut other, _) = scan(store.portal(), &table(1)).await;
    let (one, two) = tokio::join!(tap(&mut phone, &landing), tap(&mut other, &landing));
    assert_eq!(one, two);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diner_who_scans_again_is_shown_the_coupon_they_hold() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = tap(&mut phone, &landing).await;
    let again = phone.get(&format!("/t/{}", table(2))).await.unwrap();
    assert!(
        again.html.contains(&format!("href=\"{path}\"")),
        "{}",
        again.html
    );
    assert!(again.field("tap").is_none(), "no second button");
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_a_separate_choice_and_is_taken_back_as_easily() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let fields = claim_fields(&landing);
    assert!(
        fields.iter().all(|(name, _)| *name != "marketing"),
        "claiming asks for nothing"
    );
    let path = tap(&mut phone, &landing).await;
    let page = phone.get(&path).await.unwrap();
    assert!(page.html.contains("type=\"checkbox\" name=\"marketing\""));
    assert!(
        !page.html.contains("checked"),
        "the box is not ticked for the guest"
    );

    let consent = format!("{path}/consent");
    phone.post(&consent, &[]).await.unwrap();
    let page = phone.get(&path).await.unwrap();
    assert!(page.html.contains("type=\"checkbox\""), "unticked means no");

    phone.post(&consent, &[("marketing", "yes")]).await.unwrap();
    let page = phone.get(&path).await.unwrap();
    assert!(page.html.contains("您同意了接收优惠消息"), "{}", page.html);

    phone.post(&consent, &[]).await.unwrap();
    let page = phone.get(&path).await.unwrap();
    assert!(page.html.contains("type=\"checkbox\""));
    see(&mut phone, &path).await;
    let events = eventually("three events at headquarters", || async {
        let totals = chain.totals().await;
        (totals.frames >= 3).then_some(totals)
    })
    .await;
    assert_eq!(events.claims, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_edited_at_headquarters_reaches_the_table() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let file = chain.path("chain/campaigns/quiet-hours.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace("凉拌黄瓜", "卤蛋")).unwrap();
    eventually("the new dish on the page", || async {
        let (_, landing) = scan(store.portal(), &table(1)).await;
        landing.html.contains("卤蛋").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_that_was_answered_has_the_same_answer_after_its_campaign_is_over() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = tap(&mut phone, &landing).await;
    fs_err::remove_file(chain.path("chain/campaigns/quiet-hours.toml")).unwrap();
    eventually("a page without an offer", || async {
        let (_, landing) = scan(store.portal(), &table(1)).await;
        landing.field("tap").is_none().then_some(())
    })
    .await;
    assert_eq!(tap(&mut phone, &landing).await, path);
    see(&mut phone, &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_enrols_one_box_and_then_no_other() {
    let chain = TestChain::start();
    let token = chain.token(&["--store", "SZ01"]);
    let first = chain.enroll_arguments(&token, "one");
    let second = chain.enroll_arguments(&token, "two");
    let run = |arguments: &[String]| {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        crate::support::run(&arguments)
    };
    assert!(run(&first).status.success());
    let refused = run(&second);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("headquarters refused"), "{why}");

    let mut wrong_pin = chain.enroll_arguments(&chain.token(&["--store", "SZ01"]), "three");
    wrong_pin[4] = "00".repeat(32);
    let refused = run(&wrong_pin);
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("certificates do not fit"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_coupon_is_used_is_not_offered_what_they_cannot_have() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = tap(&mut phone, &landing).await;
    let coupon = see(&mut phone, &path).await;
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    let again = phone.get(&format!("/t/{}", table(1))).await.unwrap();
    assert!(again.field("tap").is_none(), "{}", again.html);
    assert!(again.html.contains("祝您用餐愉快"), "{}", again.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_finds_all_it_holds_on_one_page_and_what_became_of_each() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let nothing = phone.get("/me?lang=en").await.unwrap();
    assert!(
        nothing.html.contains("holds no coupon yet"),
        "{}",
        nothing.html
    );
    let path = tap(&mut phone, &landing).await;
    let held = phone.get("/me?lang=en").await.unwrap();
    let link = format!("class=\"button\" href=\"{path}\"");
    assert!(held.html.contains(&link), "{}", held.html);
    assert!(held.html.contains("Valid until"));

    let coupon = see(&mut phone, &path).await;
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    let used = phone.get("/me?lang=en").await.unwrap();
    assert!(used.html.contains("Used at"), "{}", used.html);
    assert!(!used.html.contains(&link));

    let (mut stranger, _) = scan(store.portal(), &table(2)).await;
    let theirs = stranger.get("/me?lang=en").await.unwrap();
    assert!(!theirs.html.contains(&path), "{}", theirs.html);
}
