//! What guests asked and said in the last days, and what staff answered: what the counter works through.
//!
//! As the wallet, it decides and is told: a decision changes nothing, and the event it returns changes the inbox
//! once it is in the journal. Taking in an event a second time is harmless. It is bounded: a week, and the
//! latest [`MOST`] requests.
//!
//! One phone cannot flood the counter: a call that waits is one call however often it is repeated, a diner has
//! few calls open at a time, and what is said at one place within an hour has a limit.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Call, Rating, Words};
use crate::domain::event::{Event, Feedback, GuestAnswered, Occurrence, StaffCalled, unix_millis};
use crate::domain::ids::{RequestId, StaffName, StoreId, TouchpointCode, Vid};

/// More than a shop works through in a week. The oldest go first, what is done before what is open.
pub const MOST: usize = 200;

/// Staff and guest look back this far.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A second tap within this is the first one's echo.
const ECHO: SignedDuration = SignedDuration::from_mins(1);

/// One diner at one table calls for everything that there is, and once more from the next table.
const MOST_OPEN_CALLS: usize = 4;

/// A large table whose guests all say something, twice.
const MOST_SAID_IN_AN_HOUR: usize = 12;

/// What one diner says within an hour; they may write again later.
const MOST_SAID_BY_ONE: usize = 3;

/// The log of one request. Older lines go first.
const MOST_ANSWERS: usize = 12;

/// Something a guest wants somebody to see to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub store: StoreId,
    #[serde(with = "unix_millis")]
    pub at: Timestamp,
    pub place: Option<TouchpointCode>,
    pub vid: Vid,
    pub said: Said,
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// What the guest wrote to the shop's answer, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
    /// Said on the street, where its guest looks for the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_street: bool,
}

/// What a guest wrote back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    #[serde(with = "unix_millis")]
    pub at: Timestamp,
    pub words: Words,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Call {
        what: Call,
        times: u32,
        #[serde(with = "unix_millis")]
        last: Timestamp,
    },
    Feedback {
        rating: Option<Rating>,
        words: Option<Words>,
    },
}

/// A line of the log of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(with = "unix_millis")]
    pub at: Timestamp,
    pub staff: StaffName,
    pub standing: Standing,
    pub words: Option<Words>,
}

/// How a request stands after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Done,
    /// Somebody tapped "done" by mistake.
    Open,
}

impl Request {
    pub fn is_open(&self) -> bool {
        let last = self.answers.last();
        last.is_none_or(|answer| {
            let is_later = |back: &Back| back.at > answer.at;
            answer.standing == Standing::Open || self.back.as_ref().is_some_and(is_later)
        })
    }

    /// Whether its guest may still write back: the shop has answered in words, and they have not yet.
    pub fn takes_words_back(&self) -> bool {
        let has_words = |answer: &Answer| answer.words.is_some();
        !self.is_call() && self.back.is_none() && self.answers.iter().any(has_words)
    }

    pub const fn is_call(&self) -> bool {
        matches!(self.said, Said::Call { .. })
    }

    /// How often it was asked.
    pub const fn times(&self) -> u32 {
        match self.said {
            Said::Call { times, .. } => times,
            Said::Feedback { .. } => 1,
        }
    }

    /// A bad rating that nobody has seen to.
    pub fn is_alert(&self) -> bool {
        let Said::Feedback { rating, .. } = &self.said else {
            return false;
        };
        rating.is_some_and(Rating::is_bad) && self.is_open()
    }
}

/// Who asks, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub store: &'a StoreId,
    pub place: Option<TouchpointCode>,
    pub vid: Vid,
    /// For a request that is new.
    pub id: RequestId,
    pub now: Timestamp,
}

/// What asking leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<E> {
    /// It is there already.
    AsBefore(RequestId),
    New(E),
}

/// The counter has enough from this diner, or from this place, for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("enough for now")]
pub struct Enough;

#[derive(Debug, Clone, Default)]
pub struct Inbox {
    /// In the order of their times.
    requests: Vec<Request>,
    /// Those that the checkpoint does not hold as they are.
    dirty: BTreeSet<RequestId>,
}

impl Inbox {
    pub fn get(&self, id: RequestId) -> Option<&Request> {
        self.requests.iter().find(|request| request.id == id)
    }

    /// All of a store, the oldest first.
    pub fn of_store<'a>(
        &'a self,
        store: &'a StoreId,
    ) -> impl DoubleEndedIterator<Item = &'a Request> {
        let requests = self.requests.iter();
        requests.filter(move |request| request.store == *store)
    }

    /// Decides on a call from a place.
    pub fn call(
        &self,
        asking: &Asking<'_>,
        place: TouchpointCode,
        call: Call,
    ) -> Result<Asked<StaffCalled>, Enough> {
        let called = |id| StaffCalled {
            id,
            touchpoint: place,
            what: call,
            vid: asking.vid,
            again: id != asking.id,
        };
        for request in self.of_store(asking.store).filter(|known| known.is_open()) {
            if let Said::Call { what, last, .. } = &request.said
                && *what == call
                && request.place == Some(place)
            {
                return Ok(if is_within(ECHO, *last, asking.now) {
                    Asked::AsBefore(request.id)
                } else {
                    // Still the same call, and somebody has been waiting.
                    Asked::New(called(request.id))
                });
            }
        }
        let own = self
            .of_store(asking.store)
            .filter(|request| request.vid == asking.vid && request.is_call() && request.is_open());
        if own.count() >= MOST_OPEN_CALLS {
            return Err(Enough);
        }
        Ok(Asked::New(called(asking.id)))
    }

    /// Decides on a rating and words; at least one of them is there.
    pub fn feedback(
        &self,
        asking: &Asking<'_>,
        rating: Option<Rating>,
        words: Option<Words>,
    ) -> Result<Asked<Feedback>, Enough> {
        if self.get(asking.id).is_some() {
            return Ok(Asked::AsBefore(asking.id));
        }
        let hour = SignedDuration::from_hours(1);
        let (mut here, mut own) = (0, 0);
        for request in self.of_store(asking.store) {
            if !request.is_call() && is_within(hour, request.at, asking.now) {
                here += usize::from(request.place == asking.place);
                own += usize::from(request.vid == asking.vid);
            }
        }
        if here >= MOST_SAID_IN_AN_HOUR || own >= MOST_SAID_BY_ONE {
            return Err(Enough);
        }
        Ok(Asked::New(Feedback {
            id: asking.id,
            touchpoint: asking.place,
            vid: asking.vid,
            rating,
            words,
            of: None,
        }))
    }

    /// Decides on what a guest writes back to the shop's answer: their own, once. None where there is no such.
    pub fn write_back(
        &self,
        asking: &Asking<'_>,
        of: RequestId,
        words: Words,
    ) -> Option<Asked<Feedback>> {
        let known = self.get(of)?;
        if known.vid != asking.vid || known.store != *asking.store {
            return None;
        }
        // Sent twice: the first one stands.
        if known.back.is_some() {
            return Some(Asked::AsBefore(of));
        }
        if !known.takes_words_back() {
            return None;
        }
        Some(Asked::New(Feedback {
            id: asking.id,
            touchpoint: known.place,
            vid: asking.vid,
            rating: None,
            words: Some(words),
            of: Some(of),
        }))
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let at = occurrence.moment.at;
        if let Event::GuestAnswered(answered) = &occurrence.event {
            self.hear_staff(answered, at);
        } else if let Event::AnswerKnown(known) = &occurrence.event {
            self.hear_staff(&known.answered, known.answered_at);
        } else if let Event::EraseRequested(erased) = &occurrence.event {
            self.forget(erased.vid);
        } else if let Some((feedback, said_at)) = said(occurrence)
            && let Some(of) = feedback.of
        {
            self.hear_back(of, feedback, said_at);
        } else if let Some(request) = begun(occurrence) {
            match self
                .requests
                .iter_mut()
                .find(|known| known.id == request.id)
            {
                Some(known) => {
                    if !known.is_called_again(at) {
                        return;
                    }
                }
                None => self.insert(request.clone()),
            }
            self.dirty.insert(request.id);
        }
    }

    /// What a diner said, for their own eyes.
    pub fn of_diner(&self, vid: Vid) -> impl Iterator<Item = &Request> {
        let requests = self.requests.iter();
        requests.filter(move |request| request.vid == vid)
    }

    fn forget(&mut self, vid: Vid) {
        let gone: Vec<_> = self.of_diner(vid).map(|request| request.id).collect();
        self.requests.retain(|request| request.vid != vid);
        self.dirty.extend(gone);
    }

    /// One that goes on with something forgotten is nobody's to read.
    fn hear_back(&mut self, of: RequestId, feedback: &Feedback, at: Timestamp) {
        let known = self.requests.iter_mut().find(|known| known.id == of);
        if let Some((request, words)) = known.zip(feedback.words.clone())
            && request.back.is_none()
        {
            request.back = Some(Back { at, words });
            self.dirty.insert(of);
        }
    }

    fn hear_staff(&mut self, answered: &GuestAnswered, at: Timestamp) {
        let known = self.requests.iter_mut();
        let Some(request) = known.into_iter().find(|known| known.id == answered.of) else {
            // Forgotten since.
            return;
        };
        let answer = Answer {
            at,
            staff: answered.staff.clone(),
            standing: answered.standing,
            words: answered.words.clone(),
        };
        // Read again from a log that overlaps a checkpoint.
        if request.answers.contains(&answer) {
            return;
        }
        if request.answers.len() >= MOST_ANSWERS {
            request.answers.remove(0);
        }
        request.answers.push(answer);
        self.dirty.insert(request.id);
    }

    /// Takes back an entry of the checkpoint.
    pub fn restore(&mut self, request: Request) {
        self.insert(request);
    }

    /// The requests that have changed since the last call, by their ids: none for one that is gone. Those that
    /// ended a week before `steady` leave; only such as an earlier checkpoint held, so that no log brings them back.
    pub fn take_changes(&mut self, steady: Timestamp) -> Vec<(RequestId, Option<&Request>)> {
        let over = steady.saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
        let changed = std::mem::take(&mut self.dirty);
        let mut gone = Vec::new();
        self.requests.retain(|request| {
            let stays = request.at >= over || changed.contains(&request.id);
            if !stays {
                gone.push(request.id);
            }
            stays
        });
        let ids = changed.into_iter().chain(gone);
        ids.map(|id| (id, self.get(id))).collect()
    }

    fn insert(&mut self, request: Request) {
        let place = self
            .requests
            .partition_point(|other| other.at <= request.at);
        self.requests.insert(place, request);
        if self.requests.len() > MOST {
            let done = self.requests.iter().position(|request| !request.is_open());
            let gone = self.requests.remove(done.unwrap_or(0));
            self.dirty.insert(gone.id);
        }
    }
}

impl Request {
    /// Counts a call that was repeated; false if it is one that was counted before.
    fn is_called_again(&mut self, at: Timestamp) -> bool {
        match &mut self.said {
            Said::Call { times, last, .. } if at > *last => {
                *times += 1;
                *last = at;
                true
            }
            Said::Call { .. } | Said::Feedback { .. } => false,
        }
    }
}

/// What an event has a guest say, here or on the street, and when they did.
fn said(occurrence: &Occurrence) -> Option<(&Feedback, Timestamp)> {
    if let Event::Feedback(feedback) = &occurrence.event {
        Some((feedback, occurrence.moment.at))
    } else if let Event::FeedbackKnown(known) = &occurrence.event {
        Some((&known.feedback, known.said_at))
    } else {
        None
    }
}

/// The request that an event begins.
fn begun(occurrence: &Occurrence) -> Option<Request> {
    let request = |at, id, place, vid, said| Request {
        id,
        store: occurrence.store.clone(),
        at,
        place,
        vid,
        said,
        answers: Vec::new(),
        back: None,
        on_street: matches!(occurrence.event, Event::FeedbackKnown(_)),
    };
    if let Event::StaffCalled(called) = &occurrence.event {
        let at = occurrence.moment.at;
        let said = Said::Call {
            what: called.what,
            times: 1,
            last: at,
        };
        let place = Some(called.touchpoint);
        Some(request(at, called.id, place, called.vid, said))
    } else {
        let (feedback, at) = said(occurrence)?;
        let said = Said::Feedback {
            rating: feedback.rating,
            words: feedback.words.clone(),
        };
        let (id, place) = (feedback.id, feedback.touchpoint);
        Some(request(at, id, place, feedback.vid, said))
    }
}

/// Whether `then` is at most `span` before `now`; what lies ahead was written by a clock that was wrong.
fn is_within(span: SignedDuration, then: Timestamp, now: Timestamp) -> bool {
    let ago = now.duration_since(then);
    !ago.is_negative() && ago < span
}

#[cfg(test)]
mod tests;
