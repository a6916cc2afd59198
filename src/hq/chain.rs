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
use crate::ops::files::{Readers, read_tree, tree, write_tree};
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

/// Reads the folder beside what ran until now, which `kept` holds over restarts: a campaign that newer rules alone
/// refuse runs on, and is named.
pub fn read_beside(dir: &Path, kept: &Path) -> Result<Chain, Vec<BadFile>> {
    let before = match read_tree(kept) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Files::new()),
        read => read,
    };
    let running = before.as_ref().ok().map(Bundle::from_folder);
    let chain = read_by(dir, &running.and_then(Result::ok).unwrap_or_default())?;
    // What cannot be read is not written over: whoever mends it has it back.
    let files = chain.bundle.judged();
    let files = files.filter_map(|name| Some((name.clone(), chain.files.get(&name)?.clone())));
    let is_kept = before.and_then(|_| write_tree(kept, &files.collect(), Readers::OnlyUs));
    if let Err(error) = is_kept {
        tracing::error!(
            kind = %error.kind(),
            "the campaigns that run cannot be kept; after a restart newer rules may stop them"
        );
    }
    Ok(chain)
}

/// Reads the folder by today's rules alone.
pub fn read(dir: &Path) -> Result<Chain, Vec<BadFile>> {
    read_by(dir, &Bundle::default())
}

fn read_by(dir: &Path, running: &Bundle) -> Result<Chain, Vec<BadFile>> {
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
    let verdict = bundle.leave_out_refused(running);
    for fault in &verdict.flagged {
        tracing::warn!(%fault, "a campaign that newer rules refuse runs on");
    }
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

/// What guests may not be told outside of campaigns. A code that has run out or a full group is no such thing: a box
/// hides it by itself, and a folder that was right must not become wrong overnight.
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
    fn what_ran_before_the_rules_were_newer_runs_on_until_its_words_change() {
        let folder = chain_folder();
        let kept = tempfile::tempdir().unwrap();
        let unlawful = include_str!("../../tests/fixtures/unlawful/share-to-moments.toml");
        let campaign = "campaigns/share-to-moments.toml";
        fs_err::write(folder.path().join(campaign), unlawful).unwrap();
        let runs = || {
            let chain = read_beside(folder.path(), kept.path()).unwrap();
            chain.files.contains_key(campaign)
        };
        assert!(!runs());
        // As a version with older rules left it.
        fs_err::write(kept.path().join(campaign), unlawful).unwrap();
        assert!(runs() && runs(), "also after the next restart");
        let explained = format!("# Anything.\n{unlawful}");
        fs_err::write(folder.path().join(campaign), explained).unwrap();
        assert!(runs(), "it says the same");
        let worth_more = unlawful.replace("cost_fen = ", "cost_fen = 1");
        assert_ne!(worth_more, unlawful);
        fs_err::write(folder.path().join(campaign), worth_more).unwrap();
        assert!(!runs());
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
