//! Which device may pass the Wi-Fi wall, for how long and how far.
//!
//! [`book`] decides, and is pure; a [`Firewall`] enforces; [`Neighbours`] says whose address it is; [`keeper`]
//! keeps the sessions on the disk. [`Wall`] joins them. It promises that a device is in the book only if the
//! firewall has taken it, that a client can admit no device but the one it speaks from, and that whoever was
//! let in stays so over a restart, a crash or a flush of the kernel's rules until the time is up.

pub mod book;
pub mod command;
pub mod dnsmasq;
pub mod dry;
pub mod firewall;
pub mod garden;
pub mod hook;
pub mod keeper;
pub mod kept;
pub mod neighbours;
mod netlink;
pub mod nft;
#[cfg(test)]
mod tests;
mod told;
mod wall;
pub mod zone;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

pub use crate::domain::wifi::Mac;
pub use netlink::neighbours::KernelNeighbours;
pub use told::{Refusal, Told, What};
pub use wall::Wall;

use crate::domain::wifi::{Terms, Tier};
use crate::ops::clock::Clock;
use book::Session;
use firewall::{Firewall, FirewallError};
use neighbours::Neighbours;
use zone::ZoneName;

/// What the wall is made of.
pub struct Parts {
    pub firewall: Box<dyn Firewall>,
    pub neighbours: Box<dyn Neighbours>,
    pub clock: Arc<dyn Clock>,
    /// Which boot of the box this is.
    pub boot: u32,
    /// The clock on the store's wall.
    pub local: Box<dyn Fn(Timestamp) -> DateTime + Send + Sync>,
    /// How long a session lasts where a policy does not say it.
    pub session: Duration,
    /// Whether a zone leads anywhere now.
    pub is_open: Box<IsOpen>,
    /// What the policy of now grants; none while nobody knows it.
    pub terms: Box<TermsNow>,
    /// In the order of the settings.
    pub zones: Vec<ZoneName>,
    pub staff: Vec<Mac>,
    pub blocked: Vec<Mac>,
}

pub type IsOpen = dyn Fn(&ZoneName, Timestamp) -> bool + Send + Sync;

pub type TermsNow = dyn Fn(&ZoneName, Tier) -> Option<Terms> + Send + Sync;

/// Why a device was not let in.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    #[error(transparent)]
    Refused(#[from] book::Refused),
    #[error(transparent)]
    Firewall(#[from] FirewallError),
}

impl NotAdmitted {
    /// A word for figures and hooks.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(book::Refused::Blocked) => "blocked",
            Self::Refused(book::Refused::QuotaSpent) => "quota",
            Self::Refused(book::Refused::PassesSpent) => "passes",
            Self::Refused(book::Refused::Full) => "full",
            Self::Firewall(_) => "firewall",
        }
    }
}

/// How a device stands to the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Walled,
    /// It has a temporary pass.
    Passing {
        left: Duration,
    },
    Open {
        /// None for the shop's own devices.
        left: Option<Duration>,
        bytes_left: Option<u64>,
    },
}

/// A session as an operator sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub mac: Mac,
    pub session: Session,
    pub left: Duration,
}
