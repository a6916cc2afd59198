//! Words a shop writes for people, in the languages its pages speak.
//!
//! Chinese comes in two scripts. A shop has to write the first one and English; where it did not write
//! traditional characters, their readers get its simplified ones, never a machine's conversion.

use serde::{Deserialize, Serialize};

/// A language a page can be shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    /// In simplified characters.
    #[default]
    #[serde(rename = "zh-CN")]
    Chinese,
    /// In traditional characters, as in Hong Kong and Taiwan.
    #[serde(rename = "zh-Hant")]
    TraditionalChinese,
    #[serde(rename = "en")]
    English,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Chinese, Self::TraditionalChinese, Self::English];

    /// The BCP 47 tag, as in `<html lang>`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::TraditionalChinese => "zh-Hant",
            Self::English => "en",
        }
    }

    /// What its own readers call it, as on the link that leads to it.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Chinese => "简体中文",
            Self::TraditionalChinese => "繁體中文",
            Self::English => "English",
        }
    }

    /// Reads a tag such as `zh`, `zh-Hans-CN`, `zh-HK`, `yue` or `en-GB`: by its primary language, and Chinese
    /// by its script, or else by what is written where it is spoken (RFC 5646, 2.2.3 and 2.2.4).
    pub fn from_tag(tag: &str) -> Option<Self> {
        let mut subtags = tag.trim().split(['-', '_']);
        let primary = subtags.next()?;
        let is = |name: &str| primary.eq_ignore_ascii_case(name);
        if is("en") {
            return Some(Self::English);
        }
        let unless_it_says = match () {
            () if is("zh") => Self::Chinese,
            // Cantonese.
            () if is("yue") => Self::TraditionalChinese,
            () => return None,
        };
        // The script stands before the region and is the closer word.
        let says = subtags.find_map(|subtag| {
            let one_of =
                |known: &[&str]| known.iter().any(|name| name.eq_ignore_ascii_case(subtag));
            if one_of(&["Hant", "TW", "HK", "MO"]) {
                Some(Self::TraditionalChinese)
            } else {
                one_of(&["Hans", "CN", "SG", "MY"]).then_some(Self::Chinese)
            }
        });
        Some(says.unwrap_or(unless_it_says))
    }
}

/// One text in all languages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub zh: String,
    /// Where the shop wrote it; whoever shows it falls back to `zh`.
    #[serde(rename = "zh-Hant", default, skip_serializing_if = "Option::is_none")]
    pub zh_hant: Option<String>,
    pub en: String,
}

impl Text {
    pub fn new(zh: &str, en: &str) -> Self {
        Self {
            zh: zh.to_owned(),
            zh_hant: None,
            en: en.to_owned(),
        }
    }

    /// With traditional characters, where they are not the same.
    #[must_use]
    pub fn in_traditional(self, zh_hant: &str) -> Self {
        Self {
            zh_hant: (zh_hant != self.zh).then(|| zh_hant.to_owned()),
            ..self
        }
    }

    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::TraditionalChinese => self.zh_hant.as_ref().unwrap_or(&self.zh),
            Language::English => &self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_by_its_language_and_chinese_by_its_script_or_region() {
        let (hans, hant) = (Language::Chinese, Language::TraditionalChinese);
        for (tag, language) in [
            ("zh", Some(hans)),
            ("zh-CN", Some(hans)),
            ("zh-Hans-HK", Some(hans)),
            ("zh-SG", Some(hans)),
            ("zh-Hant", Some(hant)),
            ("zh-TW", Some(hant)),
            ("zh_hk", Some(hant)),
            ("zh-MO", Some(hant)),
            ("zh-yue-HK", Some(hant)),
            ("zh-Hant-CN", Some(hant)),
            ("yue", Some(hant)),
            ("yue-Hans-CN", Some(hans)),
            ("EN-gb", Some(Language::English)),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(Language::from_tag(tag), language, "{tag}");
        }
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
    }

    #[test]
    fn readers_of_traditional_characters_get_the_shops_words_in_the_script_it_wrote() {
        let both = Text::new("凉拌黄瓜", "cucumber salad");
        assert_eq!(both.of(Language::TraditionalChinese), "凉拌黄瓜");
        let three = both.in_traditional("涼拌黃瓜");
        assert_eq!(three.of(Language::TraditionalChinese), "涼拌黃瓜");
        assert_eq!(three.of(Language::Chinese), "凉拌黄瓜");
        let same = Text::new("8.5 折", "15 % off").in_traditional("8.5 折");
        assert_eq!(same.zh_hant, None, "nothing is written twice");
    }

    #[test]
    fn a_text_of_two_languages_is_written_and_read_as_it_always_was() {
        let written = r#"{"zh":"毛肚","en":"Tripe"}"#;
        let text: Text = serde_json::from_str(written).unwrap();
        assert_eq!(text, Text::new("毛肚", "Tripe"));
        assert_eq!(serde_json::to_string(&text).unwrap(), written);
        let three = r#"{"zh":"凉面","zh-Hant":"涼麵","en":"Cold noodles"}"#;
        let text: Text = serde_json::from_str(three).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), three);
    }
}
