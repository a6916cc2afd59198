//! A phone number that a guest typed: checked once, then only its sealed and its masked form go on.
//!
//! A [`Phone`] lives as long as the request that brought it. It has no serde form and its debug form is masked, so
//! that neither an event nor a log can carry it; [`KeptPhone`] is what may be written down.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::sealed::Sealed;

/// A number has at least so many digits in all, and at most (E.164, 6.2.1).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// At least so many digits of a masked number cannot be read, and at most so many can, its country's aside.
const HIDDEN: usize = 4;
const SHOWN: usize = 7;

/// Where a number is from that is written without a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Country {
    #[default]
    Cn,
    Hk,
    Mo,
    Tw,
    Sg,
    De,
    /// Numbers are written with their country there.
    Other,
}

impl Country {
    const ALL: [Self; 7] = [
        Self::Cn,
        Self::Hk,
        Self::Mo,
        Self::Tw,
        Self::Sg,
        Self::De,
        Self::Other,
    ];

    /// The country code (ITU-T E.164), the digit that numbers begin with at home and not abroad, and how many
    /// digits follow where a message can be received.
    const fn plan(self) -> (&'static str, &'static str, &'static [usize]) {
        match self {
            Self::Cn => ("86", "", &[11]),
            Self::Hk => ("852", "", &[8]),
            Self::Mo => ("853", "", &[8]),
            Self::Tw => ("886", "0", &[9]),
            Self::Sg => ("65", "", &[8]),
            Self::De => ("49", "0", &[10, 11]),
            Self::Other => ("", "", &[]),
        }
    }

    /// The number abroad of what is dialled here.
    fn number(self, dialled: &str) -> Option<String> {
        let (code, trunk, _) = self.plan();
        let national = dialled.strip_prefix(trunk)?;
        self.has(national).then(|| format!("{code}{national}"))
    }

    /// Whether a mobile phone here can have `national`.
    fn has(self, national: &str) -> bool {
        let (_, _, lengths) = self.plan();
        let begins_as_it_should = match self {
            // A mobile network's range; the others are services (MIIT, numbering plan of 2017).
            Self::Cn => matches!(national.as_bytes(), [b'1', b'3'..=b'9', ..]),
            Self::Tw => national.starts_with('9'),
            Self::De => national.starts_with('1'),
            Self::Hk | Self::Mo | Self::Sg => !national.starts_with(['0', '1']),
            Self::Other => false,
        };
        lengths.contains(&national.len()) && begins_as_it_should
    }

    /// Where a number with its country is from, as far as we know, and the rest of it.
    fn of(number: &str) -> Option<(Self, &str)> {
        let known = Self::ALL
            .into_iter()
            .filter(|country| *country != Self::Other);
        known
            .filter_map(|country| Some((country, number.strip_prefix(country.plan().0)?)))
            .next()
    }
}

/// A number in the international form, `+8613812345678`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

/// Why what was typed is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPhone {
    #[error("a phone number has digits only")]
    NotDigits,
    #[error(
        "that is no mobile number of this country\nhint: one of another country begins with + and its code, such as +49"
    )]
    NotOfHere,
    #[error("there is no such number with that country code")]
    NotOfThere,
}

impl Phone {
    /// Takes what was typed in a shop of `here`; none where nothing was.
    pub fn typed(text: &str, here: Country) -> Result<Option<Self>, BadPhone> {
        let plain = plain(text)?;
        if plain.is_empty() {
            return Ok(None);
        }
        let abroad = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00"));
        let number = match abroad {
            Some(number) => number.to_owned(),
            None => here
                .number(&plain)
                // With the code and without the plus, as contacts often have it.
                .or_else(|| is_whole(here, &plain).then(|| plain.clone()))
                .ok_or(BadPhone::NotOfHere)?,
        };
        let is_right = DIGITS.contains(&number.len())
            && !number.starts_with('0')
            && Country::of(&number).is_none_or(|(country, national)| country.has(national));
        if is_right {
            Ok(Some(Self(format!("+{number}"))))
        } else {
            Err(BadPhone::NotOfThere)
        }
    }

    /// For sealing, and for nothing else.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As pages show it afterwards: `138****5678` of China, others with their code.
    pub fn masked(&self) -> Masked {
        let number = &self.0[1..];
        let (before, national) = match Country::of(number) {
            Some((Country::Cn, national)) => (String::new(), national),
            Some((country, national)) => (format!("+{} ", country.plan().0), national),
            None => ("+".to_owned(), number),
        };
        let shown = SHOWN.min(national.len() - HIDDEN);
        let (first, rest) = national.split_at(shown * 3 / 7);
        let last = &rest[rest.len() - (shown - first.len())..];
        Masked(format!("{before}{first}****{last}"))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Phone").field(&self.masked().0).finish()
    }
}

/// Whether `digits` are a number of `here` with its code.
fn is_whole(here: Country, digits: &str) -> bool {
    digits
        .strip_prefix(here.plan().0)
        .is_some_and(|national| here.has(national))
}

/// The digits of what was typed, also of those that a Chinese keyboard makes, behind a plus where it has one.
fn plain(text: &str) -> Result<String, BadPhone> {
    // "+49 (0)171": dialled at home or abroad, and never both.
    let text = text.trim().replace("(0)", "").replace("（0）", "");
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' => plain.push(c),
            '０'..='９' => {
                plain.push(char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c));
            }
            '+' | '＋' if plain.is_empty() => plain.push('+'),
            ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{3000}' | '（' | '）' | '－'
            | '–' => {}
            _ => return Err(BadPhone::NotDigits),
        }
        if plain.len() > DIGITS.end() + 2 {
            return Err(BadPhone::NotOfThere);
        }
    }
    Ok(plain)
}

/// A number with its middle hidden: enough for its owner to know it by, too little to call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Masked(String);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Masked {
    type Error = &'static str;

    /// Refuses what is not masked, so that no readable number gets into an event by this way.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (first, last) = text.split_once("****").unwrap_or_default();
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let first_digits = first.trim_start_matches('+').replacen(' ', "", 1);
        // Three of a country's code, and three of the number.
        if first_digits.len() <= 6
            && (3..=4).contains(&last.len())
            && are_digits(&first_digits)
            && are_digits(last)
        {
            Ok(Self(text))
        } else {
            Err("a masked number has **** in its middle")
        }
    }
}

impl From<Masked> for String {
    fn from(masked: Masked) -> Self {
        masked.0
    }
}

/// What a box keeps of a number: headquarters can read the one, the shop's pages show the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPhone {
    pub sealed: Sealed,
    pub masked: Masked,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(text: &str, here: Country) -> Result<String, BadPhone> {
        let phone = Phone::typed(text, here)?.expect("something was typed");
        Ok(phone.0)
    }

    #[test]
    fn a_number_is_taken_however_it_is_written() {
        let (cn, de, hk, tw) = (Country::Cn, Country::De, Country::Hk, Country::Tw);
        for (text, here, number) in [
            ("13812345678", cn, "+8613812345678"),
            (" 138 1234-5678 ", cn, "+8613812345678"),
            ("１３８１２３４５６７８", cn, "+8613812345678"),
            ("+86 138 1234 5678", cn, "+8613812345678"),
            ("＋86 138 1234 5678", de, "+8613812345678"),
            ("8613812345678", cn, "+8613812345678"),
            ("0086 138 1234 5678", hk, "+8613812345678"),
            ("0171 2345678", de, "+491712345678"),
            ("+49 (0)171 2345678", cn, "+491712345678"),
            ("9123 4567", hk, "+85291234567"),
            ("0912-345-678", tw, "+886912345678"),
            ("+44 7700 900123", cn, "+447700900123"),
            ("+1 (202) 555-0143", Country::Other, "+12025550143"),
        ] {
            assert_eq!(typed(text, here).as_deref(), Ok(number), "{text}");
        }
        assert_eq!(Phone::typed(" ", cn), Ok(None));
        assert_eq!(Phone::typed("", cn), Ok(None));
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        let (cn, de) = (Country::Cn, Country::De);
        for (text, here, why) in [
            ("138123456ab", cn, BadPhone::NotDigits),
            ("lin@example.cn", cn, BadPhone::NotDigits),
            ("138+12345678", cn, BadPhone::NotDigits),
            ("1381234567", cn, BadPhone::NotOfHere),
            ("138123456789", cn, BadPhone::NotOfHere),
            ("12012345678", cn, BadPhone::NotOfHere),
            ("0755 8660 1234", cn, BadPhone::NotOfHere),
            ("0171 2345678", cn, BadPhone::NotOfHere),
            ("13812345678", Country::Other, BadPhone::NotOfHere),
            ("138 1234 5678", de, BadPhone::NotOfHere),
            ("+86 755 8660 1234", cn, BadPhone::NotOfThere),
            ("+86 1381234567", cn, BadPhone::NotOfThere),
            ("+", cn, BadPhone::NotOfThere),
            ("+49", cn, BadPhone::NotOfThere),
            ("+0138 12345678", cn, BadPhone::NotOfThere),
            ("+1234567890123456", cn, BadPhone::NotOfThere),
            ("1381234567813812345678", cn, BadPhone::NotOfThere),
        ] {
            assert_eq!(typed(text, here), Err(why), "{text}");
        }
    }

    #[test]
    fn pages_show_the_two_ends_of_a_number() {
        for (text, masked) in [
            ("13812345678", "138****5678"),
            ("+85291234567", "+852 9****567"),
            ("+491712345678", "+49 17****5678"),
            ("+447700900123", "+447****0123"),
        ] {
            let phone = Phone::typed(text, Country::Cn).unwrap().unwrap();
            assert_eq!(phone.masked().to_string(), masked);
            assert!(!format!("{phone:?}").contains(&text[1..]));
            let written = serde_json::to_string(&phone.masked()).unwrap();
            let read: Masked = serde_json::from_str(&written).unwrap();
            assert_eq!(read, phone.masked());
        }
    }

    #[test]
    fn a_readable_number_is_no_masked_one() {
        for text in [
            "13812345678",
            "",
            "138****5678****",
            "13812345678****",
            "****13812345678",
            "138****12345678",
            "<b>****123",
        ] {
            assert!(Masked::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_a_number_is_whole_and_its_mask_hides_four(text in "\\PC{0,24}|[+0-9 -]{6,20}") {
            if let Ok(Some(phone)) = Phone::typed(&text, Country::Cn) {
                let digits = phone.as_str().strip_prefix('+').unwrap();
                prop_assert!(DIGITS.contains(&digits.len()));
                prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
                let masked = String::from(phone.masked());
                prop_assert!(masked.bytes().filter(u8::is_ascii_digit).count() + HIDDEN <= digits.len());
                prop_assert!(Masked::try_from(masked).is_ok());
            }
        }
    }
}
