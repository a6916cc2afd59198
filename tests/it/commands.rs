//! Headquarters gives commands: boxes carry them out once, whatever comes between, and say what came of it.

use axum::http::StatusCode;

use crate::support::{
    Dice, SeenCoupon, Sending, Starting, TestChain, TestStore, Till, claim, eventually, maitred,
    table,
};

const BOX: &str = "gw-000001";

/// The id of a coupon, as in the address of its page.
fn id(coupon: &SeenCoupon) -> &str {
    coupon.path.strip_prefix("/c/").unwrap()
}

/// Waits until the last command of the box has this outcome; the whole list.
async fn outcome(chain: &TestChain, wanted: &str) -> String {
    eventually(wanted, || async {
        let list = chain.hq(&["commands", BOX]);
        let last = list.lines().last().unwrap_or_default();
        last.contains(wanted).then_some(list)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_coupon_is_refused_at_the_till_and_its_page_says_so() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (kept, void) = (
        claim(store.portal(), &table(1)).await,
        claim(store.portal(), &table(2)).await,
    );
    let said = chain.hq(&["void", "--store", "SZ01", id(&void)]);
    assert!(said.contains("gw-000001: command 1, void_coupon"), "{said}");
    outcome(&chain, "done").await;

    let mut till = Till::open(&store, &pin).await;
    for shown in [&void.code, &void.token] {
        let no = till.redeem(shown).await;
        assert_eq!(no.status, StatusCode::CONFLICT);
        assert!(no.html.contains("总部已撤回"), "{}", no.html);
    }
    let page = till.phone.get(&void.path).await.unwrap();
    assert!(page.html.contains("餐厅已撤回这张券"), "{}", page.html);
    assert!(!page.html.contains("data-token"), "{}", page.html);
    assert_eq!(till.redeem(&kept.code).await.status, StatusCode::OK);

    // Redeemed before it was to be void.
    chain.hq(&["void", "--store", "SZ01", id(&kept)]);
    outcome(&chain, "too_late").await;
    assert_eq!(chain.totals().await.quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redemption_is_taken_back_by_headquarters_when_the_box_comes_back() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    store.wait_until_sent().await;
    store.process.stop();

    chain.hq(&["undo", "--store", "SZ01", id(&coupon)]);
    chain.hq(&["undo", "--store", "SZ01", id(&coupon)]);
    assert!(chain.hq(&["commands", BOX]).contains("waits"));
    let store = chain.start_store(Sending::AtOnce).await;
    // The first has done it, and the second finds nothing to do.
    let list = outcome(&chain, "not_found").await;
    assert!(list.lines().next().unwrap().contains("done"), "{list}");
    let totals = chain.totals().await;
    assert_eq!((totals.redemptions, totals.redemptions_undone), (1, 1));
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_gets_a_new_certificate_when_it_is_told_to() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let identity = chain.path("store/identity/identity.json");
    let before = fs_err::read(&identity).unwrap();
    chain.hq(&["tell", BOX, "renew"]);
    outcome(&chain, "done").await;
    assert_ne!(fs_err::read(&identity).unwrap(), before);
    claim(store.portal(), &table(1)).await;
    chain.totals_with(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_is_killed_again_and_again_carries_out_each_command_once() {
    const COMMANDS: usize = 24;
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let mut coupons = Vec::new();
    for _ in 0..COMMANDS {
        coupons.push(claim(store.portal(), &table(1)).await);
    }
    store.process.kill();
    let file = chain.path("store.toml");
    let mut dice = Dice::new(7);
    for coupons in coupons.chunks(4) {
        let command = maitred(&["gateway", "--config", file.to_str().unwrap()]);
        let process = Starting::spawn(command, &chain.path("store.log"))
            .ready()
            .unwrap();
        for coupon in coupons {
            chain.hq(&["void", "--store", "SZ01", id(coupon)]);
        }
        // The plug is pulled at any moment; nothing is waited for.
        let millis = dice.between(0, 1_500);
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        process.kill();
    }
    let store: TestStore = chain.start_store(Sending::AtOnce).await;
    let list = eventually("all outcomes", || async {
        let list = chain.hq(&["commands", BOX]);
        (list.matches("done").count() == COMMANDS).then_some(list)
    })
    .await;
    assert_eq!(list.lines().count(), COMMANDS, "{list}");
    store.wait_until_sent().await;
    let totals = chain.totals().await;
    // Of each: the claim, that the coupon is void, and that the command was dealt with.
    let events = totals.events - totals.views;
    assert_eq!(events, 3 * COMMANDS as u64);
    assert_eq!(totals.quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_headquarters_from_a_backup_gives_commands_that_the_box_does_not_take_for_old_ones() {
    let mut chain = TestChain::start();
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    chain.totals_with(1).await;
    chain.stop_hq();
    let (ledger, backup) = (chain.path("hq"), chain.path("backup"));
    crate::restored::copy(&ledger, &backup);
    chain.start_hq();
    for _ in 0..2 {
        chain.hq(&["tell", BOX, "resend"]);
    }
    outcome(&chain, "done").await;
    chain.stop_hq();
    crate::restored::put_back(&backup, &ledger);
    // So that it does not wait, after so many failures, for longer than a test does.
    store.process.stop();

    // Under a number that the box has seen, before it is heard again.
    chain.hq(&["void", "--store", "SZ01", id(&coupon)]);
    assert!(chain.hq(&["commands", BOX]).trim_start().starts_with("1 "));
    chain.start_hq();
    let store = chain.start_store(Sending::AtOnce).await;
    let list = outcome(&chain, "done").await;
    assert_eq!(list.lines().count(), 1, "{list}");
    let mut phone =
        maitred::cli::demo::phone::Phone::open(store.portal(), &crate::support::Tasks::new())
            .await
            .unwrap();
    let page = phone.get(&coupon.path).await.unwrap();
    assert!(page.html.contains("餐厅已撤回这张券"), "{}", page.html);
}
