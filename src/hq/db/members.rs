//! What headquarters keeps of a store's guests: who is a VIP, who is in the group, their birthdays, whether they
//! agreed to messages, what their parties paid; and who was written to.
//!
//! Pure; the SQL is in `embedded` and `postgres`. Guests are pseudonyms. Of two words on the same thing the one
//! that was said later counts, so neither the order nor the number of times that they come in changes anything.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::AuditEntry;
use super::notice::Notice;
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{RedemptionId, StoreId, Vid};
use crate::domain::members::{Birthday, Membership};
use crate::wire::link::Serves;

/// What a word is about, as a ledger's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Card,
    Vip,
    Group,
    Birthday,
    Consent,
}

impl About {
    const ALL: [Self; 5] = [
        Self::Card,
        Self::Vip,
        Self::Group,
        Self::Birthday,
        Self::Consent,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Vip => "vip",
            Self::Group => "group",
            Self::Birthday => "birthday",
            Self::Consent => "consent",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|about| about.name() == name)
    }
}

/// The last word on something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// None: it is so no more.
    pub value: Option<String>,
    pub at: Timestamp,
}

impl Word {
    fn of(word: &Membership) -> Self {
        Self {
            value: word.is.then(|| word.since.to_string()),
            at: word.decided_at,
        }
    }
}

/// What an event says of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberNews {
    store: StoreId,
    said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Word(Vid, About, Word),
    Spent(RedemptionId, Spent),
}

/// What is known of a redemption. Each fact comes by itself, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spent {
    pub(super) vid: Option<Vid>,
    pub(super) fen: Option<u32>,
    pub(super) is_undone: bool,
}

impl Spent {
    fn merge(&mut self, other: &Self) {
        self.vid = other.vid.or(self.vid);
        self.fen = other.fen.or(self.fen);
        self.is_undone |= other.is_undone;
    }
}

impl MemberNews {
    /// None where an event says nothing of a guest.
    pub fn of(occurrence: &Occurrence) -> Option<Self> {
        let at = occurrence.moment.at;
        let said = if let Event::MemberRegistered(word) = &occurrence.event {
            Said::Word(word.vid, About::Card, Word::of(word))
        } else if let Event::VipChanged(word) = &occurrence.event {
            // What a box was told is known here, and the street would say it of another store.
            Said::Word(
                word.vid,
                About::Vip,
                (!word.is_told).then(|| Word::of(word))?,
            )
        } else if let Event::GroupReported(word) = &occurrence.event {
            Said::Word(word.vid, About::Group, Word::of(word))
        } else if let Event::BirthdayTold(told) = &occurrence.event {
            let value = told.day.map(|day| day.to_string());
            Said::Word(told.vid, About::Birthday, Word { value, at })
        } else if let Event::ConsentGiven(consent) = &occurrence.event {
            let value = Some(consent.words_hash.clone());
            Said::Word(consent.vid, About::Consent, Word { value, at })
        } else if let Event::ConsentWithdrawn(consent) = &occurrence.event {
            Said::Word(consent.vid, About::Consent, Word { value: None, at })
        } else {
            let (redemption, spent) = spent(&occurrence.event)?;
            Said::Spent(redemption, spent)
        };
        Some(Self {
            store: occurrence.store.clone(),
            said,
        })
    }
}

fn spent(event: &Event) -> Option<(RedemptionId, Spent)> {
    let nothing = Spent::default();
    if let Event::Redeem(redeem) = event {
        let vid = Some(redeem.vid?);
        Some((redeem.redemption, Spent { vid, ..nothing }))
    } else if let Event::RedeemUndone(undone) = event {
        let is_undone = true;
        Some((
            undone.redemption,
            Spent {
                is_undone,
                ..nothing
            },
        ))
    } else if let Event::Bill(bill) = event {
        let fen = Some(bill.amount?.fen());
        Some((bill.redemption?, Spent { fen, ..nothing }))
    } else {
        None
    }
}

/// What a transaction writes of guests, in the order of its keys, as everything is that a ledger locks.
#[derive(Debug, Default)]
pub(super) struct MemberTally {
    pub(super) words: BTreeMap<(StoreId, Vid, About), Word>,
    pub(super) spent: BTreeMap<RedemptionId, (StoreId, Spent)>,
}

impl MemberTally {
    pub(super) fn add(&mut self, news: &MemberNews) {
        match &news.said {
            Said::Word(vid, about, word) => self.hear(&news.store, *vid, *about, word.clone()),
            Said::Spent(redemption, spent) => {
                let new = || (news.store.clone(), Spent::default());
                let known = self.spent.entry(*redemption).or_insert_with(new);
                known.1.merge(spent);
            }
        }
    }

    fn hear(&mut self, store: &StoreId, vid: Vid, about: About, word: Word) {
        let key = (store.clone(), vid, about);
        let known = self.words.get(&key);
        if known.is_none_or(|known| known.at < word.at) {
            self.words.insert(key, word);
        }
    }
}

/// A guest of a store, as far as headquarters knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    pub vid: Option<Vid>,
    /// The business days on which they were seen.
    pub seen: Option<Seen>,
    /// What their parties paid.
    pub spent_fen: u64,
    pub vip_since: Option<Date>,
    pub in_group_since: Option<Date>,
    pub birthday: Option<Birthday>,
    /// They agreed to messages, and have not taken it back.
    pub consents: bool,
    /// When they were written to, the oldest first.
    pub reached: Vec<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub days: u32,
    pub first: Date,
    pub last: Date,
}

/// Guests of a store while their rows are read.
#[derive(Debug, Default)]
pub(super) struct Assembly(BTreeMap<Vid, Member>);

impl Assembly {
    fn guest(&mut self, vid: Vid) -> &mut Member {
        self.0.entry(vid).or_default()
    }

    pub(super) fn seen(&mut self, vid: Vid, seen: Seen) {
        self.guest(vid).seen = Some(seen);
    }

    /// Takes a row of words; false where this program did not write it.
    pub(super) fn word(&mut self, vid: Vid, about: &str, value: Option<&str>) -> bool {
        let guest = self.guest(vid);
        let day = value.and_then(|value| value.parse().ok());
        match About::named(about) {
            Some(About::Card) => {}
            Some(About::Vip) => guest.vip_since = day,
            Some(About::Group) => guest.in_group_since = day,
            Some(About::Birthday) => {
                guest.birthday = value.and_then(|value| Birthday::parse(value).ok());
            }
            Some(About::Consent) => guest.consents = value.is_some(),
            None => return false,
        }
        true
    }

    pub(super) fn spent(&mut self, vid: Vid, fen: u64) {
        self.guest(vid).spent_fen = fen;
    }

    pub(super) fn reached(&mut self, vid: Vid, at: Timestamp) {
        self.guest(vid).reached.push(at);
    }

    pub(super) fn finish(self) -> Vec<Member> {
        let named = |(vid, guest): (Vid, Member)| Member {
            vid: Some(vid),
            ..guest
        };
        self.0.into_iter().map(named).collect()
    }
}

/// Somebody was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub store: StoreId,
    pub vid: Vid,
    pub at: Timestamp,
    /// For what: the list that they stood on.
    pub list: &'static str,
}

/// A list of members of before, read and found to be without a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub store: StoreId,
    pub at: Timestamp,
    pub rows: Vec<ImportedRow>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// None: they have not been seen, and wait for their phone's hash to be.
    pub vid: Option<Vid>,
    /// The SHA-256 of their phone number, in hexadecimal: it stays here.
    pub phone: Option<String>,
    pub since: Date,
    /// Whether they agreed to messages; none where nobody knows.
    pub consents: Option<bool>,
}

impl Imported {
    pub(super) fn tally(&self) -> MemberTally {
        let mut tally = MemberTally::default();
        for (vid, row) in self.known() {
            let word = Word::of(&self.word(vid, row));
            tally.hear(&self.store, vid, About::Vip, word);
            if let Some(consents) = row.consents {
                let value = consents.then(|| "imported".to_owned());
                let word = Word { value, at: self.at };
                tally.hear(&self.store, vid, About::Consent, word);
            }
        }
        tally
    }

    /// What the boxes of the store and the street are told.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let to_all = |(vid, row): (Vid, &ImportedRow)| {
            let word = self.word(vid, row);
            let store = Serves::Store(self.store.clone());
            [store, Serves::Street].map(|to| Notice::vip(to, word.clone()))
        };
        self.known().flat_map(to_all).collect()
    }

    fn known(&self) -> impl Iterator<Item = (Vid, &ImportedRow)> {
        self.rows.iter().filter_map(|row| Some((row.vid?, row)))
    }

    fn word(&self, vid: Vid, row: &ImportedRow) -> Membership {
        Membership::now(vid, true, (row.since, self.at), None)
    }

    pub(super) fn audit(&self) -> AuditEntry {
        let known = self.known().count();
        let what = format!("{} rows, {known} of guests who are known", self.rows.len());
        AuditEntry::new(self.at, "members_imported", &self.store, &what)
    }
}
