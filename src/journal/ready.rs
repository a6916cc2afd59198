//! READY: the small text file that says a database directory was created whole, and with which settings.
//!
//! ```text
//! maitred generation 1
//! profile standard
//! stream 018bcfe5-6800-7909-8909-090909090909
//! stream-number 1
//! first 1
//! crc 5f3a90c2          (crc32 of all lines above)
//! ```
//! It is put in place by rename, so it is whole or absent: absent means that nothing in the directory was
//! ever promised to anyone; unreadable means damage, and is never taken for absent.

use std::path::Path;

use uuid::Uuid;

use crate::domain::ids::StreamId;

use super::disk;
use super::error::StorageError;
use super::options::Profile;

pub(super) const NAME: &str = "READY";
pub(super) const GENERATION_PREFIX: &str = "gen-";
const TITLE: &str = "maitred generation 1";

/// What is fixed when a generation is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub profile: Profile,
    pub stream: StreamId,
    pub stream_number: u32,
    /// The sequence of the generation's first frame; in `views/` the generation's own number.
    pub first: u64,
}

impl Ready {
    /// The directory's name: twenty digits, so that names sort as numbers do.
    pub(super) fn dir_name(&self) -> String {
        format!("{GENERATION_PREFIX}{:020}", self.first)
    }

    pub(super) fn read(dir: &Path) -> Result<Self, StorageError> {
        let text = fs_err::read_to_string(dir.join(NAME))?;
        let ready =
            Self::parse(&text).ok_or_else(|| StorageError::damaged(dir, "READY is unreadable"))?;
        if dir.ends_with(ready.dir_name()) {
            Ok(ready)
        } else {
            Err(StorageError::damaged(dir, "READY names another generation"))
        }
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), StorageError> {
        Ok(disk::write_marker(dir, NAME, &self.to_text())?)
    }

    fn to_text(self) -> String {
        let covered = format!(
            "{TITLE}\nprofile {}\nstream {}\nstream-number {}\nfirst {}\n",
            self.profile.name(),
            self.stream,
            self.stream_number,
            self.first
        );
        let crc = crc32fast::hash(covered.as_bytes());
        format!("{covered}crc {crc:08x}\n")
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
        };
        // Written again it must be the same text, the checksum's line included.
        (ready.to_text() == text).then_some(ready)
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
        }
    }

    #[test]
    fn ready_reads_back_and_names_its_directory() {
        assert_eq!(Ready::parse(&a_ready().to_text()), Some(a_ready()));
        assert_eq!(a_ready().dir_name(), "gen-00000000000000010001");
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
}
