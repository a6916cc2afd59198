//! A zone: one guest network of the shop, with an interface of its own.

pub use crate::domain::wifi::ZoneName;

/// One guest network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    pub name: ZoneName,
    /// A bridge or a card, as the kernel calls it.
    pub interface: String,
    pub ports: Ports,
}

/// Where the portal listens on the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub http: u16,
    /// None where the portal speaks plain HTTP only.
    pub https: Option<u16>,
}
