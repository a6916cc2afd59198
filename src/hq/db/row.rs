//! Deliveries that wait, and share a transaction: one stable write for all of them.
//!
//! A row is never held open to wait for company: while one transaction is on its way to the disk, those that
//! come meanwhile are the next row. So a lone delivery is as fast as it can be, and a crowd as cheap.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::{Answer, Delivery, IngestOutcome, LedgerError};
use crate::domain::ids::StreamId;

/// Frames after which a row is long enough: more would make the first wait and save little.
const LONG_ENOUGH: usize = 1_000;

/// A delivery and the way back to whoever brought it.
pub(super) struct Waiting {
    delivery: Delivery,
    answer: oneshot::Sender<Answer<IngestOutcome>>,
}

impl Waiting {
    pub(super) fn new(delivery: Delivery) -> (Self, oneshot::Receiver<Answer<IngestOutcome>>) {
        let (answer, answered) = oneshot::channel();
        (Self { delivery, answer }, answered)
    }
}

/// Deliveries for one transaction, each of another stream.
pub(super) struct Row {
    deliveries: Vec<Delivery>,
    answers: Vec<oneshot::Sender<Answer<IngestOutcome>>>,
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
        let is_second = self.streams.contains(&waiting.delivery.stream);
        if is_second || self.is_long_enough() {
            return Err(waiting);
        }
        self.push(waiting);
        Ok(())
    }

    pub(super) const fn is_long_enough(&self) -> bool {
        self.entries >= LONG_ENOUGH
    }

    fn push(&mut self, Waiting { delivery, answer }: Waiting) {
        self.streams.insert(delivery.stream);
        self.entries += delivery.entries.len();
        self.deliveries.push(delivery);
        self.answers.push(answer);
    }

    pub(super) fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Tells everybody what became of the row. Where the row failed and its deliveries may do better alone,
    /// they come back as rows of one: nobody waits for ever behind somebody else's fault.
    pub(super) fn answer(self, result: Answer<Vec<IngestOutcome>>) -> Vec<Self> {
        match result {
            Ok(outcomes) => {
                for (answer, outcome) in self.answers.into_iter().zip(outcomes) {
                    // A gateway that has hung up comes again.
                    answer.send(Ok(outcome)).ok();
                }
                Vec::new()
            }
            Err(LedgerError::Storage(_)) if self.deliveries.len() > 1 => {
                let alone = self.deliveries.into_iter().zip(self.answers);
                alone
                    .map(|(delivery, answer)| Self::begin(Waiting { delivery, answer }))
                    .collect()
            }
            Err(error) => {
                for answer in self.answers {
                    answer.send(Err(error.clone())).ok();
                }
                Vec::new()
            }
        }
    }
}
