//! The listener: asks headquarters for news with a long poll and puts new bundles in force.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::StatusCode;
use tokio::sync::watch;

use super::backoff::Backoff;
use super::bundle::{NotTaken, Slots};
use super::credentials::Credentials;
use super::key::NewKey;
use super::link::Link;
use super::transport::{Content, NoAnswer, Request, Response, Transport};
use super::up::chance;
use crate::config::settings::UplinkSettings;
use crate::ops::clock::Clock;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::Bundle;
use crate::wire::link::{BundlePointer, BundleState, Reported, SOFTWARE};

/// A bundle of a street gateway on a bad line.
const FETCH_WITHIN: Duration = Duration::from_secs(120);

/// What headquarters may take beyond the time it was asked to wait.
const POLL_MARGIN: Duration = Duration::from_secs(15);

/// The listener and what it works with.
pub(super) struct Down {
    pub(super) transport: Box<dyn Transport>,
    pub(super) slots: Slots,
    pub(super) bundle: watch::Sender<Arc<Bundle>>,
    pub(super) settings: UplinkSettings,
    pub(super) link: Link,
    pub(super) credentials: Arc<Credentials>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The question came to nothing.
struct NoNews;

impl Down {
    pub(super) async fn run(self, tasks: &Tasks) {
        tokio::select! {
            () = self.work() => {}
            () = tasks.stopping() => {}
        }
    }

    async fn work(self) {
        let mut backoff = Backoff::default();
        // A bundle that was refused is not fetched again; the question is for anything newer.
        let mut seen = self.bundle.borrow().version;
        self.greet(seen).await;
        loop {
            self.renew_if_due().await;
            match self.poll(seen).await {
                Ok(None) => backoff.reset(),
                Ok(Some(pointer)) => match self.fetch(&pointer).await {
                    Ok(()) => {
                        seen = seen.max(pointer.v);
                        backoff.reset();
                    }
                    Err(NoNews) => tokio::time::sleep(backoff.next(chance())).await,
                },
                Err(NoNews) => tokio::time::sleep(backoff.next(chance())).await,
            }
        }
    }

    /// Says at start which bundle is in force, so that headquarters' table is right at once.
    async fn greet(&self, version: u64) {
        if version > 0 {
            self.report(version, BundleState::Applied, String::new())
                .await;
        }
    }

    async fn poll(&self, seen: u64) -> Result<Option<BundlePointer>, NoNews> {
        let wait = jittered(self.settings.long_poll);
        let path = format!("/v1/down?v={seen}&wait={}", wait.as_secs());
        let response = self.ask(Request::get(path, wait + POLL_MARGIN)).await?;
        match response.status {
            StatusCode::NO_CONTENT => Ok(None),
            StatusCode::OK => serde_json::from_slice(&response.body)
                .map(Some)
                .map_err(|_| NoNews),
            _ => Err(NoNews),
        }
    }

    async fn fetch(&self, pointer: &BundlePointer) -> Result<(), NoNews> {
        let path = format!("/v1/bundle/{}", pointer.sha256);
        let response = self.ask(Request::get(path, FETCH_WITHIN)).await?;
        if response.status != StatusCode::OK {
            return Err(NoNews);
        }
        let have = self.bundle.borrow().version;
        let slots = self.slots.clone();
        let (bytes, announced) = (response.body, pointer.clone());
        // Checking and syncing are too long for an async thread.
        let taken = tokio::task::spawn_blocking(move || slots.take(&bytes, &announced, have))
            .await
            .map_err(|_| NoNews)?;
        match taken {
            Ok(opened) => {
                for fault in &opened.left_out {
                    tracing::warn!(%fault, "a campaign cannot be read and is left out");
                }
                tracing::info!(bundle.version = pointer.v, "a new bundle is in force");
                let left_out: Vec<_> = opened.left_out.iter().map(ToString::to_string).collect();
                self.bundle.send_replace(Arc::new(opened.bundle));
                self.report(pointer.v, BundleState::Applied, left_out.join("\n"))
                    .await;
                Ok(())
            }
            // A full disk may have room again; the same bundle is worth another try.
            Err(NotTaken::Io(error)) => {
                tracing::error!(%error, "a bundle could not be kept");
                Err(NoNews)
            }
            Err(error) => {
                metrics::add_of(metrics::BUNDLES_REFUSED, ("reason", error.code()), 1);
                tracing::error!(%error, bundle.version = pointer.v, "a bundle was refused; the last good one stays");
                self.report(pointer.v, BundleState::Refused, error.to_string())
                    .await;
                Ok(())
            }
        }
    }

    /// Has the certificate renewed when its time has come. What fails is tried again at the next question:
    /// there are sixty days for it.
    async fn renew_if_due(&self) {
        if self.clock.doubt().is_some() || !self.credentials.is_due(self.clock.now()) {
            return;
        }
        if let Err(error) = self.renew().await {
            tracing::warn!(error = %format!("{error:#}"), "the certificate could not be renewed yet");
        }
    }

    async fn renew(&self) -> anyhow::Result<()> {
        let key = NewKey::make().context("making a new key")?;
        let request = key.signing_request()?;
        let path = "/v1/renew".to_owned();
        let request = Request::post(path, request.into_bytes(), Content::Json, POLL_MARGIN);
        let Ok(response) = self.ask(request).await else {
            bail!("headquarters did not answer");
        };
        if response.status != StatusCode::OK {
            bail!("headquarters answered {}", response.status);
        }
        let renewed = serde_json::from_slice(&response.body).context("reading the answer")?;
        self.credentials.renew(&key, renewed)?;
        tracing::info!("the certificate has been renewed");
        Ok(())
    }

    async fn report(&self, v: u64, state: BundleState, why: String) {
        let reported = Reported {
            v,
            state,
            why,
            sw: SOFTWARE.to_owned(),
        };
        let body = serde_json::to_vec(&reported).expect("a report is plain data");
        let path = "/v1/reported".to_owned();
        let request = Request::post(path, body, Content::Json, POLL_MARGIN);
        // Lost reports are made up for at the next start.
        self.ask(request).await.ok();
    }

    async fn ask(&self, request: Request) -> Result<Response, NoNews> {
        let answer: Result<Response, NoAnswer> = self.transport.ask(request).await;
        self.link.note(&answer);
        answer.map_err(|_| NoNews)
    }
}

/// Between 55 % and 100 % of the time, so that stores do not ask in step.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.55 + 0.45 * chance())
}
