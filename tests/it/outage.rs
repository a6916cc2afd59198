//! A shop whose Internet is away: its pages say so, and everything of the shop's own goes on.

use axum::http::StatusCode;

use crate::support::{TestStore, eventually, scan, table, tap, write_chain};

/// A shop alone, whose question after the Internet nobody answers: port 1 is never listened on here.
async fn shop_without_a_line(dir: &std::path::Path) -> TestStore {
    write_chain(&dir.join("chain"));
    let settings = "state_dir = \"state\"\n[portal]\nlisten = \"127.0.0.1:0\"\n\
                    base_url = \"http://portal.test\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
                    [uplink]\nprobe_url = \"http://127.0.0.1:1/generate_204\"\n\
                    [bundle]\ndir = \"chain\"\n[journal]\nin_memory = true\n";
    TestStore::start(dir, "alone", settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_told_that_the_internet_is_away_and_claims_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let shop = shop_without_a_line(dir.path()).await;
    let says = |html: &str| html.contains("外网暂时中断");
    let (mut phone, landing) = eventually("the table's page to say so", || async {
        let (phone, landing) = scan(shop.portal(), &table(1)).await;
        says(&landing.html).then_some((phone, landing))
    })
    .await;
    let coupon = tap(&mut phone, &landing).await;
    let page = phone.get(&coupon).await.unwrap();
    assert_eq!(page.status, StatusCode::OK);
    assert!(says(&page.html) && page.html.contains("优惠券照常可用"));
    assert!(page.html.contains("class=\"code\""), "{}", page.html);
}
