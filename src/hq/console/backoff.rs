//! Waiting after wrong passwords: from the same address for the same login, longer each time, with an end.
//!
//! The administrator who signs in from elsewhere is not locked out by whoever guesses here.

use std::collections::HashMap;
use std::net::IpAddr;
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
    /// Whole seconds that `login` has to wait at this address; none when it may try.
    pub(super) fn wait(&self, address: IpAddr, login: &str, now: Timestamp) -> Option<i64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let until = failures.get(&(address, login.to_owned()))?.wait_until();
        let left = until.duration_since(now);
        left.is_positive().then(|| left.as_secs() + 1)
    }

    pub(super) fn note_failure(&self, address: IpAddr, login: &str, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST_REMEMBERED {
            forget_old(&mut failures, now);
        }
        let entry = failures
            .entry((address, login.to_owned()))
            .or_insert(Failures {
                count: 0,
                last: now,
            });
        if now.duration_since(entry.last) > FORGOTTEN_AFTER {
            entry.count = 0;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
    }

    pub(super) fn note_success(&self, address: IpAddr, login: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&(address, login.to_owned()));
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
        let mut waits = Vec::new();
        for _ in 0..12 {
            backoff.note_failure(HERE, "admin", now());
            waits.push(backoff.wait(HERE, "admin", now()));
        }
        assert_eq!(waits[..3], [None, None, None]);
        assert_eq!(waits[3..6], [Some(3), Some(5), Some(9)]);
        assert_eq!(waits[11], Some(61));
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(backoff.wait(elsewhere, "admin", now()), None);
        assert_eq!(backoff.wait(HERE, "admin", now() + LONGEST), None);
        backoff.note_success(HERE, "admin");
        assert_eq!(backoff.wait(HERE, "admin", now()), None);
    }

    #[test]
    fn failures_are_bounded_whoever_knocks() {
        let backoff = Backoff::default();
        for number in 0..MOST_REMEMBERED + 10 {
            backoff.note_failure(HERE, &number.to_string(), now());
        }
        assert!(backoff.failures.lock().unwrap().len() <= MOST_REMEMBERED);
    }
}
