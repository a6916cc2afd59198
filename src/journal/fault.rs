//! Two known ways to lose captures, compiled only with the feature `fault` and never in a release: the power
//! cut test must notice either, or it proves nothing.
//!
//! `JOURNAL_FAULT` names the one that a process shall have; without it everything is as it should be.

use super::options::Cap;

/// sled's flush alone, which is `sync_file_range`: no answer rests on anything durable.
pub(super) const NO_FDATASYNC: &str = "no-fdatasync";

/// Far more than a quarter segment of log between two fdatasyncs.
pub(super) const CAP_1000: &str = "cap-1000";

pub(super) const CAP: Cap = Cap {
    entries: 1000,
    bytes: usize::MAX,
};

#[expect(
    clippy::disallowed_methods,
    reason = "a setting would be there in a release, too"
)]
pub(super) fn is_asked_for(fault: &str) -> bool {
    std::env::var("JOURNAL_FAULT").is_ok_and(|asked| asked == fault)
}
