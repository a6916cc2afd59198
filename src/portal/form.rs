//! A form as a browser sends it, read into a type.
//!
//! Like axum's own, and a tenth of its size on a router: the body is read by one function for all forms, where
//! axum's is compiled into each handler.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::State;
use crate::ops::tasks::BoxFuture;

/// The fields of a form.
pub(super) struct Form<T>(pub(super) T);

/// It is no form, is too long, or a field is missing or is not what it should be.
#[derive(Debug)]
pub(super) struct FormRejection;

impl IntoResponse for FormRejection {
    /// Only where a handler leaves the sentence to nobody; all of ours have one.
    fn into_response(self) -> Response {
        StatusCode::UNPROCESSABLE_ENTITY.into_response()
    }
}

impl<T: DeserializeOwned> FromRequest<State> for Form<T> {
    type Rejection = FormRejection;

    async fn from_request(request: Request, _: &State) -> Result<Self, FormRejection> {
        let body = body(request).await?;
        let fields = serde_urlencoded::from_bytes(&body).map_err(|_| FormRejection)?;
        Ok(Self(fields))
    }
}

fn body(request: Request) -> BoxFuture<'static, Result<Bytes, FormRejection>> {
    Box::pin(async move {
        let kind = request.headers().get(CONTENT_TYPE);
        let is_form = kind.is_some_and(|kind| {
            let kind = kind.as_bytes();
            kind.starts_with(b"application/x-www-form-urlencoded")
        });
        if !is_form {
            return Err(FormRejection);
        }
        let body = Bytes::from_request(request, &()).await;
        body.map_err(|_| FormRejection)
    })
}
