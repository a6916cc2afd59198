//! The certificate that this box shows to headquarters, and how it is renewed.
//!
//! A certificate lasts 90 days and is renewed once a third of that has passed, over the old one and with a
//! new key that never leaves the box. Both are good until the new one is first used, and key and certificate
//! are kept in one step, so a renewal that is cut off anywhere leaves a box that can go on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ClientConfig;

use super::enroll::signing_request;
use super::identity::Identity;
use crate::ops::tls::{BadIdentity, CertificateTime};
use crate::wire::link::Renewed;

/// Two thirds of the 90 days that headquarters gives.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 60);

/// Shared by both connections.
pub(super) struct Credentials {
    identity_dir: PathBuf,
    time: Arc<CertificateTime>,
    held: Mutex<Held>,
}

struct Held {
    identity: Identity,
    shown: Shown,
}

/// What a connection is made with.
#[derive(Clone)]
pub(super) struct Shown {
    pub tls: Arc<ClientConfig>,
    /// Changes with the certificate.
    pub edition: u32,
}

/// A key that headquarters is asked to certify.
pub(super) struct NewKey(KeyPair);

impl Credentials {
    pub(super) fn new(
        identity: Identity,
        identity_dir: PathBuf,
        time: Arc<CertificateTime>,
    ) -> Result<Self, BadIdentity> {
        let tls = identity.tls(Arc::clone(&time))?;
        let shown = Shown { tls, edition: 0 };
        Ok(Self {
            identity_dir,
            time,
            held: Mutex::new(Held { identity, shown }),
        })
    }

    pub(super) fn shown(&self) -> Shown {
        self.held().shown.clone()
    }

    pub(super) fn time(&self) -> &CertificateTime {
        &self.time
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let ends = self.held().identity.enrolled.certificate_ends;
        ends - now.as_second() < RENEW_BEFORE.as_secs()
    }

    /// A new key, and the request to certify it.
    pub(super) fn new_key() -> anyhow::Result<(NewKey, String)> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("making a new key")?;
        let request = signing_request(&key)?;
        Ok((NewKey(key), request))
    }

    /// Keeps what headquarters certified, and shows it from the next connection on.
    pub(super) fn renew(&self, key: &NewKey, renewed: Renewed) -> anyhow::Result<()> {
        let mut enrolled = self.held().identity.enrolled.clone();
        enrolled.certificate_pem = renewed.certificate_pem;
        enrolled.certificate_ends = renewed.certificate_ends;
        let identity = Identity::new(enrolled, key.0.serialize_pem());
        // What does not fit together must not replace what does.
        let tls = identity
            .tls(Arc::clone(&self.time))
            .context("reading the renewed certificate")?;
        identity
            .store(&self.identity_dir)
            .context("keeping the renewed certificate")?;
        let mut held = self.held();
        let edition = held.shown.edition + 1;
        *held = Held {
            identity,
            shown: Shown { tls, edition },
        };
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
