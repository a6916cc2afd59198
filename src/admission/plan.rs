//! What a firewall has to change: the difference between the devices wanted and those present.

use super::Device;

/// Enforces who may pass.
pub trait Enforce: Send + Sync + 'static {
    fn apply(&self, plan: &Plan);
}

impl<F: Enforce> Enforce for std::sync::Arc<F> {
    fn apply(&self, plan: &Plan) {
        self.as_ref().apply(plan);
    }
}

/// A firewall's work, in no particular order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub admit: Vec<Device>,
    pub remove: Vec<Device>,
}

/// The way from `present` to `wanted`, which are both in order.
pub fn plan(wanted: &[Device], present: &[Device]) -> Plan {
    Plan {
        admit: without(wanted, present),
        remove: without(present, wanted),
    }
}

fn without(devices: &[Device], others: &[Device]) -> Vec<Device> {
    let missing = |device: &&Device| others.binary_search(device).is_err();
    devices.iter().filter(missing).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn only_the_difference_is_work() {
        let [a, b, c] = [1, 2, 3].map(|last| Device(IpAddr::from([10, 0, 0, last])));
        let plan = plan(&[a, b], &[b, c]);
        assert_eq!((plan.admit, plan.remove), (vec![a], vec![c]));
    }
}
