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

/// What a member of staff may do beside redeeming.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    #[default]
    Staff,
    /// Takes back what others redeemed, also later.
    Manager,
}

impl Role {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_staff(&self) -> bool {
        *self == Self::Staff
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    pub name: StaffName,
    #[serde(default, skip_serializing_if = "Role::is_staff")]
    pub role: Role,
    pub salt: String,
    pub rounds: NonZeroU32,
    pub verifier: String,
}

impl Staff {
    /// Makes the entry of a member of staff from a new PIN.
    pub fn new(name: StaffName, role: Role, pin: &str, salt: [u8; 16]) -> Self {
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
            role,
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
        let staff = Staff::new(
            StaffName::parse("lin").unwrap(),
            Role::Staff,
            "4711",
            [3; 16],
        );
        assert!(staff.knows("4711"));
        assert!(!staff.knows("4712"));
        assert!(!format!("{staff:?}").contains("4711"));
    }

    #[test]
    fn a_file_of_before_there_were_managers_reads_and_is_written_as_it_was() {
        let lin = || StaffName::parse("lin").unwrap();
        let staff = Staff::new(lin(), Role::Staff, "4711", [3; 16]);
        let written = toml::to_string(&staff).unwrap();
        assert!(!written.contains("role"), "{written}");
        assert_eq!(toml::from_str::<Staff>(&written).unwrap(), staff);
        let manager = Staff::new(lin(), Role::Manager, "4711", [3; 16]);
        let written = toml::to_string(&manager).unwrap();
        assert!(written.contains("role = \"manager\""), "{written}");
        assert_eq!(toml::from_str::<Staff>(&written).unwrap(), manager);
    }
}
