//! One generation of a spool: a database directory with up to ten thousand frames of one stream.
//!
//! ```text
//! tree "q":      key = sequence u64 big-endian, value = frame
//! default tree:  "base", "next" = marks (see `mark`), "ready" = READY's text
//! ```
//! Frames are not removed one by one: the base mark moves past what headquarters has. Promises that both
//! marks survive whatever happens to the frames, that its own counters are right without asking sled for a
//! count, and that no more than the profile's cap is written between two syncs.

use std::path::{Path, PathBuf};

use crate::domain::ids::{Chain, FrameId, StreamId};

use super::closed::{self, Closed};
use super::database::Database;
use super::disk;
use super::error::StorageError;
use super::frame::{Frame, OVERHEAD_BYTES, StoredFrame, unix_millis};
use super::guard::guarded;
use super::mark::{Mark, Which};
use super::ready::Ready;

const QUEUE: &str = "q";

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
    base: Mark,
    next: Mark,
    tally: Tally,
    /// Since when headquarters has all of it, and it is only kept.
    acked_at: Option<u64>,
    /// The last of a row is, and the first with something to send while the uplink reads it.
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

/// Frames on their way to headquarters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The chain before the first of them.
    pub prev: Option<Chain>,
    pub frames: Vec<Frame>,
}

#[derive(Debug)]
pub(super) struct Opened {
    pub database: Database,
    queue: sled::Tree,
}

impl Generation {
    pub(super) fn create(parent: &Path, ready: Ready) -> Result<Self, StorageError> {
        let start = Mark {
            seq: ready.first,
            chain: ready.before,
        };
        Self::create_with(parent, ready, start, start, &[])
    }

    /// Creates a generation that holds frames from the beginning: those saved from a damaged one.
    ///
    /// Needs no pace: a cut before the last sync leaves a directory without READY, which counts for nothing.
    pub(super) fn create_with(
        parent: &Path,
        ready: Ready,
        base: Mark,
        next: Mark,
        values: &[(u64, &[u8])],
    ) -> Result<Self, StorageError> {
        let opened = Opened::new(Database::begin(parent, &ready)?)?;
        for (seq, value) in values {
            insert(&opened.database, &opened.queue, *seq, value)?;
        }
        put_mark(&opened.database, &ready, Which::Base, base, 0)?;
        put_mark(&opened.database, &ready, Which::Next, next, 0)?;
        opened.database.finish(parent, &ready)?;
        let tally = opened.tally_from(base.seq)?;
        Ok(Self {
            path: opened.database.path().to_owned(),
            ready,
            base,
            next,
            tally,
            acked_at: None,
            opened: Some(opened),
        })
    }

    /// Takes over a database that has been opened and looked through.
    pub(super) fn opened(
        opened: Opened,
        ready: Ready,
        base: Mark,
        next: Mark,
    ) -> Result<Self, StorageError> {
        let path = opened.database.path().to_owned();
        let acked_at = closed::acked_at(&path);
        let base = if acked_at.is_some() { next } else { base };
        let tally = opened.tally_from(base.seq)?;
        Ok(Self {
            acked_at,
            path,
            ready,
            base,
            next,
            tally,
            opened: Some(opened),
        })
    }

    /// Takes a generation that was put away, and whose file is as it was, without opening it.
    pub(super) fn put_away_before(
        path: &Path,
        ready: Ready,
        closed: &Closed,
        tally: Tally,
    ) -> Self {
        let acked_at = closed::acked_at(path);
        let (base, tally) = match acked_at {
            Some(_) => (closed.next, Tally::default()),
            None => (closed.base, tally),
        };
        Self {
            path: path.to_owned(),
            ready,
            base,
            next: closed.next,
            tally,
            acked_at,
            opened: None,
        }
    }

    pub(super) const fn ready(&self) -> &Ready {
        &self.ready
    }

    pub(super) const fn stream(&self) -> StreamId {
        self.ready.stream
    }

    pub(super) const fn base(&self) -> Mark {
        self.base
    }

    pub(super) const fn next(&self) -> Mark {
        self.next
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) const fn is_drained(&self) -> bool {
        self.tally.frames == 0
    }

    /// Since when it is kept for a headquarters that may lose it, if it is.
    pub(super) const fn acked_at(&self) -> Option<u64> {
        self.acked_at
    }

    /// How many numbers it has given out.
    pub(super) const fn used(&self) -> u64 {
        self.next.seq - self.ready.first
    }

    pub(super) fn bytes_on_disk(&self) -> u64 {
        fs_err::metadata(self.path.join("db")).map_or(0, |file| file.len())
    }

    /// Writes frames that fit the cap and returns once they are on stable storage.
    pub(super) fn append(&mut self, frames: &[NewFrame]) -> Result<(), StorageError> {
        let (mut next, mut tally, ready) = (self.next, self.tally, self.ready);
        let opened = self.open()?;
        for NewFrame { id, body } in frames {
            let frame = StoredFrame {
                stream_number: ready.stream_number,
                seq: next.seq,
                id: *id,
                body,
            };
            let value = frame.encode();
            tally.count(&frame, value.len());
            insert(&opened.database, &opened.queue, next.seq, &value)?;
            next = next.past(&frame);
        }
        put_mark(&opened.database, &ready, Which::Next, next, 0)?;
        opened.database.sync()?;
        (self.next, self.tally) = (next, tally);
        Ok(())
    }

    /// Writes any number of frames, a cap's worth at a time.
    pub(super) fn append_all(&mut self, frames: &[NewFrame]) -> Result<(), StorageError> {
        let cap = self.ready.profile.cap();
        let mut rest = frames;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().enumerate().take_while(|(place, frame)| {
                let fits = cap.has_room(*place, bytes, frame.stored_bytes());
                bytes += frame.stored_bytes();
                fits
            });
            let (now, later) = rest.split_at(fitting.count().max(1));
            self.append(now)?;
            rest = later;
        }
        Ok(())
    }

    /// The oldest frames with consecutive numbers, at least one if there is any.
    pub(super) fn peek(
        &mut self,
        max_frames: usize,
        max_bytes: usize,
    ) -> Result<Batch, StorageError> {
        let (stream, base) = (self.ready.stream, self.base);
        let opened = self.open()?;
        let mut frames: Vec<Frame> = Vec::new();
        let mut bytes = 0;
        opened.each_from(base.seq, &mut |frame, _| {
            let follows = frames.last().is_none_or(|last| last.seq + 1 == frame.seq);
            bytes += frame.body.len();
            let fits = frames.len() < max_frames && (bytes <= max_bytes || frames.is_empty());
            if follows && fits {
                frames.push(Frame {
                    stream,
                    seq: frame.seq,
                    id: frame.id,
                    body: frame.body.to_vec(),
                });
            }
            follows && fits
        })?;
        let at_base = frames.first().is_some_and(|frame| frame.seq == base.seq);
        Ok(Batch {
            prev: base.chain.filter(|_| at_base),
            frames,
        })
    }

    /// Moves the base past `through`, durably.
    pub(super) fn acknowledge(&mut self, through: u64) -> Result<(), StorageError> {
        let (mut mark, mut tally, next) = (self.base, self.tally, self.next);
        tally.oldest = None;
        self.open()?
            .each_from(mark.seq, &mut |frame, stored_bytes| {
                if frame.seq <= through {
                    mark = mark.past(frame);
                    tally.frames -= 1;
                    tally.bytes -= stored_bytes as u64;
                    return true;
                }
                tally.oldest = Some(Oldest::of(frame));
                false
            })?;
        if mark.seq != through + 1 {
            mark = mark.skip_to(through + 1);
        }
        self.set_base(if mark.seq == next.seq { next } else { mark })?;
        self.tally = tally;
        Ok(())
    }

    /// Notes that headquarters has all of it; nothing more will be appended.
    pub(super) fn keep(&mut self, unix_millis: u64) -> Result<(), StorageError> {
        (self.base, self.tally) = (self.next, Tally::default());
        self.put_away()?;
        closed::write_acked(&self.path, unix_millis)?;
        self.acked_at = Some(unix_millis);
        Ok(())
    }

    /// Counts acknowledged frames as unacknowledged again, down to `after` + 1 or the first hole, and says
    /// which is the first of them.
    pub(super) fn take_back(&mut self, after: u64) -> Result<u64, StorageError> {
        let (ready, base) = (self.ready, self.base);
        let least = ready.first.max(after + 1);
        let (mut lowest, mut seqs) = (base.seq, Vec::new());
        let opened = self.open()?;
        opened.each_from(least, &mut |frame, _| {
            if frame.seq < base.seq {
                seqs.push(frame.seq);
            }
            frame.seq < base.seq
        })?;
        while seqs.pop_if(|seq| *seq + 1 == lowest).is_some() {
            lowest -= 1;
        }
        let mut mark = Mark {
            seq: ready.first,
            chain: ready.before,
        };
        if lowest > mark.seq {
            opened.each_from(mark.seq, &mut |frame, _| {
                if frame.seq < lowest {
                    mark = mark.past(frame);
                }
                frame.seq < lowest
            })?;
        }
        if mark.seq != lowest {
            mark = mark.skip_to(lowest);
        }
        self.set_base(mark)?;
        self.tally = self.open()?.tally_from(lowest)?;
        if self.acked_at.take().is_some() {
            closed::remove_acked(&self.path)?;
        }
        Ok(lowest)
    }

    /// Shows every frame from `from` on until `visit` says stop.
    pub(super) fn each_from(
        &mut self,
        from: u64,
        visit: &mut dyn FnMut(&StoredFrame<'_>, usize) -> bool,
    ) -> Result<(), StorageError> {
        self.open()?.each_from(from, visit)
    }

    /// Closes a generation that others will be written after; it opens again when its turn comes.
    pub(super) fn put_away(&mut self) -> Result<(), StorageError> {
        match self.opened.take() {
            Some(Opened { database, queue }) => {
                drop(queue);
                database.close(self.base, self.next)
            }
            None => Ok(()),
        }
    }

    /// Opens one that was put away, and that is going to be written.
    pub(super) fn make_writable(&mut self) -> Result<(), StorageError> {
        self.open().map(|_| ())
    }

    /// Gives the space back. The frames in it must not be needed any more.
    pub(super) fn discard(mut self) -> Result<(), StorageError> {
        drop(self.opened.take());
        let parent = self.path.parent().unwrap_or(&self.path);
        Ok(disk::discard(parent, &self.ready.dir_name())?)
    }

    fn set_base(&mut self, base: Mark) -> Result<(), StorageError> {
        let ready = self.ready;
        let opened = self.open()?;
        let (before, turn) = opened
            .mark(Which::Base, ready.stream_number)?
            .unwrap_or((base, 0));
        let turn = turn.saturating_add(u16::from(base.seq < before.seq));
        put_mark(&opened.database, &ready, Which::Base, base, turn)?;
        opened.database.sync()?;
        self.base = base;
        Ok(())
    }

    fn open(&mut self) -> Result<&Opened, StorageError> {
        if self.opened.is_none() {
            let (path, ready) = (&self.path, &self.ready);
            let opened = guarded(path, None, || {
                let opened = Opened::open(path, ready)?;
                opened.reaches(self.next.seq, ready)?;
                Ok(opened)
            })?;
            return Ok(self.opened.insert(opened));
        }
        Ok(self.opened.as_ref().expect("looked at just above"))
    }
}

impl Mark {
    /// The place after one more frame; the chain is lost where the frame does not follow.
    pub(super) fn past(self, frame: &StoredFrame<'_>) -> Self {
        let chain = self.chain.filter(|_| self.seq == frame.seq);
        Self {
            seq: frame.seq + 1,
            chain: chain.map(|chain| chain.after(frame.seq, frame.id, frame.body)),
        }
    }

    const fn skip_to(self, seq: u64) -> Self {
        Self { seq, chain: None }
    }
}

impl Tally {
    pub(super) fn count(&mut self, frame: &StoredFrame<'_>, stored_bytes: usize) {
        self.frames += 1;
        self.bytes += stored_bytes as u64;
        self.oldest.get_or_insert(Oldest::of(frame));
    }
}

impl Oldest {
    fn of(frame: &StoredFrame<'_>) -> Self {
        Self {
            seq: frame.seq,
            unix_millis: unix_millis(frame.id),
        }
    }
}

impl Opened {
    pub(super) fn open(path: &Path, ready: &Ready) -> Result<Self, StorageError> {
        Self::new(Database::open(path, ready)?)
    }

    fn new(database: Database) -> Result<Self, StorageError> {
        let queue = database.tree(QUEUE)?;
        Ok(Self { database, queue })
    }

    /// A mark with its turn, or `None` where there is none or it is not one.
    pub(super) fn mark(
        &self,
        which: Which,
        stream_number: u32,
    ) -> Result<Option<(Mark, u16)>, StorageError> {
        let value = self
            .database
            .numbers()
            .get(which.key())
            .map_err(|error| self.fault(&error))?;
        Ok(value.and_then(|value| Mark::decode(&value, which, stream_number)))
    }

    /// Refuses a database that has come up shorter than it was put away, as sled's do without a word.
    fn reaches(&self, next: u64, ready: &Ready) -> Result<(), StorageError> {
        let marked = self.mark(Which::Next, ready.stream_number)?;
        if marked.is_some_and(|(mark, _)| mark.seq == next) {
            return Ok(());
        }
        // A cut between the last frames and their mark leaves them without it.
        let last = next.saturating_sub(1).to_be_bytes();
        match self.queue.contains_key(last) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason = "sled does not show its end any more";
                Err(StorageError::damaged(self.database.path(), reason))
            }
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Shows every frame from `from` on, with its stored length, until `visit` says stop.
    pub(super) fn each_from(
        &self,
        from: u64,
        visit: &mut dyn FnMut(&StoredFrame<'_>, usize) -> bool,
    ) -> Result<(), StorageError> {
        for entry in self.queue.range(from.to_be_bytes()..) {
            let (key, value) = entry.map_err(|error| self.fault(&error))?;
            if !visit(&self.decode(&key, &value)?, value.len()) {
                break;
            }
        }
        Ok(())
    }

    fn tally_from(&self, from: u64) -> Result<Tally, StorageError> {
        let mut tally = Tally::default();
        self.each_from(from, &mut |frame, stored_bytes| {
            tally.count(frame, stored_bytes);
            true
        })?;
        Ok(tally)
    }

    fn fault(&self, error: &sled::Error) -> StorageError {
        StorageError::sled(self.database.path(), error)
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
}

fn insert(
    database: &Database,
    queue: &sled::Tree,
    seq: u64,
    value: &[u8],
) -> Result<(), StorageError> {
    queue
        .insert(seq.to_be_bytes(), value)
        .map(|_| ())
        .map_err(|error| StorageError::sled(database.path(), &error))
}

fn put_mark(
    database: &Database,
    ready: &Ready,
    which: Which,
    mark: Mark,
    turn: u16,
) -> Result<(), StorageError> {
    let value = mark.encode(which, ready.stream_number, turn);
    database
        .numbers()
        .insert(which.key(), value.as_slice())
        .map(|_| ())
        .map_err(|error| StorageError::sled(database.path(), &error))
}
