//! A guest brings a friend: one code, shown in person, and a gift for each of the two.
//!
//! A guest to whom something has been handed over may show a code; it is good until the end of the business day,
//! for whoever has never been here before. The friend's gift is a coupon like any other, and the bringer's is
//! issued when the till takes that coupon: the friend has come. There is one level: what is kept says whose code a
//! coupon came by, and nothing of who brought the bringer. Whoever has brought somebody cannot be brought, so no
//! circle of guests earns anything from each other.
//!
//! As the wallet, this decides and is told; taking in an event a second time, in the order of the journal, is
//! harmless. It is bounded by [`MOST`], and by time: a code leaves after its day, a friend when the coupon and its
//! month are over.

mod line;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::business_day;
use super::event::{Event, Occurrence, unix_millis};
use super::ids::{CampaignId, CouponId, DayMark, ReferralCode, Vid};
use super::members::Member;
use super::offer::Diner;

/// More than come to one shop by a friend in half a year; of codes, more than are shown in a day.
const MOST: usize = 5_000;

/// A redemption can be taken back for a week after its coupon's end.
const KEPT_AFTER_THE_END: SignedDuration = SignedDuration::from_hours(8 * 24);

/// As long as a month can still be counted.
const KEPT_DAYS: i64 = 32;

/// `[referral]` of a chain or a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralRules {
    /// Whose gift is whose; both are campaigns with `audience = "referral"`.
    pub bringer: CampaignId,
    pub friend: CampaignId,
    /// Friends that one guest can bring in a calendar month.
    #[serde(default = "per_month")]
    pub per_month: u8,
}

const fn per_month() -> u8 {
    5
}

/// A guest has a code of their own for today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralShown {
    #[serde(rename = "rc")]
    pub code: ReferralCode,
    pub vid: Vid,
    #[serde(rename = "dv", default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DayMark>,
}

/// A friend claimed their gift by a guest's code; the claim is in the same frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralUsed {
    /// The friend's.
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "na", with = "unix_millis")]
    pub not_after: Timestamp,
    /// The bringer, who has shown the code.
    pub vid: Vid,
    /// The friend's.
    #[serde(rename = "dv", default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DayMark>,
}

/// The friend has come, and the bringer's gift is issued; both are in the same frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralRewarded {
    /// The friend's coupon.
    pub of: CouponId,
    /// The bringer's.
    #[serde(rename = "cpn")]
    pub gift: CouponId,
}

/// A code of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    vid: Vid,
    day: Date,
    device: Option<DayMark>,
}

/// Whose code a friend's coupon came by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Brought {
    bringer: Vid,
    day: Date,
    not_after: Timestamp,
    device: Option<DayMark>,
    /// The bringer's coupon, once the friend has come.
    gift: Option<CouponId>,
}

/// What the checkpoint calls an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Code(ReferralCode),
    Friend(CouponId),
}

/// Somebody opens a guest's code.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    pub code: ReferralCode,
    pub vid: Option<Vid>,
    pub device: Option<DayMark>,
    /// As [`is_first_visit`] says; whoever brings no cookie has never been here.
    pub is_first_visit: bool,
    pub today: Date,
    pub now: Timestamp,
    pub per_month: u8,
}

/// Why nobody is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBrought {
    /// It was not shown here today.
    UnknownCode,
    /// It is their own.
    Oneself,
    /// The gift is for somebody's first visit.
    BeenHere,
    /// The guest has brought as many as they can in this month.
    Enough,
}

/// Whether somebody has come today for the first time: no coupon and no word of theirs is from another day.
pub fn is_first_visit(
    mut claimed: impl Iterator<Item = Date>,
    member: Option<&Member>,
    today: Date,
) -> bool {
    let known = member.and_then(Member::known_since);
    claimed.all(|day| day == today) && known.is_none_or(|day| day == today)
}

/// Whether somebody may bring others: something was handed over to them here.
pub fn may_bring(diner: Diner, member: Option<&Member>) -> bool {
    diner.redeemed > 0 || member.is_some_and(|member| !member.days().is_empty())
}

/// What a guest has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// This month: friends who have come, and such as still may.
    pub this_month: usize,
    /// Whose coupon was redeemed, as long as it is remembered.
    pub came: usize,
}

/// The codes of today, and the friends of late.
#[derive(Debug, Default)]
pub struct Referrals {
    codes: BTreeMap<ReferralCode, Code>,
    friends: BTreeMap<CouponId, Brought>,
    dirty: BTreeSet<Key>,
}

impl Referrals {
    /// The code that a guest has for today.
    pub fn code_of(&self, vid: Vid, today: Date) -> Option<ReferralCode> {
        let mut codes = self.codes.iter();
        let own = codes.find(|(_, code)| code.vid == vid && code.day == today);
        own.map(|(code, _)| *code)
    }

    /// What is to be written so that a guest has a code for today; none where they have one, or where the one that
    /// was drawn is somebody's.
    pub fn show(
        &self,
        vid: Vid,
        device: Option<DayMark>,
        drawn: ReferralCode,
        today: Date,
    ) -> Option<Event> {
        let is_needed = self.code_of(vid, today).is_none() && !self.codes.contains_key(&drawn);
        is_needed.then_some(Event::ReferralShown(ReferralShown {
            code: drawn,
            vid,
            device,
        }))
    }

    /// Decides whether somebody is brought by the code they opened, and by whom.
    pub fn bring(&self, opened: &Opened) -> Result<Vid, NotBrought> {
        let code = self
            .codes
            .get(&opened.code)
            .filter(|code| code.day == opened.today)
            .ok_or(NotBrought::UnknownCode)?;
        let is_same = |device: Option<DayMark>| device.is_some() && device == opened.device;
        if opened.vid == Some(code.vid) || is_same(code.device) {
            return Err(NotBrought::Oneself);
        }
        let has_brought = |vid| self.friends.values().any(|friend| friend.bringer == vid);
        let was_brought = |friend: &Brought| friend.day == opened.today && is_same(friend.device);
        if !opened.is_first_visit
            || opened.vid.is_some_and(has_brought)
            || self.friends.values().any(was_brought)
        {
            return Err(NotBrought::BeenHere);
        }
        let tally = self.tally(code.vid, opened.today, opened.now);
        if tally.this_month >= usize::from(opened.per_month) {
            return Err(NotBrought::Enough);
        }
        Ok(code.vid)
    }

    pub fn tally(&self, vid: Vid, today: Date, now: Timestamp) -> Tally {
        let own = self.friends.values().filter(|friend| friend.bringer == vid);
        own.fold(Tally::default(), |tally, friend| {
            let is_of_month = friend.day.first_of_month() == today.first_of_month();
            let counts = friend.gift.is_some() || friend.not_after > now;
            Tally {
                this_month: tally.this_month + usize::from(is_of_month && counts),
                came: tally.came + usize::from(friend.gift.is_some()),
            }
        })
    }

    /// Who is to have a gift once a coupon is redeemed; nobody where it came by no code, or they have it.
    pub fn bringer_of(&self, coupon: CouponId) -> Option<Vid> {
        let friend = self.friends.get(&coupon)?;
        friend.gift.is_none().then_some(friend.bringer)
    }

    /// What was issued when a coupon was redeemed, which goes where that is taken back.
    pub fn gift_for(&self, coupon: CouponId) -> Option<CouponId> {
        self.friends.get(&coupon)?.gift
    }

    /// What is kept under a guest, as the checkpoint has it.
    pub fn written(&self, vid: Vid) -> Vec<String> {
        let codes = self.codes.iter().filter(|(_, code)| code.vid == vid);
        let codes = codes.map(|(name, code)| format!("{name} {}", line::of_code(code)));
        let friends = self.friends.iter().filter(|(_, one)| one.bringer == vid);
        let friends = friends.map(|(name, one)| format!("{name} {}", line::of_friend(one)));
        codes.chain(friends).collect()
    }

    /// Whether anything here is a guest's.
    pub fn knows(&self, vid: Vid) -> bool {
        !self.written(vid).is_empty()
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let day = business_day(occurrence.moment.local());
        if let Event::ReferralShown(shown) = &occurrence.event {
            let code = Code {
                vid: shown.vid,
                day,
                device: shown.device,
            };
            self.codes.insert(shown.code, code);
            self.dirty.insert(Key::Code(shown.code));
        } else if let Event::ReferralUsed(used) = &occurrence.event {
            self.friends.entry(used.coupon).or_insert(Brought {
                bringer: used.vid,
                day,
                not_after: used.not_after,
                device: used.device,
                gift: None,
            });
            self.dirty.insert(Key::Friend(used.coupon));
        } else if let Event::ReferralRewarded(rewarded) = &occurrence.event {
            self.set_gift(rewarded.of, Some(rewarded.gift));
        } else if let Event::CouponVoided(voided) = &occurrence.event {
            let mut friends = self.friends.iter();
            let of = friends.find(|(_, friend)| friend.gift == Some(voided.coupon));
            if let Some(of) = of.map(|(of, _)| *of) {
                self.set_gift(of, None);
            }
        } else if let Event::EraseRequested(erased) = &occurrence.event {
            self.forget(
                |code| code.vid == erased.vid,
                |_, friend| friend.bringer == erased.vid,
            );
        }
        self.make_room();
    }

    fn set_gift(&mut self, of: CouponId, gift: Option<CouponId>) {
        if let Some(friend) = self.friends.get_mut(&of) {
            friend.gift = gift;
            self.dirty.insert(Key::Friend(of));
        }
    }

    fn forget(
        &mut self,
        mut codes: impl FnMut(&Code) -> bool,
        mut friends: impl FnMut(CouponId, &Brought) -> bool,
    ) {
        let dirty = &mut self.dirty;
        self.codes.retain(|name, code| {
            let goes = codes(code);
            if goes {
                dirty.insert(Key::Code(*name));
            }
            !goes
        });
        self.friends.retain(|name, friend| {
            let goes = friends(*name, friend);
            if goes {
                dirty.insert(Key::Friend(*name));
            }
            !goes
        });
    }

    /// Lets go of the oldest.
    fn make_room(&mut self) {
        if self.codes.len() > MOST {
            let oldest = self.codes.iter().min_by_key(|(_, code)| code.day);
            if let Some(name) = oldest.map(|(name, _)| *name) {
                self.codes.remove(&name);
                self.dirty.insert(Key::Code(name));
            }
        }
        if self.friends.len() > MOST {
            let oldest = self
                .friends
                .iter()
                .min_by_key(|(_, friend)| friend.not_after);
            if let Some(name) = oldest.map(|(name, _)| *name) {
                self.friends.remove(&name);
                self.dirty.insert(Key::Friend(name));
            }
        }
    }

    /// What has changed since the last call, by name: none for what is gone. What is over leaves; only such as an
    /// earlier checkpoint held, so that no log brings it back.
    pub fn take_changes(
        &mut self,
        steady: Timestamp,
        today: Date,
    ) -> Vec<(String, Option<String>)> {
        let changed = std::mem::take(&mut self.dirty);
        let ended = steady
            .saturating_sub(KEPT_AFTER_THE_END)
            .unwrap_or(Timestamp::MIN);
        let counted = today.saturating_sub(KEPT_DAYS.days());
        let yesterday = today.saturating_sub(1.day());
        self.forget(
            |code| code.day < yesterday,
            |name, friend| {
                let is_over = friend.not_after < ended && friend.day < counted;
                is_over && !changed.contains(&Key::Friend(name))
            },
        );
        let mut names = std::mem::take(&mut self.dirty);
        names.extend(changed);
        let entry = |key: Key| match key {
            Key::Code(code) => (code.to_string(), self.codes.get(&code).map(line::of_code)),
            Key::Friend(of) => (of.to_string(), self.friends.get(&of).map(line::of_friend)),
        };
        names.into_iter().map(entry).collect()
    }

    /// Takes back an entry of the checkpoint; false where it cannot be read.
    pub fn restore(&mut self, name: &str, written: &str) -> bool {
        let parts: Vec<_> = written.split(' ').collect();
        if let (Ok(code), Some(read)) = (ReferralCode::parse(name), line::code(&parts)) {
            self.codes.insert(code, read);
        } else if let (Ok(of), Some(read)) = (CouponId::parse(name), line::friend(&parts)) {
            self.friends.insert(of, read);
        } else {
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests;
