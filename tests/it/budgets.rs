//! What a page may weigh and need, measured as it is sent.

use axum::body::Bytes;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use axum::http::{HeaderMap, Method, Response};
use maitred::ops::ask::Connection;
use maitred::ops::files::random;
use maitred::ops::tasks::Tasks;
use maitred::wire::encoding::gunzip;

use crate::support::{TestStore, ask_to_be_let_in, claim, claim_fields, scan, table, write_chain};

/// 14 KB: the first flight of a TCP connection (RFC 6928, ten segments).
const MOST_BYTES: usize = 14 * 1024;

async fn get(store: &TestStore, path: &str, language: &'static str) -> Response<Bytes> {
    let mut connection = Connection::open(store.portal(), &Tasks::new())
        .await
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert("accept-language", HeaderValue::from_static(language));
    connection
        .ask(Method::GET, path, &headers, "")
        .await
        .unwrap()
}

/// A picture of 4,096 bytes that no packing makes smaller.
fn largest_logo() -> Vec<u8> {
    let noise = random::<{ 4096 - 8 - 25 - 12 - 12 }>();
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], name, data, &[0; 4]].concat()
    };
    let header = [0, 0, 0, 200, 0, 0, 0, 100, 8, 6, 0, 0, 0];
    let chunks = [
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &noise),
        chunk(b"IEND", &[]),
    ];
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
}

fn text(answer: &Response<Bytes>) -> String {
    assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
    String::from_utf8(gunzip(answer.body(), 1 << 20).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_a_diner_sees_fits_the_first_flight_and_asks_for_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // What a shop may make of its pages at most.
    let chain = dir.path().join("chain");
    write_chain(&chain);
    fs_err::write(chain.join("logo.png"), largest_logo()).unwrap();
    let store = TestStore::alone(dir.path()).await;
    let coupon = claim(store.portal(), &table(1)).await;
    let landing = format!("/t/{}", table(1));
    let just_looking = format!("{landing}?look=1");
    let large = format!("{landing}?type=large");
    let of_the_shop = [
        landing.as_str(),
        &just_looking,
        &large,
        &coupon.path,
        "/",
        "/me",
        "/notice",
    ];
    let of_nobody = ["/t/22222222", "/c/22222222222222222222222222"];
    for path in of_the_shop.into_iter().chain(of_nobody) {
        for language in ["zh-CN", "zh-Hant", "en"] {
            let answer = get(&store, path, language).await;
            let head: usize = answer
                .headers()
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len() + 4)
                .sum();
            let sent = head + answer.body().len();
            assert!(sent <= MOST_BYTES, "{path} in {language} is {sent} bytes");
            let html = text(&answer);
            assert!(
                html.contains(&format!("<html lang=\"{language}\">")),
                "{html}"
            );
            // The empty icon, without which a phone asks for one.
            let html = html.replace("<link rel=\"icon\" href=\"data:,\">", "");
            // The logo, which is in the page.
            let logo = "<img src=\"data:image/png;base64,";
            let logos = usize::from(of_the_shop.contains(&path));
            assert_eq!(html.matches(logo).count(), logos, "{path} in {language}");
            let html = html.replace(logo, "");
            for outside in ["<script", "src=", "@import", "<link", "url("] {
                assert!(!html.contains(outside), "{path} has {outside}");
            }
            // The only address in full is the name of SVG, which nobody fetches.
            let addresses = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!addresses.contains("http"), "{path} names a host");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_type_stays_from_the_table_to_the_coupon_in_a_window_that_keeps_no_cookies() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let landing = format!("/t/{}", table(1));
    let usual = text(&get(&store, &landing, "en").await);
    let link = "href=\"?type=large\"";
    assert!(usual.contains(link), "{usual}");
    let is_large = |html: &str| html.contains("html{font-size:133");
    assert!(!is_large(&usual));

    let large = text(&get(&store, &format!("{landing}?type=large"), "en").await);
    assert!(is_large(&large) && large.contains("action=\"/claim?type=large\""));
    let (mut window, showing) = scan(store.portal(), &table(1)).await;
    let fields = claim_fields(&showing);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = window.post("/claim?type=large", &fields).await.unwrap();
    let coupon = answer.location.unwrap();
    assert!(coupon.ends_with("?type=large"), "{coupon}");
    assert!(is_large(&text(&get(&store, &coupon, "en").await)));
    // Whoever never asked for it is shown the usual page, which was made ahead before and after.
    assert!(!is_large(&text(&get(&store, &landing, "en").await)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_ahead_page_is_the_same_page_packed_and_plain() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let path = format!("/t/{}", table(1));
    let packed = text(&get(&store, &path, "en").await);
    let mut connection = Connection::open(store.portal(), &Tasks::new())
        .await
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("accept-language", HeaderValue::from_static("en"));
    let plain = connection
        .ask(Method::GET, &path, &headers, "")
        .await
        .unwrap();
    let plain = String::from_utf8(plain.body().to_vec()).unwrap();
    let tap = |html: &str| html.split("name=\"tap\" value=\"").nth(1).unwrap()[..32].to_owned();
    assert_ne!(tap(&packed), tap(&plain), "each showing has its own tap");
    assert_eq!(
        packed.replace(&tap(&packed), ""),
        plain.replace(&tap(&plain), "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wifi_page_offers_the_internet_as_large_as_the_coupon_and_lets_in_on_one_tap() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::alone(dir.path()).await;
    let html = text(&get(&store, "/", "en").await);
    assert!(
        html.contains("<button class=\"button\">Claim it</button>"),
        "{html}"
    );
    assert!(html.contains(
        "<button class=\"button other\" formaction=\"/admit\">Continue to the Internet</button>"
    ));

    let probe = "/generate_204";
    assert_eq!(get(&store, probe, "en").await.status(), 302, "walled");
    let admitted = ask_to_be_let_in(store.portal()).await;
    assert_eq!(admitted.location.as_deref(), Some("/online"));
    assert_eq!(get(&store, probe, "en").await.status(), 204, "admitted");
    assert!(text(&get(&store, "/online", "en").await).contains("You are online"));
}
