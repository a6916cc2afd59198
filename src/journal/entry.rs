//! The bytes of one checkpoint entry, as they stand in the log and as a byte scan of a damaged one finds them.
//!
//! ```text
//! magic "mtrE" 4 | kind 1 | order 8 | part 2 | parts 2 | key length 2 | value length 2 | key | value | crc32 4
//! ```
//! All numbers are big-endian; the crc covers everything before it. Every change of the checkpoint has a
//! higher order than those before it, so of two versions of an entry the newer is known. A deleted entry
//! leaves a tombstone, or the scan would bring it back; a long value stands in parts of one order.

const MAGIC: [u8; 4] = *b"mtrE";
pub(super) const HEADER_BYTES: usize = 4 + 1 + 8 + 2 + 2 + 2 + 2;
const CRC_BYTES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    Gone,
    /// Up to which frame of a stream the entries are right; see `views`.
    Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub kind: Kind,
    pub order: u64,
    pub part: u16,
    pub parts: u16,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

/// A whole entry: the newest version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub key: Vec<u8>,
    pub order: u64,
    /// `None` for a tombstone.
    pub value: Option<Vec<u8>>,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Put => 0,
            Self::Gone => 1,
            Self::Position => 2,
        }
    }

    const fn parse(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Put),
            1 => Some(Self::Gone),
            2 => Some(Self::Position),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    /// Keys and parts of values are within the log's limits, which are far below 64 KiB.
    pub(super) fn encode(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("limited to a few KiB");
        let mut bytes =
            Vec::with_capacity(HEADER_BYTES + CRC_BYTES + self.key.len() + self.value.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(self.kind.byte());
        bytes.extend_from_slice(&self.order.to_be_bytes());
        bytes.extend_from_slice(&self.part.to_be_bytes());
        bytes.extend_from_slice(&self.parts.to_be_bytes());
        bytes.extend_from_slice(&length(self.key).to_be_bytes());
        bytes.extend_from_slice(&length(self.value).to_be_bytes());
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(self.value);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The entry that `bytes` begin with, if there is a whole one, and its length.
    pub(super) fn at_start(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let length = length_of(bytes)?;
        let (covered, crc) = bytes.get(..length)?.split_last_chunk::<CRC_BYTES>()?;
        if crc32fast::hash(covered).to_be_bytes() != *crc {
            return None;
        }
        let (head, rest) = covered.split_first_chunk::<HEADER_BYTES>()?;
        let (key, value) = rest.split_at_checked(usize::from(half(head, 17)))?;
        let entry = Self {
            kind: Kind::parse(head[4])?,
            order: u64::from_be_bytes(*head[5..].first_chunk()?),
            part: half(head, 13),
            parts: half(head, 15),
            key,
            value,
        };
        Some((entry, length))
    }
}

/// How long the entry is that `bytes` seem to begin with.
pub(super) fn length_of(bytes: &[u8]) -> Option<usize> {
    let head = bytes.first_chunk::<HEADER_BYTES>()?;
    let (key, value) = (half(head, 17), half(head, 19));
    let length = HEADER_BYTES + usize::from(key) + usize::from(value) + CRC_BYTES;
    head.starts_with(&MAGIC).then_some(length)
}

fn half(head: &[u8; HEADER_BYTES], at: usize) -> u16 {
    u16::from_be_bytes([head[at], head[at + 1]])
}

/// Puts parts together, and leaves the newest version of each key of which no part is missing.
pub(super) fn newest(mut entries: Vec<Entry<'_>>) -> Vec<Whole> {
    entries.retain(|entry| entry.kind != Kind::Position);
    entries.sort_unstable_by_key(|entry| (entry.key, entry.order, entry.part));
    let mut whole: Vec<Whole> = Vec::new();
    let mut parts: Vec<Entry<'_>> = Vec::new();
    for entry in entries {
        let follows = parts.last().is_some_and(|last| {
            (last.key, last.order, last.part + 1) == (entry.key, entry.order, entry.part)
        });
        let again = parts.last() == Some(&entry);
        if again {
            continue;
        }
        if !follows {
            parts.clear();
        }
        if !follows && entry.part > 0 {
            continue;
        }
        parts.push(entry);
        if parts.len() == usize::from(entry.parts) {
            let newest = Whole {
                key: entry.key.to_vec(),
                order: entry.order,
                value: (entry.kind == Kind::Put)
                    .then(|| parts.iter().flat_map(|part| part.value).copied().collect()),
            };
            match whole.last_mut().filter(|last| last.key == newest.key) {
                Some(last) => *last = newest,
                None => whole.push(newest),
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(order: u64, key: &'a [u8], value: &'a [u8]) -> Entry<'a> {
        Entry {
            kind: Kind::Put,
            order,
            part: 0,
            parts: 1,
            key,
            value,
        }
    }

    #[test]
    fn an_entry_reads_back_and_no_changed_one_does() {
        let bytes = entry(0x0102, b"key", b"value").encode();
        let found = Entry::at_start(&bytes);
        assert_eq!(found, Some((entry(0x0102, b"key", b"value"), bytes.len())));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x01;
            assert_eq!(Entry::at_start(&damaged), None, "byte {place} was taken");
            assert_eq!(Entry::at_start(&bytes[..place]), None);
        }
    }

    #[test]
    fn of_several_versions_the_newest_whole_one_counts() {
        let part = |order, part, value| Entry {
            part,
            parts: 2,
            ..entry(order, b"b", value)
        };
        let gone = Entry {
            kind: Kind::Gone,
            ..entry(9, b"c", b"")
        };
        let entries = vec![
            gone,
            entry(5, b"a", b"new"),
            part(4, 1, b"ly"),
            part(8, 1, b"without its first part"),
            entry(3, b"a", b"old"),
            part(4, 0, b"who"),
            part(4, 0, b"who"),
            entry(7, b"c", b"deleted later"),
        ];
        let whole = |key: &[u8], order, value: Option<&[u8]>| Whole {
            key: key.to_vec(),
            order,
            value: value.map(<[u8]>::to_vec),
        };
        assert_eq!(
            newest(entries),
            [
                whole(b"a", 5, Some(b"new")),
                whole(b"b", 4, Some(b"wholy")),
                whole(b"c", 9, None)
            ]
        );
    }
}
