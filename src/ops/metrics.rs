//! The names of all metrics, and the registry behind `/metrics`.
//!
//! Names are `<area>_<thing>_<unit>_total` for counters, without `_total` for gauges. No label carries
//! anything that belongs to a person.

mod registry;

use std::time::Duration;

use registry::Registry;

pub use registry::Label;

pub const PANICS: &str = "process_panics_total";
pub const CONNECTIONS_REFUSED: &str = "serve_connections_refused_total";
pub const TLS_HANDSHAKES_FAILED: &str = "serve_tls_handshakes_failed_total";

pub const TAPS: &str = "portal_taps_total";
pub const CODES_UNKNOWN: &str = "portal_codes_unknown_total";
pub const CLAIMS: &str = "portal_claims_total";
pub const CLAIMS_REFUSED: &str = "portal_claims_refused_total";
/// Calls for staff, and ratings with or without words, that were taken; echoes among them.
pub const STAFF_CALLS: &str = "portal_staff_calls_total";
pub const FEEDBACK: &str = "portal_feedback_total";
/// Tables that were booked, or changed by their guests, and requests for which there was no room or no such hour.
pub const BOOKINGS: &str = "portal_bookings_total";
pub const BOOKINGS_REFUSED: &str = "portal_bookings_refused_total";
/// When the certificate that phones are shown ends, in Unix seconds; not there while there is none.
pub const PORTAL_CERTIFICATE_NOT_AFTER_SECONDS: &str = "portal_certificate_not_after_seconds";
pub const REDEMPTIONS: &str = "portal_redemptions_total";
pub const REDEMPTIONS_REFUSED: &str = "portal_redemptions_refused_total";

/// Devices that are let in, passes among them.
pub const DEVICES_ADMITTED: &str = "admission_devices";
/// Devices let in, by `kind`: `open`, `pass`.
pub const ADMISSIONS: &str = "admission_admitted_total";
/// Devices refused, by `why`.
pub const ADMISSIONS_REFUSED: &str = "admission_refused_total";
/// Changes of sessions that the disk was too slow to keep.
pub const SESSIONS_NOT_KEPT: &str = "admission_sessions_not_kept_total";
/// Sessions that ended, by `reason`: `time`, `idle`, `quota`, `revoked`, `closed`.
pub const ADMISSIONS_ENDED: &str = "admission_ended_total";
/// Ends of sessions and uses of passes that headquarters does not hear of, because too much happened at once.
pub const ENDINGS_MISSED: &str = "admission_endings_missed_total";
/// 1 while the wall could not be set up.
pub const WALL_TROUBLE: &str = "admission_wall_trouble";
/// 1 while dnsmasq does not know what it should.
pub const DNSMASQ_TROUBLE: &str = "admission_dnsmasq_trouble";
/// Times the wall was set up anew because somebody else had changed it.
pub const WALL_RESTORED: &str = "admission_wall_restored_total";
/// Calls of the operator's hook, by `outcome`: `done`, `failed`, `late`, `dropped`.
pub const HOOKS: &str = "admission_hooks_total";

pub const UPLINK_STATE: &str = "uplink_state";
pub const UPLINK_FRAMES_SENT: &str = "uplink_frames_sent_total";
pub const UPLINK_FAILURES: &str = "uplink_failures_total";
/// Commands of headquarters that were dealt with, by `outcome`.
pub const UPLINK_COMMANDS: &str = "uplink_commands_total";
/// Questions about coupons of other stores, by whether an `answer` came in time.
pub const UPLINK_SISTERS: &str = "uplink_sisters_total";
pub const JOURNAL_WAITING_FRAMES: &str = "journal_waiting_frames";
/// Commits of the journal that reached stable storage.
pub const JOURNAL_COMMITS_TOTAL: &str = "journal_commits_total";

/// Commits of the journal that failed, by `code`.
pub const JOURNAL_COMMIT_ERRORS_TOTAL: &str = "journal_commit_errors_total";

/// From the first decision of a commit to its stable storage.
pub const JOURNAL_COMMIT_SECONDS: &str = "journal_commit_seconds";

/// Frames written, by `spool`.
pub const JOURNAL_FRAMES_TOTAL: &str = "journal_frames_total";

/// P1 frames that were not kept, by `reason`: `queue`, `evicted`, `no_space`, `too_large`, `storage`.
pub const JOURNAL_P1_DROPPED_TOTAL: &str = "journal_p1_dropped_total";

/// Times the databases were dropped and opened again after an error.
pub const JOURNAL_REOPENS_TOTAL: &str = "journal_reopens_total";

/// Findings of damaged media that were written down.
pub const JOURNAL_DAMAGE_TOTAL: &str = "journal_damage_total";

pub const BUNDLE_VERSION: &str = "bundle_version";
pub const BUNDLES_REFUSED: &str = "bundle_refused_total";

pub const HQ_FRAMES: &str = "hq_frames_total";
pub const HQ_FRAMES_RESENT: &str = "hq_frames_resent_total";
/// Streams closed because the gateway had something else than what it had sent, by `why`.
pub const HQ_STREAMS_CLOSED: &str = "hq_streams_closed_total";
/// Stores that asked about a coupon of another one, by `answer`.
pub const HQ_SISTERS: &str = "hq_sisters_total";
/// Batches that were told to come again, by `code`.
pub const HQ_BATCHES_PUT_OFF: &str = "hq_batches_put_off_total";
pub const HQ_EVENTS_QUARANTINED: &str = "hq_events_quarantined_total";
pub const HQ_ENROLMENTS_REFUSED: &str = "hq_enrolments_refused_total";

/// A process has one, as it has one `/metrics`; so have the servers of a test or the demo together.
static REGISTRY: Registry = Registry::new();

/// Counts one.
pub fn count(name: &'static str) {
    REGISTRY.add(name, None, 1);
}

/// Counts `more`.
pub fn add(name: &'static str, more: u64) {
    REGISTRY.add(name, None, more);
}

/// Counts `more` of one kind.
pub fn add_of(name: &'static str, label: Label, more: u64) {
    REGISTRY.add(name, Some(label), more);
}

/// Says how it is now.
pub fn set(name: &'static str, now: u64) {
    REGISTRY.set(name, None, now);
}

/// Says how it is now with one kind.
pub fn set_of(name: &'static str, label: Label, now: u64) {
    REGISTRY.set(name, Some(label), now);
}

/// Counts something that took `time`.
pub fn took(name: &'static str, time: Duration) {
    REGISTRY.took(name, time);
}

/// What `/metrics` answers.
pub fn text() -> String {
    REGISTRY.text()
}
