//! Who this gateway is: what enrolment gave it, and the key that never left it.
//!
//! ```text
//! <state dir>/identity/identity.json   0600: the P-256 key made on the box, its certificate, headquarters'
//!                                      authority, publish root; one file, so that key and certificate
//!                                      are always of the same enrolment
//! ```

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use crate::ops::files::{Readers, replace};
use crate::ops::tls::{self, BadIdentity, CertificateTime};
use crate::wire::link::Enrolled;

/// An enrolled gateway.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    pub enrolled: Enrolled,
    key_pem: String,
}

const FILE: &str = "identity.json";

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("gateway", &self.enrolled.gateway)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the identity; none before enrolment.
    pub fn load(identity_dir: &Path) -> io::Result<Option<Self>> {
        match fs_err::read(identity_dir.join(FILE)) {
            Ok(identity) => Ok(Some(serde_json::from_slice(&identity)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What headquarters gave for the key that it was asked with.
    pub(super) const fn new(enrolled: Enrolled, key_pem: String) -> Self {
        Self { enrolled, key_pem }
    }

    /// Keeps it in place of the one before.
    pub(super) fn store(&self, identity_dir: &Path) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        replace(&identity_dir.join(FILE), &json, Readers::OnlyUs)
    }

    pub(super) fn tls(&self, time: Arc<CertificateTime>) -> Result<Arc<ClientConfig>, BadIdentity> {
        let enrolled = &self.enrolled;
        tls::client(
            &enrolled.server_ca_pem,
            &enrolled.certificate_pem,
            &self.key_pem,
            time,
        )
    }
}
