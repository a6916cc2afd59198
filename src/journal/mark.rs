//! A place between two frames of a stream, as it stands in sled and as a byte scan finds it.
//!
//! ```text
//! magic "mtrB" or "mtrN" 4 | stream number 4 | turn 2 | sequence 8 | chain is known 1 | chain 8 | crc32 4
//! ```
//! All numbers are big-endian; the crc covers everything before it. A generation has two marks: its base,
//! before which everything has been acknowledged, and its next, which is the end. A base only moves forward,
//! except when acknowledged frames are taken back: then its turn goes up, so that of two bases in a file the
//! newer is known. Each commit writes a next
//! mark after its frames, so whoever finds two of them in a file knows that the commit of the older one was
//! on stable storage when the newer one was begun.

use crate::domain::ids::Chain;

pub(super) const MARK_BYTES: usize = 4 + 4 + 2 + 8 + 1 + 8 + 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The number of the frame after this place.
    pub seq: u64,
    /// The stream's chain of all frames before it; not known behind a hole.
    pub chain: Option<Chain>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Base,
    Next,
}

impl Which {
    pub(super) const fn magic(self) -> [u8; 4] {
        match self {
            Self::Base => *b"mtrB",
            Self::Next => *b"mtrN",
        }
    }

    /// Its key in sled's default tree.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Next => "next",
        }
    }
}

impl Mark {
    pub(super) fn encode(self, which: Which, stream_number: u32, turn: u16) -> [u8; MARK_BYTES] {
        let chain = self.chain.unwrap_or(Chain::START).to_bytes();
        let mut bytes = [0; MARK_BYTES];
        bytes[..4].copy_from_slice(&which.magic());
        bytes[4..8].copy_from_slice(&stream_number.to_be_bytes());
        bytes[8..10].copy_from_slice(&turn.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.seq.to_be_bytes());
        bytes[18] = u8::from(self.chain.is_some());
        bytes[19..27].copy_from_slice(&chain);
        let crc = crc32fast::hash(&bytes[..27]);
        bytes[27..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The mark that `bytes` begin with, if it is of this kind and stream and whole, and its turn.
    pub(super) fn decode(bytes: &[u8], which: Which, stream_number: u32) -> Option<(Self, u16)> {
        let bytes = bytes.first_chunk::<MARK_BYTES>()?;
        let turn = u16::from_be_bytes(*bytes[8..10].first_chunk()?);
        let seq = u64::from_be_bytes(*bytes[10..18].first_chunk()?);
        let chain = Chain::from_bytes(*bytes[19..27].first_chunk()?);
        let mark = Self {
            seq,
            chain: (bytes[18] == 1).then_some(chain),
        };
        let is_whole = mark.encode(which, stream_number, turn) == *bytes;
        is_whole.then_some((mark, turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_no_changed_one_does() {
        for chain in [None, Some(Chain::from_bytes([3; 8]))] {
            let mark = Mark { seq: 10_001, chain };
            let bytes = mark.encode(Which::Next, 7, 3);
            assert_eq!(Mark::decode(&bytes, Which::Next, 7), Some((mark, 3)));
            assert_eq!(Mark::decode(&bytes, Which::Base, 7), None);
            assert_eq!(Mark::decode(&bytes, Which::Next, 8), None);
            for place in 0..bytes.len() {
                let mut damaged = bytes;
                damaged[place] ^= 0x01;
                assert_eq!(Mark::decode(&damaged, Which::Next, 7), None, "byte {place}");
            }
        }
    }
}
