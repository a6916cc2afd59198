//! What the wall says of who comes in, goes and is turned away, for whoever listens; nobody has to.

use jiff::Timestamp;

use super::Mac;
use super::book::{Kind, Moved, Reason};
use super::zone::ZoneName;
use crate::domain::wifi::Tier;

/// Who has come in or gone, for whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub at: Timestamp,
    pub mac: Mac,
    pub zone: ZoneName,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Admitted {
        tier: Tier,
        kind: Kind,
    },
    Ended {
        tier: Tier,
        kind: Kind,
        reason: Reason,
        seconds: u64,
        moved: Moved,
    },
}

/// A device that was not let in, for whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub at: Timestamp,
    pub mac: Mac,
    pub zone: ZoneName,
    pub why: &'static str,
}
