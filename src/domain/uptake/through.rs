//! Up to where sums have come in each stream, so that a frame that is shown again is not counted again.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{FramePlace, StreamId};

/// There are two at a time; each damage and each move begins one more.
const KEPT_STREAMS: usize = 8;

/// The last frame of each stream that is in some sums; the stream that was begun last stands last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Through(Vec<(StreamId, u64)>);

impl Through {
    pub(super) fn contains(&self, at: FramePlace) -> bool {
        let mut through = self.0.iter();
        through.any(|(stream, last)| *stream == at.stream && *last >= at.seq)
    }

    pub(super) fn reach(&mut self, at: FramePlace) {
        let known = self.0.iter_mut().find(|of| of.0 == at.stream);
        match known {
            Some((_, last)) => *last = at.seq.max(*last),
            None => {
                self.0.push((at.stream, at.seq));
                if self.0.len() > KEPT_STREAMS {
                    self.0.remove(0);
                }
            }
        }
    }

    /// Takes in what was written, in its order.
    pub(super) fn push(&mut self, stream: StreamId, last: u64) {
        self.0.push((stream, last));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(StreamId, u64)> {
        self.0.iter()
    }
}
