//! The chain's folder: its stores and campaigns as files that people write.
//!
//! It is read strictly, whole or not at all: a folder with a mistake changes nothing until the mistake is
//! gone, and every mistake is named. Words of notices, greetings and the Wi-Fi that the linter refuses are such a
//! mistake. A campaign that it refuses is left out with its reasons, and the rest goes out: one person's slip must
//! not keep everybody's edits from their shops.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::domain::ids::Slug;
use crate::domain::text::Text;
use crate::domain::written::BadFile;
use crate::ops::files::{read_tree, tree};
use crate::wire::bundle::{Bundle, Files, Looked, PARTNERS, campaign_file};

/// A folder without mistakes.
#[derive(Debug, Clone)]
pub struct Chain {
    pub id: Slug,
    pub name: Text,
    pub files: Files,
    pub bundle: Bundle,
    /// The campaigns that are refused: they are in neither of the above.
    pub left_out: Vec<BadFile>,
}

/// Reads the folder.
pub fn read(dir: &Path) -> Result<Chain, Vec<BadFile>> {
    let here = dir.display().to_string();
    let unreadable = |error: io::Error| vec![BadFile::whole(&here, error)];
    let mut files = read_tree(dir).map_err(unreadable)?;
    let mut bundle = Bundle::from_folder(&files)?;
    // What partners are paid is no box's business.
    files.remove(PARTNERS);
    let refused = refused(&bundle);
    if !refused.is_empty() {
        return Err(refused);
    }
    let verdict = bundle.leave_out_refused(&Bundle::default());
    for campaign in &verdict.left_out {
        files.remove(&campaign_file(campaign));
    }
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
        left_out: verdict.faults,
    })
}

/// What guests may not be told outside of campaigns. A code that has run out or a full group is no such thing: a box hides it by itself,
/// and a folder that was right must not become wrong overnight.
fn refused(bundle: &Bundle) -> Vec<BadFile> {
    let looked = bundle.said_of_words(&bundle.linter()).into_iter();
    looked.flat_map(Looked::refused).collect()
}

/// Changes when a file is added, taken away or written, or when others may read it.
///
/// Taken before the folder is read, so that what changes during the reading is seen the next time.
pub fn stamp(dir: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in tree(dir)? {
        let metadata = fs_err::metadata(&path)?;
        let written = (metadata.mtime(), metadata.mtime_nsec());
        // A file that could not be read is mended by its mode or its owner.
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let readers = (metadata.mode(), metadata.uid(), metadata.gid());
        (path, metadata.ino(), metadata.len()).hash(&mut hasher);
        (written, changed, readers).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

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
    fn a_refused_campaign_is_left_out_and_named_and_other_refused_words_are_a_mistake() {
        let folder = chain_folder();
        let unlawful = include_str!("../../tests/fixtures/unlawful/share-to-moments.toml");
        let campaign = "campaigns/share-to-moments.toml";
        fs_err::write(folder.path().join(campaign), unlawful).unwrap();
        let chain = read(folder.path()).unwrap();
        assert_eq!(chain.bundle.campaigns.len(), 1);
        assert!(!chain.files.contains_key(campaign));
        let told = |faults: &[BadFile]| -> Vec<String> {
            let told = faults.iter();
            told.map(|fault| format!("{} {} {}", fault.file, fault.key, &fault.fault[..4]))
                .collect()
        };
        let named = told(&chain.left_out);
        let share = format!("{campaign} title.zh R03:");
        assert!(named.contains(&share), "{named:?}");

        let policy = "version = 3\nnotice = { zh = \"无\", en = \"none\" }\n\
                      marketing = { zh = \"领取即表示同意接收推送\", en = \"Offers\" }\n";
        fs_err::write(folder.path().join("policy.toml"), policy).unwrap();
        let faults = told(&read(folder.path()).unwrap_err());
        assert_eq!(faults, ["policy.toml marketing.zh R09:"]);
    }

    #[test]
    fn a_stamp_changes_with_who_may_read() {
        let folder = chain_folder();
        let before = stamp(folder.path()).unwrap();
        let store = folder.path().join("stores/SZ01/store.toml");
        fs_err::set_permissions(store, Permissions::from_mode(0o600)).unwrap();
        assert_ne!(stamp(folder.path()).unwrap(), before);
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
