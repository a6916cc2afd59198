//! Room to write: how much is free, a reserve for the day nothing is, and what must not be written to at all.
//!
//! A full disk cannot drain itself: moving a base needs a write too. So 2 MiB are held back from the first
//! day (BALLAST), given up when a write finds the disk full, and taken back when there is room again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::disk;
use super::error::StorageError;

const NAME: &str = "BALLAST";

/// `TMPFS_MAGIC`, `RAMFS_MAGIC` and `OVERLAYFS_SUPER_MAGIC` of Linux's `linux/magic.h`.
const TMPFS: i128 = 0x0102_1994;
const RAMFS: i128 = 0x8584_58f6;
const OVERLAYFS: i128 = 0x794c_7630;

/// The reserve below a state directory.
#[derive(Debug, Clone)]
pub(super) struct Ballast {
    dir: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub(super) fn new(dir: &Path, bytes: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            bytes,
        }
    }

    /// Puts the reserve in place if it is not there and leaves more than `floor` free.
    pub(super) fn restore(&self, floor: u64) -> io::Result<()> {
        let path = self.dir.join(NAME);
        let present = fs_err::metadata(&path).is_ok_and(|file| file.len() >= self.bytes);
        if present || self.bytes == 0 || free_bytes(&self.dir)? < floor.saturating_add(self.bytes) {
            return Ok(());
        }
        let mut file = fs_err::File::create(&path)?;
        let reserved = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.bytes);
        if reserved.is_err() {
            // A file system without reservations: what is written takes its room.
            let block = vec![0xa5; 64 * 1024];
            let mut left = self.bytes;
            while left > 0 {
                let now = left.min(block.len() as u64);
                file.write_all(&block[..usize::try_from(now).unwrap_or(block.len())])?;
                left -= now;
            }
        }
        file.sync_all()?;
        disk::sync_dir(&self.dir)
    }

    /// Gives the reserve up; false if there was none.
    pub(super) fn release(&self) -> io::Result<bool> {
        let path = self.dir.join(NAME);
        if !path.exists() {
            return Ok(false);
        }
        fs_err::remove_file(path)?;
        disk::sync_dir(&self.dir)?;
        Ok(true)
    }
}

/// What an unprivileged writer may still take on the file system of `dir`.
pub(super) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(dir)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Refuses a directory that a power cut empties: in memory, or on an overlay whose upper layer is.
pub(super) fn refuse_memory(dir: &Path) -> Result<(), StorageError> {
    let kind = kind(dir)?;
    let in_memory = match kind {
        TMPFS | RAMFS => true,
        OVERLAYFS => {
            let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let dir = fs_err::canonicalize(dir)?;
            // In a container the upper layer may be out of sight; then nobody can tell.
            let upper = upper_layer(&mounts, &dir).and_then(|upper| self::kind(&upper).ok());
            upper.is_some_and(|kind| matches!(kind, TMPFS | RAMFS))
        }
        _ => false,
    };
    match in_memory {
        true => Err(StorageError::Memory(dir.to_owned())),
        false => Ok(()),
    }
}

fn kind(dir: &Path) -> io::Result<i128> {
    let system = rustix::fs::statfs(dir)?;
    // A C long: on a machine of 32 bits a large type would read as negative.
    Ok(i128::from(system.f_type) & 0xffff_ffff)
}

/// The upper directory of the overlay that `dir` is on, from `/proc/self/mountinfo`.
fn upper_layer(mounts: &str, dir: &Path) -> Option<PathBuf> {
    let of_line = |line: &str| {
        let (place, system) = line.split_once(" - overlay ")?;
        let point = PathBuf::from(place.split(' ').nth(4)?);
        let options = system.split(' ').nth(1)?;
        let upper = options
            .split(',')
            .find_map(|o| o.strip_prefix("upperdir="))?;
        dir.starts_with(&point)
            .then(|| (point.components().count(), PathBuf::from(upper)))
    };
    let nearest = mounts.lines().filter_map(of_line).max();
    nearest.map(|(_, upper)| upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_memory_is_refused_and_one_on_disk_is_not() {
        let shm = refuse_memory(Path::new("/dev/shm")).unwrap_err();
        assert_eq!(shm.code(), "journal_in_memory");
        // The sources are on a disk wherever the tests run.
        refuse_memory(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    }

    #[test]
    fn the_upper_layer_of_the_nearest_overlay_is_found() {
        let mounts = "\
22 1 0:20 / / rw - overlay overlay rw,lowerdir=/rom,upperdir=/overlay/upper,workdir=/overlay/work
23 1 0:21 / /var rw - overlay none rw,upperdir=/tmp/root/upper,workdir=/tmp/w
24 1 0:22 / /tmp rw - tmpfs tmpfs rw
";
        let upper = |dir: &str| upper_layer(mounts, Path::new(dir));
        let overlay = Some(PathBuf::from("/overlay/upper"));
        assert_eq!(upper("/etc/maitred"), overlay);
        assert_eq!(upper("/variety"), overlay);
        assert_eq!(upper("/var/lib/maitred"), Some("/tmp/root/upper".into()));
        assert_eq!(upper_layer("", Path::new("/")), None);
    }

    #[test]
    fn the_reserve_takes_its_room_and_gives_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(dir.path(), 100_000);
        let path = dir.path().join(NAME);
        assert!(!ballast.release().unwrap());
        ballast.restore(u64::MAX).unwrap();
        assert!(!path.exists(), "there is no room for it");
        ballast.restore(0).unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().len(), 100_000);
        assert!(ballast.release().unwrap());
        assert!(!path.exists());
    }
}
