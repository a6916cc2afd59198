//! Does the resolver say to guests what leads them to the portal?

use std::net::{IpAddr, Ipv4Addr};

use super::Finding;
use super::addresses::Addresses;
use super::dns::{NoAnswer, ask};
use crate::admission::garden::Version;
use crate::admission::zone::Zone;

/// A check whose answer nobody needs a login for.
const A_CHECK: &str = "connectivitycheck.gstatic.com";

type Answer = Result<Vec<IpAddr>, NoAnswer>;

/// Asks at the box's address in the zone, as a phone there does.
pub async fn check(zone: &Zone, portal: &str) -> Vec<Finding> {
    let own = Addresses::of(&zone.interface).ok().and_then(|own| own.v4);
    let Some(own) = own else {
        // What is missing is told by another check.
        return Vec::new();
    };
    let resolver = (own, 53).into();
    vec![
        judge_portal(zone, portal, own, &ask(resolver, portal, Version::V4).await),
        judge_check(zone, &ask(resolver, A_CHECK, Version::V4).await),
    ]
}

/// Whether phones in a zone that ask for `portal` come to this box.
pub async fn leads_here(zone: &Zone, portal: &str) -> bool {
    let own = Addresses::of(&zone.interface).ok().and_then(|own| own.v4);
    let Some(own) = own else {
        return false;
    };
    let answer = ask((own, 53).into(), portal, Version::V4).await;
    answer.is_ok_and(|addresses| addresses.contains(&own.into()))
}

fn judge_portal(zone: &Zone, portal: &str, own: Ipv4Addr, answer: &Answer) -> Finding {
    const CHECK: &str = "portal's name";
    const INCLUDE: &str = "let dnsmasq read maitred.conf of admission.dnsmasq.dir (firmware-config has the line), and restart it";
    let zone = &zone.name;
    match answer {
        Ok(addresses) if addresses.contains(&own.into()) => {
            Finding::good(CHECK, format!("zone {zone}: {portal} is {own}"))
        }
        Ok(addresses) => Finding::bad(
            CHECK,
            format!(
                "zone {zone}: {portal} is {} and not this box, {own}",
                list(addresses)
            ),
            INCLUDE,
        ),
        Err(NoAnswer::Code(_)) => Finding::bad(
            CHECK,
            format!("zone {zone}: the resolver does not know {portal}"),
            INCLUDE,
        ),
        Err(error) => Finding::bad(
            CHECK,
            format!("zone {zone}: the resolver at {own}: {error}"),
            "start dnsmasq, and let it listen in the guest network",
        ),
    }
}

fn judge_check(zone: &Zone, answer: &Answer) -> Finding {
    const CHECK: &str = "names of checks";
    const WHY: &str = "a phone that gets no address asks nobody and shows no portal: look at dnsmasq's servers, and whether it reads maitred's files";
    let zone = &zone.name;
    match answer {
        Ok(addresses) if addresses.is_empty() => {
            Finding::bad(CHECK, format!("zone {zone}: {A_CHECK} has no address"), WHY)
        }
        Ok(addresses) if addresses.iter().any(is_private) => Finding::bad(
            CHECK,
            format!(
                "zone {zone}: {A_CHECK} is {}, which is private",
                list(addresses)
            ),
            "Android takes a private address for no Internet at all and shows no portal: let the resolver answer with public ones",
        ),
        Ok(addresses) => Finding::good(
            CHECK,
            format!("zone {zone}: {A_CHECK} is {}", list(addresses)),
        ),
        Err(error) => Finding::bad(CHECK, format!("zone {zone}: {A_CHECK}: {error}"), WHY),
    }
}

pub(super) fn list(addresses: &[IpAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() {
        return "without an address".to_owned();
    }
    addresses.join(", ")
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
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
            interface: "br-guest".to_owned(),
            ports: Ports {
                http: 2080,
                https: None,
            },
        }
    }

    #[test]
    fn a_portal_that_resolves_to_another_box_is_bad() {
        let own = Ipv4Addr::new(10, 77, 0, 1);
        let judge = |answer| judge_portal(&zone(), "sz01.sw.cn", own, &answer).health;
        // Another zone's address stands beside ours.
        let ours = vec![IpAddr::from([10, 78, 0, 1]), own.into()];
        assert_eq!(judge(Ok(ours)), Health::Good);
        assert_eq!(judge(Ok(vec![[198, 51, 100, 1].into()])), Health::Bad);
        assert_eq!(judge(Err(NoAnswer::Code(3))), Health::Bad);
        assert_eq!(judge(Err(NoAnswer::Late)), Health::Bad);
    }

    #[test]
    fn a_private_address_for_a_check_is_bad_and_the_one_for_an_internet_that_is_away_is_not() {
        let judge = |address: [u8; 4]| judge_check(&zone(), &Ok(vec![address.into()])).health;
        assert_eq!(judge([10, 77, 0, 1]), Health::Bad);
        assert_eq!(judge([1, 1, 1, 1]), Health::Good);
    }
}
