//! Reading what the media may have damaged, where sled panics instead of returning an error.
//!
//! Where panics unwind, one comes back as an error. A router's binary has no tables to unwind by, which would be
//! more than a quarter of it: there a panic ends the process. Before it does, it leaves a note in each directory that is
//! being read, and beside it the file as it was found, because by then sled may have zeroed what it takes for
//! torn. The next start takes a directory with a note for damaged and does not have sled open it again, so there
//! is one crash and no row of them.
//!
//! Never leaves a note for a process that is killed or loses its power: what that leaves is whole.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use super::database::LOG;
use super::disk;
use super::error::StorageError;

/// The bytes of a directory's file before sled opened it.
pub(super) type Evidence = Arc<Vec<u8>>;

/// In a directory: reading it has ended a process, and with which words.
const NOTE: &str = "PANICKED";

/// Beside the note: the file as it was found.
const FOUND: &str = "db.found";

/// What is being read now, by any journal of this process.
static READING: Mutex<Vec<Reading>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Reading {
    path: PathBuf,
    file: Option<Evidence>,
}

/// Runs what reads the directory `path`, whose `file` was read before, if it was.
pub(super) fn guarded<T>(
    path: &Path,
    file: Option<&Evidence>,
    act: impl FnOnce() -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    if let Some(reason) = note_in(path) {
        return Err(StorageError::panicked(path, reason));
    }
    // Elsewhere nothing is lost by a panic, and a note would outlive it.
    let _watched = cfg!(panic = "abort").then(|| Watched::begin(path, file));
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|panic| Err(StorageError::panicked(path, said(panic.as_ref()))))
}

/// Puts a directory's file back as it was found, if a panic left it: under its name it is always whole.
pub(super) fn put_evidence_back(path: &Path) -> io::Result<()> {
    let found = path.join(FOUND);
    if found.exists() {
        fs_err::rename(found, path.join(LOG))?;
        disk::sync_dir(path)?;
    }
    Ok(())
}

fn note_in(path: &Path) -> Option<String> {
    match fs_err::read(path.join(NOTE)) {
        Ok(note) => Some(String::from_utf8_lossy(&note).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Has a directory on the list for as long as it lives.
struct Watched<'a>(&'a Path);

impl<'a> Watched<'a> {
    fn begin(path: &'a Path, file: Option<&Evidence>) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                before(panic);
                let words = said(panic.payload());
                for reading in reading().iter() {
                    leave_note(&reading.path, reading.file.as_ref(), &words).ok();
                }
            }));
        });
        let mut list = reading();
        // Inside a reading of the same directory: the note is to be one, with its evidence.
        let outer = list.iter().find(|reading| reading.path == path);
        let outer = outer.and_then(|reading| reading.file.clone());
        list.push(Reading {
            path: path.to_owned(),
            file: file.map(Arc::clone).or(outer),
        });
        drop(list);
        Self(path)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let mut list = reading();
        if let Some(last) = list.iter().rposition(|reading| reading.path == self.0) {
            list.remove(last);
        }
    }
}

fn reading() -> MutexGuard<'static, Vec<Reading>> {
    READING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says in the directory `path` that reading it ends this process. Where there is no room for the file, the note is
/// what keeps the next start from the same end, and sled's file is searched as sled left it.
pub(super) fn leave_note(path: &Path, file: Option<&Evidence>, words: &str) -> io::Result<()> {
    if let Some(file) = file
        && let Err(error) = disk::write_whole(path, FOUND, file)
    {
        fs_err::remove_file(disk::unfinished(path, FOUND)).ok();
        disk::write_marker(path, NOTE, &format!("{words} ({error})"))
    } else {
        disk::write_marker(path, NOTE, words)
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(ToString::to_string);
    words
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}
