//! What headquarters keeps of persons by themselves: who agreed to what, and who asked to be forgotten.
//!
//! Pure; the SQL is in `embedded` and `postgres`. A diner is forgotten in three steps, each of which may be done
//! again: their request comes with a frame and is kept, with a command to each box that may know them; a sweep goes
//! through what is stored and puts the name that nobody has in the place of theirs, as often as another box has
//! answered, because its older frames came before its answer, and once a day, because views come in a stream of
//! their own, and stores that nobody knew of from boxes that were cut off; and when all have answered and a sweep
//! after a week, which is as long as a box keeps frames, has told nobody new, the last place with their name, the
//! list itself, forgets it.

use jiff::{SignedDuration, Timestamp};

use super::notice::Notice;
use crate::domain::command::Command;
use crate::domain::event::{Consent, EraseRequested, Event, Occurrence};
use crate::domain::ids::{GatewayId, StoreId, Vid};
use crate::wire::link::Serves;

/// A box keeps frames for a week, and a backup of it may be put back meanwhile.
pub(super) const CLOSED_AFTER: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What came in beside the boxes' answers waits no longer.
const SWEPT_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Kinds of commands that say something of a guest which nobody has to hear once they are forgotten.
pub(super) const OF_A_GUEST: [&str; 2] = ["vip_is", "know_feedback"];

/// Boxes that are enrolled so late are told, too.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What an event says of a person.
#[derive(Debug, Clone)]
pub enum News {
    Agreed(Consent),
    Withdrew(Vid),
    Erase(EraseRequested),
}

/// The same with where and when.
#[derive(Debug, Clone)]
pub struct PersonNews {
    pub store: StoreId,
    pub at: Timestamp,
    pub news: News,
}

impl PersonNews {
    pub(crate) fn of(occurrence: &Occurrence) -> Option<Self> {
        let news = if let Event::ConsentGiven(consent) = &occurrence.event {
            News::Agreed(consent.clone())
        } else if let Event::ConsentWithdrawn(consent) = &occurrence.event {
            News::Withdrew(consent.vid)
        } else if let Event::EraseRequested(erased) = &occurrence.event
            && !erased.passed_on
        {
            News::Erase(erased.clone())
        } else {
            return None;
        };
        Some(Self {
            store: occurrence.store.clone(),
            at: occurrence.moment.at,
            news,
        })
    }

    pub(super) const fn vid(&self) -> Vid {
        match &self.news {
            News::Agreed(consent) => consent.vid,
            News::Withdrew(vid) => *vid,
            News::Erase(erased) => erased.vid,
        }
    }

    /// For the boxes of the store that was asked, and for those of the street, which serve every store.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let News::Erase(erased) = &self.news else {
            return Vec::new();
        };
        let places = [Serves::Store(self.store.clone()), Serves::Street];
        let told = |to| passed_on(to, erased, self.at);
        places.into_iter().map(told).collect()
    }
}

/// The request, for the boxes of a place.
pub(super) fn passed_on(to: Serves, erased: &EraseRequested, at: Timestamp) -> Notice {
    Notice {
        to: Some(to),
        command: Command::ErasePerson(EraseRequested {
            passed_on: true,
            ..erased.clone()
        }),
        until: at.saturating_add(TOLD_FOR).unwrap_or(at),
    }
}

/// A request to be forgotten that is not closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) no: i64,
    pub(super) vid: Vid,
    pub(super) instead: Vid,
    pub(super) heard: Timestamp,
    pub(super) swept: Option<Timestamp>,
    /// Boxes that had answered at the last sweep, and that have now.
    pub(super) before: i64,
    pub(super) done: i64,
    pub(super) boxes: i64,
}

impl Open {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.done > self.before
            || self
                .swept
                .is_none_or(|swept| now.duration_since(swept) >= SWEPT_EVERY)
    }

    /// The last sweep was late enough to have found whatever was on its way.
    pub(super) fn may_close(&self) -> bool {
        self.done >= self.boxes
            && self
                .swept
                .is_some_and(|swept| swept.duration_since(self.heard) > CLOSED_AFTER)
    }

    pub(super) fn request(&self) -> EraseRequested {
        EraseRequested {
            vid: self.vid,
            instead: self.instead,
            passed_on: true,
        }
    }
}

/// A request to be forgotten, for whoever has to prove what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub number: u64,
    pub store: StoreId,
    pub asked: Timestamp,
    /// When what is stored here was last gone through.
    pub swept: Option<Timestamp>,
    /// Stored frames that had their name.
    pub frames: u64,
    /// Boxes that were told, and those of them that have answered.
    pub boxes: u64,
    pub done: u64,
    /// The list has forgotten their name, too.
    pub is_closed: bool,
}

/// A box that has not answered a request to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    pub erasure: u64,
    pub gateway: GatewayId,
    pub told: Timestamp,
}

/// How many have agreed to a version of the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    pub version: u64,
    pub words_hash: String,
    pub standing: u64,
    pub withdrawn: u64,
}
