//! A wall clock that is wrong, for a process and nobody else.

use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;

use super::process::compile;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/wrong_clock.c");

/// By how much a process's wall clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ClockOff {
    seconds: i64,
}

impl ClockOff {
    pub(crate) const fn days(days: i64) -> Self {
        Self {
            seconds: days * 24 * 3600,
        }
    }

    /// The clock says `time` now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test sets other people's clocks"
    )]
    pub(crate) fn to(time: &str) -> Self {
        let time: Timestamp = time.parse().unwrap();
        Self {
            seconds: time.as_second() - Timestamp::now().as_second(),
        }
    }

    /// Puts the clock off for a program that is about to start.
    pub(crate) fn set(self, mut command: Command) -> Command {
        if self != Self::default() {
            let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wrong_clock.so");
            compile(SOURCE, &library);
            command
                .env("LD_PRELOAD", library)
                .env("CLOCK_OFF_SECONDS", self.seconds.to_string());
        }
        command
    }
}
