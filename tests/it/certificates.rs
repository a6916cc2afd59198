//! Certificates in the life of a box: renewed, run out, revoked, used by two boxes, a token used twice.

use crate::support::{ClockOff, Sending, TestChain, claim, eventually, run, table};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_has_run_for_a_month_is_renewed_by_itself() {
    let mut chain = TestChain::start_on(ClockOff::days(-40));
    chain.enroll_store();
    chain.stop_hq();
    chain.clock = ClockOff::default();
    chain.start_hq();
    let identity = chain.path("store/identity/identity.json");
    let before = fs_err::read(&identity).unwrap();
    let store = chain.start_store(Sending::AtOnce).await;
    eventually("a new certificate", || async {
        (fs_err::read(&identity).unwrap() != before).then_some(())
    })
    .await;
    // The new one is used from now on, and the old one is good for nothing.
    claim(store.portal(), &table(1)).await;
    chain.totals_with(1).await;
    store.process.stop();
    fs_err::write(&identity, before).unwrap();
    let store = chain.start_store(Sending::AtOnce).await;
    store.wait_for_link("cert_bad").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_certificate_ran_out_serves_on_and_enrols_again_with_all_it_has() {
    let mut chain = TestChain::start_on(ClockOff::days(-100));
    chain.open_store().await.process.stop();
    chain.stop_hq();
    chain.clock = ClockOff::default();
    chain.start_hq();

    let store = chain.start_store(Sending::AtOnce).await;
    claim(store.portal(), &table(1)).await;
    store.wait_for_link("cert_bad").await;
    store.process.stop();
    assert_eq!(chain.totals().await.frames, 0);

    chain.enroll_store();
    let _store = chain.start_store(Sending::AtOnce).await;
    let totals = chain.totals_with(1).await;
    assert_eq!((totals.claims, totals.frames_twice), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_box_keeps_its_captures_and_is_not_heard() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    store.wait_for_link("online").await;
    chain.hq(&["revoke", "gw-000001"]);
    claim(store.portal(), &table(1)).await;
    store.wait_for_link("cert_bad").await;
    assert_eq!(chain.totals().await.claims, 0);
    assert!(store.ops("/readyz").await.contains("1 captures wait"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_enrols_one_box() {
    let chain = TestChain::start();
    let token = chain.token(&["--store", "SZ01"]);
    for (state, enrols) in [("one", true), ("two", false)] {
        let arguments = chain.enroll_arguments(&token, state);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let said = run(&arguments);
        let errors = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.success(), enrols, "{errors}");
        assert!(enrols || errors.contains("used"), "{errors}");
    }
}
