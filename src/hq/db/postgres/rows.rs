//! Rows in the binary form of COPY, made in one piece of memory and sent in one.
//!
//! By hand, because the library's writer asks every value for its type again and hands itself over in pieces
//! of 4 KiB, each of them a switch between two tasks.

use jiff::Timestamp;
use uuid::Uuid;

/// Before the first row: a signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In the place of a row's number of fields.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// In the place of a field's length.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// 2000-01-01 in Unix microseconds, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// Rows of one table.
pub(super) struct Rows {
    bytes: Vec<u8>,
}

impl Rows {
    /// None yet, and room for so many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let mut rows = Self {
            bytes: Vec::with_capacity(HEAD.len() + bytes + END.len()),
        };
        rows.bytes.extend_from_slice(HEAD);
        rows
    }

    /// Adds a row. PostgreSQL refuses one with a field too many or too few, or of the wrong size.
    pub(super) fn add(&mut self, fields: &[&dyn Field]) {
        let count = i16::try_from(fields.len()).expect("a table has few columns");
        self.bytes.extend_from_slice(&count.to_be_bytes());
        for field in fields {
            field.put(&mut self.bytes);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.len() == HEAD.len()
    }

    /// As they are sent.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&END);
        self.bytes
    }
}

/// A value of a column.
pub(super) trait Field {
    /// Writes the length and the value.
    fn put(&self, bytes: &mut Vec<u8>);
}

fn put(bytes: &mut Vec<u8>, value: &[u8]) {
    let length = i32::try_from(value.len()).expect("a request is far shorter");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
}

impl Field for i16 {
    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, &self.to_be_bytes());
    }
}

impl Field for i32 {
    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, &self.to_be_bytes());
    }
}

impl Field for i64 {
    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, &self.to_be_bytes());
    }
}

impl Field for Uuid {
    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.as_bytes());
    }
}

impl Field for &str {
    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.as_bytes());
    }
}

impl Field for &[u8] {
    fn put(&self, bytes: &mut Vec<u8>) {
        put(bytes, self);
    }
}

impl Field for Timestamp {
    fn put(&self, bytes: &mut Vec<u8>) {
        (self.as_microsecond() - EPOCH).put(bytes);
    }
}

impl<F: Field> Field for Option<F> {
    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(bytes),
            None => bytes.extend_from_slice(&NULL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_the_manual_says() {
        let mut rows = Rows::with_room(64);
        assert!(rows.is_empty());
        let none: Option<i64> = None;
        let time: Timestamp = "2000-01-01T00:00:01Z".parse().unwrap();
        rows.add(&[&7_i16, &"SZ", &none, &time]);
        assert!(!rows.is_empty());
        let mut expected = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        expected.extend(b"\0\x04\0\0\0\x02\0\x07\0\0\0\x02SZ\xff\xff\xff\xff");
        expected.extend(b"\0\0\0\x08\0\0\0\0\0\x0f\x42\x40\xff\xff");
        assert_eq!(rows.into_bytes(), expected);
    }
}
