//! Signing in and out: the browser holds 32 random bytes, the ledger their SHA-256.

use askama::Template;
use axum::extract::{Extension, Form, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use serde::Deserialize;

use super::language::{Spoken, cookie};
use super::password;
use super::words::Words;
use crate::hq::db::{AuditEntry, LedgerError, NewSession, SessionHash};
use crate::hq::routes::RETRY_AFTER;
use crate::hq::sha256;
use crate::hq::state::{ConsoleOver, Shared};
use crate::ops::files::random;
use crate::ops::serve::Peer;
use crate::wire::encoding::{from_base64, to_base64};

/// A working day, so that a phone left lying about signs itself out.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// Whoever has signed in.
pub(super) struct SignedIn {
    pub(super) login: String,
}

impl FromRequestParts<Shared> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, hq: &Shared) -> Result<Self, Response> {
        let to_sign_in = || Redirect::to("/login").into_response();
        let hash = session_hash(&parts.headers, hq.console_over).ok_or_else(to_sign_in)?;
        let session = hq.ledger.session(hash, hq.clock.now()).await;
        let login = session.map_err(unavailable)?.ok_or_else(to_sign_in)?;
        Ok(Self { login })
    }
}

/// The answer when the ledger does not give one.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unavailable(error: LedgerError) -> Response {
    tracing::error!(%error, "a page was refused because of the ledger");
    let message = "headquarters cannot reach its ledger; nothing is lost, try again in a minute\n";
    let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, retry, message).into_response()
}

fn session_hash(headers: &HeaderMap, over: ConsoleOver) -> Option<SessionHash> {
    let secret = from_base64(&cookie(headers, cookie_name(over))?)?;
    (secret.len() == 32).then(|| sha256(&secret))
}

/// `__Host-` makes a browser refuse the cookie from anybody but this host over TLS; without TLS, which is
/// on loopback only, it would refuse ours, too.
const fn cookie_name(over: ConsoleOver) -> &'static str {
    match over {
        ConsoleOver::Tls => "__Host-maitred",
        ConsoleOver::PlainHttp => "maitred-session",
    }
}

fn session_cookie(over: ConsoleOver, secret: &str, seconds: i64) -> HeaderValue {
    let secure = match over {
        ConsoleOver::Tls => "; Secure",
        ConsoleOver::PlainHttp => "",
    };
    let name = cookie_name(over);
    let cookie =
        format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&cookie).expect("base64 and plain words")
}

#[derive(Template)]
#[template(path = "console/login.html")]
struct SignInPage {
    words: &'static Words,
    login: String,
    fault: Option<String>,
}

pub(super) async fn sign_in_page(spoken: Spoken) -> Response {
    show_sign_in(spoken, StatusCode::OK, String::new(), None)
}

fn show_sign_in(
    spoken: Spoken,
    status: StatusCode,
    login: String,
    fault: Option<String>,
) -> Response {
    let words = Words::of(spoken.language);
    let page = SignInPage {
        words,
        login,
        fault,
    };
    let mut response = show(&page, spoken);
    *response.status_mut() = status;
    response
}

/// A page in its language.
pub(super) fn show(page: &impl Template, spoken: Spoken) -> Response {
    let mut response = match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    if let Some(cookie) = spoken.cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    login: String,
    password: String,
}

pub(super) async fn sign_in(
    State(hq): State<Shared>,
    Extension(peer): Extension<Peer>,
    spoken: Spoken,
    Form(given): Form<Credentials>,
) -> Result<Response, Response> {
    let (address, now) = (peer.address.ip(), hq.clock.now());
    let words = Words::of(spoken.language);
    let login: String = given.login.trim().chars().take(64).collect();
    // The place before the try is counted: whoever waits for one is not guessing yet.
    let Ok(place) = hq.password_checks.acquire().await else {
        return Err(StatusCode::SERVICE_UNAVAILABLE.into_response());
    };
    if let Err(seconds) = hq.backoff.begin(address, &login, now) {
        let fault = words.wait_seconds.replace("{}", &seconds.to_string());
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Ok(show_sign_in(spoken, status, login, Some(fault)));
    }
    let kept = hq.ledger.admin_password_hash(login.clone()).await;
    let kept = kept.map_err(unavailable)?;
    let check = move || password::fits(&given.password, kept.as_deref());
    let fits = tokio::task::spawn_blocking(check).await.unwrap_or_default();
    drop(place);
    if !fits {
        tracing::warn!("a sign-in to the console failed");
        if hq.failed_sign_ins_noted.admits(now) {
            let entry = AuditEntry::new(now, "sign_in_failed", &"console", "");
            hq.ledger.note(entry).await.map_err(unavailable)?;
        }
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let fault = Some(words.wrong_password.to_owned());
        return Ok(show_sign_in(spoken, status, login, fault));
    }
    hq.backoff.note_success(address, &login);
    open_session(&hq, login).await.map_err(unavailable)
}

async fn open_session(hq: &Shared, login: String) -> Result<Response, LedgerError> {
    let secret = random::<32>();
    let now = hq.clock.now();
    let session = NewSession {
        hash: sha256(&secret),
        login,
        now,
        expires: now + LASTS,
    };
    hq.ledger.open_session(session).await?;
    let cookie = session_cookie(hq.console_over, &to_base64(&secret), LASTS.as_secs());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

pub(super) async fn sign_out(
    State(hq): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    if let Some(hash) = session_hash(&headers, hq.console_over) {
        hq.ledger.close_session(hash).await.map_err(unavailable)?;
    }
    let gone = session_cookie(hq.console_over, "", 0);
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response())
}
