//! The journal's stories: what a shop was promised, and what is there after the plug was pulled.
//!
//! A crash is every handle dropped without `close`: the owner stops where it stands.

mod crash;
mod damage;
mod inspect;
mod model;
mod owner;
mod space;
mod streams;
mod uplink;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::domain::ids::FramePlace;
use crate::ops::clock::TestClock;

use super::*;

/// A book of the kind the domain keeps: the latest value by key. A frame's body is `key=value`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shelf {
    values: BTreeMap<String, String>,
    changes: Vec<Change>,
    /// How many frames were applied since the last reset.
    applied: usize,
    /// Every frame that was shown since then, of both spools.
    shown: Vec<(FramePlace, String)>,
}

impl Book for Shelf {
    fn reset(&mut self) {
        *self = Self::default();
    }

    fn restore(&mut self, key: &[u8], value: &[u8]) {
        self.values.insert(text(key), text(value));
    }

    fn apply(&mut self, at: FramePlace, frame_body: &[u8]) {
        let body = text(frame_body);
        self.shown.push((at, body.clone()));
        let (key, value) = body.split_once('=').unwrap_or((&body, ""));
        self.applied += 1;
        let key_bytes = key.as_bytes().to_vec();
        if value.is_empty() {
            self.values.remove(key);
            self.changes.push(Change::Delete { key: key_bytes });
        } else {
            self.values.insert(key.to_owned(), value.to_owned());
            self.changes.push(Change::Put {
                key: key_bytes,
                value: value.as_bytes().to_vec(),
            });
        }
    }

    fn note(&mut self, at: FramePlace, frame_body: &[u8]) {
        self.shown.push((at, text(frame_body)));
    }

    fn take_changes(&mut self, take: &mut dyn FnMut(Change)) {
        self.changes.drain(..).for_each(take);
    }

    /// Of whoever is a guest nothing stays.
    fn must_forget(&self) -> bool {
        let is_guest =
            |change: &Change| matches!(change, Change::Delete { key } if key.starts_with(b"guest"));
        self.changes.iter().any(is_guest)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A shop's state directory, and how its journal is opened.
struct Shop {
    dir: TempDir,
    options: Options,
    clock: Arc<TestClock>,
}

impl Shop {
    fn new() -> Self {
        let mut options = Options::for_profile(Profile::Small);
        options.rotation = Rotation {
            full_frames: 8,
            drained_frames: 3,
        };
        options.kept_bytes = 0;
        options.ballast_bytes = 0;
        options.memory = Memory::Allow;
        Self {
            dir: tempfile::tempdir().unwrap(),
            options,
            clock: Arc::new(TestClock::at("2026-10-01T18:30:00Z".parse().unwrap())),
        }
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut shop = Self::new();
        change(&mut shop.options);
        shop
    }

    fn open(&self) -> Journal<Shelf> {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Journal<Shelf>, OpenError> {
        let clock = Arc::clone(&self.clock);
        Journal::open(
            self.dir.path(),
            self.options.clone(),
            clock,
            Shelf::default(),
        )
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn generations(&self, spool: &str) -> Vec<String> {
        let mut names = disk::names_in(&self.path(spool)).unwrap();
        names.sort();
        names
    }
}

/// A generation of a row's first stream.
fn generation(first: u64) -> String {
    format!("gen-0000000001-{first:020}")
}

/// A generation of the checkpoint.
fn checkpoint(number: u64) -> String {
    format!("gen-0000000000-{number:020}")
}

async fn capture(journal: &Journal<Shelf>, body: &str) -> Result<(), CommitError> {
    let body = Some(body.as_bytes().to_vec());
    journal.commit(|_| Verdict { body, answer: () }).await
}

async fn capture_numbers(journal: &Journal<Shelf>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        capture(journal, &format!("key{number}=value{number}"))
            .await
            .unwrap();
    }
}

async fn look(journal: &Journal<Shelf>) -> Shelf {
    let verdict = |shelf: &mut Shelf| Verdict {
        body: None,
        answer: shelf.clone(),
    };
    journal.commit(verdict).await.unwrap()
}

/// Everything that waits, as (sequence, body); leaves the journal as it was.
async fn peek_front(journal: &Journal<Shelf>, spool: Spool) -> Vec<(u64, String)> {
    let frames = journal
        .outbox()
        .peek(spool, usize::MAX, usize::MAX)
        .await
        .unwrap();
    frames
        .frames
        .into_iter()
        .map(|frame| (frame.seq, text(&frame.body)))
        .collect()
}

/// Takes everything the way the uplink does: peek, then acknowledge.
async fn drain(journal: &Journal<Shelf>, spool: Spool) -> Vec<(u64, String)> {
    let mut taken = Vec::new();
    loop {
        let peeked = journal.outbox().peek(spool, 5, usize::MAX).await.unwrap();
        let frames = peeked.frames;
        let Some(last) = frames.last() else {
            return taken;
        };
        let (stream, through) = (last.stream, last.seq);
        taken.extend(frames.into_iter().map(|f| (f.seq, text(&f.body))));
        let outbox = journal.outbox();
        outbox.acknowledge(spool, stream, through).await.unwrap();
    }
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<(u64, String)> {
    numbers
        .map(|number| (number, format!("key{number}=value{number}")))
        .collect()
}

fn inode(path: &Path) -> u64 {
    fs_err::metadata(path).unwrap().ino()
}

fn unix_millis_of(time: &str) -> u64 {
    let time: Timestamp = time.parse().unwrap();
    u64::try_from(time.as_millisecond()).unwrap()
}
