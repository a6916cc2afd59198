//! Asks the gateway that runs on this machine, over its ops listener.

use std::path::Path;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

use super::block_on;
use crate::config;
use crate::config::overlay::Environment;
use crate::ops::ask::Connection;
use crate::ops::tasks::Tasks;

/// What the gateway with these settings answers.
pub(super) fn ask(
    settings: &Path,
    method: Method,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<Bytes> {
    let ops = config::gateway(settings, &Environment::of_process())?.ops_listen;
    let body = serde_json::to_vec(body)?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let answer = block_on(async {
        let mut connection = Connection::open(ops, &Tasks::new())
            .await
            .context("asking the gateway; is it running with this configuration?")?;
        anyhow::Ok(connection.ask(method, path, &headers, body).await?)
    })??;
    match answer.status() {
        StatusCode::OK | StatusCode::NO_CONTENT => Ok(answer.into_body()),
        _ => bail!("{}", String::from_utf8_lossy(answer.body()).trim_end()),
    }
}
