//! Adding a point of sale: a key that is shown once, and its digest in the store's folder.

use std::path::Path;

use super::store_file;
use crate::domain::ids::{StaffName, StoreId};
use crate::ops::files::random;
use crate::wire::pos::{Pos, PosFile};

const HEADER: &str = "Written by `maitred hq pos add`: names and digests, never a key.";

/// Gives the point of sale `name` of `store` a new key and returns it; an older key of the same name ends.
pub fn add(chain_dir: &Path, store: &StoreId, name: StaffName) -> anyhow::Result<String> {
    let (entry, key) = Pos::new(name, random());
    store_file::change(
        chain_dir,
        store,
        ("pos.toml", HEADER),
        |file: &mut PosFile| {
            file.pos.retain(|pos| pos.name != entry.name);
            file.pos.push(entry);
        },
    )?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::chain;
    use crate::hq::testing::{chain_folder, store};

    #[test]
    fn a_new_key_replaces_the_old_one_of_the_same_name() {
        let folder = chain_folder();
        let name = || StaffName::parse("pos-1").unwrap();
        let old = add(folder.path(), &store("SZ01"), name()).unwrap();
        let new = add(folder.path(), &store("SZ01"), name()).unwrap();
        let chain = chain::read(folder.path()).unwrap();
        let [pos] = chain.bundle.stores[&store("SZ01")].pos.as_slice() else {
            panic!("one entry");
        };
        assert!(pos.knows(&new) && !pos.knows(&old));
    }
}
