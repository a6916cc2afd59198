//! What only headquarters can read, as it stands in events and checkpoints: opaque here.
//!
//! `wire::sealed` makes one and opens it. Nothing readable is ever made of it on a box, and its debug form shows
//! nothing either: who sealed the same number twice would otherwise be seen in a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most that is sealed at once, in base64: a session of the access log has some 300.
const MOST_LETTERS: usize = 1_024;

/// Bytes sealed to a key of headquarters, as base64 for addresses (RFC 4648, section 5).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed(String);

impl Sealed {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sealed {
    type Error = BadSealed;

    fn try_from(text: String) -> Result<Self, BadSealed> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=MOST_LETTERS).contains(&text.len()) && text.bytes().all(is_letter) {
            Ok(Self(text))
        } else {
            Err(BadSealed)
        }
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        sealed.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// Text that is nothing sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed is written as 1 to {MOST_LETTERS} letters of base64")]
pub struct BadSealed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_base64_and_shows_nothing() {
        let sealed = Sealed::try_from("AQ-_z9".to_owned()).unwrap();
        assert_eq!(serde_json::to_string(&sealed).unwrap(), "\"AQ-_z9\"");
        assert_eq!(format!("{sealed:?}"), "Sealed");
        for text in [String::new(), "+8613".to_owned(), "A".repeat(1_025)] {
            assert_eq!(Sealed::try_from(text), Err(BadSealed));
        }
    }
}
