//! Is the box enrolled, and for how long is its certificate good?

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;

use super::Finding;
use crate::uplink::identity::Identity;

/// Somebody has to enrol the box again before its certificate ends; two weeks leave time for a visit.
const FEW_DAYS: i64 = 14;

pub fn check(identity_dir: &Path, now: Timestamp) -> Finding {
    const CHECK: &str = "identity";
    let identity = match Identity::load(identity_dir) {
        Ok(Some(identity)) => identity,
        Ok(None) => {
            return Finding::bad(
                CHECK,
                "this box is not enrolled",
                "get a token with `maitred hq token` and run `maitred enroll`",
            );
        }
        Err(error) => {
            return Finding::bad(CHECK, error.to_string(), "enrol again with a new token");
        }
    };
    let enrolled = &identity.enrolled;
    let Some(end) = expiry(&enrolled.certificate_pem) else {
        return Finding::bad(
            CHECK,
            "the certificate cannot be read",
            "enrol again with a new token",
        );
    };
    let days = (end - now.as_second()) / (24 * 3600);
    let who = format!("{} of chain {}", enrolled.gateway, enrolled.chain);
    if days < 0 {
        Finding::bad(
            CHECK,
            format!("{who}: the certificate has expired"),
            "enrol again with a new token; what waits in the journal is kept",
        )
    } else if days < FEW_DAYS {
        Finding::warning(
            CHECK,
            format!("{who}: the certificate ends in {days} days"),
            "enrol again with a new token; what waits in the journal is kept",
        )
    } else {
        Finding::good(CHECK, format!("{who}, certificate good for {days} days"))
    }
}

/// The end of the certificate's validity in Unix seconds.
fn expiry(pem: &str) -> Option<i64> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, parsed) = parse_x509_certificate(&certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}
