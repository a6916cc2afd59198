//! Who this gateway is: what enrolment gave it, and the key that never left it.
//!
//! ```text
//! <state dir>/identity/gateway.key     P-256, PEM, 0600, made on the box
//! <state dir>/identity/enrolled.json   certificate, headquarters' authority, publish root
//! ```

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::ops::files::{Readers, replace};
use crate::ops::tls::{self, BadIdentity};
use crate::wire::link::Enrolled;

/// An enrolled gateway.
#[derive(Clone)]
pub struct Identity {
    pub enrolled: Enrolled,
    key_pem: String,
}

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
        let enrolled = match fs_err::read(identity_dir.join("enrolled.json")) {
            Ok(enrolled) => enrolled,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let enrolled = serde_json::from_slice(&enrolled)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let key_pem = fs_err::read_to_string(identity_dir.join("gateway.key"))?;
        Ok(Some(Self { enrolled, key_pem }))
    }

    /// Keeps what enrolment gave.
    pub(super) fn store(identity_dir: &Path, enrolled: &Enrolled) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(enrolled)?;
        replace(&identity_dir.join("enrolled.json"), &json, Readers::OnlyUs)
    }

    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, BadIdentity> {
        let enrolled = &self.enrolled;
        tls::client(
            &enrolled.server_ca_pem,
            &enrolled.certificate_pem,
            &self.key_pem,
        )
    }
}
