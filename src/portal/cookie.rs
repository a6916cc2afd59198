//! Cookies that only this box can write: a value and its HMAC-SHA256 under the box's cookie key.
//!
//! The purpose is part of what is signed, so a diner's cookie can never pass for a till's.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use ring::hmac;

use crate::wire::encoding::{from_base64, to_base64};

/// What a signed cookie is for: its name, how long it lives and who may send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) name: &'static str,
    pub(super) max_age_seconds: u32,
    same_site: &'static str,
}

/// A diner, for a year: long enough to be known at the next visits. Lax, because a scan opens the page
/// from another app.
pub(super) const DINER: Purpose = Purpose {
    name: "vid",
    max_age_seconds: 365 * 24 * 3600,
    same_site: "Lax",
};

/// A paired till device.
pub(super) const DEVICE: Purpose = Purpose {
    name: "till",
    max_age_seconds: 365 * 24 * 3600,
    same_site: "Strict",
};

/// Staff signed in on a device: one long shift.
pub(super) const STAFF: Purpose = Purpose {
    name: "staff",
    max_age_seconds: 16 * 3600,
    same_site: "Strict",
};

/// A paired device that scans all stickers of the shop. It shows what they are and changes nothing else. Lax,
/// because a scan opens the page from another app.
pub(super) const WALK: Purpose = Purpose {
    name: "walk",
    max_age_seconds: 2 * 3600,
    same_site: "Lax",
};

/// Signs and checks cookies.
#[derive(Debug)]
pub(super) struct Signer(hmac::Key);

impl Signer {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The `Set-Cookie` value that stores `value`.
    pub(super) fn set(&self, purpose: Purpose, value: &str) -> HeaderValue {
        let tag = hmac::sign(&self.0, &signed_bytes(purpose, value));
        let Purpose {
            name,
            max_age_seconds,
            same_site,
        } = purpose;
        let tag = to_base64(tag.as_ref());
        HeaderValue::from_str(&format!(
            "{name}={value}.{tag}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite={same_site}"
        ))
        .expect("values are identifiers in ASCII")
    }

    /// The value that a request brings, if this box signed it for this purpose.
    pub(super) fn get<'h>(&self, headers: &'h HeaderMap, purpose: Purpose) -> Option<&'h str> {
        let (value, tag) = plain(headers, purpose.name)?.rsplit_once('.')?;
        let tag = from_base64(tag)?;
        hmac::verify(&self.0, &signed_bytes(purpose, value), &tag)
            .is_ok()
            .then_some(value)
    }
}

fn signed_bytes(purpose: Purpose, value: &str) -> Vec<u8> {
    format!("{}\n{value}", purpose.name).into_bytes()
}

/// The `Set-Cookie` value that takes a cookie away.
pub(super) fn clear(purpose: Purpose) -> HeaderValue {
    HeaderValue::from_str(&format!(
        "{}=; Path=/; Max-Age=0; HttpOnly; SameSite={}",
        purpose.name, purpose.same_site
    ))
    .expect("names are ASCII")
}

/// The unsigned value of a cookie.
pub(super) fn plain<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_back(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("other=1; {pair}").parse().unwrap());
        headers
    }

    #[test]
    fn a_cookie_comes_back_as_it_was_set() {
        let signer = Signer::new(&[1; 32]);
        let headers = sent_back(&signer.set(DINER, "abc"));
        assert_eq!(signer.get(&headers, DINER), Some("abc"));
        assert_eq!(Signer::new(&[2; 32]).get(&headers, DINER), None);
    }

    #[test]
    fn a_diners_cookie_is_no_tills_cookie() {
        let signer = Signer::new(&[1; 32]);
        let set = signer.set(DINER, "abc");
        let renamed = set.to_str().unwrap().replace("vid=", "till=");
        let headers = sent_back(&HeaderValue::from_str(&renamed).unwrap());
        assert_eq!(signer.get(&headers, DEVICE), None);
    }
}
