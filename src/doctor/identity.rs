//! Is the box enrolled, and for how long is its certificate good?

use std::path::Path;

use jiff::Timestamp;

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
    let days = (enrolled.certificate_ends - now.as_second()).div_euclid(24 * 3600);
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
