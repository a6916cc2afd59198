//! How a shop shows itself on its pages: a colour, a picture, who invites, and how guests are greeted.
//!
//! Whatever is in here has been checked: a colour cannot leave its style sheet, the words on it can be read,
//! a greeting fits a small phone, and a [`Logo`] is small, still, and cannot do anything.

use serde::{Deserialize, Serialize};

use super::Logo;
use crate::domain::text::Text;

/// The `[brand]` table of a `store.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brand {
    /// The colour of the button, `#rrggbb`.
    pub colour: Colour,
    /// Who invites: "the manager adds a dish for you" carries this name.
    pub manager: Option<Text>,
    /// The first words of the page.
    pub greeting: Option<Greeting>,
    /// The store's, or else the chain's, which stand in files of their own.
    #[serde(skip)]
    pub logo: Option<Logo>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            // A dark red that keeps 4.5 : 1 against the white words on it (WCAG 2.2, 1.4.3): 7.4 : 1.
            colour: Colour("#a3231f".to_owned()),
            manager: None,
            greeting: None,
            logo: None,
        }
    }
}

/// `#rrggbb` and nothing else: the only text of a brand that lands inside a style sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(String);

/// The words on something in a brand's colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    White,
    Black,
}

impl Colour {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What can be read on it. The better of the two always keeps 4.5 : 1 (WCAG 2.2, 1.4.3).
    pub fn ink(&self) -> Ink {
        // Where black and white stand out alike: (1 + 0.05) / (L + 0.05) = (L + 0.05) / 0.05.
        const AS_DARK_AS_LIGHT: f32 = 0.179;
        if self.luminance() > AS_DARK_AS_LIGHT {
            Ink::Black
        } else {
            Ink::White
        }
    }

    /// The relative luminance, 0 for black to 1 for white (WCAG 2.2).
    fn luminance(&self) -> f32 {
        let part = |place: usize| {
            let digits = self.0.get(place..place + 2).unwrap_or_default();
            let part = f32::from(u8::from_str_radix(digits, 16).unwrap_or_default()) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }
}

impl Ink {
    pub const fn colour(self) -> &'static str {
        match self {
            Self::White => "#fff",
            Self::Black => "#000",
        }
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is not a colour such as #a3231f"))
        }
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.0
    }
}

/// A line of welcome that a small phone shows above the fold with the offer below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Greeting(Text);

/// Two lines of Chinese on 360 px, and three of English.
const MOST_CHARACTERS: usize = 80;

impl Greeting {
    pub const fn text(&self) -> &Text {
        &self.0
    }
}

impl TryFrom<Text> for Greeting {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let Text { zh, zh_hant, en } = &text;
        for words in [Some(zh), zh_hant.as_ref(), Some(en)].into_iter().flatten() {
            let characters = words.chars().count();
            if characters == 0 || characters > MOST_CHARACTERS {
                return Err(format!(
                    "a greeting has 1 to {MOST_CHARACTERS} characters, and this one has {characters}: `{words}`"
                ));
            }
        }
        Ok(Self(text))
    }
}

impl From<Greeting> for Text {
    fn from(greeting: Greeting) -> Self {
        greeting.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::written::read_strictly;

    #[test]
    fn a_brand_colour_cannot_break_out_of_its_style_sheet() {
        assert!(Colour::try_from("#a3231f".to_owned()).is_ok());
        for bad in ["red", "#a3231", "#a3231f;}", "a3231f", "#a3é31"] {
            assert!(Colour::try_from(bad.to_owned()).is_err(), "{bad} was taken");
        }
    }

    proptest! {
        #[test]
        fn the_words_on_a_button_of_any_colour_can_be_read(colour in "#[0-9a-f]{6}") {
            let colour = Colour::try_from(colour).unwrap();
            let (lighter, darker) = match colour.ink() {
                Ink::White => (1.0, colour.luminance()),
                Ink::Black => (colour.luminance(), 0.0),
            };
            prop_assert!((lighter + 0.05) / (darker + 0.05) >= 4.5);
        }
    }

    #[test]
    fn a_bright_button_has_black_words_and_a_dark_one_white() {
        let ink = |colour: &str| Colour::try_from(colour.to_owned()).unwrap().ink();
        assert_eq!(ink("#ffd400"), Ink::Black);
        assert_eq!(ink("#a3231f"), Ink::White);
    }

    #[test]
    fn a_greeting_that_would_push_the_offer_off_the_screen_is_named() {
        let fine = "greeting = { zh = \"今天也辛苦了\", en = \"Have a seat\" }";
        let brand: Brand = read_strictly("store.toml", fine).unwrap();
        assert_eq!(brand.greeting.unwrap().text().en, "Have a seat");
        for bad in [
            fine.replace("Have a seat", ""),
            fine.replace("Have a seat", &"Welcome! ".repeat(10)),
            fine.replace("en =", "zh-Hant = \"\", en ="),
        ] {
            let fault = read_strictly::<Brand>("store.toml", &bad).unwrap_err();
            assert!(fault.fault.contains("1 to 80 characters"), "{fault}");
            assert_eq!(fault.key, "greeting");
        }
    }
}
