//! A spool: a row of generations of which the last one is written and the first one is drained.
//!
//! Promises that there is always a last generation, so that the next sequence can be proven; that at most
//! the first and the last are open; and that a drained generation leaves the disk only when another one
//! stands behind it. Never evicts: what does not fit is refused by the owner.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::ids::{FrameId, StreamId};
use crate::ops::clock::Clock;

use super::database;
use super::error::{OutboxError, StorageError};
use super::frame::{Frame, StoredFrame};
use super::generation::{Generation, NewFrame};
use super::options::{Profile, Rotation};
use super::ready::Ready;

/// Which of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spool {
    /// Events that must never be lost.
    P0,
    /// Events that may be dropped when there is no room: views, sessions, heartbeats.
    P1,
}

/// How much of a spool headquarters has not acknowledged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    pub frames: u64,
    pub bytes: u64,
    pub oldest_unix_ms: Option<u64>,
    /// The stream that new frames join.
    pub stream: StreamId,
    /// The oldest unacknowledged frame, or `next_seq` if there is none.
    pub first_seq: u64,
    /// What the next frame will get.
    pub next_seq: u64,
}

/// Both spools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depths {
    pub p0: Depth,
    pub p1: Depth,
}

impl Spool {
    pub const fn name(self) -> &'static str {
        match self {
            Self::P0 => "p0",
            Self::P1 => "p1",
        }
    }
}

/// What a row needs to make generations and frames.
#[derive(Clone)]
pub(super) struct Making {
    pub profile: Profile,
    pub rotation: Rotation,
    pub clock: Arc<dyn Clock>,
}

pub(super) struct Row {
    dir: PathBuf,
    making: Making,
    /// Never empty.
    generations: VecDeque<Generation>,
}

impl Row {
    /// Opens what is there, oldest first, showing every frame to `visit`; begins a stream if nothing is there.
    pub(super) fn open(
        dir: &Path,
        making: Making,
        visit: &mut dyn FnMut(StreamId, &StoredFrame<'_>),
    ) -> Result<Self, StorageError> {
        database::tidy(dir)?;
        let mut row = Self {
            dir: dir.to_owned(),
            making,
            generations: VecDeque::new(),
        };
        for (path, ready) in database::ready_in(dir)? {
            row.check_follows(&path, &ready)?;
            let stream = ready.stream;
            let generation = Generation::load(&path, ready, &mut |frame| visit(stream, frame))?;
            row.seal_last()?;
            row.generations.push_back(generation);
        }
        if row.generations.is_empty() {
            row.begin_stream()?;
        }
        Ok(row)
    }

    /// What limits a commit: a generation keeps the profile it was created with, whatever the box has now.
    pub(super) fn profile(&self) -> Profile {
        self.last().ready().profile
    }

    pub(super) fn depth(&self) -> Depth {
        let sum = |part: fn(&Generation) -> u64| self.generations.iter().map(part).sum();
        let oldest = self
            .generations
            .iter()
            .find_map(|generation| generation.tally().oldest);
        let last = self.last();
        Depth {
            frames: sum(|generation| generation.tally().frames),
            bytes: sum(|generation| generation.tally().bytes),
            oldest_unix_ms: oldest.map(|oldest| oldest.unix_millis),
            stream: last.stream(),
            first_seq: oldest.map_or(last.next(), |oldest| oldest.seq),
            next_seq: last.next(),
        }
    }

    pub(super) fn frames(&self) -> u64 {
        self.depth().frames
    }

    /// The last sequence written, by stream.
    pub(super) fn ends(&self) -> Vec<(StreamId, u64)> {
        let mut ends: Vec<(StreamId, u64)> = Vec::new();
        for generation in &self.generations {
            let end = (generation.stream(), generation.next() - 1);
            match ends.last_mut() {
                Some(last) if last.0 == end.0 => *last = end,
                _ => ends.push(end),
            }
        }
        ends
    }

    /// Gives a frame its name; it gets its number when it is appended.
    pub(super) fn name(&self, body: Vec<u8>) -> Result<NewFrame, StorageError> {
        let id = FrameId::from_time_and_entropy(self.unix_millis(), entropy()?);
        Ok(NewFrame { id, body })
    }

    /// Returns once the frames, which fit the cap, are on stable storage.
    pub(super) fn append(&mut self, frames: &[NewFrame]) -> Result<(), StorageError> {
        self.last_mut().append(frames)
    }

    /// Seals a last generation that is full, or that is drained and large enough to be worth it.
    pub(super) fn rotate_if_due(&mut self) -> Result<(), StorageError> {
        let rotation = self.making.rotation;
        let last = self.last();
        let drained = last.is_drained() && last.used() > rotation.drained_frames;
        let full = last.used() >= rotation.full_frames.max(1);
        if drained || full {
            self.rotate()?;
        }
        Ok(())
    }

    /// The oldest unacknowledged frames. They are of one generation and hence of one stream.
    pub(super) fn peek(
        &mut self,
        max_frames: usize,
        max_bytes: usize,
    ) -> Result<Vec<Frame>, StorageError> {
        let oldest = self
            .generations
            .iter_mut()
            .find(|generation| !generation.is_drained());
        match oldest {
            Some(generation) => generation.peek(max_frames, max_bytes),
            None => Ok(Vec::new()),
        }
    }

    /// Whether this acknowledgement would remove anything; one of frames never written is refused.
    pub(super) fn concerns(&self, stream: StreamId, through: u64) -> Result<bool, OutboxError> {
        let ours = || self.generations.iter().filter(|g| g.stream() == stream);
        match ours().map(Generation::next).max() {
            Some(next) if through >= next => Err(OutboxError::BeyondEnd { through, next }),
            _ => Ok(ours()
                .filter_map(|generation| generation.tally().oldest)
                .any(|oldest| oldest.seq <= through)),
        }
    }

    /// Removes the frames of `stream` up to `through`; their effects must be checkpointed.
    pub(super) fn remove(&mut self, stream: StreamId, through: u64) -> Result<(), StorageError> {
        let last = self.generations.len() - 1;
        let mut kept = VecDeque::with_capacity(self.generations.len());
        let mut outcome = Ok(());
        for (place, mut generation) in self.generations.drain(..).enumerate() {
            let concerned = generation.stream() == stream && outcome.is_ok();
            let wholly = generation.is_drained() || (concerned && through >= generation.next() - 1);
            if wholly && place < last && outcome.is_ok() {
                // Sealed and wholly acknowledged: no need to remove its frames one by one.
                outcome = generation.discard();
                continue;
            }
            if concerned {
                outcome = generation.remove_through(through);
            }
            kept.push_back(generation);
        }
        self.generations = kept;
        outcome
    }

    /// Puts every generation away in order.
    pub(super) fn close(mut self) -> Result<(), StorageError> {
        self.generations
            .iter_mut()
            .try_for_each(Generation::put_away)
    }

    fn rotate(&mut self) -> Result<(), StorageError> {
        let ready = Ready {
            profile: self.making.profile,
            first: self.last().next(),
            ..*self.last().ready()
        };
        let fresh = Generation::create(&self.dir, ready)?;
        self.seal_last()?;
        self.generations.push_back(fresh);
        Ok(())
    }

    /// Before another generation, already on disk, takes the last place.
    fn seal_last(&mut self) -> Result<(), StorageError> {
        match self.generations.pop_back() {
            Some(sealed) if sealed.is_drained() => sealed.discard(),
            Some(mut sealed) => {
                let outcome = match self.generations.is_empty() {
                    // The uplink reads it next.
                    true => Ok(()),
                    false => sealed.put_away(),
                };
                self.generations.push_back(sealed);
                outcome
            }
            None => Ok(()),
        }
    }

    fn begin_stream(&mut self) -> Result<(), StorageError> {
        let ready = Ready {
            profile: self.making.profile,
            stream: StreamId::from_time_and_entropy(self.unix_millis(), entropy()?),
            stream_number: 1,
            first: 1,
        };
        self.generations
            .push_back(Generation::create(&self.dir, ready)?);
        Ok(())
    }

    /// A generation begins where the one before it ended; a gap or an overlap means that one was damaged.
    fn check_follows(&self, path: &Path, ready: &Ready) -> Result<(), StorageError> {
        match self.generations.back() {
            Some(before) if before.stream() == ready.stream && before.next() != ready.first => {
                let reason = format!("the generation before it ends with {}", before.next() - 1);
                Err(StorageError::damaged(path, reason))
            }
            _ => Ok(()),
        }
    }

    fn last(&self) -> &Generation {
        self.generations.back().expect("a row is never empty")
    }

    fn last_mut(&mut self) -> &mut Generation {
        self.generations.back_mut().expect("a row is never empty")
    }

    fn unix_millis(&self) -> u64 {
        u64::try_from(self.making.clock.now().as_millisecond()).unwrap_or_default()
    }
}

fn entropy() -> Result<[u8; 10], StorageError> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| StorageError::Entropy(error.to_string()))?;
    Ok(bytes)
}
