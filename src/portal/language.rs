//! Which language a phone gets: the link it tapped, then its cookie, then what its browser asks for.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use super::cookie;
use crate::domain::text::Language;

/// The name of the cookie that remembers the tapped link. It says nothing about a person.
const COOKIE: &str = "lang";

/// The language of the cookie.
pub(super) fn kept(headers: &HeaderMap) -> Option<Language> {
    cookie::plain(headers, COOKIE).and_then(Language::from_tag)
}

/// Picks the language of an answer. `asked` is `?lang=` of the address.
pub(super) fn pick(asked: Option<&str>, headers: &HeaderMap) -> Language {
    asked
        .and_then(Language::from_tag)
        .or_else(|| kept(headers))
        .or_else(|| {
            let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
            preferred(header)
        })
        .unwrap_or_default()
}

/// The language with the highest quality that we speak (RFC 9110, section 12.5.4).
fn preferred(accept_language: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for item in accept_language.split(',') {
        let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
        let quality = parameters
            .trim()
            .strip_prefix("q=")
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        let Some(language) = Language::from_tag(tag) else {
            continue;
        };
        if quality > 0.0 && best.is_none_or(|(highest, _)| quality > highest) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_says_what_its_owner_reads() {
        for (header, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Chinese)),
            (
                "zh-HK,zh;q=0.9,en;q=0.8",
                Some(Language::TraditionalChinese),
            ),
            ("en-GB,en;q=0.5", Some(Language::English)),
            ("de, zh;q=0.3, en;q=0.7", Some(Language::English)),
            ("de", None),
            ("zh;q=0", None),
            ("", None),
        ] {
            assert_eq!(preferred(header), language, "{header}");
        }
    }

    #[test]
    fn a_tapped_link_beats_the_browser() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, "zh".parse().unwrap());
        assert_eq!(pick(Some("en"), &headers), Language::English);
        headers.insert("cookie", "lang=en".parse().unwrap());
        assert_eq!(pick(None, &headers), Language::English);
        assert_eq!(pick(Some("tlh"), &headers), Language::English);
    }
}
