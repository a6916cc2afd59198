//! Where a stream stands: what the box holds against what headquarters has of it.
//!
//! Pure. The two can disagree in three ways and only one of them loses something: when headquarters came back
//! from a backup older than what the box has kept.

use crate::journal::StreamDepth;
use crate::wire::link::StreamMark;

/// What to do about a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They follow each other; or a receipt was lost on the way, and headquarters has what is still held.
    ///
    /// Nothing is let go for that: a bare number does not tell whose frames these are, and those of a copy of
    /// this box may stand there. What is held is sent again, and its chain tells.
    Agrees,
    /// Headquarters takes nothing more into it: this box, or its twin, went another way from some frame on.
    Closed,
    /// Headquarters has less than was let go here: a backup, damage here, or page views without room.
    Behind { has: u64 },
    /// Headquarters has frames that were never written here and does not say that the stream is closed.
    Impossible,
}

impl Standing {
    pub const fn of(stream: &StreamDepth, mark: &StreamMark) -> Self {
        if mark.closed {
            Self::Closed
        } else if mark.acked >= stream.next {
            Self::Impossible
        } else if mark.acked + 1 < stream.floor {
            Self::Behind { has: mark.acked }
        } else {
            Self::Agrees
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::StreamId;

    #[test]
    fn a_stream_stands_in_one_of_four_ways() {
        let id = StreamId::from_time_and_entropy(1, [1; 10]);
        let stream = StreamDepth {
            stream: id,
            floor: 5,
            next: 9,
            last: None,
        };
        let standing = |acked, closed| Standing::of(&stream, &StreamMark { id, acked, closed });
        assert_eq!(standing(4, false), Standing::Agrees);
        assert_eq!(standing(5, false), Standing::Agrees);
        assert_eq!(standing(8, false), Standing::Agrees);
        assert_eq!(standing(3, false), Standing::Behind { has: 3 });
        assert_eq!(standing(0, false), Standing::Behind { has: 0 });
        assert_eq!(standing(9, false), Standing::Impossible);
        assert_eq!(standing(9, true), Standing::Closed);
        assert_eq!(standing(4, true), Standing::Closed);
    }
}
