//! Which device may pass the Wi-Fi wall, for how long and how far.
//!
//! [`book`] decides, and is pure; a [`Firewall`] enforces; [`Neighbours`] says whose address it is; [`keeper`]
//! keeps the sessions on the disk. [`Wall`] joins them. It promises that a device is in the book only if the
//! firewall has taken it, that a client can admit no device but the one it speaks from, and that whoever was
//! let in stays so over a restart, a crash or a flush of the kernel's rules until the time is up.

pub mod book;
pub mod command;
pub mod dnsmasq;
pub mod dry;
pub mod firewall;
pub mod garden;
pub mod hook;
pub mod keeper;
pub mod kept;
pub mod neighbours;
mod netlink;
pub mod nft;
#[cfg(test)]
mod tests;
pub mod zone;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;

pub use crate::domain::wifi::Mac;

use crate::domain::wifi::{Policy, Terms, Tier};
use crate::ops::clock::Clock;
use crate::ops::metrics;
use book::{Asked, Book, Kind, Moved, Now, Reason, Session, Verdict};
use firewall::{Entry, Firewall, FirewallError, Mark, OnStop};
use keeper::Keeper;
use kept::{KeptSession, Record, Written};
use neighbours::{Neighbour, Neighbours};
pub use netlink::neighbours::KernelNeighbours;
use zone::ZoneName;

/// How often every session is written anew, so that a power cut gives back no more time than that.
const KEEP_EVERY: Duration = Duration::from_secs(300);

/// Who taps while the wall is being set up waits for it so long at most; it takes tens of milliseconds.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

/// Of more sessions that change at once the firewall hears by being set up anew, which holds nobody up.
const MOST_ONE_BY_ONE: usize = 64;

/// What nobody has listened to is dropped beyond this: as much as can happen in one sweep, when a full house
/// closes.
const MOST_TOLD: usize = book::MOST_SESSIONS;

/// One device can be refused as often as it likes.
const MOST_REFUSALS: usize = 64;

/// What the wall is made of.
pub struct Parts {
    pub firewall: Box<dyn Firewall>,
    pub neighbours: Box<dyn Neighbours>,
    pub clock: Arc<dyn Clock>,
    /// Which boot of the box this is.
    pub boot: u32,
    /// The clock on the store's wall.
    pub local: Box<dyn Fn(Timestamp) -> DateTime + Send + Sync>,
    /// How long a session lasts where a policy does not say it.
    pub session: Duration,
    /// Whether a zone leads anywhere now.
    pub is_open: Box<IsOpen>,
    /// What the policy of now grants; none while nobody knows it.
    pub terms: Box<TermsNow>,
    /// In the order of the settings.
    pub zones: Vec<ZoneName>,
    pub staff: Vec<Mac>,
    pub blocked: Vec<Mac>,
}

pub type IsOpen = dyn Fn(&ZoneName, Timestamp) -> bool + Send + Sync;

pub type TermsNow = dyn Fn(&ZoneName, Tier) -> Option<Terms> + Send + Sync;

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

/// Why a device was not let in.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    #[error(transparent)]
    Refused(#[from] book::Refused),
    #[error(transparent)]
    Firewall(#[from] FirewallError),
}

impl NotAdmitted {
    /// A word for figures and hooks.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(book::Refused::Blocked) => "blocked",
            Self::Refused(book::Refused::QuotaSpent) => "quota",
            Self::Refused(book::Refused::PassesSpent) => "passes",
            Self::Refused(book::Refused::Full) => "full",
            Self::Firewall(_) => "firewall",
        }
    }
}

/// How a device stands to the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Walled,
    /// It has a temporary pass.
    Passing {
        left: Duration,
    },
    Open {
        /// None for the shop's own devices.
        left: Option<Duration>,
        bytes_left: Option<u64>,
    },
}

/// Who has come in or gone, for whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub at: Timestamp,
    pub mac: Mac,
    pub zone: ZoneName,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Admitted {
        tier: Tier,
        kind: Kind,
    },
    Ended {
        tier: Tier,
        kind: Kind,
        reason: Reason,
        seconds: u64,
        moved: Moved,
    },
}

/// A device that was not let in, for whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub at: Timestamp,
    pub mac: Mac,
    pub zone: ZoneName,
    pub why: &'static str,
}

/// A session as an operator sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub mac: Mac,
    pub session: Session,
    pub left: Duration,
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

    /// Sets the firewall up with everybody who is in, also after somebody has flushed it. It starts a process,
    /// and is not for a thread that serves; those go on meanwhile, and only letting a device in has to wait.
    pub fn set_up(&self) -> Result<(), FirewallError> {
        let _one_at_a_time = self.setting_up();
        let entries = self.begin_setting_up();
        let done = self.parts.firewall.set_up(&entries);
        self.end_setting_up(&done);
        done
    }

    /// Why the firewall does not hold what it should, since it could not be set up.
    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    fn begin_setting_up(&self) -> Vec<Entry> {
        let now = self.now();
        let mut state = self.lock();
        state.is_off = true;
        state.is_setting_up = true;
        self.is_settled.send_replace(false);
        if let Ok(traffic) = self.parts.firewall.traffic() {
            state.book.count(&traffic, now);
        }
        state.book.entries(now)
    }

    fn end_setting_up(&self, done: &Result<(), FirewallError>) {
        let now = self.now();
        let mut state = self.lock();
        state.is_setting_up = false;
        state.is_off = done.is_err();
        state.trouble = done.as_ref().err().map(ToString::to_string);
        metrics::set(metrics::WALL_TROUBLE, state.is_off.into());
        for (mac, mark) in std::mem::take(&mut state.left_meanwhile) {
            self.take_out(&mut state, mac, mark);
        }
        if done.is_ok() {
            state.book.begin_counting();
            // What the kernel has counted up to here is known nowhere else.
            self.keep_all(&mut state, now);
        }
        self.is_settled.send_replace(true);
    }

    /// Waits until the firewall is not being set up; not for ever.
    pub async fn settled(&self) {
        let mut is_settled = self.is_settled.subscribe();
        let settled = is_settled.wait_for(|is_settled| *is_settled);
        // Who has waited in vain is told so by the wall.
        timeout(SETTLES_WITHIN, settled).await.ok();
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

    /// Ends what is over; to be called every few seconds. Sets the firewall up anew where it had fallen behind,
    /// and so is not for a thread that serves.
    pub fn sweep(&self) {
        let not_set_up_now = match self.setting_up.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // What the kernel counts begins at nothing in between; the next sweep sees it whole.
            Err(TryLockError::WouldBlock) => return,
        };
        let now = self.now();
        let mut state = self.lock();
        for mac in state.book.forget(now) {
            keep(&state, Record::Gone { mac });
        }
        metrics::set(metrics::DEVICES_ADMITTED, state.book.iter().count() as u64);
        if state.book.iter().next().is_none() && !state.is_off {
            return;
        }
        self.date(&mut state);
        let traffic = self.parts.firewall.traffic();
        state.is_off |= matches!(traffic, Err(FirewallError::Gone));
        let has_counted = traffic.is_ok();
        state.book.count(&traffic.unwrap_or_default(), now);
        let is_open = |zone: &ZoneName| (self.parts.is_open)(zone, now.at);
        for (mac, reason) in state.book.over(is_open, now) {
            self.end(&mut state, mac, reason, now);
        }
        if has_counted {
            self.follow_the_policy(&mut state, now);
        }
        if now.since_boot().saturating_sub(state.kept_at) >= KEEP_EVERY {
            self.keep_all(&mut state, now);
        }
        let is_off = state.is_off;
        drop(state);
        drop(not_set_up_now);
        if is_off && let Err(error) = self.set_up() {
            tracing::error!(%error, "the wall could not be set up; it is tried again");
        }
    }

    /// Gives sessions what the policy of now grants. To be called when it was just counted: a new entry's
    /// counters begin at nothing.
    fn follow_the_policy(&self, state: &mut State, now: Now) {
        let changed = state.book.changed(&self.parts.terms, now);
        if changed.len() > MOST_ONE_BY_ONE {
            for (mac, _, session) in changed {
                state.book.replace(mac, session);
            }
            state.is_off = true;
            return;
        }
        let mut failure = None;
        for (mac, entry, session) in changed {
            match self.put_in(state, &entry) {
                Ok(()) => self.put_down(state, (mac, session), now),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            tracing::warn!(%error, "not all sessions follow the Wi-Fi's new rules yet; the next sweep goes on");
        }
    }

    /// Writes down a session whose entry was put in the place of its last.
    fn put_down(&self, state: &mut State, (mac, mut session): (Mac, Session), now: Now) {
        session.begin_counting();
        self.keep_session(state, mac, &session, now);
        state.book.replace(mac, session);
    }

    /// Takes off sessions of an earlier boot the time that the box was away, once it knows the time.
    fn date(&self, state: &mut State) {
        let written = self.written();
        if state.undated.is_empty() || !written.is_known() {
            return;
        }
        for (mac, then) in std::mem::take(&mut state.undated) {
            if let Some(passed) = then.passed_unnoticed(written) {
                state.book.shorten(mac, passed);
                // The kernel goes by what it was told.
                state.is_off = true;
            }
        }
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

    /// Keeps the sessions as they are and leaves the wall as `on_stop` says.
    pub fn take_down(&self, on_stop: OnStop) -> Result<(), FirewallError> {
        // A setting up that ended later would put back what is taken down.
        let _nobody_sets_up = self.setting_up();
        let now = self.now();
        let mut state = self.lock();
        if let Ok(traffic) = self.parts.firewall.traffic() {
            state.book.count(&traffic, now);
        }
        self.keep_all(&mut state, now);
        // Dropped, it has written all.
        state.keeper = None;
        self.parts.firewall.take_down(on_stop)
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
