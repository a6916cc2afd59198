//! The keys that a gateway makes for itself and that never leave it.

use std::io;
use std::path::Path;

use crate::ops::files::{random_key, secret};
use crate::wire::signing::{PublicKey, SigningKey};

/// The portal's keys, in `<state dir>/identity/`, mode 0600.
#[derive(Debug)]
pub struct Keys {
    /// Signs cookies; made new, it forgets every paired till and every diner.
    pub(super) cookie: Vec<u8>,
    /// Signs coupons; its public half is reported at enrolment.
    pub(super) coupon: SigningKey,
}

impl Keys {
    /// Reads the keys; makes them the first time.
    pub fn open(identity_dir: &Path) -> io::Result<Self> {
        fs_err::create_dir_all(identity_dir)?;
        let cookie = secret(&identity_dir.join("cookie.key"), random_key)?;
        let path = identity_dir.join("coupon.key");
        let coupon = secret(&path, SigningKey::generate)?;
        let coupon = SigningKey::from_pkcs8(&coupon).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is not an Ed25519 key", path.display()),
            )
        })?;
        Ok(Self { cookie, coupon })
    }

    pub fn coupon_public(&self) -> PublicKey {
        self.coupon.public()
    }
}
