//! What dnsmasq still has to be told, and when it may be. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::tell::Changed;

/// Between two restarts, which take every name away for a moment while somebody edits a list line by line; and
/// before what did not work is tried again.
const PAUSE: Duration = Duration::from_secs(30);

/// How to tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Restart,
    /// Forget, and read again what can be.
    Reread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    restart: bool,
    reread: bool,
    restart_not_before: Instant,
    reread_not_before: Instant,
}

impl Due {
    /// At the start names have to be looked up anew: whoever sets up the wall has just made the sets.
    pub(super) const fn at_start(now: Instant, restart: bool) -> Self {
        Self {
            restart,
            reread: true,
            restart_not_before: now,
            reread_not_before: now,
        }
    }

    /// Files have changed; `can_restart` where there is a command for it.
    pub(super) fn add(&mut self, changed: Changed, can_restart: bool) {
        self.restart |= changed.conf && can_restart;
        self.reread |= changed.reread;
    }

    pub(super) const fn add_reread(&mut self) {
        self.reread = true;
    }

    pub(super) fn next(&self, now: Instant) -> Option<Step> {
        if self.restart && now >= self.restart_not_before {
            Some(Step::Restart)
        } else if self.reread && now >= self.reread_not_before {
            Some(Step::Reread)
        } else {
            None
        }
    }

    /// A step was taken at `now`.
    pub(super) fn taken(&mut self, step: Step, worked: bool, now: Instant) {
        match (step, worked) {
            // A new dnsmasq has read everything.
            (Step::Restart, true) => (self.restart, self.reread) = (false, false),
            (Step::Reread, true) => self.reread = false,
            (Step::Reread, false) => self.reread_not_before = now + PAUSE,
            (Step::Restart, false) => {}
        }
        if step == Step::Restart {
            self.restart_not_before = now + PAUSE;
        }
    }

    /// The files could not even be written.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.reread = true;
        self.restart_not_before = now + PAUSE;
        self.reread_not_before = now + PAUSE;
    }

    /// When to look again, if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let restart = self.restart.then_some(self.restart_not_before);
        let reread = self.reread.then_some(self.reread_not_before);
        restart.into_iter().chain(reread).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: Changed = Changed {
        conf: true,
        reread: false,
    };
    const HOSTS: Changed = Changed {
        conf: false,
        reread: true,
    };

    fn settled(now: Instant) -> Due {
        let mut due = Due::at_start(now, false);
        due.taken(Step::Reread, true, now);
        due
    }

    #[tokio::test]
    async fn restarts_are_half_a_minute_apart_and_a_reread_does_not_wait_for_one() {
        let start = Instant::now();
        let mut due = settled(start);
        due.add(CONF, true);
        assert_eq!(due.next(start), Some(Step::Restart));
        due.taken(Step::Restart, true, start);
        assert_eq!((due.next(start), due.wake_at()), (None, None));

        let soon = start + Duration::from_secs(1);
        due.add(CONF, true);
        assert_eq!(due.next(soon), None);
        due.add(HOSTS, true);
        assert_eq!(due.next(soon), Some(Step::Reread));
        due.taken(Step::Reread, true, soon);
        assert_eq!(due.wake_at(), Some(start + PAUSE));
        assert_eq!(due.next(start + PAUSE), Some(Step::Restart));
    }

    #[tokio::test]
    async fn what_does_not_work_is_tried_again_later() {
        let start = Instant::now();
        for (changed, step) in [(CONF, Step::Restart), (HOSTS, Step::Reread)] {
            let mut due = settled(start);
            due.add(changed, true);
            assert_eq!(due.next(start), Some(step));
            due.taken(step, false, start);
            assert_eq!(due.next(start), None);
            assert_eq!(due.wake_at(), Some(start + PAUSE));
            assert_eq!(due.next(start + PAUSE), Some(step));
        }
    }

    #[tokio::test]
    async fn without_a_command_nothing_is_restarted() {
        let start = Instant::now();
        let mut due = settled(start);
        due.add(CONF, false);
        assert_eq!((due.next(start), due.wake_at()), (None, None));
    }
}
