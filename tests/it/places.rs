//! What each place has brought, as the counter tells it by itself and as headquarters has it.

use axum::http::StatusCode;
use maitred::domain::calendar::business_day;
use maitred::ops::clock::{Clock, SystemClock};

use crate::support::{
    Phone, Sending, Tasks, TestChain, TestStore, Till, ask, claim, eventually, scan, table,
};

/// Seen, claimed, used and back of a place, as the page says.
async fn told(store: &TestStore, till: &Till, label: &str) -> Vec<i64> {
    let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    phone.remember(till.phone.cookies());
    let page = phone.get("/counter/places?lang=en").await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let row = page.between(&format!("<th scope=\"row\">{label}</th><td>"), "</td></tr>");
    let cells = row.unwrap_or_else(|| panic!("no {label} in {}", page.html));
    cells
        .split("</td><td>")
        .map(|cell| cell.parse().unwrap())
        .collect()
}

async fn wait_until_told(store: &TestStore, till: &Till) {
    eventually("what two tables have brought", || async {
        let one = told(store, till, "A01").await;
        let two = told(store, till, "A02").await;
        (one == [1, 1, 1, 0] && two == [1, 0, 0, 0]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_credited_with_what_it_brought_whatever_the_power_does() {
    let mut chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    chain.stop_hq();
    let coupon = claim(store.portal(), &table(1)).await;
    scan(store.portal(), &table(2)).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    wait_until_told(&store, &till).await;

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    wait_until_told(&store, &till).await;
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    wait_until_told(&store, &till).await;

    chain.start_hq();
    store.wait_until_sent().await;
    let offset = jiff::tz::Offset::constant(8);
    let today = business_day(offset.to_datetime(SystemClock.now())).to_string();
    let audit = chain.hq(&["audit", "--store", "SZ01", "--day", &today]);
    assert!(audit.contains("no differences"), "{audit}");
    assert!(
        audit.contains("redeemed") && audit.contains("diners of places"),
        "{audit}"
    );
}

#[test]
fn codes_are_minted_with_what_they_cost_and_old_lists_are_read() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(dir.path());
    let store_dir = dir.path().join("stores/SZ01");
    let file = store_dir.join("touchpoints.csv");
    let before = fs_err::read_to_string(&file).unwrap();
    assert!(before.starts_with("code,kind,label\n"));
    let words = ["qr", "mint", "--store-dir", store_dir.to_str().unwrap()];
    let words = [
        &words[..],
        &[
            "--kind", "creator", "--labels", "Chef Lin", "--cost", "38000",
        ],
    ];
    ask(&words.concat());
    let after = fs_err::read_to_string(&file).unwrap();
    assert!(after.starts_with("code,kind,label,cost_fen\n"), "{after}");
    assert!(
        after.trim_end().ends_with(",creator,Chef Lin,38000"),
        "{after}"
    );
    assert_eq!(after.lines().count(), before.lines().count() + 1);
    ask(&["config", "check", dir.path().to_str().unwrap()]);
}
