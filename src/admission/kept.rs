//! Sessions on the disk: a file of lines that is only added to, so that who was let in stays so over a
//! restart, a crash and a power cut.
//!
//! ```text
//! line = CRC-32 of the JSON, 8 hexadecimal digits   a space   the JSON of a record   a line feed
//! ```
//! Of two records about one device the later counts. A line that a power cut tore, or a damaged one, is left
//! out: that device sees the page again. Nothing here is sent anywhere, and what was a day's is dropped with
//! the day.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::book::{EndedToday, Kind, Moved, Now, Session};
use super::firewall::Mark;
use super::zone::ZoneName;
use crate::domain::wifi::{Mac, Tier};

/// Which time a record was written at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    boot: u32,
    since_boot_ms: u64,
    wall_ms: i64,
    /// Whether the wall clock was to be trusted.
    is_known: bool,
}

impl Written {
    pub fn at(now: Now, boot: u32, is_known: bool) -> Self {
        Self {
            boot,
            since_boot_ms: millis(now.since_boot()),
            wall_ms: now.at.as_millisecond(),
            is_known,
        }
    }

    /// What passed while the box was off and unsure of the time, now that it is sure; none where that is not
    /// known, or was counted. Of it the time since the machine started was counted.
    pub fn passed_unnoticed(self, now: Self) -> Option<Duration> {
        if self.boot == now.boot || !self.is_known || !now.is_known {
            return None;
        }
        let passed = u64::try_from(now.wall_ms.saturating_sub(self.wall_ms)).unwrap_or_default();
        Some(Duration::from_millis(
            passed.saturating_sub(now.since_boot_ms),
        ))
    }

    pub const fn is_known(self) -> bool {
        self.is_known
    }

    /// How long ago that was. Time switched off counts only where the wall clock is trusted at both ends.
    fn until(self, now: Self) -> Duration {
        if self.boot == now.boot {
            return Duration::from_millis(now.since_boot_ms.saturating_sub(self.since_boot_ms));
        }
        let passed = if self.is_known && now.is_known {
            u64::try_from(now.wall_ms.saturating_sub(self.wall_ms)).unwrap_or_default()
        } else {
            // That much has passed in any case.
            now.since_boot_ms
        };
        Duration::from_millis(passed)
    }
}

/// What is known of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    Session(Box<KeptSession>),
    Ended { mac: Mac, ended: EndedToday },
    Gone { mac: Mac },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSession {
    mac: Mac,
    written: Written,
    zone: ZoneName,
    tier: Tier,
    kind: Kind,
    mark: u32,
    began_ms: i64,
    lasted_ms: u64,
    left_ms: u64,
    silent_ms: u64,
    /// None: kept by a version that knew only how long it lasts.
    granted_ms: Option<u64>,
    #[serde(default)]
    extended_ms: u64,
    idle_ms: Option<u64>,
    quota: Option<u64>,
    up: Option<u64>,
    down: Option<u64>,
    carried: Moved,
    before: Moved,
    counted: Moved,
}

impl KeptSession {
    pub fn of(mac: Mac, session: &Session, now: Now, written: Written) -> Self {
        let since = |then: Duration| millis(now.steady.saturating_sub(then));
        Self {
            mac,
            written,
            zone: session.zone.clone(),
            tier: session.tier,
            kind: session.kind,
            mark: session.mark.bits(),
            began_ms: session.began.as_millisecond(),
            lasted_ms: since(session.started),
            left_ms: millis(session.left(now)),
            silent_ms: since(session.active),
            granted_ms: Some(millis(session.granted)),
            extended_ms: millis(session.extended),
            idle_ms: session.idle.map(millis),
            quota: session.quota,
            up: session.up,
            down: session.down,
            carried: session.carried,
            before: session.before,
            counted: session.counted,
        }
    }

    pub const fn written(&self) -> Written {
        self.written
    }

    pub const fn mac(&self) -> Mac {
        self.mac
    }

    /// The session as it is now; it may be over.
    pub fn session(&self, now: Now, written: Written) -> (Mac, Session) {
        let passed = self.written.until(written);
        let ago = |ms| now.steady.saturating_sub(Duration::from_millis(ms));
        let left = Duration::from_millis(self.left_ms).saturating_sub(passed);
        let whole_ms = self.lasted_ms.saturating_add(self.left_ms);
        let granted_ms = self.granted_ms.unwrap_or(whole_ms);
        let session = Session {
            zone: self.zone.clone(),
            tier: self.tier,
            kind: self.kind,
            mark: Mark::from_bits(self.mark),
            began: Timestamp::from_millisecond(self.began_ms).unwrap_or(now.at),
            started: ago(self.lasted_ms).saturating_sub(passed),
            until: now.steady.saturating_add(left),
            // Nobody listened while the box was away, so silence begins anew.
            active: now.steady,
            granted: Duration::from_millis(granted_ms),
            extended: Duration::from_millis(self.extended_ms),
            idle: self.idle_ms.map(Duration::from_millis),
            quota: self.quota,
            up: self.up,
            down: self.down,
            carried: self.carried,
            before: self.before,
            counted: self.counted,
        };
        (self.mac, session)
    }
}

impl Record {
    pub const fn mac(&self) -> Mac {
        match self {
            Self::Session(kept) => kept.mac,
            Self::Ended { mac, .. } | Self::Gone { mac } => *mac,
        }
    }

    pub fn line(&self) -> String {
        let json = serde_json::to_string(self).expect("a record is plain data");
        format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
    }

    fn read(line: &str) -> Option<Self> {
        let (crc, json) = line.split_once(' ')?;
        let is_whole = u32::from_str_radix(crc, 16).ok()? == crc32fast::hash(json.as_bytes());
        is_whole.then(|| serde_json::from_str(json).ok()).flatten()
    }
}

/// What a file says of each device, and how many of its lines do not read.
pub fn read(contents: &[u8]) -> (BTreeMap<Mac, Record>, usize) {
    let (mut records, mut unread) = (BTreeMap::new(), 0);
    for line in contents
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        match std::str::from_utf8(line).ok().and_then(Record::read) {
            Some(Record::Gone { mac }) => {
                records.remove(&mac);
            }
            Some(record) => {
                records.insert(record.mac(), record);
            }
            None => unread += 1,
        }
    }
    (records, unread)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;
    use crate::admission::book::{Asked, Book, Reason, Verdict};
    use crate::domain::wifi::Terms;

    const HOUR: Duration = Duration::from_secs(3600);

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    fn now(wall: &str, since_boot: u64) -> Now {
        let at: Timestamp = wall.parse().unwrap();
        Now::new(
            at,
            Duration::from_secs(since_boot),
            datetime(2026, 12, 1, 12, 0, 0, 0),
        )
    }

    fn kept(now: Now, is_known: bool) -> KeptSession {
        let asked = Asked {
            mac: mac(1),
            zone: ZoneName::try_from("guest".to_owned()).unwrap(),
            tier: Tier::Coupon,
            terms: Terms {
                session: HOUR * 4,
                idle: None,
                quota: Some(9),
                up: Some(1),
                down: None,
            },
        };
        let Ok(Verdict::New(_, session)) = Book::default().admit(&asked, now) else {
            panic!("an empty house takes a guest");
        };
        KeptSession::of(mac(1), &session, now, Written::at(now, 1, is_known))
    }

    /// What is left of four hours.
    fn left(kept: &KeptSession, now: Now, boot: u32, is_known: bool) -> u64 {
        let (_, session) = kept.session(now, Written::at(now, boot, is_known));
        session.left(now).as_secs() / 60
    }

    #[test]
    fn a_restart_costs_the_time_that_it_took() {
        let kept = kept(now("2026-12-01T04:00:00Z", 1_000), false);
        // The wall clock has jumped, and does not matter within a boot.
        assert_eq!(
            left(&kept, now("1970-01-01T00:00:00Z", 1_600), 1, false),
            230
        );
    }

    #[test]
    fn time_switched_off_counts_only_by_a_clock_that_is_trusted() {
        let start = now("2026-12-01T04:00:00Z", 1_000);
        let an_hour_later = now("2026-12-01T05:00:00Z", 60);
        assert_eq!(left(&kept(start, true), an_hour_later, 2, true), 180);
        for (before, after) in [(false, true), (true, false)] {
            assert_eq!(left(&kept(start, before), an_hour_later, 2, after), 239);
        }
        let clock_went_back = now("2026-11-01T05:00:00Z", 60);
        assert_eq!(left(&kept(start, true), clock_went_back, 2, true), 240);
        // A boot that learns the time later takes off what it has not counted.
        let later = Written::at(now("2026-12-01T05:00:00Z", 600), 2, true);
        let unnoticed = kept(start, true).written().passed_unnoticed(later);
        assert_eq!(unnoticed, Some(Duration::from_secs(3_000)));
        assert_eq!(kept(start, false).written().passed_unnoticed(later), None);
        let next_day = now("2026-12-02T05:00:00Z", 60);
        assert_eq!(left(&kept(start, true), next_day, 2, true), 0);
    }

    #[test]
    fn a_session_comes_back_as_it_was() {
        let start = now("2026-12-01T04:00:00Z", 1_000);
        let kept = kept(start, true);
        let (device, session) = kept.session(start, Written::at(start, 1, true));
        assert_eq!(device, mac(1));
        assert_eq!(
            KeptSession::of(device, &session, start, Written::at(start, 1, true)),
            kept
        );
    }

    #[test]
    fn what_a_version_before_zones_has_kept_still_reads() {
        let json = r#"{"ended":{"mac":"02:00:00:00:00:01","ended":{"day":"2026-12-01","reason":"time","used":{"up":1,"down":2},"tier":"guest"}}}"#;
        let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
        let (records, unread) = read(line.as_bytes());
        assert_eq!(unread, 0);
        let Record::Ended { ended, .. } = &records[&mac(1)] else {
            panic!("{records:?}");
        };
        assert_eq!((ended.tier, &ended.zone), (Tier::Guest, &None));
    }

    #[test]
    fn of_two_records_the_later_counts_and_a_torn_line_costs_itself_only() {
        let start = now("2026-12-01T04:00:00Z", 1_000);
        let session = Record::Session(Box::new(kept(start, true)));
        let ended = |last| Record::Ended {
            mac: mac(last),
            ended: EndedToday {
                day: start.local.date(),
                zone: None,
                reason: Reason::Quota,
                used: Moved { up: 1, down: 2 },
                tier: Tier::Guest,
            },
        };
        let gone = Record::Gone { mac: mac(3) };
        let lines = [&session, &ended(2), &ended(3), &gone]
            .map(Record::line)
            .concat();
        let (records, unread) = read(lines.as_bytes());
        assert_eq!(
            records.into_values().collect::<Vec<_>>(),
            [session.clone(), ended(2)]
        );
        assert_eq!(unread, 0);

        let first = session.line().len();
        for cut in 0..lines.len() {
            // Nothing panics, and what stands before the tear is there.
            let (records, _) = read(&lines.as_bytes()[..cut]);
            assert_eq!(
                records.contains_key(&mac(1)),
                cut + 1 >= first,
                "cut at {cut}"
            );
        }
        let mut damaged = lines.into_bytes();
        damaged[first / 2] ^= 1;
        let (records, unread) = read(&damaged);
        assert_eq!((records.len(), unread), (1, 1));
    }
}
