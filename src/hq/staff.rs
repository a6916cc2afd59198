//! Adding a member of staff: a PIN that is shown once, and its verifier in the store's folder.

use std::path::Path;

use super::{secret, store_file};
use crate::domain::ids::{StaffName, StoreId};
use crate::ops::files::random;
use crate::wire::staff::{Role, Staff, StaffFile};

const HEADER: &str = "Written by `maitred hq staff add`: names and verifiers, never a PIN.";

/// Gives `name` of `store` a new PIN and returns it; an older PIN of the same name ends. Without a `role` they keep
/// the one they have.
pub fn add(
    chain_dir: &Path,
    store: &StoreId,
    name: StaffName,
    role: Option<Role>,
) -> anyhow::Result<String> {
    let pin = secret::pin();
    store_file::change(
        chain_dir,
        store,
        ("staff.toml", HEADER),
        |file: &mut StaffFile| {
            let before = file.staff.iter().find(|staff| staff.name == name);
            let role = role.or(before.map(|staff| staff.role)).unwrap_or_default();
            file.staff.retain(|staff| staff.name != name);
            file.staff.push(Staff::new(name, role, &pin, random()));
        },
    )?;
    Ok(pin)
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
        let old = add(folder.path(), &store("SZ01"), lin(), None).unwrap();
        add(
            folder.path(),
            &store("SZ01"),
            StaffName::parse("小王").unwrap(),
            None,
        )
        .unwrap();
        let new = add(folder.path(), &store("SZ01"), lin(), None).unwrap();
        let chain = chain::read(folder.path()).unwrap();
        let staff = &chain.bundle.stores[&store("SZ01")].staff;
        assert_eq!(staff.len(), 2);
        let entry = staff.iter().find(|staff| staff.name == lin()).unwrap();
        assert!(entry.knows(&new));
        assert!(old == new || !entry.knows(&old));
    }

    #[test]
    fn a_manager_with_a_new_pin_is_a_manager_still() {
        let folder = chain_folder();
        let name = || StaffName::parse("lin").unwrap();
        let role = || {
            let chain = chain::read(folder.path()).unwrap();
            chain.bundle.stores[&store("SZ01")].staff[0].role
        };
        for (given, has) in [
            (None, Role::Staff),
            (Some(Role::Manager), Role::Manager),
            (None, Role::Manager),
        ] {
            add(folder.path(), &store("SZ01"), name(), given).unwrap();
            assert_eq!(role(), has);
        }
    }

    #[test]
    fn the_service_that_owns_the_folder_can_read_the_file() {
        let folder = chain_folder();
        let store_folder = folder.path().join("stores/SZ01");
        // Only root can; for others the folder is theirs already.
        chown(&store_folder, Some(1234), Some(2345)).ok();
        let name = StaffName::parse("lin").unwrap();
        add(folder.path(), &store("SZ01"), name, None).unwrap();
        let file = fs_err::metadata(store_folder.join("staff.toml")).unwrap();
        let owner = fs_err::metadata(&store_folder).unwrap();
        assert_eq!((file.uid(), file.gid()), (owner.uid(), owner.gid()));
        assert_eq!(file.mode() & 0o777, 0o640);
    }

    #[test]
    fn a_store_that_is_not_there_gets_no_staff() {
        let folder = chain_folder();
        let name = StaffName::parse("lin").unwrap();
        let refused = add(folder.path(), &store("SZ99"), name, None).unwrap_err();
        assert!(refused.to_string().contains("SZ99"), "{refused}");
    }
}
