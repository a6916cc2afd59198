//! A guest becomes a VIP by coming, is one at every till and table of the shop, and is one no more by a manager.

use axum::http::StatusCode;

use crate::support::{Sending, TestChain, TestStore, Till, eventually, scan, see, table, tap};

const RULES: &str = "visits = 1\nspend_fen = 100000\n";

const FOR_VIPS: &str = r#"
id = "for-vips"
title = { zh = "VIP 专享", en = "For our VIPs" }
terms = { zh = "堂食一桌一份，不与其他优惠同享，不兑现；有疑问请问店员。", en = "One per table, dine in; not with other offers, no cash value; questions: ask our staff." }
starts = 2020-01-01
ends = 2099-12-31
stores = ["SZ01"]
touchpoints = ["table", "wifi", "door"]
audience = "vip"
[offer]
kind = "item"
item = { zh = "牛肉", en = "beef" }
quantity = 250
unit = "g"
cost_fen = 900
[[window]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
"#;

/// A chain with a rule that one visit meets, an offer for VIPs, and somebody at the till.
fn chain() -> (TestChain, String, String) {
    let chain = TestChain::start_edited(|path| {
        fs_err::write(path.join("members.toml"), RULES).unwrap();
        fs_err::write(path.join("campaigns/for-vips.toml"), FOR_VIPS).unwrap();
    });
    let pin = chain.add_staff();
    let words = [
        "staff",
        "add",
        "--store",
        "SZ01",
        "--name",
        "boss",
        "--manager",
    ];
    let said = chain.hq(&words);
    let boss = said.lines().next().unwrap().strip_prefix("PIN: ").unwrap();
    (chain, pin, boss.to_owned())
}

/// What stands on a page's card as its code.
fn code_of(html: &str) -> String {
    let (_, rest) = html
        .split_once("<p class=\"code\"")
        .expect("a card has a code");
    let (code, _) = rest.split_once("</p>").unwrap();
    code.rsplit('>').next().unwrap().to_owned()
}

async fn at_the_counter(till: &mut Till, code: &str) -> String {
    let path = format!("/counter/guest?lang=en&code={code}");
    till.phone.get(&path).await.unwrap().html
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_came_is_a_vip_whom_the_table_the_card_and_the_till_know() {
    let (chain, pin, boss) = chain();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    assert!(!landing.html.contains("牛肉 250"), "{}", landing.html);
    let path = tap(&mut phone, &landing).await;
    let before = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(before.contains("1 more visit with a coupon"), "{before}");
    assert!(before.contains("¥1000.00 more on bills"), "{before}");
    assert!(
        before.contains("250 g of beef"),
        "what it would give: {before}"
    );
    assert!(!before.contains("class=\"code\""), "no card yet: {before}");

    let coupon = see(&mut phone, &path).await;
    let mut till = Till::open(&store, &pin).await;
    let green = till.redeem(&coupon.code).await;
    assert!(
        green.html.contains("<strong>VIP</strong>"),
        "{}",
        green.html
    );
    let page = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(page.contains("<h1 class=\"gift\">VIP</h1>"), "{page}");
    assert!(
        page.contains("<svg") && !page.contains("more visit"),
        "{page}"
    );
    let card = code_of(&page);
    let offered = phone
        .get(&format!("/t/{}?lang=en", table(2)))
        .await
        .unwrap();
    assert!(offered.html.contains("250 g of beef"), "{}", offered.html);
    let held = phone.cookies();

    // A stranger neither sees the offer nor gets it by making up the form.
    let (mut stranger, landing) = scan(store.portal(), &table(2)).await;
    let (code, shown) = (table(2), landing.field("tap").unwrap().to_owned());
    let made_up = [
        ("code", code.as_str()),
        ("campaign", "for-vips"),
        ("tap", shown.as_str()),
    ];
    let refused = stranger.post("/claim", &made_up).await.unwrap();
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);

    // The card at the till leads to the guest, also after a power cut.
    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut till = Till::open(&store, &pin).await;
    let shown = till.redeem(&card).await;
    let guest = shown.location.unwrap();
    let guest = till
        .phone
        .get(&format!("{guest}&lang=en"))
        .await
        .unwrap()
        .html;
    assert!(
        guest.contains("✓ VIP") && guest.contains("1 visit of late"),
        "{guest}"
    );
    take_away(&mut till, &card, &boss).await;
    let (mut back, _) = scan(store.portal(), &table(3)).await;
    back.remember(held);
    let page = back.get("/vip?lang=en").await.unwrap().html;
    assert!(page.contains("1 more visit with a coupon"), "{page}");
    store.wait_until_sent().await;
    assert_eq!(chain.totals_with(1).await.quarantined, 0);
}

async fn take_away(till: &mut Till, card: &str, boss: &str) {
    let end = async |till: &mut Till, name: &str, pin: &str| {
        let fields = [
            ("code", card),
            ("what", "end"),
            ("name", name),
            ("pin", pin),
        ];
        till.phone.post("/counter/guest", &fields).await.unwrap()
    };
    let no_pin = [("code", card), ("what", "end")];
    let refused = till.phone.post("/counter/guest", &no_pin).await.unwrap();
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = end(till, "boss", "0").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN, "{}", wrong.html);
    assert!(at_the_counter(till, card).await.contains("✓ VIP"));
    let done = end(till, "boss", boss).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    assert!(at_the_counter(till, card).await.contains("Not a VIP yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_takes_a_card_with_one_tap_and_staff_say_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let mut phone = scan(store.portal(), &table(1)).await.0;
    let none = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(none.contains("Get my card"), "{none}");
    let fields: [(&str, &str); 0] = [];
    let taken = phone.post("/vip", &fields).await.unwrap();
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.html);
    let page = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(page.contains("<h1 class=\"gift\">Member</h1>"), "{page}");
    let again = phone.post("/vip", &fields).await.unwrap();
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    let same = phone.get("/vip?lang=en").await.unwrap().html;
    assert_eq!(code_of(&same), code_of(&page));

    let mut tell = async |birthday: &str| {
        let fields = [("birthday", birthday)];
        phone.post("/vip?lang=en", &fields).await.unwrap()
    };
    let with_year = tell("1990-08-15").await;
    assert_eq!(with_year.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        with_year.html.contains("Please without the year"),
        "{}",
        with_year.html
    );
    assert!(
        with_year.html.contains("value=\"1990-08-15\""),
        "what was typed stays"
    );
    assert_eq!(tell("2-30").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(tell("8月15日").await.status, StatusCode::SEE_OTHER);
    let told = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(told.contains("You told us: 08-15"), "{told}");
    phone.post("/vip", &[("birthday", "")]).await.unwrap();
    let taken_back = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(!taken_back.contains("08-15</p>"), "{taken_back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_make_a_vip_and_note_the_group_by_a_coupons_code_or_a_cards() {
    let (chain, pin, _) = chain();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let path = tap(&mut phone, &landing).await;
    let coupon = see(&mut phone, &path).await;
    let mut till = Till::open(&store, &pin).await;
    let nobody = at_the_counter(&mut till, "22222").await;
    assert!(nobody.contains("Nobody here has this code"), "{nobody}");
    let guest = at_the_counter(&mut till, &coupon.code).await;
    assert!(
        guest.contains("Not a VIP yet") && guest.contains("No visit"),
        "{guest}"
    );
    for what in ["vip", "vip", "joined"] {
        let fields = [("code", coupon.code.as_str()), ("what", what)];
        let said = till
            .phone
            .post("/counter/guest?lang=en", &fields)
            .await
            .unwrap();
        assert!(said.html.contains("✓ VIP"), "{}", said.html);
    }
    let page = phone.get("/vip?lang=en").await.unwrap().html;
    assert!(page.contains("In our group since"), "{page}");
    let card = code_of(&page);
    let left = [("code", card.as_str()), ("what", "left")];
    till.phone.post("/counter/guest", &left).await.unwrap();
    let guest = at_the_counter(&mut till, &card).await;
    assert!(
        guest.contains("✓ VIP") && guest.contains("Has joined our group"),
        "{guest}"
    );

    // From outside the staff network nobody looks anybody up.
    let stranger = phone
        .get(&format!("/counter/guest?code={card}"))
        .await
        .unwrap();
    assert_ne!(stranger.status, StatusCode::OK, "{}", stranger.html);
    // On 4G the same guest is a VIP as soon as the street has heard of it.
    let street = chain.open_street().await;
    eventually("the street to know the VIP", || async {
        let (mut abroad, _) = scan(street.portal(), &table(2)).await;
        abroad.remember(phone.cookies());
        let landing = abroad
            .get(&format!("/t/{}?lang=en", table(2)))
            .await
            .unwrap();
        landing.html.contains("250 g of beef").then_some(())
    })
    .await;
    store.wait_until_sent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_members_is_taken_in_whole_and_regulars_are_written_to_once() {
    let (chain, _, _) = chain();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let coupon = tap(&mut phone, &landing).await;
    let agreed = [("marketing", "yes")];
    phone
        .post(&format!("{coupon}/consent"), &agreed)
        .await
        .unwrap();
    let fields: [(&str, &str); 0] = [];
    phone.post("/vip", &fields).await.unwrap();
    let card = code_of(&phone.get("/vip").await.unwrap().html);
    store.wait_until_sent().await;

    let file = chain.path("members.csv");
    let path = file.to_str().unwrap();
    let import = ["members", "import", "--store", "SZ01", path];
    let right = format!("code,since,consent\n{card},2024-03-01,\n");
    fs_err::write(&file, format!("{right}2222222,,\n")).unwrap();
    let refused = chain.try_hq(&import);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("nothing was taken in") && said.contains("line 3: "),
        "{said}"
    );
    let list = ["regulars", "--store", "SZ01", "top-visits", "--csv"];
    let before = chain.hq(&list);
    assert!(before.contains(&format!("{card},new,1,")), "{before}");
    assert!(
        !before.contains("2024-03-01"),
        "nothing was half done: {before}"
    );

    fs_err::write(&file, right).unwrap();
    let said = chain.hq(&import);
    assert!(said.contains("1 members: 1 have been seen"), "{said}");
    eventually("the box to know the VIP", || async {
        let mut own = scan(store.portal(), &table(3)).await.0;
        own.remember(phone.cookies());
        let page = own.get("/vip?lang=en").await.unwrap().html;
        page.contains("Since 2024-03-01").then_some(())
    })
    .await;
    let reached = chain.hq(&[&list[..], &["--reached"]].concat());
    assert!(
        reached.contains("2024-03-01") && reached.contains(",open"),
        "{reached}"
    );
    let again = chain.hq(&list);
    assert!(again.contains(",was written to of late"), "{again}");
    assert_eq!(chain.totals_with(1).await.quarantined, 0);
}
