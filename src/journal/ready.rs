//! READY: the small text file that says a database directory was created whole, and with which settings.
//!
//! ```text
//! maitred generation 2
//! profile standard
//! stream 018bcfe5-6800-7909-8909-090909090909
//! stream-number 1
//! first 1
//! before 0000000000000000      (the stream's chain before the first frame; `-` where it is not known)
//! crc 5f3a90c2                 (crc32 of all lines above)
//! ```
//! It is put in place by rename, so it is whole or absent: absent means that nothing in the directory was
//! ever promised to anyone; unreadable means damage, and is never taken for absent. The same text stands in
//! the database, where a byte scan finds it if the file is lost.

use std::path::Path;

use uuid::Uuid;

use crate::domain::ids::{Chain, StreamId};

use super::disk;
use super::error::StorageError;
use super::options::Profile;

pub(super) const NAME: &str = "READY";
pub(super) const GENERATION_PREFIX: &str = "gen-";
const TITLE: &str = "maitred generation 2";

/// Longer than any READY.
const MOST_BYTES: usize = 256;

/// What is fixed when a generation is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub profile: Profile,
    pub stream: StreamId,
    /// Streams of a row are numbered from 1; a checkpoint belongs to none and has 0.
    pub stream_number: u32,
    /// The sequence of the generation's first frame; in `views/` the generation's own number.
    pub first: u64,
    /// The stream's chain before the first frame.
    pub before: Option<Chain>,
}

/// What a directory's name says: twenty digits and ten, so that names sort as numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DirName {
    pub stream_number: u32,
    pub first: u64,
}

impl DirName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (number, first) = name.strip_prefix(GENERATION_PREFIX)?.split_once('-')?;
        let parsed = Self {
            stream_number: number.parse().ok()?,
            first: first.parse().ok()?,
        };
        (parsed.text() == name).then_some(parsed)
    }

    pub(super) fn text(self) -> String {
        format!(
            "{GENERATION_PREFIX}{:010}-{:020}",
            self.stream_number, self.first
        )
    }
}

impl Ready {
    pub(super) const fn name(&self) -> DirName {
        DirName {
            stream_number: self.stream_number,
            first: self.first,
        }
    }

    pub(super) fn dir_name(&self) -> String {
        self.name().text()
    }

    pub(super) fn read(dir: &Path) -> Result<Self, StorageError> {
        let text = fs_err::read(dir.join(NAME))?;
        let ready = std::str::from_utf8(&text).ok().and_then(Self::parse);
        let ready = ready.ok_or_else(|| StorageError::damaged(dir, "READY is unreadable"))?;
        if dir.ends_with(ready.dir_name()) {
            Ok(ready)
        } else {
            Err(StorageError::damaged(dir, "READY names another generation"))
        }
    }

    /// The copy that stands in the database's file.
    pub(super) fn find(file: &[u8], name: DirName) -> Option<Self> {
        let starts = (0..file.len()).filter(|at| file[*at..].starts_with(TITLE.as_bytes()));
        let mut found = starts.filter_map(|at| {
            let rest = &file[at..file.len().min(at + MOST_BYTES)];
            let crc = rest.windows(5).position(|bytes| bytes == b"\ncrc ")?;
            let text = rest.get(..crc + 5 + 8 + 1)?;
            Self::parse(std::str::from_utf8(text).ok()?)
        });
        found.find(|ready| ready.name() == name)
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), StorageError> {
        Ok(disk::write_marker(dir, NAME, &self.to_text())?)
    }

    pub(super) fn to_text(self) -> String {
        let covered = format!(
            "{TITLE}\nprofile {}\nstream {}\nstream-number {}\nfirst {}\nbefore {}\n",
            self.profile.name(),
            self.stream,
            self.stream_number,
            self.first,
            chain_text(self.before),
        );
        disk::sealed(&covered)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let ready = Self {
            profile: Profile::parse(lines.next()?.strip_prefix("profile ")?)?,
            stream: StreamId(Uuid::parse_str(lines.next()?.strip_prefix("stream ")?).ok()?),
            stream_number: lines.next()?.strip_prefix("stream-number ")?.parse().ok()?,
            first: lines.next()?.strip_prefix("first ")?.parse().ok()?,
            before: parse_chain(lines.next()?.strip_prefix("before ")?)?,
        };
        // Written again it must be the same text, the checksum's line included.
        (ready.to_text() == text).then_some(ready)
    }
}

/// A chain in a marker file.
pub(super) fn chain_text(chain: Option<Chain>) -> String {
    chain.map_or_else(|| "-".to_owned(), |chain| chain.to_string())
}

/// The outer `None` is a text that is no chain.
pub(super) fn parse_chain(text: &str) -> Option<Option<Chain>> {
    match text {
        "-" => Some(None),
        digits => Chain::try_from(digits.to_owned()).ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_ready() -> Ready {
        Ready {
            profile: Profile::Small,
            stream: StreamId::from_time_and_entropy(1_700_000_000_000, [9; 10]),
            stream_number: 3,
            first: 10_001,
            before: Some(Chain::from_bytes([7; 8])),
        }
    }

    #[test]
    fn ready_reads_back_and_names_its_directory() {
        assert_eq!(Ready::parse(&a_ready().to_text()), Some(a_ready()));
        let name = "gen-0000000003-00000000000000010001";
        assert_eq!(a_ready().dir_name(), name);
        assert_eq!(DirName::parse(name), Some(a_ready().name()));
        assert_eq!(DirName::parse("gen-3-10001"), None);
        let unknown = Ready {
            before: None,
            ..a_ready()
        };
        assert_eq!(Ready::parse(&unknown.to_text()), Some(unknown));
    }

    #[test]
    fn ready_with_any_one_byte_changed_is_refused() {
        let text = a_ready().to_text().into_bytes();
        for place in 0..text.len() {
            let mut damaged = text.clone();
            damaged[place] ^= 0x01;
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(Ready::parse(&damaged), None, "byte {place} was taken");
        }
    }

    #[test]
    fn a_lost_ready_is_found_in_the_file_of_the_database() {
        let text = a_ready().to_text();
        let file = [b"maitred generation 2 torn", text.as_bytes(), b"more"].concat();
        assert_eq!(Ready::find(&file, a_ready().name()), Some(a_ready()));
        let other = DirName {
            first: 1,
            ..a_ready().name()
        };
        assert_eq!(Ready::find(&file, other), None);
    }
}
