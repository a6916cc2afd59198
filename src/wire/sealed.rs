//! Sealing: what only headquarters may read leaves the request as bytes that this box cannot open again.
//!
//! It is HPKE in its base mode (RFC 9180), with X25519, HKDF-SHA256 and ChaCha20-Poly1305, by the crate `hpke`, which
//! the RFC's own vector checks here. The key that made a box's message is thrown away, so a stolen box opens nothing,
//! not even what it sealed itself.
//!
//! ```text
//! version (1) · key id (4) · encapsulated key (32) · ciphertext and tag (n + 16)
//! ```
//!
//! Every message is bound to what it belongs to, such as `booking <id>`: put beside another booking, it does not
//! open.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable, single_shot_seal};
use serde::{Deserialize, Serialize};

use super::encoding::{from_base64, to_base64};
use crate::domain::ids::{BookingId, StoreId};
use crate::domain::phone::{KeptPhone, Phone};
use crate::domain::sealed::Sealed;

const VERSION: u8 = 1;

/// What the key schedule is bound to.
const INFO: &[u8] = b"maitred sealed v1";

/// What an entry of a store's access log belongs to.
pub fn about_access(store: &StoreId) -> String {
    format!("access {store}")
}

/// What the number of a booking belongs to.
pub fn about_booking(booking: BookingId) -> String {
    format!("booking {booking}")
}

/// The public half of a key that headquarters opens with, written as base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealingKey([u8; 32]);

/// Nothing was sealed: the key is none that anybody could open with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be sealed for headquarters")]
pub struct NotSealed;

impl SealingKey {
    /// Seals `plain`, which belongs to `about`.
    pub fn seal(&self, about: &str, plain: &[u8]) -> Result<Sealed, NotSealed> {
        self.seal_by_hpke(about, plain).ok_or(NotSealed)
    }

    /// What may be kept of a number that was typed for `about`.
    pub fn seal_phone(&self, about: &str, phone: &Phone) -> Result<KeptPhone, NotSealed> {
        Ok(KeptPhone {
            sealed: self.seal(about, phone.as_str().as_bytes())?,
            masked: phone.masked(),
        })
    }

    fn seal_by_hpke(&self, about: &str, plain: &[u8]) -> Option<Sealed> {
        let theirs = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&self.0).ok()?;
        // Refuses a key of low order, which would make the same secret for everybody.
        let (encapsulated, sealed) = single_shot_seal::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(
            &OpModeS::Base, &theirs, INFO, plain, about.as_bytes()
        )
        .ok()?;
        let mut message = vec![VERSION];
        message.extend(self.id());
        message.extend(encapsulated.to_bytes());
        message.extend(sealed);
        Sealed::try_from(to_base64(&message)).ok()
    }

    /// The first four bytes of its SHA-256: enough for headquarters to find the key among its few.
    fn id(&self) -> [u8; 4] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.0);
        std::array::from_fn(|at| digest.as_ref()[at])
    }
}

impl TryFrom<String> for SealingKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        from_base64(&text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not an X25519 public key in base64"))
    }
}

impl fmt::Display for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_base64(&self.0))
    }
}

impl From<SealingKey> for String {
    fn from(key: SealingKey) -> Self {
        key.to_string()
    }
}

#[cfg(feature = "hq")]
pub use opening::{NotOpened, OpeningKey};

#[cfg(feature = "hq")]
mod opening {
    //! The other half, which is at headquarters only.

    use hpke::{OpModeR, single_shot_open};

    use super::*;

    type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
    type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

    /// The private half of a [`SealingKey`].
    pub struct OpeningKey(Private);

    /// Why a message is not opened.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum NotOpened {
        #[error("it is of a form that this version does not know")]
        Form,
        #[error("it was sealed to another key")]
        OtherKey,
        #[error("it was changed, or belongs to something else")]
        Changed,
    }

    impl OpeningKey {
        /// Reads the 32 bytes of a key file.
        pub fn read(bytes: &[u8]) -> Option<Self> {
            Private::from_bytes(bytes).ok().map(Self)
        }

        pub fn to_bytes(&self) -> [u8; 32] {
            self.0.to_bytes().into()
        }

        pub fn public(&self) -> SealingKey {
            SealingKey(X25519HkdfSha256::sk_to_pk(&self.0).to_bytes().into())
        }

        /// What was sealed, where it belongs to `about`.
        pub fn open(&self, about: &str, sealed: &Sealed) -> Result<Vec<u8>, NotOpened> {
            let message = from_base64(sealed.as_str()).ok_or(NotOpened::Form)?;
            let (&VERSION, message) = message.split_first().ok_or(NotOpened::Form)? else {
                return Err(NotOpened::Form);
            };
            let (id, message) = message.split_first_chunk().ok_or(NotOpened::Form)?;
            if *id != self.public().id() {
                return Err(NotOpened::OtherKey);
            }
            let (encapsulated, sealed) = message.split_first_chunk().ok_or(NotOpened::Form)?;
            self.open_by_hpke(INFO, about.as_bytes(), encapsulated, sealed)
                .ok_or(NotOpened::Changed)
        }

        fn open_by_hpke(
            &self,
            info: &[u8],
            about: &[u8],
            encapsulated: &[u8; 32],
            sealed: &[u8],
        ) -> Option<Vec<u8>> {
            let encapsulated = Encapsulated::from_bytes(encapsulated).ok()?;
            single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &self.0,
                &encapsulated,
                info,
                sealed,
                about,
            )
            .ok()
        }
    }

    #[cfg(test)]
    mod tests {
        use proptest::prelude::*;

        use super::*;
        use crate::domain::phone::Country;

        fn key(seed: u8) -> OpeningKey {
            OpeningKey::read(&[seed; 32]).unwrap()
        }

        fn bytes<const N: usize>(hex: &str) -> [u8; N] {
            assert_eq!(hex.len(), 2 * N);
            std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        }

        /// RFC 9180, A.2.1.1, sequence number 0.
        #[test]
        fn the_message_of_the_standard_opens() {
            let key = OpeningKey::read(&bytes::<32>(
                "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
            ))
            .unwrap();
            let encapsulated =
                bytes("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
            let sealed: [u8; 45] = bytes(
                "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
            );
            let info = b"Ode on a Grecian Urn";
            let plain = key.open_by_hpke(info, b"Count-0", &encapsulated, &sealed);
            assert_eq!(plain.unwrap(), b"Beauty is truth, truth beauty");
            assert_eq!(
                key.open_by_hpke(info, b"Count-1", &encapsulated, &sealed),
                None
            );
        }

        #[test]
        fn headquarters_reads_a_number_and_nobody_else_does() {
            let phone = Phone::typed("13812345678", Country::Cn).unwrap().unwrap();
            let kept = key(7).public().seal_phone("booking 1", &phone).unwrap();
            assert_eq!(kept.masked.to_string(), "138****5678");
            let written = serde_json::to_string(&kept).unwrap();
            assert!(written.len() < 150, "{written}");
            let opened = key(7).open("booking 1", &kept.sealed).unwrap();
            assert_eq!(opened, b"+8613812345678");
            assert_eq!(
                key(8).open("booking 1", &kept.sealed),
                Err(NotOpened::OtherKey)
            );
            assert_eq!(
                key(7).open("booking 2", &kept.sealed),
                Err(NotOpened::Changed)
            );
            let again = key(7).public().seal_phone("booking 1", &phone).unwrap();
            assert_ne!(
                again.sealed, kept.sealed,
                "the same number does not look the same"
            );
        }

        #[test]
        fn a_key_that_makes_no_secret_seals_nothing() {
            assert_eq!(SealingKey([0; 32]).seal("", b"13812345678"), Err(NotSealed));
        }

        #[test]
        fn a_form_of_a_later_version_is_named_as_such() {
            let sealed = Sealed::try_from(to_base64(&[2; 60])).unwrap();
            assert_eq!(key(7).open("", &sealed), Err(NotOpened::Form));
            let cut = Sealed::try_from(to_base64(&[1; 4])).unwrap();
            assert_eq!(key(7).open("", &cut), Err(NotOpened::Form));
        }

        proptest! {
            #[test]
            fn what_was_sealed_opens_and_no_other_bit_does(
                plain in prop::collection::vec(any::<u8>(), 0..200),
                at in any::<prop::sample::Index>(),
            ) {
                let sealed = key(7).public().seal("about", &plain).unwrap();
                prop_assert_eq!(key(7).open("about", &sealed).unwrap(), plain);
                let mut message = from_base64(sealed.as_str()).unwrap();
                let at = at.index(message.len());
                message[at] ^= 1;
                let changed = Sealed::try_from(to_base64(&message)).unwrap();
                prop_assert!(key(7).open("about", &changed).is_err());
            }
        }
    }
}
