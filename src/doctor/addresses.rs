//! The box's own addresses in a guest network, from what the kernel prints below `/proc/net`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnet::Ipv4Net;

/// What the box is in one network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Addresses {
    pub(super) v4: Option<Ipv4Addr>,
    /// Those that a phone can be told of.
    pub(super) v6: Vec<Ipv6Addr>,
}

impl Addresses {
    pub(super) fn of(interface: &str) -> io::Result<Self> {
        let network = network(&fs_err::read_to_string("/proc/net/route")?, interface);
        // Where a kernel without version 6 has no such file, nobody has such an address.
        let v6 = fs_err::read_to_string("/proc/net/if_inet6").unwrap_or_default();
        Ok(Self {
            v4: network.and_then(|network| own_address(network).ok().flatten()),
            v6: reachable(&v6, interface),
        })
    }
}

/// Who the box is when it speaks to somebody in `network`. Nothing is sent for it.
fn own_address(network: Ipv4Net) -> io::Result<Option<Ipv4Addr>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let Some(somebody) = network.hosts().last() else {
        return Ok(None);
    };
    socket.connect((somebody, 53))?;
    Ok(match socket.local_addr()?.ip() {
        IpAddr::V4(own) => Some(own),
        IpAddr::V6(_) => None,
    })
}

/// The network that `interface` is in: a route there without a router. (`/proc/net/route`: numbers in hex, in the
/// order of the processor's bytes.)
fn network(routes: &str, interface: &str) -> Option<Ipv4Net> {
    let number = |hex: &str| u32::from_str_radix(hex, 16).map(u32::to_ne_bytes).ok();
    routes.lines().skip(1).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, network, router, _, _, _, _, mask, ..] = words.as_slice() else {
            return None;
        };
        if *name != interface || *router != "00000000" || *mask == "00000000" {
            return None;
        }
        let (network, mask) = (number(network)?, number(mask)?);
        Ipv4Net::with_netmask(network.into(), mask.into()).ok()
    })
}

/// Addresses that are not of this one cable. (`/proc/net/if_inet6`: address, index, prefix, scope, flags, name.)
fn reachable(addresses: &str, interface: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [hex, _, _, "00", _, name] = words.as_slice() else {
            return None;
        };
        let bits = u128::from_str_radix(hex, 16).ok()?;
        (*name == interface).then(|| Ipv6Addr::from(bits))
    };
    addresses.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_network_is_the_route_without_a_router() {
        let hex = |a: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(a));
        let (net, mask, router) = ([10, 77, 0, 0], [255, 255, 255, 0], [203, 0, 113, 1]);
        let routes = format!(
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
             wan0 00000000 {} 0003 0 0 0 00000000 0 0 0\n\
             br-guest {} 00000000 0001 0 0 0 {} 0 0 0\n",
            hex(router),
            hex(net),
            hex(mask)
        );
        let guests = network(&routes, "br-guest").unwrap();
        assert_eq!(guests, "10.77.0.0/24".parse().unwrap());
        assert_eq!(network(&routes, "wan0"), None);
    }

    #[test]
    fn an_address_of_one_cable_is_not_told_to_phones() {
        let addresses = "fd770000000000000000000000000001 03 40 00 82 br-guest\n\
                         fe800000000000000000000000000001 03 40 20 80 br-guest\n\
                         00000000000000000000000000000001 01 80 10 80 lo\n";
        let found = reachable(addresses, "br-guest");
        assert_eq!(found, ["fd77::1".parse::<Ipv6Addr>().unwrap()]);
    }
}
