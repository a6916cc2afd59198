//! The book of sessions: who may pass, until when, and what they have moved. Pure: it is given the time and
//! the kernel's counters, and says what is to be done.
//!
//! It promises: a device has one session; a second tap neither lengthens it nor fills its quota again; who has
//! used up a quota waits for the next day; a session follows the policy of the day, but gets no longer than it was
//! granted and keeps what staff have added; a wrong wall clock neither ends a session nor lengthens one, for
//! the time that counts is that since the machine started.

mod ended;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::firewall::{Entry, Mark, Place, Traffic};
use super::zone::ZoneName;
use crate::domain::wifi::{Mac, Terms, Tier};

pub use ended::{EndedToday, Reason};
pub use session::{Kind, Moved, Session};

/// More devices than a router's Wi-Fi can carry.
pub const MOST_SESSIONS: usize = 2_000;

/// Devices remembered beside the sessions: who ended today, who had a pass in the last hour. A crowd that
/// changes its addresses must not fill the memory; beyond this somebody is forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// The numbers of guests' marks end here; those of the shop's own devices begin after it.
const MOST_NUMBER: u16 = 60_000;

const HOUR: Duration = Duration::from_secs(3600);

/// A staff device's entry is put in for so long: longer than a box runs.
const STAFF_LASTS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The time, as the wall goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub at: Timestamp,
    /// Never steps: [`AGE`] and the time since the machine started, sleep included.
    pub steady: Duration,
    /// The clock on the store's wall.
    pub local: DateTime,
}

/// Steady time begins so high that what began before the machine started is not before zero.
const AGE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Now {
    pub const fn new(at: Timestamp, since_boot: Duration, local: DateTime) -> Self {
        Self {
            at,
            steady: AGE.saturating_add(since_boot),
            local,
        }
    }

    pub const fn since_boot(self) -> Duration {
        self.steady.saturating_sub(AGE)
    }
}

/// A device asks to be let in, and what it would get.
#[derive(Debug, Clone)]
pub struct Asked {
    pub mac: Mac,
    pub zone: ZoneName,
    pub tier: Tier,
    pub terms: Terms,
}

/// Why a device is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the device is on the list of blocked ones")]
    Blocked,
    #[error("the device's quota of today is used up")]
    QuotaSpent,
    #[error("the device has had its passes of this hour")]
    PassesSpent,
    #[error("{MOST_SESSIONS} devices are admitted and no session has ended")]
    Full,
}

/// What letting a device in comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in already, and nothing changes.
    Already,
    /// Put this entry into the wall, then [`Book::put`] the session.
    New(Entry, Box<Session>),
}

#[derive(Debug, Default)]
pub struct Book {
    sessions: BTreeMap<Mac, Session>,
    staff: BTreeSet<Mac>,
    blocked: BTreeSet<Mac>,
    /// In the order of the settings.
    zones: Vec<ZoneName>,
    last_number: u16,
    /// When a device began each of its passes of the last hour.
    passes: BTreeMap<Mac, Vec<Duration>>,
    ended: BTreeMap<Mac, EndedToday>,
}

impl Book {
    pub fn new(zones: Vec<ZoneName>, staff: &[Mac], blocked: &[Mac]) -> Self {
        Self {
            staff: staff.iter().copied().collect(),
            blocked: blocked.iter().copied().collect(),
            zones,
            ..Self::default()
        }
    }

    /// What becomes of a device that asks to be let in.
    pub fn admit(&self, asked: &Asked, now: Now) -> Result<Verdict, Refused> {
        if self.blocked.contains(&asked.mac) {
            return Err(Refused::Blocked);
        }
        if self.staff.contains(&asked.mac) {
            return Ok(Verdict::Already);
        }
        let is_open = |session: &&Session| session.kind == Kind::Open;
        let before = self.sessions.get(&asked.mac).filter(is_open);
        let runs = |session: &Session| {
            session.over(now).is_none() && session.zone == asked.zone && session.tier >= asked.tier
        };
        if before.is_some_and(runs) {
            return Ok(Verdict::Already);
        }
        let ended = self.ended.get(&asked.mac);
        let ended = ended.filter(|ended| ended.is_on(now.local.date()));
        // A quota is for the day: what was moved under another tier, or in a session before, is a part of it.
        let used = before
            .map(Session::used)
            .or(ended.map(|ended| ended.used))
            .unwrap_or_default();
        if asked.terms.quota.is_some_and(|quota| used.total() >= quota) {
            return Err(Refused::QuotaSpent);
        }
        let number = (self.free_number(asked.mac)?, self.place(&asked.zone));
        let session = Session::open(asked, number, used, now);
        Ok(Verdict::New(
            session.entry(asked.mac, now),
            Box::new(session),
        ))
    }

    /// What becomes of a device that asks for a temporary pass of `lasts`.
    pub fn pass(
        &self,
        mac: Mac,
        zone: &ZoneName,
        (lasts, most_in_an_hour): (Duration, usize),
        now: Now,
    ) -> Result<Verdict, Refused> {
        if self.blocked.contains(&mac) {
            return Err(Refused::Blocked);
        }
        // Neither a session nor a pass that runs is made shorter by asking for less.
        if self.staff.contains(&mac) || self.session(mac, zone, now).is_some() {
            return Ok(Verdict::Already);
        }
        let in_the_last_hour = |began: &&Duration| now.steady.saturating_sub(**began) < HOUR;
        let had = self
            .passes
            .get(&mac)
            .map_or(0, |had| had.iter().filter(in_the_last_hour).count());
        if had >= most_in_an_hour {
            return Err(Refused::PassesSpent);
        }
        let number = (self.free_number(mac)?, self.place(zone));
        let session = Session::pass(zone.clone(), lasts, number, now);
        Ok(Verdict::New(session.entry(mac, now), Box::new(session)))
    }

    /// The wall has let the device in.
    pub fn put(&mut self, mac: Mac, session: Session, now: Now) {
        self.last_number = session.mark.number();
        if session.kind == Kind::Open {
            self.ended.remove(&mac);
        } else {
            // A session in another zone makes way; what it has used of the day stays used.
            self.take(mac, Reason::Time, now);
            make_room(&mut self.passes, mac);
            let had = self.passes.entry(mac).or_default();
            had.retain(|began| now.steady.saturating_sub(*began) < HOUR);
            had.push(now.steady);
        }
        self.sessions.insert(mac, session);
    }

    /// Takes what the kernel has counted.
    pub fn count(&mut self, traffic: &[Traffic], now: Now) {
        let by_mark: BTreeMap<Mark, &Traffic> = traffic.iter().map(|one| (one.mark, one)).collect();
        for session in self.sessions.values_mut() {
            if let Some(counted) = by_mark.get(&session.mark) {
                session.count(counted, now);
            }
        }
    }

    /// Whose time is over, where `is_open` tells which zones lead anywhere. They stay until they are [taken
    /// out](Self::take).
    pub fn over(&self, is_open: impl Fn(&ZoneName) -> bool, now: Now) -> Vec<(Mac, Reason)> {
        let over = |(mac, session): (&Mac, &Session)| {
            // Whoever was made a VIP was let in by hand, and stays.
            let stays = session.kind == Kind::Pass || session.tier == Tier::Vip;
            let closed = (!stays && !is_open(&session.zone)).then_some(Reason::Closed);
            Some((*mac, session.over(now).or(closed)?))
        };
        self.sessions.iter().filter_map(over).collect()
    }

    /// Forgets what was of another day or hour; the devices whose last session is forgotten.
    pub fn forget(&mut self, now: Now) -> Vec<Mac> {
        self.passes.retain(|_, had| {
            had.iter()
                .any(|began| now.steady.saturating_sub(*began) < HOUR)
        });
        let mut forgotten = Vec::new();
        self.ended.retain(|mac, ended| {
            let stays = ended.is_on(now.local.date());
            if !stays {
                forgotten.push(*mac);
            }
            stays
        });
        forgotten
    }

    /// Ends a session; the device is remembered for the day.
    pub fn take(&mut self, mac: Mac, reason: Reason, now: Now) -> Option<Session> {
        let session = self.sessions.remove(&mac)?;
        if session.kind == Kind::Open {
            let ended = EndedToday {
                day: now.local.date(),
                zone: Some(session.zone.clone()),
                reason,
                used: session.used(),
                tier: session.tier,
            };
            self.remember(mac, ended);
        }
        Some(session)
    }

    pub fn remember(&mut self, mac: Mac, ended: EndedToday) {
        make_room(&mut self.ended, mac);
        self.ended.insert(mac, ended);
    }

    /// A session that was kept over a restart; false if there is no place for it any more.
    pub fn restore(&mut self, mac: Mac, session: Session) -> bool {
        let is_ours = self.staff.contains(&mac) || self.blocked.contains(&mac);
        if is_ours || !self.zones.contains(&session.zone) {
            return false;
        }
        let (number, place) = (session.mark.number(), self.place(&session.zone));
        self.last_number = self.last_number.max(number);
        self.sessions.insert(mac, session.at(number, place));
        true
    }

    /// A session that was changed by nobody but us.
    pub fn replace(&mut self, mac: Mac, session: Session) {
        self.sessions.insert(mac, session);
    }

    /// The sessions that change with the policy of now: what the wall is to hold for them, before they are
    /// [replaced](Self::replace). `terms` are none where nobody knows the policy.
    pub fn changed(
        &self,
        terms: impl Fn(&ZoneName, Tier) -> Option<Terms>,
        now: Now,
    ) -> Vec<(Mac, Entry, Session)> {
        let mut known = BTreeMap::new();
        let mut changed = Vec::new();
        for (mac, session) in &self.sessions {
            let terms = known
                .entry((&session.zone, session.tier))
                .or_insert_with(|| terms(&session.zone, session.tier));
            if let Some(session) = terms.and_then(|terms| session.under(&terms)) {
                changed.push((*mac, session.entry(*mac, now), session));
            }
        }
        changed
    }

    /// Takes time away that has passed unnoticed.
    pub fn shorten(&mut self, mac: Mac, by: Duration) {
        if let Some(session) = self.sessions.get_mut(&mac) {
            session.shorten(by);
        }
    }

    /// The tier of a device whose session in `zone` ended today by itself, so that it may be let in there again
    /// unasked.
    pub fn returns(&self, mac: Mac, zone: &ZoneName, now: Now) -> Option<Tier> {
        let ended = self
            .ended
            .get(&mac)
            .filter(|ended| ended.is_on(now.local.date()) && ended.zone.as_ref() == Some(zone))?;
        let by_itself = matches!(ended.reason, Reason::Time | Reason::Idle);
        (by_itself && !self.blocked.contains(&mac)).then_some(ended.tier)
    }

    /// Lengthens a session; none if there is none.
    pub fn extend(&self, mac: Mac, by: Duration, now: Now) -> Option<(Entry, Session)> {
        let mut session = self.sessions.get(&mac)?.clone();
        if session.over(now).is_some() {
            return None;
        }
        session.lengthen(by);
        Some((session.entry(mac, now), session))
    }

    /// The session of `mac` in `zone`, if it is not over.
    pub fn session(&self, mac: Mac, zone: &ZoneName, now: Now) -> Option<&Session> {
        let session = self.sessions.get(&mac)?;
        (session.zone == *zone && session.over(now).is_none()).then_some(session)
    }

    pub fn is_staff(&self, mac: Mac) -> bool {
        self.staff.contains(&mac)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Mac, &Session)> {
        self.sessions.iter().map(|(mac, session)| (*mac, session))
    }

    /// How the last session of a device without one ended.
    pub fn last_ended(&self, mac: Mac) -> Option<EndedToday> {
        self.ended.get(&mac).cloned()
    }

    /// Everything that the wall is to hold, when it is set up anew.
    pub fn entries(&self, now: Now) -> Vec<Entry> {
        let staff = (MOST_NUMBER + 1..)
            .zip(&self.staff)
            .map(|(number, mac)| Entry::unlimited(*mac, number, STAFF_LASTS));
        let sessions = self.sessions.iter();
        let running = sessions.filter(|(_, session)| session.over(now).is_none());
        let guests = running.map(|(mac, session)| session.entry(*mac, now));
        staff.chain(guests).collect()
    }

    /// The kernel's counters begin at nothing: the wall was set up anew.
    pub fn begin_counting(&mut self) {
        self.sessions.values_mut().for_each(Session::begin_counting);
    }

    fn place(&self, zone: &ZoneName) -> Place {
        let index = self.zones.iter().position(|known| known == zone);
        Place::of(index.unwrap_or_default())
    }

    /// A number for `mac`'s mark that nothing else goes by: its own where it has one.
    fn free_number(&self, mac: Mac) -> Result<u16, Refused> {
        if let Some(session) = self.sessions.get(&mac) {
            return Ok(session.mark.number());
        }
        if self.sessions.len() >= MOST_SESSIONS {
            return Err(Refused::Full);
        }
        let used: BTreeSet<u16> = self
            .sessions
            .values()
            .map(|session| session.mark.number())
            .collect();
        // Round and round, so that a number rests as long as possible before it is somebody else's.
        let after = self.last_number % MOST_NUMBER + 1;
        (after..=MOST_NUMBER)
            .chain(1..after)
            .find(|number| !used.contains(number))
            .ok_or(Refused::Full)
    }
}

/// Keeps a map of devices small, for one that is to come.
fn make_room<T>(remembered: &mut BTreeMap<Mac, T>, newcomer: Mac) {
    if remembered.len() >= MOST_REMEMBERED && !remembered.contains_key(&newcomer) {
        remembered.pop_first();
    }
}
