//! The ledger of headquarters, as its operator meets it: in a database of the chain's own, and audited.

use maitred::domain::calendar::business_day;
use maitred::ops::clock::{Clock, SystemClock};

use crate::support::postgres::Private;
use crate::support::{TestChain, claim, run, table};

/// What `maitred hq audit` prints about today, and whether it is content.
fn audit(chain: &TestChain) -> (bool, String) {
    let offset = jiff::tz::Offset::constant(8);
    let day = business_day(offset.to_datetime(SystemClock.now())).to_string();
    let config = chain.path("hq.toml");
    let output = run(&[
        "hq",
        "audit",
        "--config",
        config.to_str().unwrap(),
        "--store",
        "SZ01",
        "--day",
        &day,
    ]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_a_figure_that_somebody_has_changed() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    claim(store.portal(), &table(1)).await;
    claim(store.portal(), &table(2)).await;
    chain.totals_with(2).await;
    let (is_content, said) = audit(&chain);
    assert!(is_content && said.contains("no differences"), "{said}");
    assert!(said.contains("claimed"), "{said}");

    let file = rusqlite::Connection::open(chain.path("hq/ledger.db")).unwrap();
    let changed = file.execute("update figure_hour set claimed = claimed + 1", []);
    assert_eq!(changed.unwrap(), 1);
    file.execute(
        "delete from frame where rowid = (select max(rowid) from frame)",
        [],
    )
    .unwrap();
    let (is_content, said) = audit(&chain);
    assert!(!is_content, "{said}");
    let marked: Vec<_> = said.lines().filter(|line| line.starts_with('!')).collect();
    assert!(marked.iter().any(|line| line.contains("claimed")), "{said}");
    assert!(marked.iter().any(|line| line.contains("mark")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_over_postgresql_loses_nothing_when_the_database_goes_away() {
    let private = Private::start(&["fsync=off"]);
    let server = &private.server;
    let mut chain = TestChain::start_over(Some(server.url("postgres")));
    let store = chain.open_store().await;
    claim(store.portal(), &table(1)).await;
    chain.totals_with(1).await;

    assert!(server.control(&["stop", "--mode=immediate"]));
    claim(store.portal(), &table(2)).await;
    server.start_with(&[]);
    let totals = chain.totals_with(2).await;
    assert_eq!((totals.claims, totals.frames_twice), (2, 0));
    let (is_content, said) = audit(&chain);
    assert!(is_content, "{said}");
    assert!(chain.console_page().await.contains("Claimed"));
    chain.stop_hq();
}
