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
//!    profile) in a database that counts. More lost whole queues silently in simulation.
//! 3. Decisions run one after the other on one thread; each sees the book with all earlier ones applied.
//! 4. After any storage error nobody in that commit hears of success, the databases are dropped and opened
//!    again, and the book is rebuilt. A failed fdatasync is never tried again on the same descriptor, and the
//!    file it failed on is rewritten before it is trusted. What an earlier run left unsynced is synced at
//!    open, before anyone builds on it.
//! 5. Sequences count the frames of a stream from 1 and outlive them. Where the next one cannot be proven, a
//!    new stream begins, so that no number is given out twice; the one case that a box cannot see is in 7.
//! 6. A P0 frame leaves the disk only when headquarters has acknowledged it, a durable checkpoint of the book
//!    contains it, and a week has passed, or the kept ones exceed 4 MiB, or room is short. Until then
//!    [`Outbox::take_back`] brings it back.
//! 7. A start never fails because a medium is damaged, and nothing that a byte scan can find is lost by it.
//!    What is lost is written down in `DAMAGE` before the journal goes on, and is a hole that
//!    [`Outbox::peek`] names. Not seen is a file cut off exactly after a commit, once the box has crashed:
//!    then headquarters notices that numbers come back.
//! 8. With fewer than 8 MiB free, or 100,000 P0 frames waiting, a commit is refused and nothing is promised.
//!    Before that, what is only kept goes, then P1. A full disk finds 2 MiB in reserve to drain itself with.
//! 9. An idle journal writes nothing, and its owner thread does not wake up. (sled's seven pool threads look
//!    around once a second, which no setting stops.)
//! 10. A P1 frame never makes anybody wait. Where there are too many the oldest generation goes, and its
//!     sequences are a gap. The book hears of it once it is on stable storage.
//! 11. When the owner thread has ended, by [`Journal::close`] or by a panic, every call returns an error.
//!
//! # Layout
//!
//! ```text
//! <state dir>/
//!   LOCK                          flock of the owner
//!   DAMAGE                        what the media have destroyed, one JSON object a line (see `damage`)
//!   BALLAST                       2 MiB for the day the disk is full (see `space`)
//!   p0/gen-<stream number, 10 digits>-<first seq, 20 digits>/     events that must never be lost
//!   p1/gen-<stream number, 10 digits>-<first seq, 20 digits>/     events that may be dropped
//!     db conf snap.* blobs/       sled; tree "q": sequence u64 big-endian -> frame (see `frame`),
//!                                 default tree: "base", "next" -> mark (see `mark`), "ready" = READY's text
//!     READY                       the directory was created whole; profile, stream, chain (see `ready`)
//!     CLEAN                       it was put away in order; its marks, and its file's checksum (see `closed`)
//!     ACKED                       headquarters has all of it, and since when
//!     PANICKED db.found           reading it has ended a process, and its file before that (see `guard`)
//!   views/gen-0000000000-<number, 20 digits>/   the book's checkpoint (see `views`); the highest number counts
//!     log                         its entries and positions (see `log`, `entry`)
//!     READY                       it was created whole
//!   */quarantine-<name>-<n>/      a damaged directory; SALVAGED once all it held is in a fresh one
//!   */trash-*                     being removed
//! ```
//!
//! Frames are not removed one by one: acknowledgement moves the base mark, and sled's file never shrinks. So
//! a spool is a row of small databases: one is sealed after 10,000 frames (5,000 in the small profile), or
//! when it is drained and has held more than 2,500, and is removed whole. Of a row, the last generation is
//! open, and the first with something to send while the uplink reads it: sled keeps what it reads. A
//! generation is created in this order: mkdir; open; READY's text and marks; flush; fsync of directory, `conf`
//! and `db`; READY and fsync; fsync of directory and parent. What has no READY is removed at start, unless it
//! has frames: then READY was lost.
//!
//! Streams of a row are numbered, and older ones drain first. Each frame extends its stream's chain, a
//! running hash; a mark carries it, and so does READY, so that the end of one generation proves the
//! beginning of the next.
//!
//! # Start
//!
//! A sled open destroys evidence, so each file is read and searched first (see `start`). Where a file is as
//! CLEAN says, the frames are taken from it, and must lead to the chain CLEAN has; sled opens only the last
//! one, to be written. Any other is opened, guarded against panics (see `guard`), and compared with what was
//! found. What sled dropped or cannot open is quarantined and written to a fresh directory under its old numbers.

mod book;
mod closed;
mod damage;
mod database;
mod depth;
mod disk;
mod entry;
mod error;
#[cfg(feature = "fault")]
mod fault;
mod frame;
mod generation;
mod guard;
mod handle;
mod inspect;
mod log;
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
