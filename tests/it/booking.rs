//! A guest books a table, or signs up for an event; the counter answers, seats, checks in and takes back; a power
//! cut and a crowd change nothing of it.

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::Offset;
use maitred::cli::demo::phone::Page;
use maitred::domain::booking::tasting::InviteCode;
use maitred::domain::ids::Slug;
use maitred::ops::clock::{Clock, SystemClock};
use maitred::wire::invite_code::digest;
use tokio::task::JoinSet;

use crate::support::{
    Phone, Sending, Tasks, TestChain, TestStore, Till, ask, edit_campaign, eventually, scan, table,
};

/// The shop is open around the clock and takes two parties a half-hour.
pub(crate) fn take_bookings(chain: &Path) {
    let file = chain.join("stores/SZ01/store.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let more = "\n[[hours]]\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n\
                from = \"00:00\"\nto = \"00:00\"\n\
                [booking]\nparties_per_half_hour = 2\ngift = \"booking\"\n";
    fs_err::write(file, text + more).unwrap();
    add_playbook(chain, "booking");
}

/// A playbook's campaign, whatever day it is.
fn add_playbook(chain: &Path, name: &str) {
    let file = format!(
        "{}/templates/playbooks/{name}.toml",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = fs_err::read_to_string(file).unwrap();
    let always = text
        .replace("starts = 2026-12-01", "starts = 2020-01-01")
        .replace("ends = 2027-02-28", "ends = 2099-12-31");
    fs_err::write(chain.join(format!("campaigns/{name}.toml")), always).unwrap();
}

/// So many days from now at noon, on the wall of a shop in Shenzhen.
pub(crate) fn noon_in(days: i64) -> String {
    let today: Date = Offset::constant(8).to_datetime(SystemClock.now()).date();
    today
        .saturating_add(days.days())
        .at(12, 0, 0, 0)
        .to_string()
}

async fn phone(store: &TestStore) -> Phone {
    Phone::open(store.portal(), &Tasks::new()).await.unwrap()
}

/// Sends the form of a fresh page, in English.
async fn book(phone: &mut Phone, party: &str, at: &str, name: &str) -> Page {
    let page = phone.get("/book?lang=en").await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let id = page.field("id").unwrap().to_owned();
    send(phone, &id, party, at, name).await
}

async fn send(phone: &mut Phone, id: &str, party: &str, at: &str, name: &str) -> Page {
    let fields = [("id", id), ("party", party), ("at", at), ("name", name)];
    phone.post("/book?lang=en", &fields).await.unwrap()
}

/// The path of the booking that was made.
fn made(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    let path = page.location.clone().unwrap();
    path.split('?').next().unwrap().to_owned()
}

async fn word(phone: &mut Phone, path: &str, act: &str) -> Page {
    phone.post(path, &[("act", act)]).await.unwrap()
}

async fn staff_say(till: &mut Till, path: &str, act: &str) -> Page {
    let id = path.strip_prefix("/book/").unwrap();
    let shown = list(till).await;
    let row = shown.split_once(&format!("id=\"b{id}\"")).unwrap().1;
    let (_, rev) = row.split_once("name=\"rev\" value=\"").unwrap();
    let (rev, _) = rev.split_once('"').unwrap();
    let fields = [("id", id), ("act", act), ("rev", rev)];
    till.phone.post("/counter/bookings", &fields).await.unwrap()
}

async fn list(till: &mut Till) -> String {
    let page = till.phone.get("/counter/bookings?lang=en").await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    page.html
}

async fn reads(phone: &mut Phone, path: &str, words: &str) {
    let page = phone.get(&format!("{path}?lang=en")).await.unwrap();
    assert!(page.html.contains(words), "{words}: {}", page.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_booked_confirmed_and_seated_with_its_gift_offline_and_over_power_cuts() {
    let mut chain = TestChain::start_edited(take_bookings);
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    chain.stop_hq();
    let mut till = Till::open(&store, &pin).await;
    assert!(list(&mut till).await.contains("Nobody has booked"));

    let (mut guest, landing) = scan(store.portal(), &table(1)).await;
    assert!(
        landing.html.contains("/book?store=SZ01"),
        "{}",
        landing.html
    );
    let asked = guest.get("/book?lang=en").await.unwrap();
    let id = asked.field("id").unwrap().to_owned();
    let booked = send(&mut guest, &id, "4", &noon_in(1), "王女士").await;
    let path = made(&booked);
    let again = send(&mut guest, &id, "4", &noon_in(1), "王女士").await;
    assert_eq!(made(&again), path, "the same form is the same booking");
    reads(&mut guest, &path, "Your table is kept").await;
    reads(&mut guest, &path, "With it: plate of fruit").await;
    reads(&mut guest, "/me", "12:00").await;

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut till = Till::open(&store, &pin).await;
    let waiting = list(&mut till).await;
    assert!(
        waiting.contains("王女士") && waiting.contains("party of 4"),
        "{waiting}"
    );
    let front = till.phone.get("/counter?lang=en").await.unwrap().html;
    assert!(front.contains("Waiting for an answer: 1"), "{front}");
    staff_say(&mut till, &path, "confirm").await;
    let mut own = phone(&store).await;
    own.remember(guest.cookies());
    let mut guest = own;
    reads(&mut guest, &path, "Your table is confirmed").await;

    // Another time is another question.
    let change = [
        ("id", id.as_str()),
        ("change", "yes"),
        ("party", "3"),
        ("at", &noon_in(2)),
    ];
    let changed = guest.post("/book", &change).await.unwrap();
    assert_eq!(made(&changed), path);
    reads(&mut guest, &path, "party of 3").await;
    reads(&mut guest, &path, "Your table is kept").await;
    assert_eq!(
        word(&mut guest, &path, "cancel").await.status,
        StatusCode::SEE_OTHER
    );
    reads(&mut guest, &path, "The booking is cancelled").await;
    word(&mut guest, &path, "undo").await;
    reads(&mut guest, &path, "Your table is kept").await;
    let no = word(&mut guest, &path, "seat").await;
    assert_eq!(no.status, StatusCode::CONFLICT, "a guest seats nobody");

    staff_say(&mut till, &path, "seat").await;
    reads(&mut guest, &path, "Welcome").await;
    let page = guest.get(&path).await.unwrap();
    let coupon = page.between("href=\"/c/", "\"").unwrap().to_owned();
    staff_say(&mut till, &path, "undo").await;
    staff_say(&mut till, &path, "seat").await;
    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut guest = phone(&store).await;
    let page = guest.get(&path).await.unwrap();
    assert!(
        page.html.contains(&coupon),
        "seated twice is one gift: {}",
        page.html
    );

    chain.start_hq();
    store.wait_until_sent().await;
    let totals = chain.totals_with(1).await;
    assert_eq!((totals.quarantined, totals.coupons), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_book_one_half_hour_at_once_never_get_more_than_there_is_over_a_power_cut() {
    let chain = TestChain::start_edited(take_bookings);
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let at = Arc::new(noon_in(1));
    let mut crowd = JoinSet::new();
    let portal = store.portal();
    for guest in 0..100_u32 {
        let at = Arc::clone(&at);
        crowd.spawn(async move {
            let id = format!("{guest:032x}");
            // The plug is pulled while they ask.
            let mut phone = Phone::open(portal, &Tasks::new()).await.ok()?;
            let fields = [
                ("id", id.as_str()),
                ("party", "2"),
                ("at", &at),
                ("name", "A"),
            ];
            let page = phone.post("/book", &fields).await.ok()?;
            Some((id, page.status == StatusCode::SEE_OTHER))
        });
    }
    // Some have an answer, others have not.
    let mut promised = Vec::new();
    for _ in 0..40 {
        promised.extend(crowd.join_next().await.unwrap().unwrap());
    }
    store.process.kill();
    while let Some(answer) = crowd.join_next().await {
        promised.extend(answer.unwrap());
    }
    let promised: Vec<_> = promised
        .into_iter()
        .filter_map(|(id, is_booked)| is_booked.then_some(id))
        .collect();

    let store = chain.start_store(Sending::AtOnce).await;
    let mut till = Till::open(&store, &pin).await;
    let kept = list(&mut till).await;
    let kept: Vec<_> = kept.split("id=\"b").skip(1).map(|row| &row[..32]).collect();
    assert!(
        kept.len() <= 2 && promised.len() <= 2,
        "{kept:?} {promised:?}"
    );
    for id in &promised {
        assert!(kept.contains(&id.as_str()), "{id} was promised a table");
    }
    // The same hundred again, as phones that reload: whoever was promised one has it, and two are booked at last.
    let mut guest = phone(&store).await;
    for id in 0..100_u32 {
        let id = format!("{id:032x}");
        let answer = send(&mut guest, &id, "2", &at, "A").await;
        let has_it = answer.status == StatusCode::SEE_OTHER;
        assert!(has_it || !promised.contains(&id), "{}", answer.html);
    }
    let kept = list(&mut till).await.matches("id=\"b").count();
    assert_eq!(kept, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_booked_is_said_at_its_field_and_nothing_typed_is_lost() {
    let chain = TestChain::start_edited(|folder| {
        take_bookings(folder);
        edit_campaign(folder, "from = \"00:00\"", "from = \"13:00\"");
        let store = folder.join("stores/SZ01/store.toml");
        let text = fs_err::read_to_string(&store).unwrap();
        let in_the_afternoon = text.replace("gift = \"booking\"", "gift = \"quiet-hours\"");
        fs_err::write(store, in_the_afternoon).unwrap();
    });
    let store = chain.open_store().await;
    let mut guest = phone(&store).await;
    let tomorrow = noon_in(1);
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    for (party, at, name, sentence) in [
        ("0", &*tomorrow, "Lin", "for 1 to 8 people"),
        ("4000", &tomorrow, "Lin", "for 1 to 8 people"),
        ("many", &tomorrow, "Lin", "for 1 to 8 people"),
        ("9", &tomorrow, "Lin", "for 1 to 8 people"),
        ("2", "", "Lin", "Please choose a time"),
        ("2", "tomorrow", "Lin", "Please choose a time"),
        ("2", "2020-01-01T12:00", "Lin", "over, or too soon"),
        ("2", "2999-01-01T12:00", "Lin", "further ahead"),
        (
            "2",
            &tomorrow.replace(":00:00", ":07:00"),
            "Lin",
            "We are closed then",
        ),
        ("2", &tomorrow, "", "a name of at most 20"),
        (
            "2",
            &tomorrow,
            "123456789012345678901",
            "a name of at most 20",
        ),
        ("2", &tomorrow, "13800138000", "leave out phone numbers"),
    ] {
        let page = book(&mut guest, party, at, name).await;
        assert_eq!(page.status, refused, "{party} {at} {name}: {}", page.html);
        assert!(page.html.contains(sentence), "{sentence}: {}", page.html);
        assert!(
            page.html.contains(&format!("value=\"{name}\"")),
            "{name} is gone"
        );
    }
    // Markup is a name like any other, and stays words.
    let page = book(&mut guest, "2", &tomorrow, "<b>Lin</b>").await;
    let page = guest.get(&made(&page)).await.unwrap();
    assert!(!page.html.contains("<b>Lin"), "{}", page.html);
    // The gift is for the afternoon, and nobody is promised it at noon.
    assert!(!page.html.contains("cucumber"), "{}", page.html);
    for nonsense in ["/book/zz", "/book/00000000000000000000000000000000"] {
        assert_eq!(
            guest.get(nonsense).await.unwrap().status,
            StatusCode::NOT_FOUND
        );
    }
    let log = store.process.log();
    assert!(
        !log.contains("Lin") && !log.contains("13800138000"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_takes_no_bookings_says_so_and_shows_no_way_there() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let (mut guest, landing) = scan(store.portal(), &table(1)).await;
    assert!(!landing.html.contains("/book"), "{}", landing.html);
    let page = guest.get("/book?lang=en").await.unwrap();
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.html.contains("No bookings here"), "{}", page.html);
    let mut till = Till::open(&store, &pin).await;
    assert!(list(&mut till).await.contains("takes no bookings"));
    let stranger = guest.get("/counter/bookings").await.unwrap();
    assert_eq!(stranger.location.as_deref(), Some("/till"));
}

/// A tasting in two days for three people, by invitation; a code of the shop's and two to pass on for each.
fn invite(chain: &Path) -> InviteCode {
    take_bookings(chain);
    let code = InviteCode::from_entropy(4_711);
    let event = Slug::parse("new-broth").unwrap();
    let text = format!(
        "[[event]]\nid = \"{event}\"\ntitle = {{ zh = \"新汤\", en = \"The new broth\" }}\n\
         text = {{ zh = \"来尝\", en = \"Taste it\" }}\nat = \"{}\"\nplaces = 3\nby_invitation = true\n\
         codes = [\"{}\"]\ncodes_per_guest = 2\ngift = \"tasting\"\n",
        noon_in(2),
        digest(&event, code)
    );
    fs_err::write(chain.join("stores/SZ01/events.toml"), text).unwrap();
    add_playbook(chain, "tasting");
    code
}

async fn sign_up(phone: &mut Phone, name: &str, code: &str) -> Page {
    let page = phone.get("/events/new-broth?lang=en").await.unwrap();
    let id = page.field("id").unwrap().to_owned();
    let fields = [
        ("id", id.as_str()),
        ("party", "1"),
        ("name", name),
        ("code", code),
    ];
    phone
        .post("/events/new-broth?lang=en", &fields)
        .await
        .unwrap()
}

/// The codes that a guest can pass on.
async fn codes(phone: &mut Phone, path: &str) -> Vec<String> {
    let page = phone.get(&format!("{path}?lang=en")).await.unwrap();
    let (_, list) = page.html.split_once("Invite your friends").unwrap();
    let codes = list.split("<p><strong>").skip(1);
    codes.map(|code| code[..9].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_invites_once_and_whoever_waits_moves_up_and_is_checked_in_offline() {
    let mut shops_code = None;
    let mut chain = TestChain::start_edited(|folder| shops_code = Some(invite(folder)));
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    chain.stop_hq();
    let shops_code = shops_code.unwrap().to_string();

    let (mut first, landing) = scan(store.portal(), &table(1)).await;
    assert!(
        landing.html.contains("/events?store=SZ01"),
        "{}",
        landing.html
    );
    let list = first.get("/events?lang=en").await.unwrap();
    assert!(list.html.contains("3 places are left"), "{}", list.html);
    for (code, sentence) in [
        ("", "by invitation"),
        ("2222-2222", "no such code"),
        ("QQQQ", "no such code"),
    ] {
        let no = sign_up(&mut first, "A", code).await;
        assert_eq!(no.status, StatusCode::UNPROCESSABLE_ENTITY, "{code}");
        assert!(no.html.contains(sentence), "{code}: {}", no.html);
    }
    let own = made(&sign_up(&mut first, "A", &shops_code.to_lowercase()).await);
    reads(&mut first, &own, "You have a place").await;
    let again = sign_up(&mut phone(&store).await, "B", &shops_code).await;
    assert!(
        again.html.contains("used this code already"),
        "{}",
        again.html
    );

    // The host's two codes, and one of a guest's: three places are taken and one waits.
    let passed = codes(&mut first, &own).await;
    assert_eq!(passed.len(), 2);
    let mut second = phone(&store).await;
    let its_own = made(&sign_up(&mut second, "B", &passed[0]).await);
    made(&sign_up(&mut phone(&store).await, "C", &passed[1]).await);
    assert_eq!(
        codes(&mut first, &own).await,
        Vec::<String>::new(),
        "both are used"
    );
    let more = codes(&mut second, &its_own).await;
    let mut fourth = phone(&store).await;
    let waiting = made(&sign_up(&mut fourth, "D", &more[0]).await);
    reads(&mut fourth, &waiting, "You are number 1 on the list").await;

    word(&mut first, &own, "cancel").await;
    reads(&mut fourth, &waiting, "You have a place").await;
    let no = word(&mut first, &own, "undo").await;
    assert_eq!(
        no.status,
        StatusCode::CONFLICT,
        "the place is somebody else's"
    );
    let page = fourth.get(&waiting).await.unwrap();
    let code = page.between("<p class=\"code\">", "<").unwrap().to_owned();

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut till = Till::open(&store, &pin).await;
    let door = "/counter/events/new-broth?lang=en";
    for (shown, status, sentence) in [
        ("2222", StatusCode::CONFLICT, "Nobody on this list"),
        (code.as_str(), StatusCode::OK, "Checked in: D"),
        (code.as_str(), StatusCode::OK, "checked in before: D"),
    ] {
        let said = till.phone.post(door, &[("code", shown)]).await.unwrap();
        assert_eq!(said.status, status, "{shown}: {}", said.html);
        assert!(said.html.contains(sentence), "{shown}: {}", said.html);
    }
    let mut fourth = phone(&store).await;
    reads(&mut fourth, &waiting, "You are checked in").await;
    reads(&mut fourth, &waiting, "href=\"/c/").await;
    reads(&mut fourth, &waiting, "href=\"/feedback").await;

    chain.start_hq();
    store.wait_until_sent().await;
    assert_eq!(
        chain.totals().await.quarantined,
        0,
        "headquarters reads all of it"
    );
}

/// Gives the event so many places, for everybody.
fn open_event(chain: &Path, places: u32) {
    let file = chain.join("stores/SZ01/events.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let text = text.replace("by_invitation = true\n", "");
    let (before, rest) = text.split_once("places = ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    fs_err::write(file, format!("{before}places = {places}\n{after}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_moves_up_when_a_guest_is_forgotten_and_when_the_shop_has_more_chairs() {
    let mut shops_code = None;
    let mut chain = TestChain::start_edited(|folder| {
        shops_code = Some(invite(folder).to_string());
        open_event(folder, 1);
    });
    let store = chain.open_store().await;
    chain.stop_hq();
    let code = shops_code.unwrap();
    let mut first = phone(&store).await;
    made(&sign_up(&mut first, "A", &code).await);
    let mut second = phone(&store).await;
    let seconds = made(&sign_up(&mut second, "B", "").await);
    let mut third = phone(&store).await;
    let thirds = made(&sign_up(&mut third, "C", "").await);
    reads(&mut third, &thirds, "You are number 2 on the list").await;

    let gone = first.post("/me/erase", &[("coupons", "keep")]).await;
    assert_eq!(gone.unwrap().status, StatusCode::OK);
    reads(&mut second, &seconds, "You have a place").await;
    let again = sign_up(&mut phone(&store).await, "D", &code).await;
    let used = "used this code already";
    assert!(again.html.contains(used), "{}", again.html);

    open_event(&chain.path("chain"), 2);
    chain.start_hq();
    eventually("the third to move up", || async {
        let page = phone(&store)
            .await
            .get(&format!("{thirds}?lang=en"))
            .await
            .unwrap();
        page.html.contains("You have a place").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_sign_up_at_once_get_the_places_there_are_and_the_others_wait() {
    let chain = TestChain::start_edited(|folder| {
        invite(folder);
        open_event(folder, 3);
    });
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let portal = store.portal();
    let mut crowd = JoinSet::new();
    for guest in 0..100_u32 {
        crowd.spawn(async move {
            let id = format!("{guest:032x}");
            let fields = [("id", id.as_str()), ("party", "1"), ("name", "A")];
            // One address has a share of the connections, so a phone comes again, with the same form.
            let page = eventually("an answer", || async {
                let mut phone = Phone::open(portal, &Tasks::new()).await.ok()?;
                phone.post("/events/new-broth", &fields).await.ok()
            })
            .await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        });
    }
    crowd.join_all().await;
    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut till = Till::open(&store, &pin).await;
    let list = till
        .phone
        .get("/counter/events/new-broth?lang=en")
        .await
        .unwrap();
    assert!(list.html.contains("<p>3/3 ·"), "{}", list.html);
    assert_eq!(list.html.matches("no room yet").count(), 97);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_street_promises_no_table_because_it_does_not_know_how_full_a_shop_is() {
    let chain = TestChain::start_edited(|folder| {
        invite(folder);
    });
    let street = chain.open_street().await;
    let (mut guest, landing) = scan(street.portal(), &table(1)).await;
    assert!(!landing.html.contains("/book") && !landing.html.contains("/events"));
    for path in [
        "/book?store=SZ01",
        "/events?store=SZ01",
        "/events/new-broth?store=SZ01",
    ] {
        let page = guest.get(path).await.unwrap();
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}: {}", page.html);
    }
    let at = noon_in(1);
    let fields = [
        ("id", "00000000000000000000000000000001"),
        ("store", "SZ01"),
        ("party", "2"),
        ("at", &at),
        ("name", "A"),
    ];
    let page = guest.post("/book", &fields).await.unwrap();
    assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.html);
}

#[test]
fn headquarters_makes_codes_and_the_digests_that_a_box_checks() {
    let said = ask(&["hq", "invite-codes", "new-broth", "--number", "3"]);
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    let codes: Vec<_> = lines
        .iter()
        .filter_map(|line| InviteCode::parse(line).ok())
        .collect();
    assert_eq!(codes.len(), 3, "{said}");
    let event = Slug::parse("new-broth").unwrap();
    for code in codes {
        assert!(
            said.contains(&format!("\"{}\",", digest(&event, code))),
            "{said}"
        );
    }
}
