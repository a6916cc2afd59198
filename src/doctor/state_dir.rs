//! Can the journal keep its word in the state directory?

use std::path::Path;

use super::Finding;
use crate::ops::files::{Readers, replace};

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of Linux's `linux/magic.h`: gone with the power.
const MEMORY_FILE_SYSTEMS: [i128; 2] = [0x0102_1994, 0x8584_58f6];

/// What the journal wants free: its bounds are 60 MiB of captures.
const WANTED_MIB: u64 = 64;

pub fn check(dir: &Path) -> Finding {
    let probe = dir.join("doctor.probe");
    if let Err(error) = fs_err::create_dir_all(dir)
        .and_then(|()| replace(&probe, b"ok", Readers::OnlyUs))
        .and_then(|()| fs_err::remove_file(&probe))
    {
        return Finding::bad(
            "state directory",
            error.to_string(),
            "make the directory and give it to the user that the gateway runs as",
        );
    }
    let Ok(system) = rustix::fs::statfs(dir) else {
        return Finding::good(
            "state directory",
            format!("{} can be written", dir.display()),
        );
    };
    // A C long: on a machine of 32 bits a large type would read as negative.
    if MEMORY_FILE_SYSTEMS.contains(&(i128::from(system.f_type) & 0xffff_ffff)) {
        return Finding::bad(
            "state directory",
            format!("{} is in memory and gone with the power", dir.display()),
            "set state_dir to a directory on flash or disk",
        );
    }
    let block = u64::try_from(system.f_bsize).unwrap_or_default();
    let free_mib = system.f_bavail.saturating_mul(block) >> 20;
    if free_mib < WANTED_MIB {
        return Finding::warning(
            "state directory",
            format!("{free_mib} MiB free in {}", dir.display()),
            "a month without Internet can need 64 MiB; free some space",
        );
    }
    Finding::good(
        "state directory",
        format!("{} can be written, {free_mib} MiB free", dir.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_directory_in_memory_is_refused() {
        let finding = check(Path::new("/dev/shm/maitred-doctor"));
        assert_eq!(finding.health, Health::Bad);
        assert!(finding.what.contains("gone with the power"), "{finding:?}");
    }
}
