//! What a diner's or a staff member's phone talks to.
//!
//! A handler reads the request into domain types, asks the wallet or the journal's owner for a decision,
//! and answers with a page. It promises that a coupon is shown only after its capture is on stable
//! storage. No diner waits for the Internet: the uplink is not reachable from here. A till that is shown a coupon
//! of another store waits for two seconds at most, by a seam that `cli` fills ([`Sisters`]).
//!
//! | file | route |
//! |---|---|
//! | [`table`] | `GET /t/{code}`, `GET /` |
//! | [`together`] | `GET /t/{code}/table`, `POST /t/{code}/table` |
//! | [`join`] | `POST /claim` |
//! | [`coupon`] | `GET /c/{id}`, `POST /c/{id}/consent`, `GET /notice` |
//! | [`book`] | `GET /book` and what is under it |
//! | [`tasting`] | `GET /events` and what is under it |
//! | [`feedback`] | `GET /feedback` and what is under it |
//! | [`me`] | `GET /me` and what is under it |
//! | [`vip`] | `GET /vip`, `POST /vip` |
//! | [`referral`] | `GET /r` and what is under it |
//! | [`invite`] | `POST /c/{id}/invite`, `GET /c/{id}/invite/{name}` |
//! | [`admit`] | `POST /admit`, `POST /pass`, `GET /online` |
//! | [`capport`] | `GET /capport`, over HTTPS alone |
//! | [`till`], [`counter`] | `GET /till`, `GET /counter` and what is under them |
//! | [`pos`] | `POST /api/v1/redeem`, `POST /api/v1/bill` |
//! | [`walk`] | `GET /t/{code}` of a device that walks past all stickers |
//! | [`probe`] | everything else, phones' connectivity checks among it |

mod access;
mod admit;
mod book;
mod capport;
pub mod commands;
mod cookie;
mod counter;
mod coupon;
mod diner;
mod doors;
mod endings;
mod environment;
mod error;
mod feedback;
mod form;
mod guest;
pub mod https;
mod invite;
mod join;
pub mod keys;
mod language;
pub mod ledger;
mod look;
mod me;
mod pages;
mod place;
mod pos;
mod probe;
mod referral;
mod splice;
pub mod stickers;
mod table;
mod tasting;
mod texts;
mod till;
mod together;
mod views;
mod vip;
mod visitor;
mod walk;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use ipnet::IpNet;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::admission::Wall;
use crate::domain::ids::{Issuer, StoreId};
use crate::domain::store::Store;
use crate::journal::{Journal, Outbox};
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::{Bundle, StoreFolder};
use crate::wire::frame::BootTime;
use crate::wire::link::LinkState;

use cookie::Signer;
use guest::{DayMarks, Tapper};
use https::Https;
use keys::Keys;
use ledger::{Ledger, SharedDays, SharedMembers, SharedWallet};
use stickers::SharedStickers;
use table::Landings;
#[cfg(feature = "hq")]
pub use table::preview::landing as preview;
pub use till::pairing::Pairing;
pub use till::sisters::Sisters;
use views::Views;
use walk::Rounds;

/// The largest form a page sends is below 300 bytes.
const MOST_BODY_BYTES: usize = 4 * 1024;

/// What the portal is made of; built once, in `cli`.
pub struct Parts {
    pub journal: Journal<Ledger>,
    pub wallet: SharedWallet,
    /// The figures of the last days in the store this box stands in.
    pub days: SharedDays,
    /// What staff have said of stickers.
    pub stickers: SharedStickers,
    /// The guests that the shop knows.
    pub members: SharedMembers,
    /// The bundle in force; whoever fetches bundles writes it.
    pub bundle: watch::Receiver<Arc<Bundle>>,
    pub clock: Arc<dyn Clock>,
    pub keys: Keys,
    pub issuer: Issuer,
    /// The store this box stands in; none beside headquarters.
    pub store: Option<StoreId>,
    pub base_url: Option<String>,
    /// What phones may be told of the portal over HTTPS.
    pub https: watch::Receiver<Https>,
    pub till_networks: Vec<IpNet>,
    pub wall: Arc<Wall>,
    pub pairing: Arc<Pairing>,
    /// What waits for headquarters.
    pub outbox: Outbox,
    /// How the way to headquarters is; none for a shop without one.
    pub link: Option<watch::Receiver<LinkState>>,
    /// Who asks headquarters about coupons of other stores; nobody in a shop without one.
    pub sisters: Option<Box<dyn Sisters>>,
    /// Whether there is an Internet behind the wall, as far as the box knows.
    pub wan: watch::Receiver<bool>,
    /// Which boot of the box this is.
    pub boot: u32,
}

/// What handlers share.
#[derive(Clone)]
struct State(Arc<Shared>);

struct Shared {
    parts: Parts,
    signer: Signer,
    tapper: Tapper,
    day_marks: DayMarks,
    views: Views,
    landings: Landings,
    /// Walks past all stickers that are going on.
    rounds: Rounds,
    /// Whoever has a sheet drawn holds it: one at a time.
    sheet_turn: tokio::sync::Mutex<()>,
    access: access::AccessLog,
    /// Wrong keys of points of sale.
    key_tries: pos::Tries,
    /// Whoever checks a PIN holds it: one at a time.
    pin_turn: tokio::sync::Mutex<()>,
}

impl std::ops::Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl std::ops::Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Shared {
    /// The bundle in force, as staff here have bound its stickers.
    fn bundle(&self) -> Arc<Bundle> {
        let bundle = Arc::clone(&self.parts.bundle.borrow());
        self.stickers.over(bundle, self.store.as_ref())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn boot_time(&self) -> BootTime {
        boot_time(&*self.clock, self.boot)
    }

    /// The folder of the store this box stands in.
    fn own_store<'b>(&self, bundle: &'b Bundle) -> Option<&'b StoreFolder> {
        bundle.stores.get(self.store.as_ref()?)
    }

    /// How phones reach the portal.
    fn base_url(&self, store: Option<&Store>) -> String {
        match (&self.base_url, store) {
            (Some(url), _) => url.clone(),
            (None, Some(store)) => format!("http://{}", store.host),
            (None, None) => String::new(),
        }
    }
}

fn boot_time(clock: &dyn Clock, boot: u32) -> BootTime {
    BootTime {
        boot,
        millis: u64::try_from(clock.since_boot().as_millis()).unwrap_or(u64::MAX),
    }
}

/// The portal's routes, ready to be served.
pub struct Routers {
    pub http: Router,
    /// The same, and what may be asked over HTTPS alone.
    pub https: Router,
}

/// Builds the routes. Work in the background belongs to `tasks`.
pub fn routers(parts: Parts, tasks: &Tasks) -> Routers {
    let (journal, clock, boot) = (parts.journal.clone(), Arc::clone(&parts.clock), parts.boot);
    let views = Views::start(
        tasks,
        move || boot_time(&*clock, boot),
        move |body| journal.note(body),
    );
    let access = access::AccessLog::start(
        tasks,
        parts.journal.clone(),
        Arc::clone(&parts.clock),
        parts.boot,
    );
    let state = State(Arc::new(Shared {
        access,
        signer: Signer::new(&parts.keys.cookie),
        tapper: Tapper::new(&parts.keys.cookie),
        day_marks: DayMarks::default(),
        views,
        landings: Landings::default(),
        rounds: Rounds::default(),
        sheet_turn: tokio::sync::Mutex::default(),
        key_tries: pos::Tries::default(),
        pin_turn: tokio::sync::Mutex::default(),
        parts,
    }));
    endings::start(&state, tasks);
    book::follow(&state, tasks);
    Routers {
        http: pages().with_state(state.clone()),
        https: pages()
            .route(https::CAPPORT, get(capport::answer))
            .with_state(state),
    }
}

fn pages() -> Router<State> {
    Router::new()
        .route("/", get(table::arrival))
        .route("/t/{code}", get(table::landing))
        .route("/t/{code}/table", get(together::show).post(together::join))
        .route("/claim", post(join::claim))
        .route("/c/{id}", get(coupon::show))
        .route("/c/{id}/consent", post(coupon::consent))
        .route("/c/{id}/invite", post(invite::ask))
        .route("/c/{id}/invite/{name}", get(invite::show))
        .nest("/me", me::routes())
        .route("/vip", get(vip::show).post(vip::tell))
        .route("/notice", get(coupon::notice))
        .route("/admit", post(admit::admit))
        .route("/pass", post(admit::pass))
        .route("/online", get(admit::online))
        .nest("/book", book::routes())
        .nest("/events", tasting::routes())
        .nest("/feedback", feedback::routes())
        .nest("/r", referral::routes())
        .nest("/till", till::routes())
        .nest("/counter", counter::routes())
        .nest("/api/v1", pos::routes())
        .fallback(probe::answer)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
}
