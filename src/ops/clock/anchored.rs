//! The clock of a box that may have none: routers wake up in 1970, and some in 2070.
//!
//! ```text
//! <state dir>/clock.json   what earlier boots knew (see `record`)
//! ```
//! Promises that an anchor is on disk before [`Anchored::anchor`] returns, so that what was dated by it
//! and sent is dated the same after a power cut. Writes at a new boot and once an hour while headquarters
//! answers, otherwise never.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::record::{Anchor, Placed, Record};
use super::{Clock, SystemClock, boot_number};
use crate::ops::files::{Readers, replace};

/// What the gateway goes by.
#[derive(Debug)]
pub struct Anchored {
    path: PathBuf,
    boot: u32,
    record: Mutex<Record>,
}

impl Anchored {
    /// Reads what earlier boots knew.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        Self::in_boot(state_dir, boot_number())
    }

    fn in_boot(state_dir: &Path, boot: u32) -> io::Result<Self> {
        let path = state_dir.join("clock.json");
        let mut record = match fs_err::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "what earlier boots knew of time is unreadable and begun anew");
                Record::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record::default(),
            Err(error) => return Err(error),
        };
        if record.begin(boot) {
            write(&path, &record)?;
        }
        Ok(Self {
            path,
            boot,
            record: Mutex::new(record),
        })
    }

    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// Takes what a clock that is right said: `time` was right when this boot had lasted `since_boot`.
    pub fn anchor(&self, since_boot: Duration, time: Timestamp) -> io::Result<()> {
        let anchor = Anchor {
            since_boot_ms: u64::try_from(since_boot.as_millis()).unwrap_or(u64::MAX),
            time,
        };
        let mut record = self.record();
        let mut wanted = record.clone();
        if wanted.anchor(anchor) {
            write(&self.path, &wanted)?;
            *record = wanted;
            drop(record);
            if self.system_is_off() {
                tracing::warn!("the system's clock is more than a day off; headquarters' is used");
            }
        }
        Ok(())
    }

    /// Whether the system's own clock is known to be more than a day off.
    pub fn system_is_off(&self) -> bool {
        let off = SystemClock.now().duration_since(self.now());
        off.abs() > SignedDuration::from_hours(24)
    }

    /// When something happened that was noted as `since_boot` in `boot`, the system's clock saying `wall`.
    pub fn place(&self, boot: u32, since_boot: Duration, wall: Timestamp) -> Option<Placed> {
        self.record().place(boot, since_boot, wall)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    replace(path, &serde_json::to_vec(record)?, Readers::OnlyUs)
}

impl Clock for Anchored {
    fn now(&self) -> Timestamp {
        self.record().now(self.since_boot(), SystemClock.now())
    }

    fn since_boot(&self) -> Duration {
        SystemClock.since_boot()
    }

    fn doubt(&self) -> Option<Timestamp> {
        let record = self.record();
        (!record.is_anchored()).then(|| record.floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_outlives_the_process_and_ends_with_the_boot() {
        let dir = tempfile::tempdir().unwrap();
        let far = SystemClock.now() + SignedDuration::from_hours(24 * 365 * 20);
        let clock = Anchored::in_boot(dir.path(), 1).unwrap();
        assert!(clock.doubt().is_some());
        clock.anchor(clock.since_boot(), far).unwrap();
        assert!(clock.doubt().is_none() && clock.now() >= far);
        drop(clock);

        let again = Anchored::in_boot(dir.path(), 1).unwrap();
        assert!(again.doubt().is_none() && again.now() >= far);
        drop(again);

        let next_boot = Anchored::in_boot(dir.path(), 2).unwrap();
        assert_eq!(
            next_boot.doubt(),
            Some(far),
            "it is certainly later than that"
        );
        assert!(next_boot.now() >= far);
    }

    #[test]
    fn a_clock_file_that_is_torn_does_not_stop_the_box() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("clock.json"), "{\"boo").unwrap();
        assert!(Anchored::in_boot(dir.path(), 1).unwrap().doubt().is_some());
    }
}
