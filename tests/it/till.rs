//! The till says yes once, and says why when it says no.

use axum::http::StatusCode;
use maitred::cli::demo::phone::Phone;
use maitred::ops::tasks::Tasks;

use maitred::domain::ids::{CampaignId, CouponId, StoreId};
use maitred::domain::wallet::TokenClaims;
use maitred::wire::signing::SigningKey;
use maitred::wire::token;

use crate::support::{ClockOff, Sending, TestChain, Till, claim, eventually, table};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_redeemed_once_and_a_slip_is_undone() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;

    let yes = till.redeem(&coupon.code.to_lowercase()).await;
    assert_eq!(yes.status, StatusCode::OK, "{}", yes.html);
    let no = till.redeem(&coupon.token).await;
    assert_eq!(no.status, StatusCode::CONFLICT);
    assert!(no.html.contains("已经用过"), "{}", no.html);

    let redemption = no
        .between(
            "action=\"/till/undo\" data-stay><input type=\"hidden\" name=\"redemption\" value=\"",
            "\"",
        )
        .unwrap()
        .to_owned();
    let undone = till
        .phone
        .post("/till/undo", &[("redemption", &redemption)])
        .await
        .unwrap();
    assert!(undone.html.contains("券可以再次使用"), "{}", undone.html);
    assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::OK);
    let unknown = till.redeem("2222").await;
    assert!(unknown.html.contains("没有这个券码"), "{}", unknown.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_form_sent_twice_is_one_redemption_and_green_both_times() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    let page = till.phone.get("/till").await.unwrap();
    let redemption = page.field("redemption").unwrap().to_owned();
    let fields = [("code", coupon.code.as_str()), ("redemption", &redemption)];
    for _ in 0..2 {
        let answer = till.phone.post("/till/redeem", &fields).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
    }
    chain.totals_with(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_works_only_on_a_paired_device_and_its_wait_outlives_a_restart() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut stranger = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    let fields = [("name", "lin"), ("pin", pin.as_str())];
    let page = stranger.post("/till/sign-in", &fields).await.unwrap();
    assert!(
        page.html.contains("配对码"),
        "asked to pair first: {}",
        page.html
    );

    let mut till = Till::open(&store, &pin).await;
    for _ in 0..3 {
        let wrong = [("name", "lin"), ("pin", "0")];
        let page = till.phone.post("/till/sign-in", &wrong).await.unwrap();
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let cookies = till.phone.cookies();
    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    phone.remember(cookies);
    let page = phone.post("/till/sign-in", &fields).await.unwrap();
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_the_browser_kept_redeems_the_code_that_is_typed_and_no_other() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (first, second) = (
        claim(store.portal(), &table(1)).await,
        claim(store.portal(), &table(2)).await,
    );
    let mut till = Till::open(&store, &pin).await;
    let page = till.phone.get("/till").await.unwrap();
    let redemption = page.field("redemption").unwrap().to_owned();
    for coupon in [&first, &second] {
        let fields = [("code", coupon.code.as_str()), ("redemption", &redemption)];
        let answer = till.phone.post("/till/redeem", &fields).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
    }
    // Both are used up now: the second green was a redemption and not a memory of the first.
    for coupon in [&first, &second] {
        assert_eq!(till.redeem(&coupon.code).await.status, StatusCode::CONFLICT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_unknown_codes_waits_and_a_scanned_coupon_does_not() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    for code in ["2222", "2223", "2224", "2225", "2226"] {
        let no = till.redeem(code).await;
        assert!(no.html.contains("没有这个券码"), "{}", no.html);
    }
    let typed = till.redeem(&coupon.code).await;
    assert_eq!(typed.status, StatusCode::CONFLICT);
    assert!(typed.html.contains("输错五个券码"), "{}", typed.html);
    let counter = till.phone.get("/counter?lang=en").await.unwrap();
    assert!(counter.html.contains("Five unknown codes were typed"));
    let mut other = Till::open(&store, &pin).await;
    let no = other.redeem("2227").await;
    assert!(
        no.html.contains("没有这个券码"),
        "another device: {}",
        no.html
    );
    let scanned = till.redeem(&coupon.token).await;
    assert_eq!(scanned.status, StatusCode::OK, "{}", scanned.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paired_device_pairs_another_by_a_code_to_scan_that_works_once() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let page = till.phone.post("/counter/pair?lang=en", &[]).await.unwrap();
    assert!(page.html.contains("<svg"), "{}", page.html);
    let code = page.between("<p class=\"code\">", "</p>").unwrap();

    let scanned = format!("/till/pair?code={code}");
    let mut other = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    // Opened twice, as by a browser that looks ahead: the address alone pairs nothing.
    for _ in 0..2 {
        assert_eq!(other.get(&scanned).await.unwrap().field("code"), Some(code));
    }
    let paired = other.post("/till/pair", &[("code", code)]).await.unwrap();
    assert_eq!(paired.status, StatusCode::SEE_OTHER);
    let page = other.get(&scanned).await.unwrap();
    assert_eq!(page.location.as_deref(), Some("/till"), "paired already");

    let mut stranger = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    let late = stranger
        .post("/till/pair", &[("code", code)])
        .await
        .unwrap();
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    let asked = stranger.post("/counter/pair", &[]).await.unwrap();
    assert_eq!(asked.location.as_deref(), Some("/till"), "not signed in");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_green_a_party_and_its_bill_are_noted_and_what_cannot_be_is_said_at_its_field() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    let yes = till.redeem(&coupon.code).await;
    assert!(yes.html.contains("桌 A01"), "whose it is: {}", yes.html);
    assert!(yes.html.contains("分钟前领取"), "how old: {}", yes.html);
    let bill = yes.html.split_once("action=\"/till/bill\"").unwrap().1;
    let redemption = bill.split_once("value=\"").unwrap().1;
    let redemption = redemption.split_once('"').unwrap().0.to_owned();
    let mut say = async |name: &str, value: &str| {
        let fields = [("redemption", redemption.as_str()), (name, value)];
        till.phone.post("/till/bill", &fields).await.unwrap()
    };
    for (name, value, sentence) in [
        ("party", "0", "人数应为 1 到 99"),
        ("party", "4000", "人数应为 1 到 99"),
        ("amount", "-3", "金额应在 0.01"),
        ("amount", "abc", "金额应在 0.01"),
    ] {
        let no = say(name, value).await;
        assert_eq!(no.status, StatusCode::UNPROCESSABLE_ENTITY, "{value}");
        assert!(no.html.contains(sentence), "{value}: {}", no.html);
        let typed = format!("value=\"{value}\" aria-invalid");
        assert!(no.html.contains(&typed), "what was typed is kept");
        assert!(!no.html.contains("已记下"), "nothing was noted");
    }
    let noted = say("party", "4").await;
    assert!(noted.html.contains("已记下。 4 位"), "{}", noted.html);
    let noted = say("amount", "128.5").await;
    assert!(noted.html.contains("4 位 · ¥128.50"), "{}", noted.html);
    store.wait_until_sent().await;
    let totals = chain.totals_with(1).await;
    assert_eq!(totals.quarantined, 0, "headquarters reads all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_redeemed_is_undone_by_a_managers_pin_and_wrong_ones_wait() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let add = |name: &str, more: &[&str]| {
        let words = ["staff", "add", "--store", "SZ01", "--name", name];
        let said = chain.hq(&[&words, more].concat());
        let pin = said.lines().next().unwrap().strip_prefix("PIN: ").unwrap();
        pin.to_owned()
    };
    let (boss, wang) = (add("boss", &["--manager"]), add("wang", &[]));
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut till = Till::open(&store, &pin).await;
    till.redeem(&coupon.code).await;

    // Somebody else signs in on the same device.
    let fields = [("name", "wang"), ("pin", wang.as_str())];
    till.phone.post("/till/sign-in", &fields).await.unwrap();
    let no = till.redeem(&coupon.code).await;
    assert!(no.html.contains("撤销这次核销"), "{}", no.html);
    let undo = no.html.split_once("action=\"/till/undo\"").unwrap().1;
    let redemption = undo.split_once("value=\"").unwrap().1;
    let redemption = redemption.split_once('"').unwrap().0;
    let asked = till
        .phone
        .post("/till/undo", &[("redemption", redemption)])
        .await
        .unwrap();
    assert_eq!(asked.status, StatusCode::CONFLICT);
    assert!(asked.html.contains("需店长撤销"), "{}", asked.html);
    assert!(
        asked.html.contains("<option>boss</option></select>"),
        "only managers"
    );
    let mut try_pin = async |name: &str, pin: &str| {
        let fields = [("redemption", redemption), ("name", name), ("pin", pin)];
        let page = till.phone.post("/till/undo/manager", &fields).await;
        page.unwrap()
    };
    let wrong = try_pin("wang", &wang).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN, "no manager");
    assert!(wrong.html.contains("姓名或 PIN 不对"), "{}", wrong.html);
    let undone = try_pin("boss", &boss).await;
    assert!(undone.html.contains("券可以再次使用"), "{}", undone.html);
    let before = try_pin("boss", &boss).await;
    assert!(before.html.contains("已经撤销过"), "{}", before.html);
    for _ in 0..2 {
        try_pin("boss", "0").await;
    }
    let waits = try_pin("boss", &boss).await;
    assert_eq!(waits.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(waits.html.contains("请等到"), "{}", waits.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tills_that_redeem_one_coupon_at_the_same_instant_one_is_green() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut tills = [
        Till::open(&store, &pin).await,
        Till::open(&store, &pin).await,
    ];
    let [first, second] = &mut tills;
    for n in 1..=20 {
        let coupon = claim(store.portal(), &table(n)).await;
        // One types the code while the other scans the QR.
        let (typed, scanned) =
            tokio::join!(first.redeem(&coupon.code), second.redeem(&coupon.token));
        let answers = [typed, scanned];
        let green = answers.iter().filter(|page| page.status == StatusCode::OK);
        assert_eq!(green.count(), 1);
        let red = answers
            .iter()
            .find(|page| page.status == StatusCode::CONFLICT);
        let red = &red.unwrap().html;
        assert!(red.contains("已经用过，时间： 20"), "and when: {red}");
    }
    store.wait_until_sent().await;
    assert_eq!(chain.totals_with(20).await.redemptions, 20);
}

/// A token as another chain's box would sign it.
fn foreign_token() -> String {
    let key = SigningKey::from_pkcs8(&SigningKey::generate()).unwrap();
    let claims = TokenClaims {
        coupon: CouponId::from_entropy([1; 16]),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        store: StoreId::parse("SZ01").unwrap(),
        not_before: "2020-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2099-01-01T00:00:00Z".parse().unwrap(),
        cap_fen: 0,
    };
    token::issue(&claims, &key)
}

fn with_a_bit_changed(token: &str) -> String {
    let mut bytes = base45::decode(&token[3..]).unwrap();
    bytes[7] ^= 1;
    format!("M1:{}", base45::encode(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_at_the_till_is_said_in_the_readers_language() {
    let mut chain = TestChain::start_on(ClockOff::days(-9));
    let campaign = chain.path("chain/campaigns/quiet-hours.toml");
    let text = fs_err::read_to_string(&campaign).unwrap();
    let next = text
        .replace("id = \"quiet-hours\"", "id = \"next-time\"")
        .replace("[validity]\n", "[validity]\nbegins = \"next-visit\"\n");
    assert!(next.contains("next-visit"));
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let old = claim(store.portal(), &table(1)).await;
    store.wait_until_sent().await;
    store.process.stop();

    chain.stop_hq();
    chain.clock = ClockOff::days(0);
    fs_err::write(chain.path("chain/campaigns/next-time.toml"), next).unwrap();
    fs_err::remove_file(&campaign).unwrap();
    chain.start_hq();
    fs_err::remove_file(chain.path("store/clock.json")).unwrap();
    let store = chain.start_store(Sending::AtOnce).await;
    // The bundle of nine days ago is in force for a moment.
    let not_yet = eventually("the next visit's campaign", || async {
        let coupon = claim(store.portal(), &table(2)).await;
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let page = phone.get(&coupon.path).await.unwrap();
        page.html.contains("生效时间").then_some(coupon)
    })
    .await;
    for (language, words) in [
        (
            "zh-CN",
            [
                "已过期：",
                "还没到使用时间",
                "这不是本连锁的券",
                "二维码无法验证",
                "没有这个券码",
                "没有保存任何内容",
            ],
        ),
        (
            "en",
            [
                "Expired at",
                "Not valid yet",
                "This coupon is not of this chain",
                "The QR cannot be verified",
                "no such coupon",
                "Nothing was saved",
            ],
        ),
    ] {
        let [expired, early, foreign, damaged, unknown, incomplete] = words;
        let mut till = Till::open(&store, &pin).await;
        till.phone
            .get(&format!("/till?lang={language}"))
            .await
            .unwrap();
        for (shown, sentence) in [
            (old.code.as_str(), expired),
            (&old.token, expired),
            (&not_yet.code, early),
            (&foreign_token(), foreign),
            (&with_a_bit_changed(&not_yet.token), damaged),
            ("22222", unknown),
            ("no code at all", unknown),
        ] {
            let no = till.redeem(shown).await;
            assert_eq!(no.status, StatusCode::CONFLICT, "{shown}");
            assert!(no.html.contains(sentence), "{shown}: {}", no.html);
        }
        // A page of a version whose form had no number.
        let before = [("code", not_yet.code.as_str())];
        let page = till.phone.post("/till/redeem", &before).await.unwrap();
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.html.contains(incomplete), "{}", page.html);
    }
}
