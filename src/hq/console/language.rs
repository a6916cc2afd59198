//! Which of its two languages the console is shown in: the link that was tapped, else the cookie it left, else
//! what the browser prefers, else Chinese.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use crate::domain::text::Language;

const NAME: &str = "maitred-lang";

/// The language of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) language: Language,
    /// Asked for by link, and so to be remembered.
    chosen: bool,
}

impl Spoken {
    /// The cookie to send along, where a choice was made.
    pub(super) fn cookie(self) -> Option<HeaderValue> {
        let tag = self.language.tag();
        let cookie = format!("{NAME}={tag}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
        self.chosen
            .then(|| HeaderValue::from_str(&cookie).ok())
            .flatten()
    }
}

impl<S: Sync> FromRequestParts<S> for Spoken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let asked = parts
            .uri
            .query()
            .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("lang=")))
            .and_then(spoken);
        let language = asked
            .or_else(|| spoken(&cookie(&parts.headers, NAME)?))
            .or_else(|| preferred(&parts.headers));
        Ok(Self {
            language: language.unwrap_or_default(),
            chosen: asked.is_some(),
        })
    }
}

/// The language of a tag, as the console speaks it: Chinese in simplified characters only.
fn spoken(tag: &str) -> Option<Language> {
    Language::from_tag(tag).map(|language| match language {
        Language::Chinese | Language::TraditionalChinese => Language::Chinese,
        Language::English => Language::English,
    })
}

/// The first language of `Accept-Language` that there is; browsers list them by preference.
fn preferred(headers: &HeaderMap) -> Option<Language> {
    let listed = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    listed
        .split(',')
        .filter_map(|entry| entry.split(';').next())
        .find_map(spoken)
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn asked(uri: &str, accept: &str, cookie: &str) -> Spoken {
        let request = Request::builder()
            .uri(uri)
            .header(ACCEPT_LANGUAGE, accept)
            .header(COOKIE, cookie)
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        Spoken::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn a_link_beats_the_cookie_and_the_cookie_beats_the_browser() {
        let cookie = "a=b; maitred-lang=zh-CN";
        let by_link = asked("/?lang=en", "zh", cookie).await;
        assert_eq!(by_link.language, Language::English);
        assert!(by_link.cookie().is_some());
        let by_cookie = asked("/", "en", cookie).await;
        assert_eq!(by_cookie.language, Language::Chinese);
        assert!(by_cookie.cookie().is_none());
        let by_browser = asked("/", "de, en-GB;q=0.8", "").await;
        assert_eq!(by_browser.language, Language::English);
        for other in ["de", "zh-TW"] {
            assert_eq!(asked("/", other, "").await.language, Language::Chinese);
        }
    }
}
