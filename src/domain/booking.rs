//! A table that a guest has asked for, or a place at an event: who comes when with how many, and how it stands.
//!
//! A [`Booking`] is written whole with every event about it, as it is after that event, and counts its own
//! changes: so whoever hears of it twice, late, or in another order ends with the same booking. It holds one
//! name, because the counter calls a guest by it, and therefore none that tells how to reach somebody; a number to
//! call is sealed. What a
//! booking may become is decided here; whether there is room is decided in [`book`].

pub mod book;
pub mod rules;
pub mod tasting;
mod used;

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::bill::Party;
use super::calendar::business_day;
use super::event::unix_millis;
use super::feedback::tells_how_to_reach;
use super::ids::{BookingId, CouponId, ShortCode, Slug, StaffName, StoreId, Vid};
use super::sealed::Sealed;
use tasting::InviteCode;

/// A name that fits a line of the counter's list.
pub const LONGEST_NAME: usize = 20;

/// A booking, as it is after the event that carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    #[serde(rename = "bk")]
    pub id: BookingId,
    /// Counts the changes: of two words about one booking the one with more of them is the later.
    #[serde(rename = "n")]
    pub revision: u32,
    #[serde(rename = "st")]
    pub store: StoreId,
    /// On the store's wall: the beginning of a half-hour, or of an event.
    pub at: DateTime,
    /// The event that this is a sign-up for; none for a table.
    #[serde(rename = "ev", default, skip_serializing_if = "Option::is_none")]
    pub tasting: Option<Slug>,
    /// What the guest was invited with; nobody else can use it.
    #[serde(rename = "inv", default, skip_serializing_if = "Option::is_none")]
    pub invited_with: Option<InviteCode>,
    #[serde(rename = "pty")]
    pub party: Party,
    /// Headquarters takes it out of its frames when the guest wants to be forgotten.
    #[serde(rename = "nm", default = "GuestName::forgotten")]
    pub name: GuestName,
    /// A number to call about this booking, which the box cannot read.
    #[serde(rename = "ph", default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Sealed>,
    pub vid: Vid,
    /// What the guest says at the door.
    #[serde(rename = "cd")]
    pub code: ShortCode,
    #[serde(rename = "is")]
    pub standing: Standing,
    /// How it stood before the last word of anybody, for whoever takes that back.
    #[serde(rename = "was", default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Standing>,
    /// Who said the last word; nobody where it was the guest.
    #[serde(rename = "stf", default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<StaffName>,
    #[serde(rename = "ask", with = "unix_millis")]
    pub asked_at: Timestamp,
    #[serde(rename = "vip", default, skip_serializing_if = "is_false")]
    pub is_vip: bool,
    /// The coupon that came with being seated.
    #[serde(rename = "cpn", default, skip_serializing_if = "Option::is_none")]
    pub gift: Option<CouponId>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Nobody comes so late.
const LATE: SignedDuration = SignedDuration::from_hours(4);

/// Bookings of one slot share its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot<'a> {
    Table(DateTime),
    Tasting(&'a Slug),
}

/// How a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// There is no room: an event is full, or a table was asked for where nobody could see that. It moves up.
    Waiting,
    /// There is room, and staff have not answered yet.
    Requested,
    Confirmed,
    Seated,
    NoShow,
    Cancelled,
}

impl Standing {
    /// Whether it takes away room from others.
    pub const fn holds_room(self) -> bool {
        match self {
            Self::Requested | Self::Confirmed | Self::Seated => true,
            Self::Waiting | Self::NoShow | Self::Cancelled => false,
        }
    }

    /// Whether the guest is still to come.
    pub const fn is_ahead(self) -> bool {
        match self {
            Self::Waiting | Self::Requested | Self::Confirmed => true,
            Self::Seated | Self::NoShow | Self::Cancelled => false,
        }
    }

    /// Whether somebody waits for an answer.
    pub const fn is_unanswered(self) -> bool {
        match self {
            Self::Waiting | Self::Requested => true,
            Self::Confirmed | Self::Seated | Self::NoShow | Self::Cancelled => false,
        }
    }
}

/// What somebody says of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Confirm,
    Seat,
    NoShow,
    Cancel,
    /// Takes back the last of these.
    Undo,
}

impl Act {
    pub const ALL: [Self; 5] = [
        Self::Confirm,
        Self::Seat,
        Self::NoShow,
        Self::Cancel,
        Self::Undo,
    ];

    /// As forms have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Seat => "seat",
            Self::NoShow => "no_show",
            Self::Cancel => "cancel",
            Self::Undo => "undo",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

impl Booking {
    /// How it would stand after `act`; none where that makes no sense now.
    pub const fn after(&self, act: Act) -> Option<Standing> {
        match (act, self.standing) {
            (Act::Confirm, Standing::Waiting | Standing::Requested) => Some(Standing::Confirmed),
            (Act::Seat, Standing::Waiting | Standing::Requested | Standing::Confirmed) => {
                Some(Standing::Seated)
            }
            (Act::NoShow, Standing::Requested | Standing::Confirmed) => Some(Standing::NoShow),
            (Act::Cancel, Standing::Waiting | Standing::Requested | Standing::Confirmed) => {
                Some(Standing::Cancelled)
            }
            (Act::Undo, _) => self.before,
            _ => None,
        }
    }

    /// Whether `act` was said before: a form that is sent twice is no mistake.
    pub const fn is_done(&self, act: Act) -> bool {
        match act {
            Act::Confirm => matches!(self.standing, Standing::Confirmed),
            Act::Seat => matches!(self.standing, Standing::Seated),
            Act::NoShow => matches!(self.standing, Standing::NoShow),
            Act::Cancel => matches!(self.standing, Standing::Cancelled),
            Act::Undo => self.before.is_none(),
        }
    }

    /// What the guest may say of it on their own page.
    pub fn is_for_guest(&self, act: Act) -> bool {
        match act {
            Act::Cancel => self.standing.is_ahead(),
            // Their own cancellation, and no word of staff.
            Act::Undo => {
                self.standing == Standing::Cancelled
                    && self.staff.is_none()
                    && self.before.is_some()
            }
            Act::Confirm | Act::Seat | Act::NoShow => false,
        }
    }

    /// What it takes room in.
    pub const fn slot(&self) -> Slot<'_> {
        match &self.tasting {
            Some(tasting) => Slot::Tasting(tasting),
            None => Slot::Table(self.at),
        }
    }

    /// Whether its guest is still to come, `local` being now on the store's wall. One that nobody has seen to is over
    /// some hours after its time all the same.
    pub fn is_ahead(&self, local: DateTime) -> bool {
        self.standing.is_ahead() && !self.is_over(local)
    }

    /// Whether nobody comes to it any more, however late.
    pub fn is_over(&self, local: DateTime) -> bool {
        self.at <= local.saturating_sub(LATE)
    }

    /// Whether its day is over and nobody has said yet whether the guest came.
    pub fn is_left_open(&self, today: Date) -> bool {
        matches!(self.standing, Standing::Requested | Standing::Confirmed)
            && business_day(self.at) < today
    }

    /// What lists go by: the half-hour, members of the VIP list first, and then whoever asked first.
    pub fn rank(&self) -> impl Ord + use<> {
        (self.at, !self.is_vip, self.asked_at, self.id)
    }
}

/// What the counter calls a guest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuestName(String);

/// Why a name is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("there is no name")]
    Empty,
    #[error("a name is at most {LONGEST_NAME} characters")]
    TooLong,
    #[error("it holds what looks like a phone number or an e-mail address")]
    TellsHowToReach,
}

impl GuestName {
    fn forgotten() -> Self {
        Self("–".to_owned())
    }

    pub fn typed(text: &str) -> Result<Self, BadName> {
        let clean: String = text.chars().filter(|c| !c.is_control()).collect();
        let clean = clean.trim();
        if clean.is_empty() {
            return Err(BadName::Empty);
        }
        if clean.chars().count() > LONGEST_NAME {
            return Err(BadName::TooLong);
        }
        if tells_how_to_reach(clean) {
            return Err(BadName::TellsHowToReach);
        }
        Ok(Self(clean.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name stays out of logs, whoever writes a booking into one.
impl fmt::Debug for GuestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuestName(..)")
    }
}

impl TryFrom<String> for GuestName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::typed(&text)
    }
}

impl From<GuestName> for String {
    fn from(name: GuestName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests;
