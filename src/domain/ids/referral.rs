//! The code that a guest shows to a friend, and the mark of a device for a day.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BadId, TouchpointCode};

/// What a guest shows to a friend beside them: as a touchpoint's code, eight characters of which the last checks.
///
/// It is drawn anew each day and says nothing of whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReferralCode(TouchpointCode);

impl ReferralCode {
    /// Takes a code as typed or scanned; small letters, spaces and dashes are forgiven.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let typed: String = typed.collect();
        TouchpointCode::parse(&typed).map(Self)
    }

    pub fn from_entropy(entropy: u64) -> Self {
        Self(TouchpointCode::from_entropy(entropy))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ReferralCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReferralCode {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::parse(text)
    }
}

/// Which device of today: made with a key that is thrown away with the day, so that it tells one phone from
/// another until then, and nothing ever after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DayMark(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_as_people_type_it() {
        let code = ReferralCode::from_entropy(7);
        let (head, tail) = code.as_str().split_at(4);
        let typed = format!(" {}-{tail} ", head.to_lowercase());
        assert_eq!(ReferralCode::parse(&typed), Ok(code));
        assert!(ReferralCode::parse(&tail.repeat(2)).is_err());
    }
}
