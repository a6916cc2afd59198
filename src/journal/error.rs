//! What can go wrong, by what the caller does about it.
//!
//! Every variant has a stable `code()` for metrics. A storage fault is shared by everyone in a commit,
//! hence the `Arc`s.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::BadFrame;

/// The store below failed. Nothing was promised to anyone on the strength of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    #[error(transparent)]
    Io(Arc<io::Error>),
    #[error("could not sync `{path}`: {source}")]
    Sync {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    #[error("sled failed in `{path}`: {reason}")]
    Sled { path: PathBuf, reason: String },
    #[error("reading `{path}` panicked: {reason}")]
    Panicked { path: PathBuf, reason: String },
    #[error("frame {seq} in `{path}` is damaged: {reason}")]
    Frame {
        path: PathBuf,
        seq: u64,
        reason: BadFrame,
    },
    #[error("`{path}` is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("no random bytes to be had: {0}")]
    Entropy(String),
}

/// An event was not kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    #[error(
        "the journal holds {held} events that headquarters has not taken yet, which is its limit"
    )]
    Full { held: u64 },
    #[error("an event of {bytes} bytes is over the journal's limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    /// The outcome is open: after a failed sync the event may still turn up in the journal.
    #[error("the journal could not write")]
    Storage(#[source] StorageError),
    #[error("the journal has ended")]
    Ended,
}

/// The uplink was not served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutboxError {
    #[error("frame {through} was acknowledged, but the next one to be written is {next}")]
    BeyondEnd { through: u64, next: u64 },
    #[error("the journal could not read or write")]
    Storage(#[source] StorageError),
    #[error("the journal has ended")]
    Ended,
}

/// The journal did not open.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    #[error("`{0}` is in use by another process")]
    InUse(PathBuf),
    #[error("the journal could not open")]
    Storage(#[from] StorageError),
}

/// The journal did not end cleanly; the next start treats it like a power cut.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CloseError {
    #[error("the journal could not write")]
    Storage(#[from] StorageError),
    #[error("the journal has ended before")]
    Ended,
}

impl CommitError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => "journal_full",
            Self::TooLarge { .. } => "journal_event_too_large",
            Self::Storage(_) => "journal_storage",
            Self::Ended => "journal_ended",
        }
    }
}

impl OutboxError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BeyondEnd { .. } => "journal_acknowledged_beyond_end",
            Self::Storage(_) => "journal_storage",
            Self::Ended => "journal_ended",
        }
    }
}

impl OpenError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "journal_in_use",
            Self::Storage(_) => "journal_storage",
        }
    }
}

impl CloseError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Storage(_) => "journal_storage",
            Self::Ended => "journal_ended",
        }
    }
}

impl StorageError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "journal_io",
            Self::Sync { .. } => "journal_sync",
            Self::Sled { .. } => "journal_sled",
            Self::Panicked { .. } => "journal_panicked",
            Self::Frame { .. } => "journal_frame_damaged",
            Self::Damaged { .. } => "journal_damaged",
            Self::Entropy(_) => "journal_entropy",
        }
    }

    pub(super) fn sled(path: &Path, error: &sled::Error) -> Self {
        Self::Sled {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(super) fn panicked(path: &Path, panic: &(dyn Any + Send)) -> Self {
        let reason = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a message".to_owned());
        Self::Panicked {
            path: path.to_owned(),
            reason,
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
