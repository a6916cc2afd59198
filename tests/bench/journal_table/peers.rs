//! Three ways to make a capture durable, of one shape: many tasks hand in, one thread commits, each is told.
//!
//! - raw: one `write` of all that waits, one `fdatasync`. No store, no checksum, no decision: the floor.
//! - SQLite: one transaction in its log, `synchronous = FULL`.
//! - the journal itself, through its own handle.
//!
//! The two peers take what waits as the journal does: a channel in, one-shots out, the same cap on a commit.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::Context;
use tokio::sync::oneshot;

use maitred::journal::{Journal, Verdict};

use crate::frames::{self, Coupons, FRAME_BYTES};

/// The journal's cap for one commit in its standard profile; 64 frames of this size stay below 32 KiB.
const MOST_IN_A_COMMIT: usize = 64;
const _: () = assert!(MOST_IN_A_COMMIT * FRAME_BYTES <= 32 * 1024);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Raw,
    Journal,
    Sqlite,
}

/// Where captures are handed in.
#[derive(Clone)]
pub(crate) enum Counter {
    Committed(Sender<Record>),
    Journal(Journal<Coupons>),
}

/// A frame, and the way back to its task.
pub(crate) struct Record {
    bytes: Vec<u8>,
    durable: oneshot::Sender<()>,
}

impl Peer {
    pub(crate) fn open(self, dir: &Path) -> anyhow::Result<Counter> {
        match self {
            Self::Raw => {
                let file = fs_err::File::create(dir.join("log"))?;
                Ok(Counter::Committed(spawn(Raw::new(file))?))
            }
            Self::Sqlite => Ok(Counter::Committed(spawn(Sqlite::open(&dir.join("db"))?)?)),
            Self::Journal => Ok(Counter::Journal(frames::open(dir)?)),
        }
    }
}

impl Counter {
    /// Returns once the capture is on stable storage.
    pub(crate) async fn keep(&self, task: usize, count: u64) -> anyhow::Result<()> {
        let body = frames::body(task, count);
        match self {
            Self::Journal(journal) => {
                let verdict = Verdict {
                    body: Some(body),
                    answer: (),
                };
                Ok(journal.commit(|_| verdict).await?)
            }
            Self::Committed(records) => {
                let (durable, told) = oneshot::channel();
                let mut bytes = body;
                bytes.resize(FRAME_BYTES, 0);
                records
                    .send(Record { bytes, durable })
                    .ok()
                    .context("the committing thread has ended")?;
                told.await.context("the committing thread has ended")
            }
        }
    }
}

/// What makes many records durable at once.
trait Store: Send + 'static {
    fn commit(&mut self, records: &[Record]) -> anyhow::Result<()>;
}

fn spawn(store: impl Store) -> anyhow::Result<Sender<Record>> {
    let (sender, records) = channel();
    thread::Builder::new().spawn(move || commit_all(store, &records))?;
    Ok(sender)
}

/// Ends with the last sender, or with an error, of which the senders learn as their answers fall.
fn commit_all(mut store: impl Store, records: &Receiver<Record>) {
    let mut waiting = Vec::with_capacity(MOST_IN_A_COMMIT);
    while let Ok(first) = records.recv() {
        waiting.push(first);
        waiting.extend(records.try_iter().take(MOST_IN_A_COMMIT - 1));
        if let Err(error) = store.commit(&waiting) {
            println!("{error:#}");
            return;
        }
        for record in waiting.drain(..) {
            // A task waits for every record it hands in.
            record.durable.send(()).ok();
        }
    }
}

struct Raw {
    file: fs_err::File,
    bytes: Vec<u8>,
}

impl Raw {
    const fn new(file: fs_err::File) -> Self {
        Self {
            file,
            bytes: Vec::new(),
        }
    }
}

impl Store for Raw {
    fn commit(&mut self, records: &[Record]) -> anyhow::Result<()> {
        self.bytes.clear();
        for record in records {
            self.bytes.extend_from_slice(&record.bytes);
        }
        self.file.write_all(&self.bytes)?;
        Ok(self.file.sync_data()?)
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = rusqlite::Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute(
            "CREATE TABLE frame (seq INTEGER PRIMARY KEY, bytes BLOB)",
            (),
        )?;
        Ok(Self(connection))
    }
}

impl Store for Sqlite {
    fn commit(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let transaction = self.0.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO frame (bytes) VALUES (?1)")?;
        for record in records {
            insert.execute([&record.bytes])?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }
}
