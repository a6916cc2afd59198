//! The seam to whatever enforces the wall.
//!
//! Every call is short and answers at once; only [`Firewall::set_up`] may start a process. After an error
//! nothing of that call is in force.

use std::sync::Arc;
use std::time::Duration;

use super::Mac;

/// Enforces who may pass.
pub trait Firewall: Send + Sync + 'static {
    /// Sets the whole wall up anew with these devices in it, in one step. A device that is put in or taken out
    /// while this runs may come out of it as it was before.
    fn set_up(&self, entries: &[Entry]) -> Result<(), FirewallError>;
    /// Puts one device in, or in the place of what stands under its address.
    fn admit(&self, entry: &Entry) -> Result<(), FirewallError>;
    /// Takes a device out and cuts what it has open. One that is not there is no error.
    fn remove(&self, mac: Mac, mark: Mark) -> Result<(), FirewallError>;
    /// What every device has moved since it was put in.
    fn traffic(&self) -> Result<Vec<Traffic>, FirewallError>;
    /// Says whether there is an Internet; without one, port 80 of every device leads to the portal.
    fn wan(&self, is_up: bool) -> Result<(), FirewallError>;
    fn take_down(&self, on_stop: OnStop) -> Result<(), FirewallError>;
}

impl<F: Firewall> Firewall for Arc<F> {
    fn set_up(&self, entries: &[Entry]) -> Result<(), FirewallError> {
        self.as_ref().set_up(entries)
    }

    fn admit(&self, entry: &Entry) -> Result<(), FirewallError> {
        self.as_ref().admit(entry)
    }

    fn remove(&self, mac: Mac, mark: Mark) -> Result<(), FirewallError> {
        self.as_ref().remove(mac, mark)
    }

    fn traffic(&self) -> Result<Vec<Traffic>, FirewallError> {
        self.as_ref().traffic()
    }

    fn wan(&self, is_up: bool) -> Result<(), FirewallError> {
        self.as_ref().wan(is_up)
    }

    fn take_down(&self, on_stop: OnStop) -> Result<(), FirewallError> {
        self.as_ref().take_down(on_stop)
    }
}

/// One device that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub mac: Mac,
    pub mark: Mark,
    pub access: Access,
    pub lasts: Duration,
}

impl Entry {
    /// A device that passes as it likes, in every zone.
    pub const fn unlimited(mac: Mac, number: u16, lasts: Duration) -> Self {
        let access = Access::Open(Meter {
            quota: None,
            up: None,
            down: None,
        });
        Self {
            mac,
            mark: Mark::new(number, Place::ANY, &access),
            access,
            lasts,
        }
    }
}

/// How far a device may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Open(Meter),
    /// A temporary pass: the walled garden and no further.
    Garden,
}

/// What the kernel counts and limits. None: without a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meter {
    /// Bytes that are left, both ways together.
    pub quota: Option<u64>,
    pub up: Option<Rate>,
    pub down: Option<Rate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub bytes_per_second: u64,
}

/// What stands for a device on packets that do not carry its address: the connection's mark.
///
/// ```text
/// 0x02000000 pass   0x01000000 open   0x00ff0000 place of the zone in the settings, from 1   0x0000ffff number
/// ```
/// So what a device was given in one zone is worth nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u32);

impl Mark {
    /// Set in the mark of a device that is let in.
    pub const OPEN_BIT: u32 = 0x0100_0000;
    /// Set in the mark of a device with a temporary pass.
    pub const PASS_BIT: u32 = 0x0200_0000;
    pub const ZONE_BITS: u32 = 0x00ff_0000;

    pub const fn new(number: u16, place: Place, access: &Access) -> Self {
        let kind = match access {
            Access::Open(_) => Self::OPEN_BIT,
            Access::Garden => Self::PASS_BIT,
        };
        Self(kind | place.bits() | number as u32)
    }

    pub const fn number(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    pub const fn bits(self) -> u32 {
        self.0
    }

    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// Where a zone stands among those of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u8);

impl Place {
    /// The shop's own devices pass in every zone.
    pub const ANY: Self = Self(0xff);

    /// Of the zone at `index`, counted from 0.
    pub fn of(index: usize) -> Self {
        // The settings have fewer zones than a router has interfaces.
        Self(u8::try_from(index + 1).unwrap_or(0xfe).min(0xfe))
    }

    pub const fn bits(self) -> u32 {
        (self.0 as u32) << 16
    }
}

/// What one device has moved, in bytes of the network layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    pub mark: Mark,
    pub up: u64,
    pub down: u64,
    /// Of its quota, where it has one.
    pub quota_used: Option<u64>,
}

/// What becomes of the wall when the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// Whoever was let in stays so until the time is up; nobody else is let in.
    Keep,
    /// Everybody passes.
    Open,
    /// Nobody passes.
    Close,
}

/// Why the wall could not be changed, and what an operator can do.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    #[error("the kernel has no room for one more device")]
    Full,
    #[error("the wall is being set up; try again in a moment")]
    SettingUp,
    #[error("the table is gone: somebody has flushed the rules")]
    Gone,
    #[error("cannot run {program}: {source}; install nftables, or set admission.nft")]
    NoProgram {
        program: String,
        source: std::io::Error,
    },
    #[error(
        "{program} has not ended in time and was killed; run `{program} list tables` by hand: if it hangs, too, look which program holds the kernel's rules (`ps`), or restart the box"
    )]
    Late { program: String },
    #[error("nft does not take the table: {said}")]
    Refused { said: String },
    #[error("the kernel does not answer: {0}")]
    Kernel(#[from] std::io::Error),
}
