//! A small file in a store's folder that a command writes: who may use the till, which points of sale there are.
//!
//! A running headquarters reads the folder again by itself, so a change reaches the store's box with its next
//! bundle. The file is for its owner and group only (0640), because whoever reads a verifier can try all PINs; and
//! where this runs as root it gets the owner and group of the store's folder: the service that reads it is not root.

use std::path::Path;

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::ids::StoreId;
use crate::domain::written::read_strictly;
use crate::ops::files::{self, Readers};

/// Changes `name` in the folder of `store`; a file that is not there yet is begun under `header`.
pub(super) fn change<T: Default + Serialize + DeserializeOwned>(
    chain_dir: &Path,
    store: &StoreId,
    (name, header): (&str, &str),
    change: impl FnOnce(&mut T),
) -> anyhow::Result<()> {
    let folder = chain_dir.join("stores").join(store.as_str());
    if !folder.join("store.toml").exists() {
        bail!(
            "there is no store {store} in {}\nhint: a store is a folder stores/<ID>/ with a store.toml",
            chain_dir.display()
        );
    }
    let path = folder.join(name);
    let mut file: T = if path.exists() {
        let text = fs_err::read_to_string(&path)?;
        read_strictly(&path.display().to_string(), &text)?
    } else {
        T::default()
    };
    change(&mut file);
    let writing = || format!("writing {name}");
    let text = toml::to_string(&file).with_context(writing)?;
    let contents = format!("# {header}\n\n{text}");
    files::replace(&path, contents.as_bytes(), Readers::LikeItsFolder).with_context(writing)
}
