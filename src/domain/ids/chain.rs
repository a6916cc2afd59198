//! The running hash of a stream: what one side knows of all the frames that the other side names by number.
//!
//! Two holders of a stream who agree on the chain at some sequence have the same frames up to there. It tells
//! a copied or restored box from the real one, and is no defence against somebody who wants a collision.

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::FrameId;

/// The chain after some frame: the first 64 bits of SHA-256 over the chain before it and the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chain([u8; 8]);

/// The text is not a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chain is 16 hexadecimal digits")]
pub struct BadChain;

impl Chain {
    /// Before the first frame of a stream.
    pub const START: Self = Self([0; 8]);

    /// The chain after one more frame, whose body counts as it is stored.
    #[must_use]
    pub fn after(self, seq: u64, id: FrameId, body: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(&seq.to_be_bytes());
        context.update(id.0.as_bytes());
        context.update(body);
        let digest = context.finish();
        let head = digest.as_ref().first_chunk();
        Self(*head.expect("a SHA-256 has 32 bytes"))
    }

    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl TryFrom<String> for Chain {
    type Error = BadChain;

    fn try_from(text: String) -> Result<Self, BadChain> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(&text, 16) {
            Ok(number) if digits => Ok(Self(number.to_be_bytes())),
            _ => Err(BadChain),
        }
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> Self {
        chain.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> FrameId {
        FrameId::from_time_and_entropy(1, [number; 10])
    }

    #[test]
    fn a_chain_is_the_same_for_ever() {
        let chain = Chain::START.after(1, id(7), b"{}");
        assert_eq!(chain.to_string(), "46df10387b26b277");
        assert_eq!(Chain::try_from(chain.to_string()), Ok(chain));
        assert_eq!(Chain::from_bytes(chain.to_bytes()), chain);
    }

    #[test]
    fn a_chain_depends_on_number_name_body_and_all_before() {
        let one = Chain::START.after(1, id(7), b"a");
        for other in [
            Chain::START.after(2, id(7), b"a"),
            Chain::START.after(1, id(8), b"a"),
            Chain::START.after(1, id(7), b"b"),
            one.after(1, id(7), b"a"),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn what_is_not_sixteen_hexadecimal_digits_is_no_chain() {
        for text in [
            "",
            "0",
            "+123456789abcdef",
            "0123456789abcdefa",
            "0123456789abcdeg",
        ] {
            assert_eq!(Chain::try_from(text.to_owned()), Err(BadChain));
        }
    }
}
