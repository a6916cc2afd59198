//! Which frames are stored under which numbers: their ids, up to a hundred to a row.
//!
//! Frames that come again without a proof, and those of a closed stream, are held against what is stored
//! under their numbers. An index over all frames would say that, too, and cost an eighth of taking frames in;
//! a row for a hundred costs next to nothing.

use jiff::Timestamp;
use uuid::Uuid;

use super::settle::NewFrame;
use crate::domain::ids::{FrameId, StreamId};

/// Ids in a row, at most: whoever looks for a number begins so many before it. Of more, databases put a row's
/// bytes elsewhere.
pub(super) const LONGEST: u64 = 100;

/// Bytes of an id.
const ID: usize = 16;

/// Frames that came together, under consecutive numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) stream: StreamId,
    pub(super) first: u64,
    /// One behind the other.
    pub(super) ids: Vec<u8>,
    pub(super) received: Timestamp,
}

/// The runs of frames that are in the order of their deliveries.
pub(super) fn runs(frames: &[NewFrame<'_>]) -> Vec<Run> {
    let is_next = |one: &NewFrame<'_>, next: &NewFrame<'_>| {
        one.stream == next.stream && one.seq + 1 == next.seq && one.received == next.received
    };
    let longest = usize::try_from(LONGEST).unwrap_or(usize::MAX);
    let pieces = frames
        .chunk_by(is_next)
        .flat_map(|whole| whole.chunks(longest));
    let run = |frames: &[NewFrame<'_>]| {
        let first = frames.first()?;
        Some(Run {
            stream: first.stream,
            first: first.seq,
            ids: frames
                .iter()
                .flat_map(|frame| *frame.id.0.as_bytes())
                .collect(),
            received: first.received,
        })
    };
    pieces.filter_map(run).collect()
}

/// The numbers of a stored run, with their ids.
pub(super) fn told(first: u64, ids: &[u8]) -> impl Iterator<Item = (u64, FrameId)> {
    let ids = ids.as_chunks::<ID>().0;
    (first..).zip(ids.iter().map(|id| FrameId(Uuid::from_bytes(*id))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::testing::{now, stream};

    fn frame(number: u8, seq: u64) -> NewFrame<'static> {
        NewFrame {
            stream: stream(number),
            received: now(),
            seq,
            id: FrameId::from_time_and_entropy(seq, [number; 10]),
            frame: None,
        }
    }

    #[test]
    fn a_run_ends_with_its_stream_at_a_gap_and_after_a_hundred() {
        let mut frames: Vec<_> = (1..=250).map(|seq| frame(1, seq)).collect();
        frames.extend([frame(2, 251), frame(2, 252), frame(2, 254)]);
        let runs = runs(&frames);
        let shape: Vec<_> = runs
            .iter()
            .map(|run| (run.first, run.ids.len() / ID))
            .collect();
        assert_eq!(shape, [(1, 100), (101, 100), (201, 50), (251, 2), (254, 1)]);
        let read = runs.iter().flat_map(|run| told(run.first, &run.ids));
        let written = frames.iter().map(|frame| (frame.seq, frame.id));
        assert!(read.eq(written));
    }
}
