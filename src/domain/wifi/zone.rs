//! What a guest network is called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `[a-z0-9]{1,12}`; it is a part of the names of kernel sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a zone's name has 1 to 12 small letters and digits")]
pub struct BadZoneName;

impl TryFrom<String> for ZoneName {
    type Error = BadZoneName;

    fn try_from(name: String) -> Result<Self, BadZoneName> {
        let is_plain = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if is_plain && (1..=12).contains(&name.len()) {
            Ok(Self(name))
        } else {
            Err(BadZoneName)
        }
    }
}

impl ZoneName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ZoneName> for String {
    fn from(name: ZoneName) -> Self {
        name.0
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
