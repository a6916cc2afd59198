//! How long to wait after a failure: decorrelated jitter, so that a thousand routers that come back after
//! an outage do not all knock at once.
//!
//! The formula is the one of M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015):
//! a random time between the base and three times the last wait, at most the cap.

use std::time::Duration;

pub const BASE: Duration = Duration::from_secs(1);
pub const CAP: Duration = Duration::from_secs(600);

/// The waits of one row of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    last: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { last: BASE }
    }
}

impl Backoff {
    /// The next wait; `chance` is uniform in 0 to 1.
    pub fn next(&mut self, chance: f64) -> Duration {
        let most = (self.last * 3).min(CAP);
        let spread = most.saturating_sub(BASE).mul_f64(chance.clamp(0.0, 1.0));
        self.last = (BASE + spread).min(CAP);
        self.last
    }

    /// A success: the next failure begins at the base again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_ten_minutes_and_no_further() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(waits, [3, 9, 27, 81, 243, 600, 600, 600]);
        backoff.reset();
        assert_eq!(backoff.next(0.0), BASE);
    }
}
