//! Promos that were made from the console's form, as files of the chain's folder: put there, withdrawn, put back.
//!
//! A file is there whole or not at all, and no other campaign's file is ever touched: the names of these begin with
//! `promo-`. What is withdrawn moves aside, where publishing does not look, and can be put back as it was.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::campaign::Campaign;
use crate::domain::ids::CampaignId;
use crate::domain::written::read_strictly;
use crate::ops::files::{Readers, replace, sync_directory};

/// What the names of these files begin with.
pub const BEGINS: &str = "promo-";

/// Publishing passes over names that begin with a point.
const ASIDE: &str = ".withdrawn";

/// Where a promo's file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// Among the campaigns.
    There,
    Aside,
}

impl Lies {
    const fn folder(self) -> &'static str {
        match self {
            Self::There => "campaigns",
            Self::Aside => ASIDE,
        }
    }
}

/// Whether a campaign is one of these.
pub fn is_promo(id: &CampaignId) -> bool {
    id.as_str().starts_with(BEGINS)
}

fn path(chain_dir: &Path, lies: Lies, id: &CampaignId) -> PathBuf {
    chain_dir.join(lies.folder()).join(format!("{id}.toml"))
}

/// Writes a promo's file; one that was sent twice is written once.
pub fn put(chain_dir: &Path, id: &CampaignId, file: &str) -> io::Result<()> {
    fs_err::create_dir_all(chain_dir.join(Lies::There.folder()))?;
    let known = [Lies::There, Lies::Aside].map(|lies| path(chain_dir, lies, id));
    if known.iter().any(|path| path.exists()) {
        return Ok(());
    }
    let path = path(chain_dir, Lies::There, id);
    replace(&path, file.as_bytes(), Readers::LikeItsFolder)
}

/// Moves a promo's file to where it should lie; whether it was elsewhere.
pub fn lay(chain_dir: &Path, id: &CampaignId, to: Lies) -> io::Result<bool> {
    let from = match to {
        Lies::There => Lies::Aside,
        Lies::Aside => Lies::There,
    };
    let (from, to) = (path(chain_dir, from, id), path(chain_dir, to, id));
    if !is_promo(id) || !from.exists() {
        return Ok(false);
    }
    for folder in [to.parent(), from.parent()].into_iter().flatten() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::rename(&from, &to)?;
    for folder in [to.parent(), from.parent()].into_iter().flatten() {
        sync_directory(folder)?;
    }
    Ok(true)
}

/// The promos that lie there, by their last days, the latest first.
pub fn list(chain_dir: &Path, lies: Lies) -> io::Result<Vec<Campaign>> {
    let folder = chain_dir.join(lies.folder());
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Campaign> = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(BEGINS) && name.ends_with(".toml") {
            let text = fs_err::read_to_string(&path)?;
            // One that somebody has edited and broken is named by publishing.
            found.extend(read_strictly::<Campaign>(&name, &text).ok());
        }
    }
    found.sort_by(|a, b| (b.ends, &a.id).cmp(&(a.ends, &b.id)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml");

    #[test]
    fn a_promo_is_put_once_withdrawn_and_put_back_as_it_was_and_no_other_file_is_moved() {
        let folder = crate::hq::testing::chain_folder();
        let dir = folder.path();
        let id = CampaignId::parse("promo-1").unwrap();
        let file = FILE.replace("id = \"quiet-hours\"", "id = \"promo-1\"");
        put(dir, &id, &file).unwrap();
        put(dir, &id, "the same form, sent twice").unwrap();
        let names = |lies| {
            let listed = list(dir, lies).unwrap();
            listed
                .iter()
                .map(|one| one.id.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Lies::There), ["promo-1"]);
        let before = crate::hq::chain::read(dir).unwrap();
        assert_eq!(before.bundle.campaigns.len(), 2);

        assert!(lay(dir, &id, Lies::Aside).unwrap());
        assert!(!lay(dir, &id, Lies::Aside).unwrap(), "it lies there");
        assert_eq!((names(Lies::There).len(), names(Lies::Aside).len()), (0, 1));
        assert_eq!(
            crate::hq::chain::read(dir).unwrap().bundle.campaigns.len(),
            1
        );
        assert!(lay(dir, &id, Lies::There).unwrap());
        assert_eq!(crate::hq::chain::read(dir).unwrap().files, before.files);

        let other = CampaignId::parse("quiet-hours").unwrap();
        assert!(!lay(dir, &other, Lies::Aside).unwrap());
    }
}
