//! Does a flow table carry guests past the wall?
//!
//! An offloaded connection is in no chain any more: no quota, no rate, and no end to it when the time is up.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::Finding;
use crate::admission::nft::Program;
use crate::admission::zone::Zone;

pub fn check(program: &str, zones: &[Zone]) -> Finding {
    let tables = Program::at(program)
        .list("flowtables")
        .ok()
        .and_then(|printed| serde_json::from_slice(&printed).ok());
    let interfaces = zones
        .iter()
        .flat_map(|zone| with_ports(&zone.interface))
        .collect();
    judge(&tables.unwrap_or_default(), &interfaces)
}

/// A bridge is offloaded by its ports.
fn with_ports(interface: &str) -> Vec<String> {
    let ports = Path::new("/sys/class/net").join(interface).join("brif");
    let mut names = vec![interface.to_owned()];
    for port in fs_err::read_dir(ports).into_iter().flatten().flatten() {
        names.push(port.file_name().to_string_lossy().into_owned());
    }
    names
}

fn judge(tables: &Value, guests: &BTreeSet<String>) -> Finding {
    const CHECK: &str = "flow offload";
    let carried: BTreeSet<_> = devices(tables)
        .filter(|device| guests.contains(*device))
        .collect();
    if carried.is_empty() {
        return Finding::good(CHECK, "no guest network is in a flow table");
    }
    let carried: Vec<_> = carried.into_iter().collect();
    Finding::warning(
        CHECK,
        format!(
            "{} is in a flow table: quotas, rates and the end of a session do not reach what is offloaded",
            carried.join(", ")
        ),
        "switch flow_offloading off in /etc/config/firewall, or keep guests out of the table",
    )
}

/// The devices of every flow table in what `nft -j list flowtables` prints.
fn devices(tables: &Value) -> impl Iterator<Item = &str> {
    let objects = tables["nftables"].as_array().into_iter().flatten();
    objects
        .map(|object| &object["flowtable"]["dev"])
        // One device stands alone, several in a list.
        .flat_map(|dev| {
            dev.as_array()
                .map_or(std::slice::from_ref(dev), Vec::as_slice)
        })
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_guest_network_in_a_flow_table_is_a_warning() {
        let guests = BTreeSet::from(["br-guest".to_owned(), "wlan0".to_owned()]);
        for (dev, health) in [
            (r#"["eth0","wlan0"]"#, Health::Warning),
            (r#""br-guest""#, Health::Warning),
            (r#"["eth0","lan1"]"#, Health::Good),
        ] {
            let printed = format!(
                r#"{{"nftables":[{{"metainfo":{{"version":"1.0.6"}}}},{{"flowtable":{{"name":"ft","dev":{dev}}}}}]}}"#
            );
            let tables = serde_json::from_str(&printed).unwrap();
            assert_eq!(judge(&tables, &guests).health, health, "{dev}");
        }
        assert_eq!(judge(&Value::Null, &guests).health, Health::Good);
    }
}
