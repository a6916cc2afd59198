//! The handles to the owner thread: [`Journal`] for those who decide, [`Outbox`] for the uplink.
//!
//! The queue is bounded: 256 requests and 1,024 P1 frames. A commit or an uplink request waits for its place
//! asynchronously; a P1 frame never waits and is dropped and counted instead. When the owner has ended every
//! call returns an error.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::domain::ids::StreamId;
use crate::ops::clock::Clock;
use crate::ops::metrics;

use super::book::{Book, Verdict};
use super::damage::{Damage, Reports};
use super::depth::{Depths, Peeked, Spool};
use super::error::{CloseError, CommitError, OpenError, OutboxError, StorageError};
use super::options::{Memory, Options};
use super::owner::Owner;
use super::request::{Decision, Note, OutboxRequest, Places, Release, Request};
use super::space;
use super::store::{Lock, Place};

/// With the feature `fault` as many as a faulty commit may hold.
const REQUEST_PLACES: usize = if cfg!(feature = "fault") { 2048 } else { 256 };
const NOTE_PLACES: usize = 1024;

/// A handle to one journal's owner thread.
pub struct Journal<B> {
    requests: Sender<Request<B>>,
    places: Places,
    depths: watch::Receiver<Depths>,
    damage: watch::Receiver<Damage>,
}

/// The uplink's side of a journal, whatever its book.
#[derive(Clone)]
pub struct Outbox {
    mailbox: Arc<dyn Mailbox>,
    places: Arc<Semaphore>,
    depths: watch::Receiver<Depths>,
}

impl<B: Book> Journal<B> {
    /// Opens or begins a journal and rebuilds the book from it. Blocks while it reads.
    pub fn open(
        dir: &Path,
        options: Options,
        clock: Arc<dyn Clock>,
        book: B,
    ) -> Result<Self, OpenError> {
        let lock = Lock::take(dir)?;
        if options.memory == Memory::Refuse {
            space::refuse_memory(dir)?;
        }
        let (sender, receiver) = mpsc::channel();
        let places = Places {
            requests: Arc::new(Semaphore::new(REQUEST_PLACES)),
            notes: Arc::new(Semaphore::new(NOTE_PLACES)),
        };
        let place = Place {
            dir: dir.to_owned(),
            options,
            reports: Reports::open(dir, Arc::clone(&clock)),
            clock,
        };
        let damage = place.reports.watch();
        let (owner, depths) = Owner::new(book, place, lock, receiver, places.clone())?;
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(|| owner.run())
            .map_err(StorageError::from)?;
        Ok(Self {
            requests: sender,
            places,
            depths,
            damage,
        })
    }

    /// Runs `decide` on the owner thread, after all earlier decisions; its answer comes after stable storage.
    ///
    /// `decide` sees the book with every earlier decision applied, those of the same commit included, and
    /// what it returns is applied right away. It must not change the book itself in any way that `apply` does
    /// not repeat. If the commit fails, the book is rebuilt and everyone in that commit gets an error.
    pub async fn commit<A: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut B) -> Verdict<A> + Send + 'static,
    ) -> Result<A, CommitError> {
        let (answer, answered) = oneshot::channel();
        let place = place_in(&self.places.requests)
            .await
            .ok_or(CommitError::Ended)?;
        let request = Request::Commit(Box::new(Asked { decide, answer }), place);
        self.requests
            .send(request)
            .map_err(|_| CommitError::Ended)?;
        answered.await.unwrap_or(Err(CommitError::Ended))
    }

    /// Hands over a P1 frame. It rides on the next commit or is written after the options' delay.
    pub fn note(&self, body: Vec<u8>) {
        let sent = Arc::clone(&self.places.notes)
            .try_acquire_owned()
            .ok()
            .and_then(|place| {
                let note = Note {
                    body,
                    _place: place,
                };
                self.requests.send(Request::Note(note)).ok()
            });
        if sent.is_none() {
            metrics::add_of(metrics::JOURNAL_P1_DROPPED_TOTAL, ("reason", "queue"), 1);
        }
    }

    /// What the uplink uses.
    pub fn outbox(&self) -> Outbox {
        Outbox {
            mailbox: Arc::new(self.requests.clone()),
            places: Arc::clone(&self.places.requests),
            depths: self.depths.clone(),
        }
    }

    /// What the media have destroyed and nobody has dealt with, by taking DAMAGE away.
    pub fn damage(&self) -> watch::Receiver<Damage> {
        self.damage.clone()
    }

    /// Writes what waits, checkpoints the book, marks everything clean and ends the owner thread.
    ///
    /// When it returns the directory may be opened again.
    pub async fn close(&self) -> Result<(), CloseError> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(Request::Close(answer))
            .map_err(|_| CloseError::Ended)?;
        answered.await.unwrap_or(Err(CloseError::Ended))
    }
}

impl<B> Clone for Journal<B> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
            places: self.places.clone(),
            depths: self.depths.clone(),
            damage: self.damage.clone(),
        }
    }
}

impl<B> fmt::Debug for Journal<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

impl Outbox {
    /// The oldest unacknowledged frames, all of one stream and with consecutive numbers; at least one if
    /// there is any. Stops before a hole.
    pub async fn peek(
        &self,
        spool: Spool,
        max_frames: usize,
        max_bytes: usize,
    ) -> Result<Peeked, OutboxError> {
        self.ask(|answer| OutboxRequest::Peek {
            spool,
            max_frames,
            max_bytes,
            answer,
        })
        .await
    }

    /// Lets go of the frames of `stream` up to and including `through`.
    ///
    /// A stale or foreign acknowledgement is harmless; one of frames that were never written is refused.
    pub async fn acknowledge(
        &self,
        spool: Spool,
        stream: StreamId,
        through: u64,
    ) -> Result<(), OutboxError> {
        self.ask(|answer| OutboxRequest::Acknowledge {
            spool,
            stream,
            through,
            answer,
        })
        .await
    }

    /// Begins a new stream, if `stream` is the one that is written: headquarters has closed it.
    pub async fn leave(&self, spool: Spool, stream: StreamId) -> Result<(), OutboxError> {
        self.ask(|answer| OutboxRequest::Leave {
            spool,
            stream,
            answer,
        })
        .await
    }

    /// Gives the frames of a closed stream up to `through`, except those that headquarters has (`known`), new
    /// numbers in the stream that is written, with the same ids and in the same order, and lets the old ones
    /// go. After a crash half way it may be asked again, and moves nothing twice.
    pub async fn move_on(
        &self,
        spool: Spool,
        stream: StreamId,
        through: u64,
        known: Vec<u64>,
    ) -> Result<(), OutboxError> {
        self.ask(|answer| OutboxRequest::MoveOn {
            spool,
            stream,
            through,
            known,
            answer,
        })
        .await
    }

    /// Counts acknowledged frames after `after` as unacknowledged again: a restored headquarters has lost
    /// them. Says which is the oldest that is here, as far back as none is missing.
    pub async fn take_back(
        &self,
        spool: Spool,
        stream: StreamId,
        after: u64,
    ) -> Result<u64, OutboxError> {
        self.ask(|answer| OutboxRequest::TakeBack {
            spool,
            stream,
            after,
            answer,
        })
        .await
    }

    /// What is unacknowledged, kept up to date.
    pub fn depths(&self) -> watch::Receiver<Depths> {
        self.depths.clone()
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, OutboxError>>) -> OutboxRequest,
    ) -> Result<T, OutboxError> {
        let (answer, answered) = oneshot::channel();
        let place = place_in(&self.places).await.ok_or(OutboxError::Ended)?;
        if !self.mailbox.put(request(answer), place) {
            return Err(OutboxError::Ended);
        }
        answered.await.unwrap_or(Err(OutboxError::Ended))
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// Hides the book's type from the uplink.
trait Mailbox: Send + Sync {
    /// Whether there is still someone to answer.
    fn put(&self, request: OutboxRequest, place: OwnedSemaphorePermit) -> bool;
}

impl<B: Book> Mailbox for Sender<Request<B>> {
    fn put(&self, request: OutboxRequest, place: OwnedSemaphorePermit) -> bool {
        self.send(Request::Outbox(request, place)).is_ok()
    }
}

/// `None` once the owner has ended.
async fn place_in(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).acquire_owned().await.ok()
}

/// A decision with the way back to its asker.
struct Asked<D, A> {
    decide: D,
    answer: oneshot::Sender<Result<A, CommitError>>,
}

struct Waiting<A> {
    verdict: A,
    answer: oneshot::Sender<Result<A, CommitError>>,
}

impl<B, A, D> Decision<B> for Asked<D, A>
where
    A: Send + 'static,
    D: FnOnce(&mut B) -> Verdict<A> + Send,
{
    fn decide(self: Box<Self>, book: &mut B) -> (Option<Vec<u8>>, Box<dyn Release>) {
        let Verdict { body, answer } = (self.decide)(book);
        let waiting = Waiting {
            verdict: answer,
            answer: self.answer,
        };
        (body, Box::new(waiting))
    }

    fn refuse(self: Box<Self>, error: CommitError) {
        // An asker that stopped waiting needs no answer; the same below.
        self.answer.send(Err(error)).ok();
    }
}

impl<A> Release for Waiting<A> {
    fn release(self: Box<Self>, outcome: Result<(), CommitError>) {
        let Self { verdict, answer } = *self;
        answer.send(outcome.map(|()| verdict)).ok();
    }
}
