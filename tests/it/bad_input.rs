//! What a gateway does with input that is wrong, too large, too slow or too much.

use axum::http::StatusCode;
use maitred::cli::demo::phone::Phone;
use maitred::ops::tasks::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::memory::own;
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
            ["请向店员要一个新的码", "重新扫描", "这张贴纸还没有启用"]
                .iter()
                .any(|words| page.html.contains(words)),
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

/// What one connection answers to `bytes`, up to where it is closed; nothing where it is closed at once.
async fn raw(store: &TestStore, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(store.portal()).await.unwrap();
    // May be cut short, by a portal that has read enough.
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_every_wrong_kind_are_answered_shortly_and_harm_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let bare = raw(
        &store,
        b"GET /generate_204 HTTP/1.1\r\nhost: connect.rom.miui.com\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(bare.starts_with("HTTP/1.1 302"), "no User-Agent: {bare}");
    let http_1_0 = raw(&store, b"GET /generate_204 HTTP/1.0\r\n\r\n").await;
    assert!(http_1_0.starts_with("HTTP/1.0 302"), "no Host: {http_1_0}");

    let mut long = b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ".to_vec();
    long.resize(64 * 1024, b'a');
    long.extend_from_slice(b"\r\n\r\n");
    let long = raw(&store, &long).await;
    assert!(
        long.is_empty() || long.starts_with("HTTP/1.1 431"),
        "{long}"
    );

    let bomb =
        b"POST /admit HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                 transfer-encoding: chunked\r\n\r\n";
    let mut endless = bomb.to_vec();
    for _ in 0..256 {
        endless.extend_from_slice(b"1000\r\n");
        endless.extend_from_slice(&[b'a'; 0x1000]);
        endless.extend_from_slice(b"\r\n");
    }
    let endless = raw(&store, &endless).await;
    assert!(
        endless.is_empty() || endless.starts_with("HTTP/1.1 303"),
        "{endless}"
    );
    let too_long = [&bomb[..], b"ffffffffffffffff0\r\na"].concat();
    let too_long = raw(&store, &too_long).await;
    assert!(!too_long.contains("HTTP/1.1 5"), "{too_long}");

    for host in [
        "a\r\n b",
        "a\n\nlocation: http://evil.test",
        "a\u{0}b",
        "\u{ff}\u{fe}",
    ] {
        let request = format!("GET /menu HTTP/1.1\r\nconnection: close\r\nhost: {host}\r\n\r\n");
        let answer = raw(&store, request.as_bytes()).await;
        assert!(!answer.contains("evil"), "{answer}");
        let is_short = answer.is_empty()
            || answer.starts_with("HTTP/1.1 400")
            || answer.starts_with("HTTP/1.1 404")
            || answer.contains("location: http://portal.test/\r\n");
        assert!(is_short, "{answer}");
    }
    assert_eq!(
        phone(&store).await.get("/").await.unwrap().status,
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_names_another_device_is_let_in_itself_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let page = phone(&store).await.get("/").await.unwrap();
    let body = format!(
        "tap={}&mac=02:00:00:00:00:01&ip=10.9.9.9",
        page.field("tap").unwrap()
    );
    let request = format!(
        "POST /admit HTTP/1.1\r\nhost: portal.test\r\nx-forwarded-for: 10.9.9.9\r\nforwarded: for=10.9.9.9\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&store, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let listing = store.ops("/api/v1/sessions?devices=1").await;
    // The device that 127.0.0.1 stands for, where no kernel knows a better one.
    assert!(
        listing.contains("\"device\":\"02:04:7f:00:00:01\""),
        "{listing}"
    );
    assert!(listing.contains("\"admitted\":1"), "{listing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_asks_without_end_starves_nobody_and_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let ask_often = async |times: usize| {
        let mut connections = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let portal = store.portal();
            connections.spawn(async move {
                let mut phone = Phone::open(portal, &Tasks::new()).await.unwrap();
                for _ in 0..times / 8 {
                    let answer = phone.get("/generate_204").await.unwrap();
                    assert_eq!(answer.status, StatusCode::FOUND);
                }
            });
        }
        connections.join_all().await;
    };
    ask_often(2_000).await;
    let before = own(&store);
    let other = async {
        let mut slowest = std::time::Duration::ZERO;
        for _ in 0..20 {
            let began = tokio::time::Instant::now();
            let page = phone(&store).await.get("/").await.unwrap();
            assert_eq!(page.status, StatusCode::OK);
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let (slowest, ()) = tokio::join!(other, ask_often(20_000));
    assert!(slowest < std::time::Duration::from_secs(2), "{slowest:?}");
    let grown = own(&store).saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes");
}
