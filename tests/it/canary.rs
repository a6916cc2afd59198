//! A phone number that a guest typed is nowhere to be read: not in the state directory, not in a log, not in the
//! metrics, in no spelling. And the look that says so can find one.

use std::path::Path;

use axum::http::StatusCode;
use maitred::domain::event::{AccessLogged, Event};
use maitred::domain::phone::{Country, Phone};
use maitred::wire::encoding::to_base64;
use maitred::wire::sealed::{OpeningKey, SealingKey};

use maitred::cli::demo::phone::Page;

use crate::booking::{noon_in, take_bookings};
use crate::support::{
    Phone as CallingPhone, Tasks, TestChain, Till, bytes_below, scan, table, tap,
};

/// Nobody's: no other bytes of a test look like it.
const CANARY: &str = "13987652341";

/// Every way in which a program might have written it down.
fn spellings() -> Vec<Vec<u8>> {
    let (a, b, c) = (&CANARY[..3], &CANARY[3..7], &CANARY[7..]);
    let mut texts = vec![CANARY.to_owned()];
    texts.extend(["-", " ", ".", "%20", "+", "\u{3000}"].map(|gap| [a, b, c].join(gap)));
    let wide = |digit: char| char::from_u32('０' as u32 + digit.to_digit(10).unwrap()).unwrap();
    texts.push(CANARY.chars().map(wide).collect());
    texts.push(CANARY.chars().rev().collect());
    let mut spellings: Vec<Vec<u8>> = Vec::new();
    for text in &texts {
        spellings.push(text.clone().into_bytes());
        let units: Vec<u16> = text.encode_utf16().collect();
        spellings.push(units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
        spellings.push(units.iter().flat_map(|unit| unit.to_be_bytes()).collect());
        // Wherever it begins in a longer text, the letters of base64 for its middle are one of three.
        for before in 0..3 {
            let padded = [
                vec![b'x'; before],
                text.clone().into_bytes(),
                b"xx".to_vec(),
            ]
            .concat();
            let letters = to_base64(&padded);
            let middle = &letters.as_bytes()[4..letters.len() - 4];
            spellings.push(middle.to_vec());
        }
    }
    let number: u64 = CANARY.parse().unwrap();
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    spellings.extend([
        hex.clone().into_bytes(),
        hex.to_uppercase().into_bytes(),
        number.to_le_bytes()[..5].to_vec(),
        number.to_be_bytes()[3..].to_vec(),
    ]);
    spellings
}

fn finds(bytes: &[u8]) -> bool {
    let known = spellings();
    let mut known = known.iter();
    known.any(|one| bytes.windows(one.len()).any(|at| at == one.as_slice()))
}

/// The files under `dir` in which the number can be read.
fn read_in(dir: &Path) -> Vec<String> {
    let files = bytes_below(dir).into_iter();
    let found = files.filter(|(_, bytes)| finds(bytes));
    found.map(|(name, _)| name).collect()
}

#[test]
fn the_look_finds_a_number_in_every_spelling() {
    let dir = tempfile::tempdir().unwrap();
    for (n, spelling) in spellings().into_iter().enumerate() {
        let file = dir.path().join(format!("{n}"));
        fs_err::write(
            &file,
            [b"before".to_vec(), spelling, b"after".to_vec()].concat(),
        )
        .unwrap();
        assert_eq!(read_in(dir.path()), [file.display().to_string()]);
        fs_err::remove_file(file).unwrap();
    }
    assert!(finds(
        to_base64(format!("tel: {CANARY}, thanks").as_bytes()).as_bytes()
    ));
    assert!(!finds(b"13987652340 139-8765-2342"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_typed_can_be_read_nowhere_on_the_box_and_at_headquarters_by_its_key() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let (mut phone, landing) = scan(store.portal(), &table(1)).await;
    let coupon = tap(&mut phone, &landing).await;

    // Wherever a guest can type, and in the addresses that they open.
    let page = phone.get("/feedback?lang=en").await.unwrap();
    let id = page.field("id").unwrap().to_owned();
    let said = [("id", id.as_str()), ("words", "call me: 139 8765 2341")];
    let refused = phone.post("/feedback", &said).await.unwrap();
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for path in [
        format!("/t/{CANARY}"),
        format!("/c/{CANARY}"),
        format!("/me?lang={CANARY}"),
    ] {
        phone.get(&path).await.unwrap();
    }
    let consent = format!("{coupon}/consent");
    phone
        .post(&consent, &[("marketing", CANARY)])
        .await
        .unwrap();
    phone
        .post("/me/erase", &[("coupons", CANARY)])
        .await
        .unwrap();
    phone
        .post("/till/sign-in", &[("name", CANARY), ("pin", CANARY)])
        .await
        .unwrap();
    phone.post("/claim", &[("code", CANARY)]).await.unwrap();
    let metrics = store.ops("/metrics").await;
    assert!(!finds(metrics.as_bytes()), "{metrics}");
    store.wait_until_sent().await;
    store.process.stop();
    assert!(
        bytes_below(&chain.path("store")).len() > 5,
        "there is something to look at"
    );
    let found = read_in(&chain.path("."));
    assert_eq!(found, Vec::<String>::new());

    // What is kept of a number: sealed, and masked.
    let key = fs_err::read(chain.path("hq/sealing.key")).unwrap();
    let key = OpeningKey::read(&key).unwrap();
    let public = fs_err::read_to_string(chain.path("hq/sealing.pub")).unwrap();
    let public = SealingKey::try_from(public.trim().to_owned()).unwrap();
    let typed = Phone::typed(CANARY, Country::Cn).unwrap().unwrap();
    let kept = public.seal_phone("booking 1", &typed).unwrap();
    let written = serde_json::to_vec(&kept).unwrap();
    assert!(!finds(&written) && !finds(format!("{typed:?} {kept:?}").as_bytes()));
    let logged = Event::AccessLogged(AccessLogged {
        sealed: Some(kept.sealed.clone()),
    });
    assert!(!finds(format!("{logged:?}").as_bytes()));
    let opened = key.open("booking 1", &kept.sealed).unwrap();
    assert_eq!(opened, format!("+86{CANARY}").into_bytes());
}

/// Sends the form of a table at noon tomorrow.
async fn book(guest: &mut CallingPhone, number: &str) -> Page {
    let page = guest.get("/book?lang=en").await.unwrap();
    let id = page.field("id").unwrap().to_owned();
    let at = noon_in(1);
    let fields = [
        ("id", id.as_str()),
        ("party", "2"),
        ("at", &at),
        ("name", "Lin"),
        ("phone", number),
    ];
    guest.post("/book?lang=en", &fields).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_a_booking_is_read_by_its_stores_staff_through_headquarters_and_nowhere_else()
{
    let chain = TestChain::start_edited(take_bookings);
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut guest = CallingPhone::open(store.portal(), &Tasks::new())
        .await
        .unwrap();
    for (number, sentence) in [
        ("139 8765 call me", "it has digits only"),
        ("0171 2345678", "no mobile number of this country"),
        ("+86 755 8660 1234", "no such number with that country code"),
    ] {
        let page = book(&mut guest, number).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{number}");
        assert!(page.html.contains(sentence), "{number}: {}", page.html);
        assert!(
            page.html.contains(&format!("value=\"{number}\"")),
            "it is gone"
        );
    }
    let booked = book(&mut guest, "139-8765-2341").await;
    assert_eq!(booked.status, StatusCode::SEE_OTHER, "{}", booked.html);
    let path = booked.location.unwrap();
    let (path, _) = path.split_once('?').unwrap_or((&path, ""));
    let own = guest.get(&format!("{path}?lang=en")).await.unwrap();
    assert!(own.html.contains("Number given, sealed"), "{}", own.html);
    let mut till = Till::open(&store, &pin).await;
    let list = till.phone.get("/counter/bookings?lang=en").await.unwrap();
    assert!(list.html.contains("Has left a number"), "{}", list.html);
    for page in [&own.html, &list.html] {
        assert!(!finds(page.as_bytes()) && !page.contains("2341"), "{page}");
    }
    store.wait_until_sent().await;

    let code = own.between("<p class=\"code\">", "<").unwrap();
    let id = path.strip_prefix("/book/").unwrap();
    let asked = |booking, store, by| {
        [
            "booking",
            "phone",
            booking,
            "--store",
            store,
            "--by",
            by,
            "--why",
            "they are late",
        ]
    };
    for booking in [id, code] {
        let said = chain.hq(&asked(booking, "SZ01", "lin"));
        assert_eq!(said.trim(), format!("+86{CANARY}"));
    }
    for (refused, sentence) in [
        (
            asked(id, "SZ01", "chen"),
            "nobody called chen works in SZ01",
        ),
        (asked(id, "SZ02", "lin"), "SZ02"),
        (
            asked("2222", "SZ01", "lin"),
            "no such booking with a number",
        ),
    ] {
        let output = chain.try_hq(&refused);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(sentence),
            "{said}"
        );
        assert!(!finds(&output.stdout) && !finds(&output.stderr));
    }
    let ledger = maitred::hq::db::open(&maitred::hq::db::Place::Folder(chain.path("hq"))).await;
    let audit = ledger.unwrap().audit(100).await.unwrap();
    let opened = audit
        .iter()
        .filter(|entry| entry.action == "booking_phone_opened");
    let told: Vec<_> = opened.map(|entry| &*entry.detail).collect();
    assert_eq!(told, vec![format!("booking {id} by lin: they are late"); 2]);
    store.process.stop();
    assert_eq!(read_in(&chain.path(".")), Vec::<String>::new());
}
