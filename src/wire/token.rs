//! The token in a coupon's QR: what a till needs to take it without asking anybody.
//!
//! `M1:` and then base45 (RFC 9285), so that the QR stays in its alphanumeric mode, over:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version, 1 |
//! | 4 | key id |
//! | 16 | coupon id |
//! | 4 + 4 | not before (rounded down) and not after (rounded up), Unix minutes, big endian |
//! | 4 | value cap in fen, 0 for none |
//! | 1 + n | campaign |
//! | 1 + n | store |
//! | 64 | Ed25519 signature over everything before it |

use jiff::Timestamp;

use super::signing::{KeyId, PublicKey, SigningKey};
use crate::domain::ids::{CampaignId, CouponId, StoreId};
use crate::domain::wallet::TokenClaims;

const PREFIX: &str = "M1:";
const VERSION: u8 = 1;
const SIGNATURE_BYTES: usize = 64;

/// Whether a scanned text means to be a coupon token.
pub fn is_token(text: &str) -> bool {
    text.trim_start().starts_with(PREFIX)
}

/// Signs `claims`.
pub fn issue(claims: &TokenClaims, key: &SigningKey) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&key.public().id().0);
    bytes.extend_from_slice(&claims.coupon.to_bytes());
    bytes.extend_from_slice(&minutes_before(claims.not_before).to_be_bytes());
    bytes.extend_from_slice(&minutes_after(claims.not_after).to_be_bytes());
    bytes.extend_from_slice(&claims.cap_fen.to_be_bytes());
    for name in [claims.campaign.as_str(), claims.store.as_str()] {
        bytes.push(u8::try_from(name.len()).expect("names have at most 32 characters"));
        bytes.extend_from_slice(name.as_bytes());
    }
    let signature = key.sign(&bytes);
    bytes.extend_from_slice(&signature);
    format!("{PREFIX}{}", base45::encode(bytes))
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("this is not a coupon token")]
    Malformed,
    #[error("the token is of a version that is not known here")]
    Version,
    #[error("the token was signed by a gateway that is not known here")]
    UnknownKey,
    #[error("the token's signature does not fit")]
    Signature,
}

/// Reads a token and checks its signature against the `keys` of the bundle.
pub fn verify(text: &str, keys: &[PublicKey]) -> Result<TokenClaims, BadToken> {
    let bytes = text
        .trim()
        .strip_prefix(PREFIX)
        .and_then(|code| base45::decode(code).ok())
        .ok_or(BadToken::Malformed)?;
    if bytes.first() != Some(&VERSION) {
        return Err(BadToken::Version);
    }
    let (signed, signature) = bytes
        .split_last_chunk::<SIGNATURE_BYTES>()
        .ok_or(BadToken::Malformed)?;
    let mut fields = Fields(&signed[1..]);
    let key_id = KeyId(fields.take().ok_or(BadToken::Malformed)?);
    let mut known = keys.iter().filter(|key| key.id() == key_id).peekable();
    known.peek().ok_or(BadToken::UnknownKey)?;
    if !known.any(|key| key.verify(signed, signature).is_ok()) {
        return Err(BadToken::Signature);
    }
    fields.claims().ok_or(BadToken::Malformed)
}

/// What is left to read of a token.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn name(&mut self) -> Option<String> {
        let [length] = self.take()?;
        let (name, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        String::from_utf8(name.to_vec()).ok()
    }

    fn claims(mut self) -> Option<TokenClaims> {
        let coupon = CouponId::from_entropy(self.take()?);
        let not_before = from_minutes(u32::from_be_bytes(self.take()?))?;
        let not_after = from_minutes(u32::from_be_bytes(self.take()?))?;
        let cap_fen = u32::from_be_bytes(self.take()?);
        let campaign = CampaignId::parse(&self.name()?).ok()?;
        let store = StoreId::parse(&self.name()?).ok()?;
        self.0.is_empty().then_some(TokenClaims {
            coupon,
            campaign,
            store,
            not_before,
            not_after,
            cap_fen,
        })
    }
}

fn minutes_before(time: Timestamp) -> u32 {
    u32::try_from(time.as_second().div_euclid(60)).unwrap_or_default()
}

fn minutes_after(time: Timestamp) -> u32 {
    minutes_before(time).saturating_add(1)
}

fn from_minutes(minutes: u32) -> Option<Timestamp> {
    Timestamp::from_second(i64::from(minutes) * 60).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate()).unwrap()
    }

    fn claims() -> TokenClaims {
        TokenClaims {
            coupon: CouponId::from_entropy([1; 16]),
            campaign: CampaignId::parse("quiet-hours").unwrap(),
            store: StoreId::parse("SZ01").unwrap(),
            not_before: "2026-12-01T07:30:00Z".parse().unwrap(),
            not_after: "2026-12-08T07:29:00Z".parse().unwrap(),
            cap_fen: 2_000,
        }
    }

    #[test]
    fn a_token_tells_a_till_what_the_coupon_is() {
        let key = key();
        let token = issue(&claims(), &key);
        let mut read = verify(&token, &[key.public()]).unwrap();
        assert_eq!(
            read.not_after.as_second() - claims().not_after.as_second(),
            60
        );
        read.not_after = claims().not_after;
        assert_eq!(read, claims());
    }

    #[test]
    fn a_token_of_a_strangers_key_is_refused() {
        let token = issue(&claims(), &key());
        assert_eq!(verify(&token, &[key().public()]), Err(BadToken::UnknownKey));
        assert_eq!(verify("M1:", &[]), Err(BadToken::Version));
        assert_eq!(verify("7K3F", &[]), Err(BadToken::Malformed));
    }

    proptest! {
        #[test]
        fn a_token_with_one_byte_changed_is_refused(place: prop::sample::Index, change in 1_u8..) {
            let key = key();
            let token = issue(&claims(), &key);
            let mut bytes = base45::decode(&token[PREFIX.len()..]).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            let changed = format!("{PREFIX}{}", base45::encode(bytes));
            prop_assert!(verify(&changed, &[key.public()]).is_err());
        }
    }
}
