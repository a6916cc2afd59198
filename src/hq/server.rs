//! Starting headquarters: sockets first, then keys, ledger and bundles, then the four listeners.
//!
//! A busy port, a missing key or a damaged ledger ends the start with nothing half-started. A mistake in
//! the chain's folder does not: frames are counted while somebody mends it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::bundles::{Bundles, Publisher};
use super::console::{self, backoff::Backoff, sheets::Jobs};
use super::db::{self, Ledger, Place};
use super::identity::Identity;
use super::routes::admission::Admission;
use super::routes::throttle::Throttle;
use super::routes::{enroll, ops, sync};
use super::state::{ConsoleOver, Preview, Shared, State};
use super::{access, erasures};
use crate::config::settings::HqSettings;
use crate::ops::clock::Clock;
use crate::ops::serve::{Limits, Listener, bind, serve, serve_tls};
use crate::ops::tasks::Tasks;
use crate::ops::tls;

/// Refusals of each kind a stranger can cause that are written down per minute; the rest are only counted.
const REFUSALS_NOTED_PER_MINUTE: u32 = 60;

/// Passwords that are checked at a time: a guess storm must leave a core to the gateways.
const PASSWORD_CHECKS: usize = 2;

/// Two clocks, the same one in production.
#[derive(Clone)]
pub struct Clocks {
    /// For certificates, tokens, sessions and "last seen".
    pub real: Arc<dyn Clock>,
    /// For the business day that the console opens with.
    pub shop: Arc<dyn Clock>,
}

impl Clocks {
    pub fn both(clock: Arc<dyn Clock>) -> Self {
        Self {
            real: Arc::clone(&clock),
            shop: clock,
        }
    }
}

/// `maitred hq`.
pub struct Headquarters {
    /// Draws what diners will see of a promo.
    pub preview: Option<Preview>,
}

/// A headquarters that serves.
pub struct Running {
    pub sync: SocketAddr,
    pub enroll: SocketAddr,
    pub console: SocketAddr,
    pub ops: SocketAddr,
    /// For `maitred enroll --pin`.
    pub pin: String,
    /// As told to gateways.
    pub sync_url: String,
    pub ledger: Arc<dyn Ledger>,
}

impl Headquarters {
    /// Serves until `tasks` stop.
    pub async fn start(
        self,
        settings: &HqSettings,
        clocks: Clocks,
        tasks: &Tasks,
    ) -> anyhow::Result<Running> {
        let sockets = Sockets::bind(settings).await?;
        let identity = Arc::new(Identity::load(&settings.dir, clocks.real.now())?);
        let ledger = open_ledger(settings, tasks).await?;
        access::start(
            Arc::clone(&ledger),
            Arc::clone(&clocks.real),
            settings.access_log_days,
            tasks,
        );
        erasures::start(Arc::clone(&ledger), Arc::clone(&clocks.real), tasks);
        let publisher = Publisher::new(
            (&settings.chain_dir, &settings.dir.join("in-force")),
            Arc::clone(&identity),
            Arc::clone(&ledger),
            Arc::clone(&clocks.real),
        );
        let bundles = Bundles::start(publisher, tasks).await;
        let sync_url = sync_url(&settings.sync_url, sockets.sync.local_addr()?);
        warn_of_a_wrong_name(&sync_url, &identity);
        let hq = Arc::new(State {
            ledger: Arc::clone(&ledger),
            bundles,
            identity: Arc::clone(&identity),
            clock: clocks.real,
            shop_clock: clocks.shop,
            chain_dir: settings.chain_dir.clone(),
            preview: self.preview,
            sync_url: sync_url.clone(),
            console_over: match settings.console_tls {
                Some(_) => ConsoleOver::Tls,
                None => ConsoleOver::PlainHttp,
            },
            admission: Admission::default(),
            backoff: Backoff::default(),
            sheets: Jobs::default(),
            password_checks: Semaphore::new(PASSWORD_CHECKS),
            unknown_tokens_noted: Throttle::per_minute(REFUSALS_NOTED_PER_MINUTE),
            failed_sign_ins_noted: Throttle::per_minute(REFUSALS_NOTED_PER_MINUTE),
            tasks: tasks.clone(),
        });
        let running = Running {
            sync: sockets.sync.local_addr()?,
            enroll: sockets.enroll.local_addr()?,
            console: sockets.console.local_addr()?,
            ops: sockets.ops.local_addr()?,
            pin: identity.pin()?,
            sync_url,
            ledger,
        };
        sockets.serve(settings, &hq, tasks)?;
        Ok(running)
    }
}

/// Opens the ledger and watches it: a headquarters without its ledger must stop, not answer 503 for ever.
async fn open_ledger(settings: &HqSettings, tasks: &Tasks) -> anyhow::Result<Arc<dyn Ledger>> {
    let ledger = db::open(&Place::of(settings)).await?;
    let (own, watched) = (tasks.clone(), Arc::clone(&ledger));
    tasks.spawn("ledger", async move {
        tokio::select! {
            () = own.stopping() => {}
            () = watched.stopped() => {
                tracing::error!("the ledger has stopped; stopping, too");
                own.stop();
            }
        }
    });
    Ok(ledger)
}

/// The address told to gateways. A port of 0 stands for the one that the system chose.
fn sync_url(written: &str, bound: SocketAddr) -> String {
    match written.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", bound.port()),
        None => written.to_owned(),
    }
}

/// Gateways check the host they were told against the certificate, and would all fail at the same time.
fn warn_of_a_wrong_name(sync_url: &str, identity: &Identity) {
    let host = sync_url
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next())
        .map(|authority| {
            authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host)
        })
        .map(|host| host.trim_matches(['[', ']']));
    if host.is_none_or(|host| !identity.sync_names.iter().any(|name| name == host)) {
        tracing::error!(
            sync.url = sync_url,
            "the sync certificate does not carry this host; gateways will refuse headquarters"
        );
    }
}

struct Sockets {
    sync: TcpListener,
    enroll: TcpListener,
    console: TcpListener,
    ops: TcpListener,
}

impl Sockets {
    async fn bind(settings: &HqSettings) -> anyhow::Result<Self> {
        Ok(Self {
            sync: bind(settings.sync_listen, "sync listener").await?,
            enroll: bind(settings.enroll_listen, "enroll listener").await?,
            console: bind(settings.console_listen, "console").await?,
            ops: bind(settings.ops_listen, "ops listener").await?,
        })
    }

    fn serve(self, settings: &HqSettings, hq: &Shared, tasks: &Tasks) -> anyhow::Result<()> {
        let sync_tls = hq.identity.sync_tls()?;
        let enroll_tls = hq.identity.enroll_tls()?;
        let console_tls = console_tls(settings)?;
        let start = |name, limits, tcp, tls, router: Router| {
            let listener = Listener { name, tcp, limits };
            match tls {
                None => serve(tasks, listener, router),
                Some(tls) => serve_tls(tasks, listener, tls, router),
            }
        };
        let ops_router = ops::router(Arc::clone(hq));
        start(
            "sync",
            Limits::HQ,
            self.sync,
            Some(sync_tls),
            sync::router(Arc::clone(hq)),
        );
        start(
            "enroll",
            Limits::HQ_FRONT,
            self.enroll,
            Some(enroll_tls),
            enroll::router(Arc::clone(hq)),
        );
        start(
            "console",
            Limits::HQ_FRONT,
            self.console,
            console_tls,
            console::router(Arc::clone(hq)),
        );
        start("ops", Limits::HQ_FRONT, self.ops, None, ops_router);
        Ok(())
    }
}

fn console_tls(settings: &HqSettings) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    let Some((certificate, key)) = &settings.console_tls else {
        return Ok(None);
    };
    let certificate = fs_err::read_to_string(certificate)?;
    let key = fs_err::read_to_string(key)?;
    let config = tls::server(&certificate, &key).context("setting up TLS of the console")?;
    Ok(Some(config))
}

#[cfg(test)]
mod tests;
