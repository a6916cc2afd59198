//! The API that a phone asks instead of guessing (RFC 8908): is it captive, where is the page, how long will
//! it last.
//!
//! It is served over HTTPS alone, as the RFC demands. Whoever is let in is told so at once: a phone that was
//! told of the API believes nothing else, and would leave the Wi-Fi.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::State;
use super::error::Apology;
use super::visitor::Visitor;
use crate::admission;

/// How the asker stands to the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Captive,
    LetIn(Remaining),
}

/// What is left to a device that was let in; none: nobody knows, or there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Remaining {
    seconds: Option<u64>,
    bytes: Option<u64>,
}

/// The answer, in the words of RFC 8908.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Answer {
    captive: bool,
    user_portal_url: String,
    /// The way back to the page for a phone that is let in; Android shows it as a notification.
    venue_info_url: String,
    /// Tapping "continue" again before the end changes nothing, so a phone need not ask for it.
    can_extend_session: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_remaining: Option<u64>,
}

impl Answer {
    /// `origin` is where the portal is: `https://host`.
    fn to(standing: Standing, origin: &str) -> Self {
        let (captive, remaining) = match standing {
            Standing::Captive => (true, Remaining::default()),
            Standing::LetIn(remaining) => (false, remaining),
        };
        let page = format!("{origin}/");
        Self {
            captive,
            user_portal_url: page.clone(),
            venue_info_url: page,
            can_extend_session: false,
            seconds_remaining: remaining.seconds,
            bytes_remaining: remaining.bytes,
        }
    }
}

/// `GET /capport`
pub(super) async fn answer(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
) -> Response {
    let bundle = state.bundle();
    let (Some(folder), Some(guest)) = (state.own_store(&bundle), state.guest(&visitor)) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let origin = state.https.borrow().origin();
    // Somebody who asks all the same while phones would not: the page is there in plain HTTP.
    let origin = origin.unwrap_or_else(|| state.base_url(Some(&folder.store)));
    let standing = Standing::from(state.standing(&bundle, folder, &guest));
    let answer = Answer::to(standing, &origin);
    let body = serde_json::to_vec(&answer).expect("an answer is plain data");
    let headers = [
        (CONTENT_TYPE, "application/captive+json"),
        (CACHE_CONTROL, "private"),
    ];
    (StatusCode::OK, headers, body).into_response()
}

impl From<admission::Standing> for Standing {
    fn from(standing: admission::Standing) -> Self {
        match standing {
            // A pass leads to a few names and no further.
            admission::Standing::Walled | admission::Standing::Passing { .. } => Self::Captive,
            admission::Standing::Open { left, bytes_left } => Self::LetIn(Remaining {
                seconds: left.map(|left| left.as_secs()),
                bytes: bytes_left,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(standing: Standing, origin: &str) -> String {
        serde_json::to_string(&Answer::to(standing, origin)).unwrap()
    }

    #[test]
    fn a_captive_phone_is_sent_to_the_page() {
        assert_eq!(
            said(Standing::Captive, "https://sz01.sw.cn"),
            r#"{"captive":true,"user-portal-url":"https://sz01.sw.cn/","venue-info-url":"https://sz01.sw.cn/","can-extend-session":false}"#
        );
    }

    #[test]
    fn a_phone_that_is_let_in_hears_what_is_left() {
        let remaining = Remaining {
            seconds: Some(326),
            bytes: Some(65_536),
        };
        assert_eq!(
            said(Standing::LetIn(remaining), "https://sz01.sw.cn"),
            r#"{"captive":false,"user-portal-url":"https://sz01.sw.cn/","venue-info-url":"https://sz01.sw.cn/","can-extend-session":false,"seconds-remaining":326,"bytes-remaining":65536}"#
        );
    }

    #[test]
    fn an_answer_fits_what_android_reads() {
        let longest = format!("https://{}", "h".repeat(253));
        let remaining = Remaining {
            seconds: Some(u64::MAX),
            bytes: Some(u64::MAX),
        };
        // NetworkMonitor reads 4,096 characters.
        assert!(said(Standing::LetIn(remaining), &longest).len() <= 4096);
    }
}
