//! A look at what a journal holds, for `maitred journal ls`, `show` and `export`, beside a running gateway or
//! without one.
//!
//! sled writes when it opens, and what it writes destroys evidence; so each generation is copied to the
//! system's temporary directory and the copy is opened. Promises to write nothing in the state directory. A
//! copy of a generation that is being written may end early or be unreadable: then it says so, look again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::Mode;

use crate::domain::ids::StreamId;

use super::database;
use super::disk;
use super::error::StorageError;
use super::frame::Frame;
use super::generation::Generation;
use super::options::Profile;
use super::ready::Ready;
use super::spool::Spool;

/// One generation, as found.
#[derive(Debug, Clone)]
pub struct GenerationReport {
    pub spool: Spool,
    pub path: PathBuf,
    pub profile: Profile,
    pub stream: StreamId,
    /// The sequence it began with; frames before `contents.first_seq` have been acknowledged.
    pub base_seq: u64,
    pub state: GenerationState,
    pub bytes_on_disk: u64,
    pub contents: Result<Contents, StorageError>,
}

/// How a generation was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationState {
    /// Closed in order.
    Clean,
    /// Open at this moment, or left by a crash.
    Open,
}

/// The unacknowledged frames of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    pub frames: u64,
    pub bytes: u64,
    pub first_seq: u64,
    pub next_seq: u64,
    pub oldest_unix_ms: Option<u64>,
}

/// Reports on every generation, oldest first and P0 before P1, and shows every frame on the way to `visit`.
pub fn inspect(
    dir: &Path,
    visit: &mut dyn FnMut(Spool, Frame),
) -> Result<Vec<GenerationReport>, StorageError> {
    let mut reports = Vec::new();
    for spool in [Spool::P0, Spool::P1] {
        for (path, ready) in database::ready_in(&dir.join(spool.name()))? {
            let contents = read_copy(&path, ready, &mut |frame| visit(spool, frame));
            reports.push(GenerationReport {
                spool,
                profile: ready.profile,
                stream: ready.stream,
                base_seq: ready.first,
                state: match database::is_clean(&path) {
                    true => GenerationState::Clean,
                    false => GenerationState::Open,
                },
                bytes_on_disk: fs_err::metadata(path.join("db"))?.len(),
                contents,
                path,
            });
        }
    }
    Ok(reports)
}

fn read_copy(
    path: &Path,
    ready: Ready,
    visit: &mut dyn FnMut(Frame),
) -> Result<Contents, StorageError> {
    let scratch = Scratch::make()?;
    let copy = scratch.0.join(ready.dir_name());
    fs_err::create_dir(&copy)?;
    for name in disk::names_in(path)? {
        let file = path.join(&name);
        if file.is_file() {
            fs_err::copy(file, copy.join(name))?;
        }
    }
    let generation = Generation::load(&copy, ready, &mut |frame| {
        visit(Frame {
            stream: ready.stream,
            seq: frame.seq,
            id: frame.id,
            body: frame.body.to_vec(),
        });
    })?;
    let tally = generation.tally();
    Ok(Contents {
        frames: tally.frames,
        bytes: tally.bytes,
        first_seq: tally.oldest.map_or(generation.next(), |oldest| oldest.seq),
        next_seq: generation.next(),
        oldest_unix_ms: tally.oldest.map(|oldest| oldest.unix_millis),
    })
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
