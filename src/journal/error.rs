//! What can go wrong, by what the caller does about it.
//!
//! Every variant has a stable `code()` for metrics. A storage fault is shared by everyone in a commit,
//! hence the `Arc`s.

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
    #[error("`{0}` is in memory, where a power cut takes everything; it must be on flash or disk")]
    Memory(PathBuf),
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
    #[error("only {free} bytes are free for the journal, which is under its limit of {limit}")]
    NoSpace { free: u64, limit: u64 },
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
            Self::NoSpace { .. } => "journal_no_space",
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
            Self::Memory(_) => "journal_in_memory",
            Self::Entropy(_) => "journal_entropy",
        }
    }

    /// sled keeps an input or output error as a copy of its kind, which is what decides between damage and a
    /// full disk.
    pub(super) fn sled(path: &Path, error: &sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if !is_damage(error) => {
                let reason = format!("{}: {error}", path.display());
                Self::Io(Arc::new(io::Error::new(error.kind(), reason)))
            }
            sled::Error::Io(_)
            | sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. } => Self::Sled {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    /// Whether the medium is at fault, so that trying again cannot help and saving what is left can.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Sled { .. }
            | Self::Panicked { .. }
            | Self::Frame { .. }
            | Self::Damaged { .. } => true,
            Self::Io(error) | Self::Sync { source: error, .. } => is_damage(error),
            Self::Memory(_) | Self::Entropy(_) => false,
        }
    }

    pub(super) fn is_storage_full(&self) -> bool {
        match self {
            Self::Io(error) | Self::Sync { source: error, .. } => {
                error.kind() == io::ErrorKind::StorageFull
            }
            Self::Sled { .. }
            | Self::Panicked { .. }
            | Self::Frame { .. }
            | Self::Damaged { .. }
            | Self::Memory(_)
            | Self::Entropy(_) => false,
        }
    }

    pub(super) fn panicked(path: &Path, reason: String) -> Self {
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

/// `EIO` and files that end early; anything else may pass.
fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
        || matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
        )
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
