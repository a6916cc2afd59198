//! The key of a box's certificate, and the request to certify it.
//!
//! Made here and kept nowhere else: it leaves this module as PKCS#8 for the identity file only. The request
//! (PKCS#10, RFC 2986) proves that its sender holds the key, and asks for nothing: headquarters writes every
//! name itself. So all of it but the point and the signature is the same for every box.

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::pkcs8::Document;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]`, which holds a request's attributes.
const ATTRIBUTES: u8 = 0xa0;

/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.2.840.10045.4.3.2
const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// Lines of PEM are this long (RFC 7468).
const PEM_COLUMNS: usize = 64;

/// A P-256 key that headquarters is asked to certify.
pub(super) struct NewKey {
    pkcs8: Document,
    pair: EcdsaKeyPair,
}

impl NewKey {
    pub(super) fn make() -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .map_err(|_| anyhow!("the system has no randomness for a key"))?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
            .map_err(|error| anyhow!("the key just made cannot be read: {error}"))?;
        Ok(Self { pkcs8, pair })
    }

    pub(super) fn to_pem(&self) -> String {
        pem("PRIVATE KEY", self.pkcs8.as_ref())
    }

    pub(super) fn signing_request(&self) -> anyhow::Result<String> {
        let name = der(
            SEQUENCE,
            &[
                &der(OBJECT, &[&COMMON_NAME]),
                &der(UTF8_STRING, &[b"maitred gateway"]),
            ],
        );
        let algorithm = der(
            SEQUENCE,
            &[&der(OBJECT, &[&EC_PUBLIC_KEY]), &der(OBJECT, &[&P256])],
        );
        let what = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[0]]),
                &der(SEQUENCE, &[&der(SET, &[&name])]),
                &der(
                    SEQUENCE,
                    &[&algorithm, &bits(self.pair.public_key().as_ref())],
                ),
                &der(ATTRIBUTES, &[]),
            ],
        );
        let signature = self
            .pair
            .sign(&SystemRandom::new(), &what)
            .map_err(|_| anyhow!("the system has no randomness for a signature"))?;
        let signed_by = der(SEQUENCE, &[&der(OBJECT, &[&ECDSA_WITH_SHA256])]);
        let request = der(SEQUENCE, &[&what, &signed_by, &bits(signature.as_ref())]);
        Ok(pem("CERTIFICATE REQUEST", &request))
    }
}

/// One element of DER: its tag, its length, its contents.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u8::try_from(contents.len()).expect("a request for a P-256 key has 215 bytes");
    let head: &[u8] = match length {
        0..0x80 => &[tag, length],
        0x80.. => &[tag, 0x81, length],
    };
    [head, &contents].concat()
}

/// Whole bytes as a string of bits: none is left over.
fn bits(bytes: &[u8]) -> Vec<u8> {
    der(BIT_STRING, &[&[0], bytes])
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_COLUMNS));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

#[cfg(all(test, feature = "hq"))]
mod tests {
    use rcgen::{CertificateSigningRequestParams, KeyPair, PublicKeyData as _};

    use super::*;

    #[test]
    fn headquarters_reads_a_request_and_finds_its_senders_key() {
        // A signature's length varies with its numbers.
        for _ in 0..64 {
            let key = NewKey::make().unwrap();
            let pem = key.signing_request().unwrap();
            // Reading checks the signature.
            let request = CertificateSigningRequestParams::from_pem(&pem).unwrap();
            assert_eq!(
                request.public_key.algorithm(),
                &rcgen::PKCS_ECDSA_P256_SHA256
            );
            assert_eq!(
                request.public_key.der_bytes(),
                key.pair.public_key().as_ref()
            );
            assert!(pem.lines().all(|line| line.len() <= PEM_COLUMNS));
        }
    }

    #[test]
    fn a_request_is_what_rcgen_wrote_for_the_same_key() {
        let key = NewKey::make().unwrap();
        let same = KeyPair::from_pem(&key.to_pem()).unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "maitred gateway");
        let theirs = params.serialize_request(&same).unwrap().der().to_vec();
        let ours = key.signing_request().unwrap();
        let (_, ours) = x509_parser::pem::parse_x509_pem(ours.as_bytes()).unwrap();
        // What comes before the signature; each signing gives another one.
        let what = 3..3 + 126;
        assert_eq!(ours.contents[what.clone()], theirs[what]);
    }
}
