//! The two slots in which the bundle lives: the one in force and the one before.
//!
//! ```text
//! <state dir>/bundle/slot-a   a whole bundle, as it came
//! <state dir>/bundle/slot-b   another one, older or newer
//! <state dir>/bundle/current  "a" or "b"
//! <state dir>/bundle/left-out-a
//! <state dir>/bundle/left-out-b  the campaigns of that slot that the linter refused
//! ```
//!
//! A bundle is written into the slot that is not in force, after the list of what is refused of it, and only then
//! named in `current`; each file is replaced whole. After a power cut at any point the box has a bundle that it has checked. If the
//! one in force cannot be read at start, the other is used.
//!
//! What was refused when a bundle was taken stays refused, and what ran then runs on after a restart with newer
//! rules: they are asked once, when a bundle comes, and again where the list cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::ids::{CampaignId, StoreId};
use crate::domain::written::BadFile;
use crate::ops::files::{Readers, replace};
use crate::wire::bundle::{BadBundle, Bundle, Opened, Verdict, open};
use crate::wire::encoding::sha256_hex;
use crate::wire::link::{BundlePointer, Serves};
use crate::wire::signing::PublicKey;

/// The slots of one gateway.
#[derive(Debug, Clone)]
pub struct Slots {
    dir: PathBuf,
    root: PublicKey,
    serves: Serves,
}

/// A bundle is not taken, or cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Bad(#[from] BadBundle),
    #[error("the bytes are not those that headquarters announced")]
    NotAnnounced,
    #[error("the bundle could not be written: {0}")]
    Io(#[from] io::Error),
}

/// A bundle that is in force, and what of it is not.
#[derive(Debug)]
pub struct Taken {
    pub opened: Opened,
    pub verdict: Verdict,
}

impl NotTaken {
    /// A stable word for metrics and reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bad(bad) => bad.code(),
            Self::NotAnnounced => "not_announced",
            Self::Io(_) => "io",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    A,
    B,
}

impl Slot {
    const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl Slots {
    pub fn new(state_dir: &Path, root: PublicKey, serves: Serves) -> io::Result<Self> {
        let dir = state_dir.join("bundle");
        fs_err::create_dir_all(&dir)?;
        Ok(Self { dir, root, serves })
    }

    /// The bundle in force; none before the first has come.
    pub fn load(&self) -> Option<Bundle> {
        let current = self.current()?;
        for slot in [current, current.other()] {
            match fs_err::read(self.path(slot)).map(|bytes| self.check(&bytes, 0)) {
                Ok(Ok(Opened { mut bundle, .. })) => {
                    self.leave_out(slot, &mut bundle);
                    return Some(bundle);
                }
                Ok(Err(error)) => {
                    tracing::error!(slot = slot.letter(), %error, "a kept bundle is not usable");
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::error!(slot = slot.letter(), %error, "a kept bundle cannot be read");
                }
            }
        }
        None
    }

    /// Checks `bytes` against what was announced and against the bundle in force, and puts them in force, without
    /// the campaigns that the linter refuses.
    pub fn take(
        &self,
        bytes: &[u8],
        announced: &BundlePointer,
        running: &Bundle,
    ) -> Result<Taken, NotTaken> {
        if sha256_hex(bytes) != announced.sha256 {
            return Err(NotTaken::NotAnnounced);
        }
        let mut opened = self.check(bytes, running.version)?;
        let verdict = opened.bundle.leave_out_refused(running);
        let slot = self.current().map_or(Slot::A, Slot::other);
        let lines = verdict.left_out.iter().map(|id| format!("{id}\n"));
        let lines: String = lines.collect();
        replace(&self.left_out_path(slot), lines.as_bytes(), Readers::OnlyUs)?;
        replace(&self.path(slot), bytes, Readers::OnlyUs)?;
        let name = slot.letter().as_bytes();
        replace(&self.dir.join("current"), name, Readers::OnlyUs)?;
        Ok(Taken { opened, verdict })
    }

    /// Leaves out what was refused when the bundle in `slot` was taken; nothing by a version that had no linter.
    fn leave_out(&self, slot: Slot, bundle: &mut Bundle) {
        let lines = fs_err::read_to_string(self.left_out_path(slot));
        let read = lines.and_then(|lines| {
            let ids = lines.lines().map(CampaignId::parse);
            let ids = ids.collect::<Result<Vec<_>, _>>();
            ids.map_err(|_| io::ErrorKind::InvalidData.into())
        });
        match read {
            Ok(refused) => bundle.leave_out(&refused),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(
                    slot = slot.letter(),
                    kind = %error.kind(),
                    "what was refused of a kept bundle cannot be read; the linter is asked anew"
                );
                for fault in bundle.leave_out_refused(&Bundle::default()).faults {
                    tracing::error!(%fault, "a campaign is refused and left out");
                }
            }
        }
    }

    fn left_out_path(&self, slot: Slot) -> PathBuf {
        self.dir.join(format!("left-out-{}", slot.letter()))
    }

    fn check(&self, bytes: &[u8], have: u64) -> Result<Opened, BadBundle> {
        let opened = open(bytes, self.root, have)?;
        match &self.serves {
            Serves::Store(store) if !opened.bundle.stores.contains_key(store) => {
                Err(BadBundle::File(missing(store)))
            }
            Serves::Store(_) | Serves::Street => Ok(opened),
        }
    }

    fn current(&self) -> Option<Slot> {
        match fs_err::read_to_string(self.dir.join("current"))
            .ok()?
            .as_str()
        {
            "a" => Some(Slot::A),
            "b" => Some(Slot::B),
            _ => None,
        }
    }

    fn path(&self, slot: Slot) -> PathBuf {
        self.dir.join(format!("slot-{}", slot.letter()))
    }
}

fn missing(store: &StoreId) -> BadFile {
    let file = format!("stores/{store}/store.toml");
    BadFile::whole(&file, "the bundle is not for the store this box stands in")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bundle::{Files, PublishCertificate, pack};
    use crate::wire::signing::SigningKey;

    struct TestSlots {
        dir: tempfile::TempDir,
        root: SigningKey,
        slots: Slots,
    }

    impl TestSlots {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = SigningKey::from_pkcs8(&SigningKey::generate()).unwrap();
            let store = StoreId::parse("SZ01").unwrap();
            let slots = Slots::new(dir.path(), root.public(), Serves::Store(store)).unwrap();
            Self { dir, root, slots }
        }

        fn bundle(&self, version: u64, folder: &str) -> (Vec<u8>, BundlePointer) {
            self.bundle_with(version, folder, &[])
        }

        /// The same with campaigns: their ids and files.
        fn bundle_with(
            &self,
            version: u64,
            folder: &str,
            campaigns: &[(&str, &str)],
        ) -> (Vec<u8>, BundlePointer) {
            let store = include_str!("../../tests/fixtures/chain/stores/SZ01/store.toml");
            let store = store.replace("SZ01", folder);
            let mut files = Files::new();
            files.insert(format!("stores/{folder}/store.toml"), store.into_bytes());
            for (id, text) in campaigns {
                files.insert(format!("campaigns/{id}.toml"), text.as_bytes().to_vec());
            }
            let certificate = PublishCertificate::issue(self.root.public(), 0, &self.root);
            let bytes = pack(&files, version, 0, &certificate, &self.root);
            let sha256 = sha256_hex(&bytes);
            (bytes, BundlePointer { v: version, sha256 })
        }

        fn take(&self, version: u64, have: u64) -> Result<Taken, NotTaken> {
            let (bytes, pointer) = self.bundle(version, "SZ01");
            self.slots.take(&bytes, &pointer, &running(have))
        }

        fn version(&self) -> Option<u64> {
            self.slots.load().map(|bundle| bundle.version)
        }
    }

    fn running(version: u64) -> Bundle {
        let mut bundle = Bundle::default();
        bundle.version = version;
        bundle
    }

    const GOOD: (&str, &str) = (
        "quiet-hours",
        include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml"),
    );
    const UNLAWFUL: (&str, &str) = (
        "share-to-moments",
        include_str!("../../tests/fixtures/unlawful/share-to-moments.toml"),
    );

    #[test]
    fn what_was_refused_stays_refused_after_a_restart_and_what_ran_runs_on() {
        let slots = TestSlots::new();
        let names = || {
            let bundle = slots.slots.load().unwrap();
            let ids = bundle.campaigns.keys().map(ToString::to_string);
            ids.collect::<Vec<_>>()
        };
        let (bytes, pointer) = slots.bundle_with(1, "SZ01", &[GOOD, UNLAWFUL]);
        let taken = slots.slots.take(&bytes, &pointer, &running(0)).unwrap();
        assert_eq!(taken.verdict.left_out.len(), 1);
        assert_eq!(taken.opened.bundle.campaigns.len(), 1);
        assert_eq!(names(), ["quiet-hours"]);

        // As a version without a linter left it: everything in it runs.
        fs_err::remove_file(slots.dir.path().join("bundle/left-out-a")).unwrap();
        assert_eq!(names(), ["quiet-hours", "share-to-moments"]);
        let before = slots.slots.load().unwrap();
        let (bytes, pointer) = slots.bundle_with(2, "SZ01", &[GOOD, UNLAWFUL]);
        let taken = slots.slots.take(&bytes, &pointer, &before).unwrap();
        assert_eq!(taken.verdict.left_out, []);
        assert!(!taken.verdict.flagged.is_empty());
        assert_eq!(names(), ["quiet-hours", "share-to-moments"]);
    }

    #[test]
    fn a_list_that_cannot_be_read_lets_nothing_run_that_the_linter_refuses() {
        let slots = TestSlots::new();
        let (bytes, pointer) = slots.bundle_with(1, "SZ01", &[GOOD, UNLAWFUL]);
        slots.slots.take(&bytes, &pointer, &running(0)).unwrap();
        let list = slots.dir.path().join("bundle/left-out-a");
        for torn in [&b"\xff\xfe"[..], b"no id at all\n"] {
            fs_err::write(&list, torn).unwrap();
            let bundle = slots.slots.load().unwrap();
            let ids: Vec<_> = bundle.campaigns.keys().map(CampaignId::as_str).collect();
            assert_eq!(ids, ["quiet-hours"]);
        }
    }

    #[test]
    fn a_cut_after_the_list_leaves_the_bundle_that_was_in_force() {
        let slots = TestSlots::new();
        slots.take(1, 0).unwrap();
        let (bytes, pointer) = slots.bundle_with(2, "SZ01", &[GOOD, UNLAWFUL]);
        // Where the slot cannot be written, its list is there already, and nothing runs that it refuses.
        fs_err::create_dir(slots.dir.path().join("bundle/slot-b")).unwrap();
        let taken = slots.slots.take(&bytes, &pointer, &running(1));
        assert_eq!(taken.unwrap_err().code(), "io");
        let list = fs_err::read_to_string(slots.dir.path().join("bundle/left-out-b"));
        assert_eq!(list.unwrap(), "share-to-moments\n");
        assert_eq!(slots.version(), Some(1));
    }

    #[test]
    fn the_newest_bundle_taken_is_in_force_after_a_restart() {
        let slots = TestSlots::new();
        assert_eq!(slots.version(), None);
        slots.take(1, 0).unwrap();
        slots.take(2, 1).unwrap();
        slots.take(3, 2).unwrap();
        assert_eq!(slots.version(), Some(3));
    }

    #[test]
    fn a_refused_bundle_leaves_the_last_good_one_in_force() {
        let slots = TestSlots::new();
        slots.take(5, 0).unwrap();
        let older = slots.take(4, 5).unwrap_err();
        assert_eq!(older.code(), "older");

        let (mut bytes, pointer) = slots.bundle(6, "SZ01");
        bytes[600] ^= 1;
        let changed = slots.slots.take(&bytes, &pointer, &running(5)).unwrap_err();
        assert_eq!(changed.code(), "not_announced");

        let (bytes, pointer) = slots.bundle(6, "SZ02");
        let foreign = slots.slots.take(&bytes, &pointer, &running(5)).unwrap_err();
        assert_eq!(foreign.code(), "file");
        assert_eq!(slots.version(), Some(5));
    }

    #[test]
    fn a_damaged_slot_gives_way_to_the_bundle_before() {
        let slots = TestSlots::new();
        slots.take(1, 0).unwrap();
        slots.take(2, 1).unwrap();
        let newest = slots.dir.path().join("bundle/slot-b");
        fs_err::write(newest, b"torn").unwrap();
        assert_eq!(slots.version(), Some(1));
    }

    #[test]
    fn a_cut_before_the_switch_leaves_the_old_bundle_in_force() {
        let slots = TestSlots::new();
        slots.take(1, 0).unwrap();
        let (bytes, _) = slots.bundle(2, "SZ01");
        fs_err::write(slots.dir.path().join("bundle/slot-b"), &bytes[..700]).unwrap();
        assert_eq!(slots.version(), Some(1));
    }
}
