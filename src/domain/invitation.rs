//! Invitations beside a coupon: follow the account, add the manager, join the group, see the shop elsewhere.
//!
//! Each is a pool of QR contents (`invitations.toml`): people in shifts with a weight and a daily cap, groups that
//! fill up and whose codes grow old, a spare for when nobody else is there. [`Invitation::pick`] is pure and says
//! so when it finds nobody: nothing that was right yesterday is shown in its place. An invitation is never a
//! condition, and what a guest asked for is an intent, not a follower.

mod intents;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use super::calendar::{Holidays, Window, business_day};
use super::ids::Slug;
use super::text::Text;
use super::written::date;
pub use intents::{Intents, Of};

/// `invitations.toml`: each by the name that a campaign's `after_claim.invite` says.
pub type Invitations = BTreeMap<Slug, Invitation>;

/// A group takes 200 by its code; some who come at the same time have to fit, too (weixin's rule of groups).
const GROUP_IS_FULL_AT: u32 = 190;

/// Time for the manager to put a new one in.
const GROUP_IS_FILLING_AT: u32 = 170;

/// A group's code lasts seven days; the last one is not promised.
const GROUP_CODE_DAYS: i64 = 6;

/// One invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Invitation {
    pub kind: InvitationKind,
    pub title: Text,
    /// What the guest may expect of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    #[serde(rename = "code")]
    pub codes: Vec<Code>,
}

/// An invitation's table before it is known to make sense.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: InvitationKind,
    title: Text,
    #[serde(default)]
    text: Option<Text>,
    #[serde(rename = "code")]
    codes: Vec<Code>,
}

impl TryFrom<Written> for Invitation {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written {
            kind,
            title,
            text,
            codes,
        } = written;
        let ids: BTreeSet<&Slug> = codes.iter().map(|code| &code.id).collect();
        if codes.is_empty() || ids.len() != codes.len() {
            return Err("an invitation has one `code` or more, each with an `id` of its own");
        }
        if codes
            .iter()
            .any(|code| code.spare && !code.shifts.is_empty())
        {
            return Err("a spare has no `shift`: it stands in whenever nobody else is there");
        }
        Ok(Self {
            kind,
            title,
            text,
            codes,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvitationKind {
    /// A channel that is followed.
    Follow,
    /// A person who is added.
    Contact,
    /// A group that is joined.
    Group,
}

/// One QR content of the pool, and when it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Names it in the journal, for ever: a new code has a new name.
    pub id: Slug,
    /// Who or what is behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// What the QR says; the box draws it.
    pub qr: Qr,
    /// Where the channel has a link to tap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// How often it is shown beside the others.
    #[serde(default = "one")]
    pub weight: NonZeroU16,
    /// None: always.
    #[serde(default, rename = "shift", skip_serializing_if = "Vec::is_empty")]
    pub shifts: Vec<Window>,
    /// Guests a day, because platforms stop accounts that add too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_cap: Option<u32>,
    /// Only where nobody else is there.
    #[serde(default)]
    pub spare: bool,
    /// On leave, or the account is not well.
    #[serde(default)]
    pub away: bool,
    /// The last day on which it works.
    #[serde(
        default,
        deserialize_with = "date::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires: Option<Date>,
    /// Of a group: when its code was made, and how many were in it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    #[serde(with = "date")]
    pub made: Date,
    #[serde(default)]
    pub members: u32,
}

const fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

/// The text of a QR symbol, short enough for one that a phone reads from another phone's screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Qr(String);

impl Qr {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Qr {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if (1..=512).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err("what a QR says has 1 to 512 bytes")
        }
    }
}

impl From<Qr> for String {
    fn from(qr: Qr) -> Self {
        qr.0
    }
}

/// An address that a page may lead to: `https://` and nothing that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Link(String);

impl Link {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Link {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
        if text.starts_with("https://") && text.len() <= 512 && is_plain {
            Ok(Self(text))
        } else {
            Err("a link begins with https:// and has no spaces")
        }
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.0
    }
}

/// When and by whose calendar.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The clock on the store's wall.
    pub local: DateTime,
    pub holidays: &'a Holidays,
}

impl Code {
    /// Whether it works at all now and has room, whoever's shift it is.
    fn is_good(&self, at: Moment<'_>, shown_since: &impl Fn(&Self, Date) -> u32) -> bool {
        let today = business_day(at.local);
        self.works(at)
            && self
                .daily_cap
                .is_none_or(|cap| shown_since(self, today) < cap)
            && self
                .members(shown_since)
                .is_none_or(|members| members < GROUP_IS_FULL_AT)
    }

    /// Whether it works now, also for a guest who was shown it before.
    pub fn works(&self, at: Moment<'_>) -> bool {
        !self.away && self.last_day().is_none_or(|last| at.local.date() <= last)
    }

    /// How many are in the group, if all who were shown its code have joined.
    fn members(&self, shown_since: &impl Fn(&Self, Date) -> u32) -> Option<u32> {
        let group = self.group?;
        Some(group.members.saturating_add(shown_since(self, group.made)))
    }

    fn is_on_shift(&self, at: Moment<'_>) -> bool {
        let mut shifts = self.shifts.iter();
        self.shifts.is_empty() || shifts.any(|shift| shift.contains(at.local, at.holidays))
    }

    /// The last day on which it is shown.
    pub fn last_day(&self) -> Option<Date> {
        let of_group = self
            .group
            .map(|group| group.made.saturating_add(GROUP_CODE_DAYS.days()));
        [self.expires, of_group].into_iter().flatten().min()
    }
}

/// What a manager should know of an invitation before a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worry {
    /// Nobody is there now, not even a spare; guests who ask are told so.
    Nobody,
    /// The spare stands in now.
    OnlySpare,
    /// Every code is over by the end of tomorrow.
    EndsSoon(Date),
    /// Every group is nearly full.
    FullSoon,
}

impl Invitation {
    /// Whom a guest is shown: one of those on shift, by weight; the spare where there is none of them.
    ///
    /// `lot` decides among them: the same lot has the same answer as long as the same people are there.
    /// `shown_since` counts the guests that a code was shown to from a business day on.
    pub fn pick(
        &self,
        at: Moment<'_>,
        shown_since: impl Fn(&Code, Date) -> u32,
        lot: u64,
    ) -> Option<&Code> {
        let good = |code: &&Code| code.is_good(at, &shown_since);
        let codes = || self.codes.iter().filter(good);
        let on_shift: Vec<&Code> = codes()
            .filter(|code| !code.spare && code.is_on_shift(at))
            .collect();
        let there = if on_shift.is_empty() {
            codes().filter(|code| code.spare).collect()
        } else {
            on_shift
        };
        let total: u64 = there.iter().map(|code| u64::from(code.weight.get())).sum();
        let mut ticket = lot.checked_rem(total)?;
        there.into_iter().find(|code| {
            let weight = u64::from(code.weight.get());
            let is_drawn = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            is_drawn
        })
    }

    pub fn worry(&self, at: Moment<'_>, shown_since: impl Fn(&Code, Date) -> u32) -> Option<Worry> {
        let Some(picked) = self.pick(at, &shown_since, 0) else {
            return Some(Worry::Nobody);
        };
        if picked.spare {
            return Some(Worry::OnlySpare);
        }
        let is_good = |code: &&Code| code.is_good(at, &shown_since);
        let good: Vec<&Code> = self.codes.iter().filter(is_good).collect();
        let is_filling = |code: &&Code| {
            let members = code.members(&shown_since);
            members.is_some_and(|members| members >= GROUP_IS_FILLING_AT)
        };
        if good.iter().all(is_filling) {
            return Some(Worry::FullSoon);
        }
        let last_days: Option<Vec<Date>> = good.into_iter().map(Code::last_day).collect();
        let last = last_days?.into_iter().max()?;
        let tomorrow = business_day(at.local).saturating_add(1.day());
        (last <= tomorrow).then_some(Worry::EndsSoon(last))
    }

    /// The code of this name.
    pub fn code(&self, id: &Slug) -> Option<&Code> {
        self.codes.iter().find(|code| code.id == *id)
    }
}

#[cfg(test)]
mod tests;
