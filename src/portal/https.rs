//! The portal over HTTPS, at the host that its codes and cards carry: the key that the box makes for the host,
//! the request to certify it, and whether phones may be told of it.
//!
//! A phone that is told of an API (RFC 8910) asks nothing else any more, so what it is told follows the
//! certificate: the moment that phones would not take it, [`Https::capport_url`] is none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateSigningRequestDer, DnsName};
use tokio::sync::watch;

use super::probe::strip_port;
use crate::domain::ids::StoreId;
use crate::ops::certificate::{Fit, Shown};
use crate::ops::clock::Clock;
use crate::ops::files::{Readers, replace};
use crate::ops::key::{Holder, Key};
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::Bundle;

/// Where the API of RFC 8908 is.
pub(super) const CAPPORT: &str = "/capport";

const KEY_FILE: &str = "host.key";
const REQUEST_FILE: &str = "host.csr";

/// How long a new certificate, a new host or a new day waits to be noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How the portal is reached over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// None before the first bundle.
    pub host: Option<String>,
    pub fit: Fit,
    /// Why a certificate that is there is not shown, if one is not.
    pub refused: Option<String>,
}

impl Https {
    /// `https://host`, while phones take the certificate for it.
    pub fn origin(&self) -> Option<String> {
        match (&self.host, self.fit) {
            (Some(host), Fit::Good { .. }) => Some(format!("https://{host}")),
            (None, _)
            | (Some(_), Fit::Missing | Fit::NoName | Fit::NotYet | Fit::Expired | Fit::NotOne) => {
                None
            }
        }
    }

    /// What DHCP and router advertisements may tell phones (RFC 8910); none: they must not tell anything.
    pub fn capport_url(&self) -> Option<String> {
        Some(self.origin()? + CAPPORT)
    }
}

/// What is looked at.
pub struct Host {
    pub shown: Arc<Shown>,
    /// The machine's time, not the shop's: a phone goes by its own clock.
    pub clock: Arc<dyn Clock>,
    pub bundle: watch::Receiver<Arc<Bundle>>,
    pub store: Option<StoreId>,
    pub base_url: Option<String>,
    /// Where the box makes the key; none where it was given another.
    pub identity_dir: Option<PathBuf>,
    /// Told what is to be certified.
    pub request: watch::Sender<Option<String>>,
}

impl Host {
    /// Looks at the certificate now and every two seconds.
    pub fn follow(self, tasks: &Tasks) -> watch::Receiver<Https> {
        let first = self.look();
        self.prepare(first.host.as_deref());
        tell(&first);
        let (sender, receiver) = watch::channel(first);
        let own = tasks.clone();
        tasks.spawn("certificate", async move {
            let mut every = tokio::time::interval(LOOK_EVERY);
            loop {
                tokio::select! {
                    _ = every.tick() => {}
                    () = own.stopping() => return,
                }
                let now = self.look();
                if sender.borrow().host != now.host {
                    self.prepare(now.host.as_deref());
                }
                if *sender.borrow() != now {
                    tell(&now);
                    sender.send_replace(now);
                }
            }
        });
        receiver
    }

    /// Two files are asked for their dates, and the bundle for what it has; only what is new is read.
    fn look(&self) -> Https {
        let offered = self.bundle.borrow().clone();
        self.shown.look(offered.certificates(self.store.as_ref()));
        let host = self.name();
        let fit = match &host {
            Some(host) => self.shown.fit(host, self.clock.now()),
            None => Fit::Missing,
        };
        if let Some(ends) = self.shown.ends() {
            metrics::set(metrics::PORTAL_CERTIFICATE_NOT_AFTER_SECONDS, ends);
        }
        Https {
            host,
            fit,
            refused: self.shown.refused(),
        }
    }

    fn name(&self) -> Option<String> {
        host_of(
            self.base_url.as_deref(),
            &self.bundle.borrow(),
            self.store.as_ref(),
        )
    }

    fn prepare(&self, host: Option<&str>) {
        let (Some(dir), Some(host)) = (&self.identity_dir, host) else {
            return;
        };
        if let Err(error) = prepare(dir, Some(host)) {
            // Nobody waits for it: the portal is there in plain HTTP.
            tracing::warn!(error = %format!("{error:#}"), "no request for a certificate was made");
        }
        // It may be there from an earlier start, or from enrolment.
        let request = read(&dir.join(REQUEST_FILE)).ok().flatten();
        let request = request.filter(|request| asks_for(request, host));
        self.request.send_replace(request);
    }
}

/// The host that phones know: of the address in the settings, or else the store's.
pub fn host_of(base_url: Option<&str>, bundle: &Bundle, store: Option<&StoreId>) -> Option<String> {
    let authority = match base_url {
        Some(url) => url.split_once("://")?.1,
        None => &bundle.stores.get(store?)?.store.host,
    };
    Some(strip_port(authority).to_owned())
}

fn tell(https: &Https) {
    let host = https.host.as_deref().unwrap_or_default();
    match https.fit {
        Fit::Good { until } => {
            tracing::info!(portal.host = host, %until, "phones may be told of HTTPS");
        }
        // A shop that never had one.
        Fit::Missing => {}
        Fit::NoName | Fit::NotYet | Fit::Expired | Fit::NotOne => {
            tracing::warn!(
                portal.host = host,
                fit = ?https.fit,
                "phones would not take the portal's certificate and are not told of HTTPS"
            );
        }
    }
}

/// The key that the box makes for its host.
pub fn key_file(identity_dir: &Path) -> PathBuf {
    identity_dir.join(KEY_FILE)
}

/// Makes the host's key where there is none, and the request to certify it where there is none for `host`.
/// True where a request was written.
pub fn prepare(identity_dir: &Path, host: Option<&str>) -> anyhow::Result<bool> {
    let path = key_file(identity_dir);
    let pem = read(&path)?;
    let key = match &pem {
        Some(pem) => Key::from_pem(pem).with_context(|| format!("reading {}", path.display()))?,
        None => Key::make()?,
    };
    if pem.is_none() {
        replace(&path, key.to_pem().as_bytes(), Readers::OnlyUs)?;
    }
    // An address is certified to nobody.
    let Some(host) = host.filter(|host| DnsName::try_from(*host).is_ok()) else {
        return Ok(false);
    };
    let path = identity_dir.join(REQUEST_FILE);
    if pem.is_some() && read(&path)?.is_some_and(|request| asks_for(&request, host)) {
        return Ok(false);
    }
    let request = key.signing_request(Holder::Host(host))?;
    replace(&path, request.as_bytes(), Readers::Everyone)?;
    tracing::info!(portal.host = host, file = %path.display(), "a request for a certificate was made");
    Ok(true)
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a request has `host` among the names it asks for.
fn asks_for(request_pem: &str, host: &str) -> bool {
    let Ok(request) = CertificateSigningRequestDer::from_pem_slice(request_pem.as_bytes()) else {
        return false;
    };
    // `[2]`, the length, the name, as `ops::key` writes it. No other part of a request looks like it.
    let length = u8::try_from(host.len()).ok();
    let head: Vec<u8> = match length {
        Some(length @ 0..0x80) => vec![0x82, length],
        Some(length) => vec![0x82, 0x81, length],
        None => return false,
    };
    let name = [&head, host.as_bytes()].concat();
    request.windows(name.len()).any(|part| part == name)
}
