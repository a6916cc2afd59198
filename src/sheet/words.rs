//! The words on printed codes, from `templates/sheet/`: one struct, so that every language has the same keys.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::domain::text::Language;
use crate::domain::written::read_strictly;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) promise: String,
    pub(super) ease: String,
    pub(super) table: String,
    pub(super) wifi: String,
    pub(super) wifi_promise: String,
    pub(super) wifi_ease: String,
    pub(super) password: String,
    pub(super) no_password: String,
    pub(super) version: String,
}

/// The words of `language`.
pub(super) fn words(language: Language) -> &'static Words {
    static CHINESE: OnceLock<Words> = OnceLock::new();
    static TRADITIONAL: OnceLock<Words> = OnceLock::new();
    static ENGLISH: OnceLock<Words> = OnceLock::new();
    let (cell, file) = match language {
        Language::Chinese => (&CHINESE, include_str!("../../templates/sheet/zh-CN.toml")),
        Language::TraditionalChinese => (
            &TRADITIONAL,
            include_str!("../../templates/sheet/zh-Hant.toml"),
        ),
        Language::English => (&ENGLISH, include_str!("../../templates/sheet/en.toml")),
    };
    cell.get_or_init(|| read_strictly("words", file).expect("a test reads all files"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_word() {
        for language in Language::ALL {
            let all = format!("{:?}", words(language));
            assert!(!all.contains("\"\""), "an empty word in {}", language.tag());
        }
    }
}
