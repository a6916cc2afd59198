//! The certificate of a store's host: what the store's boxes ask to have certified, and what an authority has
//! signed, on its way into the chain's folder.
//!
//! The key is made on the box and stays there, so a certificate is for one box: the one whose request has the
//! same public key. What a phone would refuse is refused here, where somebody can still do something about it.

use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer, X509Certificate, X509CertificationRequest};

use super::authority::ClientRequest;
use super::db::HostRequest;
use crate::domain::ids::{GatewayId, StoreId};
use crate::ops::certificate::{Fit, fit};
use crate::ops::files::{Readers, replace};
use crate::wire::bundle::{Certified, StoreFolder};

/// The most that a request takes: its host's name twice, a key and a signature.
const MAX_REQUEST_BYTES: usize = 4 << 10;

/// Whether this is a request whose sender holds the key.
pub fn is_request(pem: &str) -> bool {
    pem.len() <= MAX_REQUEST_BYTES && ClientRequest::parse(pem).is_ok()
}

/// The request to have signed: the store's only one, or that of one box.
pub fn request<'r>(
    store: &StoreId,
    asked: &'r [HostRequest],
    gateway: Option<GatewayId>,
) -> anyhow::Result<&'r HostRequest> {
    match (asked, gateway) {
        ([], _) => bail!(nobody_asks(store)),
        ([only], None) => Ok(only),
        (_, Some(gateway)) => {
            let found = asked.iter().find(|request| request.gateway == gateway);
            found.with_context(|| format!("{gateway} asks for no certificate of {store}"))
        }
        (_, None) => {
            let boxes: Vec<_> = asked.iter().map(|one| one.gateway.to_string()).collect();
            bail!(
                "{store} has several boxes that ask, each for its own key: {}\n\
                 hint: say which with --gateway",
                boxes.join(", ")
            )
        }
    }
}

fn nobody_asks(store: &StoreId) -> String {
    format!(
        "no box of {store} asks for a certificate\n\
         hint: a box asks when it has its bundle and is online, unless portal.key names a key of yours"
    )
}

/// A certificate that may be put into the chain's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub gateway: GatewayId,
    pub until: Timestamp,
}

/// Judges a chain in PEM for the host of a store, whose boxes have `asked`.
pub fn accept(
    chain_pem: &str,
    folder: &StoreFolder,
    asked: &[HostRequest],
    now: Timestamp,
) -> anyhow::Result<Accepted> {
    let (store, host) = (&folder.store.id, &folder.store.host);
    if chain_pem.contains("PRIVATE KEY") {
        bail!("the file holds a private key, which must not leave the place where it was made");
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .collect::<Result<_, _>>()
        .context("reading the file as certificates in PEM form")?;
    let Some(own) = chain.first() else {
        bail!("the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
    };
    let gateway = whose(own, store, asked)?;
    let until = match fit(own, host, now) {
        Fit::Good { until } => until,
        Fit::NoName => bail!("it is not for {host}, the host of {store}"),
        Fit::Expired => bail!("it has expired"),
        Fit::NotYet => bail!("it is not valid yet, and phones would refuse it"),
        Fit::NotOne | Fit::Missing => bail!("it is no certificate for a server"),
    };
    check_order(&chain)?;
    Ok(Accepted { gateway, until })
}

/// The box that holds the key.
fn whose(
    own: &CertificateDer<'_>,
    store: &StoreId,
    asked: &[HostRequest],
) -> anyhow::Result<GatewayId> {
    let (_, certificate) = X509Certificate::from_der(own).context("reading the certificate")?;
    let key = certificate.public_key().raw;
    let has_key = |request: &&HostRequest| public_key(&request.csr_pem).is_some_and(|of| of == key);
    if asked.is_empty() {
        bail!(nobody_asks(store));
    }
    let request = asked.iter().find(has_key).with_context(|| {
        format!(
            "the file's first certificate fits the key of no box of {store}\n\
             hint: `maitred hq certificate csr --store {store}` prints what to have signed; its certificate \
             comes first in the file"
        )
    })?;
    Ok(request.gateway)
}

/// The public key that a request is for, in DER.
fn public_key(csr_pem: &str) -> Option<Vec<u8>> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(csr_pem.as_bytes()).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).ok()?;
    Some(request.certification_request_info.subject_pki.raw.to_vec())
}

/// Phones want each certificate to be followed by the one that it was signed with.
fn check_order(chain: &[CertificateDer<'_>]) -> anyhow::Result<()> {
    let read = |der| X509Certificate::from_der(der).map(|(_, read)| read);
    let chain: Vec<_> = chain
        .iter()
        .map(|der| read(der))
        .collect::<Result<_, _>>()
        .context("reading the certificates")?;
    for (number, pair) in (2..).zip(chain.windows(2)) {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            bail!(
                "certificate {number} of the file is not the one that signed the certificate before it\n\
                 hint: the box's own comes first, then its authority's, up to a root"
            );
        }
    }
    Ok(())
}

/// Puts a chain that was accepted into the chain's folder, from where it goes out with the box's next bundle.
pub fn put(
    chain_dir: &Path,
    store: &StoreId,
    accepted: &Accepted,
    chain_pem: &str,
) -> anyhow::Result<()> {
    let name = Certified::Gateway(accepted.gateway).file();
    let path = chain_dir.join("stores").join(store.as_str()).join(name);
    replace(&path, chain_pem.as_bytes(), Readers::LikeItsFolder).context("keeping the certificate")
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer,
        KeyPair,
    };

    use super::*;
    use crate::hq::chain;
    use crate::hq::testing::{chain_folder, now, store};
    use crate::ops::key::{Holder, Key};

    const HOST: &str = "sz01.sw.cn";

    fn asked(gateway: u32, host: &str) -> HostRequest {
        let key = Key::make().unwrap();
        HostRequest {
            gateway: GatewayId(gateway),
            csr_pem: key.signing_request(Holder::Host(host)).unwrap(),
            received: now(),
        }
    }

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    impl Authority {
        fn named(name: &str) -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            let pem = params.self_signed(&key).unwrap().pem();
            let issuer = Issuer::new(params, key);
            Self { issuer, pem }
        }

        fn sign(&self, request: &HostRequest, (from, until): (i32, i32)) -> String {
            let mut request = CertificateSigningRequestParams::from_pem(&request.csr_pem).unwrap();
            request.params.not_before = rcgen::date_time_ymd(from, 1, 1);
            request.params.not_after = rcgen::date_time_ymd(until, 1, 1);
            request.signed_by(&self.issuer).unwrap().pem()
        }
    }

    #[test]
    fn a_certificate_is_put_where_the_box_with_its_key_gets_it() {
        let folder = chain_folder();
        let chain = chain::read(folder.path()).unwrap();
        let of_store = &chain.bundle.stores[&store("SZ01")];
        let requests = [asked(3, HOST), asked(7, HOST)];
        let authority = Authority::named("ours");
        let file = authority.sign(&requests[1], (2026, 2028)) + &authority.pem;
        let accepted = accept(&file, of_store, &requests, now()).unwrap();
        let until = "2028-01-01T00:00:00Z".parse().unwrap();
        let gateway = GatewayId(7);
        assert_eq!(accepted, Accepted { gateway, until });
        put(folder.path(), &store("SZ01"), &accepted, &file).unwrap();
        let kept = folder.path().join("stores/SZ01/certificate-gw-000007.pem");
        assert_eq!(fs_err::read_to_string(kept).unwrap(), file);
        let chain = chain::read(folder.path()).unwrap();
        assert_eq!(chain.bundle.certificates(Some(&store("SZ01"))), [file]);
    }

    #[test]
    fn what_phones_would_refuse_is_refused_with_its_reason() {
        let folder = chain_folder();
        let chain = chain::read(folder.path()).unwrap();
        let of_store = &chain.bundle.stores[&store("SZ01")];
        let (ours, elsewhere) = (asked(1, HOST), asked(1, "sz02.sw.cn"));
        let (authority, other) = (Authority::named("ours"), Authority::named("other"));
        let good = authority.sign(&ours, (2026, 2028));
        let said = |file: &str, asked: &[HostRequest]| {
            accept(file, of_store, asked, now())
                .unwrap_err()
                .to_string()
        };
        let ask = std::slice::from_ref(&ours);
        for (file, reason) in [
            (String::new(), "no certificate in PEM"),
            (good[..200].to_owned(), "in PEM form"),
            (good.replace("CERTIFICATE", "PRIVATE KEY"), "a private key"),
            (
                authority.sign(&asked(1, HOST), (2026, 2028)),
                "fits the key of no box",
            ),
            (authority.sign(&ours, (2025, 2026)), "expired"),
            (authority.sign(&ours, (2027, 2028)), "not valid yet"),
            (
                good.clone() + &other.pem,
                "certificate 2 of the file is not",
            ),
        ] {
            let said = said(&file, ask);
            assert!(said.contains(reason), "{reason}: {said}");
        }
        assert!(said(&good, &[]).contains("no box of SZ01 asks"));
        let wrong = authority.sign(&elsewhere, (2026, 2028));
        let said = said(&wrong, &[elsewhere]);
        assert_eq!(said, "it is not for sz01.sw.cn, the host of SZ01");
    }

    #[test]
    fn of_several_boxes_that_ask_one_has_to_be_named() {
        let (store, both) = (store("SZ01"), [asked(3, HOST), asked(7, HOST)]);
        assert_eq!(request(&store, &both[..1], None).unwrap(), &both[0]);
        assert_eq!(
            request(&store, &both, Some(GatewayId(7))).unwrap(),
            &both[1]
        );
        let refused = |asked, gateway| request(&store, asked, gateway).unwrap_err().to_string();
        assert!(refused(&both, None).contains("gw-000003, gw-000007"));
        assert!(refused(&both, Some(GatewayId(9))).contains("gw-000009 asks for no"));
        assert!(refused(&[], None).contains("no box of SZ01 asks"));
    }

    #[test]
    fn a_request_is_one_only_with_its_signature() {
        let request = asked(1, HOST).csr_pem;
        assert!(is_request(&request));
        assert!(!is_request(&request.repeat(20)));
        assert!(!is_request("-----BEGIN CERTIFICATE REQUEST-----"));
    }
}
