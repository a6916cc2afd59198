//! Invitations come after the coupon, are never its price, and are remembered.

use axum::http::StatusCode;

use crate::support::{Sending, TestChain, Till, eventually, scan, table, tap};

const INVITATIONS: &str = r#"
[follow]
kind = "follow"
title = { zh = "关注公众号", en = "Follow our account" }
[[follow.code]]
id = "oa-1"
qr = "https://weixin.qq.com/r/first"
link = "https://weixin.example.cn/follow"
daily_cap = 1
[[follow.code]]
id = "oa-2"
qr = "https://weixin.qq.com/r/second"
spare = true
[manager]
kind = "contact"
title = { zh = "加店长", en = "Add the manager" }
[[manager.code]]
id = "lin-1"
qr = "https://work.weixin.qq.com/lin"
[vip-group]
kind = "group"
title = { zh = "加入会员群", en = "Join the VIP group" }
[[vip-group.code]]
id = "group-1"
qr = "https://weixin.qq.com/g/full"
group = { made = 2026-01-01, members = 199 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_comes_after_the_coupon_and_the_same_guest_sees_the_same_one() {
    let chain = TestChain::start();
    fs_err::write(chain.path("chain/invitations.toml"), INVITATIONS).unwrap();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    assert!(!landing.html.contains("公众号"), "{}", landing.html);
    let coupon = tap(&mut phone, &landing).await;
    // The bundle with the invitations is on its way.
    eventually("the invitations", || async {
        let mut phone = scan(store.portal(), &table(1)).await.0;
        let page = phone.get(&coupon).await.unwrap();
        page.html.contains("关注公众号").then_some(())
    })
    .await;

    let ask = format!("{coupon}/invite");
    let answer = phone.post(&ask, &[("invite", "follow")]).await.unwrap();
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    let shown = answer.location.unwrap();
    let page = phone.get(&shown).await.unwrap();
    assert!(page.html.contains("https://weixin.example.cn/follow"));
    assert!(page.html.contains("<svg"), "{}", page.html);

    // The cap of one is used up, by this guest: the next one gets the spare.
    let (mut second, landing) = scan(store.portal(), &table(2)).await;
    let other = tap(&mut second, &landing).await;
    let answer = second
        .post(&format!("{other}/invite"), &[("invite", "follow")])
        .await;
    let of_second = answer.unwrap().location.unwrap();
    let spare = second.get(&of_second).await.unwrap();
    assert_eq!(spare.status, StatusCode::OK, "{}", spare.html);
    assert!(!spare.html.contains("https://weixin.example.cn/follow"));

    let full = phone.post(&ask, &[("invite", "vip-group")]).await.unwrap();
    assert_eq!(full.status, StatusCode::NOT_FOUND);
    assert!(full.html.contains("您的优惠券不受影响"), "{}", full.html);
    let till = Till::open(&store, &pin).await;
    let mut manager = till.phone;
    let counter = manager.get("/counter?lang=en").await.unwrap();
    assert!(
        counter.html.contains("Join the VIP group: nobody is there"),
        "{}",
        counter.html
    );
    assert!(counter.html.contains("Follow our account: only the spare"));

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    // Nobody asks again: what is shown is remembered, also that the cap was used up.
    for (shown, html) in [(&shown, &page.html), (&of_second, &spare.html)] {
        let (mut back, _) = scan(store.portal(), &table(3)).await;
        let again = back.get(shown).await.unwrap();
        assert_eq!(again.html, *html);
    }
    let (mut back, _) = scan(store.portal(), &table(3)).await;
    let made_up = back.post(&ask, &[("invite", "manager")]).await.unwrap();
    assert_eq!(made_up.status, StatusCode::NOT_FOUND, "no page offers it");
    store.wait_until_sent().await;
}
