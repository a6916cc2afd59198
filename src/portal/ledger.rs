//! The wallet and the day book as the journal keeps them: frames in, checkpoint entries out.
//!
//! Beside them: how far this box has come with the commands of headquarters, which invitations guests took, what
//! they asked of the shop and said to it, what the floor says by hand, and where staff said that stickers are.
//! This is where meaning meets bytes: the journal knows nothing of coupons, the wallet nothing of frames.
//! The journal's owner thread writes; pages read through the same locks for microseconds.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::{SignedDuration, Timestamp};

use crate::domain::command::Progress;
use crate::domain::event::{Event, Occurrence};
use crate::domain::feedback::inbox::Inbox;
use crate::domain::floor::Floor;
use crate::domain::ids::{FramePlace, StoreId};
use crate::domain::invitation::Intents;
use crate::domain::stickers::Stickers;
use crate::domain::store::Store;
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
/// What stands before the keys of the inbox.
const INBOX: &[u8] = b"inbox ";

/// What stands before the keys of the places' days.
const PLACES: &[u8] = b"places ";

/// What stands before the keys of the day book's lines.
const DAY: &[u8] = b"day ";

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
    places: PlaceBook,
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

    /// The handle that pages read the places by.
    pub fn stickers(&self) -> SharedStickers {
        self.stickers.clone()
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

    /// What the places of this shop have brought.
    pub(super) const fn places(&self) -> &PlaceBook {
        &self.places
    }

    /// How far this box has come with the commands of headquarters.
    pub(super) const fn commands(&self) -> &Progress {
        &self.commands
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
        self.places.reset();
        self.days.write().reset();
    }

    fn restore(&mut self, key: &[u8], value: &[u8]) {
        if key.starts_with(DAY) {
            match std::str::from_utf8(value).ok().and_then(Line::read) {
                Some(line) => self.days.write().restore(line),
                None => tracing::error!("a day's line cannot be read and is left out"),
            }
            return;
        }
        let floor_day = std::str::from_utf8(key)
            .ok()
            .and_then(|key| key.strip_prefix(FLOOR)?.parse().ok());
        let restored = if let Some(day) = floor_day {
            serde_json::from_slice(value).map(|said| self.floor.restore(day, said))
        } else if key == COMMANDS {
            serde_json::from_slice(value).map(|commands| self.commands = commands)
        } else if key == INTENTS {
            serde_json::from_slice(value).map(|intents| self.intents = intents)
        } else if key == STICKERS {
            serde_json::from_slice(value).map(|stickers| self.stickers.put_back(stickers))
        } else if key.starts_with(INBOX) {
            serde_json::from_slice(value).map(|request| self.inbox.restore(request))
        } else if key.starts_with(PLACES) {
            serde_json::from_slice(value).map(|day| self.places.restore(day))
        } else {
            serde_json::from_slice(value).map(|entry| self.wallet.write().restore(entry))
        };
        if let Err(error) = restored {
            tracing::error!(%error, "an entry of the checkpoint cannot be read and is left out");
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
        // A lock for each entry: nobody else writes in between, and no page waits for all of them.
        let changes = self.wallet.write().take_changes();
        for changed in changes {
            let key = serde_json::to_vec(&changed).expect("a key is plain data");
            let entry = self.wallet().entry(&changed);
            take(match entry {
                Some(entry) => Change::Put {
                    key,
                    value: serde_json::to_vec(&entry).expect("an entry is plain data"),
                },
                None => Change::Delete { key },
            });
        }
        if std::mem::take(&mut self.commands_have_changed) {
            take(Change::Put {
                key: COMMANDS.to_vec(),
                value: serde_json::to_vec(&self.commands).expect("numbers and ids are plain data"),
            });
        }
        if std::mem::take(&mut self.intents_have_changed) {
            take(Change::Put {
                key: INTENTS.to_vec(),
                value: serde_json::to_vec(&self.intents).expect("names and ids are plain data"),
            });
        }
        for (day, said) in self.floor.take_changes() {
            let key = format!("{FLOOR}{day}").into_bytes();
            take(match said {
                Some(said) => Change::Put {
                    key,
                    value: serde_json::to_vec(said).expect("numbers are plain data"),
                },
                None => Change::Delete { key },
            });
        }
        let steady = self.wallet().steady();
        for (id, request) in self.inbox.take_changes(steady) {
            let key = [INBOX, id.to_string().as_bytes()].concat();
            take(match request {
                Some(request) => Change::Put {
                    key,
                    value: serde_json::to_vec(request).expect("a request is plain data"),
                },
                None => Change::Delete { key },
            });
        }
        if std::mem::take(&mut self.stickers_have_changed) {
            take(Change::Put {
                key: STICKERS.to_vec(),
                value: self.stickers.to_json(),
            });
        }
        for (day, written) in self.places.take_changes() {
            let key = [PLACES, day.to_string().as_bytes()].concat();
            take(match written {
                Some(written) => Change::Put {
                    key,
                    value: serde_json::to_vec(&written).expect("a day is plain data"),
                },
                None => Change::Delete { key },
            });
        }
        let days = self.days.write().take_changes();
        for (name, line) in days {
            let key = [DAY, name.as_bytes()].concat();
            take(match line.map(String::into_bytes) {
                Some(value) => Change::Put { key, value },
                None => Change::Delete { key },
            });
        }
    }
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
mod tests {
    use super::*;
    use crate::domain::calendar::business_day;
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
