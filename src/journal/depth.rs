//! The two spools by name, and how much of each headquarters has not acknowledged yet.

use crate::domain::ids::{Chain, StreamId};

use super::frame::Frame;

/// Which of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spool {
    /// Events that must never be lost.
    P0,
    /// Events that may be dropped when there is no room: views, sessions, heartbeats.
    P1,
}

/// What of a spool waits for headquarters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    pub frames: u64,
    pub bytes: u64,
    pub oldest_unix_ms: Option<u64>,
    /// Oldest first and never empty; the last one is written.
    pub streams: Vec<StreamDepth>,
}

/// One stream of which something is on disk: a headquarters from a backup may ask for what is only kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDepth {
    pub stream: StreamId,
    /// The oldest frame that waits, or `next` if there is none.
    pub floor: u64,
    /// What the next frame gets, or in a stream that was left would have got.
    pub next: u64,
    /// The chain of all frames before `next`; not known where the end of a stream was lost.
    pub last: Option<Chain>,
}

/// Both spools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depths {
    pub p0: Depth,
    pub p1: Depth,
}

/// The front of a spool: frames of one stream with consecutive numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    pub stream: StreamId,
    /// The chain before the first frame, where it is known.
    pub prev: Option<Chain>,
    pub frames: Vec<Frame>,
    /// Why the sequences just before the first frame will never come, if the journal knows.
    pub hole: Option<Hole>,
}

/// Why sequences are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// The medium lost them; DAMAGE in the state directory names them.
    Damaged,
}

impl Spool {
    pub const BOTH: [Self; 2] = [Self::P0, Self::P1];

    pub const fn name(self) -> &'static str {
        match self {
            Self::P0 => "p0",
            Self::P1 => "p1",
        }
    }
}

impl Depth {
    /// The stream that new frames join.
    pub fn written(&self) -> &StreamDepth {
        self.streams
            .last()
            .expect("a spool always has a stream that is written")
    }
}
