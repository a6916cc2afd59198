//! Which device may pass the Wi-Fi wall, and for how long.
//!
//! The list of sessions lives here; [`plan`](mod@plan) says what a firewall has to change, and a firewall
//! changes it. A device can only ever be admitted by a request that comes from itself.

pub mod dry;
pub mod firewall;
pub mod neighbours;
pub mod plan;
pub mod zone;

pub use crate::domain::wifi::Mac;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use plan::{Enforce, plan};

/// A device, by the address it speaks from. It stands in memory only and is never logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(pub IpAddr);

/// More devices than a router's Wi-Fi can carry.
const MOST_SESSIONS: usize = 2_000;

/// The devices that are admitted, and the firewall that enforces it.
pub struct Wall {
    session: Duration,
    firewall: Box<dyn Enforce>,
    sessions: Mutex<BTreeMap<Device, Timestamp>>,
}

/// The wall has no room for one more device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_SESSIONS} devices are admitted and no session has ended")]
pub struct Full;

impl Wall {
    pub fn new(session: Duration, firewall: Box<dyn Enforce>) -> Self {
        Self {
            session,
            firewall,
            sessions: Mutex::default(),
        }
    }

    /// Lets `device` through until its session ends; asking again begins the session anew.
    pub fn admit(&self, device: Device, now: Timestamp) -> Result<(), Full> {
        let session = SignedDuration::try_from(self.session).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(session).unwrap_or(Timestamp::MAX);
        let mut sessions = self.lock();
        let before: Vec<_> = sessions.keys().copied().collect();
        sessions.retain(|_, end| *end > now);
        if sessions.len() >= MOST_SESSIONS && !sessions.contains_key(&device) {
            self.enforce(&before, &sessions);
            return Err(Full);
        }
        sessions.insert(device, until);
        self.enforce(&before, &sessions);
        Ok(())
    }

    pub fn is_admitted(&self, device: Device, now: Timestamp) -> bool {
        self.lock().get(&device).is_some_and(|end| *end > now)
    }

    /// Ends the sessions whose time is over.
    pub fn sweep(&self, now: Timestamp) {
        let mut sessions = self.lock();
        let before: Vec<_> = sessions.keys().copied().collect();
        sessions.retain(|_, end| *end > now);
        self.enforce(&before, &sessions);
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn enforce(&self, before: &[Device], sessions: &BTreeMap<Device, Timestamp>) {
        let wanted: Vec<_> = sessions.keys().copied().collect();
        self.firewall.apply(&plan(&wanted, before));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Device, Timestamp>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::dry::DryFirewall;
    use super::*;

    fn device(last: u8) -> Device {
        Device(IpAddr::from([192, 168, 9, last]))
    }

    #[test]
    fn a_session_ends_on_time_and_the_firewall_hears_of_it() {
        let firewall = Arc::new(DryFirewall::default());
        let wall = Wall::new(Duration::from_secs(60), Box::new(Arc::clone(&firewall)));
        let start: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        wall.admit(device(1), start).unwrap();
        wall.admit(device(2), start + SignedDuration::from_secs(30))
            .unwrap();
        assert!(wall.is_admitted(device(1), start));
        assert!(!wall.is_admitted(device(3), start));

        let later = start + SignedDuration::from_secs(61);
        assert!(!wall.is_admitted(device(1), later));
        wall.sweep(later);
        assert_eq!(firewall.admitted(), [device(2)].into());
    }
}
