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
}
