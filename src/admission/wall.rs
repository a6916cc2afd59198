//! The sessions, and the firewall that enforces them.
//!
//! Here a device comes in, is looked for and goes. How the firewall is set up is in [`setting_up`], what happens
//! every few seconds by itself in [`sweep`].

mod setting_up;
mod sweep;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::book::{self, Asked, Book, Kind, Now, Reason, Session, Verdict};
use super::firewall::{Entry, FirewallError, Mark};
use super::keeper::Keeper;
use super::kept::{KeptSession, Record, Written};
use super::neighbours::Neighbour;
use super::told::{Refusal, Told, What};
use super::zone::ZoneName;
use super::{Listed, Mac, NotAdmitted, Parts, Standing};
use crate::domain::wifi::{Policy, Tier};
use crate::ops::metrics;

/// What nobody has listened to is dropped beyond this: as much as can happen in one sweep, when a full house
/// closes.
const MOST_TOLD: usize = book::MOST_SESSIONS;

/// One device can be refused as often as it likes.
const MOST_REFUSALS: usize = 64;

/// The sessions, and the firewall that enforces them.
pub struct Wall {
    parts: Parts,
    /// Held while the firewall is set up, which starts a process: by those who can wait for it. It is taken
    /// before `state`.
    setting_up: Mutex<()>,
    /// Held for the length of a netlink message.
    state: Mutex<State>,
    is_settled: watch::Sender<bool>,
    told: broadcast::Sender<Told>,
    /// Apart, so that a flood of them pushes out nothing else.
    refused: broadcast::Sender<Refusal>,
}

struct State {
    book: Book,
    /// None for a box that keeps nothing.
    keeper: Option<Keeper>,
    kept_at: Duration,
    /// The firewall does not hold what the book says, and is to be set up anew.
    is_off: bool,
    /// Why it could not be set up the last time.
    trouble: Option<String>,
    /// The firewall is being set up with who was in when it began: nobody is let in until that is done.
    is_setting_up: bool,
    /// Who was taken out since it began, and may have been put back by it.
    left_meanwhile: Vec<(Mac, Mark)>,
    /// Sessions that were kept by another boot, while this one does not know the time yet.
    undated: Vec<(Mac, Written)>,
}

impl Wall {
    /// A wall that keeps nothing over a restart. It is not set up yet.
    pub fn new(parts: Parts) -> Self {
        let book = Book::new(parts.zones.clone(), &parts.staff, &parts.blocked);
        let state = State {
            book,
            keeper: None,
            kept_at: parts.clock.since_boot(),
            is_off: true,
            trouble: None,
            is_setting_up: false,
            left_meanwhile: Vec::new(),
            undated: Vec::new(),
        };
        Self {
            parts,
            setting_up: Mutex::new(()),
            state: Mutex::new(state),
            is_settled: watch::channel(true).0,
            told: broadcast::channel(MOST_TOLD).0,
            refused: broadcast::channel(MOST_REFUSALS).0,
        }
    }

    /// A wall with the sessions that are kept in `dir`. It is not set up yet.
    pub fn open(parts: Parts, dir: &Path) -> std::io::Result<Self> {
        let wall = Self::new(parts);
        let (keeper, records) = Keeper::open(dir)?;
        let (now, written) = (wall.now(), wall.written());
        let mut state = wall.lock();
        for record in records {
            match record {
                Record::Session(kept) => {
                    let (mac, session) = kept.session(now, written);
                    if !state.book.restore(mac, session) {
                        keeper.keep(Record::Gone { mac });
                    } else if !written.is_known() {
                        state.undated.push((mac, kept.written()));
                    }
                }
                Record::Ended { mac, ended } if ended.is_on(now.local.date()) => {
                    state.book.remember(mac, ended);
                }
                Record::Ended { mac, .. } | Record::Gone { mac } => {
                    keeper.keep(Record::Gone { mac });
                }
            }
        }
        // The kernel's table may have outlived us, and has counted on.
        if let Ok(traffic) = wall.parts.firewall.traffic() {
            state.book.count(&traffic, now);
        }
        state.keeper = Some(keeper);
        drop(state);
        Ok(wall)
    }

    pub fn find(&self, address: IpAddr) -> Option<Neighbour> {
        self.parts.neighbours.find(address)
    }

    /// How long a session lasts where a policy does not say it.
    pub const fn session(&self) -> Duration {
        self.parts.session
    }

    /// Lets a device in, for as long as `asked` says; false if it was in.
    pub fn admit(&self, asked: &Asked) -> Result<bool, NotAdmitted> {
        let now = self.now();
        let mut state = self.lock();
        let verdict = state.book.admit(asked, now);
        self.enforce(&mut state, (asked.mac, &asked.zone), verdict, now)
    }

    /// Gives a device a temporary pass; none where the zone has none.
    pub fn pass(&self, mac: Mac, zone: &ZoneName, policy: &Policy) -> Result<bool, NotAdmitted> {
        let now = self.now();
        let most = policy.pass.most_in_an_hour();
        let lasts = policy.pass.lasts().ok_or(book::Refused::PassesSpent)?;
        let mut state = self.lock();
        let verdict = state.book.pass(mac, zone, (lasts, most), now);
        self.enforce(&mut state, (mac, zone), verdict, now)
    }

    fn enforce(
        &self,
        state: &mut State,
        (mac, zone): (Mac, &ZoneName),
        verdict: Result<Verdict, book::Refused>,
        now: Now,
    ) -> Result<bool, NotAdmitted> {
        let done = verdict
            .map_err(NotAdmitted::from)
            .and_then(|verdict| match verdict {
                Verdict::Already => Ok(false),
                Verdict::New(entry, session) => {
                    self.put_in(state, &entry)?;
                    let (tier, kind) = (session.tier, session.kind);
                    self.keep_session(state, mac, &session, now);
                    state.book.put(mac, *session, now);
                    metrics::add_of(metrics::ADMISSIONS, ("kind", kind.name()), 1);
                    self.tell(mac, zone, What::Admitted { tier, kind });
                    Ok(true)
                }
            });
        if let Err(refused) = &done {
            let why = refused.code();
            metrics::add_of(metrics::ADMISSIONS_REFUSED, ("why", why), 1);
            let refusal = Refusal {
                at: now.at,
                mac,
                zone: zone.clone(),
                why,
            };
            // Nobody has to listen.
            self.refused.send(refusal).ok();
        }
        done
    }

    fn put_in(&self, state: &mut State, entry: &Entry) -> Result<(), FirewallError> {
        if state.is_setting_up {
            return Err(FirewallError::SettingUp);
        }
        let done = self.parts.firewall.admit(entry);
        // It may have been carried out all the same; setting up anew leaves it out.
        state.is_off |= !matches!(done, Ok(()) | Err(FirewallError::Full));
        done
    }

    fn take_out(&self, state: &mut State, mac: Mac, mark: Mark) {
        if state.is_setting_up {
            state.left_meanwhile.push((mac, mark));
            return;
        }
        if let Err(error) = self.parts.firewall.remove(mac, mark) {
            // Its entry runs out by itself; setting up anew leaves it out at once.
            tracing::warn!(%error, "a device could not be taken out of the wall");
            state.is_off = true;
        }
    }

    pub fn standing(&self, mac: Mac, zone: &ZoneName) -> Standing {
        let now = self.now();
        let state = self.lock();
        if state.book.is_staff(mac) {
            return Standing::Open {
                left: None,
                bytes_left: None,
            };
        }
        match state.book.session(mac, zone, now) {
            None => Standing::Walled,
            Some(session) => match session.kind {
                Kind::Pass => Standing::Passing {
                    left: session.left(now),
                },
                Kind::Open => Standing::Open {
                    left: Some(session.left(now)),
                    bytes_left: session.quota_left(),
                },
            },
        }
    }

    /// The tier of a device whose session in `zone` ended today by itself.
    pub fn returns(&self, mac: Mac, zone: &ZoneName) -> Option<Tier> {
        self.lock().book.returns(mac, zone, self.now())
    }

    /// Ends a session; false if there is none.
    pub fn revoke(&self, mac: Mac) -> bool {
        let now = self.now();
        self.end(&mut self.lock(), mac, Reason::Revoked, now)
    }

    /// Lengthens a session by `by`; false if there is none.
    pub fn extend(&self, mac: Mac, by: Duration) -> Result<bool, FirewallError> {
        let now = self.now();
        let mut state = self.lock();
        // While it is set up, the counters are neither the old ones nor ours.
        if state.is_setting_up {
            return Err(FirewallError::SettingUp);
        }
        // A new entry's counters begin at nothing.
        if let Ok(traffic) = self.parts.firewall.traffic() {
            state.book.count(&traffic, now);
        }
        let Some((entry, session)) = state.book.extend(mac, by, now) else {
            return Ok(false);
        };
        self.put_in(&mut state, &entry)?;
        self.put_down(&mut state, (mac, session), now);
        Ok(true)
    }

    /// Writes down a session whose entry was put in the place of its last.
    fn put_down(&self, state: &mut State, (mac, mut session): (Mac, Session), now: Now) {
        session.begin_counting();
        self.keep_session(state, mac, &session, now);
        state.book.replace(mac, session);
    }

    fn end(&self, state: &mut State, mac: Mac, reason: Reason, now: Now) -> bool {
        let Some(session) = state.book.take(mac, reason, now) else {
            return false;
        };
        self.take_out(state, mac, session.mark);
        let moved = session.moved();
        if let Some(ended) = state.book.last_ended(mac) {
            keep(state, Record::Ended { mac, ended });
        }
        metrics::add_of(metrics::ADMISSIONS_ENDED, ("reason", reason.name()), 1);
        let what = What::Ended {
            tier: session.tier,
            kind: session.kind,
            reason,
            seconds: now.steady.saturating_sub(session.started).as_secs(),
            moved,
        };
        self.tell(mac, &session.zone, what);
        true
    }

    pub fn list(&self) -> Vec<Listed> {
        let now = self.now();
        let list = |(mac, session): (Mac, &Session)| Listed {
            mac,
            session: session.clone(),
            left: session.left(now),
        };
        self.lock().book.iter().map(list).collect()
    }

    pub fn len(&self) -> usize {
        self.lock().book.iter().count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says whether there is an Internet behind the wall.
    pub fn wan(&self, is_up: bool) -> Result<(), FirewallError> {
        self.parts.firewall.wan(is_up)
    }

    /// Hears who comes in and goes from now on.
    pub fn listen(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    /// Hears who is not let in from now on.
    pub fn listen_to_refusals(&self) -> broadcast::Receiver<Refusal> {
        self.refused.subscribe()
    }

    fn keep_all(&self, state: &mut State, now: Now) {
        state.kept_at = now.since_boot();
        for (mac, session) in state.book.iter() {
            self.keep_session(state, mac, session, now);
        }
    }

    /// A pass is not kept: it is shorter than a restart is rare.
    fn keep_session(&self, state: &State, mac: Mac, session: &Session, now: Now) {
        if session.kind == Kind::Open {
            let kept = KeptSession::of(mac, session, now, self.written());
            keep(state, Record::Session(Box::new(kept)));
        }
    }

    fn tell(&self, mac: Mac, zone: &ZoneName, what: What) {
        let told = Told {
            at: self.parts.clock.now(),
            mac,
            zone: zone.clone(),
            what,
        };
        // Nobody has to listen.
        self.told.send(told).ok();
    }

    fn now(&self) -> Now {
        let at = self.parts.clock.now();
        Now::new(at, self.parts.clock.since_boot(), (self.parts.local)(at))
    }

    fn written(&self) -> Written {
        let is_known = self.parts.clock.doubt().is_none();
        Written::at(self.now(), self.parts.boot, is_known)
    }

    fn setting_up(&self) -> MutexGuard<'_, ()> {
        self.setting_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(state: &State, record: Record) {
    if let Some(keeper) = &state.keeper {
        keeper.keep(record);
    }
}
