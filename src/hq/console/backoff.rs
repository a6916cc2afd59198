//! Waiting after wrong passwords: from the same address for the same login, longer each time, with an end.
//!
//! The administrator who signs in from elsewhere is not locked out by whoever guesses here. A try is counted
//! before its password is looked at, so that many at a time are no way around the waiting.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A person mistypes.
const FREE_TRIES: u32 = 3;

/// 2, 4, 8 … seconds, and no longer than this: about 1,500 tries a day.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// After this a failure is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Past this many the oldest failures go: memory is bounded whoever knocks.
const MOST_REMEMBERED: usize = 4096;

type Who = (IpAddr, String);

/// An IPv6 network gives a single machine all addresses of a /64 (RFC 6177).
fn who(address: IpAddr, login: &str) -> Who {
    const NETWORK: u128 = !0 << 64;
    let address = match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        short @ IpAddr::V4(_) => short,
    };
    (address, login.to_owned())
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    fn wait_until(self) -> Timestamp {
        let over = self.count.saturating_sub(FREE_TRIES);
        if over == 0 {
            return self.last;
        }
        let wait = SignedDuration::from_secs(1 << over.min(6)).min(LONGEST);
        self.last.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// Who failed how often, in memory only: addresses are written nowhere.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<Who, Failures>>,
}

impl Backoff {
    /// Counts a try as failed until it is known better; an error is the whole seconds that `login` has to
    /// wait at this address. One lock for both: between them nobody else gets a try.
    pub(super) fn begin(&self, address: IpAddr, login: &str, now: Timestamp) -> Result<(), i64> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let who = who(address, login);
        if let Some(entry) = failures.get(&who) {
            let left = entry.wait_until().duration_since(now);
            if left.is_positive() {
                return Err(left.as_secs() + 1);
            }
        }
        if failures.len() >= MOST_REMEMBERED {
            forget_old(&mut failures, now);
        }
        let entry = failures.entry(who).or_insert(Failures {
            count: 0,
            last: now,
        });
        if now.duration_since(entry.last) > FORGOTTEN_AFTER {
            entry.count = 0;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        Ok(())
    }

    pub(super) fn note_success(&self, address: IpAddr, login: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&who(address, login));
    }
}

fn forget_old(failures: &mut HashMap<Who, Failures>, now: Timestamp) {
    failures.retain(|_, entry| now.duration_since(entry.last) <= FORGOTTEN_AFTER);
    let oldest = failures
        .iter()
        .min_by_key(|(_, entry)| entry.last)
        .map(|(who, _)| who.clone());
    if failures.len() >= MOST_REMEMBERED
        && let Some(oldest) = oldest
    {
        failures.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::hq::testing::now;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn waiting_grows_with_failures_has_an_end_and_ends_with_success() {
        let backoff = Backoff::default();
        let (mut waits, mut time) = (Vec::new(), now());
        for _ in 0..12 {
            assert_eq!(backoff.begin(HERE, "admin", time), Ok(()));
            let wait = match backoff.failures.lock().unwrap().values().next() {
                Some(entry) => entry.wait_until().duration_since(time),
                None => SignedDuration::ZERO,
            };
            waits.push(wait.as_secs());
            time += wait;
        }
        assert_eq!(waits, [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(backoff.begin(HERE, "admin", time), Ok(()));
        assert_eq!(backoff.begin(HERE, "admin", time), Err(61));
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(backoff.begin(elsewhere, "admin", time), Ok(()));
        backoff.note_success(HERE, "admin");
        assert_eq!(backoff.begin(HERE, "admin", time), Ok(()));
    }

    #[test]
    fn one_network_is_one_guesser() {
        let backoff = Backoff::default();
        let begin = |address: &str| backoff.begin(address.parse().unwrap(), "admin", now());
        for last in 1..=4 {
            assert_eq!(begin(&format!("2001:db8:1:2::{last}")), Ok(()));
        }
        assert_eq!(begin("2001:db8:1:2:ffff::9"), Err(3));
        assert_eq!(begin("2001:db8:1:3::1"), Ok(()));
        for _ in 0..4 {
            begin("192.0.2.7").unwrap();
        }
        assert_eq!(begin("::ffff:192.0.2.7"), Err(3));
        assert_eq!(begin("192.0.2.8"), Ok(()));
    }

    #[test]
    fn failures_are_bounded_whoever_knocks() {
        let backoff = Backoff::default();
        for number in 0..MOST_REMEMBERED + 10 {
            backoff.begin(HERE, &number.to_string(), now()).unwrap();
        }
        assert!(backoff.failures.lock().unwrap().len() <= MOST_REMEMBERED);
    }
}
