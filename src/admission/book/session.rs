//! One device's session: how long, how much, and what of it is used.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Asked, Now, Reason};
use crate::admission::firewall::{Access, Entry, Mark, Meter, Place, Rate, Traffic};
use crate::admission::zone::ZoneName;
use crate::domain::wifi::{Mac, Terms, Tier};

/// Times that were kept over a restart are rounded, each by less than that.
const KEPT_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Open,
    /// The walled garden and no further.
    Pass,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pass => "pass",
        }
    }
}

/// Bytes of the network layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Moved {
    pub up: u64,
    pub down: u64,
}

impl Moved {
    pub const fn total(self) -> u64 {
        self.up.saturating_add(self.down)
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            up: self.up.saturating_add(other.up),
            down: self.down.saturating_add(other.down),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub zone: ZoneName,
    pub tier: Tier,
    pub kind: Kind,
    pub mark: Mark,
    /// For people: what counts is `until`.
    pub began: Timestamp,
    /// All three in steady time.
    pub started: Duration,
    pub until: Duration,
    pub active: Duration,
    /// How long it was let in for, and by how much staff have lengthened it.
    pub granted: Duration,
    pub extended: Duration,
    pub idle: Option<Duration>,
    pub quota: Option<u64>,
    pub up: Option<u64>,
    pub down: Option<u64>,
    /// In sessions of the same day before this one: a quota is for the day.
    pub carried: Moved,
    /// In this session, before the kernel's counters began.
    pub before: Moved,
    /// What the kernel's counters say.
    pub counted: Moved,
}

impl Session {
    pub(super) fn open(
        asked: &Asked,
        (number, place): (u16, Place),
        carried: Moved,
        now: Now,
    ) -> Self {
        let terms = asked.terms;
        Self {
            zone: asked.zone.clone(),
            tier: asked.tier,
            kind: Kind::Open,
            mark: Mark::new(number, place, &Access::Open(Meter::default())),
            began: to_millis(now.at),
            started: now.steady,
            until: now.steady.saturating_add(terms.session),
            active: now.steady,
            granted: terms.session,
            extended: Duration::ZERO,
            idle: terms.idle,
            quota: terms.quota,
            up: terms.up,
            down: terms.down,
            carried,
            before: Moved::default(),
            counted: Moved::default(),
        }
    }

    pub(super) fn pass(
        zone: ZoneName,
        lasts: Duration,
        (number, place): (u16, Place),
        now: Now,
    ) -> Self {
        Self {
            zone,
            tier: Tier::Guest,
            kind: Kind::Pass,
            mark: Mark::new(number, place, &Access::Garden),
            began: to_millis(now.at),
            started: now.steady,
            until: now.steady.saturating_add(lasts),
            active: now.steady,
            granted: lasts,
            extended: Duration::ZERO,
            idle: None,
            quota: None,
            up: None,
            down: None,
            carried: Moved::default(),
            before: Moved::default(),
            counted: Moved::default(),
        }
    }

    /// In this session.
    pub fn moved(&self) -> Moved {
        self.before.plus(self.counted)
    }

    /// On this day, which is what a quota is for.
    pub fn used(&self) -> Moved {
        self.carried.plus(self.moved())
    }

    pub fn left(&self, now: Now) -> Duration {
        self.until.saturating_sub(now.steady)
    }

    /// Bytes that are left; none where there is no quota.
    pub fn quota_left(&self) -> Option<u64> {
        Some(self.quota?.saturating_sub(self.used().total()))
    }

    /// Why it is over, if it is.
    pub(super) fn over(&self, now: Now) -> Option<Reason> {
        if self.left(now).is_zero() {
            return Some(Reason::Time);
        }
        if self.quota_left() == Some(0) {
            return Some(Reason::Quota);
        }
        let silent = now.steady.saturating_sub(self.active);
        self.idle
            .filter(|idle| silent >= *idle)
            .map(|_| Reason::Idle)
    }

    pub(super) fn count(&mut self, traffic: &Traffic, now: Now) {
        let counted = Moved {
            up: traffic.up,
            down: traffic.down,
        };
        if counted != self.counted {
            self.active = now.steady;
        }
        self.counted = counted;
    }

    pub(super) fn lengthen(&mut self, by: Duration) {
        self.until = self.until.saturating_add(by);
        self.extended = self.extended.saturating_add(by);
    }

    /// It began earlier than it seemed.
    pub(super) fn shorten(&mut self, by: Duration) {
        self.started = self.started.saturating_sub(by);
        self.until = self.until.saturating_sub(by);
    }

    /// What it becomes when a policy grants these terms now; none if it stays as it is.
    pub(super) fn under(&self, terms: &Terms) -> Option<Self> {
        let length = self
            .granted
            .min(terms.session)
            .saturating_add(self.extended);
        let until = self.started.saturating_add(length);
        let is_same = until.abs_diff(self.until) < KEPT_WITHIN;
        let changed = Self {
            until: if is_same { self.until } else { until },
            idle: terms.idle,
            quota: terms.quota,
            up: terms.up,
            down: terms.down,
            ..self.clone()
        };
        (self.kind == Kind::Open && changed != *self).then_some(changed)
    }

    /// The kernel's counters begin at nothing.
    pub fn begin_counting(&mut self) {
        self.before = self.moved();
        self.counted = Moved::default();
    }

    /// The same under another mark.
    pub(super) fn at(self, number: u16, place: Place) -> Self {
        let mark = Mark::new(number, place, &self.access());
        Self { mark, ..self }
    }

    fn access(&self) -> Access {
        let rate = |bytes_per_second| Rate { bytes_per_second };
        match self.kind {
            Kind::Open => Access::Open(Meter {
                quota: self.quota_left(),
                up: self.up.map(rate),
                down: self.down.map(rate),
            }),
            Kind::Pass => Access::Garden,
        }
    }

    /// What the wall is to hold for it. A new entry's counters begin at nothing.
    pub(super) fn entry(&self, mac: Mac, now: Now) -> Entry {
        Entry {
            mac,
            mark: self.mark,
            access: self.access(),
            lasts: self.left(now),
        }
    }
}

/// As it is kept, so that it is the same after a restart.
fn to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
