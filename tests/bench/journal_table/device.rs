//! What reaches the device below a directory: bytes written and flushes of its cache.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Linux counts sectors of this size whatever the device's own is.
const SECTOR_BYTES: u64 = 512;
/// Places in `stat`; see Documentation/block/stat.rst.
const SECTORS_WRITTEN: usize = 6;
const FLUSHES: usize = 15;

/// The device of a directory.
pub(crate) struct Device {
    sysfs: PathBuf,
    dir: PathBuf,
}

/// Everything that was ever written to it, by anybody.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub bytes: u64,
    pub flushes: u64,
}

impl Device {
    pub(crate) fn below(dir: &Path) -> anyhow::Result<Self> {
        let number = fs_err::metadata(dir)?.dev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let sysfs = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
        let dir = dir.to_owned();
        Ok(Self { sysfs, dir })
    }

    pub(crate) fn name(&self) -> String {
        fs_err::canonicalize(&self.sysfs)
            .ok()
            .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "an unknown device".to_owned())
    }

    /// Writes out what the page cache holds, and counts.
    pub(crate) fn settled(&self) -> anyhow::Result<Traffic> {
        rustix::fs::syncfs(fs_err::File::open(&self.dir)?)?;
        self.traffic()
    }

    pub(crate) fn traffic(&self) -> anyhow::Result<Traffic> {
        let stat = fs_err::read_to_string(self.sysfs.join("stat"))?;
        let counts: Vec<&str> = stat.split_whitespace().collect();
        let count = |place: usize| -> anyhow::Result<u64> {
            let text = counts.get(place).context("the kernel counts too little")?;
            Ok(text.parse()?)
        };
        Ok(Traffic {
            bytes: count(SECTORS_WRITTEN)? * SECTOR_BYTES,
            flushes: count(FLUSHES)?,
        })
    }
}

impl Traffic {
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            flushes: self.flushes - before.flushes,
        }
    }
}
