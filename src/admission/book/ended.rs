//! What is remembered of a session that ended, until the day is over.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::session::Moved;
use crate::admission::zone::ZoneName;
use crate::domain::wifi::Tier;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Time,
    /// The device moved nothing for so long that it must have left.
    Idle,
    Quota,
    /// Somebody on the box ended it.
    Revoked,
    /// The zone leads to no Internet any more, at this hour or at all.
    Closed,
}

impl Reason {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Idle => "idle",
            Self::Quota => "quota",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
        }
    }
}

/// The last session of a device that has none now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedToday {
    pub day: Date,
    /// None: kept by a version that did not write it, and so as good as nowhere.
    pub zone: Option<ZoneName>,
    pub reason: Reason,
    /// On that day, in this session and before it.
    pub used: Moved,
    pub tier: Tier,
}

impl EndedToday {
    pub fn is_on(&self, day: Date) -> bool {
        self.day == day
    }
}
