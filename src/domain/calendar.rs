//! The shop's calendar: hours of the week, business days and fair on/off days.
//!
//! Everything works on civil time in the store's own zone, so a change to summer time moves nothing:
//! two o'clock is two o'clock.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday, date};
use serde::{Deserialize, Serialize};

use super::text::Language;

/// A business day begins at four in the morning: a guest at half past midnight still belongs to the evening.
pub const BUSINESS_DAY_CUT_HOUR: i8 = 4;

/// The business day that a moment belongs to.
pub fn business_day(local: DateTime) -> Date {
    local
        .saturating_sub(i64::from(BUSINESS_DAY_CUT_HOUR).hours())
        .date()
}

/// What the clock on the wall shows: `14:05`.
pub fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// The same with its day: `2026-12-01 14:05`.
pub fn day_and_clock(local: DateTime) -> String {
    format!("{} {}", local.date(), clock(local.time()))
}

/// A day of the week as people write it in a campaign file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl Day {
    fn name(self, language: Language) -> &'static str {
        let (chinese, english) = match self {
            Self::Mon => ("周一", "Mon"),
            Self::Tue => ("周二", "Tue"),
            Self::Wed => ("周三", "Wed"),
            Self::Thu => ("周四", "Thu"),
            Self::Fri => ("周五", "Fri"),
            Self::Sat => ("周六", "Sat"),
            Self::Sun => ("周日", "Sun"),
        };
        match language {
            Language::Chinese => chinese,
            Language::English => english,
        }
    }
}

/// A stretch of the week, for example Monday to Friday from 14:00 to 17:00.
///
/// When `to` is not later than `from`, the window runs over midnight and belongs to the day it begins on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub days: Vec<Day>,
    pub from: Time,
    pub to: Time,
}

impl Window {
    pub fn contains(&self, local: DateTime) -> bool {
        self.beginning_of(local).is_some()
    }

    /// When the stretch that `local` lies in is over.
    pub fn end_of(&self, local: DateTime) -> Option<DateTime> {
        let begun = self.beginning_of(local)?;
        let last_day = if self.runs_over_midnight() {
            begun.tomorrow().ok()?
        } else {
            begun
        };
        Some(last_day.to_datetime(self.to))
    }

    /// The window as a diner reads it: `Mon–Fri 14:00–17:00`.
    pub fn in_words(&self, language: Language) -> String {
        let days = match self.days.as_slice() {
            [first, .., last] if self.is_unbroken() => {
                format!("{}–{}", first.name(language), last.name(language))
            }
            days => {
                let names: Vec<_> = days.iter().map(|day| day.name(language)).collect();
                names.join(" ")
            }
        };
        format!("{days} {}–{}", clock(self.from), clock(self.to))
    }

    /// At least three days, each the day after the one before.
    fn is_unbroken(&self) -> bool {
        self.days.len() >= 3
            && self
                .days
                .windows(2)
                .all(|pair| pair[0].weekday().wrapping_add(1) == pair[1].weekday())
    }

    /// The day on which the stretch that `local` lies in began.
    fn beginning_of(&self, local: DateTime) -> Option<Date> {
        let (today, now) = (local.date(), local.time());
        if self.runs_over_midnight() {
            if now >= self.from && self.is_on(today) {
                return Some(today);
            }
            let yesterday = today.yesterday().ok()?;
            (now < self.to && self.is_on(yesterday)).then_some(yesterday)
        } else {
            (self.from <= now && now < self.to && self.is_on(today)).then_some(today)
        }
    }

    fn runs_over_midnight(&self) -> bool {
        self.to <= self.from
    }

    fn is_on(&self, day: Date) -> bool {
        self.days
            .iter()
            .any(|listed| listed.weekday() == day.weekday())
    }
}

/// On which days a campaign runs at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum Schedule {
    #[default]
    Always,
    /// Pairs of the same weekday in adjacent weeks; a seeded coin says which of the two is the day with
    /// the offer. The days without it are what an honest lift is measured against.
    AlternateDays { seed: u64 },
}

impl Schedule {
    pub fn is_on(self, business_day: Date) -> bool {
        match self {
            Self::Always => true,
            Self::AlternateDays { seed } => {
                let days = (business_day - FIRST_MONDAY).get_days();
                let (week, weekday) = (days.div_euclid(7), days.rem_euclid(7));
                let pair = u64::from(week.div_euclid(2).unsigned_abs());
                let coin = splitmix64(seed ^ (pair << 3) ^ u64::from(weekday.unsigned_abs()));
                (week.rem_euclid(2) == 0) == (coin & 1 == 0)
            }
        }
    }
}

/// A Monday long before any campaign.
const FIRST_MONDAY: Date = date(2018, 1, 1);

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), the output function.
fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{datetime, time};
    use proptest::prelude::*;

    use super::*;

    fn quiet_hours() -> Window {
        Window {
            days: vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri],
            from: time(14, 0, 0, 0),
            to: time(17, 0, 0, 0),
        }
    }

    fn late_friday() -> Window {
        Window {
            days: vec![Day::Fri],
            from: time(22, 0, 0, 0),
            to: time(2, 0, 0, 0),
        }
    }

    #[test]
    fn a_window_takes_its_first_minute_and_not_its_last() {
        // 2026-12-01 is a Tuesday.
        let window = quiet_hours();
        assert!(!window.contains(datetime(2026, 12, 1, 13, 59, 59, 0)));
        assert!(window.contains(datetime(2026, 12, 1, 14, 0, 0, 0)));
        assert!(!window.contains(datetime(2026, 12, 1, 17, 0, 0, 0)));
        assert!(!window.contains(datetime(2026, 12, 5, 15, 0, 0, 0)));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let window = late_friday();
        let saturday_morning = datetime(2026, 12, 5, 1, 30, 0, 0);
        assert!(window.contains(saturday_morning));
        assert_eq!(
            window.end_of(saturday_morning),
            Some(datetime(2026, 12, 5, 2, 0, 0, 0))
        );
        assert!(!window.contains(datetime(2026, 12, 4, 1, 30, 0, 0)));
        assert!(!window.contains(datetime(2026, 12, 5, 22, 30, 0, 0)));
    }

    #[test]
    fn a_window_is_read_as_people_say_it() {
        assert_eq!(
            quiet_hours().in_words(Language::English),
            "Mon–Fri 14:00–17:00"
        );
        assert_eq!(
            late_friday().in_words(Language::Chinese),
            "周五 22:00–02:00"
        );
    }

    #[test]
    fn half_past_midnight_belongs_to_the_evening_before() {
        assert_eq!(
            business_day(datetime(2026, 12, 2, 0, 30, 0, 0)),
            date(2026, 12, 1)
        );
        assert_eq!(
            business_day(datetime(2026, 12, 2, 4, 0, 0, 0)),
            date(2026, 12, 2)
        );
    }

    proptest! {
        #[test]
        fn of_two_same_weekdays_in_a_pair_of_weeks_exactly_one_is_on(seed: u64, pair in 0_i64..2000, weekday in 0_i64..7) {
            let schedule = Schedule::AlternateDays { seed };
            let first = FIRST_MONDAY + (pair * 14 + weekday).days();
            prop_assert_ne!(schedule.is_on(first), schedule.is_on(first + 7.days()));
        }

        #[test]
        fn a_moment_inside_a_window_is_before_its_end(minute in 0_i64..60 * 24 * 28) {
            let local = datetime(2026, 11, 30, 0, 0, 0, 0) + minute.minutes();
            for window in [quiet_hours(), late_friday()] {
                if let Some(end) = window.end_of(local) {
                    prop_assert!(local < end && end <= local + 4.hours());
                    prop_assert!(!window.contains(end));
                }
            }
        }
    }
}
