//! Whose address it is: from what a connection tells (an IP address) to what the wall knows (a device).
//!
//! The kernel's neighbour table is asked and not a DHCP lease file, so that static addresses and other
//! people's DHCP servers work. What a client says of itself is never believed.

use std::net::IpAddr;

use super::Mac;
use super::zone::ZoneName;

/// A device as the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    pub mac: Mac,
    pub zone: ZoneName,
}

/// Knows the devices of the guest networks by their addresses.
pub trait Neighbours: Send + Sync + 'static {
    /// None for an address that is in no zone, or of nobody.
    fn find(&self, address: IpAddr) -> Option<Neighbour>;
}
