//! Is a guest network there, and is the box in it?

use std::path::Path;

use super::Finding;
use super::addresses::Addresses;
use crate::admission::zone::Zone;

pub fn check(zone: &Zone) -> Finding {
    const CHECK: &str = "guest network";
    let (name, interface) = (&zone.name, &zone.interface);
    let class = Path::new("/sys/class/net").join(interface);
    if !class.exists() {
        return Finding::bad(
            CHECK,
            format!("zone {name}: there is no interface {interface}"),
            "make the bridge or VLAN, or set `interface` of the [[admission.zone]] to the one that guests are in",
        );
    }
    let state = fs_err::read_to_string(class.join("operstate")).unwrap_or_default();
    let addresses = match Addresses::of(interface) {
        Ok(addresses) => addresses,
        Err(error) => return Finding::bad(CHECK, error.to_string(), "run this on the box itself"),
    };
    judge(zone, state.trim(), &addresses)
}

fn judge(zone: &Zone, state: &str, addresses: &Addresses) -> Finding {
    const CHECK: &str = "guest network";
    let (name, interface) = (&zone.name, &zone.interface);
    let v6: Vec<_> = addresses.v6.iter().map(ToString::to_string).collect();
    match (addresses.v4, state) {
        (_, "down") => Finding::bad(
            CHECK,
            format!("zone {name}: {interface} is down"),
            "switch the Wi-Fi or the cable behind it on: a bridge is down as long as nothing in it is up",
        ),
        (None, _) => Finding::bad(
            CHECK,
            format!("zone {name}: {interface} has no IPv4 address"),
            "give the box an address in the guest network; phones find the portal at it",
        ),
        (Some(v4), _) if v6.is_empty() => Finding::good(
            CHECK,
            format!("zone {name}: {interface} is {v4}; guests have no IPv6"),
        ),
        (Some(v4), _) => Finding::good(
            CHECK,
            format!("zone {name}: {interface} is {v4}, {}", v6.join(", ")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::zone::{Ports, ZoneName};
    use crate::doctor::Health;

    #[test]
    fn an_interface_that_is_missing_down_or_without_an_address_is_told_apart() {
        let mut zone = Zone {
            name: ZoneName::try_from("guest".to_owned()).unwrap(),
            interface: "no-such-bridge".to_owned(),
            ports: Ports {
                http: 2080,
                https: None,
            },
        };
        let missing = check(&zone);
        assert_eq!(missing.health, Health::Bad);
        assert!(
            missing.what.contains("there is no interface"),
            "{missing:?}"
        );

        zone.interface = "br-guest".to_owned();
        let mut addresses = Addresses::default();
        assert!(judge(&zone, "up", &addresses).what.contains("no IPv4"));
        addresses.v4 = Some([10, 77, 0, 1].into());
        assert!(judge(&zone, "down", &addresses).what.ends_with("is down"));
        assert_eq!(judge(&zone, "up", &addresses).health, Health::Good);
    }
}
