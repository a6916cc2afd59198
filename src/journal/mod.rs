//! The durable journal: what the gateway has promised, and what headquarters has not taken yet.
//!
//! The journal is the truth; everything else on the box is a projection of it. A capture is one frame in
//! spool P0; coupons, limits and budgets live in a [`Book`] that is rebuilt from a checkpoint and the frames
//! after it. The journal knows bytes and not their meaning, and is the only importer of sled 0.34.7.
//!
//! # Promises
//!
//! 1. An answer to [`Journal::commit`] comes only after the frame is on stable storage: sled's `flush`, then
//!    our own `fdatasync` on sled's file. The first alone lost everything in 10 of 10 power cuts.
//! 2. Between two fdatasyncs there are never more than 64 frames and 32 KiB (24 and 8 KiB in the small
//!    profile), whether they come or go. More lost whole queues silently in simulation.
//! 3. Decisions run one after the other on one thread; each sees the book with all earlier ones applied.
//! 4. After any storage error nobody in that commit hears of success, the databases are dropped and opened
//!    again, and the book is rebuilt. A failed fdatasync is never tried again on the same descriptor, and the
//!    file it failed on is rewritten before it is trusted.
//! 5. Sequences are dense, start from 1 in each stream, and outlive the frames: the next one can be proven
//!    from disk at any time.
//!    What an earlier run left unsynced is synced at open, before anyone builds on it.
//! 6. A P0 frame leaves the disk only when headquarters has acknowledged it and a durable checkpoint of the
//!    book contains it.
//! 7. An idle journal writes nothing, and its owner thread does not wake up. (sled's seven pool threads look
//!    around once a second, which no setting stops.)
//! 8. A P1 frame never makes anybody wait; it is dropped and counted when there is no room.
//! 9. When the owner thread has ended, by [`Journal::close`] or by a panic, every call returns an error.
//!
//! # Layout
//!
//! ```text
//! <state dir>/
//!   LOCK                          flock of the owner
//!   p0/gen-<first seq, 20 digits>/   events that must never be lost
//!   p1/gen-<first seq, 20 digits>/   events that may be dropped
//!     db conf snap.* blobs/       sled; tree "q": sequence u64 big-endian -> frame (see `frame`),
//!                                 default tree: "base", "next"
//!     READY                       the directory was created whole; profile and stream (see `ready`)
//!     CLEAN                       it was closed in order
//!   views/gen-<number, 20 digits>/   the book's checkpoint (see `views`); the highest number counts
//!   */trash-*                     being removed
//! ```
//!
//! sled's file never shrinks, so a spool is a row of small databases: one is sealed after 10,000 frames
//! (5,000), or when it is drained and has held more than 2,500, and is removed once it is drained. A
//! generation is created in this order: mkdir; open; "base" and "next"; flush; fsync of directory, `conf` and
//! `db`; READY and fsync; fsync of directory and parent. What has no READY is removed at start.
//!
//! # What it does not do yet
//!
//! Salvage and quarantine of damaged media, room for a full disk, gap records and keeping acknowledged
//! generations for a week: damage stops the start with an error that names the directory.

mod book;
mod closed;
mod damage;
mod database;
mod depth;
mod disk;
mod entries;
mod entry;
mod error;
#[cfg(feature = "fault")]
mod fault;
mod frame;
mod generation;
mod handle;
mod inspect;
mod mark;
mod options;
mod owner;
mod ready;
mod repair;
mod request;
mod row;
mod scan;
mod space;
mod start;
mod store;
#[cfg(test)]
mod tests;
mod views;

pub use book::{Book, Change, Verdict};
pub use damage::Damage;
pub use depth::{Depth, Depths, Hole, Peeked, Spool, StreamDepth};
pub use error::{CloseError, CommitError, OpenError, OutboxError, StorageError};
pub use frame::{BadFrame, Frame};
pub use handle::{Journal, Outbox};
pub use inspect::{
    Contents, GenerationReport, GenerationState, Inventory, inspect, salvage, verify,
};
pub use options::{Memory, Options, Profile, Rotation};
