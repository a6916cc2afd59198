//! What a party was and paid, as staff type it or a point of sale sends it: read once, at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many sat at the table: 1 to 99. A banquet of a hundred is several tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Party(u8);

/// What was paid, in fen: more than nothing, and less than 100,000 yuan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Fen(u32);

/// The number that the point of sale gave a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BillNumber(String);

/// It cannot be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBill {
    #[error("a party is 1 to 99 people")]
    Party,
    #[error("a bill is more than 0 and less than 10,000,000 fen")]
    Amount,
    #[error("a bill number is 1 to 32 letters, digits or any of . _ / -")]
    Number,
}

impl Party {
    pub const MOST: u8 = 99;

    pub fn parse(text: &str) -> Result<Self, BadBill> {
        let number = text.trim().parse::<u8>().map_err(|_| BadBill::Party)?;
        Self::try_from(number)
    }

    pub const fn people(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Party {
    type Error = BadBill;

    fn try_from(number: u8) -> Result<Self, BadBill> {
        match number {
            1..=Self::MOST => Ok(Self(number)),
            _ => Err(BadBill::Party),
        }
    }
}

impl From<Party> for u8 {
    fn from(Party(number): Party) -> Self {
        number
    }
}

impl Fen {
    /// Reads yuan as people type them: `128`, `128.5`, `¥128.50`.
    pub fn parse_yuan(text: &str) -> Result<Self, BadBill> {
        let text = text.trim().trim_start_matches(['¥', '￥']).trim_start();
        let (yuan, rest) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        if !is_plain(yuan) || !is_plain(rest) || rest.len() > 2 || yuan.len() > 5 {
            return Err(BadBill::Amount);
        }
        let fen = format!("{yuan}{rest:0<2}");
        Self::try_from(fen.parse::<u32>().map_err(|_| BadBill::Amount)?)
    }

    pub const fn fen(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Fen {
    type Error = BadBill;

    fn try_from(fen: u32) -> Result<Self, BadBill> {
        match fen {
            1..10_000_000 => Ok(Self(fen)),
            _ => Err(BadBill::Amount),
        }
    }
}

impl From<Fen> for u32 {
    fn from(Fen(fen): Fen) -> Self {
        fen
    }
}

/// Fen as yuan: `128.50`.
pub fn in_yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

impl BillNumber {
    pub fn parse(text: &str) -> Result<Self, BadBill> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._/-".contains(&b);
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadBill::Number)
        }
    }
}

impl TryFrom<String> for BillNumber {
    type Error = BadBill;

    fn try_from(text: String) -> Result<Self, BadBill> {
        Self::parse(&text)
    }
}

impl From<BillNumber> for String {
    fn from(BillNumber(text): BillNumber) -> Self {
        text
    }
}

impl fmt::Display for BillNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_party_of_nobody_or_of_thousands_is_none() {
        for text in ["0", "-3", "100", "4000", "abc", "", "2.5"] {
            assert_eq!(Party::parse(text), Err(BadBill::Party), "{text}");
        }
        assert_eq!(Party::parse(" 8 ").map(Party::people), Ok(8));
    }

    #[test]
    fn yuan_are_read_as_people_type_them() {
        for (text, fen) in [
            ("128", 12_800),
            ("128.5", 12_850),
            ("¥128.50", 12_850),
            ("￥ 0.01", 1),
            (".5", 50),
            ("99999.99", 9_999_999),
        ] {
            assert_eq!(Fen::parse_yuan(text).map(Fen::fen), Ok(fen), "{text}");
        }
        for text in [
            "", ".", "0", "0.00", "-3", "abc", "1.234", "100000", "1e3", "1,5",
        ] {
            assert_eq!(Fen::parse_yuan(text), Err(BadBill::Amount), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(fen in 1_u32..10_000_000) {
            let read = Fen::parse_yuan(&in_yuan(u64::from(fen)));
            prop_assert_eq!(read.map(Fen::fen), Ok(fen));
        }
    }
}
