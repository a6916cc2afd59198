//! The wall that touches no kernel: `admission.firewall = "dry"`, for trying out, the demo and tests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Mac;
use super::firewall::{Entry, Firewall, FirewallError, Mark, OnStop, Traffic};
use super::neighbours::{Neighbour, Neighbours};
use super::zone::ZoneName;

/// Remembers what a real firewall would enforce.
#[derive(Debug, Default)]
pub struct DryFirewall {
    entries: Mutex<BTreeMap<Mac, Entry>>,
}

impl DryFirewall {
    /// The devices that a real firewall would let through.
    pub fn admitted(&self) -> Vec<Mac> {
        self.entries().keys().copied().collect()
    }

    /// What a real firewall would hold for a device.
    pub fn entry(&self, mac: Mac) -> Option<Entry> {
        self.entries().get(&mac).cloned()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Mac, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Firewall for DryFirewall {
    fn set_up(&self, entries: &[Entry]) -> Result<(), FirewallError> {
        *self.entries() = entries
            .iter()
            .map(|entry| (entry.mac, entry.clone()))
            .collect();
        Ok(())
    }

    fn admit(&self, entry: &Entry) -> Result<(), FirewallError> {
        self.entries().insert(entry.mac, entry.clone());
        Ok(())
    }

    fn remove(&self, mac: Mac, _mark: Mark) -> Result<(), FirewallError> {
        self.entries().remove(&mac);
        Ok(())
    }

    fn traffic(&self) -> Result<Vec<Traffic>, FirewallError> {
        Ok(Vec::new())
    }

    fn wan(&self, _is_up: bool) -> Result<(), FirewallError> {
        Ok(())
    }

    fn take_down(&self, _on_stop: OnStop) -> Result<(), FirewallError> {
        Ok(())
    }
}

/// Takes an IP address for a device: without the kernel's table there is nothing better.
#[derive(Debug, Clone)]
pub struct ByAddress {
    pub zone: ZoneName,
}

impl Neighbours for ByAddress {
    fn find(&self, address: IpAddr) -> Option<Neighbour> {
        let mac = match address {
            IpAddr::V4(four) => {
                let [a, b, c, d] = four.octets();
                // Locally administered (IEEE 802, 8.4), as every made-up address must be.
                Mac([0x02, 0x04, a, b, c, d])
            }
            IpAddr::V6(six) => {
                let [a, b, c, d] = crc32fast::hash(&six.octets()).to_be_bytes();
                Mac([0x02, 0x06, a, b, c, d])
            }
        };
        Some(Neighbour {
            mac,
            zone: self.zone.clone(),
        })
    }
}
