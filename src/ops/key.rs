//! A key that is made on the box, and the request to certify it.
//!
//! It leaves this module as PKCS#8 for a file that only we read, and as the request (PKCS#10, RFC 2986), which
//! proves that its sender holds the key. Headquarters is asked for no name, because it writes every name
//! itself; whoever certifies a store's host is asked for that host.

use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]`, which holds a request's attributes.
const ATTRIBUTES: u8 = 0xa0;
/// `[2]`: a host's name among a certificate's names.
const DNS_NAME: u8 = 0x82;

/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.2.840.10045.4.3.2
const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// A common name may be this long (X.520); a longer host stands among the alternative names alone.
const COMMON_NAME_BYTES: usize = 64;

/// Lines of PEM are this long (RFC 7468).
const PEM_COLUMNS: usize = 64;

/// A P-256 key.
pub struct Key {
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

/// Whose key it is.
#[derive(Debug, Clone, Copy)]
pub enum Holder<'n> {
    Gateway,
    Host(&'n str),
}

impl Key {
    pub fn make() -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .map_err(|_| anyhow!("the system has no randomness for a key"))?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    /// A key that [`to_pem`](Self::to_pem) gave.
    pub fn from_pem(pem: &str) -> anyhow::Result<Self> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes());
        Self::from_pkcs8(key.context("reading a key in PEM form")?.secret_pkcs8_der())
    }

    fn from_pkcs8(pkcs8: &[u8]) -> anyhow::Result<Self> {
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new())
            .map_err(|error| anyhow!("it is no P-256 key: {error}"))?;
        Ok(Self {
            pkcs8: pkcs8.to_vec(),
            pair,
        })
    }

    pub fn to_pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }

    pub fn signing_request(&self, holder: Holder<'_>) -> anyhow::Result<String> {
        let (name, attributes) = match holder {
            Holder::Gateway => (common_name("maitred gateway"), Vec::new()),
            Holder::Host(host) if host.len() > COMMON_NAME_BYTES => (Vec::new(), names(host)),
            Holder::Host(host) => (common_name(host), names(host)),
        };
        let algorithm = der(
            SEQUENCE,
            &[&der(OBJECT, &[&EC_PUBLIC_KEY]), &der(OBJECT, &[&P256])],
        );
        let what = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[0]]),
                &der(SEQUENCE, &[&name]),
                &der(
                    SEQUENCE,
                    &[&algorithm, &bits(self.pair.public_key().as_ref())],
                ),
                &der(ATTRIBUTES, &[&attributes]),
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

fn common_name(name: &str) -> Vec<u8> {
    let attribute = [
        der(OBJECT, &[&COMMON_NAME]),
        der(UTF8_STRING, &[name.as_bytes()]),
    ];
    der(SET, &[&der(SEQUENCE, &[&attribute.concat()])])
}

/// The attribute that asks for a certificate with `host` as its one alternative name.
fn names(host: &str) -> Vec<u8> {
    let names = der(SEQUENCE, &[&der(DNS_NAME, &[host.as_bytes()])]);
    let extension = [
        der(OBJECT, &[&SUBJECT_ALTERNATIVE_NAME]),
        der(OCTET_STRING, &[&names]),
    ];
    let extensions = der(SEQUENCE, &[&der(SEQUENCE, &[&extension.concat()])]);
    let attribute = [der(OBJECT, &[&EXTENSION_REQUEST]), der(SET, &[&extensions])];
    der(SEQUENCE, &[&attribute.concat()])
}

/// One element of DER: its tag, its length, its contents.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u16::try_from(contents.len()).expect("a host's name has 253 bytes at most");
    let [high, low] = length.to_be_bytes();
    let head: &[u8] = match length {
        0..0x80 => &[tag, low],
        0x80..0x100 => &[tag, 0x81, low],
        0x100.. => &[tag, 0x82, high, low],
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
            let key = Key::make().unwrap();
            let pem = key.signing_request(Holder::Gateway).unwrap();
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
    fn a_request_for_a_host_asks_for_its_name_however_long() {
        for host in ["sz01.sw.cn", &"a-long-name.".repeat(21)[..251]] {
            let key = Key::make().unwrap();
            let again = Key::from_pem(&key.to_pem()).unwrap();
            let pem = again.signing_request(Holder::Host(host)).unwrap();
            let request = CertificateSigningRequestParams::from_pem(&pem).unwrap();
            let name = rcgen::SanType::DnsName(host.try_into().unwrap());
            assert_eq!(request.params.subject_alt_names, [name]);
            assert_eq!(
                request.public_key.der_bytes(),
                key.pair.public_key().as_ref()
            );
        }
    }

    #[test]
    fn a_request_is_what_rcgen_wrote_for_the_same_key() {
        let key = Key::make().unwrap();
        let same = KeyPair::from_pem(&key.to_pem()).unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "maitred gateway");
        let theirs = params.serialize_request(&same).unwrap().der().to_vec();
        let ours = key.signing_request(Holder::Gateway).unwrap();
        let (_, ours) = x509_parser::pem::parse_x509_pem(ours.as_bytes()).unwrap();
        // What comes before the signature; each signing gives another one.
        let what = 3..3 + 126;
        assert_eq!(ours.contents[what.clone()], theirs[what]);
    }
}
