//! The counter's figures of the day: the same as headquarters', without headquarters, after any power cut.

use axum::http::StatusCode;
use maitred::ops::clock::{Clock, SystemClock};

use crate::support::{
    ClockOff, Sending, TestChain, TestStore, Till, Told, claim, claim_fields, counter_page,
    eventually, headquarters_tells, scan, see, table, tap, told,
};

fn today(figures: [(&str, i64); 5]) -> Told {
    figures
        .map(|(label, today)| (label.to_owned(), (today, 0)))
        .into()
}

async fn wait_until_told(store: &TestStore, till: &Till, figures: &Told) {
    eventually("the figures", || async {
        (told(&counter_page(store, till).await) == *figures).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counter_tells_the_day_offline_and_a_power_cut_takes_nothing_from_it() {
    let mut chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let page = counter_page(&store, &till).await;
    assert!(page.contains("Nothing yet today"), "{page}");
    assert_eq!(told(&page), Told::new());

    chain.stop_hq();
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = tap(&mut phone, &landing).await;
    let coupon = see(&mut phone, &path).await;
    let consent = format!("{path}/consent");
    phone.post(&consent, &[("marketing", "yes")]).await.unwrap();
    claim(store.portal(), &table(2)).await;
    scan(store.portal(), &table(3)).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    let again = till.redeem(&coupon.code).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let figures = today([
        ("Pages opened", 3),
        ("Coupons claimed", 2),
        ("Coupons redeemed", 1),
        ("Agreed to messages", 1),
        ("Refused at the till", 1),
    ]);
    wait_until_told(&store, &till, &figures).await;
    let page = counter_page(&store, &till).await;
    assert!(!page.contains("Nothing yet today"), "{page}");

    // A checkpoint that was made in order, and then a plug that is pulled.
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    assert_eq!(told(&counter_page(&store, &till).await), figures);
    claim(store.portal(), &table(4)).await;
    let figures = today([
        ("Pages opened", 4),
        ("Coupons claimed", 3),
        ("Coupons redeemed", 1),
        ("Agreed to messages", 1),
        ("Refused at the till", 1),
    ]);
    wait_until_told(&store, &till, &figures).await;
    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    assert_eq!(told(&counter_page(&store, &till).await), figures);

    chain.start_hq();
    eventually("the same figures at headquarters", || async {
        let of_hq = headquarters_tells(&chain, SystemClock.now()).await;
        (of_hq == figures).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_day_begins_empty_with_the_day_before_beside_it() {
    let mut chain = TestChain::start_on(ClockOff::days(-2));
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let till = Till::open(&store, &pin).await;
    claim(store.portal(), &table(1)).await;
    wait_for_coupons(&store, &till, (1, 0)).await;
    store.process.kill();

    let (store, till) = a_day_later(&mut chain, -1, &pin).await;
    wait_for_coupons(&store, &till, (0, 1)).await;
    let page = counter_page(&store, &till).await;
    assert!(page.contains("Nothing yet today"), "{page}");
    claim(store.portal(), &table(1)).await;
    claim(store.portal(), &table(2)).await;
    wait_for_coupons(&store, &till, (2, 1)).await;
    store.process.stop();

    let (store, till) = a_day_later(&mut chain, 0, &pin).await;
    wait_for_coupons(&store, &till, (0, 2)).await;
}

async fn wait_for_coupons(store: &TestStore, till: &Till, today_and_yesterday: (i64, i64)) {
    eventually("the coupons of both days", || async {
        let told = told(&counter_page(store, till).await);
        (told.get("Coupons claimed") == Some(&today_and_yesterday)).then_some(())
    })
    .await;
}

/// A box knows for the whole of a boot what time it is: without its note of that it asks again.
async fn a_day_later(chain: &mut TestChain, days: i64, pin: &str) -> (TestStore, Till) {
    chain.stop_hq();
    chain.clock = ClockOff::days(days);
    chain.start_hq();
    fs_err::remove_file(chain.path("store/clock.json")).unwrap();
    let store = chain.start_store(Sending::AtOnce).await;
    let till = Till::open(&store, pin).await;
    (store, till)
}

async fn say(till: &mut Till, form: &str, field: (&str, &str)) -> StatusCode {
    let fields = [("campaign", "quiet-hours"), field];
    let path = format!("/counter/{form}");
    till.phone.post(&path, &fields).await.unwrap().status
}

/// Whether a guest at table 3 is offered something.
async fn is_offered(store: &TestStore) -> bool {
    let (_, landing) = scan(store.portal(), &table(3)).await;
    landing.field("campaign").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_staff_say_is_sold_out_is_offered_nowhere_until_they_take_it_back() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let (mut phone, seen_before) = scan(store.portal(), &table(1)).await;

    let done = StatusCode::SEE_OTHER;
    assert_eq!(say(&mut till, "stock", ("left", "0")).await, done);
    assert!(!is_offered(&store).await);
    let fields = claim_fields(&seen_before);
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let late = phone.post("/claim", &fields).await.unwrap();
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.html);
    let page = till.phone.get("/counter?lang=en").await.unwrap();
    assert!(page.html.contains("Sold out for today"), "{}", page.html);

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    assert!(!is_offered(&store).await, "after a power cut");
    let mut till = Till::open(&store, &pin).await;
    assert_eq!(say(&mut till, "stock", ("left", "")).await, done);
    assert!(is_offered(&store).await);

    assert_eq!(say(&mut till, "stock", ("left", "1")).await, done);
    let (_, last) = scan(store.portal(), &table(3)).await;
    assert!(last.html.contains("今天还剩 1 份"), "{}", last.html);
    claim(store.portal(), &table(2)).await;
    assert!(!is_offered(&store).await, "the last one was given out");
    assert_eq!(say(&mut till, "stock", ("left", "")).await, done);
    assert_eq!(say(&mut till, "switch", ("on", "false")).await, done);
    assert!(!is_offered(&store).await, "stopped");
    assert_eq!(say(&mut till, "switch", ("on", "true")).await, done);
    assert!(is_offered(&store).await);

    for nonsense in ["-1", "10000", "many"] {
        let refused = say(&mut till, "stock", ("left", nonsense)).await;
        assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY, "{nonsense}");
    }
    let stranger = [("campaign", "quiet-hours"), ("left", "0")];
    let (mut guest, _) = scan(store.portal(), &table(1)).await;
    guest.post("/counter/stock", &stranger).await.unwrap();
    assert!(
        is_offered(&store).await,
        "a guest says nothing at the counter"
    );
    // Headquarters reads all of it.
    store.wait_until_sent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_counted_by_hand_never_below_none_and_right_after_a_power_cut() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let page = counter_page(&store, &till).await;
    assert!(page.contains("0.0 redemptions an hour"), "{page}");
    assert!(page.contains("Nothing has been redeemed today"), "{page}");

    let coupon = claim(store.portal(), &table(1)).await;
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    let page = counter_page(&store, &till).await;
    let field = |name: &str| {
        let covers = page.split_once("/counter/covers").unwrap().1;
        let (_, rest) = covers
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (day, half) = (field("day"), field("half"));
    let count = async |till: &mut Till, seen: &str, by: &str| {
        let fields = [
            ("day", day.as_str()),
            ("half", &half),
            ("seen", seen),
            ("by", by),
        ];
        till.phone
            .post("/counter/covers", &fields)
            .await
            .unwrap()
            .status
    };
    // The second is the first once more, from a network that lost the answer.
    for (seen, by) in [
        ("0", "1"),
        ("0", "1"),
        ("1", "1"),
        ("2", "1"),
        ("3", "-1"),
        ("2", "-3"),
    ] {
        assert_eq!(count(&mut till, seen, by).await, StatusCode::SEE_OTHER);
    }
    assert_eq!(
        count(&mut till, "2", "9999").await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let counted = " redemptions, 2 guests";
    let page = counter_page(&store, &till).await;
    assert!(page.contains(counted), "{page}");
    let last = page.split_once("Last redemptions").unwrap().1;
    assert!(
        last.contains("cucumber") && last.contains("/till/undo"),
        "{last}"
    );

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    assert!(counter_page(&store, &till).await.contains(counted));
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    assert!(counter_page(&store, &till).await.contains(counted));
    store.wait_until_sent().await;
    assert_eq!(chain.totals_with(1).await.quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paper_slip_is_a_coupon_like_any_other_with_every_limit_of_the_table() {
    let chain = TestChain::start();
    let campaign = chain.path("chain/campaigns/quiet-hours.toml");
    let text = fs_err::read_to_string(&campaign).unwrap();
    let two = text.replace("per_table_per_day = 1000000", "per_table_per_day = 2");
    fs_err::write(&campaign, two).unwrap();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let issue = async |till: &mut Till, tap: &str| {
        let table = table(1);
        let fields = [
            ("code", table.as_str()),
            ("campaign", "quiet-hours"),
            ("tap", tap),
        ];
        till.phone.post("/counter/slip", &fields).await.unwrap()
    };
    let asked = till.phone.get("/counter/slip?lang=en").await.unwrap();
    assert!(
        asked
            .html
            .contains("<option value=\"quiet-hours\">cucumber"),
        "{}",
        asked.html
    );
    let tap = asked.field("tap").unwrap().to_owned();
    let issued = issue(&mut till, &tap).await;
    assert_eq!(issued.status, StatusCode::SEE_OTHER, "{}", issued.html);
    let again = issue(&mut till, &tap).await;
    assert_eq!(
        again.location, issued.location,
        "the same form is the same slip"
    );

    let slip = till.phone.get(&issued.location.unwrap()).await.unwrap();
    assert!(slip.html.contains("@page{size:58mm auto"), "{}", slip.html);
    assert!(slip.html.contains("<svg"), "with its QR: {}", slip.html);
    let code = slip.between("<p class=\"code\">", "<").unwrap().to_owned();
    assert_eq!(till.redeem(&code).await.status, StatusCode::OK);

    let next = till.phone.get("/counter/slip").await.unwrap();
    let tap = next.field("tap").unwrap().to_owned();
    assert_eq!(issue(&mut till, &tap).await.status, StatusCode::SEE_OTHER);
    let next = till.phone.get("/counter/slip").await.unwrap();
    let tap = next.field("tap").unwrap().to_owned();
    let refused = issue(&mut till, &tap).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.html.contains("share of this table is used up"),
        "{}",
        refused.html
    );

    let (mut guest, _) = scan(store.portal(), &table(2)).await;
    let stranger = guest.get("/counter/slip").await.unwrap();
    assert_eq!(stranger.location.as_deref(), Some("/till"));
    store.wait_until_sent().await;
    let totals = chain.totals_with(2).await;
    assert_eq!((totals.quarantined, totals.claims), (0, 2));
}
