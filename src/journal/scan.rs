//! What the bytes of a database file hold, whatever sled makes of them.
//!
//! sled takes its first bad message for the end of the log, drops what comes after and overwrites it while
//! it opens. Frames and marks describe themselves, so they are found here before that. Promises to take
//! nothing whose checksum does not match; reads only.

use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::entry::Entry;
use super::frame::StoredFrame;
use super::mark::{Mark, Which};

/// The blocks in which an unreadable file is read around its bad places.
const BLOCK_BYTES: usize = 4096;

/// What all magic numbers begin with.
const MAGIC_START: &[u8] = b"mtr";

/// Where a frame stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub seq: u64,
    at: usize,
    length: usize,
}

/// The frames and marks of one stream in a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By sequence, each once.
    pub frames: Vec<Spot>,
    pub base: Option<Mark>,
    pub next: Option<Mark>,
    /// Everything before this sequence was on stable storage once: a later commit was begun after it.
    pub promised: u64,
}

impl Found {
    /// Looks for everything of the stream from sequence `first` on.
    pub(super) fn scan(file: &[u8], stream_number: u32, first: u64) -> Self {
        let mut found = Self::default();
        let mut spots = Vec::new();
        let mut base_place = (0, 0);
        for_each_magic(file, |at, rest| {
            if let Some((frame, length)) = StoredFrame::at_start(rest) {
                if frame.stream_number == stream_number && frame.seq >= first {
                    let seq = frame.seq;
                    spots.push((frame.id, Spot { seq, at, length }));
                }
                return length;
            }
            if let Some((mark, _)) = Mark::decode(rest, Which::Next, stream_number) {
                found.take_next(mark);
            } else if let Some((mark, turn)) = Mark::decode(rest, Which::Base, stream_number)
                && base_place <= (turn, mark.seq)
            {
                base_place = (turn, mark.seq);
                found.base = Some(mark);
            }
            1
        });
        // Of two frames with one number the later made is right: the earlier one's commit had failed.
        spots.sort_unstable_by_key(|(id, spot)| (spot.seq, std::cmp::Reverse(*id)));
        spots.dedup_by_key(|(_, spot)| spot.seq);
        found.frames = spots.into_iter().map(|(_, spot)| spot).collect();
        found
    }

    fn take_next(&mut self, mark: Mark) {
        match self.next {
            Some(newest) if mark.seq > newest.seq => self.promised = newest.seq,
            Some(newest) if mark.seq < newest.seq => self.promised = self.promised.max(mark.seq),
            Some(_) | None => {}
        }
        self.next = later(self.next, Some(mark));
    }
}

impl Spot {
    /// The frame's bytes in the file that was scanned.
    pub(super) fn bytes<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        &file[self.at..self.at + self.length]
    }
}

/// The mark that is further on.
pub(super) fn later(one: Option<Mark>, other: Option<Mark>) -> Option<Mark> {
    match (one, other) {
        (Some(a), Some(b)) => Some(if b.seq > a.seq { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Shows every place that may begin something of ours; `look` says how far to go on from there.
pub(super) fn for_each_magic(file: &[u8], mut look: impl FnMut(usize, &[u8]) -> usize) {
    let mut at = 0;
    while let Some(ahead) = file[at..].iter().position(|byte| *byte == MAGIC_START[0]) {
        at += ahead;
        at += match file[at..].starts_with(MAGIC_START) {
            true => look(at, &file[at..]),
            false => 1,
        };
    }
}

/// Shows every entry of a checkpoint, whatever stands between them.
pub(super) fn for_each_entry<'a>(file: &'a [u8], take: &mut dyn FnMut(Entry<'a>)) {
    for_each_magic(file, |at, _| match Entry::at_start(&file[at..]) {
        Some((entry, length)) => {
            take(entry);
            length
        }
        None => 1,
    });
}

/// Reads a file as far as its medium lets us: a block that cannot be read is taken for zeros.
///
/// A file that is not there has no bytes.
pub(super) fn read_damaged(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_damaged_into(path, &mut bytes)?;
    Ok(bytes)
}

/// The same into a buffer that had another file.
pub(super) fn read_damaged_into(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    let mut file = match fs_err::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    bytes.reserve_exact(length);
    let Err(error) = file.read_to_end(bytes) else {
        return Ok(());
    };
    tracing::error!(%error, "a file is read around its bad blocks");
    bytes.clear();
    bytes.resize(length, 0);
    for (number, block) in bytes.chunks_mut(BLOCK_BYTES).enumerate() {
        let offset = (number * BLOCK_BYTES) as u64;
        if file.file().read_exact_at(block, offset).is_err() {
            block.fill(0);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::FrameId;

    fn frame(stream_number: u32, seq: u64, made: u64) -> Vec<u8> {
        StoredFrame {
            stream_number,
            seq,
            id: FrameId::from_time_and_entropy(made, [9; 10]),
            body: b"claim",
        }
        .encode()
    }

    fn next(seq: u64) -> Vec<u8> {
        let mark = Mark { seq, chain: None };
        mark.encode(Which::Next, 7, 0).to_vec()
    }

    #[test]
    fn frames_are_found_in_order_whatever_stands_between_them() {
        let mut torn = frame(7, 4, 1);
        torn[40] ^= 1;
        let file = [
            frame(7, 3, 1),
            b"mtr mtrF mtrN".to_vec(),
            frame(7, 2, 1),
            torn,
            frame(8, 5, 1),
            frame(7, 1, 1),
            frame(7, 2, 1),
        ]
        .concat();
        let found = Found::scan(&file, 7, 2);
        let sequences: Vec<u64> = found.frames.iter().map(|spot| spot.seq).collect();
        assert_eq!(sequences, [2, 3]);
        assert_eq!(found.frames[1].bytes(&file), frame(7, 3, 1));
    }

    #[test]
    fn of_two_frames_with_one_number_the_later_made_counts() {
        let file = [frame(7, 1, 5), frame(7, 1, 9), frame(7, 1, 6)].concat();
        let found = Found::scan(&file, 7, 1);
        assert_eq!(found.frames.len(), 1);
        assert_eq!(found.frames[0].bytes(&file), frame(7, 1, 9));
    }

    #[test]
    fn a_base_that_was_taken_back_is_newer_than_one_further_on() {
        let base = |seq, turn| Mark { seq, chain: None }.encode(Which::Base, 7, turn);
        let file = [base(4, 0), base(3, 1), base(9, 0), base(2, 1)].concat();
        let found = Found::scan(&file, 7, 1);
        assert_eq!(found.base.map(|mark| mark.seq), Some(3));
    }

    #[test]
    fn the_last_commit_but_one_is_known_to_have_been_durable() {
        let file = [next(4), next(9), next(9), next(6)].concat();
        let found = Found::scan(&file, 7, 1);
        assert_eq!(found.next.map(|mark| mark.seq), Some(9));
        assert_eq!(found.promised, 6);
        assert_eq!(Found::scan(&next(4), 7, 1).promised, 0);
    }
}
