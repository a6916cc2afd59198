//! What the sender does next: a pure state machine over what waits and what headquarters said.

use std::time::Duration;

use super::backoff::{Backoff, CAP};
use crate::journal::Spool;
use crate::wire::batch::MAX_BATCH_FRAMES;

/// The most bytes of frames in one batch before it is compressed.
pub const MAX_BYTES: usize = 64 * 1024;

/// Between two batches that headquarters did not take.
const BREATH: Duration = Duration::from_millis(100);

/// How long each spool's frames may wait for company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    pub p0: Duration,
    pub p1: Duration,
}

/// Frames that wait in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    pub p0: u64,
    pub p1: u64,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Tell headquarters what we have and hear how far it is.
    Hello,
    Send {
        spool: Spool,
        max_frames: usize,
    },
    /// Nothing until the time has passed or more frames come.
    WaitForCompany(Duration),
    /// Nothing until the time has passed, whatever comes.
    WaitOut(Duration),
    /// Nothing until frames come.
    Sleep,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Hello was answered.
    Greeted,
    /// A batch was committed; headquarters asks to wait so long before the next.
    Committed {
        wait: Duration,
    },
    /// The two did not agree on where a stream stands.
    OutOfStep,
    /// Headquarters wants to hear what there is, or is heard again after it was away.
    AskedForHello,
    /// Frames of a closed stream have been given new numbers.
    MovedOn,
    TooLarge,
    /// Headquarters is busy and names a time.
    Busy {
        after: Duration,
    },
    /// No useful answer.
    Failed,
    /// No answer in time: the batch may have been too much for the line.
    TimedOut,
}

/// The sender's memory. Times are since the same fixed start.
#[derive(Debug)]
pub struct Machine {
    delays: Delays,
    greeted: bool,
    backoff: Backoff,
    not_before: Duration,
    /// Until then it was headquarters that asked to wait.
    asked_to_wait_until: Duration,
    max_frames: usize,
    p0_since: Option<Duration>,
    p1_since: Option<Duration>,
}

impl Machine {
    pub fn new(delays: Delays) -> Self {
        Self {
            delays,
            greeted: false,
            backoff: Backoff::default(),
            not_before: Duration::ZERO,
            asked_to_wait_until: Duration::ZERO,
            max_frames: MAX_BATCH_FRAMES,
            p0_since: None,
            p1_since: None,
        }
    }

    /// The next step at `now`.
    pub fn next(&mut self, waiting: Waiting, now: Duration) -> Step {
        note_since(&mut self.p0_since, waiting.p0, now);
        note_since(&mut self.p1_since, waiting.p1, now);
        if now < self.not_before {
            return Step::WaitOut(self.not_before - now);
        }
        if !self.greeted {
            return Step::Hello;
        }
        let p0_in = self.due_in(self.p0_since, waiting.p0, self.delays.p0, now);
        let p1_in = self.due_in(self.p1_since, waiting.p1, self.delays.p1, now);
        // A capture never waits behind views.
        for (spool, due_in) in [(Spool::P0, p0_in), (Spool::P1, p1_in)] {
            if due_in == Some(Duration::ZERO) {
                return Step::Send {
                    spool,
                    max_frames: self.max_frames,
                };
            }
        }
        match (p0_in, p1_in) {
            (None, None) => Step::Sleep,
            (Some(wait), None) | (None, Some(wait)) => Step::WaitForCompany(wait),
            (Some(p0), Some(p1)) => Step::WaitForCompany(p0.min(p1)),
        }
    }

    /// How long until a spool is to be sent; none while it is empty.
    fn due_in(
        &self,
        since: Option<Duration>,
        frames: u64,
        delay: Duration,
        now: Duration,
    ) -> Option<Duration> {
        let since = since?;
        if frames >= self.max_frames as u64 {
            return Some(Duration::ZERO);
        }
        Some((since + delay).saturating_sub(now))
    }

    /// Takes in what came of a step; `chance` is uniform in 0 to 1.
    pub fn learn(&mut self, said: Said, now: Duration, chance: f64) {
        match said {
            // No reason to be hopeful yet: a headquarters that greets and cannot write would be asked again
            // and again at the shortest wait.
            Said::Greeted => self.greeted = true,
            Said::AskedForHello => {
                self.greeted = false;
                // Whatever failed before may go well now.
                self.not_before = self.not_before.min(self.asked_to_wait_until);
            }
            Said::Committed { wait } => {
                self.backoff.reset();
                self.wait_as_asked(wait, now);
                self.max_frames = (self.max_frames * 2).min(MAX_BATCH_FRAMES);
            }
            Said::Busy { after } => self.wait_as_asked(after, now),
            Said::OutOfStep => {
                // Hello tells where both stand; a wait keeps a lasting disagreement from spinning.
                self.greeted = false;
                self.not_before = now + self.backoff.next(chance);
            }
            // There may be twenty batches of them, so this is no failure; and no success either, which
            // would make a headquarters that closes everything look well.
            Said::MovedOn => self.not_before = now + BREATH,
            Said::TooLarge | Said::TimedOut => {
                self.max_frames = (self.max_frames / 2).max(1);
                self.not_before = now + self.backoff.next(chance);
            }
            Said::Failed => {
                self.greeted = false;
                self.not_before = now + self.backoff.next(chance);
            }
        }
    }

    fn wait_as_asked(&mut self, wait: Duration, now: Duration) {
        self.not_before = now + wait.min(CAP);
        self.asked_to_wait_until = self.not_before;
    }
}

fn note_since(since: &mut Option<Duration>, frames: u64, now: Duration) {
    if frames == 0 {
        *since = None;
    } else if since.is_none() {
        *since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: Delays = Delays {
        p0: Duration::from_secs(2),
        p1: Duration::from_secs(10),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn greeted() -> Machine {
        let mut machine = Machine::new(DELAYS);
        assert_eq!(machine.next(Waiting::default(), at(0)), Step::Hello);
        machine.learn(Said::Greeted, at(0), 0.5);
        machine
    }

    const fn send(spool: Spool, max_frames: usize) -> Step {
        Step::Send { spool, max_frames }
    }

    #[test]
    fn an_empty_journal_lets_the_sender_sleep() {
        assert_eq!(greeted().next(Waiting::default(), at(1)), Step::Sleep);
    }

    #[test]
    fn a_capture_waits_two_seconds_for_company_and_is_sent() {
        let mut machine = greeted();
        let one = Waiting { p0: 1, p1: 0 };
        assert_eq!(machine.next(one, at(5)), Step::WaitForCompany(at(2)));
        assert_eq!(machine.next(one, at(7)), send(Spool::P0, 500));
    }

    #[test]
    fn a_full_batch_does_not_wait() {
        let mut machine = greeted();
        let full = Waiting { p0: 500, p1: 0 };
        assert_eq!(machine.next(full, at(5)), send(Spool::P0, 500));
    }

    #[test]
    fn a_capture_never_waits_behind_views() {
        let mut machine = greeted();
        let both = Waiting { p0: 1, p1: 5_000 };
        assert_eq!(machine.next(both, at(0)), send(Spool::P1, 500));
        assert_eq!(machine.next(both, at(2)), send(Spool::P0, 500));
    }

    #[test]
    fn a_headquarters_that_is_heard_again_is_tried_at_once_unless_it_asked_to_wait() {
        let mut machine = greeted();
        let one = Waiting { p0: 1, p1: 0 };
        for _ in 0..5 {
            machine.learn(Said::Failed, at(0), 1.0);
        }
        assert!(matches!(machine.next(one, at(1)), Step::WaitOut(_)));
        machine.learn(Said::AskedForHello, at(1), 0.5);
        assert_eq!(machine.next(one, at(1)), Step::Hello);

        machine.learn(Said::Busy { after: at(30) }, at(1), 0.5);
        machine.learn(Said::AskedForHello, at(2), 0.5);
        assert_eq!(machine.next(one, at(2)), Step::WaitOut(at(29)));
    }

    #[test]
    fn a_line_that_times_out_gets_smaller_batches_and_recovers() {
        let mut machine = greeted();
        let full = Waiting { p0: 5_000, p1: 0 };
        machine.learn(Said::TimedOut, at(0), 0.0);
        assert_eq!(machine.next(full, at(0)), Step::WaitOut(at(1)));
        assert_eq!(machine.next(full, at(1)), send(Spool::P0, 250));
        for _ in 0..20 {
            machine.learn(Said::TooLarge, at(1), 0.0);
        }
        assert_eq!(machine.next(full, at(10_000)), send(Spool::P0, 1));
        machine.learn(Said::Committed { wait: at(0) }, at(10_000), 0.0);
        assert_eq!(machine.next(full, at(10_000)), send(Spool::P0, 2));
    }

    #[test]
    fn after_a_failure_headquarters_is_greeted_again() {
        let mut machine = greeted();
        let one = Waiting { p0: 1, p1: 0 };
        machine.learn(Said::Failed, at(0), 1.0);
        assert_eq!(machine.next(one, at(1)), Step::WaitOut(at(2)));
        assert_eq!(machine.next(one, at(3)), Step::Hello);
    }

    #[test]
    fn a_headquarters_that_greets_and_cannot_write_is_asked_less_and_less_often() {
        let mut machine = greeted();
        let one = Waiting { p0: 1, p1: 0 };
        let mut now = at(100);
        let mut waits = Vec::new();
        for _ in 0..6 {
            machine.learn(Said::Failed, now, 1.0);
            let Step::WaitOut(wait) = machine.next(one, now) else {
                panic!("a failure is waited out");
            };
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(machine.next(one, now), Step::Hello);
            machine.learn(Said::Greeted, now, 0.0);
        }
        assert_eq!(waits, [3, 9, 27, 81, 243, 600]);
    }

    #[test]
    fn nobody_can_park_the_sender_for_longer_than_ten_minutes() {
        let one = Waiting { p0: 1, p1: 0 };
        let never = Duration::from_secs(u64::MAX);
        for said in [Said::Busy { after: never }, Said::Committed { wait: never }] {
            let mut machine = greeted();
            machine.learn(said, at(0), 0.0);
            assert_eq!(machine.next(one, at(0)), Step::WaitOut(CAP));
        }
    }

    #[test]
    fn a_long_queue_of_a_closed_stream_is_moved_without_backing_off() {
        let mut machine = greeted();
        let one = Waiting { p0: 1, p1: 0 };
        for round in 0..20 {
            machine.learn(Said::MovedOn, at(round), 1.0);
            assert_eq!(machine.next(one, at(round)), Step::WaitOut(BREATH));
        }
        assert_eq!(machine.next(one, at(30)), send(Spool::P0, 500));
    }

    #[test]
    fn headquarters_says_when_it_is_busy() {
        let mut machine = greeted();
        let one = Waiting { p0: 1, p1: 0 };
        machine.learn(Said::Busy { after: at(30) }, at(0), 0.0);
        assert_eq!(machine.next(one, at(10)), Step::WaitOut(at(20)));
        assert_eq!(machine.next(one, at(30)), send(Spool::P0, 500));
    }
}
