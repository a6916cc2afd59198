//! The settings files as people write them. Every key has a default; `firmware-config/` and `deploy/` hold
//! an example of each file with every key in it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::overlay::Documented;
use crate::domain::ids::StoreId;
use crate::domain::wifi::{Mac, ZoneName};

/// `gateway.toml`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    pub role: Role,
    /// Journal, keys and bundles.
    pub state_dir: PathBuf,
    pub portal: Portal,
    pub till: Till,
    pub ops: Ops,
    pub admission: Admission,
    pub bundle: BundleSource,
    pub uplink: Uplink,
    pub journal: Journal,
    pub log: Log,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            role: Role::Store,
            state_dir: PathBuf::from("/var/lib/maitred"),
            portal: Portal::default(),
            till: Till::default(),
            ops: Ops {
                listen: SocketAddr::from(([127, 0, 0, 1], 2090)),
            },
            admission: Admission::default(),
            bundle: BundleSource::default(),
            uplink: Uplink::default(),
            journal: Journal::default(),
            log: Log::default(),
        }
    }
}

impl Documented for Gateway {
    const EXAMPLE: &'static str =
        include_str!("../../firmware-config/box/etc/maitred/gateway.toml");
}

/// Where a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// In a shop.
    #[default]
    Store,
    /// Beside headquarters, for phones on 4G.
    Street,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Portal {
    pub listen: SocketAddr,
    /// `http://host[:port]` as phones see the portal; empty: the store's host from the bundle.
    pub base_url: String,
    /// The same over HTTPS, once there is a certificate.
    pub tls_listen: SocketAddr,
    /// Empty: `identity/host.pem` of the state directory.
    pub certificate: PathBuf,
    /// Empty: `identity/host.key` of the state directory, which the box makes itself.
    pub key: PathBuf,
}

impl Default for Portal {
    fn default() -> Self {
        Self {
            // Both families: a phone that has only IPv6 yet is led here as well.
            listen: SocketAddr::from(([0_u16; 8], 2080)),
            base_url: String::new(),
            tls_listen: SocketAddr::from(([0_u16; 8], 2443)),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Till {
    /// The addresses that may open the till: the staff network.
    pub networks: Vec<IpNet>,
}

impl Default for Till {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Self {
            networks: loopback
                .map(|net| net.parse().expect("a literal network"))
                .to_vec(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Loopback: health, metrics, the journal and till pairing.
    pub listen: SocketAddr,
}

/// The Wi-Fi wall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admission {
    pub firewall: Firewall,
    /// How long a device stays admitted where no policy says it.
    pub session_minutes: u32,
    pub on_stop: OnStop,
    /// The interface to masquerade out of; empty: the router's own firewall does that.
    pub masquerade: String,
    /// The program that sets up the table.
    pub nft: String,
    /// Devices of the shop itself: always let in.
    pub staff: Vec<Mac>,
    /// Devices that are never let in.
    pub blocked: Vec<Mac>,
    /// A command that has router advertisements say where the portal's API is; empty: none.
    pub router_advertisement: Vec<String>,
    #[serde(rename = "zone")]
    pub zones: Vec<Zone>,
    pub dnsmasq: Dnsmasq,
    pub hook: Hook,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            firewall: Firewall::Dry,
            // A long dinner.
            session_minutes: 240,
            on_stop: OnStop::Keep,
            masquerade: String::new(),
            nft: "nft".to_owned(),
            staff: Vec::new(),
            blocked: Vec::new(),
            router_advertisement: Vec::new(),
            zones: Vec::new(),
            dnsmasq: Dnsmasq::default(),
            hook: Hook::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firewall {
    /// Keeps the list of admitted devices and touches no kernel.
    Dry,
    /// The kernel's nftables.
    Nft,
}

/// What becomes of the wall when the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnStop {
    Keep,
    Open,
    Close,
}

/// One guest network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// What policies call it.
    pub name: ZoneName,
    pub interface: String,
}

/// The resolver and DHCP server beside the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dnsmasq {
    /// Where the files for it are written; empty: nowhere.
    pub dir: PathBuf,
    pub pid_file: PathBuf,
    /// The command that restarts it, a word each; empty: somebody else does.
    pub restart: Vec<String>,
}

impl Default for Dnsmasq {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            pid_file: PathBuf::from("/run/dnsmasq.pid"),
            restart: Vec::new(),
        }
    }
}

/// What is told when a device is let in, refused, or its time is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hook {
    /// A command, a word each, that gets JSON on its standard input; empty: none.
    pub exec: Vec<String>,
    /// An `http://` address that gets the same as a POST; empty: none.
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BundleSource {
    /// A folder written by hand, for a shop without headquarters; empty: what headquarters sends.
    pub dir: PathBuf,
    /// Which store this box stands in, where the folder has several.
    pub store: Option<StoreId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uplink {
    /// How long a capture may wait for company before it is sent.
    pub batch_delay_ms: u64,
    /// The same for views.
    pub views_delay_ms: u64,
    /// How long headquarters may hold the question for news.
    pub long_poll_seconds: u64,
    /// Asked after headquarters did not answer, to tell a sign-in page from a broken line; empty: never.
    pub probe_url: String,
}

impl Default for Uplink {
    fn default() -> Self {
        Self {
            batch_delay_ms: 2_000,
            views_delay_ms: 10_000,
            // Middleboxes forget idle connections after a minute or more.
            long_poll_seconds: 45,
            // What phones in China ask: 204 and nothing else.
            probe_url: "http://connect.rom.miui.com/generate_204".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    pub profile: JournalProfile,
    /// After how many captures a new generation begins; 0 leaves it to the profile.
    pub generation_frames: u64,
    /// Whether a state directory will do that a power cut empties.
    pub in_memory: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalProfile {
    #[default]
    Standard,
    /// For routers with 64 MB of memory.
    Small,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `info`, or with single modules: `info,maitred::uplink=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
        }
    }
}

/// `hq.toml`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hq {
    /// What `maitred hq init` made: authorities, keys and the ledger.
    pub dir: PathBuf,
    /// The chain's stores and campaigns, as files.
    pub chain_dir: PathBuf,
    pub database: Database,
    pub sync: Sync,
    pub enroll: Enroll,
    pub console: Console,
    pub ops: Ops,
    pub access_log: AccessLog,
    pub log: Log,
}

impl Default for Hq {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/maitred-hq"),
            chain_dir: PathBuf::from("/etc/maitred/chain"),
            database: Database::default(),
            sync: Sync::default(),
            enroll: Enroll::default(),
            console: Console::default(),
            ops: Ops {
                listen: SocketAddr::from(([127, 0, 0, 1], 8490)),
            },
            access_log: AccessLog::default(),
            log: Log::default(),
        }
    }
}

/// Who was on the guest Wi-Fi and when, where stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    pub keep_days: u16,
}

impl Default for AccessLog {
    /// Six months, which the law asks for at least.
    fn default() -> Self {
        Self { keep_days: 184 }
    }
}

impl Documented for Hq {
    const EXAMPLE: &'static str = include_str!("../../deploy/hq/hq.toml");
}

/// Where the ledger is.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgresql://user:password@host/name?sslmode=require`; empty: a SQLite file in `dir`.
    pub url: String,
    /// The authority, in PEM, that signed the database's certificate; needed for a database elsewhere.
    pub ca: PathBuf,
}

/// The address may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sync {
    pub listen: SocketAddr,
    /// How gateways reach this listener, `https://host:port`; told to them at enrolment.
    pub url: String,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8443)),
            url: "https://localhost:8443".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Enroll {
    pub listen: SocketAddr,
}

impl Default for Enroll {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8444)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// Plain HTTP is for loopback only: behind a proxy, or for a look from the machine itself.
    pub listen: SocketAddr,
    /// A certificate chain and its key in PEM; with both, the console speaks HTTPS.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        }
    }
}
