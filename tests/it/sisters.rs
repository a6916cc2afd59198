//! A coupon of one store is shown at another: headquarters says yes to one of them, and without headquarters the
//! campaign's cap decides.

use axum::http::StatusCode;

use crate::support::{
    Sending, TestChain, TestStore, Till, claim, edit_campaign, eventually, open_sister, table,
};

/// Two stores of a chain whose campaign is good in either.
struct Sisters {
    chain: TestChain,
    home: TestStore,
    sister: TestStore,
    at_home: Till,
    abroad: Till,
}

impl Sisters {
    /// `offline` is what a store does that cannot ask.
    async fn open(offline: &str) -> Self {
        let chain = TestChain::start_edited(|folder| {
            open_sister(folder, "SZ02");
            edit_campaign(folder, "stores = \"issuing\"", "stores = \"any\"");
            edit_campaign(folder, REFUSE, offline);
        });
        let (pin, other_pin) = (chain.add_staff(), chain.add_staff_at("SZ02"));
        chain.enroll_store();
        chain.enroll_store_at("SZ02", "sister");
        let home = chain.start_store(Sending::AtOnce).await;
        let sister = chain.start_store_in("sister", Sending::AtOnce).await;
        let at_home = Till::open(&home, &pin).await;
        let abroad = Till::open(&sister, &other_pin).await;
        Self {
            chain,
            home,
            sister,
            at_home,
            abroad,
        }
    }

    /// Waits until the coupon's own store has been told so many things.
    async fn home_is_told(&self, kind: &str) {
        eventually(kind, || async {
            let list = self.chain.hq(&["commands", "gw-000001"]);
            let last = list.lines().last().unwrap_or_default();
            (last.contains(kind) && last.contains("  done  ")).then_some(())
        })
        .await;
    }
}

const REFUSE: &str = "other_store_offline = \"refuse\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_sisters_coupon_is_redeemed_once_and_its_own_store_hears_of_it() {
    let mut shops = Sisters::open(REFUSE).await;
    let coupon = claim(shops.home.portal(), &table(1)).await;
    let yes = shops.abroad.redeem(&coupon.token).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.html);
    assert!(yes.html.contains("凉拌黄瓜"), "{}", yes.html);
    shops.home_is_told("redeemed_elsewhere").await;
    for shown in [&coupon.code, &coupon.token] {
        let no = shops.at_home.redeem(shown).await;
        assert_eq!(no.status, StatusCode::CONFLICT);
        assert!(no.html.contains("已在另一家店用过： SZ02"), "{}", no.html);
    }
    // Taken back, it is free again, at home too.
    let page = shops.abroad.phone.get("/till").await.unwrap();
    let undo =
        "action=\"/till/undo\" data-stay><input type=\"hidden\" name=\"redemption\" value=\"";
    let redemption = page.between(undo, "\"").unwrap().to_owned();
    let fields = [("redemption", redemption.as_str())];
    shops
        .abroad
        .phone
        .post("/till/undo", &fields)
        .await
        .unwrap();
    shops.home_is_told("undone_elsewhere").await;
    let yes = shops.at_home.redeem(&coupon.code).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.html);
    // And the sister is told so, once headquarters knows.
    shops.home.wait_until_sent().await;
    let no = shops.abroad.redeem(&coupon.token).await;
    assert!(no.html.contains("已在另一家店用过： SZ01"), "{}", no.html);
    let totals = shops.chain.totals().await;
    assert_eq!((totals.redemptions, totals.redemptions_undone), (2, 1));
    assert_eq!(totals.quarantined, 0);
    assert!(shops.chain.hq(&["doubles"]).contains("no coupon counts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_headquarters_a_sisters_coupon_is_refused_and_is_good_at_home() {
    let mut shops = Sisters::open(REFUSE).await;
    let coupon = claim(shops.home.portal(), &table(1)).await;
    shops.chain.stop_hq();
    let no = shops.abroad.redeem(&coupon.token).await;
    assert_eq!(no.status, StatusCode::CONFLICT);
    assert!(
        no.html.contains("可以在发券的门店使用： SZ01"),
        "{}",
        no.html
    );
    let yes = shops.at_home.redeem(&coupon.code).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn within_its_cap_a_coupon_is_taken_provisionally_and_one_used_twice_shows() {
    let mut shops = Sisters::open("other_store_offline = { accept_up_to_fen = 250 }").await;
    let coupon = claim(shops.home.portal(), &table(1)).await;
    shops.chain.stop_hq();
    // Neither store can hear the other: both give, and the guest is charged for nothing.
    for till in [&mut shops.abroad, &mut shops.at_home] {
        let yes = till.redeem(&coupon.token).await;
        assert_eq!(yes.status, StatusCode::OK, "{}", yes.html);
    }
    shops.chain.start_hq();
    shops.home.wait_until_sent().await;
    shops.sister.wait_until_sent().await;
    let list = shops.chain.hq(&["doubles"]);
    let id = coupon.path.strip_prefix("/c/").unwrap();
    assert!(list.starts_with(id), "{list}");
    assert!(
        list.contains("SZ02") && list.contains("SZ01, its own store"),
        "{list}"
    );
    shops.home_is_told("redeemed_elsewhere").await;
    // The manager takes one of them out of the figures.
    shops.chain.hq(&["undo", "--store", "SZ02", id]);
    eventually("no doubles", || async {
        let list = shops.chain.hq(&["doubles"]);
        list.contains("no coupon counts").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_of_another_chain_gets_its_own_sentence() {
    let mut shops = Sisters::open(REFUSE).await;
    let chain = TestChain::start();
    let other = chain.open_store().await;
    let coupon = claim(other.portal(), &table(1)).await;
    let no = shops.at_home.redeem(&coupon.token).await;
    assert_eq!(no.status, StatusCode::CONFLICT);
    assert!(no.html.contains("这不是本连锁的券"), "{}", no.html);
}
