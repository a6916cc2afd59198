//! Whose address it is, asked of a real kernel.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use maitred::admission::KernelNeighbours;
use maitred::admission::neighbours::Neighbours;
use maitred::ops::clock::SystemClock;

use crate::lab::{self, Lab, layout};

#[test]
fn a_phone_is_known_by_the_address_it_speaks_from() {
    lab::inside(|| {
        let lab = Lab::build();
        let listener = TcpListener::bind("[::]:2080").unwrap();
        let zones = layout().zones;
        let neighbours = KernelNeighbours::open(&zones, Arc::new(SystemClock)).unwrap();
        assert_eq!(neighbours.find(lab.phone.v4), None, "nobody has spoken yet");

        for (host, zone) in [(&lab.phone, "guest"), (&lab.vip_phone, "vip")] {
            for router in [host.router_v4(), host.router_v6()] {
                let _stream = host.connects(SocketAddr::from((router, 2080))).unwrap();
                // An IPv4 address looks like ::ffff:10.77.0.2 to this listener.
                let (_, peer) = listener.accept().unwrap();
                let found = neighbours.find(peer.ip()).unwrap();
                assert_eq!(
                    (found.mac, found.zone.to_string()),
                    (host.mac, zone.to_owned())
                );
            }
            assert_eq!(neighbours.find(host.v4), neighbours.find(host.v6));
        }

        // An address outside the zones, and one that nobody answers for.
        let _stream = lab
            .internet
            .connects(SocketAddr::from((lab.internet.router_v4(), 2080)))
            .unwrap();
        assert_eq!(neighbours.find(lab.internet.v4), None);
        let nobody = IpAddr::from([10, 77, 0, 9]);
        std::net::UdpSocket::bind("0.0.0.0:0")
            .unwrap()
            .send_to(b"?", (nobody, 9))
            .unwrap();
        assert_eq!(neighbours.find(nobody), None);
    });
}

#[test]
fn who_claims_an_address_of_another_zone_is_not_taken_for_its_owner() {
    lab::inside(|| {
        let lab = Lab::build();
        let _listener = TcpListener::bind("[::]:2080").unwrap();
        let neighbours = KernelNeighbours::open(&layout().zones, Arc::new(SystemClock)).unwrap();
        for (owner, liar) in [(&lab.phone, "to-vip"), (&lab.vip_phone, "to-phone")] {
            for router in [owner.router_v4(), owner.router_v6()] {
                owner.connects(SocketAddr::from((router, 2080))).unwrap();
            }
            // As after a gratuitous answer of the liar's.
            for address in [owner.v4, owner.v6] {
                lab::run(&format!(
                    "ip neigh replace {address} lladdr 02:00:00:00:00:66 dev {liar} nud reachable"
                ));
                assert_eq!(neighbours.find(address).unwrap().mac, owner.mac);
            }
        }
        // On a link of one's own anybody can have any address.
        for interface in ["to-phone", "to-vip"] {
            lab::run(&format!(
                "ip neigh replace fe80::7 lladdr 02:00:00:00:00:07 dev {interface} nud reachable"
            ));
        }
        assert_eq!(neighbours.find("fe80::7".parse().unwrap()), None);
    });
}
