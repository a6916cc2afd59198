//! What a request tells of its sender: the language, the packing, the signed cookie, the address.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, Query};
use axum::http::Method;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{IntoResponseParts, ResponseParts};
use serde::Deserialize;

use super::State;
use super::pages::{LanguageLink, Packing};
use super::{diner, language};
use crate::domain::ids::Vid;
use crate::domain::text::Language;
use crate::ops::serve::Peer;

/// Who asks.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) language: Language,
    pub(super) packing: Packing,
    /// From the diner's signed cookie.
    pub(super) vid: Option<Vid>,
    pub(super) address: Option<IpAddr>,
    /// "Just looking" was tapped.
    pub(super) only_looks: bool,
    link: LanguageLink,
    /// The language link was tapped, so the choice has to be remembered.
    chosen: Option<Language>,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    lang: Option<String>,
    look: Option<String>,
}

impl FromRequestParts<State> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        let asked = match parts.uri.query() {
            None => Asked::default(),
            Some(_) => Query::try_from_uri(&parts.uri)
                .map(|Query(asked)| asked)
                .unwrap_or_default(),
        };
        let headers = &parts.headers;
        let vid = diner::known(state, headers);
        let peer = parts.extensions.get::<Peer>();
        Ok(Self {
            language: language::pick(asked.lang.as_deref(), headers),
            packing: Packing::accepted(headers),
            vid,
            address: peer.map(|peer| peer.address.ip()),
            only_looks: asked.look.is_some(),
            link: if parts.method == Method::GET {
                LanguageLink::Here
            } else {
                LanguageLink::Nowhere
            },
            chosen: asked.lang.as_deref().and_then(Language::from_tag),
        })
    }
}

/// Remembers a language that was chosen by its link.
pub(super) struct RememberLanguage(pub(super) Option<Language>);

impl Visitor {
    /// Where the answer's link to the other language leads.
    pub(super) fn language_link(&self) -> LanguageLink {
        self.link
    }

    pub(super) fn remember_language(&self) -> RememberLanguage {
        RememberLanguage(self.chosen)
    }
}

impl IntoResponseParts for RememberLanguage {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Some(language) = self.0 {
            response
                .headers_mut()
                .append(SET_COOKIE, language::remembered(language));
        }
        Ok(response)
    }
}
