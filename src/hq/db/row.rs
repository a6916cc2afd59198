//! Deliveries that wait, and share a transaction: one stable write for all of them.
//!
//! A row is never held open to wait for company: while one transaction is on its way to the disk, those that
//! come meanwhile are the next row. So a lone delivery is as fast as it can be, and a crowd as cheap.
//!
//! Writers are few and callers many, so what does not need the ledger is done by whoever brings a delivery:
//! its chain and its sums before it waits, and giving its memory back after it was answered.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::plan::chains;
use super::tally::Tally;
use super::{Answer, Delivery, Entry, IngestOutcome, LedgerError};
use crate::domain::ids::{Chain, StreamId};

/// Frames after which a row is long enough: more would make the first wait and save little.
const LONG_ENOUGH: usize = 1_000;

/// A delivery with what can be known of it before its turn.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) delivery: Delivery,
    /// What [`chains`] says.
    pub(super) chains: Vec<Option<Chain>>,
    /// Of all its frames, as if none were here.
    pub(super) tally: Tally,
}

impl From<Delivery> for Prepared {
    fn from(delivery: Delivery) -> Self {
        let frames = delivery.entries.iter().filter_map(Entry::frame);
        Self {
            chains: chains(&delivery),
            tally: Tally::of(frames),
            delivery,
        }
    }
}

/// What became of a delivery, and the delivery.
type Answered = (Answer<IngestOutcome>, Prepared);

/// A delivery and the way back to whoever brought it.
pub(super) struct Waiting {
    prepared: Box<Prepared>,
    answer: oneshot::Sender<Answered>,
}

/// What whoever brought a delivery holds.
pub(super) struct Ticket(oneshot::Receiver<Answered>);

impl Waiting {
    pub(super) fn new(delivery: Delivery) -> (Self, Ticket) {
        let (answer, answered) = oneshot::channel();
        let prepared = Box::new(delivery.into());
        (Self { prepared, answer }, Ticket(answered))
    }
}

impl Ticket {
    pub(super) async fn outcome(self) -> Answer<IngestOutcome> {
        let (outcome, _) = self.0.await.map_err(|_| LedgerError::Stopped)?;
        outcome
    }
}

/// Deliveries for one transaction, each of another stream.
pub(super) struct Row {
    deliveries: Vec<Prepared>,
    answers: Vec<oneshot::Sender<Answered>>,
    streams: BTreeSet<StreamId>,
    entries: usize,
}

impl Row {
    pub(super) fn begin(first: Waiting) -> Self {
        let mut row = Self {
            deliveries: Vec::new(),
            answers: Vec::new(),
            streams: BTreeSet::new(),
            entries: 0,
        };
        row.push(first);
        row
    }

    /// Adds a delivery, or gives it back where it has to be in the next row.
    pub(super) fn join(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let is_second = self.streams.contains(&waiting.prepared.delivery.stream);
        if is_second || self.is_long_enough() {
            return Err(waiting);
        }
        self.push(waiting);
        Ok(())
    }

    pub(super) const fn is_long_enough(&self) -> bool {
        self.entries >= LONG_ENOUGH
    }

    fn push(&mut self, Waiting { prepared, answer }: Waiting) {
        self.streams.insert(prepared.delivery.stream);
        self.entries += prepared.delivery.entries.len();
        self.deliveries.push(*prepared);
        self.answers.push(answer);
    }

    pub(super) fn deliveries(&self) -> &[Prepared] {
        &self.deliveries
    }

    /// Tells everybody what became of the row. Where the row failed and its deliveries may do better alone,
    /// they come back as rows of one: nobody waits for ever behind somebody else's fault.
    pub(super) fn answer(self, result: Answer<Vec<IngestOutcome>>) -> Vec<Self> {
        let back = self.deliveries.into_iter().zip(self.answers);
        match result {
            Ok(outcomes) => {
                for ((prepared, answer), outcome) in back.zip(outcomes) {
                    // A gateway that has hung up comes again.
                    answer.send((Ok(outcome), prepared)).ok();
                }
                Vec::new()
            }
            Err(LedgerError::Storage(_)) if back.len() > 1 => back
                .map(|(prepared, answer)| {
                    let prepared = Box::new(prepared);
                    Self::begin(Waiting { prepared, answer })
                })
                .collect(),
            Err(error) => {
                for (prepared, answer) in back {
                    answer.send((Err(error.clone()), prepared)).ok();
                }
                Vec::new()
            }
        }
    }
}
