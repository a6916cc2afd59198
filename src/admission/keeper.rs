//! Writes the file of [sessions](super::kept) from a thread of its own, so that letting a device in waits for
//! no disk.
//!
//! What was asked within a moment is written together and synced once. It promises that a session is on stable
//! storage within two seconds; a power cut before that costs one tap. The file is written anew when most of its
//! lines no longer count, and never grows beyond that.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use fs_err::OpenOptions;

use super::kept::{self, Record};
use crate::domain::wifi::Mac;
use crate::ops::files::{Readers, replace};
use crate::ops::metrics;

const FILE: &str = "sessions";

/// How long the first of several waits for the others: a flash cell is erased less often.
const GATHER: Duration = Duration::from_secs(1);

/// So that a steady stream does not put the writing off.
const GATHER_TURNS: u32 = 8;

/// A disk that hangs must not fill the memory; what is not kept is kept with the next round.
const MOST_WAITING: usize = 8 * 1024;

/// Lines beyond twice those that count, before the file is written anew.
const SLACK_LINES: usize = 1_000;

/// A handle to the thread; dropped, it writes what it has and ends.
#[derive(Debug)]
pub struct Keeper {
    records: Option<SyncSender<Record>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Reads what is kept in `dir`, and starts to keep what comes.
    pub fn open(dir: &Path) -> io::Result<(Self, Vec<Record>)> {
        fs_err::create_dir_all(dir)?;
        let path = dir.join(FILE);
        let contents = match fs_err::read(&path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let (records, unread) = kept::read(&contents);
        if unread > 0 {
            tracing::warn!(
                lines = unread,
                "some kept sessions do not read; those devices see the page again"
            );
        }
        let known: Vec<_> = records.values().cloned().collect();
        let mut shelf = Shelf {
            path,
            lines: usize::MAX / 2,
            records,
        };
        // Anew at each start: what a tear left behind is gone, and the disk is known to take writes.
        shelf.compact()?;
        let (sender, receiver) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new()
            .name("sessions".to_owned())
            .spawn(move || shelf.keep(&receiver))?;
        let keeper = Self {
            records: Some(sender),
            thread: Some(thread),
        };
        Ok((keeper, known))
    }

    pub fn keep(&self, record: Record) {
        let is_kept = |records: &SyncSender<Record>| records.try_send(record).is_ok();
        if !self.records.as_ref().is_some_and(is_kept) {
            metrics::count(metrics::SESSIONS_NOT_KEPT);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.records = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Shelf {
    path: PathBuf,
    lines: usize,
    records: BTreeMap<Mac, Record>,
}

impl Shelf {
    fn keep(&mut self, incoming: &Receiver<Record>) {
        while let Ok(first) = incoming.recv() {
            let mut batch = vec![first];
            for _ in 0..GATHER_TURNS {
                match incoming.recv_timeout(GATHER / GATHER_TURNS) {
                    Ok(record) => batch.push(record),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            batch.extend(incoming.try_iter());
            if let Err(error) = self.write(batch) {
                // They pass all the same; only a restart would ask them to tap again. What is there now may
                // end in half a line: the next writing is of the whole file.
                self.lines = usize::MAX / 2;
                tracing::error!(%error, "sessions could not be kept");
            }
        }
    }

    fn write(&mut self, batch: Vec<Record>) -> io::Result<()> {
        let mut lines = String::new();
        for record in batch {
            lines.push_str(&record.line());
            self.lines += 1;
            match record {
                Record::Gone { mac } => self.records.remove(&mac),
                Record::Session(_) | Record::Ended { .. } => {
                    self.records.insert(record.mac(), record)
                }
            };
        }
        if self.lines > self.records.len() * 2 + SLACK_LINES {
            return self.compact();
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)?;
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }

    fn compact(&mut self) -> io::Result<()> {
        let lines: String = self.records.values().map(Record::line).collect();
        replace(&self.path, lines.as_bytes(), Readers::OnlyUs)?;
        self.lines = self.records.len();
        Ok(())
    }
}
