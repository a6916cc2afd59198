//! The diner's cookie, which every box believes that phones reach under one name.
//!
//! In the shop the store's name leads to its box, on 4G to a street gateway, and a browser sends both the same
//! cookie. So it is signed twice: as every cookie of this box, which costs nothing to check, and with the box's
//! coupon key, which the bundle makes known to the others. A cookie of before has the first signature alone and
//! is good at the box that set it.

use axum::http::{HeaderMap, HeaderValue};

use super::State;
use super::cookie::{DINER, Signer, plain};
use crate::domain::ids::Vid;
use crate::wire::encoding::{from_base64, to_base64};
use crate::wire::signing::{KeyId, PublicKey, SigningKey};

/// The `Set-Cookie` value by which the diner is known again.
pub(super) fn remembered(state: &State, vid: Vid) -> HeaderValue {
    set(&state.signer, &state.keys.coupon, vid)
}

/// Whom a request's cookie names.
pub(super) fn known(state: &State, headers: &HeaderMap) -> Option<Vid> {
    own(&state.signer, headers).or_else(|| foreign(headers, || state.bundle().coupon_keys.clone()))
}

fn set(signer: &Signer, key: &SigningKey, vid: Vid) -> HeaderValue {
    let vid = vid.to_string();
    let mut proof = key.public().id().0.to_vec();
    proof.extend(key.sign(&signed(&vid)));
    signer.set(DINER, &format!("{vid}.{}", to_base64(&proof)))
}

/// From a cookie that this box has set.
fn own(signer: &Signer, headers: &HeaderMap) -> Option<Vid> {
    let value = signer.get(headers, DINER)?;
    Vid::parse(value.split('.').next()?).ok()
}

/// From a cookie that another box has set.
fn foreign(headers: &HeaderMap, keys: impl FnOnce() -> Vec<PublicKey>) -> Option<Vid> {
    let mut parts = plain(headers, DINER.name)?.splitn(3, '.');
    let (vid, proof) = (parts.next()?, from_base64(parts.next()?)?);
    parts.next()?;
    let (id, signature) = proof.split_first_chunk()?;
    let key = keys().into_iter().find(|key| key.id() == KeyId(*id))?;
    key.verify(&signed(vid), signature).ok()?;
    Vid::parse(vid).ok()
}

/// No coupon's token begins like this, which the same key signs.
fn signed(vid: &str) -> Vec<u8> {
    format!("diner\n{vid}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate()).unwrap()
    }

    fn sent_back(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", pair.parse().unwrap());
        headers
    }

    #[test]
    fn a_diner_is_known_at_every_box_that_has_heard_of_the_key() {
        let (street, vid) = (key(), Vid::from_entropy([7; 16]));
        let own_signer = Signer::new(&[1; 32]);
        let headers = sent_back(&set(&own_signer, &street, vid));
        assert_eq!(own(&own_signer, &headers), Some(vid));
        assert_eq!(own(&Signer::new(&[2; 32]), &headers), None);
        let keys = || vec![key().public(), street.public()];
        assert_eq!(foreign(&headers, keys), Some(vid));
        assert_eq!(foreign(&headers, || vec![key().public()]), None);
    }

    #[test]
    fn nobody_is_who_they_say_without_a_signature() {
        let (street, signer) = (key(), Signer::new(&[1; 32]));
        let (vid, other) = (Vid::from_entropy([7; 16]), Vid::from_entropy([8; 16]));
        let cookie = set(&signer, &street, vid);
        let forged = cookie
            .to_str()
            .unwrap()
            .replace(&vid.to_string(), &other.to_string());
        let headers = sent_back(&HeaderValue::from_str(&forged).unwrap());
        assert_eq!(own(&signer, &headers), None);
        assert_eq!(foreign(&headers, || vec![street.public()]), None);
    }

    #[test]
    fn a_cookie_of_before_is_good_where_it_was_set() {
        let (signer, vid) = (Signer::new(&[1; 32]), Vid::from_entropy([7; 16]));
        let headers = sent_back(&signer.set(DINER, &vid.to_string()));
        assert_eq!(own(&signer, &headers), Some(vid));
        assert_eq!(foreign(&headers, Vec::new), None);
    }
}
