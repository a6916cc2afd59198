//! A look at what a journal holds, for `maitred journal`, beside a running gateway or without one.
//!
//! sled writes when it opens, and what it writes destroys evidence; so what is listed is what a byte scan of
//! the files finds, and only [`verify`] opens anything: a copy in the system's temporary directory. Promises
//! to write nothing in the state directory. A file that is being written may end in half a frame, which is
//! then left out: look again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::Mode;

use crate::domain::ids::StreamId;

use super::closed::{CLEAN, acked_at};
use super::damage::{self, missing};
use super::database;
use super::depth::Spool;
use super::disk;
use super::error::StorageError;
use super::frame::{Frame, StoredFrame, unix_millis};
use super::options::Profile;
use super::ready::{DirName, Ready};
use super::scan::{Found, Spot, read_damaged};
use super::start;

/// One generation, as found.
#[derive(Debug, Clone)]
pub struct GenerationReport {
    pub spool: Spool,
    pub path: PathBuf,
    /// `None` where READY is lost.
    pub stream: Option<StreamId>,
    pub profile: Option<Profile>,
    pub state: GenerationState,
    pub bytes_on_disk: u64,
    pub contents: Contents,
}

/// How a generation was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationState {
    /// Closed in order.
    Clean,
    /// Open at this moment, or left by a crash.
    Open,
    /// Headquarters has all of it.
    Kept,
    /// READY is unreadable: the next start saves what is in it.
    Unreadable,
}

/// The frames of one generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The sequence it began with.
    pub begin: u64,
    /// The oldest that headquarters has not acknowledged, or `next_seq`.
    pub first_seq: u64,
    pub next_seq: u64,
    /// How many wait for headquarters.
    pub frames: u64,
    pub bytes: u64,
    pub oldest_unix_ms: Option<u64>,
    /// Sequences that ought to wait and are not there, from and to.
    pub missing: Vec<(u64, u64)>,
}

/// Everything there is to list.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Older streams and generations first, P0 before P1.
    pub generations: Vec<GenerationReport>,
    /// Below the state directory.
    pub quarantines: Vec<String>,
    /// What was written down of damage, one JSON object a line.
    pub damage: String,
}

/// Lists every generation, and shows every frame that waits on the way to `visit`.
pub fn inspect(dir: &Path, visit: &mut dyn FnMut(Spool, Frame)) -> Result<Inventory, StorageError> {
    let mut inventory = Inventory {
        damage: damage::read(dir),
        ..Inventory::default()
    };
    for spool in Spool::BOTH {
        let row = dir.join(spool.name());
        if !row.is_dir() {
            continue;
        }
        for quarantine in start::quarantines(&row)? {
            let below = format!("{}/{quarantine}", spool.name());
            inventory.quarantines.push(below);
        }
        for text in database::generations_in(&row)? {
            if let Some(name) = DirName::parse(&text) {
                let look = Look::at(row.join(&text), name)?;
                look.waiting(&mut |frame| visit(spool, frame));
                inventory.generations.push(look.report(spool));
            }
        }
    }
    Ok(inventory)
}

/// Shows every frame that a directory still holds, acknowledged or not: a generation or a quarantined one.
pub fn salvage(path: &Path, visit: &mut dyn FnMut(Frame)) -> Result<(), StorageError> {
    let text = path.file_name().unwrap_or_default().to_string_lossy();
    let name = DirName::parse(start::name_of(&text).unwrap_or(&text));
    let name = name.ok_or_else(|| StorageError::damaged(path, "it has no generation's name"))?;
    let look = Look::at(path.to_owned(), name)?;
    look.from(0, visit);
    Ok(())
}

/// Compares every frame in the files with what sled shows of a copy, and says in words what is lost.
pub fn verify(dir: &Path) -> Result<Vec<String>, StorageError> {
    let mut faults = Vec::new();
    let inventory = inspect(dir, &mut |_, _| {})?;
    for report in &inventory.generations {
        let path = report.path.display();
        for (from, to) in &report.contents.missing {
            let fault = "are not in the file; headquarters will be told that they never come";
            faults.push(format!("{path}: frames {from} to {to} {fault}"));
        }
        if report.state == GenerationState::Unreadable {
            faults.push(format!("{path}: READY is unreadable"));
            continue;
        }
        match verify_copy(&report.path) {
            Ok(dropped) => {
                for (from, to) in dropped {
                    let fault = "are whole in the file; the next start saves them";
                    faults.push(format!(
                        "{path}: sled does not show frames {from} to {to}, which {fault}"
                    ));
                }
            }
            Err(error) if error.is_damage() => faults.push(format!(
                "{path}: {error}; {} waiting frames are whole in the file, and the next start saves them",
                report.contents.frames
            )),
            Err(error) => return Err(error),
        }
    }
    Ok(faults)
}

/// Frames in the file that sled does not show, those of a commit cut short apart.
fn verify_copy(path: &Path) -> Result<Vec<(u64, u64)>, StorageError> {
    let scratch = Scratch::make()?;
    let ready = Ready::read(path)?;
    let copy = scratch.0.join(ready.dir_name());
    fs_err::create_dir(&copy)?;
    for name in disk::names_in(path)? {
        let file = path.join(&name);
        if file.is_file() {
            fs_err::copy(file, copy.join(name))?;
        }
    }
    let file = fs_err::read(copy.join("db"))?;
    let found = Found::scan(&file, ready.stream_number, ready.first);
    let shown = start::sequences_shown(&copy, &ready)?;
    let next = shown.last().map_or(0, |seq| seq + 1).max(found.promised);
    let wanted = found.frames.iter().map(|spot| spot.seq);
    let dropped: Vec<u64> = wanted
        .filter(|seq| *seq < next && shown.binary_search(seq).is_err())
        .collect();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for seq in dropped {
        match ranges.last_mut().filter(|(_, to)| *to + 1 == seq) {
            Some((_, to)) => *to = seq,
            None => ranges.push((seq, seq)),
        }
    }
    Ok(ranges)
}

/// A generation's file and what was found in it.
struct Look {
    path: PathBuf,
    name: DirName,
    ready: Option<Ready>,
    readable: bool,
    file: Vec<u8>,
    found: Found,
}

impl Look {
    fn at(path: PathBuf, name: DirName) -> Result<Self, StorageError> {
        let file = read_damaged(&path.join("db"))?;
        let ready = Ready::read(&path).ok();
        Ok(Self {
            readable: ready.is_some(),
            ready: ready.or_else(|| Ready::find(&file, name)),
            found: Found::scan(&file, name.stream_number, name.first),
            path,
            name,
            file,
        })
    }

    fn next(&self) -> u64 {
        let last = self.found.frames.last().map(|spot| spot.seq + 1);
        let marked = self.found.next.map(|mark| mark.seq);
        marked.or(last).unwrap_or(self.name.first)
    }

    fn base(&self) -> u64 {
        match (acked_at(&self.path), self.found.base) {
            (Some(_), _) => self.next(),
            (None, Some(base)) => base.seq,
            (None, None) => self.name.first,
        }
    }

    fn waiting(&self, visit: &mut dyn FnMut(Frame)) {
        self.from(self.base(), visit);
    }

    fn from(&self, from: u64, visit: &mut dyn FnMut(Frame)) {
        let spots = self.found.frames.iter().filter(|spot| spot.seq >= from);
        for frame in spots.filter_map(|spot| StoredFrame::decode(spot.bytes(&self.file)).ok()) {
            visit(Frame {
                // Only a READY that is lost twice leaves a stream without a name.
                stream: self
                    .ready
                    .map_or(StreamId(uuid::Uuid::nil()), |ready| ready.stream),
                seq: frame.seq,
                id: frame.id,
                body: frame.body.to_vec(),
            });
        }
    }

    fn report(&self, spool: Spool) -> GenerationReport {
        let (base, next) = (self.base(), self.next());
        let waiting: Vec<&Spot> = self
            .found
            .frames
            .iter()
            .filter(|spot| (base..next).contains(&spot.seq))
            .collect();
        let sizes = waiting
            .iter()
            .map(|spot| spot.bytes(&self.file).len() as u64);
        let oldest = waiting
            .first()
            .and_then(|spot| StoredFrame::decode(spot.bytes(&self.file)).ok());
        GenerationReport {
            spool,
            path: self.path.clone(),
            stream: self.ready.map(|ready| ready.stream),
            profile: self.ready.map(|ready| ready.profile),
            state: match (self.readable, acked_at(&self.path)) {
                (false, _) => GenerationState::Unreadable,
                (true, Some(_)) => GenerationState::Kept,
                (true, None) if self.path.join(CLEAN).exists() => GenerationState::Clean,
                (true, None) => GenerationState::Open,
            },
            bytes_on_disk: self.file.len() as u64,
            contents: Contents {
                begin: self.name.first,
                first_seq: base,
                next_seq: next,
                frames: waiting.len() as u64,
                bytes: sizes.sum(),
                oldest_unix_ms: oldest.map(|frame| unix_millis(frame.id)),
                missing: missing(base, next, waiting.iter().map(|spot| spot.seq)),
            },
        }
    }
}

/// A directory nobody else can read, gone when it is dropped: frames are personal data.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self, StorageError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("maitred-inspect-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        rustix::fs::mkdir(&path, Mode::RWXU).map_err(std::io::Error::from)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs_err::remove_dir_all(&self.0) {
            tracing::warn!(%error, "a copy made for inspection was left behind");
        }
    }
}
