//! What is there again after the medium has lost something: the damage table of the design, on a generation
//! that was put away and on the one that is written, after a clean end and after a crash.
//!
//! Each damage is followed by a start, which must succeed; by a look at every frame that a byte scan could
//! still read; by one more capture; and by a second start, which has nothing new to report.

use std::collections::BTreeSet;

use super::super::closed::CLEAN;
use super::super::damage;
use super::super::guard;
use super::super::log::LOG;
use super::super::ready::DirName;
use super::super::scan::Found;
use super::*;

const FRAMES: u64 = 850;

/// What happens to one directory.
type Damage = fn(&Path);

fn alter(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs_err::read(path).unwrap();
    change(&mut bytes);
    fs_err::write(path, bytes).unwrap();
}

/// The file of a generation, or of a checkpoint.
fn file_in(dir: &Path) -> PathBuf {
    let files = [LOG, "db"].map(|name| dir.join(name));
    files.into_iter().find(|file| file.exists()).unwrap()
}

fn zero_4_kib(dir: &Path, percent: usize) {
    alter(&file_in(dir), |bytes| {
        let from = bytes.len() * percent / 100 / 4096 * 4096;
        let to = bytes.len().min(from + 4096);
        bytes[from..to].fill(0);
    });
}

fn flip_4_bytes(dir: &Path, percent: usize) {
    alter(&file_in(dir), |bytes| {
        let from = bytes.len() * percent / 100;
        bytes[from..from + 4]
            .iter_mut()
            .for_each(|byte| *byte ^= 0xff);
    });
}

fn truncate(dir: &Path, percent: usize) {
    alter(&file_in(dir), |bytes| {
        bytes.truncate(bytes.len() * percent / 100);
    });
}

/// A snapshot that sled wrote and had no time to rename.
fn unname_snapshot(dir: &Path) {
    let names = disk::names_in(dir).unwrap();
    for name in names.iter().filter(|name| name.starts_with("snap.")) {
        fs_err::rename(dir.join(name), dir.join(format!("{name}.generating"))).unwrap();
    }
}

const DAMAGES: [(&str, Damage); 17] = [
    ("4 KiB zeroed at 10 %", |dir| zero_4_kib(dir, 10)),
    ("4 KiB zeroed at 50 %", |dir| zero_4_kib(dir, 50)),
    ("4 KiB zeroed at 98 %", |dir| zero_4_kib(dir, 98)),
    ("4 bytes flipped at 10 %", |dir| flip_4_bytes(dir, 10)),
    ("4 bytes flipped at 50 %", |dir| flip_4_bytes(dir, 50)),
    ("4 bytes flipped at 98 %", |dir| flip_4_bytes(dir, 98)),
    ("truncated to 95 %", |dir| truncate(dir, 95)),
    ("truncated to 50 %", |dir| truncate(dir, 50)),
    ("truncated to 10 %", |dir| truncate(dir, 10)),
    ("emptied", |dir| truncate(dir, 0)),
    ("file missing", |dir| {
        fs_err::remove_file(file_in(dir)).unwrap();
    }),
    ("torn conf", |dir| {
        fs_err::write(dir.join("conf"), "torn in the middle").unwrap();
    }),
    ("conf missing", |dir| {
        fs_err::remove_file(dir.join("conf")).unwrap();
    }),
    ("torn .generating", |dir| {
        fs_err::write(dir.join("snap.00000000FFFFFFFF.generating"), "torn").unwrap();
    }),
    ("valid .generating", unname_snapshot),
    ("torn READY", |dir| {
        fs_err::write(dir.join("READY"), "maitred gen").unwrap();
    }),
    ("READY missing", |dir| {
        fs_err::remove_file(dir.join("READY")).unwrap();
    }),
];

/// A shop with three generations, left in order or by a crash, to be copied for each case.
struct Fixture {
    shop: Shop,
    /// A copy made while everything was open.
    crashed: TempDir,
    /// Where the second and the third begin: a commit may take a generation past its limit.
    sealed: u64,
    last: u64,
}

async fn fixture() -> Fixture {
    let shop = Shop::with(|options| {
        options.rotation.full_frames = 300;
        options.max_p0_frames = 10_000;
    });
    let journal = shop.open();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=FRAMES {
        let journal = journal.clone();
        tasks.spawn(async move { capture(&journal, &body(number)).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let crashed = tempfile::tempdir().unwrap();
    copy(shop.dir.path(), crashed.path());
    journal.close().await.unwrap();
    let firsts = shop.generations("p0");
    let firsts: Vec<u64> = firsts
        .iter()
        .map(|name| DirName::parse(name).unwrap().first)
        .collect();
    let [1, sealed, last] = firsts[..] else {
        panic!("three generations were wanted: {firsts:?}");
    };
    Fixture {
        shop,
        crashed,
        sealed,
        last,
    }
}

/// As long as a real capture.
fn body(number: u64) -> String {
    format!("key{number}={}", "v".repeat(250))
}

pub(super) fn copy(from: &Path, to: &Path) {
    for name in disk::names_in(from).unwrap() {
        let (source, target) = (from.join(&name), to.join(&name));
        if source.is_dir() {
            fs_err::create_dir(&target).unwrap();
            copy(&source, &target);
        } else {
            fs_err::copy(source, target).unwrap();
        }
    }
}

/// A state directory of its own for one case.
impl Fixture {
    fn case(&self, from: &Path) -> Shop {
        let shop = Shop {
            dir: tempfile::tempdir().unwrap(),
            options: self.shop.options.clone(),
            clock: Arc::clone(&self.shop.clock),
        };
        copy(from, shop.dir.path());
        shop
    }
}

/// The sequences that a byte scan still finds in a generation.
fn readable(dir: &Path, first: u64) -> BTreeSet<u64> {
    let file = fs_err::read(dir.join("db")).unwrap_or_default();
    let found = Found::scan(&file, 1, first);
    found.frames.iter().map(|spot| spot.seq).collect()
}

/// The sequences that the reports name, and whether one of them says that the end is not known.
fn reported(dir: &Path) -> (BTreeSet<u64>, bool) {
    let mut sequences = BTreeSet::new();
    let mut end_unknown = false;
    for line in damage::read(dir).lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        end_unknown |= report["end_unknown"].as_bool().unwrap();
        for range in report["missing"].as_array().unwrap() {
            let end = |place: usize| range[place].as_u64().unwrap();
            sequences.extend(end(0)..=end(1));
        }
    }
    (sequences, end_unknown)
}

/// Damages one generation, starts, and checks everything; says what was lost.
async fn check(name: &str, shop: &Shop, first: u64, end: u64, act: Damage) -> BTreeSet<u64> {
    let dir = shop.path(&format!("p0/{}", generation(first)));
    act(&dir);
    let readable = readable(&dir, first);

    let journal = shop.open();
    capture(&journal, "after=1").await.unwrap();
    let reports = damage::read(shop.dir.path());
    assert_eq!(
        journal.damage().borrow().reports,
        reports.lines().count() as u64
    );
    journal.close().await.unwrap();
    let journal = shop.open();
    assert_eq!(
        damage::read(shop.dir.path()),
        reports,
        "{name}: reported again"
    );
    let mut there = BTreeSet::new();
    let mut after = Vec::new();
    let (mut expected, mut stream) = (1, None);
    loop {
        let outbox = journal.outbox();
        let peeked = match outbox.peek(Spool::P0, 100, usize::MAX).await {
            Ok(peeked) => peeked,
            // What need not be opened to be read at start may turn out to be damaged when it is.
            Err(_) => outbox.peek(Spool::P0, 100, usize::MAX).await.unwrap(),
        };
        let Some(last) = peeked.frames.last() else {
            break;
        };
        let original = *stream.get_or_insert(peeked.stream);
        let begins = peeked.frames[0].seq;
        if peeked.stream == original {
            assert_eq!(
                peeked.hole.is_some(),
                begins > expected,
                "{name}: at {begins}"
            );
            expected = last.seq + 1;
        }
        for frame in &peeked.frames {
            if frame.body == b"after=1" {
                after.push((peeked.stream == original, frame.seq));
            } else {
                assert_eq!(text(&frame.body), body_by(&frame.body), "{name}");
                there.insert(frame.seq);
            }
        }
        let (stream, through) = (peeked.stream, last.seq);
        outbox
            .acknowledge(Spool::P0, stream, through)
            .await
            .unwrap();
    }
    let lost: BTreeSet<u64> = (1..=FRAMES).filter(|seq| !there.contains(seq)).collect();
    assert!(
        lost.iter().all(|seq| (first..end).contains(seq)),
        "{name}: lost elsewhere {lost:?}"
    );
    let saved = readable.intersection(&there).count();
    assert!(
        saved * 100 >= readable.len() * 99,
        "{name}: {saved} of {}",
        readable.len()
    );
    let [(joined, seq)] = after[..] else {
        panic!(
            "{name}: the capture after the damage is there {} times",
            after.len()
        );
    };
    assert!(!joined || seq > FRAMES, "{name}: a number was given twice");
    lost
}

/// A frame's body says which it is; its length says whether it is whole.
fn body_by(bytes: &[u8]) -> String {
    let text = text(bytes);
    let number = text.trim_start_matches("key").split('=').next().unwrap();
    body(number.parse().unwrap())
}

#[tokio::test]
async fn a_sealed_generation_damaged_in_any_way_costs_only_what_cannot_be_read() {
    let fixture = fixture().await;
    for (name, act) in DAMAGES {
        let shop = fixture.case(fixture.crashed.path());
        let lost = check(name, &shop, fixture.sealed, fixture.last, act).await;
        let (reported, _) = reported(shop.dir.path());
        assert_eq!(reported, lost, "{name}: what is lost is named");
    }
}

#[tokio::test]
async fn the_written_generation_damaged_after_a_clean_end_costs_only_what_cannot_be_read() {
    let fixture = fixture().await;
    for (name, act) in DAMAGES {
        let shop = fixture.case(fixture.shop.dir.path());
        let lost = check(name, &shop, fixture.last, FRAMES + 1, act).await;
        let (reported, _) = reported(shop.dir.path());
        assert_eq!(reported, lost, "{name}: what is lost is named");
    }
}

#[tokio::test]
async fn the_written_generation_damaged_in_a_crash_costs_only_what_cannot_be_read() {
    let fixture = fixture().await;
    for (name, act) in DAMAGES {
        let shop = fixture.case(fixture.crashed.path());
        let lost = check_after_crash(name, &shop, fixture.last, act).await;
        let (reported, end_unknown) = reported(shop.dir.path());
        // Nothing on the box can tell a file cut off at a commit from one that never was longer; then
        // headquarters notices that numbers come back.
        let cut_off = may_cut_off(name) && !end_unknown;
        let unnamed: Vec<u64> = lost.difference(&reported).copied().collect();
        let at_the_end = unnamed
            .first()
            .is_none_or(|first| unnamed.iter().copied().eq(*first..=FRAMES));
        assert!(
            unnamed.is_empty() || cut_off || end_unknown,
            "{name}: {unnamed:?}"
        );
        assert!(at_the_end, "{name}: {unnamed:?}");
    }
}

/// What a process leaves that cannot unwind: sled has zeroed what it took for torn, and panicked. It is opened
/// without its CLEAN.
fn end_a_process(dir: &Path) {
    if dir.join(CLEAN).exists() {
        fs_err::remove_file(dir.join(CLEAN)).unwrap();
    }
    let file = file_in(dir);
    let found = Arc::new(fs_err::read(&file).unwrap());
    alter(&file, |bytes| bytes.fill(0));
    guard::leave_note(dir, Some(&found), "sled was surprised").unwrap();
}

#[tokio::test]
async fn a_directory_that_ended_a_process_is_not_opened_again_and_nothing_in_it_is_lost() {
    let fixture = fixture().await;
    for (first, end) in [(fixture.sealed, fixture.last), (fixture.last, FRAMES + 1)] {
        let shop = fixture.case(fixture.crashed.path());
        let lost = check("a panic", &shop, first, end, end_a_process).await;
        assert_eq!(lost, BTreeSet::new());
        let reports = damage::read(shop.dir.path());
        assert!(reports.contains("sled was surprised"), "{reports}");
    }
}

#[tokio::test]
async fn evidence_that_was_not_finished_is_not_believed_and_the_note_keeps_sled_away() {
    let fixture = fixture().await;
    let shop = fixture.case(fixture.crashed.path());
    let dir = shop.path(&format!("p0/{}", generation(fixture.last)));
    // A full disk, as the note finds it: the file cannot be made.
    fs_err::create_dir(dir.join("db.found.new")).unwrap();
    let found = Arc::new(fs_err::read(file_in(&dir)).unwrap());
    guard::leave_note(&dir, Some(&found), "sled was surprised").unwrap();
    assert!(!dir.join("db.found").exists());
    let lost = check("a full disk", &shop, fixture.last, FRAMES + 1, |_| {}).await;
    assert_eq!(lost, BTreeSet::new());
    let reports = damage::read(shop.dir.path());
    assert!(reports.contains("sled was surprised"), "{reports}");
}

#[tokio::test]
async fn evidence_without_a_note_is_whole_and_is_put_back() {
    let fixture = fixture().await;
    let shop = fixture.case(fixture.crashed.path());
    let dir = shop.path(&format!("p0/{}", generation(fixture.last)));
    fs_err::rename(file_in(&dir), dir.join("db.found")).unwrap();
    fs_err::write(dir.join("db"), "zeroed by sled").unwrap();
    let journal = shop.open();
    assert_eq!(journal.damage().borrow().reports, 0);
    assert!(!dir.join("db.found").exists());
}

/// Whether the damage may leave the file as it was before its last commits: a block of zeros near the end can
/// hold a whole one, depending on how the captures fell into commits.
fn may_cut_off(name: &str) -> bool {
    name.starts_with("truncated") || name == "4 KiB zeroed at 98 %"
}

/// As [`check`], where the numbers of a file that was cut off may come back.
async fn check_after_crash(name: &str, shop: &Shop, first: u64, act: Damage) -> BTreeSet<u64> {
    if !may_cut_off(name) {
        return check(name, shop, first, FRAMES + 1, act).await;
    }
    let dir = shop.path(&format!("p0/{}", generation(first)));
    act(&dir);
    let readable = readable(&dir, first);
    let journal = shop.open();
    let there: BTreeSet<u64> = drain(&journal, Spool::P0)
        .await
        .into_iter()
        .map(|(seq, _)| seq)
        .collect();
    let saved = readable.intersection(&there).count();
    assert!(
        saved * 100 >= readable.len() * 99,
        "{name}: {saved} of {}",
        readable.len()
    );
    (1..=FRAMES).filter(|seq| !there.contains(seq)).collect()
}

/// A shop whose first captures are only in the checkpoint: headquarters has them, and nobody keeps them.
async fn with_old_coupons() -> (Shop, BTreeMap<String, String>) {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..400).await;
    drain(&journal, Spool::P0).await;
    for number in 300..340 {
        capture(&journal, &format!("key{number}=")).await.unwrap();
    }
    drain(&journal, Spool::P0).await;
    let values = look(&journal).await.values;
    journal.close().await.unwrap();
    (shop, values)
}

#[tokio::test]
async fn a_damaged_checkpoint_costs_only_the_coupons_that_cannot_be_read() {
    let (shop, values) = with_old_coupons().await;
    let fixture = Fixture {
        crashed: tempfile::tempdir().unwrap(),
        sealed: 0,
        last: 0,
        shop,
    };
    let views = fixture.shop.generations("views").pop().unwrap();
    let is_of_sled = |name: &str| name.contains("conf") || name.contains(".generating");
    for (name, act) in DAMAGES.into_iter().filter(|(name, _)| !is_of_sled(name)) {
        let shop = fixture.case(fixture.shop.dir.path());
        let dir = shop.path(&format!("views/{views}"));
        act(&dir);
        let file = fs_err::read(dir.join(LOG)).unwrap_or_default();
        let found = String::from_utf8_lossy(&file).into_owned();
        // `key1value1` also begins `key1value10`.
        let is_readable = |(key, value): &(&String, &String)| {
            found
                .split(&format!("{key}{value}"))
                .skip(1)
                .any(|after| !after.starts_with(|next: char| next.is_ascii_digit()))
        };
        let readable = values.iter().filter(is_readable).count();

        let journal = shop.open();
        let saved = look(&journal).await.values;
        // What was deleted may come back with its tombstone lost.
        let live = |(key, _): &(&String, &String)| values.contains_key(*key);
        let live: Vec<_> = saved.iter().filter(live).collect();
        assert!(
            live.iter().all(|(key, value)| values[*key] == **value),
            "{name}"
        );
        let saved_live = live.len();
        assert!(
            saved_live * 100 >= readable * 97,
            "{name}: {saved_live} of {readable}"
        );
        let reports = damage::read(shop.dir.path());
        assert!(
            saved_live == values.len() || !reports.is_empty(),
            "{name}: lost in silence"
        );
        capture(&journal, "after=1").await.unwrap();
        journal.close().await.unwrap();
        let again = shop.open();
        let mut expected = saved;
        expected.insert("after".to_owned(), "1".to_owned());
        assert_eq!(look(&again).await.values, expected, "{name}");
        assert_eq!(
            damage::read(shop.dir.path()),
            reports,
            "{name}: reported again"
        );
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_gone_altogether_is_reported() {
    let (shop, _) = with_old_coupons().await;
    fs_err::remove_dir_all(shop.path("views")).unwrap();
    let journal = shop.open();
    assert_eq!(journal.damage().borrow().reports, 1);
    assert!(damage::read(shop.dir.path()).contains("the checkpoint is missing"));
}

#[tokio::test]
async fn a_salvage_cut_short_is_done_again() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..12).await;
    journal.close().await.unwrap();
    let (home, quarantine) = (
        shop.path(&format!("p0/{}", generation(1))),
        shop.path(&format!("p0/quarantine-{}-1", generation(1))),
    );
    // The cut came after the rename, and while the fresh directory was made.
    fs_err::rename(&home, &quarantine).unwrap();
    flip_4_bytes(&quarantine, 50);
    fs_err::create_dir(&home).unwrap();
    fs_err::write(home.join("db"), "half").unwrap();

    let journal = shop.open();
    assert_eq!(journal.damage().borrow().reports, 1);
    assert!(quarantine.join("SALVAGED").exists());
    let (lost, _) = reported(shop.dir.path());
    let expected = numbered(1..12).into_iter();
    let expected: Vec<_> = expected.filter(|(seq, _)| !lost.contains(seq)).collect();
    assert_eq!(drain(&journal, Spool::P0).await, expected);
}

#[tokio::test]
async fn a_directory_with_a_name_that_makes_no_sense_is_set_aside() {
    let shop = Shop::new();
    shop.open().close().await.unwrap();
    fs_err::create_dir(shop.path("p0/gen-what")).unwrap();
    for _ in 0..2 {
        let journal = shop.open();
        assert_eq!(journal.damage().borrow().reports, 1);
        journal.close().await.unwrap();
    }
    assert!(shop.path("p0/quarantine-gen-what-1").exists());
}

#[tokio::test]
async fn a_missing_generation_in_the_middle_is_a_hole_that_is_named() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..20).await;
    journal.close().await.unwrap();
    fs_err::remove_dir_all(shop.path(&format!("p0/{}", generation(9)))).unwrap();

    let journal = shop.open();
    let (reported, _) = reported(shop.dir.path());
    assert_eq!(reported, (9..17).collect());
    let there = drain(&journal, Spool::P0).await;
    assert_eq!(there, [numbered(1..9), numbered(17..20)].concat());
}
