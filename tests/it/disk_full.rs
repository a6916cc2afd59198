//! The disk is full: guests are told honestly that nothing was kept, and once there is room again the gateway
//! goes on by itself.
//!
//! On a small ext4 of its own, in a file that is mounted for the test; that takes root, as `tests/run` says.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::powercut::line::Laid;
use crate::support::{
    Crowd, Held, Phone, Sending, Tasks, TestChain, TestStore, eventually, settings, tap_again,
    write_chain,
};

const DISK_MIB: u64 = 32;

/// A file system of its own, unmounted at the end.
struct SmallDisk {
    mounted: PathBuf,
}

impl SmallDisk {
    fn mount(dir: &Path) -> Self {
        let (image, mounted) = (dir.join("disk.img"), dir.join("disk"));
        let file = fs_err::File::create(&image).unwrap();
        file.set_len(DISK_MIB << 20).unwrap();
        fs_err::create_dir(&mounted).unwrap();
        run("mkfs.ext4", &["-q", "-m", "0"], &[&image]);
        run("mount", &["-o", "loop"], &[&image, &mounted]);
        Self { mounted }
    }

    /// Takes all the room that there is now, to the last byte, and not what the gateway gives up meanwhile:
    /// its reserve is for itself.
    fn fill(&self) -> PathBuf {
        let filler = self.mounted.join("filler");
        let mut file = fs_err::File::create(&filler).unwrap();
        let disk = rustix::fs::statvfs(&self.mounted).unwrap();
        let mut left = usize::try_from(disk.f_bavail * disk.f_frsize).unwrap();
        for piece in [1 << 20, 4096, 1] {
            let bytes = vec![7; piece];
            while left >= piece && std::io::Write::write_all(&mut file, &bytes).is_ok() {
                left -= piece;
            }
        }
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have a gateway on it.
        run("umount", &["--lazy"], &[&self.mounted]);
    }
}

#[expect(clippy::disallowed_methods, reason = "a disk is made by commands")]
fn run(program: &str, flags: &[&str], paths: &[&Path]) {
    let output = Command::new(program)
        .args(flags)
        .args(paths)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} (it takes root): {errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_promises_nothing_and_goes_on_by_itself_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(dir.path());
    write_chain(&dir.path().join("chain"));
    let settings = "state_dir = \"disk/state\"\n[portal]\nlisten = \"127.0.0.1:0\"\n\
                    base_url = \"http://portal.test\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
                    [bundle]\ndir = \"chain\"\n[journal]\nprofile = \"small\"\n";
    let store = TestStore::start(dir.path(), "alone", settings).await;
    let crowd = Crowd::of(4, || 0);
    crowd.come_in(store.portal());
    holds(&crowd, 40).await;
    // More than once: what the first recovery used up must be there for the next.
    for _ in 0..3 {
        let filler = disk.fill();
        let before = crowd.refused();
        eventually("honest refusals", || async {
            (crowd.refused() > before + 20).then_some(())
        })
        .await;
        let while_full = crowd.held();
        fs_err::remove_file(filler).unwrap();
        holds(&crowd, while_full + 100).await;
    }
    let held = crowd.go_home().await;
    all_are_kept(&store, &held).await;

    // Nothing of it rests on what only the memory knew.
    store.process.kill();
    let store = TestStore::start(dir.path(), "alone", settings).await;
    all_are_kept(&store, &held).await;
    store.process.stop();
}

/// A full disk cannot take what an acknowledgement has to write, so some room is held back for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_drained_as_soon_as_headquarters_answers() {
    let laid = Laid::lay().await;
    let chain = TestChain::start_behind(laid.port());
    let disk = SmallDisk::mount(&chain.path("."));
    chain.enroll_store_in("disk/store");
    let line = laid.carry(chain.sync(), chain.path("hq"), || 0);
    let more = "profile = \"small\"\ngeneration_frames = 120\n";
    let settings = settings("store", "disk/store", Sending::AtOnce) + more;
    let store = TestStore::start(&chain.path("."), "store", &settings).await;

    line.hold();
    let crowd = Crowd::of(4, || 0);
    crowd.come_in(store.portal());
    holds(&crowd, 300).await;
    let filler = disk.fill();
    eventually("honest refusals", || async {
        (crowd.refused() > 20).then_some(())
    })
    .await;
    let while_full = crowd.held() as u64;
    line.let_go();
    let totals = chain.totals_with(while_full).await;
    assert_eq!((totals.coupons, totals.frames_twice), (while_full, 0));
    eventually("the acknowledgement", || async {
        let readiness = store.ops("/readyz").await;
        readiness.contains("\"0 captures wait").then_some(())
    })
    .await;

    fs_err::remove_file(filler).unwrap();
    let held = crowd.go_home().await;
    all_are_kept(&store, &held).await;
    let totals = chain.totals_with(held.len() as u64).await;
    assert_eq!(totals.claims, totals.coupons);
    store.process.stop();
}

async fn holds(crowd: &Crowd, coupons: usize) {
    eventually("more coupons", || async {
        (crowd.held() >= coupons).then_some(())
    })
    .await;
}

/// Each tap, repeated, is the coupon that was shown.
async fn all_are_kept(store: &TestStore, held: &[Held]) {
    for held in held {
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let again = tap_again(&mut phone, &held.tapped).await;
        assert_eq!(again, Ok(Some(held.path.clone())));
    }
}
