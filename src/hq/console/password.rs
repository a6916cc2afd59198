//! Passwords of administrators: argon2id, never compared in the open.

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// Hashes with the crate's defaults: 19 MiB, two passes (OWASP's first choice for argon2id).
///
/// Takes some 20 ms and those 19 MiB: not for an async thread.
pub fn hash(password: &str) -> anyhow::Result<String> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("hashing a password")?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that was hashed. An unknown login is checked against [`NOBODY`], so that
/// an answer takes as long as for a known one.
pub(super) fn fits(password: &str, hash: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else {
        return false;
    };
    let fits = Argon2::default()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    fits && hash.is_some()
}

/// The hash of random letters that nobody knows, with the same cost as [`hash`].
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bWFpdHJlZCBub2JvZHkuLg$kQzMUt6KoMI1GQOdTbc+Amjkke+gVCk41u/e+vCLTrc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let kept = hash("right horse").unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(fits("right horse", Some(&kept)));
        assert!(!fits("wrong horse", Some(&kept)));
    }

    #[test]
    fn nobody_can_be_checked_at_the_same_cost_and_never_fits() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash("x").unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!(nobody.params, somebody.params);
        assert!(!fits("x", None));
    }
}
