//! The tree of a checkpoint: entries under their keys, written so that a byte scan can put them together again.
//!
//! ```text
//! tree "v":      key length 2 | key | part 2 -> entry (see `entry`)
//! default tree:  stream id 16 -> entry of kind position; its value = last frame applied 8 | keys 8
//! ```
//! Promises never to write more than the profile's cap between two syncs while it is given a pace, and that
//! the number of its keys, tombstones included, never falls: fewer than a position says are a loss.

use uuid::Uuid;

use crate::domain::ids::StreamId;

use super::book::Change;
use super::database::Database;
use super::entry::{self, Entry, Kind, OVERHEAD_BYTES, Whole};
use super::error::StorageError;
use super::mark::Mark;
use super::options::Profile;

const TREE: &str = "v";

/// A longer key would leave no room for its value.
const MOST_KEY_BYTES: usize = 512;

/// Up to which frame of each stream the entries are right.
pub(super) type Positions = Vec<(StreamId, u64)>;

pub(super) struct Entries {
    pub database: Database,
    tree: sled::Tree,
    profile: Profile,
    /// Of the newest change.
    order: u64,
    keys: u64,
    tombstones: u64,
    bytes: u64,
}

/// What was written since the last sync; with [`Pace::Free`] nobody counts.
pub(super) enum Pace {
    Capped {
        entries: usize,
        bytes: usize,
    },
    /// For a directory without READY, which counts for nothing.
    Free,
}

impl Entries {
    pub(super) fn new(database: Database, profile: Profile) -> Result<Self, StorageError> {
        Ok(Self {
            tree: database.tree(TREE)?,
            database,
            profile,
            order: 0,
            keys: 0,
            tombstones: 0,
            bytes: 0,
        })
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn keys(&self) -> u64 {
        self.keys
    }

    pub(super) const fn tombstones(&self) -> u64 {
        self.tombstones
    }

    /// Puts the database away in order.
    pub(super) fn close(self, place: Mark) -> Result<(), StorageError> {
        let Self { database, tree, .. } = self;
        drop(tree);
        database.close(place, place)
    }

    /// Goes through all entries, counts them, and shows the newest whole version of each.
    pub(super) fn read_all(&mut self, take: &mut dyn FnMut(Whole)) -> Result<(), StorageError> {
        (self.keys, self.tombstones, self.bytes) = (0, 0, 0);
        let mut values: Vec<sled::IVec> = Vec::new();
        let mut shown = |values: &[sled::IVec]| {
            let parts = values.iter().filter_map(|value| Entry::at_start(value));
            let whole = entry::newest(parts.map(|(entry, _)| entry).collect());
            whole.into_iter().for_each(&mut *take);
        };
        for item in &self.tree {
            let (key, value) = item.map_err(|error| self.fault(&error))?;
            let Some((entry, _)) = Entry::at_start(&value) else {
                let reason = format!("an entry under {} bytes of key is unreadable", key.len());
                return Err(StorageError::damaged(self.database.path(), reason));
            };
            self.order = self.order.max(entry.order);
            self.bytes += value.len() as u64;
            if entry.part == 0 {
                self.keys += 1;
                self.tombstones += u64::from(entry.kind == Kind::Gone);
                shown(&values);
                values.clear();
            }
            values.push(value);
        }
        shown(&values);
        Ok(())
    }

    /// The positions, each with its order and the number of keys there were.
    pub(super) fn positions(&mut self) -> Result<Vec<Position>, StorageError> {
        let mut positions = Vec::new();
        for item in self.database.numbers() {
            let (key, value) = item.map_err(|error| self.fault(&error))?;
            if key.len() != 16 {
                continue;
            }
            let position = Entry::at_start(&value).and_then(|(entry, _)| Position::of(&entry));
            let position = position.ok_or_else(|| {
                StorageError::damaged(self.database.path(), "a position is unreadable")
            })?;
            positions.push(position);
        }
        let newest = positions.iter().map(|position| position.order).max();
        self.order = self.order.max(newest.unwrap_or(0));
        Ok(positions)
    }

    /// Makes one change, in parts if need be.
    pub(super) fn write(&mut self, change: &Change, pace: &mut Pace) -> Result<(), StorageError> {
        let (key, value) = match change {
            Change::Put { key, value } => (key, Some(value.as_slice())),
            Change::Delete { key } => (key, None),
        };
        self.order += 1;
        self.write_as(key, value, self.order, pace)
    }

    /// Writes an entry of another checkpoint.
    pub(super) fn copy(&mut self, whole: &Whole, pace: &mut Pace) -> Result<(), StorageError> {
        self.order = self.order.max(whole.order);
        self.write_as(&whole.key, whole.value.as_deref(), whole.order, pace)
    }

    fn write_as(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        order: u64,
        pace: &mut Pace,
    ) -> Result<(), StorageError> {
        if key.len() > MOST_KEY_BYTES {
            // The book would be told no checkpoint at all otherwise.
            tracing::error!(
                key.size_bytes = key.len(),
                "an entry's key is too long; it is left out"
            );
            return Ok(());
        }
        let room = self.profile.max_entry_bytes() - OVERHEAD_BYTES - key.len();
        let chunks: Vec<&[u8]> = match value {
            Some(value) if !value.is_empty() => value.chunks(room).collect(),
            Some(_) | None => vec![&[]],
        };
        let Ok(parts) = u16::try_from(chunks.len()) else {
            tracing::error!("an entry's value is far too long; it is left out");
            return Ok(());
        };
        for (part, value_part) in (0..parts).zip(chunks) {
            let entry = Entry {
                kind: if value.is_some() {
                    Kind::Put
                } else {
                    Kind::Gone
                },
                order,
                part,
                parts,
                key,
                value: value_part,
            };
            self.insert(&entry, pace)?;
        }
        // What a longer value before it had more.
        for part in parts..u16::MAX {
            let removed = self.tree.remove(tree_key(key, part));
            match removed.map_err(|error| self.fault(&error))? {
                Some(value) => self.bytes -= value.len() as u64,
                None => break,
            }
        }
        Ok(())
    }

    fn insert(&mut self, entry: &Entry<'_>, pace: &mut Pace) -> Result<(), StorageError> {
        let record = entry.encode();
        pace.before(record.len(), &self.database, self.profile)?;
        self.bytes += record.len() as u64;
        let replaced = self
            .tree
            .insert(tree_key(entry.key, entry.part), record)
            .map_err(|error| self.fault(&error))?;
        let was_gone = replaced.as_ref().is_some_and(|value| {
            Entry::at_start(value).is_some_and(|(entry, _)| entry.kind == Kind::Gone)
        });
        self.bytes -= replaced.as_ref().map_or(0, |value| value.len() as u64);
        if entry.part == 0 {
            self.keys += u64::from(replaced.is_none());
            self.tombstones += u64::from(entry.kind == Kind::Gone);
            self.tombstones -= u64::from(was_gone);
        }
        Ok(())
    }

    /// Says up to where the entries are right. They must be on stable storage with the next sync.
    pub(super) fn put_positions(&mut self, ends: &[(StreamId, u64)]) -> Result<(), StorageError> {
        self.order += 1;
        // One that is always there, so that a database which shows none is known to have lost it.
        let always = (StreamId(Uuid::nil()), 0);
        for (stream, end) in ends.iter().chain([&always]) {
            let value = [end.to_be_bytes(), self.keys.to_be_bytes()].concat();
            let entry = Entry {
                kind: Kind::Position,
                order: self.order,
                part: 0,
                parts: 1,
                key: stream.0.as_bytes(),
                value: &value,
            };
            self.database
                .numbers()
                .insert(stream.0.as_bytes(), entry.encode())
                .map_err(|error| self.fault(&error))?;
        }
        Ok(())
    }

    fn fault(&self, error: &sled::Error) -> StorageError {
        StorageError::sled(self.database.path(), error)
    }
}

/// One position, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub stream: StreamId,
    pub end: u64,
    pub keys: u64,
    pub order: u64,
}

impl Position {
    pub(super) fn of(entry: &Entry<'_>) -> Option<Self> {
        let (end, keys) = entry.value.split_first_chunk()?;
        let stream = StreamId(Uuid::from_bytes(entry.key.try_into().ok()?));
        (entry.kind == Kind::Position).then_some(Self {
            stream,
            end: u64::from_be_bytes(*end),
            keys: u64::from_be_bytes(keys.try_into().ok()?),
            order: entry.order,
        })
    }
}

impl Pace {
    pub(super) const fn capped() -> Self {
        Self::Capped {
            entries: 0,
            bytes: 0,
        }
    }

    fn before(
        &mut self,
        more: usize,
        database: &Database,
        profile: Profile,
    ) -> Result<(), StorageError> {
        if let Self::Capped { entries, bytes } = self {
            if !profile.cap().has_room(*entries, *bytes, more) {
                database.sync()?;
                (*entries, *bytes) = (0, 0);
            }
            *entries += 1;
            *bytes += more;
        }
        Ok(())
    }
}

/// The key's length stands first, so that no key with a part is another key with another part.
fn tree_key(key: &[u8], part: u16) -> Vec<u8> {
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), key, &part.to_be_bytes()].concat()
}
