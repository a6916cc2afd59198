//! TLS configurations: rustls with ring, TLS 1.3 between gateway and headquarters, and between phones and a
//! gateway: phones that ask a portal over HTTPS at all (iOS 14, Android 11) know it.

mod provider;
mod time;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, version,
};

pub use time::{ATTEMPTS, CertificateTime, is_about_dates};

/// What is wrong with a certificate or a key.
#[derive(Debug, thiserror::Error)]
pub enum BadIdentity {
    #[error("no certificate in PEM form")]
    Certificate,
    #[error("no private key in PEM form")]
    Key,
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    #[error("{0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Everything ring has: browsers come to the console, with whatever certificate its owner bought.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, BadIdentity> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(BadIdentity::Certificate)
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, BadIdentity> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| BadIdentity::Key)
}

fn roots(pem: &str) -> Result<RootCertStore, BadIdentity> {
    let mut store = RootCertStore::empty();
    for root in certificates(pem)? {
        store.add(root)?;
    }
    Ok(store)
}

/// A server that asks its clients for nothing.
pub fn server(chain_pem: &str, key_pem: &str) -> Result<Arc<ServerConfig>, BadIdentity> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates(chain_pem)?, private_key(key_pem)?)?;
    Ok(Arc::new(config))
}

/// A server for phones, which shows whatever certificate `shown` has at the moment.
pub fn server_showing(
    shown: Arc<dyn ResolvesServerCert>,
) -> Result<Arc<ServerConfig>, BadIdentity> {
    let config = ServerConfig::builder_with_provider(provider::for_gateways())
        .with_protocol_versions(&[&version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    Ok(Arc::new(config))
}

/// A certificate and the key that belongs to it, for [`server_showing`].
pub(super) fn pair(chain_pem: &str, key_pem: &str) -> Result<CertifiedKey, BadIdentity> {
    let provider = provider::for_gateways();
    let (chain, key) = (certificates(chain_pem)?, private_key(key_pem)?);
    Ok(CertifiedKey::from_der(chain, key, &provider)?)
}

/// A server that talks only to clients with a certificate of `client_ca_pem`.
pub fn server_for_clients_of(
    client_ca_pem: &str,
    chain_pem: &str,
    key_pem: &str,
) -> Result<Arc<ServerConfig>, BadIdentity> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(client_ca_pem)?), provider())
            .build()?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(chain_pem)?, private_key(key_pem)?)?;
    Ok(Arc::new(config))
}

/// A client that shows its own certificate and believes only servers of `server_ca_pem`.
pub fn client(
    server_ca_pem: &str,
    chain_pem: &str,
    key_pem: &str,
    time: Arc<CertificateTime>,
) -> Result<Arc<ClientConfig>, BadIdentity> {
    let config = ClientConfig::builder_with_details(provider::for_gateways(), time)
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(roots(server_ca_pem)?)
        .with_client_auth_cert(certificates(chain_pem)?, private_key(key_pem)?)?;
    Ok(Arc::new(config))
}

/// A client that believes the server whose chain holds the authority with this SHA-256: for enrolment,
/// where the pin is all that the installer has.
pub fn client_by_pin(
    authority_sha256: [u8; 32],
    time: Arc<CertificateTime>,
) -> Result<Arc<ClientConfig>, BadIdentity> {
    let verifier = PinVerifier {
        authority_sha256,
        provider: provider::for_gateways(),
    };
    let config = ClientConfig::builder_with_details(provider::for_gateways(), time)
        .with_protocol_versions(&[&version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The SHA-256 of the first certificate in `pem`.
pub fn fingerprint(pem: &str) -> Result<[u8; 32], BadIdentity> {
    let chain = certificates(pem)?;
    let first = chain.first().ok_or(BadIdentity::Certificate)?;
    Ok(sha256(first))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("a SHA-256 has 32 bytes")
}

/// Finds the pinned authority among what the server sends, and then checks the server's certificate
/// against that authority alone, names and dates included.
#[derive(Debug)]
struct PinVerifier {
    authority_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let pinned = intermediates
            .iter()
            .find(|certificate| sha256(certificate) == self.authority_sha256)
            .ok_or(rustls::Error::InvalidCertificate(
                rustls::CertificateError::UnknownIssuer,
            ))?;
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        )
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
