//! Everything that is not one of our pages: phones' connectivity checks, and what was mistyped.
//!
//! A device that has not been let in is sent to the portal; one that has gets the answer its system
//! expects, should the question still reach us. A success is never faked for a walled device. Names and
//! bodies: Apple, AOSP, Microsoft and Mozilla as their systems ask (reference: captive portal behaviour).

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::State;
use super::error::Apology;
use super::visitor::Visitor;

/// What a system expects when it is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    NoContent,
    Body(&'static str),
}

/// The answer that the asker of `path` at `host` takes for "online".
fn expected(host: &str, path: &str) -> Option<Expected> {
    const APPLE: &str = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>\n";
    match (host, path) {
        (_, "/generate_204" | "/gen_204") => Some(Expected::NoContent),
        ("captive.apple.com", _) | (_, "/hotspot-detect.html" | "/library/test/success.html") => {
            Some(Expected::Body(APPLE))
        }
        (_, "/connecttest.txt") => Some(Expected::Body("Microsoft Connect Test")),
        (_, "/ncsi.txt") => Some(Expected::Body("Microsoft NCSI")),
        ("detectportal.firefox.com", "/success.txt") => Some(Expected::Body("success\n")),
        _ => None,
    }
}

/// What was asked, of whom.
pub(super) struct Asked {
    method: Method,
    /// In small letters and without its port; empty where the phone named none.
    host: String,
    path: String,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            method: parts.method.clone(),
            host: host_of(&parts.uri, &parts.headers),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Asked {
    /// Whether the question is for us: by the portal's name, by an address, or by no name at all.
    pub(super) fn is_ours(&self, base_url: &str) -> bool {
        let own = base_url
            .split_once("://")
            .map(|(_, authority)| strip_port(authority));
        let is_address = self.host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        self.host.is_empty() || is_address || own == Some(&self.host)
    }
}

pub(super) async fn answer(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    asked: Asked,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let base_url = state.base_url(Some(&folder.store));
    let probe = expected(&asked.host, &asked.path);
    if probe.is_none() && asked.is_ours(&base_url) {
        return Apology::NoSuchPage.page(&visitor);
    }
    let now = state.now();
    let admitted = visitor
        .device
        .is_some_and(|device| state.wall.is_admitted(device, now));
    match probe {
        Some(Expected::NoContent) if admitted => StatusCode::NO_CONTENT.into_response(),
        Some(Expected::Body(body)) if admitted => body.into_response(),
        _ if [Method::GET, Method::HEAD, Method::POST].contains(&asked.method) => {
            let location = format!("{base_url}/");
            (
                StatusCode::FOUND,
                [
                    ("location", location),
                    ("cache-control", "no-store".to_owned()),
                ],
            )
                .into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn host_of(uri: &Uri, headers: &HeaderMap) -> String {
    let from_header = headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .map(strip_port);
    uri.host()
        .or(from_header)
        .unwrap_or_default()
        .to_ascii_lowercase()
}

fn strip_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_gets_exactly_the_body_it_expects() {
        let apple = expected("captive.apple.com", "/hotspot-detect.html");
        let Some(Expected::Body(body)) = apple else {
            panic!("Apple expects a body");
        };
        assert_eq!(body.len(), 69);
        for (host, path, answer) in [
            (
                "connectivitycheck.gstatic.cn",
                "/generate_204",
                Expected::NoContent,
            ),
            (
                "www.msftconnecttest.com",
                "/connecttest.txt",
                Expected::Body("Microsoft Connect Test"),
            ),
            (
                "detectportal.firefox.com",
                "/success.txt",
                Expected::Body("success\n"),
            ),
        ] {
            assert_eq!(expected(host, path), Some(answer));
        }
        assert_eq!(expected("sz01.sw.cn", "/menu"), None);
    }

    #[test]
    fn a_host_is_compared_without_its_port() {
        assert_eq!(strip_port("sz01.sw.cn:2080"), "sz01.sw.cn");
        assert_eq!(strip_port("[::1]"), "[::1]");
        assert_eq!(strip_port("[::1]:80"), "[::1]");
    }
}
