//! Adding a member of staff: a PIN that is shown once, and its verifier in the store's folder.
//!
//! A running headquarters reads the folder again by itself, so the PIN reaches the store's till with its
//! next bundle. The file is for its owner and group only (0640), and where this runs as root it gets the owner
//! and group of the store's folder: the service that reads it is not root.

use std::path::Path;

use anyhow::{Context, bail};

use super::secret;
use crate::domain::ids::{StaffName, StoreId};
use crate::domain::written::read_strictly;
use crate::ops::files::{self, Readers, random};
use crate::wire::staff::{Staff, StaffFile};

const HEADER: &str = "# Written by `maitred hq staff add`: names and verifiers, never a PIN.\n\n";

/// Gives `name` of `store` a new PIN and returns it; an older PIN of the same name ends.
pub fn add(chain_dir: &Path, store: &StoreId, name: StaffName) -> anyhow::Result<String> {
    let folder = chain_dir.join("stores").join(store.as_str());
    if !folder.join("store.toml").exists() {
        bail!(
            "there is no store {store} in {}\nhint: a store is a folder stores/<ID>/ with a store.toml",
            chain_dir.display()
        );
    }
    let path = folder.join("staff.toml");
    let mut file = read(&path)?;
    let pin = secret::pin();
    file.staff.retain(|staff| staff.name != name);
    file.staff.push(Staff::new(name, &pin, random()));
    let text = toml::to_string(&file).context("writing staff.toml")?;
    // Who can read a verifier can try all PINs: nobody but whoever reads the folder.
    let contents = format!("{HEADER}{text}");
    files::replace(&path, contents.as_bytes(), Readers::LikeItsFolder)
        .context("writing staff.toml")?;
    Ok(pin)
}

fn read(path: &Path) -> anyhow::Result<StaffFile> {
    if !path.exists() {
        return Ok(StaffFile::default());
    }
    let text = fs_err::read_to_string(path)?;
    Ok(read_strictly(&path.display().to_string(), &text)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, chown};

    use super::*;
    use crate::hq::chain;
    use crate::hq::testing::{chain_folder, store};

    #[test]
    fn a_new_pin_replaces_the_old_one_of_the_same_name() {
        let folder = chain_folder();
        let lin = || StaffName::parse("lin").unwrap();
        let old = add(folder.path(), &store("SZ01"), lin()).unwrap();
        add(
            folder.path(),
            &store("SZ01"),
            StaffName::parse("小王").unwrap(),
        )
        .unwrap();
        let new = add(folder.path(), &store("SZ01"), lin()).unwrap();
        let chain = chain::read(folder.path()).unwrap();
        let staff = &chain.bundle.stores[&store("SZ01")].staff;
        assert_eq!(staff.len(), 2);
        let entry = staff.iter().find(|staff| staff.name == lin()).unwrap();
        assert!(entry.knows(&new));
        assert!(old == new || !entry.knows(&old));
    }

    #[test]
    fn the_service_that_owns_the_folder_can_read_the_file() {
        let folder = chain_folder();
        let store_folder = folder.path().join("stores/SZ01");
        // Only root can; for others the folder is theirs already.
        chown(&store_folder, Some(1234), Some(2345)).ok();
        let name = StaffName::parse("lin").unwrap();
        add(folder.path(), &store("SZ01"), name).unwrap();
        let file = fs_err::metadata(store_folder.join("staff.toml")).unwrap();
        let owner = fs_err::metadata(&store_folder).unwrap();
        assert_eq!((file.uid(), file.gid()), (owner.uid(), owner.gid()));
        assert_eq!(file.mode() & 0o777, 0o640);
    }

    #[test]
    fn a_store_that_is_not_there_gets_no_staff() {
        let folder = chain_folder();
        let name = StaffName::parse("lin").unwrap();
        let refused = add(folder.path(), &store("SZ99"), name).unwrap_err();
        assert!(refused.to_string().contains("SZ99"), "{refused}");
    }
}
