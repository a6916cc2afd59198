//! The console's stories: signing in, the day's figures, and what a stranger gets.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;

use super::password;
use crate::domain::event::{EraseRequested, Event, Feedback, Intent};
use crate::domain::feedback::Rating;
use crate::domain::ids::{CouponId, RequestId, Slug, TouchpointCode, Vid};
use crate::hq::db::{AuditEntry, Greeting};
use crate::hq::examine::examine;
use crate::hq::testing::{
    Answer, TestHq, at_store, call, chain_folder, claim, delivery, frames, line, now, open_store,
    redeem, store, stream, vid, view,
};
use crate::ops::clock::Clock;
use crate::wire::batch::{Time, TimeQuality, What};
use crate::wire::link::{Serves, StreamOffer};

const HOST: &str = "127.0.0.1:8480";

/// A browser that keeps its cookie.
struct TestBrowser<'a> {
    hq: &'a TestHq,
    cookie: String,
    language: &'static str,
}

impl<'a> TestBrowser<'a> {
    async fn new(hq: &'a TestHq) -> Self {
        let hash = password::hash("right horse").unwrap();
        hq.state
            .ledger
            .add_admin("admin".to_owned(), hash)
            .await
            .unwrap();
        Self {
            hq,
            cookie: String::new(),
            language: "en",
        }
    }

    async fn signed_in(hq: &'a TestHq) -> Self {
        let mut browser = Self::new(hq).await;
        assert_eq!(browser.sign_in("right horse").await.status, 303);
        browser
    }

    async fn call(&self, request: axum::http::request::Builder, body: String) -> Answer {
        let request = request
            .header("host", HOST)
            .header("cookie", &self.cookie)
            .header("accept-language", self.language)
            .body(Body::from(body))
            .unwrap();
        call(super::router(Arc::clone(&self.hq.state)), request, None).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Request::get(path), String::new()).await
    }

    async fn post(&self, path: &str, form: &str, origin: &str) -> Answer {
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", origin);
        self.call(request, form.to_owned()).await
    }

    async fn sign_in(&mut self, password: &str) -> Answer {
        let form = format!("login=admin&password={}", password.replace(' ', "+"));
        let answer = self.post("/login", &form, &format!("http://{HOST}")).await;
        if let Some(cookie) = answer.headers.get("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = pair.to_owned();
        }
        answer
    }
}

fn location(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.headers["location"].to_str().unwrap())
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let hq = TestHq::new().await;
    let mut browser = TestBrowser::new(&hq).await;
    assert_eq!(location(&browser.get("/").await), (303, "/login"));
    browser.cookie = "maitred-session=AAAA".to_owned();
    assert_eq!(location(&browser.get("/").await), (303, "/login"));
    assert!(browser.get("/login").await.text().contains("Sign in"));
}

#[tokio::test]
async fn a_wrong_password_says_so_and_a_right_one_opens_the_page() {
    let hq = TestHq::new().await;
    let mut browser = TestBrowser::new(&hq).await;
    let wrong = browser.sign_in("wrong horse").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("Nobody was signed in"));
    assert!(
        !wrong.text().contains("wrong horse"),
        "a password is never shown again"
    );

    let right = browser.sign_in("right horse").await;
    assert_eq!(location(&right), (303, "/"));
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(browser.get("/").await.status, 200);
}

#[tokio::test]
async fn after_three_wrong_passwords_one_has_to_wait() {
    let hq = TestHq::new().await;
    let mut browser = TestBrowser::new(&hq).await;
    for _ in 0..4 {
        assert_eq!(browser.sign_in("wrong horse").await.status, 422);
    }
    assert_eq!(browser.sign_in("right horse").await.status, 429);
    hq.clock.advance(SignedDuration::from_secs(3));
    assert_eq!(browser.sign_in("right horse").await.status, 303);
}

#[tokio::test]
async fn fifty_guesses_at_a_time_are_no_way_around_the_waiting() {
    let hq = TestHq::new().await;
    TestBrowser::new(&hq).await;
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..50 {
        let request = Request::post("/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("host", HOST)
            .header("origin", format!("http://{HOST}"))
            .body(Body::from(format!("login=admin&password=guess{number}")))
            .unwrap();
        let router = super::router(Arc::clone(&hq.state));
        guesses.spawn(async move { call(router, request, None).await.status });
    }
    let answers = guesses.join_all().await;
    let looked_at = answers.iter().filter(|status| **status == 422).count();
    assert_eq!(looked_at, 4);
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 46);
}

#[tokio::test]
async fn a_session_ends_by_signing_out_and_by_time() {
    let hq = TestHq::new().await;
    let mut browser = TestBrowser::signed_in(&hq).await;
    let kept = browser.cookie.clone();
    let out = browser.post("/logout", "", &format!("http://{HOST}")).await;
    assert_eq!(location(&out), (303, "/login"));
    assert_eq!(
        browser.get("/").await.status,
        303,
        "the old cookie is worth nothing"
    );
    assert!(kept.starts_with("maitred-session="));

    browser.sign_in("right horse").await;
    hq.clock.advance(SignedDuration::from_hours(13));
    assert_eq!(browser.get("/").await.status, 303);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let hq = TestHq::new().await;
    let browser = TestBrowser::signed_in(&hq).await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:9999"] {
        assert_eq!(browser.post("/logout", "", origin).await.status, 403);
    }
    assert_eq!(browser.get("/").await.status, 200);
}

#[tokio::test]
async fn the_page_shows_what_was_counted_and_how_complete_it_is() {
    let hq = TestHq::new().await;
    let gateway = hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let mut events = vec![claim(1, 1), claim(2, 2), redeem(1, 1)];
    events.extend((0..25).map(|_| view(None)));
    let sent = delivery(gateway, stream(1), frames(1, events));
    hq.ledger.ledger.ingest(sent).await.unwrap();

    let browser = TestBrowser::signed_in(&hq).await;
    let page = browser.get("/").await.text();
    for shown in [
        "2026-12-01",
        "SZ01 <small>Shiwei Beef Noodles, Nanshan</small>",
        "as of 12-01 15:30",
        "data-label=\"Came (page opens)\">25</td>",
        "data-label=\"Claimed\">2</td>",
        "data-label=\"Redeemed\">1</td>",
        "<span>0 <small>of 2</small></span>",
        "data-label=\"Quiet hours · Seen (page opens)\">25</td>",
        "data-label=\"Quiet hours · Redeemed\">1</td>",
        "up to date",
        "gw-000001",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    let yesterday = browser.get("/?day=2026-11-30").await.text();
    assert!(yesterday.contains("Nothing has been counted on this day."));
    assert!(yesterday.contains("No quiet-hours offer was shown this day."));
    assert!(!page.contains("No quiet-hours offer"));
    // A share of page opens says nothing about diners.
    assert!(!page.contains("25 %") && !page.contains("4 %"), "{page}");
    assert!(yesterday.contains("rel=\"next\""));
    assert!(!page.contains("rel=\"next\""), "tomorrow has no figures");
}

/// The first table of the fixture.
const A01: &str = "RJREVWAY";

#[tokio::test]
async fn intents_ratings_and_switches_are_shown_as_what_they_are() {
    let hq = TestHq::new().await;
    let gateway = hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let feedback = |number: u8, stars| {
        Event::Feedback(Feedback {
            id: RequestId::from_entropy([number; 16]),
            touchpoint: TouchpointCode::parse(A01).ok(),
            vid: vid(number),
            rating: Rating::try_from(stars).ok(),
            words: None,
            of: None,
        })
    };
    let intent = Event::FollowIntent(Intent {
        invitation: Slug::parse("follow").unwrap(),
        code: Slug::parse("main").unwrap(),
        vid: vid(1),
        coupon: CouponId::from_entropy([1; 16]),
    });
    let browser = TestBrowser::signed_in(&hq).await;
    assert!(!browser.get("/").await.text().contains("Asked to follow"));
    let events = vec![feedback(1, 5), feedback(2, 2), intent];
    let sent = delivery(gateway, stream(1), frames(1, events));
    hq.ledger.ledger.ingest(sent).await.unwrap();
    let page = browser.get("/").await.text();
    for shown in [
        "data-label=\"Asked to follow\">1</td>",
        "data-label=\"Feedback\">2</td>",
        "<span>3.5 <small>of 2</small></span>",
        "these are intents, and not followers",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
}

#[tokio::test]
async fn places_are_compared_with_shares_of_enough_and_what_they_cost() {
    let folder = chain_folder();
    let file = folder.path().join("stores/SZ01/touchpoints.csv");
    let list = fs_err::read_to_string(&file).unwrap();
    let priced = list.replace("code,kind,label\n", "code,kind,label,cost_fen\n");
    let priced = priced.lines().map(|line| match line {
        line if line.starts_with("code") => format!("{line}\n"),
        line if line.starts_with(A01) => format!("{line},1000\n"),
        line => format!("{line},\n"),
    });
    fs_err::write(&file, priced.collect::<String>()).unwrap();
    let hq = TestHq::over(folder).await;
    let gateway = hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let place = TouchpointCode::parse(A01).unwrap();
    let claims = (1..=25_u8).map(|number| {
        let mut event = claim(number, number);
        if let Event::Claim(claim) = &mut event {
            claim.touchpoint = place;
        }
        event
    });
    let sent = delivery(gateway, stream(1), frames(1, claims.collect()));
    hq.ledger.ledger.ingest(sent).await.unwrap();
    let browser = TestBrowser::signed_in(&hq).await;
    assert!(browser.get("/").await.text().contains("/places?store=SZ01"));
    let page = browser.get("/places?store=SZ01").await.text();
    for shown in [
        "2026-11-04 to 2026-12-01",
        "<h2>Tables</h2>",
        "data-label=\"Redeemed\"><span>0 <small>0 % (0–13 %)</small>",
        "data-label=\"Yuan a claim\">0.40</td>",
        "data-label=\"Yuan a redemption\">–</td>",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    assert!(
        !page.contains("Counted whole from"),
        "a new ledger counts every day"
    );
    let lenient = browser.get("/places?store=nonsense").await;
    assert_eq!(lenient.status, 200);
}

#[tokio::test]
async fn who_asked_to_be_forgotten_is_a_number_and_the_boxes_that_wait_are_named() {
    let hq = TestHq::over(chain_folder()).await;
    let gateway = hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let browser = TestBrowser::signed_in(&hq).await;
    let page = async || browser.get("/persons").await.text();
    assert!(browser.get("/").await.text().contains("href=\"/persons\""));
    for empty in [
        "Nobody has asked to be forgotten",
        "Nothing of this store is kept",
        "Nobody has read it lately",
    ] {
        assert!(page().await.contains(empty), "{empty}");
    }
    let erase = Event::EraseRequested(EraseRequested {
        vid: vid(1),
        instead: Vid::from_entropy([0x77; 16]),
        passed_on: false,
    });
    let sent = frames(1, vec![view(Some(1)), view(Some(2)), erase]);
    let ledger = &hq.ledger.ledger;
    ledger
        .ingest(delivery(gateway, stream(1), sent))
        .await
        .unwrap();
    let opened = AuditEntry::new(now(), "access_log_opened", &"SZ01", "a part of it");
    ledger.note(opened).await.unwrap();
    let waiting = page().await;
    for shown in [
        &format!("box {gateway}, for just now"),
        "0 of 0 have answered",
        "data-label=\"New\">2</td>",
        "a part of it",
    ] {
        assert!(waiting.contains(shown), "{shown} is not in {waiting}");
    }
    assert!(!waiting.contains(&vid(1).to_string()));
    let lenient = browser.get("/persons?store=nonsense").await;
    assert_eq!(lenient.status, 200);
}

#[tokio::test]
async fn a_silent_store_and_one_without_a_gateway_are_told_apart() {
    let folder = chain_folder();
    open_store(&folder, "SZ02");
    let hq = TestHq::over(folder).await;
    hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let browser = TestBrowser::signed_in(&hq).await;
    hq.clock.advance(SignedDuration::from_mins(14));
    let page = browser.get("/").await.text();
    assert!(page.contains("last heard 14 min ago"), "{page}");
    assert!(page.contains("no gateway yet"));
    assert!(page.contains("All stores"));
}

#[tokio::test]
async fn a_store_is_up_to_date_when_every_stream_of_every_gateway_has_been_sent() {
    let hq = TestHq::new().await;
    let ledger = hq.state.ledger.as_ref();
    let own = hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let browser = TestBrowser::signed_in(&hq).await;
    let mut claims = delivery(own, stream(1), frames(1, vec![claim(1, 1)]));
    claims.waiting = 6;
    ledger.ingest(claims).await.unwrap();
    // The spool of views is empty after this, and five claims still wait.
    let views = delivery(own, stream(2), frames(1, vec![view(None)]));
    ledger.ingest(views).await.unwrap();
    assert!(
        browser
            .get("/")
            .await
            .text()
            .contains("5 records still to come")
    );

    let offer = |number, next| StreamOffer {
        id: stream(number),
        cls: number - 1,
        floor: 1,
        next,
        last: None,
    };
    let greeting = |gateway, offers: &[StreamOffer]| Greeting {
        gateway,
        offers: offers.to_vec(),
        now: hq.clock.now(),
    };
    let hello = greeting(own, &[offer(1, 2), offer(2, 2)]);
    ledger.greet(hello).await.unwrap();
    assert!(browser.get("/").await.text().contains("up to date"));

    let street = hq.ledger.enrol_and_hear(Serves::Street).await;
    let views = delivery(street, stream(3), frames(1, vec![view(None)]));
    ledger.ingest(views).await.unwrap();
    let hello = greeting(street, &[offer(3, 4)]);
    ledger.greet(hello).await.unwrap();
    let page = browser.get("/").await.text();
    assert!(page.contains("2 records still to come"), "{page}");
}

#[tokio::test]
async fn all_rows_are_of_one_business_day_whatever_the_zones() {
    let folder = chain_folder();
    open_store(&folder, "TY01");
    let path = folder.path().join("stores/TY01/store.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    let text = text
        .replace("Asia/Shanghai", "Asia/Tokyo")
        .replace("CST-8", "JST-9");
    fs_err::write(&path, text).unwrap();
    let hq = TestHq::over(folder).await;
    let (gateway, _) = hq.ledger.enrol(at_store("SZ01")).await;
    let sent = delivery(gateway, stream(1), frames(1, vec![view(None)]));
    hq.ledger.ledger.ingest(sent).await.unwrap();

    // 04:30 in Tokyo, 03:30 in Shenzhen.
    hq.clock.advance(SignedDuration::from_hours(12));
    let browser = TestBrowser::signed_in(&hq).await;
    let came = |page: &str| {
        page.matches("data-label=\"Came (page opens)\">1</td>")
            .count()
    };
    let page = browser.get("/").await.text();
    assert!(page.contains("Business day 2026-12-02"), "{page}");
    assert_eq!(came(&page), 0);
    // In its row and in the sum.
    assert_eq!(came(&browser.get("/?day=2026-12-01").await.text()), 2);
}

#[tokio::test]
async fn an_empty_chain_says_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    let chain = "id = \"new\"\nname = { zh = \"新\", en = \"New\" }\n";
    fs_err::write(folder.path().join("chain.toml"), chain).unwrap();
    let hq = TestHq::over(folder).await;
    let page = TestBrowser::signed_in(&hq).await.get("/").await.text();
    assert!(page.contains("There are no stores yet."));
    assert!(page.contains("maitred hq token"));
}

#[tokio::test]
async fn a_broken_folder_is_on_every_page_with_its_line() {
    let hq = TestHq::new().await;
    fs_err::write(
        hq.folder.path().join("campaigns/new.toml"),
        "id = \"<b>\"\n",
    )
    .unwrap();
    hq.publish().await;
    let page = TestBrowser::signed_in(&hq).await.get("/").await.text();
    assert!(page.contains("has a mistake"));
    assert!(page.contains("campaigns/new.toml"), "{page}");
    assert!(!page.contains("<b>"), "what people wrote is escaped");
}

#[tokio::test]
async fn what_was_counted_under_an_uncertain_hour_is_said_in_both_languages() {
    let hq = TestHq::new().await;
    let gateway = hq.ledger.enrol_and_hear(at_store("SZ01")).await;
    let mut browser = TestBrowser::signed_in(&hq).await;
    let certain = |seq| {
        let mut line = line(seq, &store("SZ01"), now(), view(None));
        if let What::Frame { time, .. } = &mut line.what {
            *time = Some(Time {
                unix_ms: now().as_millisecond(),
                quality: TimeQuality::Anchored,
            });
        }
        examine(&at_store("SZ01"), vec![line])
    };
    let bring = |sent| hq.ledger.ledger.ingest(delivery(gateway, stream(1), sent));
    bring(certain(1)).await.unwrap();
    let page = browser.get("/").await.text();
    assert!(page.contains("\">1</td>") && !page.contains("did not know the hour"));

    // Lines without a time: only the box's own clock tells it.
    bring(frames(2, vec![view(None); 3])).await.unwrap();
    let page = browser.get("/").await.text();
    let english = "3 of these events came from a box that did not know the hour";
    assert!(page.contains(english), "{page}");
    browser.language = "zh-CN";
    let page = browser.get("/").await.text();
    assert!(page.contains("其中 3 条记录"), "{page}");
}

#[tokio::test]
async fn the_page_speaks_both_languages() {
    let hq = TestHq::new().await;
    let mut browser = TestBrowser::signed_in(&hq).await;
    browser.language = "zh-CN";
    let page = browser.get("/").await.text();
    assert!(page.contains("lang=\"zh-CN\"") && page.contains("核销"));
    let english = browser.get("/?lang=en").await;
    assert!(english.text().contains("Redeemed"));
    assert!(english.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_sheet_is_drawn_and_fetched_by_whoever_asked_for_it() {
    let hq = TestHq::new().await;
    let browser = TestBrowser::signed_in(&hq).await;
    let page = browser.get("/sheets").await.text();
    assert!(page.contains("Print it at 100 %"), "{page}");
    assert!(
        page.contains("Nobody has walked past all stickers"),
        "{page}"
    );
    let origin = format!("http://{HOST}");
    let form = "store=SZ01&layout=a4-2x4&format=html&which=meant&from=A02&to=A04";
    let begun = browser.post("/sheets", form, &origin).await;
    let (303, path) = location(&begun) else {
        panic!("{begun:?}");
    };
    loop {
        let page = browser.get(path).await;
        if page.text().contains("SZ01-a4-2x4.html") {
            break;
        }
        assert_eq!(page.headers["refresh"], "2", "{}", page.text());
        tokio::task::yield_now().await;
    }
    let file = browser.get(&format!("{path}/1")).await;
    let name = file.headers["content-disposition"].to_str().unwrap();
    assert_eq!(name, "attachment; filename=\"SZ01-a4-2x4.html\"");
    let labels = ["A01", "A02", "A03", "A04", "A05"];
    let on_it = labels.map(|label| file.text().contains(&format!("aria-label=\"{label}\"")));
    assert_eq!(on_it, [false, true, true, true, false]);

    let stranger = TestBrowser {
        hq: &hq,
        cookie: String::new(),
        language: "en",
    };
    let refused = stranger.get(&format!("{path}/1")).await;
    assert_eq!(location(&refused), (303, "/login"));
    let gone = browser.get("/sheets/0123").await.text();
    assert!(gone.contains("no longer kept"), "{gone}");
}

#[tokio::test]
async fn an_order_that_comes_to_nothing_says_why() {
    let hq = TestHq::new().await;
    let browser = TestBrowser::signed_in(&hq).await;
    let origin = format!("http://{HOST}");
    for (form, says) in [
        (
            "layout=a4-2x4&format=html&which=creator",
            "No code is chosen",
        ),
        (
            "layout=a0&format=html&which=meant",
            "could not be understood",
        ),
        (
            "layout=a4-2x4&format=html&which=wifi&ssid=shop&password=short",
            "This is no Wi-Fi",
        ),
    ] {
        let form = format!("store=SZ01&{form}");
        let answer = browser.post("/sheets", &form, &origin).await;
        let page = browser.get(location(&answer).1).await.text();
        assert!(page.contains(says), "{form}: {page}");
    }
}

#[tokio::test]
async fn an_operator_moves_a_sticker_and_takes_it_back() {
    let hq = TestHq::new().await;
    let browser = TestBrowser::signed_in(&hq).await;
    let origin = format!("http://{HOST}");
    let code = TouchpointCode::parse("C6ACKWGQ").unwrap();
    let label = || {
        let chain = hq.state.bundles.chain().unwrap();
        chain.bundle.touchpoint(code).unwrap().1.label.clone()
    };
    let form = "store=SZ01&code=C6ACKWGQ&kind=door&label=West+door";
    let answer = browser.post("/sheets/bind", form, &origin).await;
    assert_eq!(location(&answer), (303, "/sheets?store=SZ01"));
    assert_eq!(label(), "West door");
    let page = browser.get("/sheets").await.text();
    assert!(
        page.contains("<strong>West door · Door</strong><br><small>admin, 12-01 15:30"),
        "{page}"
    );

    let too_long = "store=SZ01&code=C6ACKWGQ&kind=door&label=a+name+that+no+sticker+takes";
    let answer = browser.post("/sheets/bind", too_long, &origin).await;
    let page = browser.get(location(&answer).1).await.text();
    assert!(page.contains("Nothing was changed"), "{page}");
    assert_eq!(label(), "West door");

    browser
        .post("/sheets/bind", "store=SZ01&code=C6ACKWGQ", &origin)
        .await;
    assert_eq!(label(), "");
    let unknown = "store=SZ01&code=22222222&kind=door&label=West";
    let answer = browser.post("/sheets/bind", unknown, &origin).await;
    assert_eq!(answer.status, 404);
}

/// A filled form, of which `edit` says something else.
fn promo(edit: &[(&str, &str)]) -> String {
    let fields = [
        ("id", "promo-0000abcd"),
        ("store", ""),
        ("item_zh", "小菜"),
        ("item_hant", ""),
        ("item_en", "side dish"),
        ("quantity", "1"),
        ("day", "mon"),
        ("day", "tue"),
        ("from", "14:00"),
        ("to", "17:00"),
        ("per_day", "20"),
        ("first", "2099-01-01"),
        ("last", "2099-02-01"),
        ("valid", "7"),
        ("cost", "2.50"),
    ];
    let pairs = fields.map(|(name, value)| {
        let edited = edit.iter().find(|(field, _)| *field == name);
        (name, edited.map_or(value, |(_, value)| *value))
    });
    serde_urlencoded::to_string(pairs).unwrap()
}

#[tokio::test]
async fn a_promo_is_made_from_a_form_withdrawn_and_put_back() {
    let hq = TestHq::new().await;
    let browser = TestBrowser::signed_in(&hq).await;
    let origin = format!("http://{HOST}");
    let empty = browser.get("/promos").await;
    assert!(empty.text().contains("None yet."), "{}", empty.text());
    for _ in 0..2 {
        let made = browser.post("/promos", &promo(&[]), &origin).await;
        assert_eq!(location(&made), (303, "/promos?done=made"));
    }
    let listed = browser.get("/promos?done=made").await;
    let text = listed.text();
    assert!(text.contains("on its way to the boxes"), "{text}");
    assert_eq!(
        text.matches("Free with your visit: side dish</strong>")
            .count(),
        1
    );
    let file = hq.folder.path().join("campaigns/promo-0000abcd.toml");
    let written = fs_err::read(&file).unwrap();

    let id = "id=promo-0000abcd";
    let gone = browser.post("/promos/withdraw", id, &origin).await;
    assert_eq!(location(&gone), (303, "/promos?done=withdrawn"));
    assert!(!file.exists());
    let page = browser.get("/promos").await;
    assert!(page.text().contains("Put back"), "{}", page.text());
    browser.post("/promos/back", id, &origin).await;
    assert_eq!(fs_err::read(&file).unwrap(), written);

    let others = browser
        .post("/promos/withdraw", "id=quiet-hours", &origin)
        .await;
    assert_eq!(others.status, 303);
    assert!(hq.folder.path().join("campaigns/quiet-hours.toml").exists());
}

#[tokio::test]
async fn a_promo_with_a_fault_says_it_at_the_field_and_writes_nothing() {
    let hq = TestHq::new().await;
    let browser = TestBrowser::signed_in(&hq).await;
    let origin = format!("http://{HOST}");
    for (field, value, sentence) in [
        ("last", "2098-12-31", "This is before the first day."),
        ("item_en", "a dish for following us", "R06: "),
        ("valid", "", "Please fill this in."),
    ] {
        let form = promo(&[(field, value)]);
        let refused = browser.post("/promos", &form, &origin).await;
        assert_eq!(refused.status, 422, "{field}");
        let html = refused.text();
        let note = format!("<p class=\"fault\" id=\"{field}-note\">{sentence}");
        assert!(html.contains(&note), "{note}: {html}");
        assert!(html.contains("value=\"小菜\""), "what was typed stays");
    }
    let files = fs_err::read_dir(hq.folder.path().join("campaigns")).unwrap();
    assert_eq!(files.count(), 1, "only what was there before");
}
