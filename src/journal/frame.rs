//! The bytes of one frame, as they stand in sled and as a byte scan of a damaged file finds them.
//!
//! ```text
//! magic "mtrF" 4 | version 1 | body length 2 | stream number 4 | sequence 8 | frame id 16 | body | crc32 4
//! ```
//! All numbers are big-endian; the crc covers everything before it. A frame describes itself, so that it
//! can be found again without sled. Released versions stay readable for ever: see the golden test below.
//!
//! Never looks into the body.

use uuid::Uuid;

use crate::domain::ids::{FrameId, StreamId};

const MAGIC: [u8; 4] = *b"mtrF";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 4 + 1 + 2 + 4 + 8 + 16;
const CRC_BYTES: usize = 4;

/// What a frame takes beside its body.
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + CRC_BYTES;

/// One unacknowledged frame, as the uplink sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub stream: StreamId,
    pub seq: u64,
    pub id: FrameId,
    pub body: Vec<u8>,
}

/// One frame as it is stored: the stream is a number here, and READY says which stream that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredFrame<'a> {
    pub stream_number: u32,
    pub seq: u64,
    pub id: FrameId,
    pub body: &'a [u8],
}

/// These bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    #[error("the frame is cut short or has bytes to spare")]
    Length,
    #[error("the frame does not begin with its magic")]
    Magic,
    #[error("the frame's version is {0}, which this program does not know")]
    Version(u8),
    #[error("the frame's checksum does not match")]
    Checksum,
}

impl StoredFrame<'_> {
    /// The body's length is within the profile's limit, which is far below 64 KiB: the owner checked.
    pub(super) fn encode(&self) -> Vec<u8> {
        let length = u16::try_from(self.body.len()).expect("bodies are limited to a few KiB");
        let mut bytes = Vec::with_capacity(OVERHEAD_BYTES + self.body.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.stream_number.to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.id.0.as_bytes());
        bytes.extend_from_slice(self.body);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }
}

impl<'a> StoredFrame<'a> {
    /// The frame that `bytes` begin with, if there is a whole one, and its length.
    pub(super) fn at_start(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let head = bytes.first_chunk::<HEADER_BYTES>()?;
        if !head.starts_with(&MAGIC) {
            return None;
        }
        let body = usize::from(u16::from_be_bytes([head[5], head[6]]));
        let length = OVERHEAD_BYTES + body;
        let frame = Self::decode(bytes.get(..length)?).ok()?;
        Some((frame, length))
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, BadFrame> {
        let (covered, crc) = bytes
            .split_last_chunk::<CRC_BYTES>()
            .ok_or(BadFrame::Length)?;
        let (magic, rest) = take::<4>(covered)?;
        if magic != MAGIC {
            return Err(BadFrame::Magic);
        }
        if crc32fast::hash(covered) != u32::from_be_bytes(*crc) {
            return Err(BadFrame::Checksum);
        }
        let ([version], rest) = take::<1>(rest)?;
        if version != VERSION {
            return Err(BadFrame::Version(version));
        }
        let (length, rest) = take::<2>(rest)?;
        let (stream_number, rest) = take::<4>(rest)?;
        let (seq, rest) = take::<8>(rest)?;
        let (id, body) = take::<16>(rest)?;
        if body.len() != usize::from(u16::from_be_bytes(length)) {
            return Err(BadFrame::Length);
        }
        Ok(Self {
            stream_number: u32::from_be_bytes(stream_number),
            seq: u64::from_be_bytes(seq),
            id: FrameId(Uuid::from_bytes(id)),
            body,
        })
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), BadFrame> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(BadFrame::Length)?;
    Ok((*head, rest))
}

/// The milliseconds a version 7 UUID begins with.
pub(super) fn unix_millis(id: FrameId) -> u64 {
    u64::try_from(id.0.as_u128() >> 80).expect("48 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_frame() -> StoredFrame<'static> {
        StoredFrame {
            stream_number: 7,
            seq: 0x0102_0304,
            id: FrameId::from_time_and_entropy(1_700_000_000_000, [9; 10]),
            body: b"claim",
        }
    }

    #[test]
    fn a_frame_reads_back() {
        let bytes = a_frame().encode();
        assert_eq!(bytes.len(), OVERHEAD_BYTES + 5);
        assert_eq!(StoredFrame::decode(&bytes), Ok(a_frame()));
        assert_eq!(unix_millis(a_frame().id), 1_700_000_000_000);
        let longer = [bytes.as_slice(), b"and more"].concat();
        let found = StoredFrame::at_start(&longer);
        assert_eq!(found, Some((a_frame(), bytes.len())));
    }

    #[test]
    fn a_frame_of_version_1_stays_readable_for_ever() {
        let golden = "6d747246010005000000070000000001020304\
                      018bcfe5680079098909090909090909636c61696d7008b8b1";
        let written: String = a_frame()
            .encode()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(written, golden);
    }

    #[test]
    fn a_frame_with_any_one_byte_changed_is_refused() {
        let bytes = a_frame().encode();
        for place in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[place] ^= flip;
                assert!(
                    StoredFrame::decode(&damaged).is_err(),
                    "byte {place} changed by {flip:#x} was taken"
                );
            }
        }
    }

    #[test]
    fn a_frame_cut_short_anywhere_is_refused() {
        let bytes = a_frame().encode();
        for length in 0..bytes.len() {
            assert!(StoredFrame::decode(&bytes[..length]).is_err());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(StoredFrame::decode(&longer).is_err());
    }
}
