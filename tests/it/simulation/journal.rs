//! A journal as the uplink sees it, without a disk: what `maitred::journal` promises of streams, in memory.

use std::collections::{BTreeMap, BTreeSet};

use maitred::domain::ids::{Chain, FrameId, StreamId};
use maitred::journal::{Depth, Frame, Peeked, Spool, StreamDepth};

/// One spool of one gateway.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) spool: Spool,
    /// Oldest first and never empty; the last one is written.
    streams: Vec<Stream>,
}

#[derive(Debug, Clone)]
struct Stream {
    id: StreamId,
    /// Everything that is still here, acknowledged or not.
    frames: BTreeMap<u64, (FrameId, Vec<u8>)>,
    /// Everything before it is acknowledged, or evicted.
    base: u64,
    /// The chain after each sequence, and at first the one before all.
    chains: Vec<Chain>,
}

/// Where a frame was put.
pub(super) type Place = (FrameId, StreamId, u64);

impl Row {
    pub(super) fn new(spool: Spool, stream: StreamId) -> Self {
        Self {
            spool,
            streams: vec![Stream::new(stream)],
        }
    }

    pub(super) fn append(&mut self, id: FrameId, body: Vec<u8>) -> Place {
        let stream = self.streams.last_mut().expect("a row is never empty");
        let seq = stream.next();
        let before = *stream.chains.last().expect("a chain has a start");
        stream.chains.push(before.after(seq, id, &body));
        stream.frames.insert(seq, (id, body));
        (id, stream.id, seq)
    }

    pub(super) fn depth(&self) -> Depth {
        let written = self.written();
        let streams = self
            .streams
            .iter()
            .filter(|stream| !stream.frames.is_empty() || stream.id == written)
            .map(Stream::depth)
            .collect();
        let held = self.streams.iter().flat_map(Stream::held);
        Depth {
            frames: held.clone().count() as u64,
            bytes: held.map(|(_, (_, body))| body.len() as u64).sum(),
            oldest_unix_ms: None,
            streams,
        }
    }

    pub(super) fn written(&self) -> StreamId {
        self.streams.last().expect("a row is never empty").id
    }

    /// The oldest held frames of one stream, up to a hole.
    pub(super) fn peek(&self, max_frames: usize) -> Option<Peeked> {
        let stream = self.streams.iter().find(|s| s.held().next().is_some())?;
        let first = stream.depth().floor;
        let frames = (first..).map_while(|seq| {
            let (id, body) = stream.frames.get(&seq)?.clone();
            let stream = stream.id;
            Some(Frame {
                stream,
                seq,
                id,
                body,
            })
        });
        Some(Peeked {
            stream: stream.id,
            prev: stream.chain_before(first),
            frames: frames.take(max_frames).collect(),
            hole: None,
        })
    }

    pub(super) fn acknowledge(&mut self, stream: StreamId, through: u64) {
        if let Some(stream) = self.find(stream)
            && through < stream.next()
        {
            stream.base = stream.base.max(through + 1);
        }
    }

    /// Begins `fresh` if `stream` is the one that is written.
    pub(super) fn leave(&mut self, stream: StreamId, fresh: StreamId) {
        if self.written() == stream {
            self.streams.push(Stream::new(fresh));
        }
    }

    /// The first half of a move: gives frames new numbers in the stream that is written.
    pub(super) fn copy_on(&mut self, stream: StreamId, through: u64, known: &[u64]) -> Vec<Place> {
        let later = self.streams.iter().skip_while(|s| s.id != stream).skip(1);
        let moved: BTreeSet<FrameId> = later
            .flat_map(|s| s.frames.values().map(|(id, _)| *id))
            .collect();
        let Some(old) = self.find(stream) else {
            return Vec::new();
        };
        let frames: Vec<_> = old
            .held()
            .filter(|(seq, (id, _))| {
                **seq <= through && !known.contains(seq) && !moved.contains(id)
            })
            .map(|(_, frame)| frame.clone())
            .collect();
        frames
            .into_iter()
            .map(|(id, body)| self.append(id, body))
            .collect()
    }

    pub(super) fn take_back(&mut self, stream: StreamId, after: u64) {
        if let Some(stream) = self.find(stream) {
            while stream.base > after + 1 && stream.frames.contains_key(&(stream.base - 1)) {
                stream.base -= 1;
            }
        }
    }

    /// Lets go of the oldest frames that are only kept.
    pub(super) fn discard_kept(&mut self) {
        for stream in &mut self.streams {
            let base = stream.base;
            stream.frames.retain(|seq, _| *seq >= base);
        }
    }

    /// Drops the older half of what waits in the oldest stream.
    pub(super) fn evict(&mut self) {
        let held = |stream: &Stream| stream.held().count();
        if let Some(stream) = self.streams.iter_mut().find(|stream| held(stream) > 0) {
            let many = held(stream).div_ceil(2);
            stream.base = stream.depth().floor + many as u64;
            let base = stream.base;
            stream.frames.retain(|seq, _| *seq >= base);
        }
    }

    /// Everything that is still here, and in which stream.
    pub(super) fn kept(&self) -> impl Iterator<Item = (StreamId, FrameId)> {
        let of = |s: &Stream| {
            (
                s.id,
                s.frames.values().map(|(id, _)| *id).collect::<Vec<_>>(),
            )
        };
        let streams = self.streams.iter().map(of);
        streams.flat_map(|(stream, ids)| ids.into_iter().map(move |id| (stream, id)))
    }

    fn find(&mut self, stream: StreamId) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|s| s.id == stream)
    }
}

impl Stream {
    fn new(id: StreamId) -> Self {
        Self {
            id,
            frames: BTreeMap::new(),
            base: 1,
            chains: vec![Chain::START],
        }
    }

    fn next(&self) -> u64 {
        self.chains.len() as u64
    }

    fn held(&self) -> impl Iterator<Item = (&u64, &(FrameId, Vec<u8>))> + Clone {
        self.frames.range(self.base..)
    }

    fn depth(&self) -> StreamDepth {
        StreamDepth {
            stream: self.id,
            floor: self.held().next().map_or(self.next(), |(seq, _)| *seq),
            next: self.next(),
            last: self.chain_before(self.next()),
        }
    }

    fn chain_before(&self, seq: u64) -> Option<Chain> {
        self.chains
            .get(usize::try_from(seq).ok()?.checked_sub(1)?)
            .copied()
    }
}
