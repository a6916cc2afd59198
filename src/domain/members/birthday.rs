//! A guest's birthday: a month and a day, and never a year, which would be an age.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::ids::Vid;

/// A year that has the 29th of February.
const LEAP_YEAR: i16 = 2000;

/// A day of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Birthday {
    month: i8,
    day: i8,
}

/// Why what was typed is no birthday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBirthday {
    #[error("a birthday is a month and a day, without the year")]
    HasYear,
    #[error("a birthday is a month and a day, as 08-15")]
    NoDay,
}

/// A guest told their birthday for the purpose they were shown, or took it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BirthdayTold {
    pub vid: Vid,
    /// None: taken back.
    #[serde(rename = "day", default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Birthday>,
    /// The first 8 bytes of the SHA-256 of the words that said what it is for, in hexadecimal.
    #[serde(rename = "h")]
    pub words_hash: String,
}

impl Birthday {
    /// Reads a birthday as people type it: `8-15`, `08/15`, `0815`, `8月15日`.
    pub fn parse(text: &str) -> Result<Self, BadBirthday> {
        let is_number = |part: &&str| !part.is_empty();
        let parts: Vec<&str> = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(is_number)
            .collect();
        let (month, day) = match parts.as_slice() {
            [month, day] if month.len() <= 2 && day.len() <= 2 => (*month, *day),
            [both] if both.len() == 4 && is_day(&both[..2], &both[2..]) => both.split_at(2),
            [_, _, _] | [_, _] => return Err(BadBirthday::HasYear),
            [all] if all.len() >= 4 => return Err(BadBirthday::HasYear),
            _ => return Err(BadBirthday::NoDay),
        };
        read(month, day).ok_or(BadBirthday::NoDay)
    }

    pub const fn month(self) -> i8 {
        self.month
    }
}

fn is_day(month: &str, day: &str) -> bool {
    read(month, day).is_some()
}

fn read(month: &str, day: &str) -> Option<Birthday> {
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    Date::new(LEAP_YEAR, month, day).ok()?;
    Some(Birthday { month, day })
}

impl fmt::Display for Birthday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl TryFrom<String> for Birthday {
    type Error = BadBirthday;

    fn try_from(text: String) -> Result<Self, BadBirthday> {
        Self::parse(&text)
    }
}

impl From<Birthday> for String {
    fn from(birthday: Birthday) -> Self {
        birthday.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_is_read_as_people_type_it_and_a_year_is_refused() {
        for typed in ["8-15", "08/15", "0815", "8月15日", " 08 . 15 "] {
            let read = Birthday::parse(typed).map(|birthday| birthday.to_string());
            assert_eq!(read.as_deref(), Ok("08-15"), "{typed}");
        }
        for typed in [
            "1990-08-15",
            "15.8.1990",
            "19900815",
            "1990",
            "8-1990",
            "90-8-15",
        ] {
            assert_eq!(Birthday::parse(typed), Err(BadBirthday::HasYear), "{typed}");
        }
        for typed in ["", "August", "13-1", "2-30", "0-5", "8", "815"] {
            assert_eq!(Birthday::parse(typed), Err(BadBirthday::NoDay), "{typed}");
        }
        assert!(Birthday::parse("2-29").is_ok(), "every fourth year");
    }
}
