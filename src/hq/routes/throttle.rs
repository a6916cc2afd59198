//! At most so many per minute of what a stranger can cause.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Counts in windows of a minute.
#[derive(Debug)]
pub struct Throttle {
    per_minute: u32,
    window: Mutex<(Timestamp, u32)>,
}

impl Throttle {
    pub fn per_minute(per_minute: u32) -> Self {
        Self {
            per_minute,
            window: Mutex::new((Timestamp::MIN, 0)),
        }
    }

    /// Whether one more is within the limit.
    pub fn admits(&self, now: Timestamp) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(window.0).abs() >= WINDOW {
            *window = (now, 0);
        }
        window.1 = window.1.saturating_add(1);
        window.1 <= self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::testing::now;

    #[test]
    fn what_is_over_the_limit_waits_for_the_next_minute() {
        let throttle = Throttle::per_minute(2);
        let admitted: Vec<_> = (0..3).map(|_| throttle.admits(now())).collect();
        assert_eq!(admitted, [true, true, false]);
        assert!(throttle.admits(now() + WINDOW));
    }
}
