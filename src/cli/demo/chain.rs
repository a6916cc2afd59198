//! The demo's chain: headquarters, its stores and a street gateway, set up as an installer would.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use super::super::gateway::{Gateway, ShopTime, identity_dir};
use super::super::qr;
use crate::config::settings::{BundleFrom, GatewaySettings, HqSettings, PortalTls, UplinkSettings};
use crate::config::written::{self, Admission, Log, Role};
use crate::domain::ids::{StaffName, StoreId, TouchpointCode};
use crate::domain::store::TouchpointKind;
use crate::hq::db::Ledger;
use crate::hq::server::{Clocks, Headquarters, Running};
use crate::hq::{chain, init, staff, token};
use crate::ops::clock::{Clock, FastClock, SystemClock};
use crate::ops::tasks::Tasks;
use crate::portal::keys::Keys;
use crate::uplink::enroll::{Invitation, enroll};
use crate::wire::bundle::Bundle;
use crate::wire::link::Serves;

/// The noodle chain's files, by their path in the chain's folder.
const FILES: [(&str, &str); 13] = [
    (
        "chain.toml",
        include_str!("../../../deploy/demo/chain/chain.toml"),
    ),
    (
        "campaigns/welcome.toml",
        include_str!("../../../deploy/demo/chain/campaigns/welcome.toml"),
    ),
    (
        "campaigns/quiet-hours.toml",
        include_str!("../../../deploy/demo/chain/campaigns/quiet-hours.toml"),
    ),
    (
        "campaigns/regulars.toml",
        include_str!("../../../deploy/demo/chain/campaigns/regulars.toml"),
    ),
    (
        "campaigns/first-visit.toml",
        include_str!("../../../deploy/demo/chain/campaigns/first-visit.toml"),
    ),
    (
        "campaigns/brought-a-friend.toml",
        include_str!("../../../deploy/demo/chain/campaigns/brought-a-friend.toml"),
    ),
    (
        "campaigns/table-of-three.toml",
        include_str!("../../../deploy/demo/chain/campaigns/table-of-three.toml"),
    ),
    (
        "stores/SZ01/store.toml",
        include_str!("../../../deploy/demo/chain/stores/SZ01/store.toml"),
    ),
    (
        "stores/SZ01/touchpoints.csv",
        include_str!("../../../deploy/demo/chain/stores/SZ01/touchpoints.csv"),
    ),
    (
        "stores/SZ02/store.toml",
        include_str!("../../../deploy/demo/chain/stores/SZ02/store.toml"),
    ),
    (
        "stores/SZ02/touchpoints.csv",
        include_str!("../../../deploy/demo/chain/stores/SZ02/touchpoints.csv"),
    ),
    (
        "stores/SZ03/store.toml",
        include_str!("../../../deploy/demo/chain/stores/SZ03/store.toml"),
    ),
    (
        "stores/SZ03/touchpoints.csv",
        include_str!("../../../deploy/demo/chain/stores/SZ03/touchpoints.csv"),
    ),
];

const LOGO: &[u8] = include_bytes!("../../../deploy/demo/chain/logo.png");

/// A clock that stands still until it is told to go.
pub(super) struct LateClock {
    start: Timestamp,
    running: OnceLock<FastClock>,
}

impl LateClock {
    pub(super) fn new(start: Timestamp) -> Self {
        Self {
            start,
            running: OnceLock::new(),
        }
    }

    pub(super) fn go(&self, clock: FastClock) {
        // Told twice, it keeps the first.
        self.running.set(clock).ok();
    }
}

impl Clock for LateClock {
    fn now(&self) -> Timestamp {
        self.running.get().map_or(self.start, Clock::now)
    }

    fn since_boot(&self) -> Duration {
        SystemClock.since_boot()
    }
}

/// Everything that runs.
pub(super) struct DemoChain {
    pub(super) stores: Vec<DemoStore>,
    pub(super) street: Gateway,
    pub(super) console: SocketAddr,
    pub(super) admin_login: String,
    pub(super) admin_password: String,
    pub(super) ledger: Arc<dyn Ledger>,
    hq_tasks: Tasks,
}

/// One store with what its people know.
pub(super) struct DemoStore {
    pub(super) id: StoreId,
    pub(super) gateway: Gateway,
    pub(super) tables: Vec<TouchpointCode>,
    pub(super) staff: StaffName,
    pub(super) pin: String,
    pub(super) sheet: PathBuf,
}

impl DemoChain {
    pub(super) async fn start(
        dir: &Path,
        listen: IpAddr,
        shop_clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let chain_dir = dir.join("chain");
        write_files(&chain_dir)?;
        let staff = StaffName::parse("xiaochen")?;
        let folder = super::super::gateway::read_folder(&chain_dir)?;
        let mut pins = Vec::new();
        for id in folder.stores.keys() {
            pins.push(staff::add(&chain_dir, id, staff.clone(), None)?);
        }
        let made = init::init(&dir.join("hq"), &[], &SystemClock).await?;
        let hq_tasks = Tasks::new();
        let settings = hq_settings(dir, &chain_dir);
        let clocks = Clocks {
            real: Arc::new(SystemClock),
            shop: Arc::clone(&shop_clock),
        };
        let hq = Headquarters {
            preview: Some(crate::portal::preview),
        };
        let hq = hq.start(&settings, clocks, &hq_tasks).await?;

        let newcomer = Newcomer {
            dir,
            chain_dir: &chain_dir,
            listen,
            hq: &hq,
            shop_clock,
        };
        let mut stores = Vec::new();
        for (id, pin) in folder.stores.keys().zip(pins) {
            let gateway = newcomer.join(Serves::Store(id.clone())).await?;
            let sheet = dir.join(format!("sheet-{id}.html"));
            let store_dir = chain_dir.join("stores").join(id.as_str());
            qr::write_sheet(&store_dir, &sheet)?;
            stores.push(DemoStore {
                tables: tables(&folder, id),
                id: id.clone(),
                gateway,
                staff: staff.clone(),
                pin,
                sheet,
            });
        }
        let street = newcomer.join(Serves::Street).await?;
        Ok(Self {
            stores,
            street,
            console: hq.console,
            admin_login: made.admin_login,
            admin_password: made.admin_password,
            ledger: hq.ledger,
            hq_tasks,
        })
    }

    /// The first line on stdout: every address that guests, staff and managers use.
    pub(super) fn ready_line(&self) -> String {
        let stores = self.stores.iter().map(|store| {
            let DemoStore { id, gateway, .. } = store;
            format!(" {id}=http://{}", gateway.portal)
        });
        format!(
            "ready console=http://{}{} street=http://{}",
            self.console,
            stores.collect::<String>(),
            self.street.portal
        )
    }

    /// The time on the first store's wall.
    pub(super) fn shop_time(&self, clock: &dyn Clock) -> String {
        let bundle = self.stores[0].gateway.bundle.borrow();
        bundle
            .stores
            .get(&self.stores[0].id)
            .map(|folder| {
                let local = folder.store.local(clock.now());
                local.strftime("%a %Y-%m-%d %H:%M").to_string()
            })
            .unwrap_or_default()
    }

    /// Stops the gateways first, so that none of them finds headquarters gone.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        for store in self.stores {
            store.gateway.stop().await?;
        }
        self.street.stop().await?;
        self.hq_tasks.shut_down(Duration::from_secs(10)).await;
        Ok(())
    }
}

fn write_files(chain_dir: &Path) -> anyhow::Result<()> {
    for (path, text) in FILES {
        let file = chain_dir.join(path);
        if let Some(parent) = file.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(file, text)?;
    }
    fs_err::write(chain_dir.join("logo.png"), LOGO)?;
    Ok(())
}

fn tables(bundle: &Bundle, store: &StoreId) -> Vec<TouchpointCode> {
    bundle.stores.get(store).map_or_else(Vec::new, |folder| {
        folder
            .touchpoints
            .values()
            .filter(|touchpoint| touchpoint.kind == TouchpointKind::Table)
            .map(|touchpoint| touchpoint.code)
            .collect()
    })
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn hq_settings(dir: &Path, chain_dir: &Path) -> HqSettings {
    HqSettings {
        dir: dir.join("hq"),
        chain_dir: chain_dir.to_owned(),
        database: None,
        sync_listen: any_port(),
        sync_url: "https://127.0.0.1:0".to_owned(),
        enroll_listen: any_port(),
        console_listen: any_port(),
        console_tls: None,
        access_log_days: 184,
        ops_listen: any_port(),
        log: Log::default(),
    }
}

/// How a gateway joins the chain: token, enrolment, start, first bundle.
struct Newcomer<'a> {
    dir: &'a Path,
    chain_dir: &'a Path,
    listen: IpAddr,
    hq: &'a Running,
    shop_clock: Arc<dyn Clock>,
}

impl Newcomer<'_> {
    async fn join(&self, serves: Serves) -> anyhow::Result<Gateway> {
        let (role, name) = match &serves {
            Serves::Store(store) => (Role::Store, store.to_string()),
            Serves::Street => (Role::Street, "street".to_owned()),
        };
        let state_dir = self.dir.join(&name);
        let chain = chain::read(self.chain_dir)
            .map_err(|faults| anyhow::anyhow!("the demo's own chain cannot be read: {faults:?}"))?;
        let valid = Duration::from_secs(3600);
        let token = token::make(&*self.hq.ledger, &chain, serves, valid, &SystemClock).await?;
        let identity_dir = identity_dir(&state_dir);
        let keys = Keys::open(&identity_dir)?;
        let invitation = Invitation {
            url: format!("https://{}", self.hq.enroll),
            pin: self.hq.pin.clone(),
            token,
        };
        let tasks = Tasks::new();
        enroll(&invitation, keys.coupon_public(), &identity_dir, &tasks)
            .await
            .with_context(|| format!("enrolling {name}"))?;
        let settings = self.settings(role, state_dir);
        let gateway =
            Gateway::start(settings, ShopTime::Given(Arc::clone(&self.shop_clock))).await?;
        let mut bundle = gateway.bundle.clone();
        let first = bundle.wait_for(|bundle| !bundle.stores.is_empty());
        tokio::time::timeout(Duration::from_secs(30), first)
            .await
            .with_context(|| format!("waiting for {name}'s first bundle"))??;
        Ok(gateway)
    }

    fn settings(&self, role: Role, state_dir: PathBuf) -> GatewaySettings {
        GatewaySettings {
            role,
            portal_listen: SocketAddr::new(self.listen, 0),
            portal_base_url: None,
            portal_tls: PortalTls {
                listen: SocketAddr::new(self.listen, 0),
                certificate: state_dir.join("identity/host.pem"),
                key: None,
            },
            // The demo's staff may be on the LAN, too.
            state_dir,
            till_networks: ["0.0.0.0/0", "::/0"]
                .iter()
                .filter_map(|net| net.parse().ok())
                .collect(),
            ops_listen: any_port(),
            admission: Admission::default(),
            bundle: BundleFrom::Hq,
            uplink: UplinkSettings {
                batch_delay: Duration::from_millis(250),
                views_delay: Duration::from_secs(1),
                long_poll: Duration::from_secs(45),
                probe_url: String::new(),
            },
            journal: written::Journal {
                // The demo's shops are gone with the demo.
                in_memory: true,
                ..written::Journal::default()
            },
            log: Log::default(),
        }
    }
}
