//! Files that are either there whole or not at all, and secrets that only we can read.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use fs_err::OpenOptions;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Mode 0600.
    OnlyUs,
    /// Mode 0640, and where we may give it away the owner and group of its folder: what an operator
    /// writes as root and a service reads.
    LikeItsFolder,
    /// Mode 0644.
    Everyone,
}

impl Readers {
    const fn mode(self) -> u32 {
        match self {
            Self::OnlyUs => 0o600,
            Self::LikeItsFolder => 0o640,
            Self::Everyone => 0o644,
        }
    }
}

/// Replaces the file at `path`: after a power cut it has the old contents or the new, never a part.
pub fn replace(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = parent.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options.options_mut().mode(readers.mode());
    let mut file = options.open(&new)?;
    if readers == Readers::LikeItsFolder {
        // A umask may have taken the group's right, and only root may give a file away.
        file.set_permissions(Permissions::from_mode(readers.mode()))?;
        let folder = fs_err::metadata(parent)?;
        fchown(file.file(), Some(folder.uid()), Some(folder.gid())).ok();
    }
    file.write_all(contents)?;
    // The contents before the name: a rename that outlives its data would leave an empty file.
    file.sync_all()?;
    fs_err::rename(&new, path)?;
    sync_directory(parent)
}

/// Makes renames and new names in `directory` last.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).open(directory)?.sync_all()
}

/// The secret at `path`; the first time, `make` makes it.
pub fn secret(path: &Path, make: impl FnOnce() -> Vec<u8>) -> io::Result<Vec<u8>> {
    match fs_err::read(path) {
        Ok(contents) => Ok(contents),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let contents = make();
            replace(path, &contents, Readers::OnlyUs)?;
            Ok(contents)
        }
        Err(error) => Err(error),
    }
}

/// Larger than any file that a person writes for us; whatever is larger was put there by mistake.
const MOST_FILE_BYTES: u64 = 1 << 20;

/// Deeper than any folder of ours.
const MOST_DEPTH: usize = 8;

/// Every file below `dir`, by its path relative to it with `/` between the parts.
pub fn read_tree(dir: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for path in tree(dir)? {
        let name = path.strip_prefix(dir).unwrap_or(&path);
        files.insert(name.display().to_string(), fs_err::read(&path)?);
    }
    Ok(files)
}

/// Makes the folder at `dir` hold `files` and no others; those that are the same are not written.
pub fn write_tree(
    dir: &Path,
    files: &BTreeMap<String, Vec<u8>>,
    readers: Readers,
) -> io::Result<()> {
    fs_err::create_dir_all(dir)?;
    let before = read_tree(dir)?;
    for gone in before.keys().filter(|name| !files.contains_key(*name)) {
        fs_err::remove_file(dir.join(gone))?;
    }
    for (name, contents) in files {
        if before.get(name) != Some(contents) {
            let path = dir.join(name);
            fs_err::create_dir_all(path.parent().unwrap_or(dir))?;
            replace(&path, contents, readers)?;
        }
    }
    Ok(())
}

/// The files below `dir` in order, without those that an editor or a half-done write leaves.
pub fn tree(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![(dir.to_owned(), 1)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            if is_passing(&path) {
                continue;
            }
            let metadata = fs_err::metadata(&path)?;
            if metadata.is_dir() && depth < MOST_DEPTH {
                folders.push((path, depth + 1));
            } else if metadata.is_file() && metadata.len() > MOST_FILE_BYTES {
                let fault = format!("{} is over {MOST_FILE_BYTES} bytes", path.display());
                return Err(io::Error::other(fault));
            } else if metadata.is_file() {
                found.push(path);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~') || name.ends_with(".new")
}

/// 32 random bytes: a key for HMAC.
pub fn random_key() -> Vec<u8> {
    random::<32>().to_vec()
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_we_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookie.key");
        let first = secret(&path, random_key).unwrap();
        assert_eq!(secret(&path, || panic!("made twice")).unwrap(), first);
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn replacing_a_file_leaves_nothing_else_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slot");
        replace(&path, b"one", Readers::Everyone).unwrap();
        replace(&path, b"two", Readers::Everyone).unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"two");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    }
}
