//! How a phone wants its pages: in which language, and in how large letters.
//!
//! A tapped link says so, and a cookie remembers it. A captive window keeps no cookies, so what a link said
//! travels on in the page's own links for as long as no cookie brings it. Neither says anything of a person.

use axum::http::{HeaderMap, HeaderValue};

use super::{cookie, language};
use crate::domain::text::Language;

/// The name of the cookie, and of the link's key.
const NAME: &str = "type";

/// How large the letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Size {
    #[default]
    Usual,
    Large,
}

impl Size {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Large => "large",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Usual => Self::Large,
            Self::Large => Self::Usual,
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Usual, Self::Large]
            .into_iter()
            .find(|size| size.word() == word)
    }
}

/// A page's language and size. Two phones with the same look can be shown the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Look {
    pub(super) language: Language,
    pub(super) size: Size,
    /// Said by a link and by no cookie yet.
    carries_language: bool,
    carries_size: bool,
}

impl Look {
    /// What a browser gets that has tapped nothing.
    pub(super) const fn in_language(language: Language) -> Self {
        Self {
            language,
            size: Size::Usual,
            carries_language: false,
            carries_size: false,
        }
    }

    /// The look of an answer; `lang` and `size` are those keys of the address.
    pub(super) fn pick(lang: Option<&str>, size: Option<&str>, headers: &HeaderMap) -> Self {
        let tapped_language = lang.and_then(Language::from_tag);
        let tapped_size = size.and_then(Size::from_word);
        let kept_size = cookie::plain(headers, NAME).and_then(Size::from_word);
        Self {
            language: language::pick(lang, headers),
            size: tapped_size.or(kept_size).unwrap_or_default(),
            carries_language: tapped_language.is_some()
                && tapped_language != language::kept(headers),
            carries_size: tapped_size.is_some() && tapped_size != kept_size,
        }
    }

    /// The cookies that remember for a year what a link said.
    pub(super) fn cookies(self) -> impl Iterator<Item = HeaderValue> {
        let lang = self.carries_language.then(|| self.language.tag());
        let size = self.carries_size.then(|| self.size.word());
        [("lang", lang), (NAME, size)]
            .into_iter()
            .filter_map(|(name, value)| {
                let cookie = format!("{name}={}; Path=/; Max-Age=31536000; SameSite=Lax", value?);
                HeaderValue::from_str(&cookie).ok()
            })
    }

    /// What every link of the page has to carry on, as `?lang=en&type=large`; mostly nothing.
    pub(super) fn carried(self) -> String {
        match (self.carries_language, self.carries_size) {
            (false, false) => String::new(),
            (true, false) => format!("?lang={}", self.language.tag()),
            (false, true) => format!("?{NAME}={}", self.size.word()),
            (true, true) => format!("?lang={}&{NAME}={}", self.language.tag(), self.size.word()),
        }
    }

    /// The address of the page itself in another language.
    pub(super) fn link_to_language(self, language: Language) -> String {
        let look = Self {
            language,
            carries_language: true,
            ..self
        };
        look.carried()
    }

    /// The address of the page itself in the other size.
    pub(super) fn link_to_other_size(self) -> String {
        let look = Self {
            size: self.size.other(),
            carries_size: true,
            ..self
        };
        look.carried()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    fn with_cookie(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookie))])
    }

    #[test]
    fn a_window_without_cookies_takes_its_choices_along_in_its_links() {
        let window = HeaderMap::new();
        let look = Look::pick(None, Some("large"), &window);
        assert_eq!(
            (look.size, look.carried().as_str()),
            (Size::Large, "?type=large")
        );
        assert_eq!(
            look.link_to_language(Language::English),
            "?lang=en&type=large"
        );
        let look = Look::pick(Some("en"), Some("large"), &window);
        assert_eq!(look.carried(), "?lang=en&type=large");
        assert_eq!(look.link_to_other_size(), "?lang=en&type=usual");
        assert_eq!(look.cookies().count(), 2);
    }

    #[test]
    fn a_browser_that_remembers_has_short_links_again() {
        let browser = with_cookie("lang=en; type=large");
        let look = Look::pick(None, None, &browser);
        assert_eq!((look.language, look.size), (Language::English, Size::Large));
        assert_eq!(look.carried(), "");
        assert_eq!(look.link_to_other_size(), "?type=usual");
        let again = Look::pick(Some("en"), Some("large"), &browser);
        assert_eq!(again, look);
        assert_eq!(again.cookies().count(), 0);
    }

    #[test]
    fn a_link_beats_the_cookie_and_nonsense_is_nothing() {
        let browser = with_cookie("type=large");
        let look = Look::pick(None, Some("usual"), &browser);
        assert_eq!(
            (look.size, look.carried().as_str()),
            (Size::Usual, "?type=usual")
        );
        let look = Look::pick(Some("tlh"), Some("\"><script>"), &browser);
        assert_eq!((look.size, look.carried().as_str()), (Size::Large, ""));
    }
}
