//! Everything the journal has on disk, opened together: the two spools, the checkpoint and the lock.
//!
//! Promises that the book is rebuilt from the checkpoint and the P0 frames after it, and that P0 frames
//! leave the disk only after a checkpoint that contains them. Knows no callers and no threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

use crate::domain::ids::StreamId;
use crate::ops::clock::Clock;

use super::book::Book;
use super::database;
use super::disk;
use super::error::{OpenError, OutboxError, StorageError};
use super::options::Options;
use super::spool::{Depths, Making, Row, Spool};
use super::views::{Positions, Views};

pub(super) const VIEWS: &str = "views";

/// Keeps a second process, or the last moments of an earlier owner, out of the directory.
#[derive(Debug)]
pub(super) struct Lock {
    _file: fs_err::File,
}

pub(super) struct Store {
    pub p0: Row,
    pub p1: Row,
    views: Views,
    /// P0 frames in the book that no checkpoint contains.
    unsaved_frames: u64,
    checkpoint_frames: u64,
}

/// What it takes to open a store, again and again if need be.
pub(super) struct Place {
    pub dir: PathBuf,
    pub options: Options,
    pub clock: Arc<dyn Clock>,
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

impl Store {
    /// Opens what is there and rebuilds the book from it.
    pub(super) fn open(place: &Place, book: &mut impl Book) -> Result<Self, StorageError> {
        let Place {
            dir,
            options,
            clock,
        } = place;
        let making = Making {
            profile: options.profile,
            rotation: options.rotation,
            clock: Arc::clone(clock),
        };
        book.reset();
        let mut restore = |key: &[u8], value: &[u8]| book.restore(key, value);
        let (views, positions) = Views::open(&dir.join(VIEWS), options.profile, &mut restore)?;
        let mut unsaved_frames = 0;
        let p0 = Row::open(
            &dir.join(Spool::P0.name()),
            making.clone(),
            &mut |stream, frame| {
                if is_after(&positions, stream, frame.seq) {
                    book.apply(frame.body);
                    unsaved_frames += 1;
                }
            },
        )?;
        let p1 = Row::open(&dir.join(Spool::P1.name()), making, &mut |_, _| {})?;
        Ok(Self {
            p0,
            p1,
            views,
            unsaved_frames,
            checkpoint_frames: options.checkpoint_frames,
        })
    }

    pub(super) fn row(&mut self, spool: Spool) -> &mut Row {
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

    pub(super) fn checkpoint_if_due(&mut self, book: &mut impl Book) -> Result<(), StorageError> {
        if self.unsaved_frames >= self.checkpoint_frames {
            self.checkpoint(book)?;
        }
        Ok(())
    }

    /// The book must hold nothing but durable frames.
    pub(super) fn checkpoint(&mut self, book: &mut impl Book) -> Result<(), StorageError> {
        if self.unsaved_frames > 0 {
            self.views
                .checkpoint(book.take_changes(), &self.p0.ends())?;
            self.unsaved_frames = 0;
        }
        Ok(())
    }

    /// Lets go of acknowledged frames. A stale or foreign acknowledgement changes nothing.
    pub(super) fn acknowledge(
        &mut self,
        spool: Spool,
        stream: StreamId,
        through: u64,
        book: &mut impl Book,
    ) -> Result<(), OutboxError> {
        if !self.row(spool).concerns(stream, through)? {
            return Ok(());
        }
        if spool == Spool::P0 {
            self.checkpoint(book).map_err(OutboxError::Storage)?;
        }
        let row = self.row(spool);
        row.remove(stream, through)
            .and_then(|()| row.rotate_if_due())
            .map_err(OutboxError::Storage)
    }

    /// Checkpoints and puts everything away in order.
    pub(super) fn close(mut self, book: &mut impl Book) -> Result<(), StorageError> {
        self.checkpoint(book)?;
        self.p0.close()?;
        self.p1.close()?;
        self.views.close()
    }
}

fn is_after(positions: &Positions, stream: StreamId, seq: u64) -> bool {
    positions.get(&stream).is_none_or(|end| seq > *end)
}
