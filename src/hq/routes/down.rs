//! The long poll: a gateway says what it has, and hears of a newer bundle or a command as soon as there is one.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::Refused;
use super::sync::{HIGHEST_VERSION, Known};
use crate::domain::command::Cursor;
use crate::domain::ids::CommandId;
use crate::hq::db::commands::Row;
use crate::hq::db::{Gateway, Report, ReportedBundle};
use crate::hq::state::Shared;
use crate::wire::link::{BundlePointer, BundleState, Item, News};

/// Middleboxes close what is silent for a minute.
const LONGEST_POLL: Duration = Duration::from_secs(50);

/// A number that a gateway may claim to have come to; far above what one command a second could reach.
const MOST_COMMANDS: u64 = 1 << 40;

#[derive(Deserialize)]
pub(super) struct Poll {
    /// The version of the bundle that the gateway has.
    v: u64,
    /// Seconds to wait for news.
    #[serde(default)]
    wait: u64,
    /// The number of the last command that it has dealt with, 0 before the first; none from a gateway of
    /// version 0.1, which knows of no commands.
    c: Option<u64>,
    /// The id of that command.
    i: Option<CommandId>,
}

/// Answers as soon as there is a newer bundle or a command, or with nothing when the wait is over.
pub(super) async fn down(
    State(hq): State<Shared>,
    Known(gateway): Known,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(poll) = poll.map_err(|bad| {
        Refused::new(StatusCode::BAD_REQUEST, "query_malformed", &bad.body_text())
    })?;
    if let Some(pointer) = hq.bundles.pointer(gateway.id)
        && (pointer.v + 1..=HIGHEST_VERSION).contains(&poll.v)
    {
        note_ahead(&hq, &gateway, poll.v).await?;
    }
    if poll.c.is_some_and(|c| c > MOST_COMMANDS) {
        let message = "no gateway has been given so many commands";
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "command_unknown",
            &message,
        ));
    }
    let until = Instant::now() + Duration::from_secs(poll.wait).min(LONGEST_POLL);
    let question = Question {
        hq: &hq,
        gateway,
        poll,
    };
    let news = tokio::select! {
        news = question.news(until) => news?,
        () = hq.tasks.stopping() => News::default(),
    };
    Ok(match news {
        News {
            bundle: None,
            items,
        } if items.is_empty() => StatusCode::NO_CONTENT.into_response(),
        News {
            bundle: Some(pointer),
            ..
        } if question.poll.c.is_none() => Json(pointer).into_response(),
        news => Json(news).into_response(),
    })
}

struct Question<'a> {
    hq: &'a Shared,
    /// As it was when it asked.
    gateway: Gateway,
    poll: Poll,
}

impl Question<'_> {
    /// Waits for something that the gateway does not have. Looks once, however short the time.
    async fn news(&self, until: Instant) -> Result<News, Refused> {
        // Before the first look: a change between looking and waiting must wake the wait.
        let mut changed = self.hq.bundles.subscribe();
        let mut is_to_hear = self.is_to_hear();
        loop {
            let items = if is_to_hear || self.is_given_one() {
                self.commands().await?
            } else {
                Vec::new()
            };
            let bundle = self.bundle();
            if bundle.is_some() || !items.is_empty() {
                return Ok(News { bundle, items });
            }
            is_to_hear = false;
            let Ok(Ok(())) = timeout_at(until, changed.changed()).await else {
                return Ok(News::default());
            };
        }
    }

    fn bundle(&self) -> Option<BundlePointer> {
        let pointer = self.hq.bundles.pointer(self.gateway.id);
        pointer.filter(|pointer| pointer.v > self.poll.v)
    }

    /// Whether the gateway says something that its row does not, or the row has something for it. Otherwise
    /// the ledger is not asked: most polls bring nothing.
    fn is_to_hear(&self) -> bool {
        let Row { given, done } = self.gateway.commands;
        self.poll.c.is_some_and(|c| c < given || c != done)
    }

    /// Whether there has been one since the gateway asked.
    fn is_given_one(&self) -> bool {
        let last = self.hq.bundles.last_command(self.gateway.id);
        self.poll.c.is_some_and(|c| c < last)
    }

    async fn commands(&self) -> Result<Vec<Item>, Refused> {
        let Poll { c, i, .. } = self.poll;
        let cursor = c.zip(i).map(|(number, id)| Cursor { number, id });
        let now = self.hq.clock.now();
        let items = self.hq.ledger.commands_after(self.gateway.id, cursor, now);
        Ok(items.await?)
    }
}

/// Headquarters came back from a backup and the gateway has run on: it takes only what is newer than it
/// has, and reports a version once, so headquarters learns of it here.
async fn note_ahead(hq: &Shared, gateway: &Gateway, version: u64) -> Result<(), Refused> {
    tracing::warn!(
        gateway.id = %gateway.id,
        bundle.version = version,
        "a gateway has a newer bundle than headquarters; was the ledger restored from a backup?"
    );
    let report = Report {
        gateway: gateway.id,
        bundle: ReportedBundle {
            version,
            state: BundleState::Applied,
            why: String::new(),
        },
        software: gateway.software.clone(),
        now: hq.clock.now(),
    };
    hq.ledger.record_report(report).await?;
    hq.bundles.look_now();
    Ok(())
}
