//! The time that certificates are held against, on a box whose clock may be wrong by decades.
//!
//! A certificate says two things about time that its authority vouches for: it was not made before its first
//! day. So a box that does not know the time believes that much, and where its clock is past the last day,
//! goes back to the time that it was last sure of. A box whose clock is anchored never does: then a
//! certificate that does not fit is a bad certificate.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, Error};

use crate::ops::clock::Clock;

/// How often a handshake is tried at another time: from 2070 to the last sure time, and from there to the
/// certificate's first day.
pub const ATTEMPTS: usize = 3;

/// What TLS takes for now.
pub struct CertificateTime {
    clock: Arc<dyn Clock>,
    /// Unix seconds; 0 for the clock's own time.
    instead: AtomicU64,
}

impl CertificateTime {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            instead: AtomicU64::new(0),
        })
    }

    /// Goes by the clock again.
    pub fn follow_the_clock(&self) {
        self.instead.store(0, Ordering::SeqCst);
    }

    /// Goes to another time if that could mend `error`; false where it could not.
    pub fn step_aside(&self, error: &Error) -> bool {
        let floor = self.clock.doubt().map(unix_seconds);
        let Some(other) = floor.and_then(|floor| another_time(error, floor)) else {
            return false;
        };
        self.instead.store(other, Ordering::SeqCst);
        true
    }
}

/// Whether it is only the date that does not fit.
pub fn is_about_dates(error: &Error) -> bool {
    bounds(error).is_some()
}

/// What a certificate says of its days.
enum Bound {
    From(u64),
    UpTo(u64),
}

fn bounds(error: &Error) -> Option<Bound> {
    let Error::InvalidCertificate(fault) = error else {
        return None;
    };
    if let CertificateError::NotValidYetContext { not_before, .. } = fault {
        return Some(Bound::From(not_before.as_secs()));
    }
    if let CertificateError::ExpiredContext { not_after, .. } = fault {
        return Some(Bound::UpTo(not_after.as_secs()));
    }
    None
}

/// The Unix second at which a certificate that failed could be good, where it is certainly past `floor`.
fn another_time(error: &Error, floor: u64) -> Option<u64> {
    match bounds(error)? {
        Bound::From(first) => Some(first),
        Bound::UpTo(last) => Some(floor).filter(|floor| *floor <= last),
    }
}

fn unix_seconds(time: jiff::Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or_default()
}

impl TimeProvider for CertificateTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = match self.instead.load(Ordering::SeqCst) {
            0 => unix_seconds(self.clock.now()),
            instead => instead,
        };
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateTime").finish_non_exhaustive()
    }
}
