//! Asks the kernel which card an address belongs to.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::netdevice;

use super::message::{ACK, Message, u32_at};
use super::{Messages, Socket};
use crate::admission::Mac;
use crate::admission::neighbours::{Neighbour, Neighbours};
use crate::admission::zone::{Zone, ZoneName};
use crate::ops::clock::Clock;

/// Long enough for the requests of one page; short enough that an address which has changed hands is
/// believed for one page only.
const REMEMBERED: Duration = Duration::from_secs(2);
/// A guest network of this size has no addresses left.
const MOST_REMEMBERED: usize = 1_024;

/// The kernel's neighbour tables of the zones' interfaces.
pub struct KernelNeighbours {
    zones: Vec<(ZoneName, String)>,
    clock: Arc<dyn Clock>,
    asked: Mutex<Asked>,
}

struct Asked {
    socket: Socket,
    remembered: BTreeMap<IpAddr, (Duration, Neighbour)>,
}

impl KernelNeighbours {
    /// An interface that is not there is an error that names it.
    pub fn open(zones: &[Zone], clock: Arc<dyn Clock>) -> io::Result<Self> {
        let socket = Socket::open(None)?;
        for Zone {
            name, interface, ..
        } in zones
        {
            netdevice::name_to_index(&socket, interface).map_err(|error| {
                let fault = format!("zone {name}: there is no interface {interface} ({error})");
                io::Error::new(io::ErrorKind::NotFound, fault)
            })?;
        }
        Ok(Self {
            zones: zones
                .iter()
                .map(|zone| (zone.name.clone(), zone.interface.clone()))
                .collect(),
            clock,
            asked: Mutex::new(Asked {
                socket,
                remembered: BTreeMap::new(),
            }),
        })
    }

    fn ask(&self, socket: &mut Socket, address: IpAddr) -> Option<Neighbour> {
        let mut heard = Vec::new();
        for (zone, interface) in &self.zones {
            // Asked for anew each time: a bridge that was set up again has another one.
            let Ok(index) = netdevice::name_to_index(&*socket, interface) else {
                continue;
            };
            if let Some(mac) = mac_of(socket, index, address) {
                let zone = zone.clone();
                heard.push((index, Neighbour { mac, zone }));
            }
        }
        // Somebody can say in another zone that he has this address. Answers go where the route leads, and so
        // only who is there can have made a connection; an address of one link only has no such route.
        if heard.len() > 1 {
            let index = route_to(socket, address)?;
            heard.retain(|(heard, _)| *heard == index);
        }
        heard.pop().map(|(_, neighbour)| neighbour)
    }
}

impl Neighbours for KernelNeighbours {
    fn find(&self, address: IpAddr) -> Option<Neighbour> {
        let address = address.to_canonical();
        let now = self.clock.since_boot();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Asked { socket, remembered } = &mut *asked;
        if let Some((until, neighbour)) = remembered.get(&address)
            && now < *until
        {
            return Some(neighbour.clone());
        }
        let neighbour = self.ask(socket, address)?;
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, (until, _)| now < *until);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(address, (now + REMEMBERED, neighbour.clone()));
        }
        Some(neighbour)
    }
}

/// `RTM_NEWNEIGH` and `RTM_GETNEIGH`.
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
/// `struct ndmsg`: family, index, state, flags, type.
const HEADER: usize = 12;
const ADDRESS: u16 = 1;
const CARD: u16 = 2;
/// Reachable, stale, delay, probe, permanent: the kernel has heard the card itself, or was told.
const KNOWN: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;

fn mac_of(socket: &mut Socket, index: u32, address: IpAddr) -> Option<Mac> {
    let mut mac = None;
    let asked = socket.ask(&mut question(index, address), &mut |message| {
        mac = answer(message);
    });
    asked.ok().and(mac)
}

fn question(index: u32, address: IpAddr) -> Messages {
    let mut messages = Messages::default();
    messages.add(GET_NEIGHBOUR, ACK, |m| {
        // AF_INET and AF_INET6.
        let family = if address.is_ipv4() { 2 } else { 10 };
        m.put(&[family, 0, 0, 0]);
        m.put(&index.to_ne_bytes());
        m.put(&[0; 4]);
        put_address(m, ADDRESS, address);
    });
    messages
}

/// `RTM_NEWROUTE` and `RTM_GETROUTE`.
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// `struct rtmsg`: family, prefix lengths, and what is of no matter here.
const ROUTE_HEADER: usize = 12;
const TO: u16 = 1;
const OUT_OF: u16 = 4;

/// The interface that packets to `address` leave by.
fn route_to(socket: &mut Socket, address: IpAddr) -> Option<u32> {
    if let IpAddr::V6(address) = address
        && address.is_unicast_link_local()
    {
        return None;
    }
    let mut messages = Messages::default();
    messages.add(GET_ROUTE, ACK, |m| {
        let (family, bits) = if address.is_ipv4() {
            (2, 32)
        } else {
            (10, 128)
        };
        m.put(&[family, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        put_address(m, TO, address);
    });
    let mut index = None;
    let asked = socket.ask(&mut messages, &mut |message| {
        if message.kind == NEW_ROUTE {
            index = u32_at(message.attributes(ROUTE_HEADER).value(OUT_OF), 0);
        }
    });
    asked.ok().and(index)
}

fn put_address(m: &mut Messages, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => m.attribute(kind, &address.octets()),
        IpAddr::V6(address) => m.attribute(kind, &address.octets()),
    }
}

fn answer(message: &Message<'_>) -> Option<Mac> {
    if message.kind != NEW_NEIGHBOUR {
        return None;
    }
    let state = u16::from_ne_bytes(*message.body.get(8..)?.first_chunk()?);
    let card = message.attributes(HEADER).value(CARD);
    let mac = Mac(card.try_into().ok()?);
    (state & KNOWN != 0).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::netlink::message::Received;

    fn told(state: u16, card: &[u8]) -> Option<Mac> {
        let mut messages = Messages::default();
        messages.add(NEW_NEIGHBOUR, 0, |m| {
            m.put(&[2, 0, 0, 0, 7, 0, 0, 0]);
            m.put(&state.to_ne_bytes());
            m.put(&[0, 1]);
            m.attribute(ADDRESS, &[10, 77, 0, 20]);
            m.attribute(CARD, card);
        });
        Received(messages.bytes()).find_map(|message| answer(&message))
    }

    #[test]
    fn only_a_card_that_was_heard_is_an_answer() {
        let card = [2, 0, 0, 0, 0, 1];
        for state in [0x02, 0x04, 0x08, 0x10, 0x80] {
            assert_eq!(told(state, &card), Some(Mac(card)));
        }
        // Incomplete, failed, none, and a point-to-point link's.
        for state in [0x01, 0x20, 0x00, 0x40] {
            assert_eq!(told(state, &card), None);
        }
        assert_eq!(told(0x02, &[]), None);
        assert_eq!(told(0x02, &[1, 2, 3, 4, 5, 6, 7, 8]), None);
    }

    #[test]
    fn a_question_names_the_interface_and_the_address() {
        #[rustfmt::skip]
        let bytes = [
            36, 0, 0, 0, 30, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0,
            8, 0, 1, 0, 10, 77, 0, 20,
        ];
        assert_eq!(question(7, IpAddr::from([10, 77, 0, 20])).bytes(), bytes);
    }
}
