//! The firewall that keeps the list and touches no kernel: `admission.firewall = "dry"`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Device;
use super::plan::{Enforce, Plan};

/// Remembers what a real firewall would enforce.
#[derive(Debug, Default)]
pub struct DryFirewall {
    admitted: Mutex<BTreeSet<Device>>,
}

impl DryFirewall {
    /// The devices that a real firewall would let through.
    pub fn admitted(&self) -> BTreeSet<Device> {
        self.admitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Enforce for DryFirewall {
    fn apply(&self, plan: &Plan) {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.extend(&plan.admit);
        admitted.retain(|device| !plan.remove.contains(device));
    }
}
