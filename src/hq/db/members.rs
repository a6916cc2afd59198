//! What headquarters keeps of a store's guests: who is a VIP, who is in the group, their birthdays, whether they
//! agreed to messages, what their parties paid; and who was written to.
//!
//! Pure; the SQL is in `embedded` and `postgres`. Guests are pseudonyms. Of two words on the same thing the one
//! that was said later counts, and of two at the same time the one that takes something back, so neither the order
//! nor the number of times that they come in changes anything. An agreement is a store's own; taking it back, at
//! whatever store, takes back all that were given before. A list of members of before says what was true when its
//! member began, so nothing that was said since is undone by it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

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
    Withdrawn,
}

impl About {
    const ALL: [Self; 6] = [
        Self::Card,
        Self::Vip,
        Self::Group,
        Self::Birthday,
        Self::Consent,
        Self::Withdrawn,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Vip => "vip",
            Self::Group => "group",
            Self::Birthday => "birthday",
            Self::Consent => "consent",
            Self::Withdrawn => "withdrawn",
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

    /// Whether it counts, and not `other` on the same thing.
    fn beats(&self, other: &Self) -> bool {
        (self.at, self.value.is_none()) > (other.at, other.value.is_none())
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
            let value = Some(consent.words_hash.clone());
            Said::Word(consent.vid, About::Withdrawn, Word { value, at })
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
        if known.is_none_or(|known| word.beats(known)) {
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
    /// They agreed to messages of this store, and have not taken it back at any.
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
pub(super) struct Assembly(BTreeMap<Vid, Half>);

/// A guest of whom not all rows have been read.
#[derive(Debug, Default)]
struct Half {
    guest: Member,
    agreed: Option<Timestamp>,
    /// At any store.
    withdrew: Option<Timestamp>,
}

impl Assembly {
    fn guest(&mut self, vid: Vid) -> &mut Member {
        &mut self.0.entry(vid).or_default().guest
    }

    pub(super) fn seen(&mut self, vid: Vid, seen: Seen) {
        self.guest(vid).seen = Some(seen);
    }

    /// Takes a row of words and when it was said; false where this program did not write it.
    pub(super) fn word(
        &mut self,
        vid: Vid,
        about: &str,
        (value, at): (Option<&str>, Timestamp),
    ) -> bool {
        let half = self.0.entry(vid).or_default();
        let guest = &mut half.guest;
        let day = value.and_then(|value| value.parse().ok());
        match About::named(about) {
            Some(About::Card) => {}
            Some(About::Vip) => guest.vip_since = day,
            Some(About::Group) => guest.in_group_since = day,
            Some(About::Birthday) => {
                guest.birthday = value.and_then(|value| Birthday::parse(value).ok());
            }
            Some(About::Consent) => half.agreed = value.map(|_| at),
            Some(About::Withdrawn) => half.withdrew = half.withdrew.max(Some(at)),
            None => return false,
        }
        true
    }

    /// A guest of this store took their word back then, wherever it was; of another store's nothing is kept.
    pub(super) fn withdrew(&mut self, vid: Vid, at: Timestamp) {
        if let Some(half) = self.0.get_mut(&vid) {
            half.withdrew = half.withdrew.max(Some(at));
        }
    }

    pub(super) fn spent(&mut self, vid: Vid, fen: u64) {
        self.guest(vid).spent_fen = fen;
    }

    pub(super) fn reached(&mut self, vid: Vid, at: Timestamp) {
        self.guest(vid).reached.push(at);
    }

    pub(super) fn finish(self) -> Vec<Member> {
        let named = |(vid, half): (Vid, Half)| Member {
            vid: Some(vid),
            consents: half.agreed > half.withdrew,
            ..half.guest
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
    /// The business day of its store.
    pub today: Date,
    pub rows: Vec<ImportedRow>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// None: they have not been seen, and wait for their phone's hash to be.
    pub vid: Option<Vid>,
    /// The SHA-256 of their phone number, in hexadecimal: it stays here.
    pub phone: Option<String>,
    /// None where the list does not say.
    pub since: Option<Date>,
    /// Whether they agreed to messages; none where nobody knows.
    pub consents: Option<bool>,
}

impl ImportedRow {
    /// When what the list says was true: where it does not say, before everything that was heard here.
    fn said(&self) -> Timestamp {
        let begun = self.since.map(|day| day.to_zoned(TimeZone::UTC));
        let begun = begun.and_then(Result::ok).map(|day| day.timestamp());
        begun.unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Imported {
    pub(super) fn tally(&self) -> MemberTally {
        let mut tally = MemberTally::default();
        for (vid, row) in self.known() {
            let word = Word::of(&self.word(vid, row));
            tally.hear(&self.store, vid, About::Vip, word);
            if let Some(consents) = row.consents {
                let (about, at) = match consents {
                    true => (About::Consent, row.said()),
                    // Whoever is not to be written to by the list is not to be from now on.
                    false => (About::Withdrawn, self.at),
                };
                let value = Some("imported".to_owned());
                tally.hear(&self.store, vid, about, Word { value, at });
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
        let since = self.since(row);
        Membership::now(vid, true, (since, row.said()), None)
    }

    /// Since when somebody is a member, as their card shows it.
    pub(super) fn since(&self, row: &ImportedRow) -> Date {
        row.since.unwrap_or(self.today)
    }

    pub(super) fn audit(&self) -> AuditEntry {
        let known = self.known().count();
        let what = format!("{} rows, {known} of guests who are known", self.rows.len());
        AuditEntry::new(self.at, "members_imported", &self.store, &what)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::{Consent, Moment, Purpose};
    use crate::domain::ids::CouponId;

    const GUEST: Vid = Vid::from_entropy([7; 16]);

    #[derive(Debug, Clone, Copy)]
    enum Said {
        Agrees,
        Withdraws,
        IsVip,
        IsVipNoMore,
        /// Stands on a list of members of before, which says so of messages.
        Listed(Option<bool>),
    }

    /// At one of two stores, on a day.
    type Step = (Said, bool, u8);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let said = prop_oneof![
            Just(Said::Agrees),
            Just(Said::Withdraws),
            Just(Said::IsVip),
            Just(Said::IsVipNoMore),
            any::<Option<bool>>().prop_map(Said::Listed),
        ];
        prop::collection::vec((said, any::<bool>(), 1..9_u8), 0..9)
    }

    fn store(is_own: bool) -> StoreId {
        StoreId::parse(if is_own { "SZ01" } else { "SZ02" }).unwrap()
    }

    fn day(day: u8) -> Date {
        date(2026, 12, i8::try_from(day).unwrap())
    }

    fn at(of: u8) -> Timestamp {
        day(of).to_zoned(TimeZone::UTC).unwrap().timestamp()
    }

    /// Lists are read on a later day than everything else.
    const TODAY: u8 = 9;

    fn tally((said, is_own, of): Step) -> MemberTally {
        let consent = Consent {
            vid: GUEST,
            coupon: CouponId::from_entropy([1; 16]),
            purpose: Purpose::Marketing,
            version: 2,
            words_hash: "0123456789abcdef".to_owned(),
            words: None,
        };
        let vip = |is| Membership::now(GUEST, is, (day(of), at(of)), None);
        let event = match said {
            Said::Agrees => Event::ConsentGiven(consent),
            Said::Withdraws => Event::ConsentWithdrawn(consent),
            Said::IsVip => Event::VipChanged(vip(true)),
            Said::IsVipNoMore => Event::VipChanged(vip(false)),
            Said::Listed(consents) => {
                let row = ImportedRow {
                    vid: Some(GUEST),
                    phone: None,
                    since: Some(day(of)),
                    consents,
                };
                let imported = Imported {
                    store: store(is_own),
                    at: at(TODAY),
                    today: day(TODAY),
                    rows: vec![row],
                };
                return imported.tally();
            }
        };
        let mut tally = MemberTally::default();
        let moment = Moment {
            at: at(of),
            offset: jiff::tz::Offset::UTC,
        };
        let occurrence = Occurrence {
            store: store(is_own),
            moment,
            event,
        };
        tally.add(&MemberNews::of(&occurrence).unwrap());
        tally
    }

    /// The guest of the first store, as a ledger reads its rows.
    fn guest(steps: &[Step]) -> Member {
        let mut all = MemberTally::default();
        for step in steps {
            for ((store, vid, about), word) in tally(*step).words {
                all.hear(&store, vid, about, word);
            }
        }
        let mut assembly = Assembly::default();
        assembly.guest(GUEST);
        for ((of, vid, about), word) in &all.words {
            if *of == store(true) {
                let value = (word.value.as_deref(), word.at);
                assert!(assembly.word(*vid, about.name(), value));
            } else if *about == About::Withdrawn {
                assembly.withdrew(*vid, word.at);
            }
        }
        assembly.finish().remove(0)
    }

    proptest! {
        #[test]
        fn the_last_word_counts_whatever_the_order_and_however_often_they_come(
            (steps, shuffled) in steps().prop_flat_map(|steps| {
                let twice = [steps.clone(), steps.clone()].concat();
                (Just(steps), Just(twice).prop_shuffle())
            }),
        ) {
            let guest = guest(&shuffled);
            let latest = |is: &dyn Fn(Said, bool) -> Option<Option<u8>>| {
                let said = steps.iter().filter_map(|(said, is_own, of)| Some(is(*said, *is_own)?.unwrap_or(*of)));
                said.max()
            };
            let agreed = latest(&|said, is_own| match said {
                Said::Agrees | Said::Listed(Some(true)) => is_own.then_some(None),
                Said::Withdraws | Said::IsVip | Said::IsVipNoMore | Said::Listed(_) => None,
            });
            let withdrew = latest(&|said, _| match said {
                Said::Withdraws => Some(None),
                Said::Listed(Some(false)) => Some(Some(TODAY)),
                Said::Agrees | Said::IsVip | Said::IsVipNoMore | Said::Listed(_) => None,
            });
            prop_assert_eq!(guest.consents, agreed > withdrew);
            let made = latest(&|said, is_own| match said {
                Said::IsVip | Said::Listed(_) => is_own.then_some(None),
                Said::Agrees | Said::Withdraws | Said::IsVipNoMore => None,
            });
            let taken = latest(&|said, is_own| match said {
                Said::IsVipNoMore => is_own.then_some(None),
                Said::Agrees | Said::Withdraws | Said::IsVip | Said::Listed(_) => None,
            });
            prop_assert_eq!(guest.vip_since, made.filter(|_| made > taken).map(day));
        }
    }

    #[test]
    fn a_list_that_says_no_day_undoes_nothing_that_was_ever_said_here() {
        let mut imported = Imported {
            store: store(true),
            at: at(TODAY),
            today: day(TODAY),
            rows: vec![ImportedRow {
                vid: Some(GUEST),
                phone: None,
                since: None,
                consents: Some(true),
            }],
        };
        let said = |imported: &Imported| imported.tally().words;
        assert!(said(&imported).values().all(|word| word.at < at(1)));
        assert_eq!(
            imported.since(&imported.rows[0]),
            day(TODAY),
            "as a card shows it"
        );
        imported.rows[0].since = Some(day(2));
        assert!(said(&imported).values().all(|word| word.at == at(2)));
    }
}
