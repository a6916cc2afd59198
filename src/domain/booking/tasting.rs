//! A tasting event: so many places at one time, a list of who waits, and codes that invite.
//!
//! Events are data of the bundle, `stores/<ID>/events.toml`. An invitation code is good once. There are two kinds,
//! and a box checks both without the Internet: those that the shop has given out, of which the file holds digests
//! and never the codes; and those that everybody with a place can pass on, which are made of the secret id of
//! their own booking and need no list at all. A code has 35 bits, and is asked for over the shop's own pages only.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::rules::Room;
use super::{Booking, Standing};
use crate::domain::bill::Party;
use crate::domain::ids::{BadId, BookingId, CampaignId, Slug, TouchpointCode};
use crate::domain::store::Store;
use crate::domain::text::Text;

/// `events.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TastingFile {
    #[serde(default, rename = "event")]
    pub events: Vec<Tasting>,
}

/// One event of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasting {
    pub id: Slug,
    pub title: Text,
    pub text: Text,
    /// On the store's wall, in quotes: `"2026-12-12T19:00"`.
    pub at: DateTime,
    /// For how many people.
    pub places: u16,
    #[serde(default = "two")]
    pub largest_party: Party,
    /// From when on guests can sign up; at once, where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<DateTime>,
    /// Until when; until it begins, where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<DateTime>,
    /// The campaign whose coupon comes with being checked in, for whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gift: Option<CampaignId>,
    /// Where guests say afterwards how it was: the place whose code is on the tables of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback_at: Option<TouchpointCode>,
    /// Only for those who have a code.
    #[serde(default)]
    pub by_invitation: bool,
    /// Digests of the codes that the shop has given out.
    #[serde(default)]
    pub codes: Vec<String>,
    /// How many codes everybody with a place can pass on.
    #[serde(default)]
    pub codes_per_guest: u8,
}

fn two() -> Party {
    Party::try_from(2).expect("two are a party")
}

/// Whether guests can sign up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    NotYet(DateTime),
    Open,
    Over,
}

impl Tasting {
    pub fn sign_up(&self, store: &Store, now: Timestamp) -> SignUp {
        let local = store.local(now);
        match self.opens {
            Some(opens) if local < opens => SignUp::NotYet(opens),
            Some(_) | None if local < self.closes.unwrap_or(self.at) && local < self.at => {
                SignUp::Open
            }
            Some(_) | None => SignUp::Over,
        }
    }

    pub fn room(&self) -> Room {
        Room {
            parties: u32::MAX,
            people: self.places.into(),
        }
    }
}

/// A code that invites to one event: eight characters, the last of which finds a wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InviteCode(TouchpointCode);

impl InviteCode {
    /// Reads what somebody typed: small letters, spaces and dashes are forgiven.
    pub fn parse(typed: &str) -> Result<Self, BadId> {
        let typed: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .collect();
        TouchpointCode::parse(&typed).map(Self)
    }

    pub fn from_entropy(entropy: u64) -> Self {
        Self(TouchpointCode::from_entropy(entropy))
    }
}

/// In two halves, as people read it out.
impl fmt::Display for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.as_str().split_at(4);
        write!(f, "{first}-{second}")
    }
}

/// Somebody knows how codes and their digests are made; here is only what they mean.
pub trait CodeMaker {
    /// As `events.toml` has it.
    fn digest(&self, tasting: &Tasting, code: InviteCode) -> String;
    /// Code number `n` that the holder of a booking can pass on.
    fn of_guest(&self, booking: BookingId, n: u8) -> InviteCode;
}

/// Why a code opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    #[error("an invitation code is needed")]
    Missing,
    #[error("this event has no such code")]
    Unknown,
    #[error("the code has been used")]
    Used,
}

/// Whether a code, of which it is known whether somebody has used it, invites to `tasting`; `known` are its sign-ups.
pub(super) fn check<'b>(
    tasting: &Tasting,
    code: Option<(InviteCode, bool)>,
    known: impl Iterator<Item = &'b Booking>,
    maker: &dyn CodeMaker,
) -> Result<(), BadCode> {
    let code = match code {
        // For ever, also where whoever used it has cancelled, which they can take back, or is forgotten.
        Some((_, true)) => return Err(BadCode::Used),
        Some((code, false)) => code,
        None if tasting.by_invitation => return Err(BadCode::Missing),
        None => return Ok(()),
    };
    let mut hosts = known.filter(|host| {
        // Those who wait have nothing to pass on yet.
        matches!(host.standing, Standing::Confirmed | Standing::Seated)
    });
    let is_passed_on = |host: &Booking| {
        let mut codes = 0..tasting.codes_per_guest;
        codes.any(|n| maker.of_guest(host.id, n) == code)
    };
    if tasting.codes.contains(&maker.digest(tasting, code)) || hosts.any(is_passed_on) {
        Ok(())
    } else {
        Err(BadCode::Unknown)
    }
}
