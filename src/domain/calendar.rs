//! The shop's calendar: hours of the week, business days and fair on/off days.
//!
//! Everything works on civil time in the store's own zone, so a change to summer time moves nothing:
//! two o'clock is two o'clock.

mod holidays;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday, date};
use serde::{Deserialize, Serialize};

use super::text::Language;
use super::written;
pub use holidays::Holidays;

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

/// The day of the week, in short: `Fri`.
pub fn weekday(date: Date, language: Language) -> &'static str {
    let day = Day::ALL.into_iter();
    day.zip(0_i8..)
        .find(|(_, offset)| *offset == date.weekday().to_monday_zero_offset())
        .map_or("", |(day, _)| day.name(language))
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
    pub const ALL: [Self; 7] = [
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
    ];

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
    /// As it is written in files and forms.
    #[cfg(feature = "hq")]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }

    /// In short: `Fri`.
    pub fn name(self, language: Language) -> &'static str {
        let (chinese, traditional, english) = match self {
            Self::Mon => ("周一", "週一", "Mon"),
            Self::Tue => ("周二", "週二", "Tue"),
            Self::Wed => ("周三", "週三", "Wed"),
            Self::Thu => ("周四", "週四", "Thu"),
            Self::Fri => ("周五", "週五", "Fri"),
            Self::Sat => ("周六", "週六", "Sat"),
            Self::Sun => ("周日", "週日", "Sun"),
        };
        match language {
            Language::Chinese => chinese,
            Language::TraditionalChinese => traditional,
            Language::English => english,
        }
    }
}

/// A stretch of certain days, for example Monday to Friday from 14:00 to 17:00.
///
/// When `to` is not later than `from`, the window runs over midnight and belongs to the day it begins on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "WindowAsWritten")]
pub struct Window {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// Single days, beside the weekdays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Date>,
    pub holidays: OnHolidays,
    pub from: Time,
    pub to: Time,
}

/// What a window does on public holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHolidays {
    /// A holiday is like its weekday.
    #[default]
    AsUsual,
    /// Closed on holidays.
    Never,
    /// Open on holidays alone; without `days`, on all of them.
    Only,
}

/// A window's table before it is known to make sense.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowAsWritten {
    #[serde(default)]
    days: Vec<Day>,
    #[serde(default, deserialize_with = "written::date::list")]
    dates: Vec<Date>,
    #[serde(default)]
    holidays: OnHolidays,
    from: Time,
    to: Time,
}

impl TryFrom<WindowAsWritten> for Window {
    type Error = &'static str;

    fn try_from(written: WindowAsWritten) -> Result<Self, Self::Error> {
        let WindowAsWritten {
            mut days,
            dates,
            holidays,
            from,
            to,
        } = written;
        if days.is_empty() && dates.is_empty() {
            if holidays != OnHolidays::Only {
                return Err("a window names its `days`, its `dates`, or `holidays = \"only\"`");
            }
            days = Day::ALL.into();
        }
        if from == to && from != Time::midnight() {
            return Err(
                "a window that ends when it begins has no length; a whole day is 00:00 to 00:00",
            );
        }
        Ok(Self {
            days,
            dates,
            holidays,
            from,
            to,
        })
    }
}

impl Window {
    pub fn contains(&self, local: DateTime, holidays: &Holidays) -> bool {
        self.beginning_of(local, holidays).is_some()
    }

    /// When the stretch that `local` lies in is over.
    pub fn end_of(&self, local: DateTime, holidays: &Holidays) -> Option<DateTime> {
        let begun = self.beginning_of(local, holidays)?;
        let last_day = if self.runs_over_midnight() {
            begun.tomorrow().ok()?
        } else {
            begun
        };
        Some(last_day.to_datetime(self.to))
    }

    /// The window as a diner reads it: `Mon–Fri 14:00–17:00`.
    pub fn in_words(&self, language: Language) -> String {
        let mut words = match self.days.as_slice() {
            // Every day, where it is about holidays alone.
            days if self.holidays == OnHolidays::Only && days.len() == Day::ALL.len() => Vec::new(),
            [first, .., last] if self.is_unbroken() => {
                vec![format!("{}–{}", first.name(language), last.name(language))]
            }
            days => days
                .iter()
                .map(|day| day.name(language).to_owned())
                .collect(),
        };
        words.extend(self.dates.iter().map(Date::to_string));
        words.extend(self.holidays.name(language).map(str::to_owned));
        words.push(format!("{}–{}", clock(self.from), clock(self.to)));
        words.join(" ")
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
    fn beginning_of(&self, local: DateTime, holidays: &Holidays) -> Option<Date> {
        let (today, now) = (local.date(), local.time());
        let is_on = |day| self.is_on(day, holidays);
        if self.runs_over_midnight() {
            if now >= self.from && is_on(today) {
                return Some(today);
            }
            let yesterday = today.yesterday().ok()?;
            (now < self.to && is_on(yesterday)).then_some(yesterday)
        } else {
            (self.from <= now && now < self.to && is_on(today)).then_some(today)
        }
    }

    fn runs_over_midnight(&self) -> bool {
        self.to <= self.from
    }

    fn is_on(&self, day: Date, holidays: &Holidays) -> bool {
        let weekday = holidays.weekday(day);
        let is_listed =
            self.dates.contains(&day) || self.days.iter().any(|listed| listed.weekday() == weekday);
        is_listed
            && match self.holidays {
                OnHolidays::AsUsual => true,
                OnHolidays::Never => !holidays.is_holiday(day),
                OnHolidays::Only => holidays.is_holiday(day),
            }
    }
}

impl OnHolidays {
    /// None where there is nothing to say.
    const fn name(self, language: Language) -> Option<&'static str> {
        match (self, language) {
            (Self::AsUsual, _) => None,
            (Self::Never, Language::Chinese) => Some("节假日除外"),
            (Self::Never, Language::TraditionalChinese) => Some("節假日除外"),
            (Self::Never, Language::English) => Some("(not on holidays)"),
            (Self::Only, Language::Chinese) => Some("节假日"),
            (Self::Only, Language::TraditionalChinese) => Some("節假日"),
            (Self::Only, Language::English) => Some("on holidays"),
        }
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
    use crate::domain::written::read_strictly;

    fn quiet_hours() -> Window {
        Window {
            days: Day::ALL[..5].into(),
            dates: Vec::new(),
            holidays: OnHolidays::AsUsual,
            from: time(14, 0, 0, 0),
            to: time(17, 0, 0, 0),
        }
    }

    fn late_friday() -> Window {
        Window {
            days: vec![Day::Fri],
            dates: Vec::new(),
            holidays: OnHolidays::AsUsual,
            from: time(22, 0, 0, 0),
            to: time(2, 0, 0, 0),
        }
    }

    #[test]
    fn a_window_takes_its_first_minute_and_not_its_last() {
        // 2026-12-01 is a Tuesday.
        let window = quiet_hours();
        assert!(!window.contains(datetime(2026, 12, 1, 13, 59, 59, 0), &Holidays::default()));
        assert!(window.contains(datetime(2026, 12, 1, 14, 0, 0, 0), &Holidays::default()));
        assert!(!window.contains(datetime(2026, 12, 1, 17, 0, 0, 0), &Holidays::default()));
        assert!(!window.contains(datetime(2026, 12, 5, 15, 0, 0, 0), &Holidays::default()));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let window = late_friday();
        let saturday_morning = datetime(2026, 12, 5, 1, 30, 0, 0);
        assert!(window.contains(saturday_morning, &Holidays::default()));
        assert_eq!(
            window.end_of(saturday_morning, &Holidays::default()),
            Some(datetime(2026, 12, 5, 2, 0, 0, 0))
        );
        assert!(!window.contains(datetime(2026, 12, 4, 1, 30, 0, 0), &Holidays::default()));
        assert!(!window.contains(datetime(2026, 12, 5, 22, 30, 0, 0), &Holidays::default()));
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

    fn spring_festival() -> Holidays {
        let file = "[[holiday]]\nname = { zh = \"春节\", en = \"Spring Festival\" }\n\
                    from = 2027-02-05\nto = 2027-02-11\n[counts_as]\n2027-02-20 = \"fri\"\n";
        read_strictly("holidays.toml", file).unwrap()
    }

    #[test]
    fn a_window_knows_holidays_single_days_and_worked_saturdays() {
        let holidays = spring_festival();
        let at = |month, day| datetime(2027, month, day, 15, 0, 0, 0);
        let mut window = quiet_hours();
        // 2027-02-09 is a Tuesday.
        assert!(window.contains(at(2, 9), &holidays));
        assert!(window.contains(at(2, 20), &holidays), "a worked Saturday");
        assert!(!window.contains(at(2, 27), &holidays), "any other");
        window.holidays = OnHolidays::Never;
        assert!(!window.contains(at(2, 9), &holidays));
        assert!(window.contains(at(2, 16), &holidays));
        window.holidays = OnHolidays::Only;
        assert!(window.contains(at(2, 9), &holidays));
        assert!(!window.contains(at(2, 16), &holidays));
        window.holidays = OnHolidays::AsUsual;
        window.dates = vec![date(2027, 2, 27)];
        assert!(window.contains(at(2, 27), &holidays));
    }

    #[test]
    fn a_window_says_when_it_is_and_one_without_a_day_is_refused() {
        let read = |days: &str| {
            let text = format!("{days}\nfrom = \"11:00\"\nto = \"14:00\"\n");
            read_strictly::<Window>("window", &text)
        };
        let words = |days| read(days).unwrap().in_words(Language::English);
        assert_eq!(words("holidays = \"only\""), "on holidays 11:00–14:00");
        assert_eq!(
            words("days = [\"sat\", \"sun\"]\nholidays = \"never\""),
            "Sat Sun (not on holidays) 11:00–14:00"
        );
        assert_eq!(
            words("dates = [2026-12-24, \"2026-12-25\"]"),
            "2026-12-24 2026-12-25 11:00–14:00"
        );
        let bad = read("").unwrap_err();
        assert!(bad.fault.contains("a window names its `days`"), "{bad}");
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
        /// Every minute of a day lies inside a window exactly as the clock on the wall says, whatever summer and
        /// winter times, midnights, week's ends and holidays do.
        #[test]
        fn a_window_is_open_between_its_hours_on_its_days(
            days in prop::collection::vec(0_usize..7, 1..7),
            (from, to) in (0_i8..24, 0_i8..24),
            holidays in 0_usize..3,
            hour in 0_i64..24 * 60,
        ) {
            let known = spring_festival();
            let window = Window {
                days: days.into_iter().map(|day| Day::ALL[day]).collect(),
                dates: Vec::new(),
                holidays: [OnHolidays::AsUsual, OnHolidays::Never, OnHolidays::Only][holidays],
                from: time(from, 0, 0, 0),
                to: time(to, 0, 0, 0),
            };
            let local = datetime(2027, 1, 25, 0, 30, 0, 0) + hour.hours();
            // Said once more, by hours that have passed since a day began.
            let is_day = |day: Date| {
                let weekday = if day == date(2027, 2, 20) { Weekday::Friday } else { day.weekday() };
                let is_holiday = date(2027, 2, 5) <= day && day <= date(2027, 2, 11);
                window.days.iter().any(|listed| listed.weekday() == weekday)
                    && [true, !is_holiday, is_holiday][holidays]
            };
            let lasts = (to - from).rem_euclid(24);
            let lasts = if lasts == 0 { 24 } else { lasts };
            let is_inside = |day: Date, passed: i8| {
                is_day(day) && from <= passed && passed < from + lasts
            };
            let (today, now) = (local.date(), local.hour());
            let expected = is_inside(today, now) || is_inside(today.yesterday().unwrap(), now + 24);
            prop_assert_eq!(window.contains(local, &known), expected);
        }

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
                if let Some(end) = window.end_of(local, &Holidays::default()) {
                    prop_assert!(local < end && end <= local + 4.hours());
                    prop_assert!(!window.contains(end, &Holidays::default()));
                }
            }
        }
    }
}
