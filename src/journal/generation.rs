//! One generation of a spool: a database directory with up to ten thousand frames of one stream.
//!
//! ```text
//! tree "q":      key = sequence u64 big-endian, value = frame
//! default tree:  "base" = first sequence, "next" = the sequence the next frame gets
//! ```
//! Promises that "next" survives the removal of every frame, and that its own counters are right without
//! asking sled for a count. Never writes more than the profile's cap between two syncs.

use std::path::{Path, PathBuf};

use crate::domain::ids::{FrameId, StreamId};

use super::database::{self, Database};
use super::disk;
use super::error::StorageError;
use super::frame::{Frame, OVERHEAD_BYTES, StoredFrame, unix_millis};
use super::options::Cap;
use super::ready::Ready;

const QUEUE: &str = "q";
const BASE: &str = "base";
const NEXT: &str = "next";

/// What is to be written: the sequence is given by the generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewFrame {
    pub id: FrameId,
    pub body: Vec<u8>,
}

impl NewFrame {
    pub(super) const fn stored_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.body.len()
    }
}

#[derive(Debug)]
pub(super) struct Generation {
    path: PathBuf,
    ready: Ready,
    next: u64,
    tally: Tally,
    /// Only the first and the last generation of a row are open.
    opened: Option<Opened>,
}

/// The unacknowledged frames of a generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub frames: u64,
    pub bytes: u64,
    pub oldest: Option<Oldest>,
}

/// The first unacknowledged frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oldest {
    pub seq: u64,
    pub unix_millis: u64,
}

#[derive(Debug)]
struct Opened {
    database: Database,
    queue: sled::Tree,
}

impl Generation {
    pub(super) fn create(parent: &Path, ready: Ready) -> Result<Self, StorageError> {
        let database = Database::create(parent, &ready, |database| {
            let path = database.path();
            database.tree(QUEUE)?;
            put(path, database.numbers(), BASE, ready.first)?;
            put(path, database.numbers(), NEXT, ready.first)
        })?;
        Ok(Self {
            path: database.path().to_owned(),
            ready,
            next: ready.first,
            tally: Tally::default(),
            opened: Some(Opened::new(database)?),
        })
    }

    /// Opens a generation left by an earlier run and shows every frame in it to `visit`.
    pub(super) fn load(
        path: &Path,
        ready: Ready,
        visit: &mut dyn FnMut(&StoredFrame<'_>),
    ) -> Result<Self, StorageError> {
        database::guarded(path, || {
            let opened = Opened::new(Database::open(path, &ready)?)?;
            if opened.number(BASE)? != ready.first {
                return Err(StorageError::damaged(
                    path,
                    "it is not the base READY names",
                ));
            }
            let mut next = opened.number(NEXT)?;
            let mut tally = Tally::default();
            for entry in &opened.queue {
                let (key, value) = entry.map_err(|error| StorageError::sled(path, &error))?;
                let frame = opened.decode(&key, &value)?;
                tally.count(frame.seq, value.len(), frame.id);
                // A cut between the frames and "next" leaves whole frames that nobody was promised.
                next = next.max(frame.seq + 1);
                visit(&frame);
            }
            Ok(Self {
                path: path.to_owned(),
                ready,
                next,
                tally,
                opened: Some(opened),
            })
        })
    }

    pub(super) const fn ready(&self) -> &Ready {
        &self.ready
    }

    pub(super) const fn stream(&self) -> StreamId {
        self.ready.stream
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) const fn is_drained(&self) -> bool {
        self.tally.frames == 0
    }

    /// How many frames it has ever held.
    pub(super) const fn used(&self) -> u64 {
        self.next - self.ready.first
    }

    /// Writes frames that fit the cap and returns once they are on stable storage.
    pub(super) fn append(&mut self, frames: &[NewFrame]) -> Result<(), StorageError> {
        let (mut next, mut tally) = (self.next, self.tally);
        let stream_number = self.ready.stream_number;
        let opened = self.open()?;
        for frame in frames {
            let value = StoredFrame {
                stream_number,
                seq: next,
                id: frame.id,
                body: &frame.body,
            }
            .encode();
            tally.count(next, value.len(), frame.id);
            opened.insert(next, value)?;
            next += 1;
        }
        put(
            opened.database.path(),
            opened.database.numbers(),
            NEXT,
            next,
        )?;
        opened.database.sync()?;
        (self.next, self.tally) = (next, tally);
        Ok(())
    }

    /// The oldest frames, at least one if there is any.
    pub(super) fn peek(
        &mut self,
        max_frames: usize,
        max_bytes: usize,
    ) -> Result<Vec<Frame>, StorageError> {
        let stream = self.ready.stream;
        let opened = self.open()?;
        let mut frames = Vec::new();
        let mut bytes = 0;
        for entry in opened.queue.iter().take(max_frames) {
            let (key, value) = entry.map_err(|error| opened.fault(&error))?;
            let frame = opened.decode(&key, &value)?;
            bytes += frame.body.len();
            if bytes > max_bytes && !frames.is_empty() {
                break;
            }
            frames.push(Frame {
                stream,
                seq: frame.seq,
                id: frame.id,
                body: frame.body.to_vec(),
            });
        }
        Ok(frames)
    }

    /// Removes all frames up to and including `through`, a cap's worth at a time.
    pub(super) fn remove_through(&mut self, through: u64) -> Result<(), StorageError> {
        let cap = self.ready.profile.cap();
        while self
            .tally
            .oldest
            .is_some_and(|oldest| oldest.seq <= through)
        {
            let mut tally = self.tally;
            let opened = self.open()?;
            let removed = opened.remove_some(through, cap)?;
            tally.frames -= removed.frames;
            tally.bytes -= removed.bytes;
            tally.oldest = opened.oldest()?;
            self.tally = tally;
        }
        Ok(())
    }

    /// Closes a generation that others will be written after; it opens again when its turn comes.
    pub(super) fn put_away(&mut self) -> Result<(), StorageError> {
        match self.opened.take() {
            Some(Opened { database, queue }) => {
                drop(queue);
                database.close()
            }
            None => Ok(()),
        }
    }

    /// Gives the space back. The frames in it must not be needed any more.
    pub(super) fn discard(mut self) -> Result<(), StorageError> {
        drop(self.opened.take());
        let parent = self.path.parent().unwrap_or(&self.path);
        Ok(disk::discard(parent, &self.ready.dir_name())?)
    }

    fn open(&mut self) -> Result<&Opened, StorageError> {
        if self.opened.is_none() {
            let path = &self.path;
            let ready = &self.ready;
            let opened = database::guarded(path, || Opened::new(Database::open(path, ready)?))?;
            return Ok(self.opened.insert(opened));
        }
        Ok(self.opened.as_ref().expect("looked at just above"))
    }
}

impl Tally {
    fn count(&mut self, seq: u64, stored_bytes: usize, id: FrameId) {
        self.frames += 1;
        self.bytes += stored_bytes as u64;
        self.oldest.get_or_insert(Oldest {
            seq,
            unix_millis: unix_millis(id),
        });
    }
}

impl Opened {
    fn new(database: Database) -> Result<Self, StorageError> {
        let queue = database.tree(QUEUE)?;
        Ok(Self { database, queue })
    }

    fn fault(&self, error: &sled::Error) -> StorageError {
        StorageError::sled(self.database.path(), error)
    }

    fn number(&self, name: &str) -> Result<u64, StorageError> {
        let value = self
            .database
            .numbers()
            .get(name)
            .map_err(|error| self.fault(&error))?;
        value
            .and_then(|value| Some(u64::from_be_bytes(value.as_ref().try_into().ok()?)))
            .ok_or_else(|| {
                StorageError::damaged(self.database.path(), format!("`{name}` is not a number"))
            })
    }

    fn insert(&self, seq: u64, value: Vec<u8>) -> Result<(), StorageError> {
        self.queue
            .insert(seq.to_be_bytes(), value)
            .map(|_| ())
            .map_err(|error| self.fault(&error))
    }

    fn decode<'a>(&self, key: &[u8], value: &'a [u8]) -> Result<StoredFrame<'a>, StorageError> {
        let path = self.database.path();
        let seq = key
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| StorageError::damaged(path, "a key is not a sequence"))?;
        let frame = StoredFrame::decode(value).map_err(|reason| StorageError::Frame {
            path: path.to_owned(),
            seq,
            reason,
        })?;
        if frame.seq == seq {
            Ok(frame)
        } else {
            Err(StorageError::damaged(path, "a frame has another's key"))
        }
    }

    fn remove_some(&self, through: u64, cap: Cap) -> Result<Tally, StorageError> {
        let mut removed = Tally::default();
        let mut bytes = 0;
        let frames = self.queue.range(..=through.to_be_bytes());
        for (place, entry) in frames.enumerate() {
            let (key, value) = entry.map_err(|error| self.fault(&error))?;
            if !cap.has_room(place, bytes, value.len()) {
                break;
            }
            self.queue.remove(key).map_err(|error| self.fault(&error))?;
            bytes += value.len();
            removed.frames += 1;
            removed.bytes += value.len() as u64;
        }
        self.database.sync()?;
        Ok(removed)
    }

    fn oldest(&self) -> Result<Option<Oldest>, StorageError> {
        let Some((key, value)) = self.queue.first().map_err(|error| self.fault(&error))? else {
            return Ok(None);
        };
        let frame = self.decode(&key, &value)?;
        Ok(Some(Oldest {
            seq: frame.seq,
            unix_millis: unix_millis(frame.id),
        }))
    }
}

fn put(path: &Path, numbers: &sled::Tree, name: &str, number: u64) -> Result<(), StorageError> {
    numbers
        .insert(name, &number.to_be_bytes())
        .map(|_| ())
        .map_err(|error| StorageError::sled(path, &error))
}
