//! Who holds a member's card, who is a VIP, who is in the group, and how far the others are from it.
//!
//! All of it is the shop's own ledger: VIP is a state that a rule reaches, that staff give and managers take, or
//! that headquarters knows of; the group is what staff say of it by hand, and never what a platform says. As the
//! wallet, this decides and is told: a decision changes nothing, and the event it returns changes the members
//! once it is in the journal. Taking in an event a second time is harmless.
//!
//! It is bounded: [`MOST`] guests, of each the latest [`MOST_VISITS`] visits, and whoever has nothing but visits
//! is forgotten [`FORGOTTEN_AFTER_DAYS`] days after the last.

mod birthday;
mod line;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::business_day;
use super::event::{Event, Occurrence, unix_millis};
use super::ids::{MemberCode, RedemptionId, StaffName, Vid};
use super::offer::Standing;

pub use birthday::{BadBirthday, Birthday, BirthdayTold};
pub use rules::{MemberRules, Missing};

/// Guests that a box remembers: 2.5 MB of a router's memory. The street hears of every store's VIPs, and lets go
/// of those that were heard of least lately.
const MOST: usize = 10_000;

/// Of one guest; no rule counts more.
const MOST_VISITS: usize = 40;

/// Longer than any rule looks back.
const FORGOTTEN_AFTER_DAYS: i32 = 400;

/// A word on a guest's standing with the shop: that they hold a card, are a VIP, or are in the group, or are it
/// no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub vid: Vid,
    pub is: bool,
    /// Since when, as a card shows it.
    #[serde(rename = "snc")]
    pub since: Date,
    /// Of two words the one that was decided later counts, wherever each was said and in whatever order they come.
    #[serde(rename = "was", with = "unix_millis")]
    pub decided_at: Timestamp,
    /// Headquarters told this box so: nobody has to hear it from here.
    #[serde(rename = "hq", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_told: bool,
    /// Nobody: a rule was met, or the guest asked themselves.
    #[serde(rename = "stf", default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<StaffName>,
}

/// What a word is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Card,
    Vip,
    Group,
}

impl Topic {
    const fn event(self, word: Membership) -> Event {
        match self {
            Self::Card => Event::MemberRegistered(word),
            Self::Vip => Event::VipChanged(word),
            Self::Group => Event::GroupReported(word),
        }
    }
}

impl Membership {
    /// A word that is true from `at` on.
    pub fn now(vid: Vid, is: bool, (today, at): (Date, Timestamp), by: Option<StaffName>) -> Self {
        Self {
            vid,
            is,
            since: today,
            decided_at: at,
            is_told: false,
            staff: by,
        }
    }
}

/// What is known of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    card: Option<Word>,
    vip: Option<Word>,
    group: Option<Word>,
    birthday: Option<Birthday>,
    /// The latest, in the order they were heard of.
    visits: Vec<Visit>,
}

/// The last word on one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    is: bool,
    since: Date,
    decided_at: Timestamp,
}

/// Something that was handed over, and what the party paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Visit {
    redemption: RedemptionId,
    day: Date,
    fen: u32,
}

impl Member {
    /// Since when they hold a card.
    pub fn card_since(&self) -> Option<Date> {
        since(self.card)
    }

    pub fn vip_since(&self) -> Option<Date> {
        since(self.vip)
    }

    pub fn in_group_since(&self) -> Option<Date> {
        since(self.group)
    }

    pub const fn birthday(&self) -> Option<Birthday> {
        self.birthday
    }

    /// The days on which something was handed over to them, each once.
    pub fn days(&self) -> BTreeSet<Date> {
        self.visits.iter().map(|visit| visit.day).collect()
    }

    /// What `rules` still ask of them; none where they ask for nothing, or have been met.
    pub fn missing(&self, rules: &MemberRules, today: Date) -> Option<Missing> {
        // What came before a VIP was taken away does not bring it back.
        let begins = match self.vip {
            Some(word) if !word.is => word.since,
            Some(_) | None => Date::MIN,
        };
        let counted = self.visits.iter().filter(|visit| visit.day > begins);
        let paid: Vec<_> = counted.map(|visit| (visit.day, visit.fen)).collect();
        rules.missing(&paid, today)
    }

    const fn word(&self, topic: Topic) -> Option<Word> {
        match topic {
            Topic::Card => self.card,
            Topic::Vip => self.vip,
            Topic::Group => self.group,
        }
    }

    fn has_nothing_but_visits(&self) -> bool {
        self.card.is_none() && self.vip.is_none() && self.group.is_none() && self.birthday.is_none()
    }

    /// The first day from which something is remembered of them.
    pub fn known_since(&self) -> Option<Date> {
        let words = [self.card, self.vip, self.group].into_iter().flatten();
        let visits = self.visits.iter().map(|visit| visit.day);
        words.map(|word| word.since).chain(visits).min()
    }

    /// When something was last heard of them.
    fn last_heard(&self) -> Date {
        let words = [self.card, self.vip, self.group].into_iter().flatten();
        let days = words.map(|word| word.since);
        let visits = self.visits.iter().map(|visit| visit.day);
        days.chain(visits).max().unwrap_or(Date::MIN)
    }

    /// Writes down a visit; whether it is new.
    fn come(&mut self, redemption: RedemptionId, day: Date) -> bool {
        let mut known = self.visits.iter();
        if known.any(|visit| visit.redemption == redemption) {
            return false;
        }
        if self.visits.len() >= MOST_VISITS {
            self.visits.remove(0);
        }
        self.visits.push(Visit {
            redemption,
            day,
            fen: 0,
        });
        true
    }

    fn pay(&mut self, redemption: RedemptionId, fen: u32) -> bool {
        let mut visits = self.visits.iter_mut();
        match visits.find(|visit| visit.redemption == redemption) {
            Some(visit) if visit.fen != fen => {
                visit.fen = fen;
                true
            }
            Some(_) | None => false,
        }
    }
}

fn since(word: Option<Word>) -> Option<Date> {
    word.filter(|word| word.is).map(|word| word.since)
}

/// The guests that this box knows.
#[derive(Debug, Default)]
pub struct Members {
    guests: BTreeMap<Vid, Member>,
    dirty: BTreeSet<Vid>,
}

impl Members {
    pub fn get(&self, vid: Vid) -> Option<&Member> {
        self.guests.get(&vid)
    }

    /// What is kept of a guest, as the checkpoint has it.
    pub fn written(&self, vid: Vid) -> Option<String> {
        self.get(vid).map(line::write)
    }

    pub fn is_vip(&self, vid: Vid) -> bool {
        self.get(vid).and_then(Member::vip_since).is_some()
    }

    /// How an offer is chosen for whoever brings this cookie.
    pub fn standing(&self, vid: Option<Vid>) -> Standing {
        let guest = vid.and_then(|vid| self.get(vid));
        Standing {
            is_vip: guest.and_then(Member::vip_since).is_some(),
            born_in: guest.and_then(Member::birthday).map(Birthday::month),
        }
    }

    /// Whose code this is; nobody's where it could be two guests'.
    pub fn of_code(&self, code: MemberCode) -> Option<Vid> {
        let mut found = self
            .guests
            .keys()
            .filter(|vid| MemberCode::of(**vid) == code);
        let vid = found.next()?;
        found.next().is_none().then_some(*vid)
    }

    /// The word that makes a guest a VIP by `rules` once `occurrence` has happened; none where it does not.
    pub fn promotion(&self, occurrence: &Occurrence, rules: &MemberRules) -> Option<Membership> {
        let (day, at) = (
            business_day(occurrence.moment.local()),
            occurrence.moment.at,
        );
        let (vid, mut guest) = if let Event::Redeem(redeem) = &occurrence.event {
            let vid = redeem.vid?;
            let mut guest = self.get(vid).cloned().unwrap_or_default();
            guest.come(redeem.redemption, day);
            (vid, guest)
        } else if let Event::Bill(bill) = &occurrence.event {
            let vid = self.who_redeemed(bill.redemption?)?;
            (vid, self.get(vid)?.clone())
        } else {
            return None;
        };
        if let Event::Bill(bill) = &occurrence.event
            && let Some((redemption, fen)) = bill.redemption.zip(bill.amount)
        {
            guest.pay(redemption, fen.fen());
        }
        let is_met = rules.ask_for_something() && guest.missing(rules, day).is_none();
        (is_met && guest.vip_since().is_none()).then(|| Membership::now(vid, true, (day, at), None))
    }

    /// Takes in an event of this gateway's journal; whether it changed anything.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let changed = if let Event::Redeem(redeem) = &occurrence.event {
            let day = business_day(occurrence.moment.local());
            redeem.vid.filter(|vid| {
                let guest = self.guests.entry(*vid).or_default();
                guest.come(redeem.redemption, day)
            })
        } else if let Event::RedeemUndone(undone) = &occurrence.event {
            self.who_redeemed(undone.redemption).inspect(|vid| {
                let guest = self.guests.entry(*vid).or_default();
                guest
                    .visits
                    .retain(|visit| visit.redemption != undone.redemption);
            })
        } else if let Event::Bill(bill) = &occurrence.event {
            let paid = bill.redemption.zip(bill.amount);
            paid.and_then(|(redemption, fen)| {
                let vid = self.who_redeemed(redemption)?;
                let guest = self.guests.get_mut(&vid)?;
                guest.pay(redemption, fen.fen()).then_some(vid)
            })
        } else if let Event::EraseRequested(erased) = &occurrence.event {
            self.guests.remove(&erased.vid).map(|_| erased.vid)
        } else if let Event::BirthdayTold(told) = &occurrence.event {
            self.guests.entry(told.vid).or_default().birthday = told.day;
            Some(told.vid)
        } else {
            self.hear(&occurrence.event)
        };
        self.dirty.extend(changed);
        self.make_room();
    }

    /// Takes in a word, where it is later than what is known.
    fn hear(&mut self, event: &Event) -> Option<Vid> {
        let (word, kept): (_, fn(&mut Member) -> &mut Option<Word>) =
            if let Event::MemberRegistered(word) = event {
                (word, |guest| &mut guest.card)
            } else if let Event::VipChanged(word) = event {
                (word, |guest| &mut guest.vip)
            } else if let Event::GroupReported(word) = event {
                (word, |guest| &mut guest.group)
            } else {
                return None;
            };
        let kept = kept(self.guests.entry(word.vid).or_default());
        if kept.is_some_and(|known| known.decided_at >= word.decided_at) {
            return None;
        }
        *kept = Some(Word {
            is: word.is,
            since: word.since,
            decided_at: word.decided_at,
        });
        Some(word.vid)
    }

    /// What is to be written where somebody says that a guest is it now, or is it no more; none where it is so.
    pub fn say(
        &self,
        topic: Topic,
        (vid, is): (Vid, bool),
        (today, now): (Date, Timestamp),
        by: Option<StaffName>,
    ) -> Option<Event> {
        let known = self.get(vid).and_then(|guest| guest.word(topic));
        if known.is_some_and(|known| known.is) == is {
            return None;
        }
        // The clock may have been set back since the last word, and this one is the later.
        let after = known.map_or(now, |known| {
            let next = SignedDuration::from_millis(1);
            known.decided_at.saturating_add(next).unwrap_or(now)
        });
        let word = Membership::now(vid, is, (today, now.max(after)), by);
        Some(topic.event(word))
    }

    /// Whether `word` on a VIP would change anything.
    pub fn is_news(&self, word: &Membership) -> bool {
        let known = self.get(word.vid).and_then(|guest| guest.vip);
        known.is_none_or(|known| known.decided_at < word.decided_at)
    }

    fn who_redeemed(&self, redemption: RedemptionId) -> Option<Vid> {
        let is_theirs = |guest: &Member| {
            let mut visits = guest.visits.iter();
            visits.any(|visit| visit.redemption == redemption)
        };
        let mut guests = self.guests.iter();
        guests.find_map(|(vid, guest)| is_theirs(guest).then_some(*vid))
    }

    /// Lets go of whoever was heard of least lately: guests before members, members before VIPs.
    fn make_room(&mut self) {
        if self.guests.len() <= MOST {
            return;
        }
        let least = self.guests.iter().min_by_key(|(_, guest)| {
            let is_vip = guest.vip_since().is_some();
            (is_vip, !guest.has_nothing_but_visits(), guest.last_heard())
        });
        if let Some(vid) = least.map(|(vid, _)| *vid) {
            self.guests.remove(&vid);
            self.dirty.insert(vid);
        }
    }

    /// The guests that have changed since the last call: none for one that is gone. Whoever has nothing but visits
    /// of long ago leaves; only such as an earlier checkpoint held, so that no log brings them back.
    pub fn take_changes(&mut self, today: Date) -> Vec<(Vid, Option<String>)> {
        let over = today.saturating_sub(FORGOTTEN_AFTER_DAYS.days());
        let mut changed = std::mem::take(&mut self.dirty);
        self.guests.retain(|vid, guest| {
            let is_over = guest.has_nothing_but_visits() && guest.last_heard() < over;
            if is_over && !changed.contains(vid) {
                changed.insert(*vid);
                return false;
            }
            true
        });
        let guests = &self.guests;
        changed
            .into_iter()
            .map(|vid| (vid, guests.get(&vid).map(line::write)))
            .collect()
    }

    /// Takes back an entry of the checkpoint; false where it cannot be read.
    pub fn restore(&mut self, vid: Vid, written: &str) -> bool {
        let read = line::read(written);
        let is_read = read.is_some();
        self.guests.extend(read.map(|guest| (vid, guest)));
        is_read
    }
}

#[cfg(test)]
mod tests;
