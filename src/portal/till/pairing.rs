//! One-time codes that pair a till device with this gateway.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::ids::{Issuer, ShortCode};
use crate::ops::clock::Clock;
use crate::ops::files::random;

/// A pairing code is typed within minutes, or asked for again.
const VALID_FOR: Duration = Duration::from_secs(10 * 60);

/// Wrong guesses after which the code is void: each hits one time in 27 million.
const MOST_WRONG: u32 = 5;

/// The code that is out, if any. Only one at a time; it does not outlive the process, nor need it.
#[derive(Debug, Default)]
pub struct Pairing(Mutex<Option<Out>>);

#[derive(Debug)]
struct Out {
    code: ShortCode,
    until: Duration,
    wrong: u32,
}

impl Pairing {
    /// Gives out a new code; the one before is void.
    pub fn give_out(&self, clock: &dyn Clock) -> ShortCode {
        let code = ShortCode::from_entropy(u64::from_be_bytes(random()), 5, Issuer::Store);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Out {
            code,
            until: clock.since_boot() + VALID_FOR,
            wrong: 0,
        });
        code
    }

    /// Whether `typed` is the code that is out; it works once.
    pub(super) fn redeem(&self, typed: &str, clock: &dyn Clock) -> bool {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = place.as_mut() else {
            return false;
        };
        let fits = ShortCode::parse(typed).is_ok_and(|typed| typed == out.code)
            && clock.since_boot() < out.until;
        if !fits {
            out.wrong += 1;
        }
        if fits || out.wrong >= MOST_WRONG {
            *place = None;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::clock::SystemClock;

    #[test]
    fn a_pairing_code_works_once() {
        let pairing = Pairing::default();
        assert!(!pairing.redeem("ABCDE", &SystemClock));
        let code = pairing.give_out(&SystemClock);
        assert!(pairing.redeem(&code.as_str().to_lowercase(), &SystemClock));
        assert!(!pairing.redeem(code.as_str(), &SystemClock));
    }

    #[test]
    fn five_wrong_guesses_void_the_code() {
        let pairing = Pairing::default();
        let code = pairing.give_out(&SystemClock);
        for _ in 0..5 {
            assert!(!pairing.redeem("22", &SystemClock));
        }
        assert!(!pairing.redeem(code.as_str(), &SystemClock));
    }
}
