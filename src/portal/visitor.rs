//! What a request tells of its sender: the look of its pages, the packing, the window, the signed cookie, the address.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::{FromRequestParts, Query};
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponseParts, Response, ResponseParts};
use serde::Deserialize;

use super::State;
use super::diner;
use super::environment::{Environment, Says};
use super::look::Look;
use super::pages::{LanguageLink, Packing, see_other};
use crate::domain::ids::Vid;
use crate::domain::text::Language;
use crate::ops::serve::Peer;

/// Who asks.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) language: Language,
    pub(super) look: Look,
    pub(super) packing: Packing,
    pub(super) environment: Environment,
    /// From the diner's signed cookie.
    pub(super) vid: Option<Vid>,
    pub(super) address: Option<IpAddr>,
    /// "Just looking" was tapped.
    pub(super) only_looks: bool,
    link: LanguageLink,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    lang: Option<String>,
    #[serde(rename = "type")]
    size: Option<String>,
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
        let look = Look::pick(asked.lang.as_deref(), asked.size.as_deref(), headers);
        let peer = parts.extensions.get::<Peer>();
        Ok(Self {
            language: look.language,
            look,
            packing: Packing::accepted(headers),
            environment: Environment::of(Says {
                user_agent: word(headers, USER_AGENT.as_str()).unwrap_or_default(),
                app: word(headers, "x-requested-with"),
                is_in_a_shop: state.store.is_some(),
            }),
            vid,
            address: peer.map(|peer| peer.address.ip()),
            only_looks: asked.look.is_some(),
            link: if parts.method == Method::GET {
                LanguageLink::Here
            } else {
                LanguageLink::Nowhere
            },
        })
    }
}

fn word<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Remembers a language and a size that were chosen by a link.
pub(super) struct RememberLook(Look);

impl Visitor {
    /// Where the answer's links to other languages lead.
    pub(super) fn language_link(&self) -> LanguageLink {
        self.link
    }

    /// The language, and the size of its letters.
    pub(super) fn remember_language(&self) -> RememberLook {
        RememberLook(self.look)
    }

    /// Goes on to `path`, in the same look.
    pub(super) fn see_other(&self, path: &str) -> Response {
        see_other(&format!("{path}{}", self.look.carried()))
    }
}

impl IntoResponseParts for RememberLook {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        for cookie in self.0.cookies() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }
}
