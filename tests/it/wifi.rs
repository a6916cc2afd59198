//! The guest Wi-Fi as a diner and an operator see it, with the wall that touches no kernel. The wall in the
//! kernel has its own stories, in `tests/netns`.

use std::net::SocketAddr;
use std::path::Path;

use axum::http::StatusCode;
use maitred::cli::demo::phone::{Page, Phone};
use maitred::ops::tasks::Tasks;
use serde_json::Value;

use crate::support::{TestChain, TestStore, ask, ask_to_be_let_in, claim_fields, eventually, run};

async fn probe(portal: SocketAddr) -> StatusCode {
    let mut phone = Phone::open(portal, &Tasks::new()).await.unwrap();
    phone.get("/generate_204").await.unwrap().status
}

async fn arrival(portal: SocketAddr) -> (Phone, Page) {
    let mut phone = Phone::open(portal, &Tasks::new()).await.unwrap();
    let page = phone.get("/").await.unwrap();
    (phone, page)
}

async fn sessions(store: &TestStore) -> Vec<Value> {
    let listing: Value =
        serde_json::from_str(&store.ops("/api/v1/sessions?devices=1").await).unwrap();
    let sessions = listing["sessions"].as_array();
    sessions.cloned().unwrap_or_default()
}

fn write_wifi(dir: &Path, text: &str) {
    fs_err::create_dir_all(dir.join("chain")).unwrap();
    fs_err::write(dir.join("chain/wifi.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_let_in_stays_in_over_a_crash_and_nobody_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    assert_eq!(probe(store.portal()).await, StatusCode::FOUND);
    ask_to_be_let_in(store.portal()).await;
    assert_eq!(probe(store.portal()).await, StatusCode::NO_CONTENT);
    let before = sessions(&store).await;
    let kept = dir.path().join("state/sessions");
    eventually("the session on the disk", || async {
        let text = fs_err::read_to_string(&kept).unwrap_or_default();
        text.contains("\"session\"").then_some(())
    })
    .await;
    store.process.kill();

    let store = TestStore::alone(dir.path()).await;
    assert_eq!(probe(store.portal()).await, StatusCode::NO_CONTENT);
    let after = sessions(&store).await;
    assert_eq!(after.len(), 1);
    for what in ["device", "zone", "tier", "kind", "began"] {
        assert_eq!(after[0][what], before[0][what], "{what}");
    }
    let left = |sessions: &[Value]| sessions[0]["seconds_left"].as_u64().unwrap();
    assert!(left(&after) <= left(&before) && left(&after) > left(&before) - 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_who_is_in_lets_in_lengthens_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let settings = store.running_settings(dir.path());
    let sessions = |words: &[&str]| ask(&[&["sessions", "--config", &settings], words].concat());
    assert_eq!(sessions(&["ls"]), "nobody is let in\n");
    ask_to_be_let_in(store.portal()).await;
    let device = "02:04:7f:00:00:01";
    let listed = sessions(&["ls"]);
    assert!(
        listed.contains(device) && listed.contains("4:00"),
        "{listed}"
    );
    sessions(&["extend", device, "--minutes", "30"]);
    assert!(sessions(&["ls"]).contains("4:30"));
    assert!(sessions(&["show", device]).contains("\"kind\": \"open\""));
    sessions(&["revoke", device]);
    assert_eq!(probe(store.portal()).await, StatusCode::FOUND);
    assert_eq!(sessions(&["ls"]), "nobody is let in\n");

    sessions(&["admit", device, "--tier", "vip"]);
    assert_eq!(probe(store.portal()).await, StatusCode::NO_CONTENT);
    let gone = run(&[
        "sessions",
        "--config",
        &settings,
        "revoke",
        "02:00:00:00:00:99",
    ]);
    assert_eq!(gone.status.code(), Some(1));
    let said = String::from_utf8_lossy(&gone.stderr);
    assert!(said.contains("the device has no session"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tap_that_was_shown_to_it_no_phone_is_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let (mut phone, _) = arrival(store.portal()).await;
    for fields in [vec![], vec![("tap", "0123456789abcdef0123456789abcdef")]] {
        let answer = phone.post("/admit", &fields).await.unwrap();
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(
            answer.location.as_deref(),
            Some("/"),
            "the page is shown anew"
        );
    }
    assert_eq!(
        phone.get("/admit").await.unwrap().status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(probe(store.portal()).await, StatusCode::FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_offers_no_access_shows_its_pages_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write_wifi(dir.path(), "[zone.guest]\naccess = \"local\"\n");
    let store = TestStore::alone(dir.path()).await;
    let (mut phone, page) = arrival(store.portal()).await;
    assert!(page.html.contains("/claim"), "{}", page.html);
    assert!(page.html.contains("现在不提供上网"), "{}", page.html);
    assert!(!page.html.contains("/admit"), "{}", page.html);
    let shown = page.field("tap").unwrap();
    let refused = phone.post("/admit", &[("tap", shown)]).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let fields = claim_fields(&page);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let claimed = phone.post("/claim", &fields).await.unwrap();
    assert_eq!(
        claimed.status,
        StatusCode::SEE_OTHER,
        "the coupon is none the worse"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_opens_the_garden_and_tells_only_apples_window_to_close() {
    let dir = tempfile::tempdir().unwrap();
    write_wifi(
        dir.path(),
        "[zone.guest.garden]\nwith_pass = [\"weixin.qq.com\"]\n",
    );
    let store = TestStore::alone(dir.path()).await;
    let (mut phone, page) = arrival(store.portal()).await;
    assert!(page.html.contains("formaction=\"/pass\""), "{}", page.html);
    let shown = page.field("tap").unwrap().to_owned();
    let passed = phone.post("/pass", &[("tap", &shown)]).await.unwrap();
    assert_eq!(passed.location.as_deref(), Some("/online"));
    let told = phone.get("/online").await.unwrap();
    assert!(told.html.contains("可以用微信了"), "{}", told.html);
    assert_eq!(
        probe(store.portal()).await,
        StatusCode::FOUND,
        "a 204 is never faked"
    );
    let apple = phone.get("/hotspot-detect.html").await.unwrap();
    assert!(apple.html.contains("Success"), "{}", apple.html);
    assert_eq!(sessions(&store).await[0]["kind"], "pass");

    let admitted = phone.post("/admit", &[("tap", &shown)]).await.unwrap();
    assert_eq!(admitted.location.as_deref(), Some("/online"));
    assert_eq!(probe(store.portal()).await, StatusCode::NO_CONTENT);
    assert_eq!(sessions(&store).await[0]["kind"], "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_coupon_gets_what_the_policy_promises_them() {
    let dir = tempfile::tempdir().unwrap();
    write_wifi(
        dir.path(),
        "[zone.guest]\nquota_mb = 100\ndown_kbit = 2000\n[zone.guest.coupon]\nquota_mb = 500\n",
    );
    let store = TestStore::alone(dir.path()).await;
    let (mut phone, page) = arrival(store.portal()).await;
    let shown = page.field("tap").unwrap().to_owned();
    phone.post("/admit", &[("tap", &shown)]).await.unwrap();
    let guest = &sessions(&store).await[0];
    assert_eq!(
        (&guest["tier"], &guest["bytes_left"]),
        (&"guest".into(), &100_000_000.into())
    );

    let fields = claim_fields(&page);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let coupon = phone
        .post("/claim", &fields)
        .await
        .unwrap()
        .location
        .unwrap();
    let page = phone.get(&coupon).await.unwrap();
    let shown = page.field("tap").unwrap().to_owned();
    phone.post("/admit", &[("tap", &shown)]).await.unwrap();
    let holder = &sessions(&store).await[0];
    assert_eq!(
        (&holder["tier"], &holder["bytes_left"]),
        (&"coupon".into(), &500_000_000.into())
    );
    assert_eq!(holder["down_limit"], 250_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_follows_the_rules_that_headquarters_changes() {
    const HOUR: u64 = 3600;
    let chain = TestChain::start();
    let store = chain.open_store().await;
    ask_to_be_let_in(store.portal()).await;
    let device = &sessions(&store).await[0]["device"];
    let (device, settings) = (
        device.as_str().unwrap(),
        store.running_settings(&chain.path("")),
    );
    ask(&[
        "sessions",
        "--config",
        &settings,
        "extend",
        device,
        "--minutes",
        "60",
    ]);

    // Under these rules the device has so much time, in hours; whatever else they say is asked for.
    let under = async |rules: &str, hours: u64, also: &dyn Fn(&Value) -> bool| {
        write_wifi(&chain.path(""), &format!("[zone.guest]\n{rules}\n"));
        eventually(rules, async || {
            let session = sessions(&store).await.pop()?;
            let left = session["seconds_left"].as_u64()?;
            let is_so = left <= hours * HOUR && left > hours * HOUR - HOUR / 2;
            (is_so && also(&session)).then_some(())
        })
        .await;
    };
    under("session_minutes = 60", 2, &|session| {
        session["bytes_left"].is_null()
    })
    .await;
    under("quota_mb = 100\ndown_kbit = 2000", 5, &|session| {
        session["bytes_left"] == 100_000_000 && session["down_limit"] == 250_000
    })
    .await;
    under("session_minutes = 6000\ndown_kbit = 8000", 5, &|session| {
        session["bytes_left"].is_null() && session["down_limit"] == 1_000_000
    })
    .await;
    write_wifi(&chain.path(""), "[zone.guest]\naccess = \"local\"\n");
    eventually("a shop that offers no access", async || {
        sessions(&store).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(probe(store.portal()).await, StatusCode::FOUND);
}
