//! A guest brings a friend: from the code on one phone to the gift on it, over the till, a mistake, and a power cut.
//! And a table's guests gather for one coupon.

use std::net::Ipv4Addr;
use std::path::Path;

use axum::http::StatusCode;

use crate::support::{Phone, Sending, Tasks, TestChain, TestStore, Till, see, table, tap};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/demo/chain");

/// The demo's gifts for more than one, today.
fn give_to_friends(chain: &Path) {
    for name in ["first-visit", "brought-a-friend", "table-of-three"] {
        let file = format!("campaigns/{name}.toml");
        let text = fs_err::read_to_string(Path::new(DEMO).join(&file)).unwrap();
        let text = text.replace("ends = 2025-12-31", "ends = 2099-12-31");
        fs_err::write(chain.join(&file), text).unwrap();
    }
    let demos = fs_err::read_to_string(Path::new(DEMO).join("chain.toml")).unwrap();
    let referral = demos.split_once("[referral]").unwrap().1;
    let file = chain.join("chain.toml");
    let own = fs_err::read_to_string(&file).unwrap();
    fs_err::write(file, format!("{own}\n[referral]{referral}")).unwrap();
}

/// The `n`th phone: a device of its own.
async fn phone(store: &TestStore, n: u8) -> Phone {
    let from = Ipv4Addr::new(127, 0, 1, n);
    let opened = Phone::open_from(from, store.portal(), &Tasks::new()).await;
    opened.unwrap()
}

/// Claims what the table's page offers; the path of the coupon.
async fn claim(phone: &mut Phone) -> String {
    let landing = phone.get(&format!("/t/{}", table(1))).await.unwrap();
    tap(phone, &landing).await
}

/// Shows a guest's code; its path.
async fn show(phone: &mut Phone) -> String {
    let made = phone.post("/r?lang=en", &[]).await.unwrap();
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    let page = phone.get("/r?lang=en").await.unwrap();
    let code = page.between("<p class=\"code\"", "</p>").unwrap();
    format!("/r/{}", code.rsplit('>').next().unwrap())
}

async fn reads(phone: &mut Phone, path: &str) -> String {
    phone.get(&format!("{path}?lang=en")).await.unwrap().html
}

/// What the slip of the latest redemption undoes.
async fn undo(till: &mut Till) {
    let page = till.phone.get("/till").await.unwrap();
    let slip = page.html.split_once("action=\"/till/undo\"").unwrap().1;
    let redemption = slip.split_once("value=\"").unwrap().1;
    let fields = [("redemption", redemption.split_once('"').unwrap().0)];
    let undone = till.phone.post("/till/undo", &fields).await.unwrap();
    assert_eq!(undone.status, StatusCode::OK, "{}", undone.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_have_their_gift_once_the_friend_has_come_and_neither_otherwise() {
    let chain = TestChain::start_edited(give_to_friends);
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;

    // Who has used nothing here brings nobody.
    let mut friend = phone(&store, 2).await;
    claim(&mut friend).await;
    friend.post("/r?lang=en", &[]).await.unwrap();
    assert!(
        reads(&mut friend, "/r")
            .await
            .contains("as soon as you have used a coupon")
    );

    let mut bringer = phone(&store, 1).await;
    let path = claim(&mut bringer).await;
    let used = see(&mut bringer, &path).await;
    assert_eq!(till.redeem(&used.code).await.status, StatusCode::OK);
    let code = show(&mut bringer).await;
    assert!(reads(&mut bringer, &code).await.contains("It is your own"));
    let mut same_phone = phone(&store, 1).await;
    assert!(
        reads(&mut same_phone, &code)
            .await
            .contains("It is your own"),
        "another browser"
    );

    // The friend tapped the table's code first: it is their first visit all the same.
    let page = friend.get(&format!("{code}?lang=en")).await.unwrap();
    assert!(page.html.contains("plum juice"), "{}", page.html);
    let shown = page.field("tap").unwrap().to_owned();
    let taken = friend.post(&code, &[("tap", &shown)]).await.unwrap();
    let path = taken.location.unwrap();
    let again = friend.post(&code, &[("tap", &shown)]).await.unwrap();
    assert_eq!(again.location.as_deref(), Some(&*path), "a double tap");
    assert!(
        !reads(&mut bringer, "/me").await.contains("beef shank"),
        "nobody has come yet"
    );

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut till = Till::open(&store, &pin).await;
    let (cookies, theirs) = (bringer.cookies(), friend.cookies());
    let (mut bringer, mut friend) = (phone(&store, 1).await, phone(&store, 2).await);
    bringer.remember(cookies);
    friend.remember(theirs);
    let gift = see(&mut friend, &path).await;
    assert_eq!(till.redeem(&gift.code).await.status, StatusCode::OK);
    let mine = reads(&mut bringer, "/me").await;
    assert!(
        mine.contains("braised beef shank") && !mine.contains("withdrawn"),
        "{mine}"
    );
    assert!(reads(&mut bringer, "/r").await.contains("1 of 5 friends"));

    // It was a mistake: the gift goes with it, and comes with the next time, once.
    undo(&mut till).await;
    let mine = reads(&mut bringer, "/me").await;
    assert_eq!(mine.matches("braised beef shank").count(), 1, "{mine}");
    assert_eq!(till.redeem(&gift.code).await.status, StatusCode::OK);
    let mine = reads(&mut bringer, "/me").await;
    assert_eq!(mine.matches("braised beef shank").count(), 2, "{mine}");
    assert_eq!(mine.matches("/c/").count(), 3, "{mine}");

    // Nobody is brought twice, or brings who brought them, or who was here before.
    assert!(
        reads(&mut friend, &code).await.is_empty(),
        "led to the gift they have"
    );
    let back = show(&mut friend).await;
    assert!(
        reads(&mut bringer, &back)
            .await
            .contains("for a first visit")
    );
    let held = bringer.get("/me/export").await.unwrap().html;
    assert!(held.contains("\"referrals\":[\""), "{held}");

    // Whoever is forgotten has no code any more.
    bringer
        .post("/me/erase", &[("coupons", "keep")])
        .await
        .unwrap();
    let stranger = phone(&store, 3).await.get(&code).await.unwrap();
    assert_eq!(stranger.status, StatusCode::NOT_FOUND, "{}", stranger.html);
}

/// Says that they are at the table; where that leads.
async fn sit(phone: &mut Phone) -> String {
    let path = format!("/t/{}/table", table(1));
    let page = phone.get(&path).await.unwrap();
    let shown = page.field("tap").unwrap().to_owned();
    let fields = [("tap", shown.as_str())];
    let answer = phone.post(&path, &fields).await.unwrap();
    let again = phone.post(&path, &fields).await.unwrap();
    assert_eq!(again.location, answer.location, "a double tap");
    answer.location.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_phones_at_a_table_have_one_coupon_and_one_phone_has_none() {
    let chain = TestChain::start_edited(give_to_friends);
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let page = format!("/t/{}/table", table(1));

    let mut one = phone(&store, 1).await;
    let landing = reads(&mut one, &format!("/t/{}", table(1))).await;
    assert!(landing.contains(&format!("href=\"{page}")), "{landing}");
    assert_eq!(sit(&mut one).await, page);
    // The same phone in two more browsers is still one.
    for _ in 0..2 {
        let mut other_browser = phone(&store, 1).await;
        assert!(
            reads(&mut other_browser, &page)
                .await
                .contains("You are counted")
        );
    }
    assert!(reads(&mut one, &page).await.contains("1 of 3 are here"));
    let mut two = phone(&store, 2).await;
    assert_eq!(sit(&mut two).await, page);
    let mut three = phone(&store, 3).await;
    assert!(reads(&mut three, &page).await.contains("2 of 3 are here"));
    let coupon = sit(&mut three).await;
    assert!(coupon.starts_with("/c/"), "{coupon}");

    // One coupon for all of them; whoever comes later, or sits down elsewhere, has no other.
    for guest in [&mut one, &mut two] {
        let shown = reads(guest, &page).await;
        assert!(shown.contains(&format!("href=\"{coupon}")), "{shown}");
    }
    let mut four = phone(&store, 4).await;
    assert!(reads(&mut four, &page).await.contains("has had its gift"));
    let elsewhere = format!("/t/{}/table", table(2));
    assert!(
        reads(&mut two, &elsewhere)
            .await
            .contains("your part of a table")
    );
    let mut till = Till::open(&store, &pin).await;
    let seen = see(&mut two, &coupon).await;
    assert_eq!(till.redeem(&seen.code).await.status, StatusCode::OK);
}
