//! The names of things: stores, campaigns, codes, coupons, streams.
//!
//! Every identifier is checked once, by `parse`, and carries its proof in its type from then on.
//! Nothing here draws random numbers or reads a clock: whoever makes an identifier brings the entropy.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod chain;
mod member;
mod referral;

pub use chain::{BadChain, Chain};
pub use member::MemberCode;
pub use referral::{DayMark, ReferralCode};

/// The letters and digits that nobody confuses when reading aloud: no 0/O, 1/I/L.
///
/// There are 31 of them, a prime, which is what makes the check character of
/// [`TouchpointCode`] catch every single wrong character and every swap of neighbours.
pub const CODE_ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct BadId {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

impl BadId {
    fn new(text: &str, kind: &'static str, rule: &'static str) -> Self {
        // A log line must stay a line, and a hostile address must not fill it.
        let text = text.chars().take(40).collect();
        Self { text, kind, rule }
    }
}

/// Implements what every parsed text identifier shares: display, serde through its text, `FromStr`.
macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }
    };
}

/// A store: 2 to 12 capital letters or digits, for example `SZ01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(String);

impl StoreId {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let fits = (2..=12).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId::new(text, "store id", "2 to 12 of A-Z and 0-9"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(StoreId);

/// The name of a chain, a region or a campaign: 2 to 32 of `a-z0-9-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let fits = (2..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId::new(text, "name", "2 to 32 of a-z, 0-9 and -"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(Slug);

/// A campaign is named by a slug that is unique in its chain.
pub type CampaignId = Slug;

/// The short name a member of staff signs in with: 1 to 24 letters or digits of any script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StaffName(String);

impl StaffName {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let length = text.chars().count();
        let fits = (1..=24).contains(&length)
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId::new(text, "staff name", "1 to 24 letters or digits"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(StaffName);

/// The code printed on a touchpoint: seven random characters and one check character.
///
/// It is a look-up key and not a signed token: knowing one proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TouchpointCode([u8; 8]);

impl TouchpointCode {
    /// Takes a code as typed or scanned; small letters count as capitals.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let bad = || {
            BadId::new(
                text,
                "touchpoint code",
                "8 characters of 2-9 and A-Z without I, L and O, the last a check",
            )
        };
        let bytes: [u8; 8] = text
            .to_ascii_uppercase()
            .into_bytes()
            .try_into()
            .map_err(|_| bad())?;
        let digits = digits_of(&bytes).ok_or_else(bad)?;
        if check_digit(&digits[..7]) == digits[7] {
            Ok(Self(bytes))
        } else {
            Err(bad())
        }
    }

    /// Makes a code out of 64 random bits; the bias of the remainder is below 2⁻²⁹.
    pub fn from_entropy(entropy: u64) -> Self {
        let mut digits = [0_u64; 8];
        let mut rest = entropy;
        for digit in &mut digits[..7] {
            *digit = rest % 31;
            rest /= 31;
        }
        digits[7] = check_digit(&digits[..7]);
        Self(digits.map(letter))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of the code alphabet, which is ASCII")
    }
}

text_id!(TouchpointCode);

/// The code a diner reads out at the till: 4 characters, or 5 in a store with very many live coupons.
///
/// A code of 4 characters ends in a zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortCode([u8; 5]);

/// Short codes made by street gateways begin with this letter; a store's own never do.
pub const STREET_LETTER: char = 'Z';

impl ShortCode {
    /// Takes a code as typed; small letters, spaces and dashes are forgiven.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let typed: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase())
            .collect();
        if matches!(typed.len(), 4 | 5) && typed.bytes().all(|b| CODE_ALPHABET.contains(&b)) {
            let mut code = [0; 5];
            code[..typed.len()].copy_from_slice(typed.as_bytes());
            Ok(Self(code))
        } else {
            Err(BadId::new(text, "coupon code", "4 or 5 characters"))
        }
    }

    /// Makes a code of `length` characters out of random bits, in the half of the space that belongs to `issuer`.
    pub fn from_entropy(entropy: u64, length: usize, issuer: Issuer) -> Self {
        let mut rest = entropy;
        let mut code = [0; 5];
        for (place, character) in code[..length].iter_mut().enumerate() {
            let (letters, first) = match (place, issuer) {
                (0, Issuer::Street) => (1, 30),
                // `Z` is the last of the alphabet, so leaving it out is one letter fewer.
                (0, Issuer::Store) => (30, 0),
                _ => (31, 0),
            };
            *character = letter(first + rest % letters);
            rest /= letters;
        }
        Self(code)
    }

    /// Whether a street gateway made this code.
    pub fn is_from_street(&self) -> bool {
        char::from(self.0[0]) == STREET_LETTER
    }

    pub fn as_str(&self) -> &str {
        let length = if self.0[4] == 0 { 4 } else { 5 };
        std::str::from_utf8(&self.0[..length]).expect("made of the code alphabet, which is ASCII")
    }
}

text_id!(ShortCode);

/// Which kind of gateway issues coupons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    Store,
    Street,
}

fn digits_of<const N: usize>(bytes: &[u8; N]) -> Option<[u64; N]> {
    let mut digits = [0; N];
    for (digit, byte) in digits.iter_mut().zip(bytes) {
        let place = CODE_ALPHABET.iter().position(|letter| letter == byte)?;
        *digit = place as u64;
    }
    Some(digits)
}

/// The weighted sum over the field of 31 elements, weights 2 to 8 (none 0, neighbours differ).
fn check_digit(digits: &[u64]) -> u64 {
    digits
        .iter()
        .zip(2_u64..)
        .map(|(digit, weight)| digit * weight)
        .sum::<u64>()
        % 31
}

fn letter(digit: u64) -> u8 {
    CODE_ALPHABET[usize::try_from(digit).expect("a digit is below 31")]
}

/// Declares a random 128-bit identifier that is written as 32 hexadecimal digits.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, BadId> {
                let fits = text.len() == 32
                    && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                match u128::from_str_radix(text, 16) {
                    Ok(number) if fits => Ok(Self(number)),
                    _ => Err(BadId::new(text, $kind, "32 hexadecimal digits")),
                }
            }

            pub const fn from_entropy(entropy: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(entropy))
            }

            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

random_id!(
    /// A coupon, as in its page's address. Whoever knows it holds the coupon.
    CouponId,
    "coupon id"
);
random_id!(
    /// A diner, as in the signed first-party cookie set with the first coupon.
    Vid,
    "diner id"
);
random_id!(
    /// One showing of a landing page: the same tap claims the same coupon, however often it is sent.
    TapId,
    "tap id"
);
random_id!(
    /// One redemption at a till, so that exactly that one can be undone.
    RedemptionId,
    "redemption id"
);
random_id!(
    /// One command of headquarters, whatever number it has at a gateway.
    CommandId,
    "command id"
);
random_id!(
    /// One time that somebody said where a sticker is.
    BindingId,
    "binding id"
);
random_id!(
    /// Something that a guest asked of the shop or said to it.
    RequestId,
    "request id"
);
random_id!(
    /// A table that a guest has asked for, as in its page's address. Whoever knows it may change or cancel it.
    BookingId,
    "booking id"
);
random_id!(
    /// A till device that has been paired with this gateway.
    DeviceId,
    "device id"
);

/// The number a gateway is given at enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GatewayId(pub u32);

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gw-{:06}", self.0)
    }
}

/// Reads it as it is shown, or the bare number.
impl FromStr for GatewayId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix("gw-").unwrap_or(text).parse();
        number
            .map(Self)
            .map_err(|_| "a gateway's number looks like gw-000123")
    }
}

/// One dense sequence of frames of one spool; a new one is opened whenever the sequence cannot be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub Uuid);

/// One frame of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameId(pub Uuid);

/// Where a frame stands. No other frame ever has its number in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePlace {
    pub stream: StreamId,
    pub seq: u64,
}

impl StreamId {
    pub fn from_time_and_entropy(unix_millis: u64, entropy: [u8; 10]) -> Self {
        Self(uuid_v7(unix_millis, entropy))
    }
}

impl FrameId {
    pub fn from_time_and_entropy(unix_millis: u64, entropy: [u8; 10]) -> Self {
        Self(uuid_v7(unix_millis, entropy))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A version 7 UUID (RFC 9562, section 5.7).
fn uuid_v7(unix_millis: u64, entropy: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(unix_millis, &entropy).into_uuid()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_store_id_is_capital_letters_and_digits() {
        assert_eq!(StoreId::parse("SZ01").unwrap().as_str(), "SZ01");
        for bad in ["", "S", "sz01", "SZ-1", "ABCDEFGHIJKLM", "深圳"] {
            assert!(StoreId::parse(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_typed_coupon_code_is_forgiven_its_spaces_and_small_letters() {
        assert_eq!(ShortCode::parse(" 7k-3f ").unwrap().as_str(), "7K3F");
        assert!(ShortCode::parse("7K3").is_err());
        assert!(ShortCode::parse("7K3O").is_err());
    }

    proptest! {
        #[test]
        fn a_touchpoint_code_reads_back(entropy: u64) {
            let code = TouchpointCode::from_entropy(entropy);
            prop_assert_eq!(TouchpointCode::parse(&code.as_str().to_lowercase()).unwrap(), code);
        }

        #[test]
        fn one_wrong_character_is_never_another_code(entropy: u64, place in 0_usize..8, letter in 0_usize..31) {
            let code = TouchpointCode::from_entropy(entropy);
            let mut wrong = code.0;
            prop_assume!(wrong[place] != CODE_ALPHABET[letter]);
            wrong[place] = CODE_ALPHABET[letter];
            prop_assert!(TouchpointCode::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
        }

        #[test]
        fn two_swapped_neighbours_are_never_another_code(entropy: u64, place in 0_usize..7) {
            let code = TouchpointCode::from_entropy(entropy);
            let mut wrong = code.0;
            wrong.swap(place, place + 1);
            prop_assume!(wrong != code.0);
            prop_assert!(TouchpointCode::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
        }

        #[test]
        fn a_short_code_tells_who_issued_it(entropy: u64) {
            let street = ShortCode::from_entropy(entropy, 4, Issuer::Street);
            let store = ShortCode::from_entropy(entropy, 4, Issuer::Store);
            prop_assert!(street.is_from_street());
            prop_assert!(!store.is_from_street());
            prop_assert_eq!(ShortCode::parse(street.as_str()).unwrap(), street);
        }
    }
}
