//! The certificate that this box shows to headquarters, and how it is renewed.
//!
//! A certificate lasts 90 days and is renewed once a third of that has passed, over the old one and with a
//! new key that never leaves the box. Both are good until the new one is first used, and key and certificate
//! are kept in one step, so a renewal that is cut off anywhere leaves a box that can go on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use rustls::ClientConfig;

use super::identity::Identity;
use crate::ops::clock::SystemClock;
use crate::ops::key::Key;
use crate::ops::tls::{BadIdentity, CertificateTime};
use crate::wire::link::Renewed;

/// Two thirds of the 90 days that headquarters gives.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 60);

/// Shared by both connections.
pub(super) struct Credentials {
    identity_dir: PathBuf,
    held: Mutex<Held>,
}

struct Held {
    identity: Identity,
    edition: Edition,
}

/// Changes with the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Edition(u32);

impl Credentials {
    pub(super) fn new(identity: Identity, identity_dir: PathBuf) -> Self {
        let edition = Edition::default();
        Self {
            identity_dir,
            held: Mutex::new(Held { identity, edition }),
        }
    }

    pub(super) fn edition(&self) -> Edition {
        self.held().edition
    }

    /// What a connection is made with, and which edition that is.
    pub(super) fn tls(
        &self,
        time: Arc<CertificateTime>,
    ) -> Result<(Edition, Arc<ClientConfig>), BadIdentity> {
        let held = self.held();
        Ok((held.edition, held.identity.tls(time)?))
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let ends = self.held().identity.enrolled.certificate_ends;
        ends - now.as_second() < RENEW_BEFORE.as_secs()
    }

    /// Keeps what headquarters certified, and shows it from the next connection on.
    pub(super) fn renew(&self, key: &Key, renewed: Renewed) -> anyhow::Result<()> {
        let mut enrolled = self.held().identity.enrolled.clone();
        enrolled.certificate_pem = renewed.certificate_pem;
        enrolled.certificate_ends = renewed.certificate_ends;
        let identity = Identity::new(enrolled, key.to_pem());
        // What does not fit together must not replace what does.
        identity
            .tls(CertificateTime::new(Arc::new(SystemClock)))
            .context("reading the renewed certificate")?;
        identity
            .store(&self.identity_dir)
            .context("keeping the renewed certificate")?;
        let mut held = self.held();
        let edition = Edition(held.edition.0 + 1);
        *held = Held { identity, edition };
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
