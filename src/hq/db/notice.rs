//! Notices: what every box of a store has to know of coupons that other boxes have issued or taken.
//!
//! Pure; the SQL is in `embedded` and `postgres`. A notice is kept in the transaction that takes in the event it
//! comes from, and becomes a command to each box of its store there and then. A box that is enrolled later gets
//! those that still matter with its number.
//!
//! Its id is made of what it says. So a claim that comes in again, to a ledger from a backup too, is no second
//! notice, and each box is told under the same command's id as before, which it remembers.

use jiff::Timestamp;

use super::serves_text;
use crate::domain::calendar::business_day;
use crate::domain::command::Command;
use crate::domain::event::{CouponKnown, Event, Occurrence};
use crate::domain::ids::{CommandId, CouponId, GatewayId};
use crate::wire::link::Serves;

/// Something for all boxes that serve a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// None: everybody.
    pub to: Option<Serves>,
    /// About a coupon.
    pub command: Command,
    /// When nobody can show the coupon any more.
    pub until: Timestamp,
}

/// What a notice is known by.
pub(super) type NoticeId = [u8; 16];

impl Notice {
    /// What an event of a gateway that serves `from` is to the boxes of a store.
    pub fn of(from: &Serves, occurrence: &Occurrence) -> Option<Self> {
        match (&occurrence.event, from) {
            (Event::Claim(claim), Serves::Street) => Some(Self {
                to: Some(Serves::Store(occurrence.store.clone())),
                until: claim.not_after,
                command: Command::KnowCoupon(Box::new(CouponKnown {
                    claim: claim.clone(),
                    claimed_at: occurrence.moment.at,
                    day: business_day(occurrence.moment.local()),
                })),
            }),
            _ => None,
        }
    }

    /// As the register writes who serves what; nothing for everybody.
    pub(super) fn place(&self) -> String {
        self.to.as_ref().map_or_else(String::new, serves_text)
    }

    pub(super) fn id(&self) -> NoticeId {
        let coupon = self.command.coupon().map(CouponId::to_bytes);
        digest(&[self.command.kind().as_bytes(), &coupon.unwrap_or_default()])
    }

    pub(super) fn details(&self) -> Option<String> {
        details(&self.command)
    }
}

/// What a command says beyond its kind and its coupon, as it is kept.
pub(super) fn details(command: &Command) -> Option<String> {
    let details = command.details();
    (!details.is_empty())
        .then(|| serde_json::to_string(&details).expect("what a command says is plain data"))
}

/// The id of the command by which a gateway is told.
pub(super) fn command_id(notice: NoticeId, gateway: GatewayId) -> CommandId {
    CommandId::from_entropy(digest(&[&notice, &gateway.0.to_be_bytes()]))
}

fn digest(parts: &[&[u8]]) -> NoticeId {
    let whole = ring::digest::digest(&ring::digest::SHA256, &parts.concat());
    let (first, _) = whole.as_ref().split_first_chunk().expect("it has 32 bytes");
    *first
}

/// The places whose notices are for a gateway that serves `serves`.
pub(super) fn places(serves: &Serves) -> [String; 2] {
    [serves_text(serves), String::new()]
}
