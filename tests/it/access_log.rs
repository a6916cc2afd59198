//! Where the law wants it, headquarters can say which device was on the Wi-Fi and when; nobody else can, and only
//! with a line in the audit.

use axum::http::StatusCode;

use crate::support::{TestChain, ask, ask_to_be_let_in, bytes_below, eventually};

const DEVICE: &str = "device=02:04:7f:00:00:01 address=127.0.0.1 zone=";

/// The days in UTC that a test may run in.
fn days() -> [String; 2] {
    let now = maitred::ops::clock::Clock::now(&maitred::ops::clock::SystemClock);
    let day = |hours: i64| {
        let at = now + jiff::SignedDuration::from_hours(hours);
        at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
    };
    [day(0), day(24)]
}

fn open(chain: &TestChain) -> String {
    let read = |day: &String| chain.hq(&["access-log", "open", "--store", "SZ01", "--day", day]);
    days().iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_to_keeps_a_log_that_only_headquarters_can_read() {
    let chain = TestChain::start_edited(|folder| {
        let file = folder.join("stores/SZ01/store.toml");
        let text = fs_err::read_to_string(&file).unwrap();
        let text = text.replace("seats = 64", "seats = 64\naccess_log = true");
        fs_err::write(file, text).unwrap();
    });
    let store = chain.open_store().await;
    let let_in = ask_to_be_let_in(store.portal()).await;
    assert_eq!(let_in.status, StatusCode::SEE_OTHER);
    let said = eventually("the entry at headquarters", || async {
        let said = open(&chain);
        said.contains("began").then_some(said)
    })
    .await;
    assert!(said.contains(DEVICE), "{said}");
    let settings = store.running_settings(&chain.path("."));
    ask(&[
        "sessions",
        "--config",
        &settings,
        "revoke",
        "02:04:7f:00:00:01",
    ]);
    eventually("the end of it", || async {
        open(&chain)
            .contains("ended device=02:04:7f:00:00:01")
            .then_some(())
    })
    .await;

    // On the box and in the frames that headquarters keeps there is nothing to read.
    store.wait_until_sent().await;
    store.process.stop();
    let ledger = maitred::hq::db::open(&maitred::hq::db::Place::Folder(chain.path("hq"))).await;
    let audit = ledger.unwrap().audit(100).await.unwrap();
    let opened = audit
        .iter()
        .filter(|entry| entry.action == "access_log_opened");
    assert!(opened.count() >= 2, "each look is written down");
    assert_eq!(chain.totals().await.quarantined, 0);
    for dir in ["store", "hq"] {
        let files = bytes_below(&chain.path(dir));
        assert!(files.len() > 5, "there is something to look at");
        for (name, bytes) in files {
            // The wall's own file of who is in, which stays on the box and goes with the session.
            let holds = bytes.windows(17).any(|at| at == b"02:04:7f:00:00:01");
            assert!(!holds || name.contains("sessions"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_not_told_to_logs_nobody() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    ask_to_be_let_in(store.portal()).await;
    store.wait_until_sent().await;
    assert!(!open(&chain).contains("device="));
}
