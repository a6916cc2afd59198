//! Settings that have been checked: what the rest of the program is given.

#[cfg(feature = "hq")]
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::written::{self, Log, Role};
use crate::domain::ids::StoreId;
use crate::domain::written::BadFile;

/// What `maitred gateway` runs with.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    pub role: Role,
    pub state_dir: PathBuf,
    pub portal_listen: SocketAddr,
    /// How phones reach the portal; none: the store's host.
    pub portal_base_url: Option<String>,
    pub portal_tls: PortalTls,
    pub till_networks: Vec<IpNet>,
    pub ops_listen: SocketAddr,
    pub admission: written::Admission,
    pub bundle: BundleFrom,
    pub uplink: UplinkSettings,
    pub journal: written::Journal,
    pub log: Log,
}

/// How the portal is served over HTTPS.
#[derive(Debug, Clone)]
pub struct PortalTls {
    pub listen: SocketAddr,
    pub certificate: PathBuf,
    /// None: the key that the box makes itself.
    pub key: Option<PathBuf>,
}

/// Where the bundle comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleFrom {
    Hq,
    Folder {
        dir: PathBuf,
        store: Option<StoreId>,
    },
}

#[derive(Debug, Clone)]
pub struct UplinkSettings {
    pub batch_delay: Duration,
    pub views_delay: Duration,
    pub long_poll: Duration,
    /// An `http://` address that answers 204; empty: none.
    pub probe_url: String,
}

impl GatewaySettings {
    pub(super) fn check(written: written::Gateway, file: &Path) -> Result<Self, BadFile> {
        let fault = |key: &str, fault: &str, hint: &str| BadFile {
            key: key.to_owned(),
            hint: Some(hint.to_owned()),
            ..BadFile::whole(&file.display().to_string(), fault)
        };
        if !written.ops.listen.ip().is_loopback() {
            return Err(fault(
                "ops.listen",
                "the ops listener hands out pairing codes and must stay on loopback",
                "for example 127.0.0.1:2090",
            ));
        }
        check_admission(&written.admission, &fault)?;
        if !(5..=300).contains(&written.uplink.long_poll_seconds) {
            return Err(fault(
                "uplink.long_poll_seconds",
                "a long poll lasts from 5 seconds to 5 minutes",
                "for example 45",
            ));
        }
        let probe_url = &written.uplink.probe_url;
        if !probe_url.is_empty() && !probe_url.starts_with("http://") {
            return Err(fault(
                "uplink.probe_url",
                "the question must be plain HTTP, for a sign-in page to answer it",
                "for example http://connect.rom.miui.com/generate_204, or \"\" for none",
            ));
        }
        let base_url = written.portal.base_url.trim_end_matches('/');
        let is_url = base_url.starts_with("http://") || base_url.starts_with("https://");
        if !base_url.is_empty() && !is_url {
            return Err(fault(
                "portal.base_url",
                "not an address that begins with http:// or https://",
                "for example http://sz01.sw.cn",
            ));
        }
        let bundle = if written.bundle.dir.as_os_str().is_empty() {
            BundleFrom::Hq
        } else {
            BundleFrom::Folder {
                dir: beside(file, &written.bundle.dir),
                store: written.bundle.store,
            }
        };
        let state_dir = beside(file, &written.state_dir);
        let named = |path: &Path| (!path.as_os_str().is_empty()).then(|| beside(file, path));
        Ok(Self {
            role: written.role,
            portal_listen: written.portal.listen,
            portal_base_url: (!base_url.is_empty()).then(|| base_url.to_owned()),
            portal_tls: PortalTls {
                listen: written.portal.tls_listen,
                certificate: named(&written.portal.certificate)
                    .unwrap_or_else(|| state_dir.join("identity/host.pem")),
                key: named(&written.portal.key),
            },
            state_dir,
            till_networks: written.till.networks,
            ops_listen: written.ops.listen,
            admission: written.admission,
            bundle,
            uplink: UplinkSettings {
                batch_delay: Duration::from_millis(written.uplink.batch_delay_ms),
                views_delay: Duration::from_millis(written.uplink.views_delay_ms),
                long_poll: Duration::from_secs(written.uplink.long_poll_seconds),
                probe_url: written.uplink.probe_url,
            },
            journal: written.journal,
            log: written.log,
        })
    }
}

fn check_admission(
    admission: &written::Admission,
    fault: &impl Fn(&str, &str, &str) -> BadFile,
) -> Result<(), BadFile> {
    if !(1..=24 * 60).contains(&admission.session_minutes) {
        return Err(fault(
            "admission.session_minutes",
            "a session lasts from a minute to a day",
            "for example 240",
        ));
    }
    if admission.firewall == written::Firewall::Nft && admission.zones.is_empty() {
        return Err(fault(
            "admission.zone",
            "the wall needs to know which network the guests are in",
            "for example [[admission.zone]] with name = \"guest\" and interface = \"br-guest\"",
        ));
    }
    for (place, zone) in admission.zones.iter().enumerate() {
        // The kernel's own limit (IFNAMSIZ), and what could be more than a name in a rule.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let is_name =
            (1..=15).contains(&zone.interface.len()) && zone.interface.bytes().all(is_plain);
        let before = &admission.zones[..place];
        let is_new =
            |other: &written::Zone| other.name != zone.name && other.interface != zone.interface;
        if !is_name || !before.iter().all(is_new) {
            return Err(fault(
                "admission.zone",
                "every zone has a name and an interface of its own",
                "for example name = \"guest\" and interface = \"br-guest\"",
            ));
        }
    }
    let hook = &admission.hook;
    if !hook.url.is_empty() && !hook.url.starts_with("http://") {
        return Err(fault(
            "admission.hook.url",
            "the hook speaks plain HTTP, to this machine or the shop's own network",
            "for example http://127.0.0.1:9000/wifi",
        ));
    }
    Ok(())
}

/// What `maitred hq` runs with.
#[cfg(feature = "hq")]
#[derive(Debug, Clone)]
pub struct HqSettings {
    pub dir: PathBuf,
    pub chain_dir: PathBuf,
    /// None: a SQLite file in `dir`.
    pub database: Option<Database>,
    pub sync_listen: SocketAddr,
    pub sync_url: String,
    pub enroll_listen: SocketAddr,
    pub console_listen: SocketAddr,
    /// Certificate chain and key; none: plain HTTP, on loopback only.
    pub console_tls: Option<(PathBuf, PathBuf)>,
    pub ops_listen: SocketAddr,
    pub access_log_days: u16,
    pub log: Log,
}

/// A PostgreSQL database.
#[cfg(feature = "hq")]
#[derive(Clone)]
pub struct Database {
    /// `postgresql://…`; may hold a password, so it is never shown.
    pub url: String,
    /// The authority that signed its certificate; none: without TLS, on this machine.
    pub ca: Option<PathBuf>,
}

#[cfg(feature = "hq")]
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "hq")]
impl HqSettings {
    pub(super) fn check(written: written::Hq, file: &Path) -> Result<Self, BadFile> {
        let fault = |key: &str, fault: &str, hint: &str| BadFile {
            key: key.to_owned(),
            hint: Some(hint.to_owned()),
            ..BadFile::whole(&file.display().to_string(), fault)
        };
        if !written.sync.url.starts_with("https://") {
            return Err(fault(
                "sync.url",
                "gateways speak TLS only",
                "for example https://hq.example.cn:8443",
            ));
        }
        let console = &written.console;
        let (certificate, key) = (&console.certificate, &console.key);
        let console_tls = match (
            certificate.as_os_str().is_empty(),
            key.as_os_str().is_empty(),
        ) {
            (true, true) => None,
            (false, false) => Some((beside(file, certificate), beside(file, key))),
            _ => {
                return Err(fault(
                    "console",
                    "a certificate without a key, or a key without a certificate",
                    "set both, or none for plain HTTP on loopback",
                ));
            }
        };
        if console_tls.is_none() && !console.listen.ip().is_loopback() {
            return Err(fault(
                "console.listen",
                "without a certificate the console listens on loopback only",
                "set console.certificate and console.key, or listen on 127.0.0.1",
            ));
        }
        let access_log_days = written.access_log.keep_days;
        if access_log_days < written::AccessLog::default().keep_days {
            return Err(fault(
                "access_log.keep_days",
                "the law wants an access log kept for six months",
                "184 days or more; whether a store keeps one at all is in its store.toml",
            ));
        }
        Ok(Self {
            access_log_days,
            dir: beside(file, &written.dir),
            chain_dir: beside(file, &written.chain_dir),
            database: (!written.database.url.is_empty()).then(|| Database {
                url: written.database.url,
                ca: (!written.database.ca.as_os_str().is_empty())
                    .then(|| beside(file, &written.database.ca)),
            }),
            sync_listen: written.sync.listen,
            sync_url: written.sync.url.trim_end_matches('/').to_owned(),
            enroll_listen: written.enroll.listen,
            console_listen: written.console.listen,
            console_tls,
            ops_listen: written.ops.listen,
            log: written.log,
        })
    }
}

/// A relative path in a settings file is relative to that file.
fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new(".")).join(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::written::read_strictly;

    #[test]
    fn the_example_files_say_every_key_with_its_default() {
        let gateway = include_str!("../../firmware-config/box/etc/maitred/gateway.toml");
        let hq = include_str!("../../deploy/hq/hq.toml");
        let gateway: written::Gateway = read_strictly("gateway.toml", gateway).unwrap();
        let hq: written::Hq = read_strictly("hq.toml", hq).unwrap();
        assert_eq!(gateway, written::Gateway::default());
        assert_eq!(hq, written::Hq::default());
    }

    #[test]
    fn the_example_files_leave_no_key_out() {
        for (example, default) in [
            (
                include_str!("../../firmware-config/box/etc/maitred/gateway.toml"),
                toml::to_string(&written::Gateway::default()).unwrap(),
            ),
            (
                include_str!("../../deploy/hq/hq.toml"),
                toml::to_string(&written::Hq::default()).unwrap(),
            ),
        ] {
            let example: toml::Table = toml::from_str(example).unwrap();
            let default: toml::Table = toml::from_str(&default).unwrap();
            assert_eq!(example, default);
        }
    }

    #[cfg(feature = "hq")]
    #[test]
    fn a_console_without_a_certificate_stays_on_loopback() {
        let mut hq = written::Hq::default();
        hq.console.listen = SocketAddr::from(([0, 0, 0, 0], 8480));
        let bad = HqSettings::check(hq, Path::new("hq.toml")).unwrap_err();
        assert_eq!(bad.key, "console.listen");
    }
}
