//! How the way to headquarters is: one value that both workers write and everybody may read.

use axum::http::StatusCode;
use tokio::sync::watch;

use super::transport::{NoAnswer, Response};
use crate::ops::metrics;
use crate::wire::link::LinkState;

/// The workers' handle to the state.
#[derive(Debug, Clone)]
pub(super) struct Link(watch::Sender<LinkState>);

impl Link {
    pub(super) fn new() -> (Self, watch::Receiver<LinkState>) {
        let (sender, receiver) = watch::channel(LinkState::default());
        (Self(sender), receiver)
    }

    /// Takes in what came of a request.
    pub(super) fn note(&self, answer: &Result<Response, NoAnswer>) {
        let state = match answer {
            Ok(response) if answers_as_hq(response.status) => LinkState::Online,
            Ok(_) => LinkState::HqDown,
            Err(NoAnswer::NoConnection(_)) => LinkState::Offline,
            Err(NoAnswer::Certificate(_)) => LinkState::CertBad,
            Err(NoAnswer::TimedOut | NoAnswer::Broken(_)) => LinkState::HqDown,
        };
        if let Err(error) = answer {
            metrics::count(metrics::UPLINK_FAILURES);
            tracing::debug!(%error, "headquarters did not answer");
        }
        self.set(state);
    }

    /// Something answered that is not headquarters, or not itself.
    pub(super) fn not_understood(&self) {
        self.set(LinkState::HqDown);
    }

    fn set(&self, state: LinkState) {
        let changed = self.0.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
        if changed {
            tracing::info!(link.state = state.name(), "the way to headquarters changed");
            for each in LinkState::ALL {
                ::metrics::gauge!(metrics::UPLINK_STATE, "state" => each.name())
                    .set(if each == state { 1.0 } else { 0.0 });
            }
        }
    }
}

/// Headquarters' refusals are answers, too; its failures are not.
fn answers_as_hq(status: StatusCode) -> bool {
    !status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE
}
