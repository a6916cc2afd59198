//! Staff as the bundle carries them: a short name and a PIN's verifier, never the PIN.
//!
//! The verifier is PBKDF2-HMAC-SHA256 (RFC 8018). A PIN has few digits, so whoever holds the verifier can
//! find it by trying: a stolen box gives away PINs, and enrolling again renews them. The PIN alone opens
//! nothing: it works only on a paired till device.

use std::num::NonZeroU32;

use ring::pbkdf2;
use serde::{Deserialize, Serialize};

use super::encoding::{from_base64, to_base64};
use crate::domain::ids::StaffName;

/// Rounds for new verifiers: about 20 ms on a router's core, asked once per sign-in.
pub const PIN_ROUNDS: u32 = 20_000;

/// A `staff.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffFile {
    #[serde(default)]
    pub staff: Vec<Staff>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    pub name: StaffName,
    pub salt: String,
    pub rounds: NonZeroU32,
    pub verifier: String,
}

impl Staff {
    /// Makes the entry of a member of staff from a new PIN.
    pub fn new(name: StaffName, pin: &str, salt: [u8; 16]) -> Self {
        let rounds = NonZeroU32::new(PIN_ROUNDS).expect("20,000 is not 0");
        let mut verifier = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &salt,
            pin.as_bytes(),
            &mut verifier,
        );
        Self {
            name,
            salt: to_base64(&salt),
            rounds,
            verifier: to_base64(&verifier),
        }
    }

    /// Whether `pin` is this person's. Takes as long as [`PIN_ROUNDS`] asks: not for an async thread.
    pub fn knows(&self, pin: &str) -> bool {
        let (Some(salt), Some(verifier)) = (from_base64(&self.salt), from_base64(&self.verifier))
        else {
            return false;
        };
        pbkdf2::verify(
            pbkdf2::PBKDF2_HMAC_SHA256,
            self.rounds,
            &salt,
            pin.as_bytes(),
            &verifier,
        )
        .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_known_by_its_verifier_alone() {
        let staff = Staff::new(StaffName::parse("lin").unwrap(), "4711", [3; 16]);
        assert!(staff.knows("4711"));
        assert!(!staff.knows("4712"));
        assert!(!format!("{staff:?}").contains("4711"));
    }
}
