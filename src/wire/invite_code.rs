//! How the codes that invite to an event are made: of nothing but the event, or the host's booking, and SHA-256.
//!
//! Headquarters makes the digests that stand in `events.toml`, and each box checks them, and the codes that guests
//! pass on, by the same functions. A digest has 64 bits, so that no code is found by trying its neighbours.

use super::encoding::sha256_hex;
use crate::domain::booking::tasting::{CodeMaker, InviteCode, Tasting};
use crate::domain::ids::{BookingId, Slug};

/// Hexadecimal digits of a digest.
const DIGITS: usize = 16;

/// The digest of a code, as `events.toml` has it.
pub fn digest(event: &Slug, code: InviteCode) -> String {
    short_hash(&format!("maitred invitation {event} {code}"))
}

fn short_hash(text: &str) -> String {
    let mut hash = sha256_hex(text.as_bytes());
    hash.truncate(DIGITS);
    hash
}

/// The codes of this version.
#[derive(Debug, Clone, Copy)]
pub struct Codes;

impl CodeMaker for Codes {
    fn digest(&self, tasting: &Tasting, code: InviteCode) -> String {
        digest(&tasting.id, code)
    }

    fn of_guest(&self, booking: BookingId, n: u8) -> InviteCode {
        let hash = short_hash(&format!("maitred invitation of {booking} {n}"));
        let entropy = u64::from_str_radix(&hash, 16);
        InviteCode::from_entropy(entropy.expect("sixteen hexadecimal digits are 64 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guests have these on their phones, and shops on paper.
    #[test]
    fn codes_stay_what_they_were() {
        let event = Slug::parse("new-broth").unwrap();
        let code = InviteCode::parse(" q3ux-j5j5 ").unwrap();
        assert_eq!(code.to_string(), "Q3UX-J5J5");
        assert_eq!(digest(&event, code), "7a2365971db80add");
        let booking = BookingId::from_entropy([7; 16]);
        let own = [0, 1].map(|n| Codes.of_guest(booking, n).to_string());
        assert_eq!(own, ["6U8B-3Q4D", "HFTC-8K8H"]);
    }
}
