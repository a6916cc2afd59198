//! A row of generations, of which the last one is written and the first one with something to send is drained.
//!
//! Generations of several streams may stand in it, older streams first: a stream ends where its next sequence
//! cannot be proven, or where headquarters has closed it. Promises that there is always a last generation
//! whose end is proven; that at most the first one with something to send and the last are open; and that
//! what headquarters has wholly is only kept until [`Row::discard`] is asked to let go of it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::ids::{Chain, FrameId, FramePlace, StreamId};
use crate::ops::clock::Clock;

use super::damage::{Finding, Reports};
use super::database;
use super::depth::{Depth, Hole, Peeked, Spool, StreamDepth};
use super::disk;
use super::error::{OutboxError, StorageError};
use super::frame::StoredFrame;
use super::generation::{Generation, NewFrame};
use super::mark::Mark;
use super::options::{Profile, Rotation};
use super::ready::{self, DirName, Ready};
use super::scan::{Found, read_damaged};
use super::start::{self, Known, Start, Started};

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
    /// Frames of closed streams that have a new number already, from a move that was interrupted; by stream.
    moved: Vec<(StreamId, Vec<FrameId>)>,
}

/// What the book knows of a row's streams.
pub(super) trait Reader {
    /// The checkpoint contains everything of the stream before this sequence.
    fn applied(&self, stream: StreamId) -> u64;

    /// A checkpoint once contained everything of the stream before this sequence.
    fn reached(&self, stream: StreamId) -> u64;

    fn visit(&mut self, stream: StreamId, frame: &StoredFrame<'_>);
}

/// A kept generation that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    place: usize,
    pub since: u64,
    pub stream: StreamId,
    /// The sequence of its last frame.
    pub end: u64,
}

impl Row {
    /// Starts what is there, oldest first; begins a stream if nothing is there.
    pub(super) fn open(
        parent: &Path,
        spool: Spool,
        making: Making,
        reports: &Reports,
        reader: &mut dyn Reader,
    ) -> Result<Self, StorageError> {
        let dir = parent.join(spool.name());
        disk::make_dir(&dir)?;
        disk::empty_trash(&dir)?;
        start::resume_salvage(&dir)?;
        let start = Start {
            parent: &dir,
            spool: spool.name(),
            reports,
            buffer: Cell::default(),
        };
        let listed = list(&start)?;
        let mut row = Self {
            dir: dir.clone(),
            making,
            generations: VecDeque::new(),
            moved: Vec::new(),
        };
        let mut end_is_proven = false;
        for place in 0..listed.len() {
            let Started {
                generation,
                end_is_proven: proven,
            } = row.start(&start, &listed, place, reader)?;
            row.generations.push_back(generation);
            end_is_proven = proven;
            row.settle(None)?;
        }
        if !end_is_proven {
            row.begin_stream()?;
        }
        Ok(row)
    }

    fn start(
        &self,
        start: &Start<'_>,
        listed: &[Listed],
        place: usize,
        reader: &mut dyn Reader,
    ) -> Result<Started, StorageError> {
        let Listed { name, ready } = listed[place];
        let next = listed.get(place + 1);
        let after = next.filter(|next| next.name.stream_number == name.stream_number);
        let whole = match ready {
            Some(ready) => ready,
            None => self.guess_ready(name, listed)?,
        };
        let applied = reader.applied(whole.stream);
        let several_streams = listed
            .iter()
            .any(|other| other.name.stream_number != name.stream_number);
        let visit_from = match several_streams {
            false => applied,
            // A frame may have been moved to a later stream: all must be seen to tell.
            true => 0,
        };
        let known = Known {
            end: after.map(|after| Mark {
                seq: after.name.first,
                chain: after.ready.and_then(|ready| ready.before),
            }),
            applied,
            reached: reader.reached(whole.stream),
            sealed: next.is_some(),
        };
        let visit = &mut |frame: &StoredFrame<'_>| reader.visit(whole.stream, frame);
        match ready {
            Some(ready) => start.load(ready, known, visit_from, visit),
            None => start.load_without_ready(whole, known, visit_from, visit),
        }
    }

    /// What an unreadable READY must have said, from its copy in the database or from its neighbours.
    fn guess_ready(&self, name: DirName, listed: &[Listed]) -> Result<Ready, StorageError> {
        let file = read_damaged(&self.dir.join(name.text()).join("db"))?;
        if let Some(ready) = Ready::find(&file, name) {
            return Ok(ready);
        }
        let sibling = listed
            .iter()
            .filter_map(|other| other.ready)
            .find(|ready| ready.stream_number == name.stream_number);
        let before = self
            .generations
            .back()
            .filter(|before| before.ready().stream_number == name.stream_number)
            .map(Generation::next)
            .filter(|end| end.seq == name.first);
        let start = Mark {
            seq: 1,
            chain: Some(Chain::START),
        };
        Ok(Ready {
            profile: self.making.profile,
            stream: match sibling {
                Some(sibling) => sibling.stream,
                // Headquarters will hear of an unknown stream with a gap before it.
                None => self.new_stream()?,
            },
            stream_number: name.stream_number,
            first: name.first,
            before: before
                .or(Some(start).filter(|start| start.seq == name.first))
                .and_then(|mark| mark.chain),
        })
    }

    /// What limits a commit: a generation keeps the profile it was created with, whatever the box has now.
    pub(super) fn profile(&self) -> Profile {
        self.last().ready().profile
    }

    pub(super) fn depth(&self) -> Depth {
        let sum = |part: fn(&Generation) -> u64| self.generations.iter().map(part).sum();
        let mut streams: Vec<StreamDepth> = Vec::new();
        for generation in &self.generations {
            let stream = generation.stream();
            let (next, oldest) = (generation.next(), generation.tally().oldest);
            match streams.last_mut().filter(|last| last.stream == stream) {
                Some(depth) => {
                    if depth.floor == depth.next {
                        depth.floor = oldest.map_or(next.seq, |oldest| oldest.seq);
                    }
                    (depth.next, depth.last) = (next.seq, next.chain);
                }
                None => streams.push(StreamDepth {
                    stream,
                    floor: oldest.map_or(next.seq, |oldest| oldest.seq),
                    next: next.seq,
                    last: next.chain,
                }),
            }
        }
        let oldest = self
            .first_held()
            .and_then(|place| self.generations[place].tally().oldest);
        Depth {
            frames: sum(|generation| generation.tally().frames),
            bytes: sum(|generation| generation.tally().bytes),
            oldest_unix_ms: oldest.map(|oldest| oldest.unix_millis),
            streams,
        }
    }

    pub(super) fn frames(&self) -> u64 {
        let held = self.generations.iter().map(|held| held.tally().frames);
        held.sum()
    }

    /// Whether frames that were once here are not any more.
    pub(super) fn has_let_go(&self) -> bool {
        let first = self.first().ready();
        first.first > 1 || first.stream_number > 1
    }

    /// The first number that is here of the oldest stream.
    pub(super) fn begin(&self) -> (StreamId, u64) {
        let first = self.first().ready();
        (first.stream, first.first)
    }

    /// The last sequence written, by stream.
    pub(super) fn ends(&self) -> Vec<(StreamId, u64)> {
        let mut ends: Vec<(StreamId, u64)> = Vec::new();
        for generation in &self.generations {
            let end = (generation.stream(), generation.next().seq - 1);
            match ends.last_mut() {
                Some(last) if last.0 == end.0 => *last = end,
                _ => ends.push(end),
            }
        }
        ends
    }

    /// Where the next frame will stand.
    pub(super) fn next_place(&self) -> FramePlace {
        FramePlace {
            stream: self.last().stream(),
            seq: self.last().next().seq,
        }
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
    ) -> Result<Peeked, StorageError> {
        let place = self.first_held().unwrap_or(self.generations.len() - 1);
        let follows_gap = self.follows_gap(place);
        let generation = &mut self.generations[place];
        let batch = generation.peek(max_frames, max_bytes)?;
        let (base, first) = (generation.base().seq, generation.ready().first);
        let after_hole = batch
            .frames
            .first()
            .is_some_and(|frame| frame.seq > base || (follows_gap && frame.seq == first));
        Ok(Peeked {
            stream: generation.stream(),
            prev: batch.prev,
            frames: batch.frames,
            hole: after_hole.then_some(Hole::Damaged),
        })
    }

    /// Whether this acknowledgement would change anything; one of frames never written is refused.
    pub(super) fn concerns(&self, stream: StreamId, through: u64) -> Result<bool, OutboxError> {
        let ours = || self.generations.iter().filter(|g| g.stream() == stream);
        match ours().map(|generation| generation.next().seq).max() {
            Some(next) if through >= next => Err(OutboxError::BeyondEnd { through, next }),
            _ => Ok(ours().any(|generation| generation.base().seq <= through)),
        }
    }

    /// Moves the base of `stream` past `through`, durably.
    pub(super) fn acknowledge(
        &mut self,
        stream: StreamId,
        through: u64,
    ) -> Result<(), StorageError> {
        let now = self.unix_millis();
        let ends = self.ends_by_place();
        let last = self.generations.len() - 1;
        for (place, generation) in self.generations.iter_mut().enumerate() {
            if generation.stream() != stream || generation.acked_at().is_some() {
                continue;
            }
            let end = ends[place].unwrap_or(generation.next().seq);
            if place < last && through + 1 >= end {
                generation.keep(now)?;
            } else if generation.base().seq <= through {
                generation.acknowledge(through)?;
            }
        }
        self.settle(self.first_held())
    }

    /// Begins a new stream if `stream` is the one that is written.
    pub(super) fn leave(&mut self, stream: StreamId) -> Result<(), StorageError> {
        if self.last().stream() == stream {
            self.begin_stream()?;
        }
        Ok(())
    }

    /// Gives the frames of a closed stream up to `through` new numbers in the one that is written, except
    /// those that are `known`; then lets the old ones go.
    ///
    /// A cut in between leaves some with two numbers; done again, it finds those by their ids.
    pub(super) fn move_on(
        &mut self,
        stream: StreamId,
        through: u64,
        known: &[u64],
    ) -> Result<(), StorageError> {
        self.leave(stream)?;
        let moved = self.moved_before(stream)?;
        let mut places: Vec<usize> = (0..self.generations.len()).collect();
        places.retain(|place| self.generations[*place].stream() == stream);
        for place in places {
            let mut frames = Vec::new();
            let generation = &mut self.generations[place];
            if generation.is_drained() || generation.base().seq > through {
                continue;
            }
            let from = generation.base().seq;
            generation.each_from(from, &mut |frame, _| {
                let is_moved = || moved.binary_search(&frame.id).is_ok();
                if frame.seq <= through && !known.contains(&frame.seq) && !is_moved() {
                    frames.push(NewFrame {
                        id: frame.id,
                        body: frame.body.to_vec(),
                    });
                }
                frame.seq < through
            })?;
            self.last_mut().append_all(&frames)?;
            self.rotate_if_due()?;
        }
        self.acknowledge(stream, through)
    }

    /// Counts acknowledged frames that are still kept as unacknowledged again, from after `after` on and as
    /// far back as none is missing. Says which is the oldest now.
    pub(super) fn take_back(&mut self, stream: StreamId, after: u64) -> Result<u64, StorageError> {
        let ours = |generation: &Generation| generation.stream() == stream;
        let held = self
            .generations
            .iter()
            .filter(|g| ours(g) && g.acked_at().is_none());
        let end = self.generations.iter().rev().find(|g| ours(g));
        let mut floor = match (held.map(|g| g.base().seq).min(), end) {
            (Some(base), _) => base,
            (None, Some(last)) => last.next().seq,
            (None, None) => return Ok(after + 1),
        };
        for place in (0..self.generations.len()).rev() {
            let generation = &mut self.generations[place];
            if !ours(generation) || generation.base().seq > floor {
                continue;
            }
            if generation.base().seq != floor || floor <= after + 1 {
                break;
            }
            floor = generation.take_back(after)?;
            if floor > generation.ready().first {
                break;
            }
        }
        self.settle(self.first_held())?;
        Ok(floor)
    }

    /// The longest kept generation, and how much all of them take.
    pub(super) fn kept(&self) -> (Option<Kept>, u64) {
        let mut bytes = 0;
        let mut oldest: Option<Kept> = None;
        for (place, generation) in self.generations.iter().enumerate() {
            let Some(since) = generation.acked_at() else {
                continue;
            };
            bytes += generation.bytes_on_disk();
            if oldest.is_none_or(|oldest| since < oldest.since) {
                oldest = Some(Kept {
                    place,
                    since,
                    stream: generation.stream(),
                    end: generation.next().seq - 1,
                });
            }
        }
        (oldest, bytes)
    }

    /// Gives a kept generation's space back; a checkpoint must contain its frames.
    pub(super) fn discard(&mut self, kept: Kept) -> Result<(), StorageError> {
        match self.generations.remove(kept.place) {
            Some(generation) => generation.discard(),
            None => Ok(()),
        }
    }

    /// Drops the oldest generation with frames that wait, and says how many those were.
    pub(super) fn evict(&mut self) -> Result<u64, StorageError> {
        if self.first_held() == Some(self.generations.len() - 1) {
            self.rotate()?;
        }
        let mut frames = 0;
        let through = self.first_held().map_or(0, |place| place + 1);
        // What is kept before it would come back with a gap that nobody can tell from damage.
        for _ in 0..through {
            if let Some(generation) = self.generations.pop_front() {
                frames += generation.tally().frames;
                generation.discard()?;
            }
        }
        Ok(frames)
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
            first: self.last().next().seq,
            before: self.last().next().chain,
            ..*self.last().ready()
        };
        self.push(ready)
    }

    fn begin_stream(&mut self) -> Result<(), StorageError> {
        let mut numbers: Vec<u32> = self
            .generations
            .iter()
            .map(|g| g.ready().stream_number)
            .collect();
        for quarantine in start::quarantines(&self.dir)? {
            let name = start::name_of(&quarantine).and_then(DirName::parse);
            numbers.extend(name.map(|name| name.stream_number));
        }
        let ready = Ready {
            profile: self.making.profile,
            stream: self.new_stream()?,
            stream_number: numbers.into_iter().max().unwrap_or(0) + 1,
            first: 1,
            before: Some(Chain::START),
        };
        self.push(ready)
    }

    fn push(&mut self, ready: Ready) -> Result<(), StorageError> {
        let fresh = Generation::create(&self.dir, ready)?;
        self.generations.push_back(fresh);
        // Whoever drains one opens it again. Nobody may come for days, and ten thousand frames are 10 MiB.
        self.settle(None)
    }

    /// Keeps what is drained behind the last generation, and closes all others but the one at `in_use`.
    fn settle(&mut self, in_use: Option<usize>) -> Result<(), StorageError> {
        let now = self.unix_millis();
        let last = self.generations.len() - 1;
        let ends = self.ends_by_place();
        for (place, generation) in self.generations.iter_mut().enumerate().take(last) {
            // One that ends in a hole waits until headquarters has heard of that, with what comes after it.
            let told = ends[place].is_none_or(|end| generation.base().seq >= end);
            if generation.is_drained() && told && generation.acked_at().is_none() {
                generation.keep(now)?;
            }
            if in_use != Some(place) {
                generation.put_away()?;
            }
        }
        Ok(())
    }

    /// The ids of a closed stream's frames that stand under a later number, by id. Looked for once: what is
    /// moved after that leaves nothing behind.
    fn moved_before(&mut self, stream: StreamId) -> Result<Vec<FrameId>, StorageError> {
        if let Some((_, moved)) = self.moved.iter().find(|(of, _)| *of == stream) {
            return Ok(moved.clone());
        }
        let (mut here, mut later): (Vec<FrameId>, Vec<FrameId>) = (Vec::new(), Vec::new());
        let ours = |generation: &Generation| generation.stream() == stream;
        // An earlier stream still keeps the frames that moved here from it; those have not moved on.
        let first = self.generations.iter().position(ours).unwrap_or(0);
        for generation in self.generations.range_mut(first..) {
            let ids = match ours(generation) {
                true if generation.is_drained() => continue,
                true => &mut here,
                false => &mut later,
            };
            generation.each_from(0, &mut |frame, _| {
                ids.push(frame.id);
                true
            })?;
        }
        self.settle(self.first_held())?;
        later.sort_unstable();
        here.retain(|id| later.binary_search(id).is_ok());
        here.sort_unstable();
        self.moved.push((stream, here.clone()));
        Ok(here)
    }

    /// The sequence that each generation's stream goes on with after it, if it does.
    fn ends_by_place(&self) -> Vec<Option<u64>> {
        let after = self.generations.iter().skip(1).map(Some).chain([None]);
        let pairs = self.generations.iter().zip(after);
        pairs
            .map(|(this, after)| match after {
                Some(after) if after.stream() == this.stream() => Some(after.ready().first),
                Some(_) | None => None,
            })
            .collect()
    }

    /// Whether the frames just before this generation are lost: the one before it ends too early, or in a hole
    /// of which headquarters has not been told.
    fn follows_gap(&self, place: usize) -> bool {
        let this = &self.generations[place];
        let before = place.checked_sub(1).map(|before| &self.generations[before]);
        before
            .filter(|before| before.stream() == this.stream())
            .is_some_and(|before| {
                before.next().seq < this.ready().first || before.acked_at().is_none()
            })
    }

    fn first_held(&self) -> Option<usize> {
        self.generations.iter().position(|held| !held.is_drained())
    }

    fn new_stream(&self) -> Result<StreamId, StorageError> {
        Ok(StreamId::from_time_and_entropy(
            self.unix_millis(),
            entropy()?,
        ))
    }

    fn first(&self) -> &Generation {
        self.generations.front().expect("a row is never empty")
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

/// A directory of a row; without a READY if that cannot be read.
#[derive(Debug, Clone, Copy)]
struct Listed {
    name: DirName,
    ready: Option<Ready>,
}

/// The generations of a row in order; what was never finished is removed.
fn list(start: &Start<'_>) -> Result<Vec<Listed>, StorageError> {
    let mut listed = Vec::new();
    // Sorted by their text, and names sort as numbers do.
    for text in database::generations_in(start.parent)? {
        let path = start.parent.join(&text);
        let Some(name) = DirName::parse(&text) else {
            let quarantine = start::set_aside(start.parent, &text)?;
            start::mark_salvaged(&start.parent.join(&quarantine))?;
            start.reports.add(&Finding {
                directory: format!("{}/{text}", start.spool),
                reason: "its name is not that of a generation".to_owned(),
                quarantine: Some(format!("{}/{quarantine}", start.spool)),
                salvaged: 0,
                missing: Vec::new(),
                end_unknown: true,
            })?;
            continue;
        };
        let ready = match path.join(ready::NAME).exists() {
            true => Ready::read(&path).ok(),
            // Frames are written after READY: whoever has some has lost it.
            false if holds_frames(&path, name)? => None,
            false => {
                fs_err::remove_dir_all(&path)?;
                continue;
            }
        };
        listed.push(Listed { name, ready });
    }
    Ok(listed)
}

fn holds_frames(path: &Path, name: DirName) -> Result<bool, StorageError> {
    let file = read_damaged(&path.join("db"))?;
    let found = Found::scan(&file, name.stream_number, name.first);
    Ok(!found.frames.is_empty())
}

fn entropy() -> Result<[u8; 10], StorageError> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| StorageError::Entropy(error.to_string()))?;
    Ok(bytes)
}
