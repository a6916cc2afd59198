//! The chain's folder: its stores and campaigns as files that people write.
//!
//! It is read strictly, whole or not at all: a folder with a mistake changes nothing until the mistake is
//! gone, and every mistake is named.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::domain::ids::Slug;
use crate::domain::text::Text;
use crate::domain::written::BadFile;
use crate::wire::bundle::{Bundle, Files};

/// Larger than any campaign or table of touchpoints; whatever is larger was put there by mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Folders in the folder: `stores/SZ01/staff.toml` is three deep.
const MAX_DEPTH: usize = 3;

/// A folder without mistakes.
#[derive(Debug, Clone)]
pub struct Chain {
    pub id: Slug,
    pub name: Text,
    pub files: Files,
    pub bundle: Bundle,
}

/// Reads the folder.
pub fn read(dir: &Path) -> Result<Chain, Vec<BadFile>> {
    let here = dir.display().to_string();
    let unreadable = |error: io::Error| vec![BadFile::whole(&here, error)];
    let mut files = Files::new();
    for path in paths(dir).map_err(unreadable)? {
        let name = path.strip_prefix(dir).unwrap_or(&path);
        let bytes = fs_err::read(&path).map_err(unreadable)?;
        files.insert(name.display().to_string(), bytes);
    }
    let bundle = Bundle::from_folder(&files)?;
    let Some(chain) = bundle.chain.clone() else {
        let mut fault = BadFile::whole("chain.toml", "missing");
        fault.hint = Some("it holds the chain's id and name".to_owned());
        return Err(vec![fault]);
    };
    Ok(Chain {
        id: chain.id,
        name: chain.name,
        files,
        bundle,
    })
}

/// Changes when a file is added, taken away or written.
///
/// Taken before the folder is read, so that what changes during the reading is seen the next time.
pub fn stamp(dir: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in paths(dir)? {
        let metadata = fs_err::metadata(&path)?;
        let times = (metadata.mtime(), metadata.mtime_nsec());
        (path, metadata.ino(), metadata.len(), times).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// The files of the folder in order, without those that an editor or a half-done write leaves.
fn paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![(dir.to_owned(), 1)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            if is_passing(&path) {
                continue;
            }
            let metadata = fs_err::metadata(&path)?;
            if metadata.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if metadata.len() > MAX_FILE_BYTES {
                let fault = format!("{} is over {MAX_FILE_BYTES} bytes", path.display());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::testing::chain_folder;

    #[test]
    fn a_folder_is_read_without_what_an_editor_leaves_behind() {
        let folder = chain_folder();
        fs_err::write(folder.path().join("campaigns/.quiet-hours.toml.swp"), "x").unwrap();
        fs_err::write(folder.path().join("campaigns/quiet-hours.toml~"), "x").unwrap();
        let chain = read(folder.path()).unwrap();
        assert_eq!(chain.id.as_str(), "shiwei");
        assert_eq!(chain.files.len(), 4);
    }

    #[test]
    fn a_folder_without_a_chain_file_or_not_there_is_a_mistake_with_a_name() {
        let folder = chain_folder();
        fs_err::remove_file(folder.path().join("chain.toml")).unwrap();
        assert_eq!(read(folder.path()).unwrap_err()[0].file, "chain.toml");
        assert!(read(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_stamp_changes_with_every_write() {
        let folder = chain_folder();
        let before = stamp(folder.path()).unwrap();
        assert_eq!(stamp(folder.path()).unwrap(), before);
        let staff = folder.path().join("stores/SZ01/staff.toml");
        fs_err::write(staff, "").unwrap();
        assert_ne!(stamp(folder.path()).unwrap(), before);
    }
}
