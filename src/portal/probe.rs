//! Everything that is not one of our pages: phones' connectivity checks, and what was mistyped.
//!
//! A device that has not been let in is sent to the portal; one that has gets the answer its system
//! expects, should the question still reach us. A success is never faked for a walled device. Names and
//! bodies: Apple, AOSP, Microsoft and Mozilla as their systems ask (reference: captive portal behaviour).

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

pub(super) async fn answer(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let bundle = state.bundle();
    let host = host_of(&uri, &headers);
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let base_url = state.base_url(Some(&folder.store));
    let is_ours = base_url
        .split_once("://")
        .is_some_and(|(_, authority)| strip_port(authority) == host);
    let probe = expected(&host, uri.path());
    if probe.is_none() && (is_ours || host.is_empty()) {
        return Apology::NoSuchPage.page(&visitor);
    }
    let now = state.now();
    let admitted = visitor
        .device
        .is_some_and(|device| state.wall.is_admitted(device, now));
    match probe {
        Some(Expected::NoContent) if admitted => StatusCode::NO_CONTENT.into_response(),
        Some(Expected::Body(body)) if admitted => body.into_response(),
        _ if method == Method::GET || method == Method::HEAD || method == Method::POST => {
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
