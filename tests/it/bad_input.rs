//! What a gateway does with input that is wrong, too large, too slow or too much.

use axum::http::StatusCode;
use maitred::cli::demo::phone::Phone;
use maitred::ops::tasks::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, TestStore, ask_to_be_let_in, claim, run, scan, table};

async fn phone(store: &TestStore) -> Phone {
    Phone::open(store.portal(), &Tasks::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_wrong_unknown_or_unbound_gets_a_kind_page_and_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let mut phone = phone(&store).await;
    let unbound = table(25);
    for code in ["nonsense", "22222222", "%00", "..%2f..%2fetc", &unbound] {
        let page = phone.get(&format!("/t/{code}")).await.unwrap();
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{code}");
        assert!(
            page.html.contains("请向店员要一个新的码") || page.html.contains("重新扫描"),
            "{code}"
        );
    }
    let metrics = store.ops("/metrics").await;
    assert!(metrics.contains("portal_codes_unknown_total"), "{metrics}");
    let journal = store.ops("/api/v1/journal").await;
    assert!(
        journal.contains("\"next_seq\":1"),
        "nothing was written: {journal}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_holes_or_too_much_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let mut phone = phone(&store).await;
    let page = phone.post("/claim", &[("code", "x")]).await.unwrap();
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let large = "x".repeat(100_000);
    let page = phone.post("/claim", &[("code", &large)]).await.unwrap();
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.html.contains("没有保存任何内容"), "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_never_finishes_its_request_is_closed_while_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let mut slow = TcpStream::connect(store.portal()).await.unwrap();
    slow.write_all(b"GET /t/").await.unwrap();
    claim(store.portal(), &table(1)).await;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the slow phone still holds its connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_every_connection() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let mut held = Vec::new();
    for _ in 0..64 {
        let (phone, _) = scan(store.portal(), &table(1)).await;
        held.push(phone);
    }
    let mut refused = TcpStream::connect(store.portal()).await.unwrap();
    // Closed without a word, at once; a reset shows as an error.
    let read = refused.read(&mut [0; 16]).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    held.clear();
    crate::support::eventually("room again", || async {
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.ok()?;
        phone.get(&format!("/t/{}", table(1))).await.ok().map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_metrics_and_errors_carry_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = crate::support::tap(&mut phone, &landing).await;
    let coupon = crate::support::see(&mut phone, &path).await;
    let vid = phone.cookies()["vid"].split('.').next().unwrap().to_owned();
    let id = path.trim_start_matches("/c/").to_owned();
    let metrics = store.ops("/metrics").await;
    let readiness = store.ops("/readyz").await;
    let log = store.process.log();
    for said in [&metrics, &readiness, &log] {
        for secret in [&vid, &id, &coupon.code, &coupon.token] {
            assert!(!said.contains(secret.as_str()), "{secret} stands in {said}");
        }
    }
    assert!(!metrics.contains("127.0.0.1"), "{metrics}");
    assert!(!log.contains("127.0.0.1"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_leaves_the_frames_in_order() {
    use std::sync::Arc;

    use maitred::ops::clock::TestClock;

    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(&dir.path().join("chain"));
    let file = dir.path().join("jump.toml");
    let settings = "state_dir = \"state\"\n[portal]\nlisten = \"127.0.0.1:0\"\n\
                    [ops]\nlisten = \"127.0.0.1:0\"\n[bundle]\ndir = \"chain\"\n";
    fs_err::write(&file, settings).unwrap();
    let environment = maitred::config::overlay::Environment::default();
    let settings = maitred::config::gateway(&file, &environment).unwrap();
    let clock = Arc::new(TestClock::at("2026-12-01T15:00:00+08:00".parse().unwrap()));
    let shop_time = maitred::cli::gateway::ShopTime::Given(clock.clone());
    let gateway = maitred::cli::gateway::Gateway::start(settings, shop_time)
        .await
        .unwrap();
    claim(gateway.portal, &table(1)).await;
    clock.set("1970-01-01T00:00:00Z".parse().unwrap());
    // In 1970 no campaign is open, and the page says so instead of failing.
    let (_, landing) = scan(gateway.portal, &table(2)).await;
    assert!(landing.field("tap").is_none(), "{}", landing.html);
    clock.set("2026-12-01T09:00:00+08:00".parse().unwrap());
    claim(gateway.portal, &table(3)).await;
    gateway.stop().await.unwrap();

    let state = dir.path().join("state");
    let export = run(&["journal", "--state", state.to_str().unwrap(), "export"]);
    let export = String::from_utf8(export.stdout).unwrap();
    let p0: Vec<serde_json::Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|frame: &serde_json::Value| frame["spool"] == "p0")
        .collect();
    let order: Vec<_> = p0
        .iter()
        .map(|frame| frame["s"].as_u64().unwrap())
        .collect();
    assert_eq!(order, [1, 2]);
    let wall = |n: usize| p0[n]["body"]["w"].as_i64().unwrap();
    assert!(wall(1) < wall(0), "the clock did jump back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_comes_gives_its_place_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let mut slow = TcpStream::connect(store.portal()).await.unwrap();
    let head = "POST /claim HTTP/1.1\r\nhost: x\r\n\
                content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, slow.read_exact(&mut answer)).await;
    read.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_front_page_leads_to_the_portals_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let front_page = async |host: &str| {
        let mut stream = TcpStream::connect(store.portal()).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let walled = front_page("neverssl.com").await;
    assert!(walled.starts_with("HTTP/1.1 302"), "{walled}");
    assert!(walled.contains("location: http://portal.test/"), "{walled}");
    assert!(front_page("portal.test").await.starts_with("HTTP/1.1 200"));

    ask_to_be_let_in(store.portal()).await;
    assert!(front_page("captive.apple.com").await.contains("Success"));
}
