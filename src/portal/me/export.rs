//! What this box holds of a diner, for them to take along.

use axum::extract::State as Extract;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::own::Own;
use crate::portal::State;
use crate::portal::visitor::Visitor;

/// `GET /me/export`
pub(super) async fn export(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    let own = Own::of(&state, visitor.vid).await;
    let body = serde_json::to_vec(&own).expect("what a diner holds is plain data");
    let text = HeaderValue::from_static;
    let headers = [
        (CONTENT_TYPE, text("application/json")),
        (CACHE_CONTROL, text("no-store")),
        (
            CONTENT_DISPOSITION,
            text("attachment; filename=\"my-data.json\""),
        ),
    ];
    (headers, body).into_response()
}
