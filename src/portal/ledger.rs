//! The wallet and the day book as the journal keeps them: frames in, checkpoint entries out.
//!
//! Beside them: how far this box has come with the commands of headquarters, which invitations guests took, what
//! they agreed to, who asked to be forgotten, what they asked of the shop and said to it, who of them is a member or
//! has brought a friend, which tables they booked or sit at, what the floor says by hand, and where staff said that
//! stickers are.
//! This is where meaning meets bytes: the journal knows nothing of coupons, the wallet nothing of frames.
//! The journal's owner thread writes; pages read through the same locks for microseconds.

use std::fmt::Display;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::booking::book::Bookings;
use crate::domain::calendar::business_day;
use crate::domain::command::Progress;
use crate::domain::consent::Agreements;
use crate::domain::erased::Erased;
use crate::domain::event::{Event, Occurrence};
use crate::domain::feedback::inbox::Inbox;
use crate::domain::floor::Floor;
use crate::domain::ids::{FramePlace, StoreId, Vid};
use crate::domain::invitation::Intents;
use crate::domain::members::{MemberRules, Members};
use crate::domain::referral::Referrals;
use crate::domain::stickers::Stickers;
use crate::domain::store::Store;
use crate::domain::together::Tables;
use crate::domain::uptake::days::{DayBook, Line};
use crate::domain::uptake::places::PlaceBook;
use crate::domain::wallet::{Wallet, moment_at};
use crate::journal::{Book, Change, Verdict};
use crate::wire::frame::{self, BootTime, Contents};

use super::stickers::SharedStickers;

/// The checkpoint's key of the commands. Those of the wallet are JSON.
const COMMANDS: &[u8] = b"commands";

/// The checkpoint's key of the intents.
const INTENTS: &[u8] = b"intents";

/// The checkpoint's key of what staff said of stickers.
const STICKERS: &[u8] = b"stickers";

/// The checkpoint's key of who asked to be forgotten.
const ERASED: &[u8] = b"erased";

/// What stands before the keys of the inbox.
const INBOX: &str = "inbox ";

/// What stands before the keys of guests.
const MEMBERS: &str = "member ";

/// What stands before the keys of the bookings.
const BOOKINGS: &str = "booking ";

/// What stands before the keys of used invitation codes.
const USED_CODES: &str = "invited ";
/// What stands before the keys of referrals.
const REFERRALS: &str = "referral ";

/// What stands before the keys of tables whose guests gather.
const TABLES: &str = "table ";

/// What stands before the keys of the agreements.
const CONSENT: &str = "consent ";

/// What stands before the keys of the places' days.
const PLACES: &str = "places ";

/// What stands before the keys of the day book's lines.
const DAY: &str = "day ";

/// What stands before the keys of the floor's days.
const FLOOR: &str = "floor ";

/// A handle to the wallet for reading.
#[derive(Debug, Clone, Default)]
pub struct SharedWallet(Arc<RwLock<Wallet>>);

impl SharedWallet {
    /// The wallet as it is. What it shows may be one commit ahead of the disk, so an answer that promises
    /// something comes from a decision and not from here. Whoever holds it reads by it and never asks for it
    /// again: a writer that waits in between would make both wait for ever.
    pub fn read(&self) -> RwLockReadGuard<'_, Wallet> {
        self.0.read().expect("a wallet's methods do not panic")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Wallet> {
        self.0.write().expect("a wallet's methods do not panic")
    }
}

/// A handle to the figures of the last days for reading: claims as soon as they are written, views within
/// seconds.
#[derive(Debug, Clone, Default)]
pub struct SharedDays(Arc<RwLock<DayBook>>);

impl SharedDays {
    pub fn read(&self) -> RwLockReadGuard<'_, DayBook> {
        self.0.read().expect("a day book's methods do not panic")
    }

    fn write(&self) -> RwLockWriteGuard<'_, DayBook> {
        self.0.write().expect("a day book's methods do not panic")
    }
}

/// A handle to the guests that the shop knows, for reading; as with the wallet, nobody who holds it asks again.
#[derive(Debug, Clone, Default)]
pub struct SharedMembers(Arc<RwLock<Members>>);

impl SharedMembers {
    pub fn read(&self) -> RwLockReadGuard<'_, Members> {
        self.0.read().expect("the members' methods do not panic")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Members> {
        self.0.write().expect("the members' methods do not panic")
    }
}

/// The journal's book.
#[derive(Debug, Default)]
pub struct Ledger {
    wallet: SharedWallet,
    days: SharedDays,
    commands: Progress,
    commands_have_changed: bool,
    intents: Intents,
    intents_have_changed: bool,
    floor: Floor,
    stickers: SharedStickers,
    stickers_have_changed: bool,
    inbox: Inbox,
    members: SharedMembers,
    bookings: Bookings,
    agreements: Agreements,
    erased: Erased,
    erased_have_changed: bool,
    referrals: Referrals,
    tables: Tables,
    places: PlaceBook,
    must_forget: bool,
}

impl Ledger {
    /// The ledger of a box that stands in `store`, and the handles that pages read it by.
    pub fn new(store: Option<StoreId>) -> (Self, SharedWallet, SharedDays) {
        let ledger = Self {
            places: PlaceBook::of(store.clone()),
            days: SharedDays(Arc::new(RwLock::new(DayBook::of(store)))),
            ..Self::default()
        };
        let (wallet, days) = (ledger.wallet.clone(), ledger.days.clone());
        (ledger, wallet, days)
    }

    pub fn wallet(&self) -> RwLockReadGuard<'_, Wallet> {
        self.wallet.read()
    }

    /// The handle that pages read by where stickers are.
    pub fn stickers(&self) -> SharedStickers {
        self.stickers.clone()
    }

    /// The handle that pages read the guests by.
    pub fn shared_members(&self) -> SharedMembers {
        self.members.clone()
    }

    /// The guests that the shop knows.
    pub(super) fn members(&self) -> RwLockReadGuard<'_, Members> {
        self.members.read()
    }

    /// Whom guests were shown in the last days.
    pub(super) const fn intents(&self) -> &Intents {
        &self.intents
    }

    /// Guests by the half-hour, and what they paid.
    pub(super) const fn floor(&self) -> &Floor {
        &self.floor
    }

    /// What guests asked and said in the last days.
    pub(super) const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Which tables are booked.
    pub(super) const fn bookings(&self) -> &Bookings {
        &self.bookings
    }

    /// What guests have agreed to.
    pub(super) const fn agreements(&self) -> &Agreements {
        &self.agreements
    }

    /// Who asked to be forgotten.
    pub(super) const fn erased(&self) -> &Erased {
        &self.erased
    }

    /// Who brought whom.
    pub(super) const fn referrals(&self) -> &Referrals {
        &self.referrals
    }

    /// Who says that they are at a table.
    pub(super) const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// What the places of this shop have brought.
    pub(super) const fn places(&self) -> &PlaceBook {
        &self.places
    }

    /// How far this box has come with the commands of headquarters.
    pub(super) const fn commands(&self) -> &Progress {
        &self.commands
    }
}

impl Ledger {
    /// Puts an entry of the checkpoint back to where it came from.
    fn take_back(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        fn read<'v, T: Deserialize<'v>>(value: &'v [u8]) -> Option<T> {
            serde_json::from_slice(value).ok()
        }
        let after = |kind: &str| key.strip_prefix(kind.as_bytes());
        if after(DAY).is_some() {
            let line = std::str::from_utf8(value).ok().and_then(Line::read)?;
            self.days.write().restore(line);
        } else if let Some(vid) = after(MEMBERS) {
            let vid = Vid::parse(std::str::from_utf8(vid).ok()?).ok()?;
            let line = std::str::from_utf8(value).ok()?;
            return self.members.write().restore(vid, line).then_some(());
        } else if let Some(name) = after(REFERRALS) {
            let (name, line) = (std::str::from_utf8(name), std::str::from_utf8(value));
            return self.referrals.restore(name.ok()?, line.ok()?).then_some(());
        } else if let Some(place) = after(TABLES) {
            let (place, line) = (std::str::from_utf8(place), std::str::from_utf8(value));
            return self.tables.restore(place.ok()?, line.ok()?).then_some(());
        } else if let Some(day) = after(FLOOR) {
            let day = std::str::from_utf8(day).ok()?.parse().ok()?;
            self.floor.restore(day, read(value)?);
        } else if after(INBOX).is_some() {
            self.inbox.restore(read(value)?);
        } else if after(CONSENT).is_some() {
            self.agreements.restore(read(value)?);
        } else if after(BOOKINGS).is_some() {
            self.bookings.restore(read(value)?);
        } else if let Some(code) = after(USED_CODES) {
            let [code, at] = [code, value].map(std::str::from_utf8);
            return self.bookings.restore_used(code.ok()?, at.ok()?);
        } else if after(PLACES).is_some() {
            self.places.restore(read(value)?);
        } else if key == COMMANDS {
            self.commands = read(value)?;
        } else if key == INTENTS {
            self.intents = read(value)?;
        } else if key == ERASED {
            self.erased = read(value)?;
        } else if key == STICKERS {
            self.stickers.put_back(read(value)?);
        } else {
            self.wallet.write().restore(read(value)?);
        }
        Some(())
    }
}

/// A decision that wants `occurrence` written before `answer` is given.
pub(super) fn write<A>(boot_time: BootTime, occurrence: Occurrence, answer: A) -> Verdict<A> {
    let contents = Contents::of(
        occurrence.store,
        boot_time,
        occurrence.moment,
        occurrence.event,
    );
    Verdict {
        body: Some(frame::encode(&contents)),
        answer,
    }
}

/// The same for events that stand or fall together, at a store, now.
pub(super) fn write_all<A>(
    boot_time: BootTime,
    (store, now): (&Store, Timestamp),
    events: impl IntoIterator<Item = Event>,
    answer: A,
) -> Verdict<A> {
    let contents = Contents {
        store: store.id.clone(),
        boot_time,
        moment: moment_at(store, now),
        events: events
            .into_iter()
            .map(|event| (SignedDuration::ZERO, event))
            .collect(),
    };
    Verdict {
        body: Some(frame::encode(&contents)),
        answer,
    }
}

/// The same for one event, what goes with it, and what it makes of a guest by the rules of the shop.
pub(super) fn write_and_promote<A>(
    ledger: &Ledger,
    (boot_time, rules): (BootTime, &MemberRules),
    (store, now): (&Store, Timestamp),
    (event, more): (Event, Vec<Event>),
    answer: A,
) -> Verdict<A> {
    let occurrence = happening(store, now, event);
    let promoted = ledger.members().promotion(&occurrence, rules);
    let promoted = promoted.map(Event::VipChanged);
    let events = std::iter::once(occurrence.event).chain(promoted);
    let events = events.chain(more);
    write_all(boot_time, (store, now), events, answer)
}

/// A decision that needs nothing written.
pub(super) const fn only_say<A>(answer: A) -> Verdict<A> {
    Verdict { body: None, answer }
}

/// What a frame says, where it can be read.
fn read(frame_body: &[u8]) -> Option<Vec<Occurrence>> {
    let decoded = frame::decode(frame_body).inspect_err(|error| {
        tracing::error!(%error, "a frame of the journal cannot be read and is left out of the books");
    });
    Some(decoded.ok()?.occurrences)
}

impl Book for Ledger {
    fn reset(&mut self) {
        *self.wallet.write() = Wallet::default();
        self.commands = Progress::default();
        self.commands_have_changed = false;
        self.intents = Intents::default();
        self.intents_have_changed = false;
        self.floor = Floor::default();
        self.stickers.put_back(Stickers::default());
        self.stickers_have_changed = false;
        self.inbox = Inbox::default();
        *self.members.write() = Members::default();
        self.bookings = Bookings::default();
        self.agreements = Agreements::default();
        self.erased = Erased::default();
        self.erased_have_changed = false;
        self.must_forget = false;
        self.referrals = Referrals::default();
        self.tables = Tables::default();
        self.places.reset();
        self.days.write().reset();
    }

    fn restore(&mut self, key: &[u8], value: &[u8]) {
        if self.take_back(key, value).is_none() {
            // Neither its name nor its value, nor what serde says of them: they may tell of a guest.
            let kind = key.iter().take_while(|byte| byte.is_ascii_alphabetic());
            let kind: String = kind.copied().map(char::from).collect();
            tracing::error!(
                kind,
                "an entry of the checkpoint cannot be read and is left out"
            );
        }
    }

    fn apply(&mut self, at: FramePlace, frame_body: &[u8]) {
        let Some(occurrences) = read(frame_body) else {
            return;
        };
        let mut wallet = self.wallet.write();
        for occurrence in &occurrences {
            wallet.apply(occurrence);
            self.intents_have_changed |= self.intents.apply(occurrence);
            self.floor.apply(occurrence);
            self.stickers_have_changed |= self.stickers.apply(&occurrence.event);
            self.inbox.apply(occurrence);
            self.members.write().apply(occurrence);
            self.bookings.apply(occurrence);
            self.agreements.apply(occurrence);
            self.erased_have_changed |= self.erased.apply(occurrence);
            self.must_forget |= matches!(occurrence.event, Event::EraseRequested(_));
            self.referrals.apply(occurrence);
            self.tables.apply(occurrence);
            if let Event::CommandDone(done) = &occurrence.event {
                self.commands.take(done.cursor);
                self.commands_have_changed = true;
            }
        }
        drop(wallet);
        self.places.apply(at, &occurrences);
        self.days.write().apply(at, &occurrences);
    }

    fn note(&mut self, at: FramePlace, frame_body: &[u8]) {
        if let Some((_, time)) = frame::written_at(frame_body) {
            self.wallet.write().keep_time(time);
        }
        // Beside headquarters there are very many views, and no store whose counter shows them.
        if self.days.read().is_of_nobody() {
            return;
        }
        if let Some(views) = read(frame_body) {
            self.places.apply(at, &views);
            self.days.write().apply(at, &views);
        }
    }

    fn take_changes(&mut self, take: &mut dyn FnMut(Change)) {
        self.must_forget = false;
        // A lock for each entry: nobody else writes in between, and no page waits for all of them.
        let changes = self.wallet.write().take_changes();
        for changed in changes {
            let entry = self.wallet().entry(&changed);
            take(change(json(&changed), entry.map(|entry| json(&entry))));
        }
        if std::mem::take(&mut self.commands_have_changed) {
            take(change(COMMANDS.to_vec(), Some(json(&self.commands))));
        }
        if std::mem::take(&mut self.intents_have_changed) {
            take(change(INTENTS.to_vec(), Some(json(&self.intents))));
        }
        if std::mem::take(&mut self.erased_have_changed) {
            take(change(ERASED.to_vec(), Some(json(&self.erased))));
        }
        if std::mem::take(&mut self.stickers_have_changed) {
            take(change(STICKERS.to_vec(), Some(self.stickers.to_json())));
        }
        for (day, said) in self.floor.take_changes() {
            take(change(named(FLOOR, &day), said.map(json)));
        }
        let steady = self.wallet().steady();
        for (id, request) in self.inbox.take_changes(steady) {
            take(change(named(INBOX, &id), request.map(json)));
        }
        for (vid, receipt) in self.agreements.take_changes() {
            take(change(named(CONSENT, &vid), receipt.map(json)));
        }
        for (id, booking) in self.bookings.take_changes(steady) {
            take(change(named(BOOKINGS, &id), booking.map(json)));
        }
        for (code, at) in self.bookings.take_used(steady) {
            take(change(named(USED_CODES, &code), at.map(String::into_bytes)));
        }
        let today = business_day(steady.to_zoned(TimeZone::UTC).datetime());
        let guests = self.members.write().take_changes(today);
        for (vid, line) in guests {
            take(change(named(MEMBERS, &vid), line.map(String::into_bytes)));
        }
        for (name, line) in self.referrals.take_changes(steady, today) {
            take(change(
                named(REFERRALS, &name),
                line.map(String::into_bytes),
            ));
        }
        for (place, line) in self.tables.take_changes(steady) {
            take(change(named(TABLES, &place), line.map(String::into_bytes)));
        }
        for (day, written) in self.places.take_changes() {
            take(change(named(PLACES, &day), written.map(|day| json(&day))));
        }
        let days = self.days.write().take_changes();
        for (name, line) in days {
            take(change(named(DAY, &name), line.map(String::into_bytes)));
        }
    }

    fn must_forget(&self) -> bool {
        self.must_forget
    }
}

/// What a projection says of one of its entries: its value as it is now, or that there is none.
fn change(key: Vec<u8>, value: Option<Vec<u8>>) -> Change {
    match value {
        Some(value) => Change::Put { key, value },
        None => Change::Delete { key },
    }
}

/// The key of one entry of those that `kind` begins.
fn named(kind: &str, name: &dyn Display) -> Vec<u8> {
    format!("{kind}{name}").into_bytes()
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("what the books hold is plain data")
}

/// An event at a store, now.
pub(super) fn happening(store: &Store, now: Timestamp, event: Event) -> Occurrence {
    Occurrence {
        store: store.id.clone(),
        moment: moment_at(store, now),
        event,
    }
}

#[cfg(test)]
mod forgotten;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Campaign;
    use crate::domain::event::{Claim, View};
    use crate::domain::ids::{CouponId, ShortCode, StreamId, TapId, TouchpointCode, Vid};
    use crate::domain::uptake::Step;
    use crate::domain::wallet::TapRefused;
    use crate::domain::written::read_strictly;

    #[test]
    fn what_a_checkpoint_holds_brings_the_days_back_beside_the_coupons() {
        let own = || Some(StoreId::parse("SZ01").unwrap());
        let store: Store = toml::from_str(include_str!(
            "../../tests/fixtures/chain/stores/SZ01/store.toml"
        ))
        .unwrap();
        let now: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        let view = Event::PortalView(View {
            touchpoint: None,
            campaign: None,
            vid: None,
            off_peak: false,
        });
        let boot_time = BootTime { boot: 1, millis: 2 };
        let body = write(boot_time, happening(&store, now, view), ()).body;
        let body = body.unwrap();
        let stream = StreamId::from_time_and_entropy(1, [1; 10]);
        let (mut ledger, ..) = Ledger::new(own());
        for seq in 1..4 {
            ledger.note(FramePlace { stream, seq }, &body);
        }
        let mut changes = Vec::new();
        ledger.take_changes(&mut |change| changes.push(change));

        let (mut again, _, days) = Ledger::new(own());
        for change in &changes {
            let Change::Put { key, value } = change else {
                panic!("nothing is gone: {change:?}");
            };
            again.restore(key, value);
        }
        // Some are shown again, and one is new.
        for seq in 2..5 {
            again.note(FramePlace { stream, seq }, &body);
        }
        let day = days.read().day(business_day(store.local(now)));
        assert_eq!(day.all.of(Step::Came), 4);
        again.reset();
        assert!(
            days.read()
                .day(business_day(store.local(now)))
                .all
                .is_empty()
        );
    }

    #[test]
    fn page_views_alone_bring_back_what_ran_out_unused() {
        let store: Store = toml::from_str(include_str!(
            "../../tests/fixtures/chain/stores/SZ01/store.toml"
        ))
        .unwrap();
        let campaign: Campaign = read_strictly(
            "quiet-hours.toml",
            include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml"),
        )
        .unwrap();
        let mut now: Timestamp = "2026-12-01T07:30:00Z".parse().unwrap();
        let boot_time = BootTime { boot: 1, millis: 2 };
        let body = |now, event| {
            write(boot_time, happening(&store, now, event), ())
                .body
                .unwrap()
        };
        let at = FramePlace {
            stream: StreamId::from_time_and_entropy(1, [1; 10]),
            seq: 1,
        };
        let (not_before, not_after) = campaign.validity.span(&store, now);
        let claim = Event::Claim(Claim {
            coupon: CouponId::from_entropy([1; 16]),
            code: ShortCode::parse("7K3F").unwrap(),
            campaign: campaign.id.clone(),
            touchpoint: TouchpointCode::from_entropy(7),
            tap: TapId::from_entropy([2; 16]),
            vid: Vid::from_entropy([3; 16]),
            not_before,
            not_after,
            gift: campaign.offer.gift.text(),
            remember_until: not_after + SignedDuration::from_hours(7 * 24),
            off_peak: true,
            given: false,
        });
        let (mut ledger, wallet, _) = Ledger::new(Some(store.id.clone()));
        ledger.apply(at, &body(now, claim));
        let stock = |now| wallet.read().stock(&campaign, &store, None, Some(1), now);
        assert_eq!(stock(now), Err(TapRefused::CampaignIsDone));
        while now <= not_after + SignedDuration::from_mins(1) {
            now += SignedDuration::from_mins(60);
            let view = Event::PortalView(View {
                touchpoint: None,
                campaign: None,
                vid: None,
                off_peak: false,
            });
            ledger.note(at, &body(now, view));
        }
        assert!(stock(now).is_ok(), "{:?}", stock(now));
    }
}
