//! How much of headquarters one gateway may have, and how much all of them: refused early, before anything
//! costs much, and told when to come again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::ids::GatewayId;

/// Batches that are read and written at a time. Each may unpack to 4 MiB, and the ledger takes some twenty
/// full ones into a transaction; what is past that only waits in memory.
const AT_A_TIME: usize = 64;

/// Requests a second that one gateway may keep up; a backlog of a month is sent within a minute at this rate.
const PER_SECOND: f64 = 20.0;

/// What a gateway that was quiet may send at once.
const AT_ONCE: f64 = 60.0;

/// The longest that a receipt asks a gateway to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Turns for batches.
#[derive(Debug)]
pub struct Admission {
    turns: Arc<Semaphore>,
    size: usize,
    /// One for each gateway that has sent something, so never more than are enrolled.
    buckets: Mutex<HashMap<GatewayId, Bucket>>,
}

/// How much a gateway may send now: it fills up with time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Default for Admission {
    fn default() -> Self {
        Self::of(AT_A_TIME)
    }
}

impl Admission {
    /// With so many turns.
    pub fn of(size: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(size)),
            size,
            buckets: Mutex::default(),
        }
    }

    /// A turn for one batch, while it is held; none when all are taken.
    pub fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Whether this gateway may send one more now.
    pub fn admits(&self, gateway: GatewayId, now: Timestamp) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket {
            tokens: AT_ONCE,
            at: now,
        };
        let bucket = buckets.entry(gateway).or_insert(full);
        // A clock that was set back fills nothing and takes nothing.
        let since = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = since.mul_add(PER_SECOND, bucket.tokens).min(AT_ONCE);
        bucket.at = now;
        let admits = bucket.tokens >= 1.0;
        if admits {
            bucket.tokens -= 1.0;
        }
        admits
    }

    /// How long a gateway that has just been served should leave the others alone: nothing up to half load,
    /// then more with every turn that is taken.
    pub fn wait(&self) -> Duration {
        let half = self.size / 2;
        let taken = self.size - self.turns.available_permits();
        let over = u32::try_from(taken.saturating_sub(half)).unwrap_or(u32::MAX);
        let most = u32::try_from(self.size - half).unwrap_or(u32::MAX).max(1);
        LONGEST_WAIT * over / most
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::hq::testing::now;

    #[test]
    fn a_gateway_that_floods_is_held_to_its_rate_and_no_other_is() {
        let admission = Admission::default();
        let admitted = |gateway, at| {
            (0..200)
                .filter(|_| admission.admits(GatewayId(gateway), at))
                .count()
        };
        assert_eq!(admitted(1, now()), 60);
        assert_eq!(admitted(2, now()), 60);
        assert_eq!(admitted(1, now() + SignedDuration::from_millis(500)), 10);
        assert_eq!(admitted(1, now() + SignedDuration::from_hours(1)), 60);
        assert_eq!(admitted(1, now() - SignedDuration::from_hours(9)), 0);
    }

    #[test]
    fn the_fuller_it_is_the_longer_a_receipt_asks_to_wait() {
        let admission = Admission::of(4);
        let mut held = Vec::new();
        let mut waits = vec![admission.wait()];
        while let Some(turn) = admission.turn() {
            held.push(turn);
            waits.push(admission.wait());
        }
        let seconds = [0.0, 0.0, 0.0, 2.5, 5.0].map(Duration::from_secs_f64);
        assert_eq!(waits, seconds);
        drop(held);
        assert_eq!(admission.wait(), Duration::ZERO);
    }
}
