//! The gateways' part of the page: who serves what, who is silent, and which bundle is in use where.

use jiff::{SignedDuration, Timestamp};

use super::words::Words;
use crate::hq::bundles::Bundles;
use crate::hq::db::Gateway;
use crate::wire::link::{BundleState, Serves};

/// A gateway as the table shows it.
pub(super) struct GatewayRow {
    pub(super) id: String,
    pub(super) serves: String,
    pub(super) last_seen: String,
    pub(super) bundle: String,
    /// Why it refused the bundle it should have.
    pub(super) why: String,
    pub(super) class: &'static str,
}

pub(super) fn rows(
    words: &Words,
    gateways: &[Gateway],
    bundles: &Bundles,
    now: Timestamp,
) -> Vec<GatewayRow> {
    gateways
        .iter()
        .map(|gateway| row(words, gateway, bundles, now))
        .collect()
}

fn row(words: &Words, gateway: &Gateway, bundles: &Bundles, now: Timestamp) -> GatewayRow {
    let desired = bundles.pointer(gateway.id).map(|pointer| pointer.v);
    let (class, bundle, why) = bundle(words, gateway, desired);
    GatewayRow {
        id: gateway.id.to_string(),
        serves: match &gateway.serves {
            Serves::Store(store) => store.to_string(),
            Serves::Street => words.street.to_owned(),
        },
        last_seen: match gateway.last_seen {
            Some(seen) => ago(words, now.duration_since(seen)),
            None => words.never_seen.to_owned(),
        },
        bundle,
        why,
        class,
    }
}

fn bundle(
    words: &Words,
    gateway: &Gateway,
    desired: Option<u64>,
) -> (&'static str, String, String) {
    if gateway.is_revoked() {
        return ("stale", words.revoked.to_owned(), String::new());
    }
    let Some(desired) = desired else {
        return ("stale", words.no_bundle.to_owned(), String::new());
    };
    let version = |sentence: &str, version: u64| sentence.replacen("{}", &version.to_string(), 1);
    match &gateway.reported {
        Some(report) if report.state == BundleState::Refused => {
            let sentence = version(words.bundle_refused, report.version);
            ("stale", sentence, report.why.clone())
        }
        Some(report) if report.version == desired => (
            "fresh",
            version(words.bundle_applied, desired),
            // What of it the box left out.
            report.why.clone(),
        ),
        other => {
            let in_use = other.as_ref().map_or(0, |report| report.version);
            let sentence = version(words.bundle_behind, in_use);
            ("stale", version(&sentence, desired), String::new())
        }
    }
}

/// A length of time in the largest whole unit.
pub(super) fn ago(words: &Words, silent: SignedDuration) -> String {
    let minutes = silent.as_mins();
    let (sentence, number) = match minutes {
        ..1 => return words.just_now.to_owned(),
        1..120 => (words.minutes, minutes),
        120..2880 => (words.hours, minutes / 60),
        _ => (words.days, minutes / 1440),
    };
    sentence.replace("{}", &number.to_string())
}
