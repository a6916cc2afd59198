//! What the stories are told with: the real program as processes, a chain's folder, a guest's phone.

mod chain;
mod counter;
mod crowd;
mod dice;
pub(crate) mod postgres;
mod process;
mod wrong_clock;

pub(crate) use chain::{
    Sending, TestChain, TestStore, edit_campaign, open_sister, settings, table, write_chain,
};
pub(crate) use counter::{Told, counter_page, headquarters_tells, told};
pub(crate) use crowd::{Crowd, Held, tap_again};
pub(crate) use dice::Dice;
pub(crate) use process::{NotReady, Process, Starting, answer, ask, compile, maitred, run};
pub(crate) use wrong_clock::ClockOff;

use std::path::Path;
use std::time::Duration;

use axum::http::StatusCode;
use maitred::cli::demo::phone::Page;
pub(crate) use maitred::cli::demo::phone::Phone;
pub(crate) use maitred::ops::tasks::Tasks;
use tokio::time::Instant;

/// Long enough for a loaded machine; a story that needs it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A number that `tests/soak` passes in the environment, or the one for every day.
#[expect(clippy::disallowed_methods, reason = "this is how a test is told")]
pub(crate) fn asked_for(name: &str, otherwise: usize) -> usize {
    match std::env::var(name) {
        Ok(number) => number.parse().unwrap(),
        Err(_) => otherwise,
    }
}

/// Every file below `dir`, whatever it is called and however large it is.
pub(crate) fn bytes_below(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(bytes_below(&path));
        } else if path.is_file() {
            files.push((path.display().to_string(), fs_err::read(&path).unwrap()));
        }
    }
    files
}

/// Asks `question` again and again until it has an answer.
pub(crate) async fn eventually<T, F>(what: &str, mut question: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        // Between two questions to another process; nothing hangs on how long.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A guest's coupon, as seen on the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenCoupon {
    pub(crate) path: String,
    pub(crate) code: String,
    pub(crate) token: String,
}

/// Opens the landing page of `code` on a new phone.
pub(crate) async fn scan(portal: std::net::SocketAddr, code: &str) -> (Phone, Page) {
    let mut phone = Phone::open(portal, &Tasks::new()).await.unwrap();
    let landing = phone.get(&format!("/t/{code}")).await.unwrap();
    assert_eq!(landing.status, StatusCode::OK, "{}", landing.html);
    (phone, landing)
}

/// Taps "Continue to the Internet" on the page of the Wi-Fi.
pub(crate) async fn ask_to_be_let_in(portal: std::net::SocketAddr) -> Page {
    let mut phone = Phone::open(portal, &Tasks::new()).await.unwrap();
    let arrival = phone.get("/").await.unwrap();
    let shown = arrival.field("tap").unwrap();
    phone.post("/admit", &[("tap", shown)]).await.unwrap()
}

/// Taps the button of `landing`; the path of the coupon.
pub(crate) async fn tap(phone: &mut Phone, landing: &Page) -> String {
    let fields = claim_fields(landing);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = phone.post("/claim", &fields).await.unwrap();
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    answer.location.unwrap()
}

/// What the form of a landing page sends.
pub(crate) fn claim_fields(landing: &Page) -> [(&'static str, String); 3] {
    ["code", "campaign", "tap"].map(|name| (name, landing.field(name).unwrap().to_owned()))
}

/// Opens a coupon's page.
pub(crate) async fn see(phone: &mut Phone, path: &str) -> SeenCoupon {
    let page = phone.get(path).await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let code = page.between("<p class=\"code\"", "</p>").unwrap();
    SeenCoupon {
        path: path.to_owned(),
        code: code.rsplit('>').next().unwrap().to_owned(),
        token: page.between("data-token=\"", "\"").unwrap().to_owned(),
    }
}

/// Scans, taps and sees: one guest's coupon.
pub(crate) async fn claim(portal: std::net::SocketAddr, code: &str) -> SeenCoupon {
    let (mut phone, landing) = scan(portal, code).await;
    let path = tap(&mut phone, &landing).await;
    see(&mut phone, &path).await
}

/// A paired till with somebody signed in.
pub(crate) struct Till {
    pub(crate) phone: Phone,
}

impl Till {
    pub(crate) async fn open(store: &TestStore, pin: &str) -> Self {
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let code = store.pairing_code().await;
        let paired = phone.post("/till/pair", &[("code", &code)]).await.unwrap();
        assert_eq!(paired.status, StatusCode::SEE_OTHER, "{}", paired.html);
        let signed_in = phone
            .post("/till/sign-in", &[("name", "lin"), ("pin", pin)])
            .await
            .unwrap();
        assert_eq!(
            signed_in.status,
            StatusCode::SEE_OTHER,
            "{}",
            signed_in.html
        );
        Self { phone }
    }

    /// Types a code or scans a token.
    pub(crate) async fn redeem(&mut self, code: &str) -> Page {
        let page = self.phone.get("/till").await.unwrap();
        let redemption = page.field("redemption").unwrap().to_owned();
        let fields = [("code", code), ("redemption", redemption.as_str())];
        self.phone.post("/till/redeem", &fields).await.unwrap()
    }
}
