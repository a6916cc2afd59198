//! Headquarters' own keys: which files hold them, and how they are read at start.
//!
//! ```text
//! gateway-ca.pem  gateway-ca.key    signs gateways' client certificates
//! server-ca.pem   server-ca.key     signs sync.pem; its SHA-256 is the pin printed for enrolment
//! sync.pem        sync.key          headquarters' certificate for the sync and enroll listeners
//! publish-root.key publish-root.pub pinned on every box; the key belongs offline once HQ runs
//! publish.key publish-certificate.json   signs bundles, by the root's word
//! sealing.key sealing.pub           X25519: what diners type is sealed to it
//! log.key     log.pub               X25519: the access log is sealed to it, where the law wants one
//! ledger.db                         everything that was counted
//! ```
//!
//! Keys have mode 0600. The root's key is never read by a running headquarters.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::authority::{Authority, ServerCertificate};
use crate::ops::files::{self, Readers};
use crate::ops::tls;
use crate::wire::bundle::PublishCertificate;
use crate::wire::encoding::hex;
use crate::wire::sealed::SealingKey;
use crate::wire::signing::{PublicKey, SigningKey};

pub(super) const ROOT_KEY: &str = "publish-root.key";

/// The keys of a running headquarters.
pub struct Identity {
    pub gateway_ca: Authority,
    pub server_ca_pem: String,
    pub publish_root: PublicKey,
    pub publish_key: SigningKey,
    pub publish_certificate: PublishCertificate,
    /// What diners type is sealed to it; none at a headquarters of before.
    pub sealing_key: Option<SealingKey>,
    pub log_key: Option<SealingKey>,
    pub sync_expires: Timestamp,
    /// The hosts and addresses that the sync certificate carries.
    pub sync_names: Vec<String>,
    sync_chain_pem: String,
    sync_key_pem: String,
}

impl Identity {
    /// Reads everything, and reissues the sync certificate when half of its life is over.
    pub fn load(dir: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let read = |name: &str| {
            fs_err::read_to_string(dir.join(name))
                .context("reading headquarters' keys\nhint: `maitred hq init --dir DIR` makes them")
        };
        let gateway_ca = Authority::load(read("gateway-ca.pem")?, &read("gateway-ca.key")?)?;
        let server_ca_pem = read("server-ca.pem")?;
        let sync_key_pem = read("sync.key")?;
        let mut sync_pem = read("sync.pem")?;
        let mut sync = ServerCertificate::read(&sync_pem)?;
        if sync.not_after < now + super::authority::SERVER_LASTS / 2 {
            let server_ca = Authority::load(server_ca_pem.clone(), &read("server-ca.key")?)?;
            sync_pem = server_ca.issue_server(&sync.names, &sync_key_pem, now)?;
            files::replace(
                &dir.join("sync.pem"),
                sync_pem.as_bytes(),
                Readers::Everyone,
            )?;
            sync = ServerCertificate::read(&sync_pem)?;
            tracing::info!(expires = %sync.not_after, "the sync certificate has been reissued");
        }
        let publish_key =
            fs_err::read(dir.join("publish.key")).context("reading the publish key")?;
        let identity = Self {
            gateway_ca,
            publish_root: PublicKey::try_from(read("publish-root.pub")?.trim().to_owned())
                .map_err(anyhow::Error::msg)?,
            publish_key: SigningKey::from_pkcs8(&publish_key)
                .context("the publish key is not an Ed25519 key in PKCS #8")?,
            publish_certificate: serde_json::from_str(&read("publish-certificate.json")?)
                .context("reading the publish key's certificate")?,
            sealing_key: sealing_key(dir, "sealing.pub")?,
            log_key: sealing_key(dir, "log.pub")?,
            sync_expires: sync.not_after,
            sync_names: sync.names,
            // Leaf and authority, so that a box that knows only the pin can check the leaf.
            sync_chain_pem: format!("{sync_pem}{server_ca_pem}"),
            sync_key_pem,
            server_ca_pem,
        };
        identity.warn_of_ends(now);
        Ok(identity)
    }

    /// Bundles go on being believed after the publish certificate's end, because a box may have no clock;
    /// but a key that nobody renews is a key that nobody watches.
    fn warn_of_ends(&self, now: Timestamp) {
        let soon = (now + SignedDuration::from_hours(24 * 30)).as_millisecond();
        if self.publish_certificate.not_after < soon {
            tracing::warn!(
                "the publish key's certificate ends within 30 days; certify a new one with the root key"
            );
        }
    }

    pub fn pin(&self) -> anyhow::Result<String> {
        Ok(hex(&tls::fingerprint(&self.server_ca_pem)?))
    }

    /// For the listener that only enrolled gateways can reach.
    pub fn sync_tls(&self) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let clients = &self.gateway_ca.certificate_pem;
        tls::server_for_clients_of(clients, &self.sync_chain_pem, &self.sync_key_pem)
            .context("setting up TLS of the sync listener")
    }

    /// For the listener that new gateways check by its pin.
    pub fn enroll_tls(&self) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        tls::server(&self.sync_chain_pem, &self.sync_key_pem)
            .context("setting up TLS of the enroll listener")
    }
}

fn sealing_key(dir: &Path, name: &str) -> anyhow::Result<Option<SealingKey>> {
    let path = dir.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path)?.trim().to_owned();
    let key = SealingKey::try_from(text).map_err(anyhow::Error::msg);
    key.map(Some).with_context(|| format!("reading {name}"))
}
