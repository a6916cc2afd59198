//! Certificates: making an authority, issuing with it, and reading who is at the other end.
//!
//! What a request asks for besides its key is ignored: name, use and validity are headquarters' own. The
//! two authorities are apart, so a gateway's certificate never passes for headquarters.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::db::serves_text;
use crate::domain::ids::{GatewayId, Slug};
use crate::ops::files::random;
use crate::wire::encoding::hex;
use crate::wire::link::Serves;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Ten years: an authority is pinned on every box, and changing it means visiting them.
const AUTHORITY_LASTS: SignedDuration = SignedDuration::from_hours(24 * 3652);

/// The longest that public authorities were allowed for years; the clients here are our own gateways and
/// headquarters reissues at half of it, so it only has to outlast the longest time without a restart.
pub const SERVER_LASTS: SignedDuration = SignedDuration::from_hours(24 * 397);

/// A box that was offline for 30 days must still come in with it.
pub const CLIENT_LASTS: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Valid from a little earlier, because a box's clock may be a little behind.
const BACK_DATED: SignedDuration = SignedDuration::from_hours(1);

/// A certificate and its key, in PEM.
pub struct Made {
    pub certificate_pem: String,
    pub key_pem: String,
}

/// What signs certificates.
pub struct Authority {
    pub certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority that lasts about ten years.
    pub fn make(name: &str, now: Timestamp) -> anyhow::Result<Made> {
        let key = new_key()?;
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        last(&mut params, now - DAY, now + AUTHORITY_LASTS)?;
        let certificate = params.self_signed(&key).context("signing an authority")?;
        Ok(Made {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    pub fn load(certificate_pem: String, key_pem: &str) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(key_pem).context("reading an authority's key")?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)
            .context("reading an authority's certificate")?;
        Ok(Self {
            certificate_pem,
            issuer,
        })
    }

    /// Issues headquarters' own certificate for `names`: host names or addresses.
    pub fn issue_server(
        &self,
        names: &[String],
        key_pem: &str,
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let key = KeyPair::from_pem(key_pem).context("reading the sync key")?;
        let mut params = named("maitred headquarters");
        for name in names {
            params.subject_alt_names.push(alt_name(name)?);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        last(&mut params, now - DAY, now + SERVER_LASTS)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .context("signing the sync certificate")?;
        Ok(certificate.pem())
    }

    /// Issues a gateway's certificate over the key of its request.
    pub fn issue_client(
        &self,
        request: &ClientRequest,
        grant: &ClientGrant<'_>,
    ) -> anyhow::Result<String> {
        let mut params = named(&grant.gateway.to_string());
        let urn = format!(
            "urn:gw:{}:{}:{}",
            grant.chain,
            serves_text(grant.serves),
            grant.gateway
        );
        let urn = urn.try_into().context("writing a gateway's name")?;
        params.subject_alt_names = vec![SanType::URI(urn)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&grant.serial.0));
        last(&mut params, grant.now - BACK_DATED, grant.not_after())?;
        let issued = CertificateSigningRequestParams {
            params,
            public_key: request.0.public_key.clone(),
        };
        let certificate = issued
            .signed_by(&self.issuer)
            .context("signing a gateway's certificate")?;
        Ok(certificate.pem())
    }
}

/// What headquarters grants a gateway, whatever its request says.
pub struct ClientGrant<'a> {
    pub chain: &'a Slug,
    pub serves: &'a Serves,
    pub gateway: GatewayId,
    pub serial: &'a Serial,
    pub now: Timestamp,
}

impl ClientGrant<'_> {
    pub fn not_after(&self) -> Timestamp {
        self.now + CLIENT_LASTS
    }
}

/// The number of a certificate.
#[derive(Debug, Clone)]
pub struct Serial([u8; 16]);

impl Serial {
    pub fn random() -> Self {
        let mut bytes = random::<16>();
        // DER drops leading zeros and adds one before a high bit; 01xx xxxx needs neither.
        bytes[0] = bytes[0] & 0x3f | 0x40;
        Self(bytes)
    }

    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }
}

/// A gateway's request for a certificate, its proof of possession checked.
#[derive(Debug)]
pub struct ClientRequest(CertificateSigningRequestParams);

/// The request is not one that can be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a signing request for a P-256 key that its sender holds: {0}")]
pub struct BadRequest(String);

impl ClientRequest {
    pub fn parse(pem: &str) -> Result<Self, BadRequest> {
        let request = CertificateSigningRequestParams::from_pem(pem)
            .map_err(|error| BadRequest(error.to_string()))?;
        if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            return Err(BadRequest("another kind of key".to_owned()));
        }
        Ok(Self(request))
    }
}

/// Who a client certificate says its holder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerName {
    pub gateway: GatewayId,
    pub serial: String,
}

impl PeerName {
    /// Reads a certificate that the handshake has already traced to the gateway authority.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        let number = names.value.general_names.iter().find_map(|name| {
            let GeneralName::URI(urn) = name else {
                return None;
            };
            urn.strip_prefix("urn:gw:")?.rsplit(':').next()
        })?;
        Some(Self {
            gateway: GatewayId(number.strip_prefix("gw-")?.parse().ok()?),
            serial: hex(certificate.raw_serial()),
        })
    }
}

/// What headquarters asks of its own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    pub names: Vec<String>,
    pub not_after: Timestamp,
}

impl ServerCertificate {
    pub fn read(pem: &str) -> anyhow::Result<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes())
            .context("reading the sync certificate")?;
        let certificate = pem.parse_x509().context("reading the sync certificate")?;
        let names = certificate
            .subject_alternative_name()
            .context("reading the sync certificate's names")?
            .map(|names| {
                names
                    .value
                    .general_names
                    .iter()
                    .filter_map(written)
                    .collect()
            })
            .unwrap_or_default();
        let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp())
            .context("reading the sync certificate's end")?;
        Ok(Self { names, not_after })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the sync certificate has no other kinds of names"
)]
fn written(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            16 => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// A new P-256 key.
pub fn new_key() -> anyhow::Result<KeyPair> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("making a P-256 key")
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn alt_name(name: &str) -> anyhow::Result<SanType> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let host = name
        .try_into()
        .with_context(|| format!("`{name}` is not a host name"))?;
    Ok(SanType::DnsName(host))
}

fn last(params: &mut CertificateParams, from: Timestamp, to: Timestamp) -> anyhow::Result<()> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |time: Timestamp| {
        u64::try_from(time.as_second())
            .map(Duration::from_secs)
            .context("the clock is before 1970; set it, because certificates carry dates")
    };
    params.not_before = epoch + since(from)?;
    params.not_after = epoch + since(to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use x509_parser::prelude::X509CertificationRequest;

    use super::*;
    use crate::hq::testing::{at_store, now};

    fn authority() -> Authority {
        let made = Authority::make("maitred gateways", now()).unwrap();
        Authority::load(made.certificate_pem, &made.key_pem).unwrap()
    }

    fn der(pem: &str) -> Vec<u8> {
        x509_parser::pem::parse_x509_pem(pem.as_bytes())
            .unwrap()
            .1
            .contents
    }

    /// A request that asks for more than it should.
    fn greedy_request() -> String {
        let mut params = named("gw-000001");
        params.subject_alt_names = vec![
            SanType::URI("urn:gw:shiwei:street:gw-000001".try_into().unwrap()),
            SanType::DnsName("hq.example.cn".try_into().unwrap()),
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let request = params.serialize_request(&new_key().unwrap()).unwrap();
        request.pem().unwrap()
    }

    #[test]
    fn what_a_request_asks_for_besides_its_key_is_overwritten() {
        let request = ClientRequest::parse(&greedy_request()).unwrap();
        let serial = Serial::random();
        let grant = ClientGrant {
            chain: &Slug::parse("shiwei").unwrap(),
            serves: &at_store("SZ01"),
            gateway: GatewayId(123),
            serial: &serial,
            now: now(),
        };
        let der = der(&authority().issue_client(&request, &grant).unwrap());
        let peer = PeerName::read(&der).unwrap();
        assert_eq!(peer.gateway, GatewayId(123));
        assert_eq!(peer.serial, serial.to_hex());

        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let urn = "urn:gw:shiwei:SZ01:gw-000123";
        assert_eq!(names.value.general_names, [GeneralName::URI(urn)]);
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
        assert!(!certificate.is_ca());
        let validity = certificate.validity();
        let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(seconds, (90 * 24 + 1) * 3600);
    }

    #[test]
    fn a_request_whose_sender_does_not_hold_the_key_is_refused() {
        let pem = greedy_request();
        ClientRequest::parse(&pem).unwrap();
        // The signature ends the request; its last bit is part of a number and of no length or tag.
        let mut request = der(&pem);
        *request.last_mut().unwrap() ^= 1;
        let tampered = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            base64::engine::general_purpose::STANDARD.encode(&request)
        );
        let (_, read) = X509CertificationRequest::from_der(&request).unwrap();
        assert!(read.verify_signature().is_err(), "it can be read");
        assert!(ClientRequest::parse(&tampered).is_err());
        assert!(ClientRequest::parse("").is_err());
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let request = named("x").serialize_request(&other).unwrap();
        assert!(ClientRequest::parse(&request.pem().unwrap()).is_err());
    }

    #[test]
    fn the_sync_certificate_says_its_names_and_its_end() {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let key = new_key().unwrap().serialize_pem();
        let pem = authority().issue_server(&names, &key, now()).unwrap();
        let read = ServerCertificate::read(&pem).unwrap();
        assert_eq!(read.names, names);
        assert_eq!(read.not_after, now() + SERVER_LASTS);
    }

    #[test]
    fn a_certificate_without_a_gateways_name_is_nobody() {
        let key = new_key().unwrap().serialize_pem();
        let names = ["localhost".to_owned()];
        let pem = authority().issue_server(&names, &key, now()).unwrap();
        assert_eq!(PeerName::read(&der(&pem)), None);
        assert_eq!(PeerName::read(b"no certificate"), None);
    }
}
