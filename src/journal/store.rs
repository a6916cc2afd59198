//! Everything the journal has on disk, opened together: the two spools, the checkpoint and the lock.
//!
//! Promises that the book is rebuilt from the checkpoint and the frames after it, and that P0 frames
//! leave the disk only after a checkpoint that contains them. Knows no callers and no threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

use crate::domain::ids::{FrameId, FramePlace, StreamId};
use crate::ops::clock::Clock;
use crate::ops::metrics;

use super::book::Book;
use super::damage::{Finding, Reports};
use super::database;
use super::depth::{Depths, Spool};
use super::disk;
use super::error::{OpenError, OutboxError, StorageError};
use super::frame::StoredFrame;
use super::log::Positions;
use super::options::Options;
use super::row::{Kept, Making, Reader, Row};
use super::space::{self, Ballast};
use super::views::{Opened, Origin, VIEWS, Views};

/// In a rush that does not end a checkpoint is made when so many are due: a book's entry costs the device as
/// much as a frame, and some change again meanwhile.
const OVERDUE: u64 = 4;

/// Keeps a second process, or the last moments of an earlier owner, out of the directory.
#[derive(Debug)]
pub(super) struct Lock {
    _file: fs_err::File,
}

pub(super) struct Store {
    pub p0: Row,
    pub p1: Row,
    views: Views,
    /// Frames in the book that no checkpoint contains.
    unsaved_frames: u64,
    /// There are frames with two numbers, and the checkpoint may know them by the older one only.
    moved: bool,
}

/// What it takes to open a store, again and again if need be.
pub(super) struct Place {
    pub dir: PathBuf,
    pub options: Options,
    pub clock: Arc<dyn Clock>,
    pub reports: Reports,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        // One that exists was made by the installation, and its parent may not be ours to open.
        if !dir.is_dir() {
            disk::make_dir(dir).map_err(StorageError::from)?;
        }
        let file = fs_err::File::create(dir.join("LOCK")).map_err(StorageError::from)?;
        for _ in 0..database::PAUSES {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) => database::pause(),
                Err(error) => return Err(StorageError::from(io::Error::from(error)).into()),
            }
        }
        Err(OpenError::InUse(dir.to_owned()))
    }
}

impl Place {
    pub(super) fn ballast(&self) -> Ballast {
        Ballast::new(&self.dir, self.options.ballast_bytes)
    }

    /// How much is free, where that is under the floor.
    pub(super) fn short_of_space(&self) -> Option<u64> {
        // A file system that does not tell is no reason to refuse a capture.
        let free = space::free_bytes(&self.dir).ok()?;
        Some(free).filter(|free| *free < self.options.free_floor_bytes)
    }
}

impl Store {
    /// Opens what is there and rebuilds the book from it.
    pub(super) fn open<B: Book>(place: &Place, book: &mut B) -> Result<Self, StorageError> {
        let Place {
            dir,
            options,
            clock,
            reports,
        } = place;
        let making = Making {
            profile: options.profile,
            rotation: options.rotation,
            clock: Arc::clone(clock),
        };
        let mut open_views = || {
            book.reset();
            let mut restore = |key: &[u8], value: &[u8]| book.restore(key, value);
            Views::open(dir, options.profile, reports, &mut restore)
        };
        let opened = match open_views() {
            // It went bad while it was read; the second time that is seen before anything is restored.
            Err(error) if error.is_damage() => open_views()?,
            outcome => outcome?,
        };
        let mut replay = Replay::new(&opened, B::apply, book);
        let p0 = Row::open(dir, Spool::P0, making.clone(), reports, &mut replay)?;
        let (mut unsaved_frames, mut moved) = (replay.unsaved_frames, replay.moved);
        let mut replay = Replay::new(&opened, B::note, book);
        let p1 = Row::open(dir, Spool::P1, making, reports, &mut replay)?;
        unsaved_frames += replay.unsaved_frames;
        moved |= replay.moved;
        // One that was made again has no position yet, and is owed one even where no frame is left.
        unsaved_frames += u64::from(opened.origin == Origin::Salvaged);
        let lacks = match opened.origin {
            Origin::New => p0.has_let_go().then_some("the checkpoint is missing"),
            Origin::Found => {
                let (stream, first) = p0.begin();
                let is_old = first > after(opened.views.positions(), stream).max(1);
                is_old.then_some("the checkpoint is older than the frames that are left")
            }
            Origin::Salvaged => None,
        };
        if let Some(reason) = lacks {
            reports.add(&Finding {
                directory: VIEWS.to_owned(),
                reason: reason.to_owned(),
                quarantine: None,
                salvaged: 0,
                missing: Vec::new(),
                end_unknown: true,
            })?;
        }
        Ok(Self {
            p0,
            p1,
            views: opened.views,
            unsaved_frames,
            moved,
        })
    }

    pub(super) const fn row(&mut self, spool: Spool) -> &mut Row {
        match spool {
            Spool::P0 => &mut self.p0,
            Spool::P1 => &mut self.p1,
        }
    }

    pub(super) fn depths(&self) -> Depths {
        Depths {
            p0: self.p0.depth(),
            p1: self.p1.depth(),
        }
    }

    /// Frames that are durable and in the book.
    pub(super) const fn count_applied(&mut self, frames: u64) {
        self.unsaved_frames += frames;
    }

    /// Whether a quiet moment is to be used for a checkpoint.
    pub(super) const fn owes_checkpoint(&self, place: &Place) -> bool {
        self.unsaved_frames >= place.options.checkpoint_frames
    }

    /// Does not wait for a quiet moment any longer.
    pub(super) fn checkpoint_if_overdue(
        &mut self,
        place: &Place,
        book: &mut impl Book,
    ) -> Result<(), StorageError> {
        // As many as can be counted: never.
        let overdue = place.options.checkpoint_frames.saturating_mul(OVERDUE);
        if self.unsaved_frames >= overdue {
            self.checkpoint(book)?;
        }
        Ok(())
    }

    /// The book must hold nothing but durable frames.
    pub(super) fn checkpoint(&mut self, book: &mut impl Book) -> Result<(), StorageError> {
        if self.unsaved_frames > 0 || self.moved || book.must_forget() {
            let ends = [self.p0.ends(), self.p1.ends()].concat();
            self.views.checkpoint(book, &ends)?;
            self.unsaved_frames = 0;
            self.moved = false;
        }
        Ok(())
    }

    /// Lets go of acknowledged frames. A stale or foreign acknowledgement changes nothing.
    pub(super) fn acknowledge(
        &mut self,
        spool: Spool,
        stream: StreamId,
        through: u64,
    ) -> Result<(), OutboxError> {
        let row = self.row(spool);
        if !row.concerns(stream, through)? {
            return Ok(());
        }
        row.acknowledge(stream, through)
            .and_then(|()| row.rotate_if_due())
            .map_err(OutboxError::Storage)
    }

    /// Moves frames to the stream that is written; see [`Row::move_on`].
    pub(super) fn move_on(
        &mut self,
        spool: Spool,
        stream: StreamId,
        through: u64,
        known: &[u64],
    ) -> Result<(), OutboxError> {
        let row = self.row(spool);
        if !row.concerns(stream, through)? {
            return Ok(());
        }
        row.move_on(stream, through, known)
            .map_err(OutboxError::Storage)?;
        self.moved = true;
        Ok(())
    }

    /// Gives back the space of what is only kept: past its time, past its size, or all of it where space is
    /// short. P1 goes first; a checkpoint must contain what goes.
    pub(super) fn tidy(&mut self, place: &Place, book: &mut impl Book) -> Result<(), StorageError> {
        let now = u64::try_from(place.clock.now().as_millisecond()).unwrap_or_default();
        let options = &place.options;
        let kept_millis = u64::try_from(options.kept_for.as_millis()).unwrap_or(u64::MAX);
        loop {
            let (p0, p0_bytes) = self.p0.kept();
            let (p1, p1_bytes) = self.p1.kept();
            let too_much = p0_bytes + p1_bytes > options.kept_bytes;
            let may_go = |kept: &Kept| {
                too_much
                    || now.saturating_sub(kept.since) > kept_millis
                    || place.short_of_space().is_some()
            };
            if let Some(kept) = p1.filter(may_go) {
                // Where space is short it goes without: a figure may miss some views after the next start.
                if place.short_of_space().is_none() {
                    self.save(&kept, book)?;
                }
                self.p1.discard(kept)?;
            } else if let Some(kept) = p0.filter(may_go) {
                self.save(&kept, book)?;
                self.p0.discard(kept)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Sees to it that a checkpoint contains what is to go, under every number that it has.
    fn save(&mut self, kept: &Kept, book: &mut impl Book) -> Result<(), StorageError> {
        if self.moved || !self.views.contains(kept.stream, kept.end) {
            self.checkpoint(book)?;
        }
        Ok(())
    }

    /// Drops the oldest P1 frames, a generation at a time, while there are more than may wait.
    pub(super) fn evict_if_due(&mut self, place: &Place) -> Result<(), StorageError> {
        while self.p1.frames() > place.options.max_p1_frames {
            self.evict()?;
        }
        Ok(())
    }

    /// Drops the oldest generation of P1; headquarters is told of the gap.
    pub(super) fn evict(&mut self) -> Result<(), StorageError> {
        let frames = self.p1.evict()?;
        metrics::add_of(
            metrics::JOURNAL_P1_DROPPED_TOTAL,
            ("reason", "evicted"),
            frames,
        );
        Ok(())
    }

    /// Checkpoints and puts everything away in order.
    pub(super) fn close(mut self, book: &mut impl Book) -> Result<(), StorageError> {
        self.checkpoint(book)?;
        self.p0.close()?;
        self.p1.close()
    }
}

/// Shows a row's frames after the checkpoint to the book.
struct Replay<'a, B> {
    positions: &'a Positions,
    ends: &'a Positions,
    take: fn(&mut B, FramePlace, &[u8]),
    book: &'a mut B,
    unsaved_frames: u64,
    moved: bool,
    stream: Option<StreamId>,
    ids: Vec<FrameId>,
    /// The frames of older streams: one that was moved is there twice and happened once.
    older_ids: Vec<FrameId>,
}

impl<'a, B> Replay<'a, B> {
    fn new(opened: &'a Opened, take: fn(&mut B, FramePlace, &[u8]), book: &'a mut B) -> Self {
        Self {
            positions: opened.views.positions(),
            ends: &opened.ends,
            take,
            book,
            unsaved_frames: 0,
            moved: false,
            stream: None,
            ids: Vec::new(),
            older_ids: Vec::new(),
        }
    }
}

impl<B: Book> Reader for Replay<'_, B> {
    fn applied(&self, stream: StreamId) -> u64 {
        after(self.positions, stream)
    }

    fn reached(&self, stream: StreamId) -> u64 {
        after(self.ends, stream)
    }

    fn visit(&mut self, stream: StreamId, frame: &StoredFrame<'_>) {
        if self
            .stream
            .replace(stream)
            .is_some_and(|before| before != stream)
        {
            self.older_ids.append(&mut self.ids);
            self.older_ids.sort_unstable();
        }
        self.ids.push(frame.id);
        let seen = self.older_ids.binary_search(&frame.id).is_ok();
        self.moved |= seen;
        if !seen && frame.seq >= self.applied(stream) {
            let at = FramePlace {
                stream,
                seq: frame.seq,
            };
            (self.take)(self.book, at, frame.body);
            self.unsaved_frames += 1;
        }
    }
}

fn after(positions: &Positions, stream: StreamId) -> u64 {
    let position = positions.iter().find(|(of, _)| *of == stream);
    position.map_or(0, |(_, end)| end + 1)
}
