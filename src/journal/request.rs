//! What travels from the handles to the owner thread, and the bounds of that queue.
//!
//! Every request carries the way back to its asker; if it is dropped on the way, the asker is told that the
//! journal has ended.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::domain::ids::StreamId;

use super::depth::{Peeked, Spool};
use super::error::{CloseError, CommitError, OutboxError};

/// A decision on its way to the owner thread.
pub(super) trait Decision<B>: Send {
    /// Decides, and hands back the frame it wants and the answer to release.
    fn decide(self: Box<Self>, book: &mut B) -> (Option<Vec<u8>>, Box<dyn Release>);

    fn refuse(self: Box<Self>, error: CommitError);
}

/// An answer that waits for stable storage.
pub(super) trait Release {
    fn release(self: Box<Self>, outcome: Result<(), CommitError>);
}

/// What the owner is asked. The permit is the request's place in the bounded queue.
pub(super) enum Request<B> {
    Commit(Box<dyn Decision<B>>, OwnedSemaphorePermit),
    Note(Note),
    Outbox(OutboxRequest, OwnedSemaphorePermit),
    Close(oneshot::Sender<Result<(), CloseError>>),
}

/// A P1 frame; it keeps its place in the queue until it is written.
pub(super) struct Note {
    pub body: Vec<u8>,
    pub _place: OwnedSemaphorePermit,
}

/// What the uplink asks.
pub(super) enum OutboxRequest {
    Peek {
        spool: Spool,
        max_frames: usize,
        max_bytes: usize,
        answer: oneshot::Sender<Result<Peeked, OutboxError>>,
    },
    Acknowledge {
        spool: Spool,
        stream: StreamId,
        through: u64,
        answer: oneshot::Sender<Result<(), OutboxError>>,
    },
    Leave {
        spool: Spool,
        stream: StreamId,
        answer: oneshot::Sender<Result<(), OutboxError>>,
    },
    MoveOn {
        spool: Spool,
        stream: StreamId,
        through: u64,
        known: Vec<u64>,
        answer: oneshot::Sender<Result<(), OutboxError>>,
    },
    TakeBack {
        spool: Spool,
        stream: StreamId,
        after: u64,
        answer: oneshot::Sender<Result<u64, OutboxError>>,
    },
}

/// The bounds of the request queue. Closed when the owner ends, so that nobody waits for a place in vain.
#[derive(Clone)]
pub(super) struct Places {
    pub requests: Arc<Semaphore>,
    pub notes: Arc<Semaphore>,
}
