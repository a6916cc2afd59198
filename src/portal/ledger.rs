//! The wallet as the journal keeps it: frames in, checkpoint entries out; and beside it how far this box
//! has come with the commands of headquarters.
//!
//! This is where meaning meets bytes: the journal knows nothing of coupons, the wallet nothing of frames.
//! The journal's owner thread writes; pages read through the same lock for microseconds.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;

use crate::domain::command::Progress;
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::FramePlace;
use crate::domain::store::Store;
use crate::domain::wallet::{Wallet, moment_at};
use crate::journal::{Book, Change, Verdict};
use crate::wire::frame::{self, BootTime, Contents};

/// The checkpoint's key of the commands. Those of the wallet are JSON.
const COMMANDS: &[u8] = b"commands";

/// A handle to the wallet for reading.
#[derive(Debug, Clone, Default)]
pub struct SharedWallet(Arc<RwLock<Wallet>>);

impl SharedWallet {
    /// The wallet as it is. What it shows may be one commit ahead of the disk, so an answer that promises
    /// something comes from a decision and not from here.
    pub fn read(&self) -> RwLockReadGuard<'_, Wallet> {
        self.0.read().expect("a wallet's methods do not panic")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Wallet> {
        self.0.write().expect("a wallet's methods do not panic")
    }
}

/// The journal's book.
#[derive(Debug, Default)]
pub struct Ledger {
    wallet: SharedWallet,
    commands: Progress,
    commands_have_changed: bool,
}

impl Ledger {
    /// A ledger and the handle that pages read it by.
    pub fn new() -> (Self, SharedWallet) {
        let wallet = SharedWallet::default();
        let ledger = Self {
            wallet: wallet.clone(),
            ..Self::default()
        };
        (ledger, wallet)
    }

    pub fn wallet(&self) -> RwLockReadGuard<'_, Wallet> {
        self.wallet.read()
    }

    /// How far this box has come with the commands of headquarters.
    pub(super) const fn commands(&self) -> &Progress {
        &self.commands
    }
}

/// A decision that wants `occurrence` written before `answer` is given.
pub(super) fn write<A>(boot_time: BootTime, occurrence: Occurrence, answer: A) -> Verdict<A> {
    let contents = Contents::of(
        occurrence.store,
        boot_time,
        occurrence.moment,
        occurrence.event,
    );
    Verdict {
        body: Some(frame::encode(&contents)),
        answer,
    }
}

/// A decision that needs nothing written.
pub(super) const fn only_say<A>(answer: A) -> Verdict<A> {
    Verdict { body: None, answer }
}

impl Book for Ledger {
    fn reset(&mut self) {
        *self.wallet.write() = Wallet::default();
        self.commands = Progress::default();
        self.commands_have_changed = false;
    }

    fn restore(&mut self, key: &[u8], value: &[u8]) {
        let restored = if key == COMMANDS {
            serde_json::from_slice(value).map(|commands| self.commands = commands)
        } else {
            serde_json::from_slice(value).map(|entry| self.wallet.write().restore(entry))
        };
        if let Err(error) = restored {
            tracing::error!(%error, "an entry of the checkpoint cannot be read and is left out");
        }
    }

    fn apply(&mut self, _: FramePlace, frame_body: &[u8]) {
        let decoded = match frame::decode(frame_body) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::error!(%error, "a frame of the journal cannot be read and is left out of the wallet");
                return;
            }
        };
        let mut wallet = self.wallet.write();
        for occurrence in &decoded.occurrences {
            wallet.apply(occurrence);
            if let Event::CommandDone(done) = &occurrence.event {
                self.commands.take(done.cursor);
                self.commands_have_changed = true;
            }
        }
    }

    fn take_changes(&mut self, take: &mut dyn FnMut(Change)) {
        // A lock for each entry: nobody else writes in between, and no page waits for all of them.
        let changes = self.wallet.write().take_changes();
        for changed in changes {
            let key = serde_json::to_vec(&changed).expect("a key is plain data");
            let entry = self.wallet().entry(&changed);
            take(match entry {
                Some(entry) => Change::Put {
                    key,
                    value: serde_json::to_vec(&entry).expect("an entry is plain data"),
                },
                None => Change::Delete { key },
            });
        }
        if std::mem::take(&mut self.commands_have_changed) {
            take(Change::Put {
                key: COMMANDS.to_vec(),
                value: serde_json::to_vec(&self.commands).expect("numbers and ids are plain data"),
            });
        }
    }
}

/// An event at a store, now.
pub(super) fn happening(store: &Store, now: Timestamp, event: Event) -> Occurrence {
    Occurrence {
        store: store.id.clone(),
        moment: moment_at(store, now),
        event,
    }
}
