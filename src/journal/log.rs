//! The file of one checkpoint: what has changed, one record behind the other, and then how far that is right.
//!
//! ```text
//! (entry* position+)*      both as `entry` has them; a position's key = stream id 16,
//!                          value = last frame applied 8 | records before the first of them 8
//! ```
//! It is only added to, and of two entries with one key the later counts. Promises that the entries of a
//! checkpoint are on stable storage before its positions are written. So what stands behind the last position
//! is newer than it says, up to where a power cut ended it, and anything but whole records before it is damage.
//!
//! Never holds more of the file in memory than one record, and while it is looked through 32 bytes for each
//! entry: a database would keep all of it, and a router has not that much.

use std::hash::{DefaultHasher, Hasher};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::domain::ids::StreamId;

use super::book::Change;
use super::database;
use super::disk;
use super::entry::{self, Entry, HEADER_BYTES, Kind, Whole};
use super::error::StorageError;
use super::scan::{for_each_entry, read_damaged};

pub(super) const LOG: &str = "log";

/// A longer key is a mistake.
const MOST_KEY_BYTES: usize = 512;

/// A longer value stands in several records, whose lengths have two bytes.
const MOST_PART_BYTES: usize = 32 * 1024;

/// The file may be so much larger than what counts in it before it is written anew.
const SLACK_FACTOR: u64 = 2;
const SLACK_BYTES: u64 = 1 << 20;

/// Up to which frame of each stream the entries are right.
pub(super) type Positions = Vec<(StreamId, u64)>;

pub(super) struct Log {
    /// The checkpoint's directory.
    path: PathBuf,
    out: BufWriter<fs_err::File>,
    length: u64,
    records: u64,
    /// Of the newest change.
    order: u64,
    /// Of the entries that count, when that was last looked at.
    live_bytes: u64,
}

/// Where in the file everything that counts is.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The newest version of each key, without those that are gone, in the order of the file.
    live: Vec<Spot>,
    pub positions: Vec<Position>,
    /// Behind the last whole entry or position.
    end: u64,
    records: u64,
    order: u64,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    key: KeyHash,
    at: u64,
    length: u32,
    is_gone: bool,
}

/// Stands for a key: 128 bits tell any two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct KeyHash([u64; 2]);

impl KeyHash {
    fn of(key: &[u8]) -> Self {
        Self([0, 1].map(|half| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(half);
            hasher.write(key);
            hasher.finish()
        }))
    }
}

impl Log {
    /// Begins one in a directory of its own.
    pub(super) fn create(path: &Path) -> Result<Self, StorageError> {
        let file = fs_err::File::create_new(path.join(LOG))?;
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::new(file),
            length: 0,
            records: 0,
            order: 0,
            live_bytes: 0,
        })
    }

    /// Opens one to go on with it. What is in it is on stable storage then.
    pub(super) fn open(path: &Path) -> Result<(Self, Index), StorageError> {
        let index = Index::read(path)?;
        let mut file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join(LOG))?;
        if file.metadata()?.len() > index.end {
            file.set_len(index.end)?;
        }
        // A killed run may have left positions that only the page cache holds, and frames go on their word.
        database::sync_data(path, &file)?;
        disk::sync_dir(path)?;
        file.seek(SeekFrom::Start(index.end))?;
        let log = Self {
            path: path.to_owned(),
            out: BufWriter::new(file),
            length: index.end,
            records: index.records,
            order: index.order,
            live_bytes: index.live_bytes(),
        };
        Ok((log, index))
    }

    /// Writes one change. It counts from the next [`Self::finish`] on.
    pub(super) fn write(&mut self, change: &Change) -> Result<(), StorageError> {
        let (key, value) = match change {
            Change::Put { key, value } => (key, Some(value.as_slice())),
            Change::Delete { key } => (key, None),
        };
        self.order += 1;
        self.write_as(key, value, self.order)
    }

    /// Writes an entry of another checkpoint.
    pub(super) fn copy(&mut self, whole: &Whole) -> Result<(), StorageError> {
        self.order = self.order.max(whole.order);
        self.write_as(&whole.key, whole.value.as_deref(), whole.order)
    }

    /// Writes everything that counts in another one.
    pub(super) fn copy_all(&mut self, other: &Self, index: &Index) -> Result<(), StorageError> {
        self.live_bytes = index.live_bytes();
        other.each(index, &mut |whole| self.copy(&whole))
    }

    /// Makes what was written last, and then says up to where it is right.
    pub(super) fn finish(&mut self, ends: &[(StreamId, u64)]) -> Result<(), StorageError> {
        self.sync()?;
        self.order += 1;
        // One that is always there, so that a log which shows none is known to have lost it.
        let always = (StreamId(Uuid::nil()), 0);
        let before = self.records;
        for (stream, end) in ends.iter().chain([&always]) {
            let value = [end.to_be_bytes(), before.to_be_bytes()].concat();
            self.append(&Entry {
                kind: Kind::Position,
                order: self.order,
                part: 0,
                parts: 1,
                key: stream.0.as_bytes(),
                value: &value,
            })?;
        }
        self.sync()
    }

    /// Shows every entry that counts.
    pub(super) fn each(
        &self,
        index: &Index,
        show: &mut dyn FnMut(Whole) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let mut records = Records::open(&self.path)?;
        for spot in &index.live {
            let whole = records.whole_at(spot)?;
            let reason = "an entry of the checkpoint cannot be read a second time";
            show(whole.ok_or_else(|| StorageError::damaged(&self.path, reason))?)?;
        }
        Ok(())
    }

    /// What is to be copied to a smaller file, if that is worth it by now.
    pub(super) fn worth_copying(&mut self) -> Result<Option<Index>, StorageError> {
        let is_large = |log: &Self| log.length > SLACK_BYTES + SLACK_FACTOR * log.live_bytes;
        if !is_large(self) {
            return Ok(None);
        }
        // It may have grown by what is new.
        let index = self.index()?;
        Ok(is_large(self).then_some(index))
    }

    /// Where everything that counts is, with what no position stands behind yet.
    pub(super) fn index(&mut self) -> Result<Index, StorageError> {
        self.out.flush()?;
        let index = Index::read(&self.path)?;
        self.live_bytes = index.live_bytes();
        Ok(index)
    }

    fn write_as(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        order: u64,
    ) -> Result<(), StorageError> {
        if key.len() > MOST_KEY_BYTES {
            // The book would be told no checkpoint at all otherwise.
            tracing::error!(
                key.size_bytes = key.len(),
                "an entry's key is too long; it is left out"
            );
            return Ok(());
        }
        let kind = value.map_or(Kind::Gone, |_| Kind::Put);
        let value = value.unwrap_or_default();
        let Ok(parts) = u16::try_from(value.len().div_ceil(MOST_PART_BYTES).max(1)) else {
            tracing::error!("an entry's value is far too long; it is left out");
            return Ok(());
        };
        let chunks = value.chunks(MOST_PART_BYTES).chain([&[][..]]);
        for (part, value) in (0..parts).zip(chunks) {
            self.append(&Entry {
                kind,
                order,
                part,
                parts,
                key,
                value,
            })?;
        }
        Ok(())
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<(), StorageError> {
        let record = entry.encode();
        self.out.write_all(&record)?;
        self.length += record.len() as u64;
        self.records += 1;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.out.flush()?;
        database::sync_data(&self.path, self.out.get_ref())
    }
}

impl Index {
    /// Reads a log once, from the front.
    fn read(path: &Path) -> Result<Self, StorageError> {
        let mut index = Self::default();
        let mut records = Records::open(path)?;
        let mut whole = 0;
        // Records before the positions that are being read.
        let mut before = None;
        loop {
            let (at, count) = (records.at, records.count);
            let Some((entry, length)) = records.next()? else {
                break;
            };
            if let Some(position) = Position::of(&entry) {
                if position.count == count {
                    before = Some(count);
                }
                if before != Some(position.count) {
                    let reason = "records of the checkpoint are missing";
                    return Err(StorageError::damaged(path, reason));
                }
                index.positions.push(position);
            } else {
                before = None;
                if !index.take(&entry, at, length) {
                    break;
                }
            }
            index.order = index.order.max(entry.order);
            if entry.part + 1 == entry.parts {
                (index.end, index.records) = (at + length as u64, count + 1);
                whole = index.live.len();
            }
            records.pass(length);
        }
        let is_empty = index.positions.is_empty();
        if is_empty || (!records.is_at_end()? && is_lacking(path, &records)?) {
            let reason = "the checkpoint is not whole";
            return Err(StorageError::damaged(path, reason));
        }
        index.live.truncate(whole);
        index.leave_newest();
        Ok(index)
    }

    /// Notes where a part of an entry stands; false where one before it is missing.
    fn take(&mut self, entry: &Entry<'_>, at: u64, length: usize) -> bool {
        let key = KeyHash::of(entry.key);
        let length = u32::try_from(length).expect("a record is shorter than 128 KiB");
        if entry.part == 0 {
            let is_gone = entry.kind == Kind::Gone;
            self.live.push(Spot {
                key,
                at,
                length,
                is_gone,
            });
            return true;
        }
        let before = self.live.last_mut();
        let before = before.filter(|spot| spot.key == key && spot.end() == at);
        before.map(|spot| spot.length += length).is_some()
    }

    fn leave_newest(&mut self) {
        self.live
            .sort_unstable_by_key(|spot| (spot.key, std::cmp::Reverse(spot.at)));
        self.live.dedup_by_key(|spot| spot.key);
        self.live.retain(|spot| !spot.is_gone);
        self.live.sort_unstable_by_key(|spot| spot.at);
    }

    fn live_bytes(&self) -> u64 {
        self.live.iter().map(|spot| u64::from(spot.length)).sum()
    }
}

impl Spot {
    fn end(&self) -> u64 {
        self.at + u64::from(self.length)
    }
}

/// Reads a log record by record.
struct Records {
    reader: BufReader<fs_err::File>,
    record: Vec<u8>,
    /// Where the next record begins, and how many stand before it.
    at: u64,
    count: u64,
}

impl Records {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::with_capacity(64 * 1024, fs_err::File::open(path.join(LOG))?),
            record: Vec::new(),
            at: 0,
            count: 0,
        })
    }

    /// The record that begins here, and its length; `None` if no whole one does.
    fn next(&mut self) -> io::Result<Option<(Entry<'_>, usize)>> {
        self.record.resize(HEADER_BYTES, 0);
        if !self.fill(0)? {
            return Ok(None);
        }
        let Some(length) = entry::length_of(&self.record) else {
            return Ok(None);
        };
        self.record.resize(length, 0);
        match self.fill(HEADER_BYTES)? {
            true => Ok(Entry::at_start(&self.record)),
            false => Ok(None),
        }
    }

    /// Reads the record's bytes from `from` on; false where the file ends before.
    fn fill(&mut self, from: usize) -> io::Result<bool> {
        match self.reader.read_exact(&mut self.record[from..]) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn pass(&mut self, length: usize) {
        self.at += length as u64;
        self.count += 1;
    }

    fn is_at_end(&self) -> io::Result<bool> {
        Ok(self.reader.get_ref().metadata()?.len() == self.at)
    }

    /// The entry at a place behind all that was read before.
    fn whole_at(&mut self, spot: &Spot) -> io::Result<Option<Whole>> {
        let ahead = i64::try_from(spot.at - self.at).map_err(io::Error::other)?;
        self.reader.seek_relative(ahead)?;
        self.at = spot.at;
        let mut whole: Option<Whole> = None;
        while self.at < spot.end() {
            let Some((entry, length)) = self.next()? else {
                return Ok(None);
            };
            let whole = whole.get_or_insert_with(|| Whole {
                key: entry.key.to_vec(),
                order: entry.order,
                value: Some(Vec::new()),
            });
            if let Some(value) = &mut whole.value {
                value.extend_from_slice(entry.value);
            }
            self.pass(length);
        }
        Ok(whole)
    }
}

/// Whether records that a finished checkpoint counts on are missing where no whole one could be read. A power
/// cut may tear the positions themselves: then nothing else is missing.
fn is_lacking(path: &Path, read: &Records) -> io::Result<bool> {
    let file = read_damaged(&path.join(LOG))?;
    let rest = usize::try_from(read.at).ok().and_then(|at| file.get(at..));
    let mut is_lacking = false;
    for_each_entry(rest.unwrap_or_default(), &mut |entry| {
        is_lacking |= Position::of(&entry).is_some_and(|position| position.count > read.count);
    });
    Ok(is_lacking)
}

/// Up to where the entries before it are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub stream: StreamId,
    pub end: u64,
    /// How many records stand before it and those of the same checkpoint; in one of version 0.1.0 how many
    /// keys there were.
    pub count: u64,
    pub order: u64,
}

impl Position {
    pub(super) fn of(entry: &Entry<'_>) -> Option<Self> {
        let (end, count) = entry.value.split_first_chunk()?;
        let stream = StreamId(Uuid::from_bytes(entry.key.try_into().ok()?));
        (entry.kind == Kind::Position).then_some(Self {
            stream,
            end: u64::from_be_bytes(*end),
            count: u64::from_be_bytes(count.try_into().ok()?),
            order: entry.order,
        })
    }
}
