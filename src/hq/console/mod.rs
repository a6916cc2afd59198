//! The console: what the chain's people look at, as pages that need no script.
//!
//! Everything but the sign-in asks for a session. A form is taken only from the console's own pages:
//! the cookie is `SameSite=Strict`, and the request must say that it comes from here.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::routes::within_time;
use super::state::Shared;

pub mod backoff;
mod fleet;
mod language;
pub mod password;
mod persons;
mod places;
mod promos;
mod requests;
mod session;
pub mod sheets;
#[cfg(test)]
mod tests;
mod today;
mod words;

/// A login and a password; what a promo is made of.
const MAX_FORM_BYTES: usize = 4 << 10;

pub fn router(hq: Shared) -> Router {
    Router::new()
        .route("/", get(today::page))
        .route("/sheets", get(sheets::page).post(sheets::print))
        .route("/sheets/bind", post(sheets::stickers::bind))
        .route("/sheets/{id}", get(sheets::job))
        .route("/sheets/{id}/{number}", get(sheets::file))
        .route("/places", get(places::page))
        .route("/persons", get(persons::page))
        .route("/promos", get(promos::page).post(promos::make))
        .route("/promos/preview", post(promos::preview))
        .route("/promos/withdraw", post(promos::withdraw))
        .route("/promos/back", post(promos::put_back))
        .route("/login", get(session::sign_in_page).post(session::sign_in))
        .route("/logout", post(session::sign_out))
        .fallback(async || (StatusCode::NOT_FOUND, "there is no such page\n"))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(middleware::from_fn(only_from_here))
        .layer(middleware::from_fn(kept_private))
        .layer(middleware::from_fn(within_time))
        .with_state(hq)
}

/// Refuses a form that another site's page has sent (OWASP: verify the origin with standard headers).
async fn only_from_here(request: Request, next: Next) -> Response {
    if request.method().is_safe() || comes_from_here(&request) {
        return next.run(request).await;
    }
    let message = "this form was not sent by a page of this console\n";
    (StatusCode::FORBIDDEN, message).into_response()
}

/// Whether `Origin` names the host that was asked. Browsers send it with every form.
fn comes_from_here(request: &Request) -> bool {
    let text = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// Figures are for the one who signed in: no cache keeps them, no other site frames them, and nothing is
/// loaded from anywhere.
async fn kept_private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` a browser would send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
