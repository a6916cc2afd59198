//! One sled database directory: made, opened, synced and put away so that a power cut at any point is harmless.
//!
//! Promises: a directory with READY was created whole; [`Database::sync`] returns only once everything
//! written is on stable storage; sled's panics while damaged media are opened end as `guard` says. A panic
//! after that ends the journal's thread, and with it the gateway, which opens it again at its next start.
//!
//! Never: `flush_async` (deadlocks), `Tree::len` (scans), `generate_id` (jumps), compression, a second
//! fdatasync on a descriptor whose first one failed (it would report success for pages that are lost).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::closed::{CLEAN, Closed};
use super::disk;
use super::error::StorageError;
use super::guard::guarded;
use super::mark::Mark;
use super::options::Profile;
use super::ready::{self, GENERATION_PREFIX, Ready};
use super::repair;

/// sled's file.
pub(super) const LOG: &str = "db";

/// READY's text once more, for a byte scan.
const READY_COPY: &str = "ready";

/// The default of sled is 1 GiB, and it is no hard bound either.
const CACHE_BYTES: u64 = 1 << 20;

/// sled's pool threads hold the file a moment longer than the handle, and nothing signals when they let go.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    sled: sled::Db,
    /// Our own descriptor on sled's file: sled's flush is `sync_file_range`, which no power cut respects.
    log: fs_err::File,
}

impl Database {
    /// Makes a database in `parent` under its READY's name. Until [`Database::finish`] it counts for nothing.
    pub(super) fn begin(parent: &Path, ready: &Ready) -> Result<Self, StorageError> {
        let path = begin_dir(parent, ready)?;
        let database = Self::open_files(&path, ready.profile)?;
        database
            .numbers()
            .insert(READY_COPY, ready.to_text().as_bytes())
            .map_err(|error| StorageError::sled(&path, &error))?;
        Ok(database)
    }

    /// Makes everything written since `begin` last, and then count.
    pub(super) fn finish(&self, parent: &Path, ready: &Ready) -> Result<(), StorageError> {
        self.sync()?;
        // sled itself syncs neither `conf` nor the directory; torn, the first is `Corruption` for ever.
        disk::sync_dir(&self.path)?;
        disk::sync_file(&self.path.join("conf"))?;
        disk::sync_file(&self.path.join(LOG))?;
        ready.write(&self.path)?;
        Ok(disk::sync_dir(parent)?)
    }

    /// Opens a database whose READY has been read.
    pub(super) fn open(path: &Path, ready: &Ready) -> Result<Self, StorageError> {
        if path.join(CLEAN).exists() {
            fs_err::remove_file(path.join(CLEAN))?;
            disk::sync_dir(path)?;
        }
        repair::repair_snapshots(path)?;
        let database = Self::open_files(path, ready.profile)?;
        // A killed run may have left frames that only the page cache holds. Answers will be given on the
        // strength of them, without another commit, so they become durable first; and so does what sled
        // wrote to open, which would otherwise count towards the next commit's cap.
        database.sync()?;
        // sled renames its snapshot during open and leaves the directory unsynced.
        disk::sync_dir(path)?;
        warn_of_blobs(path)?;
        Ok(database)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn tree(&self, name: &str) -> Result<sled::Tree, StorageError> {
        self.sled
            .open_tree(name)
            .map_err(|error| StorageError::sled(&self.path, &error))
    }

    /// sled's default tree, for the few numbers about the others.
    pub(super) fn numbers(&self) -> &sled::Tree {
        &self.sled
    }

    /// Returns once all that was written is on stable storage. After an error the database must be dropped.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        let flushed = match self.sled.flush() {
            Ok(_) => Ok(()),
            Err(sled::Error::Io(error)) => Err(error),
            Err(error) => return Err(StorageError::sled(&self.path, &error)),
        };
        flushed.map_err(|error| failed_sync(&self.path, error))?;
        sync_data(&self.path, &self.log)
    }

    /// Puts the database away in order, and notes where it stands and what the file is.
    pub(super) fn close(self, base: Mark, next: Mark) -> Result<(), StorageError> {
        self.sync()?;
        let Self { path, sled, log } = self;
        drop(sled);
        drop(log);
        let closed = Closed::of_file(base, next, &path.join(LOG))?;
        Ok(disk::write_marker(&path, CLEAN, &closed.to_text())?)
    }

    fn open_files(path: &Path, profile: Profile) -> Result<Self, StorageError> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            // The default flusher costs two device flushes a second for ever, and promises nothing for them.
            .flush_every_ms(None)
            .segment_size(profile.segment_bytes());
        let sled = open_once_unlocked(path, &config)?;
        let log = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join(LOG))?;
        Ok(Self {
            path: path.to_owned(),
            sled,
            log,
        })
    }
}

/// Makes an empty directory under a READY's name, for what will count once it has its READY.
pub(super) fn begin_dir(parent: &Path, ready: &Ready) -> io::Result<PathBuf> {
    let path = parent.join(ready.dir_name());
    if path.exists() && !path.join(ready::NAME).exists() {
        // Without READY nothing in it was ever promised to anyone.
        fs_err::remove_dir_all(&path)?;
    }
    fs_err::create_dir(&path)?;
    Ok(path)
}

/// Returns once what was written to a file of the directory `path` is on stable storage.
pub(super) fn sync_data(path: &Path, file: &fs_err::File) -> Result<(), StorageError> {
    let sync = || {
        #[cfg(test)]
        faults::fail_if_asked(path)?;
        #[cfg(feature = "fault")]
        if super::fault::is_asked_for(super::fault::NO_FDATASYNC) {
            return Ok(());
        }
        file.sync_data()
    };
    sync().map_err(|error| failed_sync(path, error))
}

fn failed_sync(path: &Path, error: io::Error) -> StorageError {
    StorageError::Sync {
        path: path.to_owned(),
        source: Arc::new(error),
    }
}

/// Copies a directory's file onto fresh pages after a failed sync, before it is opened again.
///
/// The kernel marks pages clean when their write-back fails, so a new descriptor would sync them "well"
/// without writing them, and what is acknowledged later would rest on them.
pub(super) fn rewrite(path: &Path) -> Result<(), StorageError> {
    let names = [LOG, super::log::LOG].map(|name| path.join(name));
    let Some(log) = names.into_iter().find(|log| log.exists()) else {
        return Ok(());
    };
    let copy = log.with_extension("copy");
    fs_err::copy(&log, &copy)?;
    disk::sync_file(&copy)?;
    fs_err::rename(&copy, &log)?;
    Ok(disk::sync_dir(path)?)
}

/// The names in a row that a generation could have.
pub(super) fn generations_in(parent: &Path) -> io::Result<Vec<String>> {
    let mut names = disk::names_in(parent)?;
    names.retain(|name| name.starts_with(GENERATION_PREFIX));
    names.sort_unstable();
    Ok(names)
}

fn open_once_unlocked(path: &Path, config: &sled::Config) -> Result<sled::Db, StorageError> {
    let mut attempts = LOCK_ATTEMPTS;
    loop {
        let opened = guarded(path, None, || {
            config
                .open()
                .map_err(|error| StorageError::sled(path, &error))
        });
        attempts -= 1;
        match opened {
            Err(StorageError::Io(error))
                if attempts > 0 && error.to_string().contains("could not acquire lock") =>
            {
                pause();
            }
            outcome => return outcome,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing signals the moment sled's pool threads close the file"
)]
pub(super) fn pause() {
    std::thread::sleep(LOCK_PAUSE);
}

/// How often [`pause`] is worth it: about a second.
pub(super) const PAUSES: u32 = LOCK_ATTEMPTS;

/// sled never syncs these files, so one of them means that a size limit is wrong.
fn warn_of_blobs(path: &Path) -> Result<(), StorageError> {
    let blobs = path.join("blobs");
    if blobs.is_dir() && !disk::names_in(&blobs)?.is_empty() {
        tracing::error!(journal.path = %blobs.display(), "sled keeps values in files that it never syncs");
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod faults {
    //! Lets a test make the next sync of one database fail: an ordinary disk does not do so on demand.

    use std::io;
    use std::path::Path;

    const FAULT: &str = "FAIL-NEXT-SYNC";
    const FULL: &str = "full";

    pub(in crate::journal) fn fail_next_sync(path: &Path) {
        fs_err::write(path.join(FAULT), "").unwrap();
    }

    pub(in crate::journal) fn fill_disk(path: &Path) {
        fs_err::write(path.join(FAULT), FULL).unwrap();
    }

    pub(super) fn fail_if_asked(path: &Path) -> io::Result<()> {
        let Ok(fault) = fs_err::read_to_string(path.join(FAULT)) else {
            return Ok(());
        };
        fs_err::remove_file(path.join(FAULT))?;
        match fault == FULL {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Err(io::Error::other("a test asked for this")),
        }
    }
}
