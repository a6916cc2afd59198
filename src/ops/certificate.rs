//! The certificate that a server shows: read again whenever its files change, and judged by what a phone
//! would make of it.
//!
//! It comes as a file, or is offered by somebody else, and the newest that fits the key is shown: the one that
//! begins last. A pair of files that does not fit together leaves the one before in force, so that a renewal
//! which is cut off between two files, or is damaged, takes nothing away. Who signed it is not judged: that is
//! the phone's list of authorities, which a box does not have.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, Error, KeyUsage};

use super::tls::{self, BadIdentity};

/// Whether phones take a certificate for a host, as far as a box can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Good {
        until: Timestamp,
    },
    /// There is none.
    Missing,
    /// It is for other names.
    NoName,
    NotYet,
    Expired,
    /// It cannot be read, or is not one for servers.
    NotOne,
}

/// Judges the certificate of a server for `host`; an address is no host's name.
pub fn fit(certificate: &CertificateDer<'_>, host: &str, now: Timestamp) -> Fit {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Fit::NotOne;
    };
    let now = u64::try_from(now.as_second()).unwrap_or_default();
    let now = fault(&certificate, now);
    if matches!(now, Error::CertNotValidYet { .. }) {
        return Fit::NotYet;
    }
    if matches!(now, Error::CertExpired { .. }) {
        return Fit::Expired;
    }
    // What is left where all is as it should be: nobody was named to believe.
    if !matches!(now, Error::UnknownIssuer) {
        return Fit::NotOne;
    }
    let is_for_host = DnsName::try_from(host)
        .map(ServerName::DnsName)
        .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok());
    if !is_for_host {
        return Fit::NoName;
    }
    // Its last day is told only by a refusal.
    let Error::CertExpired { not_after, .. } = fault(&certificate, u64::MAX) else {
        return Fit::NotOne;
    };
    Fit::Good {
        until: timestamp(not_after),
    }
}

/// From when and until when a certificate is good, in Unix seconds: the later, the newer.
fn period(certificate: &CertificateDer<'_>) -> (u64, u64) {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return (0, 0);
    };
    let (mut begins, mut ends) = (0, 0);
    // Both are told only by a refusal; one that began before 1970 is not refused then.
    if let Error::CertNotValidYet { not_before, .. } = fault(&certificate, 0) {
        begins = not_before.as_secs();
    }
    if let Error::CertExpired { not_after, .. } = fault(&certificate, u64::MAX) {
        ends = not_after.as_secs();
    }
    (begins, ends)
}

/// What is wrong with it at a Unix second, its issuer aside.
fn fault(certificate: &EndEntityCert<'_>, second: u64) -> Error {
    let time = UnixTime::since_unix_epoch(Duration::from_secs(second));
    let usage = KeyUsage::server_auth();
    let nobody = &[];
    match certificate.verify_for_usage(&[], nobody, &[], time, usage, None, None) {
        Ok(_) => Error::UnknownIssuer,
        Err(error) => error,
    }
}

fn timestamp(time: UnixTime) -> Timestamp {
    let second = i64::try_from(time.as_secs()).ok();
    second
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Where a certificate and its key are.
#[derive(Debug, Clone)]
pub struct Files {
    /// The server's certificate, and those between it and a root.
    pub chain: PathBuf,
    /// An ECDSA key.
    pub key: PathBuf,
}

/// The certificate in force, for as many handshakes as come.
#[derive(Debug)]
pub struct Shown {
    files: Files,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_force: Option<Arc<CertifiedKey>>,
    seen: Option<Seen>,
    /// Why something that was there is not shown.
    refused: Option<String>,
}

/// What there was at the last look.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    files: [Stamp; 2],
    offered: Vec<String>,
}

/// A file that was replaced has another one. None: there is no file.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
enum BadPair {
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    #[error("{0}")]
    Bad(#[from] BadIdentity),
}

impl Shown {
    /// Shows nothing before the first look.
    pub fn new(files: Files) -> Self {
        Self {
            files,
            state: Mutex::default(),
        }
    }

    /// Reads the files and what is `offered`, chains in PEM, if they have changed since the last look.
    pub fn look(&self, offered: &[String]) {
        let files = [stamp(&self.files.chain), stamp(&self.files.key)];
        let mut state = self.lock();
        if state
            .seen
            .as_ref()
            .is_some_and(|seen| seen.files == files && seen.offered == offered)
        {
            return;
        }
        let offered = offered.to_vec();
        state.seen = Some(Seen { files, offered });
        self.choose(&mut state);
        if let Some(why) = &state.refused {
            tracing::warn!(
                error = why,
                "a certificate for the portal cannot be used; the one before stays, if there was one"
            );
        }
    }

    /// Puts the newest in force of those that fit the key.
    fn choose(&self, state: &mut State) {
        let Some(Seen { files, offered }) = &state.seen else {
            return;
        };
        let mut refused = None;
        let fitting = offered.iter().filter_map(|chain| match self.pair(chain) {
            Ok(pair) => Some(Arc::new(pair)),
            Err(bad) => {
                refused = Some(format!("the bundle's: {bad}"));
                None
            }
        });
        let mut candidates: Vec<_> = fitting.collect();
        if !candidates.is_empty() {
            // The others are for other boxes of the store.
            refused = None;
        }
        if files[0].is_some() {
            match self.load() {
                Ok(pair) => candidates.push(Arc::new(pair)),
                Err(bad) => {
                    refused = Some(format!("{}: {bad}", self.files.chain.display()));
                    candidates.extend(state.in_force.take());
                }
            }
        }
        let newest = candidates
            .into_iter()
            .max_by_key(|pair| pair.cert.first().map(period));
        state.in_force = newest.or(state.in_force.take());
        state.refused = refused;
    }

    /// Why something that is there is not shown, if that is so.
    pub fn refused(&self) -> Option<String> {
        self.lock().refused.clone()
    }

    pub fn is_there(&self) -> bool {
        self.lock().in_force.is_some()
    }

    /// The last second of the certificate in force, in Unix seconds; none where there is none.
    pub fn ends(&self) -> Option<u64> {
        let state = self.lock();
        let own = state.in_force.as_ref()?.cert.first()?;
        Some(period(own).1)
    }

    /// Judges the certificate in force.
    pub fn fit(&self, host: &str, now: Timestamp) -> Fit {
        match &self.lock().in_force {
            Some(pair) => pair
                .cert
                .first()
                .map_or(Fit::NotOne, |own| fit(own, host, now)),
            None => Fit::Missing,
        }
    }

    fn load(&self) -> Result<CertifiedKey, BadPair> {
        self.pair(&fs_err::read_to_string(&self.files.chain)?)
    }

    fn pair(&self, chain: &str) -> Result<CertifiedKey, BadPair> {
        let key = fs_err::read_to_string(&self.files.key)?;
        Ok(tls::pair(chain, &key)?)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.lock().in_force.clone()
    }
}

fn stamp(file: &Path) -> Stamp {
    let found = fs_err::metadata(file).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
#[cfg(feature = "hq")]
mod tests {
    use std::path::Path;

    use rcgen::{Certificate, CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
    use rustls::pki_types::CertificateDer;

    use super::*;

    const HOST: &str = "sz01.sw.cn";

    fn made(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        change(&mut params);
        params.self_signed(key).unwrap()
    }

    fn judged(change: impl FnOnce(&mut CertificateParams), host: &str, now: &str) -> Fit {
        let certificate = made(&KeyPair::generate().unwrap(), change);
        fit(certificate.der(), host, now.parse().unwrap())
    }

    #[test]
    fn a_certificate_is_good_from_its_first_second_to_its_last() {
        let until = "2026-04-01T00:00:00Z".parse().unwrap();
        for (now, expected) in [
            ("1970-01-01T00:00:00Z", Fit::NotYet),
            ("2025-12-31T23:59:59Z", Fit::NotYet),
            ("2026-01-01T00:00:00Z", Fit::Good { until }),
            ("2026-04-01T00:00:00Z", Fit::Good { until }),
            ("2026-04-01T00:00:01Z", Fit::Expired),
        ] {
            assert_eq!(judged(|_| {}, HOST, now), expected, "{now}");
        }
    }

    #[test]
    fn a_certificate_is_good_for_its_own_names_alone() {
        let now = "2026-02-01T00:00:00Z";
        for host in ["sz02.sw.cn", "sw.cn", "x.sz01.sw.cn", "10.0.0.1", ""] {
            assert_eq!(judged(|_| {}, host, now), Fit::NoName, "{host}");
        }
        let to_address = |params: &mut CertificateParams| {
            let address = rcgen::SanType::IpAddress([10, 0, 0, 1].into());
            params.subject_alt_names.push(address);
        };
        assert_eq!(judged(to_address, "10.0.0.1", now), Fit::NoName);
        let is_good = |fit| matches!(fit, Fit::Good { .. });
        assert!(is_good(judged(to_address, HOST, now)));
        let to_all = |params: &mut CertificateParams| {
            let all = "*.sw.cn".to_owned().try_into().unwrap();
            params.subject_alt_names = vec![rcgen::SanType::DnsName(all)];
        };
        assert!(is_good(judged(to_all, HOST, now)));
    }

    #[test]
    fn what_is_no_servers_certificate_is_said_not_to_be_one() {
        let for_clients = |params: &mut CertificateParams| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        };
        let now = "2026-02-01T00:00:00Z";
        assert_eq!(judged(for_clients, HOST, now), Fit::NotOne);
        let garbage = CertificateDer::from_slice(b"garbage");
        assert_eq!(fit(&garbage, HOST, now.parse().unwrap()), Fit::NotOne);
    }

    fn files(dir: &Path) -> Files {
        Files {
            chain: dir.join("host.pem"),
            key: dir.join("host.key"),
        }
    }

    fn shown(shown: &Shown) -> Option<CertificateDer<'static>> {
        let in_force = shown.lock().in_force.clone();
        in_force.map(|pair| pair.cert[0].clone())
    }

    #[test]
    fn a_new_pair_is_shown_and_a_broken_one_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let show = Shown::new(files.clone());
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        show.look(&[]);
        assert_eq!(show.fit(HOST, now), Fit::Missing);

        let (one, two) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (first, second) = (made(&one, |_| {}), made(&two, |_| {}));
        fs_err::write(&files.key, one.serialize_pem()).unwrap();
        show.look(&[]);
        assert_eq!(shown(&show), None);
        fs_err::write(&files.chain, first.pem()).unwrap();
        show.look(&[]);
        assert_eq!(shown(&show).as_ref(), Some(first.der()));

        // Half a renewal, half a file, no file: each leaves the first.
        let halves = [second.pem(), second.pem()[..200].to_owned(), String::new()];
        for half in halves {
            fs_err::write(&files.chain, half).unwrap();
            show.look(&[]);
            assert_eq!(shown(&show).as_ref(), Some(first.der()));
        }
        fs_err::remove_file(&files.chain).unwrap();
        show.look(&[]);
        assert_eq!(shown(&show).as_ref(), Some(first.der()));

        fs_err::write(&files.key, two.serialize_pem()).unwrap();
        fs_err::write(&files.chain, second.pem()).unwrap();
        show.look(&[]);
        assert_eq!(shown(&show).as_ref(), Some(second.der()));
    }

    #[test]
    fn the_newest_that_fits_the_key_is_shown_whether_it_came_as_a_file_or_was_offered() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let show = Shown::new(files.clone());
        let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        fs_err::write(&files.key, own.serialize_pem()).unwrap();
        let of_month = |key: &KeyPair, month| {
            made(key, |params| {
                params.not_before = rcgen::date_time_ymd(2026, month, 1);
            })
        };
        let [january, february, march] = [1, 2, 3].map(|month| of_month(&own, month));
        let foreign = of_month(&other, 3);

        show.look(&[foreign.pem()]);
        assert_eq!(shown(&show), None);
        let refused = show.refused().unwrap();
        assert!(refused.starts_with("the bundle's: "), "{refused}");
        show.look(&[foreign.pem(), february.pem()]);
        assert_eq!(shown(&show).as_ref(), Some(february.der()));
        assert_eq!(show.refused(), None);

        for (file, newest) in [(&january, &february), (&march, &march)] {
            fs_err::write(&files.chain, file.pem()).unwrap();
            show.look(&[foreign.pem(), february.pem()]);
            assert_eq!(shown(&show).as_ref(), Some(newest.der()));
        }
        // A file that is damaged does not bring an older one back.
        fs_err::write(&files.chain, "damaged").unwrap();
        show.look(&[february.pem()]);
        assert_eq!(shown(&show).as_ref(), Some(march.der()));
        assert!(show.refused().is_some());
        // One that was taken away does: it may have been taken away for a reason.
        fs_err::remove_file(&files.chain).unwrap();
        show.look(&[february.pem()]);
        assert_eq!(shown(&show).as_ref(), Some(february.der()));
    }
}
