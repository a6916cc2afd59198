//! The rules that a campaign is held to, as they are built in: packed, because their words are 35 kB.

use std::sync::OnceLock;

use super::encoding::gunzip;
use crate::domain::linter::rules::Register;

/// `templates/rules/campaigns.toml`, packed by the build.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/campaigns.toml.gz"));

/// Larger than the rules will ever be.
const MOST_BYTES: u64 = 1 << 20;

/// The rules of this version.
pub fn register() -> &'static Register {
    static REGISTER: OnceLock<Register> = OnceLock::new();
    REGISTER.get_or_init(|| {
        let text = gunzip(PACKED, MOST_BYTES).expect("the build packed it");
        let text = String::from_utf8(text).expect("the file is UTF-8");
        Register::read(&text).expect("a test reads the file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packed_rules_are_those_of_the_file() {
        let file = include_str!("../../templates/rules/campaigns.toml");
        let register = register();
        let expected = Register::read(file).unwrap();
        assert_eq!(register.version, expected.version);
        assert_eq!(register.rules.len(), expected.rules.len());
    }
}
