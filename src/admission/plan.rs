//! What a firewall has to change: the difference between the devices wanted and those present.

use std::collections::BTreeSet;

use super::Device;

/// A firewall's work, in no particular order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub admit: Vec<Device>,
    pub remove: Vec<Device>,
}

/// The way from `present` to `wanted`.
pub fn plan(wanted: &BTreeSet<Device>, present: &BTreeSet<Device>) -> Plan {
    Plan {
        admit: wanted.difference(present).copied().collect(),
        remove: present.difference(wanted).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn only_the_difference_is_work() {
        let [a, b, c] = [1, 2, 3].map(|last| Device(IpAddr::from([10, 0, 0, last])));
        let plan = plan(&[a, b].into(), &[b, c].into());
        assert_eq!((plan.admit, plan.remove), (vec![a], vec![c]));
    }
}
