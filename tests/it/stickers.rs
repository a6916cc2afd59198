//! Blank stickers that staff bind by scanning them, and the walk past all stickers of a shop.

use axum::http::StatusCode;

use crate::support::{
    Phone, Sending, Tasks, TestChain, TestStore, Till, claim, counter_page, eventually, scan,
    table, told,
};

/// Two stickers of SZ01 without a place.
const BLANK: &str = "C6ACKWGQ";
const OTHER_BLANK: &str = "6K3FJV9X";

/// What a guest's phone sees of a code.
async fn guest_sees(store: &TestStore, code: &str) -> (StatusCode, String) {
    let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    let page = phone.get(&format!("/t/{code}?lang=en")).await.unwrap();
    (page.status, page.html)
}

/// A till that speaks English.
async fn till(store: &TestStore, pin: &str) -> Till {
    let mut till = Till::open(store, pin).await;
    till.phone.get("/counter?lang=en").await.unwrap();
    till
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_sticker_is_bound_offline_and_works_everywhere_after_a_power_cut() {
    let mut chain = TestChain::start();
    let pin = chain.add_staff();
    let street = chain.open_street().await;
    let store = chain.open_store().await;
    let mut till = till(&store, &pin).await;
    chain.stop_hq();
    assert_eq!(guest_sees(&store, BLANK).await.0, StatusCode::NOT_FOUND);

    let form = till.phone.get(&format!("/t/{BLANK}")).await.unwrap();
    assert_eq!(form.status, StatusCode::OK, "{}", form.html);
    assert!(
        form.html.contains("name=\"pick\" value=\"A22\""),
        "{}",
        form.html
    );
    let place = format!("/counter/stickers/{BLANK}");
    let bound = till
        .phone
        .post(&place, &[("kind", "table"), ("pick", "A22")])
        .await
        .unwrap();
    assert_eq!(bound.status, StatusCode::SEE_OTHER, "{}", bound.html);
    let (status, page) = guest_sees(&store, BLANK).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("A22"), "{page}");

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    claim(store.portal(), BLANK).await;
    assert_eq!(guest_sees(&street, BLANK).await.0, StatusCode::NOT_FOUND);

    chain.start_hq();
    eventually("the sticker on the street", || async {
        (guest_sees(&street, BLANK).await.0 == StatusCode::OK).then_some(())
    })
    .await;
    chain.enroll_store_in("second");
    let second = chain.start_store_in("second", Sending::AtOnce).await;
    let (_, landing) = scan(second.portal(), BLANK).await;
    assert!(
        landing.html.contains("A22"),
        "the store's bundle: {}",
        landing.html
    );

    // Taken off at the box that put it up, it leads nowhere again, at both.
    till = self::till(&store, &pin).await;
    till.phone
        .post(&format!("{place}/free"), &[])
        .await
        .unwrap();
    assert_eq!(guest_sees(&store, BLANK).await.0, StatusCode::NOT_FOUND);
    eventually("the other box to hear of it", || async {
        (guest_sees(&second, BLANK).await.0 == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headquarters_sees_who_bound_a_sticker_and_says_otherwise() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = till(&store, &pin).await;
    let place = format!("/counter/stickers/{BLANK}");
    till.phone
        .post(&place, &[("kind", "table"), ("label", "Roof 1")])
        .await
        .unwrap();
    eventually("the word at headquarters", || async {
        let said = chain.hq(&["stickers", "list", "--store", "SZ01"]);
        said.contains(&format!("{BLANK}  table Roof 1, by lin at gw-"))
            .then_some(())
    })
    .await;
    chain.hq(&[
        "stickers",
        "bind",
        "--store",
        "SZ01",
        BLANK,
        "--kind",
        "door",
        "--label",
        "Roof door",
    ]);
    eventually("the operator's word in the shop", || async {
        guest_sees(&store, BLANK)
            .await
            .1
            .contains("Roof door")
            .then_some(())
    })
    .await;
    chain.hq(&["stickers", "release", "--store", "SZ01", BLANK]);
    eventually("the folder's word in the shop", || async {
        (guest_sees(&store, BLANK).await.0 == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    let refused = chain.try_hq(&["stickers", "release", "--store", "SZ01", "22222222"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has no sticker 22222222"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_taken_is_asked_about_and_the_old_sticker_can_give_way() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = till(&store, &pin).await;
    let place = format!("/counter/stickers/{BLANK}");
    let wish = [("kind", "table"), ("label", " A01 ")];
    let taken = till.phone.post(&place, &wish).await.unwrap();
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(
        taken.html.contains("A01 has another sticker already"),
        "{}",
        taken.html
    );
    assert_eq!(guest_sees(&store, BLANK).await.0, StatusCode::NOT_FOUND);

    let wish = [("kind", "table"), ("label", "A01"), ("others", "giveway")];
    let bound = till.phone.post(&place, &wish).await.unwrap();
    assert_eq!(bound.status, StatusCode::SEE_OTHER, "{}", bound.html);
    assert_eq!(guest_sees(&store, BLANK).await.0, StatusCode::OK);
    assert_eq!(guest_sees(&store, &table(1)).await.0, StatusCode::NOT_FOUND);

    let bad = [("kind", "table"), ("label", "a name that is too long")];
    let refused = till.phone.post(&place, &bad).await.unwrap();
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.html.contains("Nothing was changed"),
        "{}",
        refused.html
    );

    let mut stranger = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    let refused = stranger.post(&place, &wish).await.unwrap();
    assert_eq!(
        refused.location.as_deref(),
        Some("/till"),
        "nobody is signed in"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_finds_what_is_missing_wrong_and_doubled_and_is_no_visit() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = till(&store, &pin).await;
    let double = [("kind", "table"), ("label", "A01"), ("others", "stay")];
    let place = format!("/counter/stickers/{BLANK}");
    till.phone.post(&place, &double).await.unwrap();
    till.phone.post("/counter/walk/begin", &[]).await.unwrap();

    // 21 tables, the door and the till.
    for (code, says) in [
        (table(1).as_str(), "✓ A01"),
        (BLANK, "Another sticker leads to A01"),
        (&table(2), "2 of 23"),
        (&table(2), "scanned before"),
        ("22222222", "This shop does not know it"),
        (OTHER_BLANK, "It marks no place yet"),
        ("no-code", "✗ nocode"),
    ] {
        let seen = till.phone.get(&format!("/t/{code}")).await.unwrap();
        assert_eq!(seen.status, StatusCode::OK);
        assert!(seen.html.contains(says), "{code}: {}", seen.html);
    }
    let list = till.phone.get("/counter/walk").await.unwrap().html;
    for says in [
        "2 of 23",
        "Wrong stickers (3)",
        "Two codes for one place (1)",
        "Not scanned yet (21)",
    ] {
        assert!(list.contains(says), "{says}: {list}");
    }
    till.phone.post("/counter/walk/finish", &[]).await.unwrap();
    let list = till.phone.get("/counter/walk").await.unwrap().html;
    assert!(list.contains("finished and written down"), "{list}");
    let landing = till.phone.get(&format!("/t/{}", table(3))).await.unwrap();
    assert!(
        landing.html.contains("name=\"tap\""),
        "a guest's page again: {}",
        landing.html
    );

    let figures = eventually("the one page that was a guest's", || async {
        let told = told(&counter_page(&store, &till).await);
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(figures["Pages opened"], (1, 0));
    eventually("the walk at headquarters", || async {
        let walks = chain.walks().await;
        let found = &walks.first()?.found;
        assert_eq!((found.places, found.found, found.missing), (23, 2, 21));
        assert_eq!((found.wrong, found.doubled), (3, 1));
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counter_prints_what_is_chosen() {
    let logo = include_bytes!("../../deploy/demo/chain/logo.png");
    let chain = TestChain::start_edited(|dir| {
        fs_err::write(dir.join("logo.png"), logo).unwrap();
    });
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = till(&store, &pin).await;
    let form = till.phone.get("/counter/sheets").await.unwrap();
    assert!(form.html.contains("Show the sheet"), "{}", form.html);
    let print = "/counter/sheets/print?layout=a4-3x8";
    let sheet = till
        .phone
        .get(&format!("{print}&which=meant&from=A02&to=A10"))
        .await
        .unwrap();
    assert_eq!(sheet.status, StatusCode::OK);
    assert_eq!(sheet.html.matches("role=\"img\"").count(), 9);
    let logos = sheet.html.matches("data:image/png;base64,").count();
    assert_eq!(logos, 9, "each code has the shop's logo in its middle");
    let blank = till
        .phone
        .get(&format!("{print}&which=blank"))
        .await
        .unwrap();
    assert_eq!(blank.html.matches("role=\"img\"").count(), 2);
    let none = till
        .phone
        .get(&format!("{print}&which=creator"))
        .await
        .unwrap();
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.html.contains("No code is chosen"), "{}", none.html);

    let mut stranger = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    let refused = stranger.get("/counter/sheets").await.unwrap();
    assert_eq!(refused.location.as_deref(), Some("/till"));
}
