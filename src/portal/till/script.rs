//! The one script of staff's pages: sound, camera and the next code without a new page.
//!
//! A file of our own at an address that changes with its contents, so that a browser asks for it once. No page
//! needs it. The camera reads codes by the browser's own `BarcodeDetector`, and only where the page came over
//! HTTPS or from this machine, which is when browsers give a camera. Safari has no such reader; a decoder on the
//! box (`rqrr`) would be 185 kB of a router's binary, so there staff type the code or use a scanner.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

const SCRIPT: &str = include_str!("../../../templates/portal/till.js");

/// Under `/till`.
pub(super) const ROUTE: &str = "/script.js";

/// Where pages find it.
pub(in crate::portal) fn address() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| {
        let version = crc32fast::hash(SCRIPT.as_bytes());
        format!("/till{ROUTE}?v={version:08x}")
    });
    &ADDRESS
}

/// `GET /till/script.js`
pub(super) async fn send() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "max-age=31536000, immutable"),
    ];
    (headers, SCRIPT).into_response()
}
