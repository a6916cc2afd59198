//! What a box has learnt about time, boot by boot; pure, so that a box in 1970 can be tried at a desk.
//!
//! Time since boot never steps, so one comparison with a clock that is right (an anchor) dates everything
//! that happened in the same boot, before and after. A boot that never had one lies between what was known
//! when it began and the start of the next boot that had one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// 2026-01-01, before which this program was not built: no clock that says so can be right.
pub(super) const OLDEST: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// An anchor is renewed this often: a quartz of 50 ppm is off by 0.2 s then.
const RENEW_AFTER: Duration = Duration::from_secs(3_600);

/// Two boots a day over the thirty days that a box may be cut off.
const MOST_BOOTS: usize = 64;

/// Everything known, oldest boot first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Record {
    boots: Vec<Boot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Boot {
    id: u32,
    /// It was later than this when the boot began.
    floor: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<Anchor>,
}

/// A comparison with a clock that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    pub since_boot_ms: u64,
    pub time: Timestamp,
}

/// When something happened, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub time: Timestamp,
    pub known: Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Not before the time that the box was sure of; otherwise what its clock said.
    Floor,
    /// Between two times that are known.
    Bounded,
    /// Measured in the same boot against a clock that is right.
    Anchored,
}

impl Anchor {
    fn at(self, since_boot: Duration) -> Timestamp {
        let apart = i128::try_from(since_boot.as_millis()).unwrap_or(i128::MAX)
            - i128::from(self.since_boot_ms);
        later(self.time, i64::try_from(apart).unwrap_or(i64::MAX))
    }
}

impl Record {
    /// Takes note of a boot; false where it is known already.
    pub(super) fn begin(&mut self, boot: u32) -> bool {
        if self.boots.last().is_some_and(|last| last.id == boot) {
            return false;
        }
        let floor = self.floor();
        if self.boots.len() >= MOST_BOOTS {
            self.boots.remove(0);
        }
        self.boots.push(Boot {
            id: boot,
            floor,
            anchor: None,
        });
        true
    }

    /// It is certainly later than this.
    pub(super) fn floor(&self) -> Timestamp {
        let known = |boot: &Boot| {
            boot.anchor
                .map_or(boot.floor, |anchor| anchor.time.max(boot.floor))
        };
        self.boots.iter().map(known).max().unwrap_or(OLDEST)
    }

    pub(super) fn is_anchored(&self) -> bool {
        self.boots.last().is_some_and(|boot| boot.anchor.is_some())
    }

    /// Takes an anchor for the boot that lasts; true where it is worth writing down.
    pub(super) fn anchor(&mut self, anchor: Anchor) -> bool {
        let Some(boot) = self.boots.last_mut() else {
            return false;
        };
        let fresh = boot.anchor.is_some_and(|old| {
            let age = anchor.since_boot_ms.saturating_sub(old.since_boot_ms);
            Duration::from_millis(age) < RENEW_AFTER
        });
        if !fresh {
            boot.anchor = Some(anchor);
        }
        !fresh
    }

    /// The time now, where the system's clock says `wall`.
    pub(super) fn now(&self, since_boot: Duration, wall: Timestamp) -> Timestamp {
        match self.boots.last() {
            Some(boot) => boot.place(since_boot, wall),
            None => wall.max(OLDEST),
        }
    }

    /// When something happened `since_boot` in that boot, where the system's clock said `wall`; none for a
    /// boot that is not known any more.
    pub(super) fn place(&self, boot: u32, since_boot: Duration, wall: Timestamp) -> Option<Placed> {
        let at = self.boots.iter().rposition(|each| each.id == boot)?;
        let time = self.boots[at].place(since_boot, wall);
        if self.boots[at].anchor.is_some() {
            let known = Known::Anchored;
            return Some(Placed { time, known });
        }
        let next_start = self.boots[at + 1..]
            .iter()
            .find_map(|later| Some(later.anchor?.at(Duration::ZERO)));
        Some(match next_start {
            Some(start) => Placed {
                time: time.min(start),
                known: Known::Bounded,
            },
            None => Placed {
                time,
                known: Known::Floor,
            },
        })
    }
}

impl Boot {
    fn place(&self, since_boot: Duration, wall: Timestamp) -> Timestamp {
        match self.anchor {
            Some(anchor) => anchor.at(since_boot),
            // A clock that is right is past the floor by more than the boot has lasted.
            None => wall.max(later(
                self.floor,
                i64::try_from(since_boot.as_millis()).unwrap_or(i64::MAX),
            )),
        }
    }
}

fn later(time: Timestamp, millis: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_millis(millis))
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn anchor(since_boot: u64, at: &str) -> Anchor {
        Anchor {
            since_boot_ms: since_boot * 1_000,
            time: time(at),
        }
    }

    const NINETEEN_SEVENTY: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn one_anchor_dates_the_whole_boot() {
        let mut record = Record::default();
        assert!(record.begin(7));
        assert!(record.anchor(anchor(600, "2026-12-01T12:10:00Z")));
        for (since_boot, at) in [
            (0, "2026-12-01T12:00:00Z"),
            (600, "2026-12-01T12:10:00Z"),
            (4_200, "2026-12-01T13:10:00Z"),
        ] {
            let placed = record.place(7, s(since_boot), NINETEEN_SEVENTY).unwrap();
            assert_eq!((placed.time, placed.known), (time(at), Known::Anchored));
            assert_eq!(record.now(s(since_boot), NINETEEN_SEVENTY), time(at));
        }
    }

    #[test]
    fn a_box_in_1970_goes_by_what_it_was_last_sure_of() {
        let mut record = Record::default();
        record.begin(1);
        assert_eq!(record.now(s(5), NINETEEN_SEVENTY), later(OLDEST, 5_000));
        record.anchor(anchor(60, "2026-12-01T12:00:00Z"));
        record.begin(2);
        let sure = time("2026-12-01T12:00:00Z");
        assert_eq!(record.now(s(30), NINETEEN_SEVENTY), later(sure, 30_000));
        let right = time("2026-12-05T08:00:00Z");
        assert_eq!(
            record.now(s(30), right),
            right,
            "a clock that may be right counts"
        );
    }

    #[test]
    fn a_boot_without_an_anchor_lies_between_its_neighbours() {
        let mut record = Record::default();
        record.begin(1);
        record.anchor(anchor(0, "2026-12-01T12:00:00Z"));
        record.begin(2);
        record.begin(3);
        let known = |record: &Record, wall| record.place(2, s(60), wall).unwrap();
        assert_eq!(known(&record, NINETEEN_SEVENTY).known, Known::Floor);
        // The third boot began at ten.
        record.anchor(anchor(3_600, "2026-12-03T11:00:00Z"));
        let cases = [
            (NINETEEN_SEVENTY, "2026-12-01T12:01:00Z"),
            (time("2026-12-02T09:00:00Z"), "2026-12-02T09:00:00Z"),
            (time("2070-01-01T00:00:00Z"), "2026-12-03T10:00:00Z"),
        ];
        for (wall, at) in cases {
            let placed = known(&record, wall);
            assert_eq!((placed.time, placed.known), (time(at), Known::Bounded));
        }
        assert_eq!(record.place(99, s(1), NINETEEN_SEVENTY), None);
    }

    #[test]
    fn an_anchor_is_renewed_after_an_hour_and_not_before() {
        let mut record = Record::default();
        record.begin(1);
        assert!(record.anchor(anchor(10, "2026-12-01T12:00:00Z")));
        assert!(!record.anchor(anchor(100, "2026-12-01T12:01:31Z")));
        let now = record.now(s(100), NINETEEN_SEVENTY);
        assert_eq!(now, time("2026-12-01T12:01:30Z"));
        assert!(record.anchor(anchor(3_700, "2026-12-01T13:01:31Z")));
    }

    #[test]
    fn the_same_boot_is_noted_once_and_old_ones_are_forgotten() {
        let mut record = Record::default();
        assert!(record.begin(1));
        assert!(!record.begin(1));
        (2..200).for_each(|boot| assert!(record.begin(boot)));
        assert_eq!(record.boots.len(), MOST_BOOTS);
        assert_eq!(record.place(1, s(1), NINETEEN_SEVENTY), None);
    }
}
