//! Why a name is open, or is not, to a device that has not been let in: `maitred doctor garden NAME`.
//!
//! It follows the way of a phone: the rule in the bundle, the resolver's answer, the kernel's set.

use std::net::IpAddr;

use super::Finding;
use super::addresses::Addresses;
use super::dns::{NoAnswer, ask};
use super::names::list;
use crate::admission::garden::{Garden, Rule, Sets, Version};
use crate::admission::nft::Program;
use crate::admission::zone::Zone;
use crate::domain::wifi::is_check_host;

const CHECK: &str = "garden";

/// What is found on the way.
#[derive(Debug)]
struct Seen {
    answer: Result<Vec<IpAddr>, NoAnswer>,
    /// Addresses that are not in the kernel's set.
    missing: Vec<IpAddr>,
}

pub async fn check(program: &str, zones: &[Zone], garden: &Garden, name: &str) -> Vec<Finding> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let mut findings = Vec::new();
    if is_check_host(&name) {
        findings.push(Finding::good(
            CHECK,
            format!(
                "{name} is what phones ask to find out whether they are online: its port 80 leads to the portal until they are let in, whatever a garden says"
            ),
        ));
    }
    let rules = garden.covering(&name);
    for zone in zones {
        let rule = rules.iter().find(
            |(_, sets)| matches!(sets, Sets::Garden(own) | Sets::Pass(own) if **own == zone.name),
        );
        findings.push(match rule {
            None => closed(zone, &name),
            Some(rule) => {
                let seen = look(program, zone, &name, rule.1).await;
                judge(zone, &name, *rule, &seen)
            }
        });
    }
    findings
}

/// Asks the zone's resolver, and whether the wall knows what it answered. (Asking puts it into the set.)
async fn look(program: &str, zone: &Zone, name: &str, sets: Sets<'_>) -> Seen {
    let own = Addresses::of(&zone.interface).ok().and_then(|own| own.v4);
    let resolver = (own.unwrap_or(std::net::Ipv4Addr::LOCALHOST), 53).into();
    let mut addresses = Vec::new();
    for version in Version::BOTH {
        match ask(resolver, name, version).await {
            Ok(found) => addresses.extend(found),
            // A name without the one version most often has the other.
            Err(error) if addresses.is_empty() && version == Version::V6 => {
                return Seen {
                    answer: Err(error),
                    missing: Vec::new(),
                };
            }
            Err(_) => {}
        }
    }
    let nft = Program::at(program);
    let is_held = |address: &IpAddr| {
        let set = sets.name(Version::of(*address));
        nft.holds(&set, *address).unwrap_or_default()
    };
    let missing = addresses
        .iter()
        .copied()
        .filter(|address| !is_held(address));
    Seen {
        missing: missing.collect(),
        answer: Ok(addresses),
    }
}

fn closed(zone: &Zone, name: &str) -> Finding {
    let zone = &zone.name;
    Finding::warning(
        CHECK,
        format!("zone {zone}: no rule covers {name}, so it is closed until a device is let in"),
        &format!(
            "to open it, put it or the domain above it into `always` or `with_pass` of [zone.{zone}.garden] in wifi.toml"
        ),
    )
}

fn judge(zone: &Zone, name: &str, (rule, sets): Rule<'_>, seen: &Seen) -> Finding {
    let to_whom = match sets {
        Sets::Pass(_) => "devices with a temporary pass",
        Sets::Garden(_) | Sets::Checks => "every device",
    };
    let zone = &zone.name;
    let rule = format!("zone {zone}: `{rule}` opens {name} to {to_whom}");
    match &seen.answer {
        Err(error) => Finding::bad(
            CHECK,
            format!("{rule}, but {error}"),
            "a phone cannot open what has no address: look at the checks of the names",
        ),
        Ok(addresses) if addresses.is_empty() => Finding::bad(
            CHECK,
            format!("{rule}, but the resolver has no address for it"),
            "look whether the name is spelled right",
        ),
        Ok(addresses) if seen.missing.is_empty() => {
            Finding::good(CHECK, format!("{rule}: {}", list(addresses)))
        }
        Ok(_) => Finding::bad(
            CHECK,
            format!(
                "{rule}, but the kernel's set does not hold {}",
                list(&seen.missing)
            ),
            "the set is filled by dnsmasq when a phone asks: look whether it was restarted since the list changed, and has nftset (`dnsmasq --version`; OpenWrt: dnsmasq-full). Run the doctor as root.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::zone::{Ports, ZoneName};
    use crate::doctor::Health;

    fn zone() -> Zone {
        Zone {
            name: ZoneName::try_from("guest".to_owned()).unwrap(),
            interface: "no-such-bridge".to_owned(),
            ports: Ports {
                http: 2080,
                https: None,
            },
        }
    }

    #[tokio::test]
    async fn a_name_that_no_rule_covers_is_told_where_to_write_it() {
        let found = check("/no/such/nft", &[zone()], &Garden::default(), "Shop.TEST.").await;
        let [finding] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(finding.health, Health::Warning);
        assert!(
            finding.what.contains("no rule covers shop.test"),
            "{finding:?}"
        );
        let checks = check("/no/such/nft", &[], &Garden::default(), "captive.apple.com").await;
        assert!(checks[0].what.contains("port 80 leads to the portal"));
    }

    #[test]
    fn each_step_that_fails_is_named() {
        let zone = zone();
        let address = IpAddr::from([198, 51, 100, 9]);
        let judge = |answer, missing: &[IpAddr]| {
            let missing = missing.to_vec();
            let seen = Seen { answer, missing };
            judge(&zone, "a.qq.com", ("qq.com", Sets::Pass(&zone.name)), &seen)
        };
        let good = judge(Ok(vec![address]), &[]);
        assert_eq!(good.health, Health::Good);
        assert!(
            good.what.contains("devices with a temporary pass"),
            "{good:?}"
        );
        let unknown = judge(Err(NoAnswer::Code(3)), &[]);
        assert!(unknown.what.contains("no such name"), "{unknown:?}");
        let unfilled = judge(Ok(vec![address]), &[address]);
        assert!(
            unfilled.what.ends_with("does not hold 198.51.100.9"),
            "{unfilled:?}"
        );
    }
}
