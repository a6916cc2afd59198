//! The few file-system steps that a power cut must not find half done.
//!
//! A file or a rename is there after a cut only once its directory has been synced, so every function here
//! ends with that. Removal goes by way of a rename to `trash-*`: a half-removed database under its own name
//! would look like a damaged one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

const TRASH_PREFIX: &str = "trash-";

/// The names in a directory that are text; ours all are.
pub(super) fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs_err::File::open(dir)?.sync_all()
}

pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    fs_err::File::open(path)?.sync_all()
}

/// Makes sure of a directory that is still there after a power cut, with everything that is in it now.
///
/// A run that was killed may have left names that only the kernel's memory holds, its own or those of
/// generations in it; whoever builds on them would lose both. So it is synced, and its parent, in any case.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    fs_err::create_dir_all(dir)?;
    sync_dir(dir)?;
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Puts a small file in place, whole or not at all.
pub(super) fn write_marker(dir: &Path, name: &str, content: &str) -> io::Result<()> {
    write_whole(dir, name, content.as_bytes())
}

/// What [`write_whole`] has not finished.
pub(super) fn unfinished(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.new"))
}

/// Writes a file that is there whole, on stable storage, or not at all.
pub(super) fn write_whole(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(dir, name);
    let mut file = fs_err::File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs_err::rename(&unfinished, dir.join(name))?;
    sync_dir(dir)
}

/// A marker's text with a last line that proves the others.
pub(super) fn sealed(covered: &str) -> String {
    let crc = crc32fast::hash(covered.as_bytes());
    format!("{covered}crc {crc:08x}\n")
}

/// Takes a database directory out of its row, for good, and then removes it.
pub(super) fn discard(dir: &Path, name: &str) -> io::Result<()> {
    let trash = dir.join(format!("{TRASH_PREFIX}{name}"));
    if trash.exists() {
        fs_err::remove_dir_all(&trash)?;
    }
    fs_err::rename(dir.join(name), &trash)?;
    sync_dir(dir)?;
    fs_err::remove_dir_all(&trash)
}

/// Finishes the removals that a power cut interrupted.
pub(super) fn empty_trash(dir: &Path) -> io::Result<()> {
    for name in names_in(dir)? {
        if name.starts_with(TRASH_PREFIX) {
            fs_err::remove_dir_all(dir.join(name))?;
        }
    }
    Ok(())
}
