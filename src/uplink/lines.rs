//! From frames to a batch: what stands before them, when they happened, and what will never come.
//!
//! Pure: what headquarters has, and how the box's clock places a frame, are given.

use crate::domain::ids::Chain;
use crate::journal::{Depth, Frame, Hole, Peeked, Spool};
use crate::wire::batch::{
    Batch, Gap, GapReason, Header, Line, MAX_BATCH_FRAMES, Time, VERSION, Waiting, What,
};
use crate::wire::link::SOFTWARE;

/// A batch of at least one frame.
///
/// `mark` is what headquarters has of the stream; where the frames begin later than that, a gap line says
/// that what is between will never come, or the stream would be stuck for ever.
pub fn batch(
    peeked: Peeked,
    spool: Spool,
    mark: u64,
    depth: &Depth,
    date: impl Fn(&Frame) -> Option<Time>,
) -> Batch {
    let first = peeked.frames.first().map_or(mark + 1, |frame| frame.seq);
    let gap = (first > mark + 1).then(|| Line {
        seq: mark + 1,
        what: What::Gap(Gap {
            to: first - 1,
            why: reason(spool, peeked.hole),
            chain: peeked.prev,
        }),
    });
    let prev: Option<Chain> = match gap {
        // Of the frames before a gap nothing is known here any more.
        Some(_) => None,
        None => peeked.prev,
    };
    let frames = peeked.frames.into_iter().map(|frame| Line {
        seq: frame.seq,
        what: What::Frame {
            id: frame.id,
            time: date(&frame),
            body: frame.body,
        },
    });
    let lines: Vec<Line> = gap
        .into_iter()
        .chain(frames)
        .take(MAX_BATCH_FRAMES)
        .collect();
    Batch {
        header: Header {
            v: VERSION,
            first: lines.first().map_or(first, |line| line.seq),
            n: lines.len(),
            prev,
            sw: SOFTWARE.to_owned(),
            q: Waiting {
                frames: depth.frames,
                bytes: depth.bytes,
            },
        },
        lines,
    }
}

const fn reason(spool: Spool, hole: Option<Hole>) -> GapReason {
    match (hole, spool) {
        (Some(Hole::Damaged), _) => GapReason::Damaged,
        (None, Spool::P1) => GapReason::Evicted,
        // A P0 frame leaves undamaged only after headquarters has acknowledged it.
        (None, Spool::P0) => GapReason::Restored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{FrameId, StreamId};

    fn peeked(first: u64, hole: Option<Hole>) -> Peeked {
        let stream = StreamId::from_time_and_entropy(1, [1; 10]);
        let frame = |seq| Frame {
            stream,
            seq,
            id: FrameId::from_time_and_entropy(seq, [2; 10]),
            body: b"{}".to_vec(),
        };
        Peeked {
            stream,
            prev: Some(Chain::from_bytes([9; 8])),
            frames: (first..first + 2).map(frame).collect(),
            hole,
        }
    }

    fn built(first: u64, spool: Spool, hole: Option<Hole>) -> Batch {
        let depth = Depth {
            frames: 2,
            bytes: 4,
            oldest_unix_ms: None,
            streams: Vec::new(),
        };
        batch(peeked(first, hole), spool, 4, &depth, |_| None)
    }

    #[test]
    fn frames_that_follow_bring_the_chain_before_them() {
        let batch = built(5, Spool::P0, None);
        assert_eq!((batch.header.first, batch.header.n), (5, 2));
        assert_eq!(batch.header.prev, Some(Chain::from_bytes([9; 8])));
    }

    #[test]
    fn what_is_missing_is_stated_with_its_reason_and_the_chain_behind_it() {
        for (spool, hole, why) in [
            (Spool::P0, None, GapReason::Restored),
            (Spool::P1, None, GapReason::Evicted),
            (Spool::P0, Some(Hole::Damaged), GapReason::Damaged),
            (Spool::P1, Some(Hole::Damaged), GapReason::Damaged),
        ] {
            let batch = built(9, spool, hole);
            assert_eq!((batch.header.first, batch.header.n), (5, 3));
            assert_eq!(
                batch.header.prev, None,
                "nothing is known of what was before"
            );
            let gap = Gap {
                to: 8,
                why,
                chain: Some(Chain::from_bytes([9; 8])),
            };
            assert_eq!(batch.lines[0].what, What::Gap(gap));
        }
    }
}
