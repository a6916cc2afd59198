//! The projections' durable checkpoint: the book's entries, and up to which frame they are right.
//!
//! ```text
//! views/gen-<number, 20 digits>/   tree "v": the book's keys and values
//!                                  default tree: stream id (16 bytes) -> last frame applied, u64 big-endian
//! ```
//! Promises that an entry is at least as new as the position says. A checkpoint may take several syncs; the
//! position is written in the last one, so a cut in between only means that some frames are applied again.
//!
//! sled reuses only segments that are dead altogether, so the file grows past its content. When it is much
//! larger, the live entries are copied to a generation of the next number, which counts from the moment it
//! has its READY.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::domain::ids::StreamId;

use super::book::Change;
use super::database::{self, Database};
use super::disk;
use super::error::StorageError;
use super::options::{Cap, Profile};
use super::ready::Ready;

const ENTRIES: &str = "v";

/// The file may be this much larger than its content before it is copied: a fresh copy measured 3.9 times
/// its content, and one copy must not call for the next.
const SLACK_FACTOR: u64 = 8;
const SLACK_SEGMENTS: u64 = 4;

pub(super) struct Views {
    dir: PathBuf,
    ready: Ready,
    database: Database,
    entries: sled::Tree,
    live_bytes: u64,
}

/// Up to which frame of each stream the entries are right.
pub(super) type Positions = HashMap<StreamId, u64>;

impl Views {
    /// Opens the newest whole checkpoint and shows its entries to `restore`.
    pub(super) fn open(
        dir: &Path,
        profile: Profile,
        restore: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(Self, Positions), StorageError> {
        database::tidy(dir)?;
        let mut found = database::ready_in(dir)?;
        let Some((path, ready)) = found.pop() else {
            let ready = ready_number(profile, 1);
            let database =
                Database::create(dir, &ready, |database| database.tree(ENTRIES).map(|_| ()))?;
            return Ok((Self::new(dir, ready, database)?, Positions::new()));
        };
        for (_, older) in found {
            disk::discard(dir, &older.dir_name())?;
        }
        database::guarded(&path, || {
            let mut views = Self::new(dir, ready, Database::open(&path, &ready)?)?;
            for entry in &views.entries {
                let (key, value) = entry.map_err(|error| StorageError::sled(&path, &error))?;
                views.live_bytes += entry_bytes(&key, &value);
                restore(&key, &value);
            }
            let positions = views.positions()?;
            Ok((views, positions))
        })
    }

    /// Writes the changes, a cap's worth at a time, and then that they are right up to `ends`.
    pub(super) fn checkpoint(
        &mut self,
        changes: Vec<Change>,
        ends: &[(StreamId, u64)],
    ) -> Result<(), StorageError> {
        let mut pace = Pace::new(&self.database, self.ready.profile.cap());
        let limit = self.ready.profile.max_entry_bytes();
        for change in changes {
            if change.bytes() > limit {
                let reason = format!("an entry of {} bytes is over {limit}", change.bytes());
                return Err(StorageError::damaged(self.database.path(), reason));
            }
            pace.before(change.bytes())?;
            self.live_bytes += match &change {
                Change::Put { key, value } => entry_bytes(key, value),
                Change::Delete { .. } => 0,
            };
            let replaced = write(&self.entries, &change)
                .map_err(|error| StorageError::sled(self.database.path(), &error))?;
            self.live_bytes = self.live_bytes.saturating_sub(replaced);
        }
        for (stream, end) in ends {
            put_position(&self.database, *stream, *end)?;
        }
        self.database.sync()?;
        self.compact_if_due()
    }

    pub(super) fn close(self) -> Result<(), StorageError> {
        drop(self.entries);
        self.database.close()
    }

    fn new(dir: &Path, ready: Ready, database: Database) -> Result<Self, StorageError> {
        let entries = database.tree(ENTRIES)?;
        Ok(Self {
            dir: dir.to_owned(),
            ready,
            database,
            entries,
            live_bytes: 0,
        })
    }

    fn positions(&self) -> Result<Positions, StorageError> {
        let path = self.database.path();
        let mut positions = Positions::new();
        for entry in self.database.numbers() {
            let (key, value) = entry.map_err(|error| StorageError::sled(path, &error))?;
            let position = Option::zip(
                key.as_ref().try_into().ok().map(Uuid::from_bytes),
                value.as_ref().try_into().ok().map(u64::from_be_bytes),
            );
            let Some((stream, end)) = position else {
                return Err(StorageError::damaged(path, "a position is unreadable"));
            };
            positions.insert(StreamId(stream), end);
        }
        Ok(positions)
    }

    fn compact_if_due(&mut self) -> Result<(), StorageError> {
        let segment = self.ready.profile.segment_bytes() as u64;
        let allowed = SLACK_SEGMENTS * segment + SLACK_FACTOR * self.live_bytes;
        if self.database.bytes_on_disk()? > allowed {
            self.compact()?;
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<(), StorageError> {
        let ready = ready_number(self.ready.profile, self.ready.first + 1);
        let positions = self.positions()?;
        let copy = Database::create(&self.dir, &ready, |copy| {
            copy_entries(&self.entries, copy)?;
            positions
                .iter()
                .try_for_each(|(stream, end)| put_position(copy, *stream, *end))
        })?;
        let mut compacted = Self::new(&self.dir, ready, copy)?;
        compacted.live_bytes = self.live_bytes;
        let old = std::mem::replace(self, compacted);
        let name = old.ready.dir_name();
        drop(old);
        Ok(disk::discard(&self.dir, &name)?)
    }
}

/// Syncs whenever the cap is reached.
struct Pace<'a> {
    database: &'a Database,
    cap: Cap,
    entries: usize,
    bytes: usize,
}

impl<'a> Pace<'a> {
    fn new(database: &'a Database, cap: Cap) -> Self {
        Self {
            database,
            cap,
            entries: 0,
            bytes: 0,
        }
    }

    fn before(&mut self, bytes: usize) -> Result<(), StorageError> {
        if !self.cap.has_room(self.entries, self.bytes, bytes) {
            self.database.sync()?;
            (self.entries, self.bytes) = (0, 0);
        }
        self.entries += 1;
        self.bytes += bytes;
        Ok(())
    }
}

/// Needs no pace: a cut before the last sync leaves a copy without READY, which counts for nothing.
fn copy_entries(from: &sled::Tree, to: &Database) -> Result<(), StorageError> {
    let entries = to.tree(ENTRIES)?;
    for entry in from {
        let (key, value) = entry.map_err(|error| StorageError::sled(to.path(), &error))?;
        entries
            .insert(key, value)
            .map_err(|error| StorageError::sled(to.path(), &error))?;
    }
    Ok(())
}

/// Makes one change and says how many bytes of entries it replaced.
fn write(entries: &sled::Tree, change: &Change) -> sled::Result<u64> {
    let (key, before) = match change {
        Change::Put { key, value } => (key, entries.insert(key, value.as_slice())?),
        Change::Delete { key } => (key, entries.remove(key)?),
    };
    Ok(before.map_or(0, |value| entry_bytes(key, &value)))
}

fn put_position(database: &Database, stream: StreamId, end: u64) -> Result<(), StorageError> {
    database
        .numbers()
        .insert(stream.0.as_bytes(), &end.to_be_bytes())
        .map(|_| ())
        .map_err(|error| StorageError::sled(database.path(), &error))
}

const fn entry_bytes(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

/// A checkpoint belongs to no stream; its generations are only numbered.
const fn ready_number(profile: Profile, number: u64) -> Ready {
    Ready {
        profile,
        stream: StreamId(Uuid::nil()),
        stream_number: 0,
        first: number,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const PROFILE: Profile = Profile::Small;

    fn open(dir: &Path) -> (Views, Positions, BTreeMap<Vec<u8>, Vec<u8>>) {
        let mut restored = BTreeMap::new();
        let (views, positions) = Views::open(dir, PROFILE, &mut |key, value| {
            restored.insert(key.to_vec(), value.to_vec());
        })
        .unwrap();
        (views, positions, restored)
    }

    fn put(key: u32, value: u32) -> Change {
        Change::Put {
            key: key.to_be_bytes().to_vec(),
            value: value.to_be_bytes().repeat(50),
        }
    }

    #[test]
    fn a_checkpoint_comes_back_with_its_position() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, positions, restored) = open(dir.path());
        assert!(positions.is_empty() && restored.is_empty());
        let changes: Vec<Change> = (0..100).map(|key| put(key, key)).collect();
        views.checkpoint(changes, &[(stream, 100)]).unwrap();
        let key = 3_u32.to_be_bytes().to_vec();
        let gone = vec![Change::Delete { key }];
        views.checkpoint(gone, &[(stream, 101)]).unwrap();
        drop(views);

        let (_views, positions, restored) = open(dir.path());
        assert_eq!(positions.get(&stream), Some(&101));
        assert_eq!(restored.len(), 99);
    }

    #[test]
    fn a_file_that_grew_is_copied_to_a_smaller_one_with_all_its_entries() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir.path());
        let mut wanted: Vec<u32> = vec![0; 2_000];
        let all = (0..2_000).map(|key| put(key, 0)).collect();
        views.checkpoint(all, &[(stream, 0)]).unwrap();
        // Fifty entries change all the time and the others now and then: most segments stay half dead.
        let mut dice = 12_345_u64;
        for round in 1..=200 {
            let mut changes = Vec::new();
            for _ in 0..24 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let roll = usize::try_from(dice >> 33).unwrap();
                let key = roll % if roll % 10 == 0 { 2_000 } else { 50 };
                wanted[key] = round;
                changes.push(put(u32::try_from(key).unwrap(), round));
            }
            let end = u64::from(round);
            views.checkpoint(changes, &[(stream, end)]).unwrap();
        }
        assert_eq!(views.ready.first, 1, "it was copied for little");
        let before = views.database.bytes_on_disk().unwrap();
        views.compact().unwrap();
        assert!(views.database.bytes_on_disk().unwrap() < before);
        drop(views);

        let names = disk::names_in(dir.path()).unwrap();
        assert_eq!(names, [ready_number(PROFILE, 2).dir_name()]);
        let (views, positions, restored) = open(dir.path());
        assert_eq!(positions.get(&stream), Some(&200));
        let wanted: BTreeMap<_, _> = (0_u32..)
            .zip(wanted)
            .map(|(key, round)| (key.to_be_bytes().to_vec(), round.to_be_bytes().repeat(50)))
            .collect();
        assert_eq!(restored, wanted);
        let live: u64 = restored.iter().map(|(k, v)| entry_bytes(k, v)).sum();
        assert_eq!(views.live_bytes, live);
    }

    #[test]
    fn of_two_whole_checkpoints_the_newer_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (mut views, ..) = open(dir.path());
        views.checkpoint(vec![put(1, 1)], &[]).unwrap();
        views.close().unwrap();
        // A cut after the copy's READY and before the old one's removal.
        let newer = ready_number(PROFILE, 2);
        Database::create(dir.path(), &newer, |_| Ok(())).unwrap();

        let (views, _, restored) = open(dir.path());
        assert!(restored.is_empty());
        assert_eq!(views.ready, newer);
        let names = disk::names_in(dir.path()).unwrap();
        assert_eq!(names, [newer.dir_name()]);
    }

    #[test]
    fn an_entry_over_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (mut views, ..) = open(dir.path());
        let value = vec![0; PROFILE.max_entry_bytes()];
        let change = Change::Put {
            key: vec![1],
            value,
        };
        assert!(views.checkpoint(vec![change], &[]).is_err());
    }
}
