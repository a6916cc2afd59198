//! What several tests of headquarters begin with: a ledger in a temporary folder, and frames to put into it.

use std::sync::Arc;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::bundles::{Bundles, Publisher};
use super::console::backoff::Backoff;
use super::console::sheets::Jobs;
use super::db::{Caller, Delivery, Enrolment, Entry, Ledger, NewToken};
use super::examine::examine;
use super::identity::Identity;
use super::init::init;
use super::routes::admission::Admission;
use super::routes::throttle::Throttle;
use super::state::{ConsoleOver, Shared, State};
use super::token;
use crate::domain::event::{Claim, Event, Moment, Redeem, RedeemUndone, View};
use crate::domain::ids::{
    CampaignId, CouponId, DeviceId, FrameId, GatewayId, RedemptionId, ShortCode, StaffName,
    StoreId, StreamId, TapId, TouchpointCode, Vid,
};
use crate::domain::text::Text;
use crate::ops::clock::{Clock, TestClock};
use crate::ops::files::random;
use crate::ops::serve::Peer;
use crate::ops::tasks::Tasks;
use crate::wire::batch::Line;
use crate::wire::frame::{self, BootTime, Contents};
use crate::wire::link::Serves;
use crate::wire::signing::{PublicKey, SigningKey};

pub(crate) fn now() -> Timestamp {
    "2026-12-01T15:30:00+08:00".parse().unwrap()
}

pub(crate) fn store(id: &str) -> StoreId {
    StoreId::parse(id).unwrap()
}

pub(crate) fn at_store(id: &str) -> Serves {
    Serves::Store(store(id))
}

pub(crate) fn stream(number: u8) -> StreamId {
    StreamId::from_time_and_entropy(1_796_110_200_000, [number; 10])
}

pub(crate) use super::db::scratch::{Kind, Scratch};

impl Scratch {
    /// Enrols a gateway and returns its number and the serial of its certificate.
    pub(crate) async fn enrol(&self, serves: Serves) -> (GatewayId, String) {
        enrol(self.ledger.as_ref(), serves).await
    }

    /// Enrols a gateway that has been heard once.
    pub(crate) async fn enrol_and_hear(&self, serves: Serves) -> GatewayId {
        let (gateway, serial) = self.enrol(serves).await;
        let caller = Caller {
            gateway,
            serial,
            now: now(),
        };
        self.ledger.recognise(caller).await.unwrap().unwrap();
        gateway
    }
}

pub(crate) fn coupon_key() -> PublicKey {
    SigningKey::from_pkcs8(&SigningKey::generate())
        .unwrap()
        .public()
}

pub(crate) async fn enrol(ledger: &dyn Ledger, serves: Serves) -> (GatewayId, String) {
    enrol_by_key(ledger, serves, coupon_key()).await
}

/// Enrols the box that has this key.
pub(crate) async fn enrol_by_key(
    ledger: &dyn Ledger,
    serves: Serves,
    coupon_key: PublicKey,
) -> (GatewayId, String) {
    let hash = random::<32>();
    let serial = crate::wire::encoding::hex(&hash[..16]);
    ledger
        .keep_token(NewToken {
            hash,
            serves,
            made: now(),
            expires: now() + SignedDuration::from_hours(1),
        })
        .await
        .unwrap();
    let enrolment = Enrolment {
        token: hash,
        coupon_key,
        software: "0.1.0".to_owned(),
        serial: serial.clone(),
        now: now(),
        not_after: now() + SignedDuration::from_hours(24),
    };
    (ledger.enrol(enrolment).await.unwrap().unwrap(), serial)
}

pub(crate) fn vid(number: u8) -> Vid {
    Vid::from_entropy([number; 16])
}

pub(crate) fn view(diner: Option<u8>) -> Event {
    Event::TouchpointView(View {
        touchpoint: None,
        campaign: Some(campaign()),
        vid: diner.map(vid),
        off_peak: true,
    })
}

pub(crate) fn campaign() -> CampaignId {
    CampaignId::parse("quiet-hours").unwrap()
}

pub(crate) fn claim(coupon: u8, diner: u8) -> Event {
    Event::Claim(Claim {
        coupon: CouponId::from_entropy([coupon; 16]),
        code: ShortCode::parse("7K3F").unwrap(),
        campaign: campaign(),
        touchpoint: TouchpointCode::from_entropy(7),
        tap: TapId::from_entropy([coupon; 16]),
        vid: vid(diner),
        not_before: now(),
        not_after: now() + SignedDuration::from_hours(168),
        gift: Text::new("凉拌黄瓜 1 份", "cucumber salad"),
        remember_until: now() + SignedDuration::from_hours(336),
        off_peak: true,
        given: false,
    })
}

pub(crate) fn redeem(coupon: u8, diner: u8) -> Event {
    Event::Redeem(Redeem {
        redemption: RedemptionId::from_entropy([coupon; 16]),
        coupon: CouponId::from_entropy([coupon; 16]),
        campaign: campaign(),
        staff: StaffName::parse("lin").unwrap(),
        device: DeviceId::from_entropy([9; 16]),
        vid: Some(vid(diner)),
        remember_until: now() + SignedDuration::from_hours(336),
        off_peak: true,
        origin: None,
        home: None,
    })
}

pub(crate) fn undo(coupon: u8) -> Event {
    Event::RedeemUndone(RedeemUndone {
        redemption: RedemptionId::from_entropy([coupon; 16]),
        coupon: CouponId::from_entropy([coupon; 16]),
        campaign: campaign(),
        staff: StaffName::parse("lin").unwrap(),
        redeemed_at: now(),
        off_peak: true,
        origin: None,
        home: None,
    })
}

/// A frame's line of one event in a store.
pub(crate) fn line(seq: u64, store: &StoreId, at: Timestamp, event: Event) -> Line {
    let moment = Moment {
        at,
        offset: Offset::constant(8),
    };
    let boot_time = BootTime { boot: 1, millis: 2 };
    let id = FrameId::from_time_and_entropy(seq, [7; 10]);
    let contents = Contents::of(store.clone(), boot_time, moment, event);
    Line::frame(seq, id, frame::encode(&contents))
}

/// Frames of SZ01, numbered from `first`, all at once.
pub(crate) fn frames(first: u64, events: Vec<Event>) -> Vec<Entry> {
    let lines = (first..)
        .zip(events)
        .map(|(seq, event)| line(seq, &store("SZ01"), now(), event))
        .collect();
    examine(&at_store("SZ01"), lines)
}

pub(crate) fn delivery(gateway: GatewayId, stream: StreamId, entries: Vec<Entry>) -> Delivery {
    Delivery {
        gateway,
        stream,
        received: now(),
        waiting: entries.len() as u64,
        prev: None,
        entries,
    }
}

/// A copy of the fixture chain that a test may change.
pub(crate) fn chain_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chain"));
    for name in [
        "chain.toml",
        "campaigns/quiet-hours.toml",
        "stores/SZ01/store.toml",
        "stores/SZ01/touchpoints.csv",
    ] {
        let to = folder.path().join(name);
        fs_err::create_dir_all(to.parent().unwrap()).unwrap();
        fs_err::copy(from.join(name), to).unwrap();
    }
    folder
}

/// Opens another store in the folder; its id stands for its host, too.
pub(crate) fn open_store(folder: &TempDir, id: &str) {
    let dir = folder.path().join("stores").join(id);
    fs_err::create_dir_all(&dir).unwrap();
    let text = fs_err::read_to_string(folder.path().join("stores/SZ01/store.toml")).unwrap();
    let text = text.replace("SZ01", id).replace("sz01", &id.to_lowercase());
    fs_err::write(dir.join("store.toml"), text).unwrap();
}

/// Keys for a headquarters, made in `keys` of the folder.
pub(crate) async fn identity(dir: &TempDir) -> Arc<Identity> {
    let keys = dir.path().join("keys");
    init(&keys, &[], &TestClock::at(now())).await.unwrap();
    Arc::new(Identity::load(&keys, now()).unwrap())
}

/// Headquarters without sockets: its state, for routers that a test calls directly.
pub(crate) struct TestHq {
    pub(crate) ledger: Scratch,
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) state: Shared,
    tasks: Tasks,
}

impl TestHq {
    pub(crate) async fn new() -> Self {
        Self::over(chain_folder()).await
    }

    pub(crate) async fn over(folder: TempDir) -> Self {
        let ledger = Scratch::new(Kind::Embedded).await;
        let identity = identity(&ledger.dir).await;
        let clock = Arc::new(TestClock::at(now()));
        let tasks = Tasks::new();
        let shared = Arc::clone(&ledger.ledger);
        let publisher = Publisher::new(
            (folder.path(), &ledger.dir.path().join("in-force")),
            Arc::clone(&identity),
            Arc::clone(&shared),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let state = Arc::new(State {
            ledger: shared,
            bundles: Bundles::start(publisher, &tasks).await,
            identity,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            shop_clock: Arc::clone(&clock) as Arc<dyn Clock>,
            chain_dir: folder.path().to_owned(),
            preview: None,
            sync_url: "https://localhost:8443".to_owned(),
            console_over: ConsoleOver::PlainHttp,
            admission: Admission::default(),
            backoff: Backoff::default(),
            sheets: Jobs::default(),
            password_checks: tokio::sync::Semaphore::new(2),
            unknown_tokens_noted: Throttle::per_minute(60),
            failed_sign_ins_noted: Throttle::per_minute(60),
            tasks: tasks.clone(),
        });
        Self {
            ledger,
            folder,
            clock,
            state,
            tasks,
        }
    }

    /// Has the folder and the register looked at, and waits until something came of it.
    pub(crate) async fn publish(&self) {
        let mut changed = self.state.bundles.subscribe();
        self.state.bundles.look_now();
        changed.changed().await.unwrap();
    }

    pub(crate) async fn token(&self, serves: Serves) -> String {
        let chain = self.state.bundles.chain().unwrap();
        let ledger = self.state.ledger.as_ref();
        token::make(
            ledger,
            &chain,
            serves,
            token::DEFAULT_VALID,
            self.clock.as_ref(),
        )
        .await
        .unwrap()
    }
}

impl Drop for TestHq {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// Calls a router as the accept loop does.
pub(crate) async fn call(
    router: axum::Router,
    mut request: axum::http::Request<axum::body::Body>,
    certificate: Option<Vec<u8>>,
) -> Answer {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
    request.extensions_mut().insert(Peer {
        address,
        certificate,
    });
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: axum::body::to_bytes(body, 32 << 20).await.unwrap().to_vec(),
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} {}", self.status, self.text());
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json::<crate::wire::link::Refusal>().code)
    }
}
