//! Setting the firewall up with everybody who is in, and taking it down. It starts a process, so none of it is
//! for a thread that serves; those go on meanwhile.

use std::time::Duration;

use tokio::time::timeout;

use super::Wall;
use crate::admission::firewall::{Entry, FirewallError, OnStop};
use crate::ops::metrics;

/// Who taps while the wall is being set up waits for it so long at most; it takes tens of milliseconds.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

impl Wall {
    /// Sets the firewall up with everybody who is in, also after somebody has flushed it. It starts a process,
    /// and is not for a thread that serves; those go on meanwhile, and only letting a device in has to wait.
    pub fn set_up(&self) -> Result<(), FirewallError> {
        let _one_at_a_time = self.setting_up();
        let entries = self.begin_setting_up();
        let done = self.parts.firewall.set_up(&entries);
        self.end_setting_up(&done);
        done
    }

    /// Why the firewall does not hold what it should, since it could not be set up.
    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    fn begin_setting_up(&self) -> Vec<Entry> {
        let now = self.now();
        let mut state = self.lock();
        state.is_off = true;
        state.is_setting_up = true;
        self.is_settled.send_replace(false);
        if let Ok(traffic) = self.parts.firewall.traffic() {
            state.book.count(&traffic, now);
        }
        state.book.entries(now)
    }

    fn end_setting_up(&self, done: &Result<(), FirewallError>) {
        let now = self.now();
        let mut state = self.lock();
        state.is_setting_up = false;
        state.is_off = done.is_err();
        state.trouble = done.as_ref().err().map(ToString::to_string);
        metrics::set(metrics::WALL_TROUBLE, state.is_off.into());
        for (mac, mark) in std::mem::take(&mut state.left_meanwhile) {
            self.take_out(&mut state, mac, mark);
        }
        if done.is_ok() {
            state.book.begin_counting();
            // What the kernel has counted up to here is known nowhere else.
            self.keep_all(&mut state, now);
        }
        self.is_settled.send_replace(true);
    }

    /// Waits until the firewall is not being set up; not for ever.
    pub async fn settled(&self) {
        let mut is_settled = self.is_settled.subscribe();
        let settled = is_settled.wait_for(|is_settled| *is_settled);
        // Who has waited in vain is told so by the wall.
        timeout(SETTLES_WITHIN, settled).await.ok();
    }

    /// Keeps the sessions as they are and leaves the wall as `on_stop` says.
    pub fn take_down(&self, on_stop: OnStop) -> Result<(), FirewallError> {
        // A setting up that ended later would put back what is taken down.
        let _nobody_sets_up = self.setting_up();
        let now = self.now();
        let mut state = self.lock();
        if let Ok(traffic) = self.parts.firewall.traffic() {
            state.book.count(&traffic, now);
        }
        self.keep_all(&mut state, now);
        // Dropped, it has written all.
        state.keeper = None;
        self.parts.firewall.take_down(on_stop)
    }
}
