//! The access log, where the law wants one: that a device came onto the Internet and went, for headquarters alone.
//!
//! It is sealed to headquarters' log key before it leaves this module, and written as a P0 frame of its own that
//! holds nothing else: no diner, no coupon. Nobody waits for it, and it is off unless the store's file says so.

use std::fmt;

use tokio::sync::mpsc;

use super::ledger::{Ledger, happening, write};
use super::{Shared, boot_time};
use crate::admission::book::{Moved, Reason};
use crate::admission::zone::ZoneName;
use crate::admission::{Mac, Told, What};
use crate::domain::event::{AccessLogged, Event, Occurrence};
use crate::journal::Journal;
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::{Bundle, StoreFolder};
use crate::wire::sealed::about_access;

/// A full house that comes or goes in a minute.
const MOST_WAITING: usize = 512;

/// Where entries wait to be written.
pub(super) struct AccessLog(mpsc::Sender<Occurrence>);

impl AccessLog {
    pub(super) fn start(
        tasks: &Tasks,
        journal: Journal<Ledger>,
        clock: std::sync::Arc<dyn Clock>,
        boot: u32,
    ) -> Self {
        let (entries, mut waiting) = mpsc::channel::<Occurrence>(MOST_WAITING);
        let own = tasks.clone();
        tasks.spawn("access log", async move {
            loop {
                let entry = tokio::select! {
                    entry = waiting.recv() => entry,
                    () = own.stopping() => return,
                };
                let Some(entry) = entry else { return };
                let now = boot_time(&*clock, boot);
                if let Err(error) = journal.commit(move |_| write(now, entry, ())).await {
                    tracing::error!(%error, "an entry of the access log could not be kept");
                }
            }
        });
        Self(entries)
    }
}

/// What is sealed: one line, as it is read at headquarters.
struct Line<'a> {
    at: jiff::Timestamp,
    mac: Mac,
    zone: &'a ZoneName,
    what: Entry,
}

enum Entry {
    Began(std::net::IpAddr),
    Ended(Reason, u64, Moved),
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line {
            at,
            mac,
            zone,
            what,
        } = self;
        let zone: &str = zone.as_str();
        match what {
            Entry::Began(address) => {
                write!(
                    f,
                    "{at:.0} began device={mac} address={address} zone={zone}"
                )
            }
            Entry::Ended(why, seconds, moved) => write!(
                f,
                "{at:.0} ended device={mac} zone={zone} seconds={seconds} up={} down={} why={}",
                moved.up,
                moved.down,
                why.name()
            ),
        }
    }
}

impl Shared {
    /// A device was let in at this address.
    pub(super) fn log_beginning(&self, folder: &StoreFolder, guest: &super::guest::Guest) {
        let line = Line {
            at: self.now(),
            mac: guest.mac,
            zone: &guest.zone,
            what: Entry::Began(guest.address),
        };
        self.log_access(&self.bundle(), folder, &line);
    }

    /// A device's time is over.
    pub(super) fn log_ending(&self, bundle: &Bundle, folder: &StoreFolder, told: &Told) {
        let What::Ended {
            reason,
            seconds,
            moved,
            ..
        } = told.what
        else {
            return;
        };
        let line = Line {
            at: told.at,
            mac: told.mac,
            zone: &told.zone,
            what: Entry::Ended(reason, seconds, moved),
        };
        self.log_access(bundle, folder, &line);
    }

    fn log_access(&self, bundle: &Bundle, folder: &StoreFolder, line: &Line<'_>) {
        let store = &folder.store;
        if !store.access_log {
            return;
        }
        let sealed = bundle.log_key.and_then(|key| {
            let text = line.to_string();
            key.seal(&about_access(&store.id), text.as_bytes()).ok()
        });
        let Some(sealed) = sealed else {
            tracing::error!("the access log is on, and headquarters has sent no key to seal it to");
            return;
        };
        let event = Event::AccessLogged(AccessLogged {
            sealed: Some(sealed),
        });
        if self
            .access
            .0
            .try_send(happening(store, line.at, event))
            .is_err()
        {
            tracing::error!("more comes and goes than the access log can write; an entry is lost");
        }
    }
}
