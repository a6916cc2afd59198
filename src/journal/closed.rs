//! CLEAN and ACKED: what is known of a generation that was put away.
//!
//! ```text
//! maitred closed 1
//! base 10001 46df10387b26b277   (the place before which everything is acknowledged, and its chain)
//! next 20001 0a1b2c3d4e5f6071   (the end, and its chain)
//! db 6291456 5f3a90c2           (length and crc32 of sled's file)
//! crc 01020304                  (crc32 of all lines above)
//! ```
//! CLEAN goes before sled may write again. So while it is there, the end is proven; and if the file is as it
//! says, every byte in it is as it was. ACKED has one line, `acked <Unix ms>`, and stands in a generation
//! that headquarters has wholly.

use std::io::{self, Read};
use std::path::Path;

use super::disk;
use super::mark::Mark;
use super::ready::{chain_text, parse_chain};

pub(super) const CLEAN: &str = "CLEAN";
const ACKED: &str = "ACKED";
const PIECE_BYTES: usize = 64 * 1024;
const TITLE: &str = "maitred closed 1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    pub base: Mark,
    pub next: Mark,
    pub length: u64,
    pub crc: u32,
}

impl Closed {
    pub(super) fn of(base: Mark, next: Mark, file: &[u8]) -> Self {
        Self {
            base,
            next,
            length: file.len() as u64,
            crc: crc32fast::hash(file),
        }
    }

    /// Reads the file piece by piece: it may be large, and whoever puts it away has other things in memory.
    pub(super) fn of_file(base: Mark, next: Mark, file: &Path) -> io::Result<Self> {
        let mut file = fs_err::File::open(file)?;
        let (mut length, mut crc) = (0, crc32fast::Hasher::new());
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            crc.update(&piece[..read]);
            length += read as u64;
        }
        Ok(Self {
            base,
            next,
            length,
            crc: crc.finalize(),
        })
    }

    /// Whether the file is what it was when the generation was put away.
    pub(super) fn covers(&self, file: &[u8]) -> bool {
        *self == Self::of(self.base, self.next, file)
    }

    pub(super) fn read(dir: &Path) -> Option<Self> {
        Self::parse(&fs_err::read_to_string(dir.join(CLEAN)).ok()?)
    }

    pub(super) fn to_text(self) -> String {
        let Self {
            base,
            next,
            length,
            crc,
        } = self;
        disk::sealed(&format!(
            "{TITLE}\nbase {} {}\nnext {} {}\ndb {length} {crc:08x}\n",
            base.seq,
            chain_text(base.chain),
            next.seq,
            chain_text(next.chain),
        ))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let base = parse_mark(lines.next()?.strip_prefix("base ")?)?;
        let next = parse_mark(lines.next()?.strip_prefix("next ")?)?;
        let (length, crc) = lines.next()?.strip_prefix("db ")?.split_once(' ')?;
        let closed = Self {
            base,
            next,
            length: length.parse().ok()?,
            crc: u32::from_str_radix(crc, 16).ok()?,
        };
        (closed.to_text() == text).then_some(closed)
    }
}

fn parse_mark(text: &str) -> Option<Mark> {
    let (seq, chain) = text.split_once(' ')?;
    Some(Mark {
        seq: seq.parse().ok()?,
        chain: parse_chain(chain)?,
    })
}

/// When headquarters had all of it, in Unix milliseconds.
pub(super) fn acked_at(dir: &Path) -> Option<u64> {
    let text = fs_err::read_to_string(dir.join(ACKED)).ok()?;
    text.trim_end().strip_prefix("acked ")?.parse().ok()
}

pub(super) fn write_acked(dir: &Path, unix_millis: u64) -> io::Result<()> {
    disk::write_marker(dir, ACKED, &format!("acked {unix_millis}\n"))
}

pub(super) fn remove_acked(dir: &Path) -> io::Result<()> {
    fs_err::remove_file(dir.join(ACKED))?;
    disk::sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Chain;

    #[test]
    fn clean_reads_back_and_knows_its_file() {
        let base = Mark {
            seq: 3,
            chain: None,
        };
        let next = Mark {
            seq: 9,
            chain: Some(Chain::from_bytes([5; 8])),
        };
        let closed = Closed::of(base, next, b"the file");
        assert_eq!(Closed::parse(&closed.to_text()), Some(closed));
        assert!(closed.covers(b"the file"));
        assert!(!closed.covers(b"the fill"));
        for place in 0..closed.to_text().len() {
            let mut damaged = closed.to_text().into_bytes();
            damaged[place] ^= 0x01;
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(Closed::parse(&damaged), None, "byte {place} was taken");
        }
    }
}
