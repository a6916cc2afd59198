//! Names that are open to devices which are not let in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is open before a device is let in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GardenNames {
    /// To every device.
    pub always: Vec<GardenName>,
    /// To a device with a temporary pass.
    pub with_pass: Vec<GardenName>,
}

/// `example.cn` or `*.example.cn`: the name and everything under it. Both mean the same, because that is what
/// a resolver's list can say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GardenName(String);

/// Not a host name (RFC 1123, 2.1) of at least two labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name such as example.cn or *.example.cn")]
pub struct BadName;

impl GardenName {
    /// Without the star.
    pub fn domain(&self) -> &str {
        &self.0
    }

    /// Whether `host`, in small letters, is this name or under it.
    pub fn covers(&self, host: &str) -> bool {
        covers(&self.0, host)
    }
}

/// Whether `host` is `domain` or under it, both in small letters: what a resolver's list means by a domain.
pub fn covers(domain: &str, host: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl TryFrom<String> for GardenName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        let name = text
            .strip_prefix("*.")
            .unwrap_or(&text)
            .to_ascii_lowercase();
        let is_label = |label: &str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(is_plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
        // An address is no name: the kernel's set would never be filled.
        let is_address = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if is_name && !is_address {
            Ok(Self(name))
        } else {
            Err(BadName)
        }
    }
}

impl From<GardenName> for String {
    fn from(name: GardenName) -> Self {
        name.0
    }
}

impl fmt::Display for GardenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<GardenName, BadName> {
        GardenName::try_from(text.to_owned())
    }

    #[test]
    fn a_name_covers_itself_and_what_is_under_it() {
        for written in ["qq.com", "*.QQ.com"] {
            let garden = name(written).unwrap();
            assert!(garden.covers("qq.com") && garden.covers("weixin.qq.com"));
            assert!(!garden.covers("notqq.com") && !garden.covers("qq.com.cn"));
        }
    }

    #[test]
    fn what_could_be_more_than_a_name_in_a_resolvers_file_is_refused() {
        for bad in [
            "",
            "cn",
            "*",
            "*.cn",
            "a..cn",
            "a.cn/4#inet",
            "a.cn\nlog-queries",
            "-a.cn",
            "10.0.0.1",
        ] {
            assert_eq!(name(bad), Err(BadName), "{bad}");
        }
    }
}
