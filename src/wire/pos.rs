//! Points of sale as the bundle carries them: a name and the SHA-256 of a key, never the key.
//!
//! A key is 256 random bits, so whoever holds the digest cannot find it by trying; a PIN's slow verifier would be
//! of no use. It works only from the networks of the till.

use serde::{Deserialize, Serialize};

use super::encoding::{sha256_hex, to_base64};
use crate::domain::ids::{DeviceId, RedemptionId, StaffName, StoreId};

/// A `pos.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosFile {
    #[serde(default)]
    pub pos: Vec<Pos>,
}

/// A point of sale that may redeem and tell of bills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pos {
    /// Stands where a member of staff's name stands: who redeemed.
    pub name: StaffName,
    /// 64 hexadecimal digits.
    pub key_sha256: String,
}

impl Pos {
    /// Makes an entry, and the key that is shown once.
    pub fn new(name: StaffName, entropy: [u8; 32]) -> (Self, String) {
        let key = to_base64(&entropy);
        let key_sha256 = sha256_hex(key.as_bytes());
        (Self { name, key_sha256 }, key)
    }

    pub fn knows(&self, key: &str) -> bool {
        self.key_sha256 == sha256_hex(key.as_bytes())
    }

    /// What it counts as beside tills: its waits are its own.
    pub fn device(&self) -> DeviceId {
        DeviceId::from_entropy(beginning(&self.key_sha256))
    }

    /// Its own number of a redemption, as one of ours: the same number is the same redemption. Names and numbers
    /// are a store's own, the ids of redemptions are the whole chain's.
    pub fn redemption(&self, store: &StoreId, own: &str) -> RedemptionId {
        let digest = sha256_hex(format!("{store}\n{}\n{own}", self.name).as_bytes());
        RedemptionId::from_entropy(beginning(&digest))
    }
}

/// The first half of a digest; what is no digest counts as nought.
fn beginning(digest: &str) -> [u8; 16] {
    let digits = digest.get(..32).unwrap_or_default();
    u128::from_str_radix(digits, 16)
        .unwrap_or_default()
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_digest_alone() {
        let name = || StaffName::parse("pos-1").unwrap();
        let (pos, key) = Pos::new(name(), [7; 32]);
        let (other, _) = Pos::new(name(), [8; 32]);
        assert!(pos.knows(&key) && !other.knows(&key));
        assert!(!format!("{pos:?}").contains(&key));
        assert_ne!(pos.device(), other.device());
    }

    #[test]
    fn a_number_is_one_redemption_in_one_store_whatever_the_key() {
        let name = || StaffName::parse("pos-1").unwrap();
        let [here, there] = ["SZ01", "SZ02"].map(|id| StoreId::parse(id).unwrap());
        let (pos, _) = Pos::new(name(), [7; 32]);
        let (new_key, _) = Pos::new(name(), [8; 32]);
        let id = pos.redemption(&here, "A-17");
        assert_eq!(id, new_key.redemption(&here, "A-17"));
        assert_ne!(id, pos.redemption(&here, "A-18"));
        assert_ne!(id, pos.redemption(&there, "A-17"));
    }
}
