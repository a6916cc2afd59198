//! `maitred gateway`: puts the box together and runs it.
//!
//! Sockets are bound before anything else, so that a busy port fails at start; the journal is closed last,
//! after everybody who writes to it has ended.

pub mod advertise;
mod announce;
mod https;
mod in_force;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use axum::http::Method;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::syntax::{Command, Given, Word};
use super::{block_on, print, running, start_logging, wall, wan};
use crate::admission::Wall;
use crate::admission::firewall::OnStop;
use crate::config::overlay::Environment;
use crate::config::settings::{BundleFrom, GatewaySettings};
use crate::config::written::{JournalProfile, Role};
use crate::control::{self, Check, PairingCode, Verdict};
use crate::domain::command::{Cursor, Outcome};
use crate::domain::ids::{Issuer, StoreId};
use crate::journal::{Journal, Memory, Options, Profile, Rotation};
use crate::ops::clock::{Anchored, Clock, SystemClock, boot_number};
use crate::ops::files::read_tree;
use crate::ops::serve::{Limits, Listener, bind, serve};
use crate::ops::tasks::{BoxFuture, Ended, Tasks, asked_to_stop};
use crate::portal::Pairing;
use crate::portal::commands::Commands;
use crate::portal::https::Https;
use crate::portal::keys::Keys;
use crate::portal::ledger::{Ledger, SharedDays, SharedMembers, SharedWallet};
use crate::portal::stickers::SharedStickers;
use crate::uplink::bundle::Slots;
use crate::uplink::commands::Obey;
use crate::uplink::identity::Identity;
use crate::uplink::sisters::Sisters;
use crate::wire::bundle::Bundle;
use crate::wire::link::{Item, LinkState, RedeemAnswer, RedeemQuestion, Serves, Unused};
use crate::{config, portal, uplink};
use advertise::Advert;
use https::Door;
pub(super) use https::shown;

/// How long requests that have begun may take to finish.
const GRACE: Duration = Duration::from_secs(10);

pub(super) const CONFIG: Word = Word::option(
    "config",
    "FILE",
    "Settings; firmware-config/box/etc/maitred/gateway.toml has every key",
)
.or("/etc/maitred/gateway.toml");
const PAIR_TILL: Word = Word::flag(
    "pair-till",
    "Ask the running gateway for a code that pairs a till device, print it and end",
);

pub(super) const COMMAND: Command = Command::new(
    "gateway",
    "Run the box in a shop (or, with role = \"street\", beside headquarters)",
    &[CONFIG, PAIR_TILL],
    run,
);

fn run(given: &Given) -> anyhow::Result<()> {
    if given.has(&PAIR_TILL) {
        return pair_till(&given.path(&CONFIG)?);
    }
    let settings = config::gateway(&given.path(&CONFIG)?, &Environment::of_process())?;
    start_logging(&settings.log);
    block_on(async move {
        let gateway = Gateway::start(settings, ShopTime::OwnClock).await?;
        print::line(gateway.ready_line());
        gateway.until_stopped().await
    })??;
    Ok(())
}

fn pair_till(settings: &Path) -> anyhow::Result<()> {
    let answer = running::ask(settings, Method::POST, "/api/v1/till/pairing", &())?;
    let PairingCode { code } = serde_json::from_slice(&answer)?;
    print::line(format_args!(
        "pairing code: {code} (valid for 10 minutes, works once)"
    ));
    Ok(())
}

/// A running gateway.
pub struct Gateway {
    pub portal: SocketAddr,
    pub ops: SocketAddr,
    /// Where the portal is served over HTTPS, where there was a certificate at the start.
    pub portal_tls: Option<SocketAddr>,
    /// What phones may be told of HTTPS.
    pub https: watch::Receiver<Https>,
    /// What DHCP and router advertisements tell them.
    pub advert: watch::Receiver<Advert>,
    pub pairing: Arc<Pairing>,
    pub wallet: SharedWallet,
    pub bundle: watch::Receiver<Arc<Bundle>>,
    journal: Journal<Ledger>,
    wall: Arc<Wall>,
    on_stop: OnStop,
    tasks: Tasks,
}

/// What coupons go by.
#[derive(Clone)]
pub enum ShopTime {
    /// The box's clock, as headquarters sets it right.
    OwnClock,
    /// Another one, for tests and the demo.
    Given(Arc<dyn Clock>),
}

struct Clocks {
    shop: Arc<dyn Clock>,
    /// None where the shop goes by another.
    own: Option<Arc<Anchored>>,
}

impl Clocks {
    fn open(shop_time: ShopTime, state_dir: &Path) -> anyhow::Result<Self> {
        match shop_time {
            ShopTime::Given(shop) => Ok(Self { shop, own: None }),
            ShopTime::OwnClock => {
                let own =
                    Arc::new(Anchored::open(state_dir).context("reading what is known of time")?);
                Ok(Self {
                    shop: Arc::clone(&own) as Arc<dyn Clock>,
                    own: Some(own),
                })
            }
        }
    }
}

/// What the machine goes by, whatever the shop does.
fn machine_time(own: Option<Arc<Anchored>>) -> Arc<dyn Clock> {
    match own {
        Some(own) => own,
        None => Arc::new(SystemClock),
    }
}

/// The sockets, before anything listens on them.
struct Sockets {
    portal: TcpListener,
    ops: TcpListener,
}

impl Sockets {
    async fn bind(settings: &GatewaySettings) -> std::io::Result<Self> {
        Ok(Self {
            portal: bind(settings.portal_listen, "portal").await?,
            ops: bind(settings.ops_listen, "ops listener").await?,
        })
    }

    fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.portal.local_addr()?, self.ops.local_addr()?))
    }

    /// Serves on all listeners; where the portal speaks HTTPS.
    fn serve(
        self,
        (portal, control): (portal::Routers, axum::Router),
        (door, https): (Door, watch::Receiver<Https>),
        tasks: &Tasks,
    ) -> anyhow::Result<Option<SocketAddr>> {
        listen(tasks, "portal", self.portal, portal.http);
        let address = door.address();
        door.serve(portal.https, https, tasks)?;
        listen(tasks, "ops", self.ops, control);
        Ok(address)
    }
}

/// Where this box stands, and what brings it news.
pub(super) struct Place {
    pub(super) store: Option<StoreId>,
    issuer: Issuer,
    /// None for a shop without headquarters.
    upstream: Option<(Identity, Slots)>,
    pub(super) bundle: Bundle,
}

impl Gateway {
    /// Starts everything.
    pub async fn start(settings: GatewaySettings, shop_time: ShopTime) -> anyhow::Result<Self> {
        let sockets = Sockets::bind(&settings).await?;
        let (portal_address, ops_address) = sockets.addresses()?;
        let keys = Keys::open(&identity_dir(&settings.state_dir)).context("opening the keys")?;
        let place = Place::find(&settings)?;
        let door = Door::open(&settings, &place).await?;
        let Clocks { shop, own } = Clocks::open(shop_time, &settings.state_dir)?;
        let (journal, books) = open_journal(&settings, place.store.clone(), own.clone()).await?;

        let tasks = Tasks::new();
        let (store, issuer) = (place.store.clone(), place.issuer);
        let machine_time = machine_time(own.clone());
        let clocks = (own, Arc::clone(&shop));
        let news = News::start(place, clocks, &settings, (&journal, &door), &tasks)?;
        let (bundle, link) = (news.bundle, news.link);
        let wan = wan::watch(link.as_ref(), &settings.uplink.probe_url, &tasks);
        let at = (bundle.clone(), store.clone());
        let (https, advert) = door.follow(&settings, at, &machine_time, &tasks);
        let place = wall::Place {
            clock: &shop,
            store: store.clone(),
            bundle: bundle.clone(),
            portal: portal_address,
            wan: wan.clone(),
            https: https.clone(),
            advert: advert.clone(),
        };
        let opened = wall::open(&settings, place, &tasks)?;
        let (wall, at_the_wall) = (Arc::clone(&opened.wall), opened.checks());
        let pairing = Arc::new(Pairing::default());
        let portal = portal::routers(
            portal::Parts {
                journal: journal.clone(),
                wallet: books.wallet.clone(),
                days: books.days,
                stickers: books.stickers,
                members: books.members,
                bundle: bundle.clone(),
                clock: shop,
                keys,
                issuer,
                store: store.clone(),
                base_url: settings.portal_base_url,
                https: https.clone(),
                till_networks: settings.till_networks,
                wall: Arc::clone(&wall),
                pairing: Arc::clone(&pairing),
                outbox: journal.outbox(),
                link: link.clone(),
                sisters: news.sisters,
                wan,
                boot: boot_number(),
            },
            &tasks,
        );
        let certificate = https::check(https.clone(), advert.clone(), machine_time);
        let control = control::router(control::Parts {
            outbox: journal.outbox(),
            wall: Arc::clone(&wall),
            checks: checks(&journal, bundle.clone(), link, at_the_wall, certificate),
            terms: wall::terms(&wall, store, bundle.clone()),
            pair_till: pair_till_by(&pairing),
        });
        stop_with_the_journal(&journal, &tasks);
        let portal_tls = sockets.serve((portal, control), (door, https.clone()), &tasks)?;
        Ok(Self {
            portal: portal_address,
            ops: ops_address,
            portal_tls,
            https,
            advert,
            pairing,
            wallet: books.wallet,
            bundle,
            journal,
            wall,
            on_stop: wall::on_stop(settings.admission.on_stop),
            tasks,
        })
    }

    /// The first line on stdout, which whoever started the process waits for.
    pub fn ready_line(&self) -> String {
        let https = self.portal_tls.map_or_else(String::new, |address| {
            format!(" portal_tls=https://{address}")
        });
        format!(
            "ready portal=http://{}{https} ops=http://{}",
            self.portal, self.ops
        )
    }

    /// Captures that headquarters has not acknowledged yet.
    pub fn captures_waiting(&self) -> u64 {
        self.journal.outbox().depths().borrow().p0.frames
    }

    /// Runs until a signal or a broken part ends it.
    async fn until_stopped(self) -> anyhow::Result<()> {
        let broken = tokio::select! {
            () = asked_to_stop() => false,
            () = self.tasks.stopping() => true,
        };
        tracing::info!("stopping");
        self.stop().await?;
        if broken {
            bail!("a part of the gateway ended unexpectedly; the log says which");
        }
        Ok(())
    }

    /// Stops accepting, finishes what has begun, and closes the journal.
    pub async fn stop(self) -> anyhow::Result<()> {
        if self.tasks.shut_down(GRACE).await == Ended::GraceExceeded {
            tracing::warn!("some requests were cut off");
        }
        let down = self.wall.take_down(self.on_stop);
        self.journal.close().await.context("closing the journal")?;
        down.context("leaving the Wi-Fi wall as admission.on_stop says")
    }
}

fn listen(tasks: &Tasks, name: &'static str, tcp: TcpListener, router: axum::Router) {
    let listener = Listener {
        name,
        tcp,
        limits: Limits::PORTAL,
    };
    serve(tasks, listener, router);
}

/// What the box hears from headquarters.
struct News {
    bundle: watch::Receiver<Arc<Bundle>>,
    /// None for a shop without headquarters.
    link: Option<watch::Receiver<LinkState>>,
    sisters: Option<Box<dyn portal::Sisters>>,
}

impl News {
    /// Starts the uplink, if there is somewhere to link up to.
    fn start(
        place: Place,
        (own, shop): (Option<Arc<Anchored>>, Arc<dyn Clock>),
        settings: &GatewaySettings,
        (journal, door): (&Journal<Ledger>, &Door),
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let (sender, bundle) = watch::channel(Arc::new(place.bundle));
        let Some((identity, slots)) = place.upstream else {
            return Ok(Self {
                bundle,
                link: None,
                sisters: None,
            });
        };
        let commands = Commands {
            journal: journal.clone(),
            bundle: bundle.clone(),
            store: place.store,
            clock: shop,
            boot: boot_number(),
        };
        let parts = uplink::Parts {
            identity,
            identity_dir: identity_dir(&settings.state_dir),
            settings: settings.uplink.clone(),
            outbox: journal.outbox(),
            slots,
            bundle: sender,
            clock: own,
            boot: boot_number(),
            host_request: door.request(),
            obey: Box::new(commands),
        };
        let started = uplink::start(parts, tasks).context("preparing the uplink")?;
        Ok(Self {
            bundle,
            link: Some(started.link),
            sisters: Some(Box::new(started.sisters)),
        })
    }
}

impl portal::Sisters for Sisters {
    fn ask<'a>(&'a self, question: &'a RedeemQuestion) -> BoxFuture<'a, Option<RedeemAnswer>> {
        Box::pin(Self::ask(self, question))
    }

    fn not_used(&self, unused: Unused) {
        Self::not_used(self, unused);
    }
}

impl Obey for Commands {
    fn cursor(&self) -> BoxFuture<'_, anyhow::Result<Option<Cursor>>> {
        Box::pin(async { Ok(Self::cursor(self).await?) })
    }

    fn settle<'a>(
        &'a self,
        item: &'a Item,
        told: Option<Outcome>,
    ) -> BoxFuture<'a, anyhow::Result<Outcome>> {
        Box::pin(async move { Ok(Self::settle(self, item, told).await?) })
    }
}

impl Place {
    pub(super) fn find(settings: &GatewaySettings) -> anyhow::Result<Self> {
        match &settings.bundle {
            BundleFrom::Folder { dir, store } => {
                Self::from_folder(dir, store.as_ref(), &settings.state_dir)
            }
            BundleFrom::Hq => Self::enrolled(settings),
        }
    }

    /// Where headquarters is.
    pub(super) fn headquarters(&self) -> Option<&str> {
        let (identity, _) = self.upstream.as_ref()?;
        Some(&identity.enrolled.sync_url)
    }

    fn from_folder(dir: &Path, store: Option<&StoreId>, state_dir: &Path) -> anyhow::Result<Self> {
        let mut bundle = read_folder(dir)?;
        in_force::leave_out_refused(&mut bundle, dir, state_dir)
            .context("keeping what is in force")?;
        let only = || {
            let mut stores = bundle.stores.keys();
            stores.next().filter(|_| stores.next().is_none())
        };
        let store = store.or_else(only).cloned().ok_or_else(|| {
            anyhow!(
                "{} has several stores; say with bundle.store which one this is",
                dir.display()
            )
        })?;
        if !bundle.stores.contains_key(&store) {
            bail!("{} has no store {store}", dir.display());
        }
        Ok(Self {
            store: Some(store),
            issuer: Issuer::Store,
            upstream: None,
            bundle,
        })
    }

    fn enrolled(settings: &GatewaySettings) -> anyhow::Result<Self> {
        let state_dir = &settings.state_dir;
        let identity = Identity::load(&identity_dir(state_dir))
            .context("reading the identity")?
            .ok_or_else(|| {
                anyhow!(
                    "this box is not enrolled yet: run `maitred enroll --state {}`, or set bundle.dir for a shop without headquarters",
                    state_dir.display()
                )
            })?;
        let serves = identity.enrolled.serves.clone();
        let (store, issuer) = match (settings.role, &serves) {
            (Role::Store, Serves::Store(store)) => (Some(store.clone()), Issuer::Store),
            (Role::Street, Serves::Street) => (None, Issuer::Street),
            (Role::Store, Serves::Street) => {
                bail!(
                    "this box is enrolled as a street gateway and its settings say role = \"store\""
                )
            }
            (Role::Street, Serves::Store(store)) => {
                bail!(
                    "this box is enrolled for store {store} and its settings say role = \"street\""
                )
            }
        };
        let slots = Slots::new(state_dir, identity.enrolled.publish_root, serves)?;
        let bundle = slots.load().unwrap_or_default();
        Ok(Self {
            store,
            issuer,
            upstream: Some((identity, slots)),
            bundle,
        })
    }
}

/// Reads a hand-written folder; every mistake in it is named.
pub(super) fn read_folder(dir: &Path) -> anyhow::Result<Bundle> {
    let files = read_tree(dir).context("reading the bundle's folder")?;
    Bundle::from_folder(&files).map_err(|faults| {
        let mut faults = faults.into_iter();
        // The last stays the error itself: a mistake in a file is a bad configuration (exit code 78).
        let last = faults.next_back().map(anyhow::Error::new);
        for fault in faults {
            print::aside(format_args!("error: {fault}"));
        }
        last.unwrap_or_else(|| anyhow!("{} cannot be used", dir.display()))
    })
}

/// Stops the gateway when the journal's thread has ended by itself: without it every claim would be refused
/// until somebody looked, and whoever started the process starts it again.
fn stop_with_the_journal(journal: &Journal<Ledger>, tasks: &Tasks) {
    let mut depths = journal.outbox().depths();
    let own = tasks.clone();
    tasks.spawn("journal", async move {
        tokio::select! {
            () = async { while depths.changed().await.is_ok() {} } => {
                tracing::error!("the journal has ended; stopping");
                own.stop();
            }
            () = own.stopping() => {}
        }
    });
}

pub(super) fn identity_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("identity")
}

/// What pages read the journal's books by.
struct Books {
    wallet: SharedWallet,
    days: SharedDays,
    stickers: SharedStickers,
    members: SharedMembers,
}

async fn open_journal(
    settings: &GatewaySettings,
    store: Option<StoreId>,
    clock: Option<Arc<Anchored>>,
) -> anyhow::Result<(Journal<Ledger>, Books)> {
    let (ledger, wallet, days) = Ledger::new(store);
    let books = Books {
        stickers: ledger.stickers(),
        members: ledger.shared_members(),
        wallet,
        days,
    };
    let mut options = Options::for_profile(match settings.journal.profile {
        JournalProfile::Standard => Profile::Standard,
        JournalProfile::Small => Profile::Small,
    });
    if settings.journal.generation_frames > 0 {
        options.rotation = Rotation::after(settings.journal.generation_frames);
    }
    if settings.journal.in_memory {
        options.memory = Memory::Allow;
    }
    let dir = settings.state_dir.clone();
    let clock = machine_time(clock);
    let journal = tokio::task::spawn_blocking(move || Journal::open(&dir, options, clock, ledger))
        .await?
        .context("opening the journal")?;
    Ok((journal, books))
}

fn pair_till_by(pairing: &Arc<Pairing>) -> Box<dyn Fn() -> String + Send + Sync> {
    let codes = Arc::clone(pairing);
    Box::new(move || codes.give_out(&SystemClock).to_string())
}

/// What `/readyz` looks at.
fn checks(
    journal: &Journal<Ledger>,
    bundle: watch::Receiver<Arc<Bundle>>,
    link: Option<watch::Receiver<LinkState>>,
    at_the_wall: impl Fn() -> Vec<Check> + Send + Sync + 'static,
    certificate: impl Fn() -> Check + Send + Sync + 'static,
) -> Box<dyn Fn() -> Vec<Check> + Send + Sync> {
    let depths = journal.outbox().depths();
    let damage = journal.damage();
    Box::new(move || {
        let waiting = depths.borrow().p0.frames;
        let alive = depths.has_changed().is_ok();
        let has_store = !bundle.borrow().stores.is_empty();
        let state = link.as_ref().map(|link| *link.borrow());
        let mut checks = vec![
            Check {
                name: "journal",
                verdict: if alive { Verdict::Ok } else { Verdict::Failed },
                detail: format!("{waiting} captures wait for headquarters"),
            },
            Check {
                name: "media",
                // What could be saved was saved; somebody should look at the card or disk.
                verdict: match damage.borrow().reports {
                    0 => Verdict::Ok,
                    _ => Verdict::Degraded,
                },
                detail: match damage.borrow().reports {
                    0 => "no damage".to_owned(),
                    reports => format!("{reports} reports in DAMAGE of the state directory"),
                },
            },
            Check {
                name: "bundle",
                verdict: if has_store {
                    Verdict::Ok
                } else {
                    Verdict::Failed
                },
                detail: format!("version {}", bundle.borrow().version),
            },
            Check {
                name: "link",
                // Nobody in the shop waits for headquarters.
                verdict: match state {
                    None | Some(LinkState::Online) => Verdict::Ok,
                    Some(_) => Verdict::Degraded,
                },
                detail: state.map_or("no headquarters", LinkState::name).to_owned(),
            },
            certificate(),
        ];
        checks.extend(at_the_wall());
        checks
    })
}
