//! What the caller keeps in step with the frames, and what a decision says.
//!
//! The journal is the truth and a book is a projection of it: whatever a book knows, it knows from frames.

use crate::domain::ids::FramePlace;

/// A projection of P0, and of P1 where it cares, kept by the owner thread.
///
/// `apply` is idempotent: frames the book already contains are applied again after a crash, from some point
/// on and always up to the end, and must lead to the same book. So is `note`. A book that counts goes by the
/// frame's place, which is the same each time.
pub trait Book: Send + 'static {
    /// Forgets everything, changes not yet taken included: a rebuild follows.
    fn reset(&mut self);

    /// Takes back one checkpointed entry. This is not a change.
    fn restore(&mut self, key: &[u8], value: &[u8]);

    /// Takes in one P0 frame, in order.
    fn apply(&mut self, at: FramePlace, frame_body: &[u8]);

    /// Takes in one P1 frame, in order, once it is on stable storage.
    fn note(&mut self, _at: FramePlace, _frame_body: &[u8]) {}

    /// Shows what has changed since the last call; a later change of a key comes after an earlier one.
    ///
    /// One by one, because all of them together may be as large as the book.
    fn take_changes(&mut self, take: &mut dyn FnMut(Change));

    /// Whether what has gone, and [`Self::take_changes`] has not shown yet, must leave the disk soon, and not only
    /// when a checkpoint is due and its file has grown: somebody asked to be forgotten.
    fn must_forget(&self) -> bool {
        false
    }
}

/// One checkpointed entry is put or deleted, whatever was there before.
///
/// A key of more than 512 bytes is left out of the checkpoint; a value may have any size up to some MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Put { key: Vec<u8>, value: Vec<u8> },
    Delete { key: Vec<u8> },
}

/// What a decision wants written, and what to tell the asker once that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<A> {
    pub body: Option<Vec<u8>>,
    pub answer: A,
}
