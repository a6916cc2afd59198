//! How the way to headquarters is: each worker says how its own requests fare, and the worse counts.
//!
//! Never decides anything: it is for the manager's eyes, `/readyz` and the metrics.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::sync::watch;

use super::captive::Upstream;
use super::transport::{NoAnswer, Response};
use crate::ops::clock::Anchored;
use crate::ops::metrics;
use crate::wire::link::LinkState;

/// Whose requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Up,
    Down,
}

/// One worker's handle to the state.
#[derive(Debug, Clone)]
pub(super) struct Link {
    lane: Lane,
    lanes: Arc<Mutex<Lanes>>,
    clock: Option<Arc<Anchored>>,
    shown: watch::Sender<LinkState>,
}

#[derive(Debug, Default)]
struct Lanes {
    up: LinkState,
    down: LinkState,
}

impl Link {
    pub(super) fn new(clock: Option<Arc<Anchored>>) -> (Self, watch::Receiver<LinkState>) {
        let (shown, receiver) = watch::channel(LinkState::default());
        let link = Self {
            lane: Lane::Up,
            lanes: Arc::default(),
            clock,
            shown,
        };
        (link, receiver)
    }

    /// The same state for the worker of `lane`.
    pub(super) fn on(&self, lane: Lane) -> Self {
        Self {
            lane,
            ..self.clone()
        }
    }

    /// Takes in what came of a request; where nothing came, also what somebody else answered, if one was asked.
    pub(super) fn note(&self, answer: &Result<Response, NoAnswer>, upstream: Option<Upstream>) {
        if let Err(error) = answer {
            metrics::count(metrics::UPLINK_FAILURES);
            tracing::debug!(%error, "headquarters did not answer");
        }
        self.set(match (answer, upstream) {
            (Ok(response), _) => self.told_by(response.status),
            (Err(_), Some(Upstream::Captive)) => LinkState::UpstreamCaptive,
            (Err(NoAnswer::Certificate(_)), _) => LinkState::CertBad,
            (Err(_), Some(Upstream::Open)) => LinkState::HqDown,
            // A line that went dark swallows what is sent and says nothing.
            (Err(_), Some(Upstream::Unreachable)) | (Err(NoAnswer::NoConnection(_)), None) => {
                LinkState::Offline
            }
            (Err(NoAnswer::TimedOut | NoAnswer::Broken(_)), None) => LinkState::HqDown,
        });
    }

    /// What an answer's status says of the one who gave it.
    fn told_by(&self, status: StatusCode) -> LinkState {
        match status {
            // Headquarters knows who asks, and does not want to hear from them.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => LinkState::CertBad,
            StatusCode::CONFLICT
            | StatusCode::GONE
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::TOO_MANY_REQUESTS => self.online(),
            status if status.is_success() => self.online(),
            _ => LinkState::HqDown,
        }
    }

    fn online(&self) -> LinkState {
        let clock = self.clock.as_ref();
        match clock.is_some_and(|clock| clock.system_is_off()) {
            true => LinkState::ClockBad,
            false => LinkState::Online,
        }
    }

    /// Something answered that is not headquarters, or not itself.
    pub(super) fn not_understood(&self) {
        self.set(LinkState::HqDown);
    }

    fn set(&self, state: LinkState) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match self.lane {
            Lane::Up => lanes.up = state,
            Lane::Down => lanes.down = state,
        }
        let worse = lanes.up.max(lanes.down);
        let changed = self.shown.send_if_modified(|shown| {
            let changed = *shown != worse;
            *shown = worse;
            changed
        });
        if changed {
            tracing::info!(link.state = worse.name(), "the way to headquarters changed");
            for each in LinkState::ALL {
                let label = ("state", each.name());
                metrics::set_of(metrics::UPLINK_STATE, label, u64::from(each == worse));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: StatusCode) -> Response {
        Response {
            status,
            retry_after: None,
            body: axum::body::Bytes::new(),
        }
    }

    #[test]
    fn a_good_long_poll_does_not_hide_that_batches_fail() {
        let (link, state) = Link::new(None);
        let (up, down) = (link.on(Lane::Up), link.on(Lane::Down));
        down.note(&Ok(answered(StatusCode::NO_CONTENT)), None);
        assert_eq!(*state.borrow(), LinkState::Online);
        up.note(&Ok(answered(StatusCode::INTERNAL_SERVER_ERROR)), None);
        down.note(&Ok(answered(StatusCode::NO_CONTENT)), None);
        assert_eq!(*state.borrow(), LinkState::HqDown);
        up.note(&Ok(answered(StatusCode::OK)), None);
        assert_eq!(*state.borrow(), LinkState::Online);
    }

    #[test]
    fn a_revoked_box_is_not_online() {
        let (link, state) = Link::new(None);
        link.note(&Ok(answered(StatusCode::FORBIDDEN)), None);
        assert_eq!(*state.borrow(), LinkState::CertBad);
    }
}
