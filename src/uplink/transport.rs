//! The seam to the wire: one request, one answer, or a reason.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};

use crate::ops::tasks::BoxFuture;

/// A request to headquarters.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    pub path: String,
    pub body: Bytes,
    pub content: Content,
    /// The whole of it, connection included.
    pub within: Duration,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Json,
    /// NDJSON, compressed.
    GzippedLines,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: StatusCode,
    /// From `Retry-After`, in seconds.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("no connection: {0}")]
    NoConnection(std::io::Error),
    /// One side does not believe the other's certificate.
    #[error("certificates do not fit: {0}")]
    Certificate(rustls::Error),
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Carries requests. The real one is HTTPS; tests script theirs.
pub trait Transport: Send + Sync + 'static {
    fn ask(&self, request: Request) -> BoxFuture<'_, Result<Response, NoAnswer>>;
}

impl Request {
    pub fn get(path: String, within: Duration) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Bytes::new(),
            content: Content::Json,
            within,
        }
    }

    pub fn post(path: String, body: Vec<u8>, content: Content, within: Duration) -> Self {
        Self {
            method: Method::POST,
            path,
            body: body.into(),
            content,
            within,
        }
    }
}
