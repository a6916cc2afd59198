//! Everything that is not one of our pages: phones' connectivity checks, and what was mistyped.
//!
//! A device that has not been let in is sent to the portal; one that has gets the answer its system
//! expects ([`systems`]), should the question still reach us. A success is never faked: not for a walled
//! device, nor for anybody while this box knows that the Internet is away (a shop alone asks nobody, and does
//! not know).

mod systems;

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::State;
use super::error::Apology;
use super::visitor::Visitor;
use crate::admission::Standing;
use systems::{Expected, expected};

const NO_STORE: &str = "no-store";

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

/// How the asker stands to the wall and to the Internet behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Walled,
    /// A temporary pass: the walled garden and no further.
    Garden,
    Internet,
    /// Let in, and there is no Internet to be let into.
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Expected(Expected),
    /// To the portal, whatever was wanted: 302, the only answer that every system takes for a portal. (AOSP
    /// takes a 511, and a 200 of 4 bytes or less, for no network at all.)
    ToThePortal,
    NoSuchPage,
    NotLikeThat,
}

/// Decides what to say; `is_ours` tells a question to the portal itself.
fn reply(asked: &Asked, is_ours: bool, way: Way) -> Reply {
    let is_question = [Method::GET, Method::HEAD, Method::POST].contains(&asked.method);
    match (expected(&asked.host, &asked.path), way) {
        (None, _) if is_ours => Reply::NoSuchPage,
        (_, _) if !is_question => Reply::NotLikeThat,
        (Some(expected), Way::Internet) => Reply::Expected(expected),
        // The only window that closes for good on "Cancel", and so the only one that has to say "Done" before
        // another app can be opened. What tells a phone that it has the whole Internet (a 204) is never faked.
        (Some(expected), Way::Garden) if expected.is_apples() => Reply::Expected(expected),
        // A phone that were told it is online would turn its back on the page that still works.
        (_, Way::Walled | Way::Garden | Way::Nowhere) | (None, Way::Internet) => Reply::ToThePortal,
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
    let way = match state.guest(&visitor) {
        None => Way::Walled,
        Some(guest) => match state.standing(&bundle, folder, &guest) {
            Standing::Walled => Way::Walled,
            Standing::Passing { .. } | Standing::Open { .. } if !state.wan_is_up() => Way::Nowhere,
            Standing::Passing { .. } => Way::Garden,
            Standing::Open { .. } => Way::Internet,
        },
    };
    match reply(&asked, asked.is_ours(&base_url), way) {
        Reply::Expected(expected) => online(expected),
        Reply::ToThePortal => (
            StatusCode::FOUND,
            [
                (LOCATION, format!("{base_url}/")),
                (CACHE_CONTROL, NO_STORE.to_owned()),
            ],
        )
            .into_response(),
        Reply::NoSuchPage => Apology::NoSuchPage.page(&visitor),
        Reply::NotLikeThat => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn online(expected: Expected) -> Response {
    let body = |kind: &'static str, body: &'static str| {
        let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, NO_STORE)];
        (headers, body).into_response()
    };
    match expected {
        Expected::NoContent => StatusCode::NO_CONTENT.into_response(),
        Expected::NetworkManager => {
            let status = [("x-networkmanager-status", "online")];
            (StatusCode::NO_CONTENT, status).into_response()
        }
        Expected::Html(html) => body("text/html", html),
        Expected::Text(text) => body("text/plain", text),
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

pub(super) fn strip_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, host: &str, path: &str) -> Asked {
        Asked {
            method,
            host: host.to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn nobody_is_told_to_be_online_who_is_not() {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let asked = asked(method, "captive.apple.com", "/hotspot-detect.html");
            for way in [Way::Walled, Way::Nowhere] {
                assert_eq!(reply(&asked, false, way), Reply::ToThePortal);
            }
            let yes = reply(&asked, false, Way::Internet);
            assert!(matches!(yes, Reply::Expected(Expected::Html(_))));
        }
    }

    #[test]
    fn during_a_pass_only_apples_window_is_told_to_close() {
        let apple = asked(Method::GET, "captive.apple.com", "/hotspot-detect.html");
        assert!(matches!(
            reply(&apple, false, Way::Garden),
            Reply::Expected(_)
        ));
        for (host, path) in [
            ("connectivitycheck.gstatic.cn", "/generate_204"),
            ("www.msftconnecttest.com", "/connecttest.txt"),
            ("detectportal.firefox.com", "/success.txt"),
        ] {
            let other = asked(Method::GET, host, path);
            assert_eq!(
                reply(&other, false, Way::Garden),
                Reply::ToThePortal,
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_no_check_goes_to_the_portal_unless_it_is_meant_for_it() {
        let menu = asked(Method::GET, "www.example.cn", "/menu");
        for way in [Way::Walled, Way::Internet] {
            assert_eq!(reply(&menu, false, way), Reply::ToThePortal);
            assert_eq!(reply(&menu, true, way), Reply::NoSuchPage);
        }
        let put = asked(Method::PUT, "www.example.cn", "/menu");
        assert_eq!(reply(&put, false, Way::Walled), Reply::NotLikeThat);
        // Also where somebody asks the box by its address.
        let check = asked(Method::GET, "", "/generate_204");
        assert_eq!(reply(&check, true, Way::Walled), Reply::ToThePortal);
    }

    #[test]
    fn a_host_is_compared_without_its_port() {
        assert_eq!(strip_port("sz01.sw.cn:2080"), "sz01.sw.cn");
        assert_eq!(strip_port("[::1]"), "[::1]");
        assert_eq!(strip_port("[::1]:80"), "[::1]");
    }
}
