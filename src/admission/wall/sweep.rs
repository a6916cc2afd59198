//! What the wall does by itself every few seconds: it counts, ends what is over and follows the policy.

use std::sync::TryLockError;
use std::time::Duration;

use super::{State, Wall, keep};
use crate::admission::book::Now;
use crate::admission::firewall::FirewallError;
use crate::admission::kept::Record;
use crate::admission::zone::ZoneName;
use crate::ops::metrics;

/// How often every session is written anew, so that a power cut gives back no more time than that.
const KEEP_EVERY: Duration = Duration::from_secs(300);

/// Of more sessions that change at once the firewall hears by being set up anew, which holds nobody up.
const MOST_ONE_BY_ONE: usize = 64;

impl Wall {
    /// Ends what is over; to be called every few seconds. Sets the firewall up anew where it had fallen behind,
    /// and so is not for a thread that serves.
    pub fn sweep(&self) {
        let not_set_up_now = match self.setting_up.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // What the kernel counts begins at nothing in between; the next sweep sees it whole.
            Err(TryLockError::WouldBlock) => return,
        };
        let now = self.now();
        let mut state = self.lock();
        for mac in state.book.forget(now) {
            keep(&state, Record::Gone { mac });
        }
        metrics::set(metrics::DEVICES_ADMITTED, state.book.iter().count() as u64);
        if state.book.iter().next().is_none() && !state.is_off {
            return;
        }
        self.date(&mut state);
        let traffic = self.parts.firewall.traffic();
        state.is_off |= matches!(traffic, Err(FirewallError::Gone));
        let has_counted = traffic.is_ok();
        state.book.count(&traffic.unwrap_or_default(), now);
        let is_open = |zone: &ZoneName| (self.parts.is_open)(zone, now.at);
        for (mac, reason) in state.book.over(is_open, now) {
            self.end(&mut state, mac, reason, now);
        }
        if has_counted {
            self.follow_the_policy(&mut state, now);
        }
        if now.since_boot().saturating_sub(state.kept_at) >= KEEP_EVERY {
            self.keep_all(&mut state, now);
        }
        let is_off = state.is_off;
        drop(state);
        drop(not_set_up_now);
        if is_off && let Err(error) = self.set_up() {
            tracing::error!(%error, "the wall could not be set up; it is tried again");
        }
    }

    /// Gives sessions what the policy of now grants. To be called when it was just counted: a new entry's
    /// counters begin at nothing.
    fn follow_the_policy(&self, state: &mut State, now: Now) {
        let changed = state.book.changed(&self.parts.terms, now);
        if changed.len() > MOST_ONE_BY_ONE {
            for (mac, _, session) in changed {
                state.book.replace(mac, session);
            }
            state.is_off = true;
            return;
        }
        let mut failure = None;
        for (mac, entry, session) in changed {
            match self.put_in(state, &entry) {
                Ok(()) => self.put_down(state, (mac, session), now),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            tracing::warn!(%error, "not all sessions follow the Wi-Fi's new rules yet; the next sweep goes on");
        }
    }

    /// Takes off sessions of an earlier boot the time that the box was away, once it knows the time.
    fn date(&self, state: &mut State) {
        let written = self.written();
        if state.undated.is_empty() || !written.is_known() {
            return;
        }
        for (mac, then) in std::mem::take(&mut state.undated) {
            if let Some(passed) = then.passed_unnoticed(written) {
                state.book.shorten(mac, passed);
                // The kernel goes by what it was told.
                state.is_off = true;
            }
        }
    }
}
