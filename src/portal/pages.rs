//! How a page leaves: rendered, compressed where the phone can unpack it, with its headers.

use std::sync::LazyLock;

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::look::{Look, Size};
use super::texts::{Texts, texts};
use super::visitor::Visitor;
use crate::domain::store::{Brand, Logo, Store};
use crate::domain::text::Language;
use crate::wire::encoding::{data_url, gzip};

/// Nothing from outside, nothing that runs: a page is words, a style sheet and forms to ourselves. The
/// images are the shop's logo, which is in the page, and the empty icon, without which every phone asks for
/// `/favicon.ico` as well.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same for the pages of staff, which our own script makes better.
const SCRIPTED_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                               script-src 'self'; connect-src 'self'; \
                               form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every page has around it.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) tag: &'static str,
    pub(super) t: &'static Texts,
    pub(super) colour: String,
    /// Of the words on that colour.
    pub(super) ink: &'static str,
    /// Whose page it is.
    pub(super) store: Option<String>,
    /// As an address that holds the picture itself.
    pub(super) logo: Option<String>,
    /// The links below the page.
    pub(super) other_languages: Vec<OtherLanguage>,
    pub(super) is_large: bool,
    /// The link to the other size, where the page has it.
    pub(super) other_size: Option<String>,
    /// What the page's own links end in, so that its look stays.
    pub(super) carry: String,
}

/// A link to the same page in another language.
#[derive(Debug)]
pub(super) struct OtherLanguage {
    pub(super) tag: &'static str,
    /// As its own readers call it.
    pub(super) name: &'static str,
    pub(super) href: String,
}

/// Where a page's links to the other languages and the other size lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LanguageLink {
    /// To the same address.
    Here,
    At(&'static str),
    /// The page answers a form, and its address cannot be opened.
    Nowhere,
}

impl Shell {
    /// Around a page of the staff, whose letters have one size.
    pub(super) fn new(language: Language, link: LanguageLink, store: Option<&Store>) -> Self {
        Self {
            other_size: None,
            ..Self::looking(Look::in_language(language), link, store)
        }
    }

    /// Around a page of a guest.
    pub(super) fn of(visitor: &Visitor, store: Option<&Store>) -> Self {
        Self::looking(visitor.look, visitor.language_link(), store)
    }

    /// Around a page of a guest of whom no more than the look is known.
    pub(super) fn looking(look: Look, link: LanguageLink, store: Option<&Store>) -> Self {
        let language = look.language;
        let base = match link {
            LanguageLink::Here => Some(""),
            LanguageLink::At(path) => Some(path),
            LanguageLink::Nowhere => None,
        };
        let others = Language::ALL.into_iter().filter(|other| *other != language);
        let chains = Brand::default();
        let brand = store.map_or(&chains, |store| &store.brand);
        Self {
            tag: language.tag(),
            t: texts(language),
            colour: brand.colour.as_str().to_owned(),
            ink: brand.colour.ink().colour(),
            store: store.map(|store| store.name.of(language).to_owned()),
            logo: brand
                .logo
                .as_ref()
                .map(|logo| data_url(Logo::MEDIA_TYPE, logo.bytes())),
            other_languages: base.map_or_else(Vec::new, |base| {
                let link = |other: Language| OtherLanguage {
                    tag: other.tag(),
                    name: other.own_name(),
                    href: format!("{base}{}", look.link_to_language(other)),
                };
                others.map(link).collect()
            }),
            is_large: look.size == Size::Large,
            other_size: base.map(|base| format!("{base}{}", look.link_to_other_size())),
            carry: look.carried(),
        }
    }
}

impl Shell {
    /// The same behind a link that says something already.
    pub(super) fn carry_too(&self) -> String {
        self.carry.replacen('?', "&", 1)
    }
}

/// Whether the phone takes gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Plain,
}

impl Packing {
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value.split(',').any(|coding| {
                    let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
                    name.trim() == "gzip" && quality.trim() != "q=0"
                })
            });
        if accepted { Self::Gzip } else { Self::Plain }
    }
}

/// Renders a page.
pub(super) fn render(page: &impl Template) -> String {
    page.render().expect("writing into memory does not fail")
}

/// A page with a status, for one phone, now.
pub(super) fn page(status: StatusCode, packing: Packing, html: String) -> Response {
    match packing {
        Packing::Gzip => packed(status, packing, gzip(html.as_bytes())),
        Packing::Plain => packed(status, packing, html.into_bytes()),
    }
}

/// A page whose bytes are already as the phone wants them.
pub(super) fn packed(status: StatusCode, packing: Packing, bytes: Vec<u8>) -> Response {
    /// Filled once: copying a map hashes nothing.
    static PLAIN: LazyLock<HeaderMap> = LazyLock::new(|| headers(Packing::Plain));
    static GZIP: LazyLock<HeaderMap> = LazyLock::new(|| headers(Packing::Gzip));

    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    *response.headers_mut() = match packing {
        Packing::Plain => PLAIN.clone(),
        Packing::Gzip => GZIP.clone(),
    };
    response
}

/// A page that may run our own script.
pub(super) fn scripted(status: StatusCode, packing: Packing, html: String) -> Response {
    let mut response = page(status, packing, html);
    let policy = HeaderValue::from_static(SCRIPTED_POLICY);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// The headers of every page.
fn headers(packing: Packing) -> HeaderMap {
    let text = HeaderValue::from_static;
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, text("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, text(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (REFERRER_POLICY, text("no-referrer")),
        // Each showing carries its own tap, and a coupon changes when it is used.
        (CACHE_CONTROL, text("no-store")),
        (VARY, text("accept-encoding")),
    ]);
    if packing == Packing::Gzip {
        headers.insert(CONTENT_ENCODING, text("gzip"));
    }
    headers
}

/// Goes on to `path` with a GET.
pub(super) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let mut response = StatusCode::SEE_OTHER.into_response();
    response
        .headers_mut()
        .insert(axum::http::header::LOCATION, location);
    response
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "portal/message.html")]
pub(super) struct MessagePage<'a> {
    pub(super) shell: Shell,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) back: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_gets_gzip_only_if_it_asks_for_it() {
        for (header, packing) in [
            ("gzip, deflate, br", Packing::Gzip),
            ("br;q=1, gzip;q=0.5", Packing::Gzip),
            ("gzip;q=0", Packing::Plain),
            ("identity", Packing::Plain),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, header.parse().unwrap());
            assert_eq!(Packing::accepted(&headers), packing, "{header}");
        }
        assert_eq!(Packing::accepted(&HeaderMap::new()), Packing::Plain);
    }
}
