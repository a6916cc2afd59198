//! Where "now" comes from: the one place that reads the system's clocks.
//!
//! A rule never asks for the time; it is given it. What runs in a shop takes its clock as a value, so that
//! a test can stand still and the demo can run ten shop days in twenty seconds.

mod anchored;
mod record;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

pub use anchored::Anchored;
pub use record::{Known, Placed};

/// Tells the time of day and how long this boot has lasted.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: what a diner's coupon and a manager's figures go by.
    fn now(&self) -> Timestamp;

    /// Time since the machine started, suspended time included; never steps.
    fn since_boot(&self) -> Duration;

    /// None where this clock can be relied on; otherwise a time that has certainly passed.
    fn doubt(&self) -> Option<Timestamp> {
        None
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock everybody else takes"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn since_boot(&self) -> Duration {
        since_boot()
    }

    fn doubt(&self) -> Option<Timestamp> {
        Some(record::OLDEST)
    }
}

/// `CLOCK_BOOTTIME`: unlike the monotonic clock it counts the time a box slept.
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// A clock that stands where it is set: for tests.
#[derive(Debug)]
pub struct TestClock {
    unix_millis: AtomicI64,
}

impl TestClock {
    pub fn at(now: Timestamp) -> Self {
        Self {
            unix_millis: AtomicI64::new(now.as_millisecond()),
        }
    }

    pub fn set(&self, now: Timestamp) {
        self.unix_millis
            .store(now.as_millisecond(), Ordering::SeqCst);
    }

    pub fn advance(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).expect("a test moves by less than an age");
        self.unix_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.unix_millis.load(Ordering::SeqCst))
            .expect("set from a timestamp")
    }

    fn since_boot(&self) -> Duration {
        since_boot()
    }
}

/// A clock that runs faster than time for a while, then at its pace: the demo's compressed calendar.
///
/// Only what the shop goes by is compressed; time-outs, TLS and back-off stay on real time.
#[derive(Debug)]
pub struct FastClock {
    start: Timestamp,
    started: Instant,
    factor: u32,
    fast_for: Duration,
}

impl FastClock {
    /// Begins at `start` and runs `factor` times as fast as time for `fast_for` of real time.
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn new(start: Timestamp, factor: u32, fast_for: Duration) -> Self {
        Self {
            start,
            started: Instant::now(),
            factor,
            fast_for,
        }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        let real = self.started.elapsed();
        let fast = real.min(self.fast_for);
        let run = fast * self.factor + (real - fast);
        let run = SignedDuration::try_from(run).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(run).unwrap_or(Timestamp::MAX)
    }

    fn since_boot(&self) -> Duration {
        since_boot()
    }
}

/// A number for this boot of the machine: the same for every process until the next boot.
pub fn boot_number() -> u32 {
    let id = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    crc32fast::hash(id.trim().as_bytes())
}
