//! Repairs the one thing sled trips over after a power cut during open: a `snap.*.generating` file.
//!
//! sled writes a snapshot under that name, syncs it and renames it, but its lister takes the temporary name
//! for a finished snapshot (spacejam/sled#1527, #1533): a torn one is `Corruption` on every later open.
//!
//! Promises to rename a whole snapshot to its final name and to remove only a torn one. Never deletes a
//! valid snapshot: without it a queue came back silently empty in 2-6 of 60-120 reopenings.

use std::io;
use std::path::Path;

use super::disk;

const SUFFIX: &str = ".generating";
/// A snapshot ends in its uncompressed length (8 bytes) and the crc32 of what stands before (4 bytes).
const TRAILER_BYTES: usize = 12;

/// Call before sled opens the directory.
pub(super) fn repair_snapshots(dir: &Path) -> io::Result<()> {
    let mut changed = false;
    for name in disk::names_in(dir)? {
        let Some(whole) = name.strip_suffix(SUFFIX) else {
            continue;
        };
        if !name.starts_with("snap.") {
            continue;
        }
        let path = dir.join(&name);
        if is_whole(&fs_err::read(&path)?) {
            // It may be whole in the page cache only: a run that was killed had not come to its sync.
            disk::sync_file(&path)?;
            fs_err::rename(&path, dir.join(whole))?;
        } else {
            fs_err::remove_file(&path)?;
        }
        changed = true;
    }
    if changed {
        disk::sync_dir(dir)?;
    }
    Ok(())
}

fn is_whole(snapshot: &[u8]) -> bool {
    let Some((covered, trailer)) = snapshot.split_last_chunk::<TRAILER_BYTES>() else {
        return false;
    };
    crc32fast::hash(covered).to_le_bytes() == trailer[8..]
}

#[cfg(test)]
mod tests {
    use super::super::database::Database;
    use super::super::mark::Mark;
    use super::super::options::Profile;
    use super::super::ready::Ready;
    use super::*;
    use crate::domain::ids::StreamId;

    fn snapshot_file(body: &[u8]) -> Vec<u8> {
        let length = u64::try_from(body.len()).unwrap().to_le_bytes();
        let crc = crc32fast::hash(body).to_le_bytes();
        [body, &length, &crc].concat()
    }

    #[test]
    fn a_torn_snapshot_is_removed_and_a_whole_one_gets_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let whole = snapshot_file(b"the page table");
        fs_err::write(dir.path().join("snap.0A.generating"), &whole).unwrap();
        fs_err::write(dir.path().join("snap.0B.generating"), &whole[..9]).unwrap();
        fs_err::write(dir.path().join("snap.0C"), b"none of our business").unwrap();

        repair_snapshots(dir.path()).unwrap();

        let mut names = disk::names_in(dir.path()).unwrap();
        names.sort();
        assert_eq!(names, ["snap.0A", "snap.0C"]);
    }

    #[test]
    fn a_snapshot_that_sled_itself_wrote_counts_as_whole() {
        let dir = tempfile::tempdir().unwrap();
        let ready = Ready {
            profile: Profile::Small,
            stream: StreamId::from_time_and_entropy(0, [0; 10]),
            stream_number: 1,
            first: 1,
            before: None,
        };
        let path = dir.path().join(ready.dir_name());
        let place = Mark {
            seq: 1,
            chain: None,
        };
        let database = Database::begin(dir.path(), &ready).unwrap();
        database.finish(dir.path(), &ready).unwrap();
        database.close(place, place).unwrap();
        // It is the second open that writes one.
        let database = Database::open(&path, &ready).unwrap();
        database.close(place, place).unwrap();
        let snapshot = disk::names_in(&path)
            .unwrap()
            .into_iter()
            .find(|name| name.starts_with("snap."))
            .unwrap();
        assert!(is_whole(&fs_err::read(path.join(snapshot)).unwrap()));
    }
}
