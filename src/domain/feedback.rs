//! What a guest asks of the shop and says to it, as checked values: a call, a rating, words.
//!
//! Words are shown to the shop's staff and to headquarters, so they are not sealed as a typed phone number is.
//! Therefore they must not hold one: [`Words`] refuses what looks like a way to reach somebody.

pub mod inbox;

use serde::{Deserialize, Serialize};

/// The most that a guest can write, in the units that a browser counts: a form of that many Chinese characters
/// stays below the portal's 4 KiB, and the event below the 1,497 bytes of a small box's frame.
pub const MOST_WORDS: usize = 400;

/// With this many digits in a row, dashes and spaces aside, it may be a phone number.
const DIGITS_OF_A_PHONE: usize = 7;

/// What a guest at a table wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Waiter,
    Bill,
    Water,
}

impl Call {
    pub const ALL: [Self; 3] = [Self::Waiter, Self::Bill, Self::Water];

    /// As forms and events have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiter => "waiter",
            Self::Bill => "bill",
            Self::Water => "water",
        }
    }
}

/// How a guest liked it: 1 is the worst, 5 the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Rating(u8);

impl Rating {
    pub const BEST: u8 = 5;

    pub const fn stars(self) -> u8 {
        self.0
    }

    /// Somebody should go to the table now.
    pub const fn is_bad(self) -> bool {
        self.0 <= 2
    }
}

/// A rating that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rating is a number from 1 to 5")]
pub struct BadRating;

impl TryFrom<u8> for Rating {
    type Error = BadRating;

    fn try_from(stars: u8) -> Result<Self, BadRating> {
        (1..=Self::BEST)
            .contains(&stars)
            .then_some(Self(stars))
            .ok_or(BadRating)
    }
}

impl From<Rating> for u8 {
    fn from(rating: Rating) -> Self {
        rating.0
    }
}

/// A few sentences without a way to reach anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "String")]
pub struct Words(String);

/// Words as a frame or a checkpoint has them.
#[derive(Deserialize)]
struct Kept(String);

/// Why words are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWords {
    #[error("more than {MOST_WORDS} characters")]
    TooLong,
    #[error("it holds what looks like a phone number or an e-mail address")]
    TellsHowToReach,
    #[error("there are no words")]
    Empty,
}

impl Words {
    /// Takes what was typed; none where nothing was.
    ///
    /// Only here is it asked whether it tells how to reach somebody: what is kept already stays readable when
    /// that question gets stricter.
    pub fn typed(text: &str) -> Result<Option<Self>, BadWords> {
        let words = match Self::try_from(Kept(text.to_owned())) {
            Ok(words) => words,
            Err(BadWords::Empty) => return Ok(None),
            Err(bad) => return Err(bad),
        };
        if tells_how_to_reach(&words.0) {
            return Err(BadWords::TellsHowToReach);
        }
        Ok(Some(words))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Kept> for Words {
    type Error = BadWords;

    fn try_from(Kept(text): Kept) -> Result<Self, BadWords> {
        // Browsers end a line with two characters, and others would be six each in a frame.
        let clean: String = text
            .chars()
            .filter(|c| *c == '\n' || !c.is_control())
            .collect();
        let clean = clean.trim();
        if clean.is_empty() {
            return Err(BadWords::Empty);
        }
        if clean.encode_utf16().count() > MOST_WORDS {
            return Err(BadWords::TooLong);
        }
        Ok(Self(clean.to_owned()))
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0
    }
}

/// Whether a text holds what looks like a phone number or an e-mail address.
pub(super) fn tells_how_to_reach(text: &str) -> bool {
    has_number(text) || has_address(text)
}

fn has_number(text: &str) -> bool {
    let mut digits = 0;
    for c in text.chars() {
        match c {
            '0'..='9' | '０'..='９' => digits += 1,
            ' ' | '-' | '.' | '(' | ')' | '+' | '/' | '_' | '·' | '—' | '－' | '\u{3000}' => {}
            _ => digits = 0,
        }
        if digits >= DIGITS_OF_A_PHONE {
            return true;
        }
    }
    false
}

fn has_address(text: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.match_indices('@').any(|(at, _)| {
        let (name, host) = (&text[..at], &text[at + 1..]);
        is_part(name.chars().last()) && is_part(host.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_a_way_to_reach_anybody_are_taken_as_they_were_meant() {
        for (typed, taken) in [
            ("  好吃！ \r\n再来  ", "好吃！ \n再来"),
            ("Waited 25 minutes, table 12", "Waited 25 minutes, table 12"),
            ("18:30, 3 people, 128.50", "18:30, 3 people, 128.50"),
            ("see you @ the bar", "see you @ the bar"),
        ] {
            let words = Words::typed(typed).unwrap().unwrap();
            assert_eq!(words.as_str(), taken);
        }
        assert_eq!(Words::typed(" \r\n "), Ok(None));
    }

    #[test]
    fn what_looks_like_a_phone_number_or_an_address_is_refused() {
        for typed in [
            "call 13800138000",
            "138 0013 8000 please",
            "(0755) 8660-1234",
            "１３８００１３８０００",
            "lin@example.cn",
            "see you @ the bar, or write to lin@example.cn",
        ] {
            let refused = Words::typed(typed).unwrap_err();
            assert_eq!(refused, BadWords::TellsHowToReach, "{typed}");
        }
    }

    #[test]
    fn the_longest_words_of_any_script_fit_the_frame_of_a_small_box() {
        for (character, most) in [
            ("好", MOST_WORDS),
            ("\"", MOST_WORDS),
            ("🍜", MOST_WORDS / 2),
        ] {
            let words = Words::typed(&character.repeat(most)).unwrap().unwrap();
            let written = serde_json::to_string(&words).unwrap();
            // 1,497 less what stands around them in an answer of somebody with the longest name.
            assert!(written.len() <= 1_497 - 290, "{}", written.len());
            let longer = character.repeat(most + 1);
            assert_eq!(Words::typed(&longer), Err(BadWords::TooLong));
        }
    }

    #[test]
    fn a_rating_is_one_to_five() {
        assert!(Rating::try_from(0).is_err() && Rating::try_from(6).is_err());
        let bad = |stars| Rating::try_from(stars).unwrap().is_bad();
        assert_eq!([1, 2, 3, 4, 5].map(bad), [true, true, false, false, false]);
    }
}
