//! The days that are not like their weekday: `holidays.toml` of a chain.
//!
//! Public holidays come with their dates, because no rule gives them (China's State Council names them each
//! November); and weekend days that are worked in exchange count as the weekday that they replace.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::Day;
use crate::domain::text::Text;
use crate::domain::written::date;

/// A holidays file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holidays {
    #[serde(rename = "holiday", skip_serializing_if = "Vec::is_empty")]
    holidays: Vec<Holiday>,
    /// Days that count as another weekday than theirs, by date.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counts_as: BTreeMap<Date, Day>,
}

/// One holiday of one day or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "HolidayAsWritten")]
struct Holiday {
    name: Text,
    from: Date,
    /// The last day.
    to: Date,
}

/// A `[[holiday]]` table before it is known to make sense.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidayAsWritten {
    name: Text,
    #[serde(with = "date")]
    from: Date,
    #[serde(default, deserialize_with = "date::optional")]
    to: Option<Date>,
}

impl TryFrom<HolidayAsWritten> for Holiday {
    type Error = &'static str;

    fn try_from(written: HolidayAsWritten) -> Result<Self, Self::Error> {
        let HolidayAsWritten { name, from, to } = written;
        let to = to.unwrap_or(from);
        if to < from {
            return Err("a holiday's last day, `to`, is not before its first, `from`");
        }
        Ok(Self { name, from, to })
    }
}

impl Holidays {
    pub fn is_holiday(&self, day: Date) -> bool {
        self.name_of(day).is_some()
    }

    /// What the holiday is called.
    pub fn name_of(&self, day: Date) -> Option<&Text> {
        let holiday = self
            .holidays
            .iter()
            .find(|holiday| holiday.from <= day && day <= holiday.to)?;
        Some(&holiday.name)
    }

    /// The weekday that a day counts as.
    pub(super) fn weekday(&self, day: Date) -> Weekday {
        let counts_as = self.counts_as.get(&day);
        counts_as.map_or(day.weekday(), |day| day.weekday())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day_of;

    use super::*;
    use crate::domain::written::read_strictly;

    const FILE: &str = r#"
[[holiday]]
name = { zh = "元旦", en = "New Year's Day" }
from = 2027-01-01
[[holiday]]
name = { zh = "春节", en = "Spring Festival" }
from = 2027-02-05
to = 2027-02-11
[counts_as]
2027-02-20 = "fri"
"#;

    #[test]
    fn a_holiday_lasts_to_its_last_day_and_a_worked_saturday_is_a_friday() {
        let holidays: Holidays = read_strictly("holidays.toml", FILE).unwrap();
        let is = |month, day| holidays.is_holiday(day_of(2027, month, day));
        assert!(is(1, 1) && !is(1, 2));
        assert!(!is(2, 4) && is(2, 5) && is(2, 11) && !is(2, 12));
        assert_eq!(holidays.weekday(day_of(2027, 2, 20)), Weekday::Friday);
        assert_eq!(holidays.weekday(day_of(2027, 2, 21)), Weekday::Sunday);
        let name = holidays.name_of(day_of(2027, 2, 6)).unwrap();
        assert_eq!(name.en, "Spring Festival");
    }

    #[test]
    fn a_holiday_that_ends_before_it_begins_is_refused() {
        let file = FILE.replace("to = 2027-02-11", "to = 2027-02-04");
        let bad = read_strictly::<Holidays>("holidays.toml", &file).unwrap_err();
        assert!(bad.fault.contains("is not before its first"), "{bad}");
    }

    const CHINA: &str = include_str!("../../../deploy/hq/holidays.toml");

    /// The days of the file's table by the moon: their month and day of the Chinese calendar, and their dates.
    fn by_the_moon() -> Vec<((u8, u8), Vec<Date>)> {
        let rows = CHINA.lines().filter_map(|line| {
            let mut words = line.strip_prefix("# ")?.split_whitespace();
            let (month, day) = words.next()?.split_once('-')?;
            let lunar = (month.parse().ok()?, day.parse().ok()?);
            let dates: Vec<Date> = words.filter_map(|word| word.parse().ok()).collect();
            (!dates.is_empty()).then_some((lunar, dates))
        });
        rows.collect()
    }

    /// The month and day of the Chinese calendar; none in a month that is put in between.
    fn lunar(day: Date) -> Option<(u8, u8)> {
        use icu_calendar::cal::ChineseTraditional;

        let (month, date) = (day.month().try_into().ok()?, day.day().try_into().ok()?);
        let day = icu_calendar::Date::try_new_iso(day.year().into(), month, date).ok()?;
        let day = day.to_calendar(ChineseTraditional::new());
        let month = day.month().to_input();
        (!month.is_leap()).then(|| (month.number(), day.day_of_month().0))
    }

    #[test]
    fn chinas_days_by_the_moon_are_those_of_the_calendar_and_all_but_qixi_are_holidays() {
        let holidays: Holidays = read_strictly("holidays.toml", CHINA).unwrap();
        let table = by_the_moon();
        let known: Vec<_> = table.iter().map(|(lunar, _)| *lunar).collect();
        assert_eq!(known, [(1, 1), (5, 5), (7, 7), (8, 15)]);
        for (day, dates) in table {
            let years: Vec<i16> = dates.iter().map(|date| date.year()).collect();
            assert_eq!(years, [2026, 2027, 2028]);
            for date in dates {
                assert_eq!(lunar(date), Some(day), "{date}");
                assert_eq!(holidays.is_holiday(date), day != (7, 7), "{date}");
            }
        }
        assert_eq!(
            lunar(day_of(2027, 2, 7)),
            Some((1, 2)),
            "as the Observatory has it"
        );
    }

    #[test]
    fn of_years_without_a_decree_the_file_claims_the_moons_days_alone() {
        let holidays: Holidays = read_strictly("holidays.toml", CHINA).unwrap();
        let claimed = |year| {
            let days = day_of(year, 1, 1).series(jiff::ToSpan::day(1));
            let days = days.take_while(|day| day.year() == year);
            days.filter(|day| holidays.is_holiday(*day)).count()
        };
        // Of the notice of 2025-11-04: 3 + 9 + 3 + 5 + 3 + 3 + 7.
        assert_eq!([2026, 2027, 2028].map(claimed), [33, 3, 3]);
        let worked = holidays.counts_as.keys();
        let worked: Vec<String> = worked.map(ToString::to_string).collect();
        let decreed = "2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10";
        assert_eq!(worked.join(" "), decreed);
    }
}
