//! The listener: asks headquarters for news with a long poll, puts new bundles in force and has commands
//! carried out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::StatusCode;
use tokio::sync::watch;

use super::backoff::Backoff;
use super::bundle::{NotTaken, Slots, Taken};
use super::commands::{self, BrokenOff, Commands, Renew as _};
use super::credentials::Credentials;
use super::transport::{Content, NoAnswer, Request};
use super::up::chance;
use super::way::Way;
use crate::config::settings::UplinkSettings;
use crate::domain::command::{Cursor, Outcome};
use crate::ops::clock::Clock;
use crate::ops::key::{Holder, Key};
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::Bundle;
use crate::wire::link::{BundlePointer, BundleState, News, Reported, SOFTWARE};

/// A bundle of a street gateway on a bad line.
const FETCH_WITHIN: Duration = Duration::from_secs(120);

/// Commands that cannot be dealt with now, on a full disk say, are asked for again after so long at most.
const COMMANDS_REST: Duration = Duration::from_secs(30);

/// What headquarters may take beyond the time it was asked to wait.
const POLL_MARGIN: Duration = Duration::from_secs(15);

/// The listener and what it works with.
pub(super) struct Down {
    pub(super) way: Way,
    pub(super) slots: Slots,
    pub(super) bundle: watch::Sender<Arc<Bundle>>,
    pub(super) settings: UplinkSettings,
    pub(super) credentials: Arc<Credentials>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) commands: Commands,
}

/// How the last question fared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Holds,
    Away,
}

/// What a question came to.
enum Nothing {
    /// No answer, or none that helps.
    News,
    /// Commands that could not be dealt with yet.
    Done,
}

impl From<NoAnswer> for Nothing {
    /// The way has noted why.
    fn from(_: NoAnswer) -> Self {
        Self::News
    }
}

impl From<BrokenOff> for Nothing {
    fn from(BrokenOff: BrokenOff) -> Self {
        Self::Done
    }
}

impl Down {
    pub(super) async fn run(self, tasks: &Tasks) {
        tokio::select! {
            () = self.work() => {}
            () = tasks.stopping() => {}
        }
    }

    async fn work(self) {
        let mut backoff = Backoff::default();
        let mut way = Line::Holds;
        // A bundle that was refused is not fetched again; the question is for anything newer.
        let mut seen = self.bundle.borrow().version;
        self.greet(seen).await;
        loop {
            self.renew_if_due().await;
            let heard = self.hear(&mut seen, way).await;
            let before = way;
            way = match heard {
                Err(Nothing::News) => Line::Away,
                Ok(()) | Err(Nothing::Done) => Line::Holds,
            };
            if before == Line::Away && way == Line::Holds {
                // What waits here need not wait until the sender has got over its own failures.
                self.commands.say_hello_again();
            }
            let wait = match heard {
                Ok(()) => {
                    backoff.reset();
                    continue;
                }
                Err(Nothing::News) => backoff.next(chance()),
                // Headquarters is there, and may have a bundle at any time.
                Err(Nothing::Done) => backoff.next(chance()).min(COMMANDS_REST),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks once, and does what the answer wants done.
    async fn hear(&self, seen: &mut u64, way: Line) -> Result<(), Nothing> {
        let cursor = self.commands.cursor().await?;
        // At once where it is not known whether anybody is there.
        let wait = match way {
            Line::Holds => jittered(self.settings.long_poll),
            Line::Away => Duration::ZERO,
        };
        let news = self.poll(*seen, cursor, wait).await?;
        // Neither holds up the other: a void coupon does not wait for a bundle that the line is too bad for.
        let dealt_with = self.commands.deal_with(&news.items, self).await;
        if let Some(pointer) = news.bundle {
            self.fetch(&pointer).await?;
            *seen = (*seen).max(pointer.v);
        }
        dealt_with?;
        Ok(())
    }

    /// Says at start which bundle is in force, so that headquarters' table is right at once.
    async fn greet(&self, version: u64) {
        if version > 0 {
            self.report(version, BundleState::Applied, String::new())
                .await;
        }
    }

    async fn poll(
        &self,
        seen: u64,
        cursor: Option<Cursor>,
        wait: Duration,
    ) -> Result<News, Nothing> {
        let mut path = format!("/v1/down?v={seen}&wait={}", wait.as_secs());
        match cursor {
            Some(Cursor { number, id }) => path.push_str(&format!("&c={number}&i={id}")),
            None => path.push_str("&c=0"),
        }
        let response = self.way.ask(Request::get(path, wait + POLL_MARGIN)).await?;
        match response.status {
            StatusCode::NO_CONTENT => Ok(News::default()),
            // An answer that brings nothing is one of somebody else's: asking again at once would spin.
            StatusCode::OK => serde_json::from_slice(&response.body)
                .ok()
                .filter(|news: &News| news.bundle.is_some() || !news.items.is_empty())
                .ok_or(Nothing::News),
            _ => Err(Nothing::News),
        }
    }

    async fn fetch(&self, pointer: &BundlePointer) -> Result<(), Nothing> {
        let path = format!("/v1/bundle/{}", pointer.sha256);
        let response = self.way.ask(Request::get(path, FETCH_WITHIN)).await?;
        if response.status != StatusCode::OK {
            return Err(Nothing::News);
        }
        let running = Arc::clone(&self.bundle.borrow());
        let slots = self.slots.clone();
        let (bytes, announced) = (response.body, pointer.clone());
        // Checking and syncing are too long for an async thread.
        let taken = tokio::task::spawn_blocking(move || slots.take(&bytes, &announced, &running))
            .await
            .map_err(|_| Nothing::News)?;
        match taken {
            Ok(Taken { opened, verdict }) => {
                for fault in &opened.left_out {
                    tracing::warn!(%fault, "a campaign cannot be read and is left out");
                }
                for fault in &verdict.faults {
                    tracing::error!(%fault, "a campaign is refused and left out");
                }
                for fault in &verdict.flagged {
                    tracing::warn!(%fault, "a campaign that newer rules refuse runs on");
                }
                tracing::info!(bundle.version = pointer.v, "a new bundle is in force");
                let told = [opened.left_out, verdict.faults, verdict.flagged].concat();
                let told: Vec<_> = told.iter().map(ToString::to_string).collect();
                self.bundle.send_replace(Arc::new(opened.bundle));
                self.report(pointer.v, BundleState::Applied, told.join("\n"))
                    .await;
                Ok(())
            }
            // A full disk may have room again; the same bundle is worth another try.
            Err(NotTaken::Io(error)) => {
                tracing::error!(%error, "a bundle could not be kept");
                Err(Nothing::News)
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
        self.renew().await;
    }

    async fn get_certificate(&self) -> anyhow::Result<Answered> {
        let key = Key::make().context("making a new key")?;
        let request = key.signing_request(Holder::Gateway)?;
        let path = "/v1/renew".to_owned();
        let request = Request::post(path, request.into_bytes(), Content::Json, POLL_MARGIN);
        let Ok(response) = self.way.ask(request).await else {
            return Ok(Answered::No);
        };
        let busy = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if busy.contains(&response.status) {
            return Ok(Answered::No);
        }
        if response.status != StatusCode::OK {
            bail!("headquarters answered {}", response.status);
        }
        let renewed = serde_json::from_slice(&response.body).context("reading the answer")?;
        self.credentials.renew(&key, renewed)?;
        tracing::info!("the certificate has been renewed");
        Ok(Answered::Yes)
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
        self.way.ask(request).await.ok();
    }
}

impl commands::Renew for Down {
    async fn renew(&self) -> Option<Outcome> {
        match self.get_certificate().await {
            Ok(Answered::Yes) => Some(Outcome::Done),
            Ok(Answered::No) => None,
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "the certificate could not be renewed");
                Some(Outcome::Failed)
            }
        }
    }
}

/// Whether headquarters said anything but that it is busy.
enum Answered {
    Yes,
    No,
}

/// Between 55 % and 100 % of the time, so that stores do not ask in step.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.55 + 0.45 * chance())
}
