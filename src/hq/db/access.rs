//! What the ledger keeps of the access log: a store, a time, and what only the log key opens.

use jiff::Timestamp;

use crate::domain::ids::StoreId;
use crate::domain::sealed::Sealed;

/// Which part of it somebody wants to read.
#[derive(Debug, Clone)]
pub struct Asked {
    pub store: StoreId,
    pub from: Timestamp,
    /// Not included.
    pub to: Timestamp,
}

/// How much of a store's is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub entries: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// An entry as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub at: Timestamp,
    pub sealed: Sealed,
}
