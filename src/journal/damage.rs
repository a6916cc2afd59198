//! What the media have destroyed, written down for people: `<state dir>/DAMAGE`, one JSON object a line.
//!
//! Promises that a report is on stable storage before the journal goes on, that nothing is reported twice in
//! the same words, and that the file is only ever added to: whoever has dealt with it takes it away. Holds
//! numbers and names of directories, never a frame's contents.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use crate::ops::clock::Clock;
use crate::ops::metrics;

use super::disk;
use super::error::StorageError;

const NAME: &str = "DAMAGE";

/// How much damage has been reported and not been dealt with yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    pub reports: u64,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Below the state directory.
    pub directory: String,
    /// What was wrong with it.
    pub reason: String,
    /// Where it was put, if it was.
    pub quarantine: Option<String>,
    /// Frames or entries that were saved from it.
    pub salvaged: u64,
    /// Sequences that are gone, from and to.
    pub missing: Vec<(u64, u64)>,
    /// Whether more may have come after the last that is known.
    pub end_unknown: bool,
}

/// The file of reports.
#[derive(Clone)]
pub(super) struct Reports {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    damage: watch::Sender<Damage>,
}

impl Reports {
    pub(super) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Self {
        let reports = read(dir).lines().count() as u64;
        Self {
            dir: dir.to_owned(),
            clock,
            damage: watch::channel(Damage { reports }).0,
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Damage> {
        self.damage.subscribe()
    }

    pub(super) fn add(&self, finding: &Finding) -> Result<(), StorageError> {
        let mut finding = finding.clone();
        if !take_known(&mut finding, &read(&self.dir)) {
            return Ok(());
        }
        let found = serde_json::to_string(&finding).map_err(io::Error::from)?;
        let found = found.trim_start_matches('{');
        let missing: u64 = finding.missing.iter().map(|(from, to)| to - from + 1).sum();
        tracing::error!(
            journal.dir = %finding.directory,
            journal.salvaged = finding.salvaged,
            journal.missing = missing,
            reason = %finding.reason,
            "the journal was damaged; DAMAGE in the state directory tells what was saved"
        );
        metrics::count(metrics::JOURNAL_DAMAGE_TOTAL);
        let path = self.dir.join(NAME);
        let mut file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?;
        let line = format!("{{\"time\":\"{:.0}\",{found}\n", self.clock.now());
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        disk::sync_dir(&self.dir)?;
        self.damage.send_modify(|damage| damage.reports += 1);
        Ok(())
    }
}

/// The reports so far. A file that cannot be read is as good as none: it must not keep a box from starting.
pub(super) fn read(dir: &Path) -> String {
    let bytes = fs_err::read(dir.join(NAME)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Leaves in a finding what the reports so far do not say of its directory; false if that is nothing.
fn take_known(finding: &mut Finding, reports: &str) -> bool {
    let directory = format!("\"directory\":\"{}\"", finding.directory);
    let known: Vec<&str> = reports
        .lines()
        .filter(|line| line.contains(&directory))
        .collect();
    let is_known = |text: &str| known.iter().any(|line| line.contains(text));
    finding
        .missing
        .retain(|(from, to)| !is_known(&format!("[{from},{to}]")));
    let tells_of_end = finding.end_unknown && !is_known("\"end_unknown\":true");
    finding.salvaged > 0
        || finding.quarantine.is_some()
        || !finding.missing.is_empty()
        || tells_of_end
}

/// The ranges of `from..to` that are not in `present`, which is in order.
pub(super) fn missing(from: u64, to: u64, present: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    let mut expected = from;
    for seq in present.filter(|seq| *seq >= from).chain([to]) {
        if seq > expected {
            ranges.push((expected, seq - 1));
        }
        expected = expected.max(seq + 1);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::clock::TestClock;

    #[test]
    fn missing_ranges_are_named_from_and_to() {
        let ranges = |present: &[u64]| missing(3, 10, present.iter().copied());
        assert_eq!(ranges(&[3, 4, 5, 6, 7, 8, 9]), []);
        assert_eq!(ranges(&[1, 2, 4, 5, 8]), [(3, 3), (6, 7), (9, 9)]);
        assert_eq!(ranges(&[]), [(3, 9)]);
    }

    #[test]
    fn a_finding_is_written_down_once_in_words_that_a_person_reads() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::at("2026-10-01T18:30:00Z".parse().unwrap()));
        let finding = Finding {
            directory: "p0/gen-1".to_owned(),
            reason: "a \"reason\"".to_owned(),
            quarantine: None,
            salvaged: 0,
            missing: vec![(3, 5)],
            end_unknown: true,
        };
        for _ in 0..2 {
            Reports::open(dir.path(), clock.clone())
                .add(&finding)
                .unwrap();
        }
        let expected = "{\"time\":\"2026-10-01T18:30:00Z\",\"directory\":\"p0/gen-1\",\
             \"reason\":\"a \\\"reason\\\"\",\"quarantine\":null,\"salvaged\":0,\
             \"missing\":[[3,5]],\"end_unknown\":true}\n";
        assert_eq!(read(dir.path()), expected);
        let reports = Reports::open(dir.path(), clock);
        assert_eq!(reports.watch().borrow().reports, 1);
    }
}
