//! The power cut: a real process's writes and syncs are recorded, the power is cut on paper at as many
//! moments as one likes, and what a disk could have kept is opened and held against every promise made
//! before that moment.
//!
//! `recorder.c` writes down what the process does to its files, and `recorder` reads it; `disk` knows what of
//! that is durable; this file chooses the moments. `recording` is the shop's day that is recorded, with
//! guests, headquarters behind a `line`, and kills; `examine` opens what is left of it. `fault` does the same
//! to journals with a known fault, which must be found.
//!
//! A seed chooses the moments and what is left; what the day brought does not come back with it. So whatever
//! is found is kept in `target/powercut`: the recording, and what was left of the disk.

mod disk;
mod examine;
#[cfg(feature = "fault")]
pub(crate) mod fault;
pub(crate) mod ledger;
pub(crate) mod line;
mod recorder;
mod recording;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use disk::{Disk, Fate, Tree};
pub(crate) use examine::{Findings, examine};
use recorder::{Change, Record};
pub(crate) use recording::{Day, record};

use crate::support::Dice;

/// Where findings are kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/powercut");

/// What was recorded: the disk as it was in the beginning, and everything since.
pub(crate) struct Tape {
    begin: Disk<'static>,
    log: Vec<u8>,
}

/// A moment to cut the power at: before which record. The number also decides what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    before: usize,
    number: usize,
}

impl Cut {
    fn fate(self) -> Fate {
        Fate::ALL[self.number % Fate::ALL.len()]
    }
}

/// What a cut left, for an examiner.
pub(crate) struct Left<'a> {
    tree: &'a Tree,
    /// The log's length at the moment: what was promised at or below it must be kept.
    pub(crate) at: u64,
    pub(crate) number: usize,
}

impl Left<'_> {
    /// Makes the directory that a program would find.
    pub(crate) fn write(&self, dir: &Path) {
        disk::write(self.tree, dir);
    }
}

/// How long to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    AllAreCut,
    #[cfg_attr(
        not(feature = "fault"),
        expect(dead_code, reason = "only a known fault is looked for")
    )]
    SomethingIsLost,
}

/// Cuts the power `images` times, on as many threads as there are cores. `examiner` has a directory for
/// itself, and dice.
pub(crate) fn cut<F>(tape: &Tape, images: usize, dice: &Dice, until: Until, examiner: F) -> Findings
where
    F: Fn(&Left<'_>, &Path, &mut Dice) -> Findings + Sync,
{
    let records = recorder::read(&tape.log);
    let cuts = choose(&records, images, &mut dice.apart(0));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let scratch = tempfile::tempdir().unwrap();
    let enough = AtomicBool::new(false);
    let work = |worker: usize| {
        let dir = scratch.path().join(worker.to_string());
        let mut disk = tape.begin.clone();
        let mut replayed = 0;
        let mut findings = Findings::default();
        for cut in cuts.iter().skip(worker).step_by(workers) {
            if enough.load(Ordering::Relaxed) {
                break;
            }
            for record in &records[replayed..cut.before] {
                disk.replay(record);
            }
            replayed = cut.before;
            let mut dice = dice.apart(1 + cut.number as u64);
            let left = Left {
                tree: &disk.after_cut(cut.fate(), &mut dice),
                at: records
                    .get(cut.before)
                    .map_or(tape.log.len() as u64, |next| next.at),
                number: cut.number,
            };
            fs_err::create_dir(&dir).unwrap();
            let mut found = examiner(&left, &dir, &mut dice);
            fs_err::remove_dir_all(&dir).unwrap();
            match until {
                Until::AllAreCut if found.are_none() => {}
                Until::AllAreCut => found.kept.push(keep(tape, *cut, &left)),
                Until::SomethingIsLost if found.lost.is_empty() => {}
                Until::SomethingIsLost => enough.store(true, Ordering::Relaxed),
            }
            findings.images += 1;
            findings.add(found);
        }
        findings
    };
    let mut findings = Findings::default();
    std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        for worker in workers {
            findings.add(worker.join().unwrap());
        }
    });
    findings
}

/// Keeps what was left, for whoever looks into it; where, and what it was.
fn keep(tape: &Tape, cut: Cut, left: &Left<'_>) -> String {
    let dir = PathBuf::from(KEPT).join(format!("{}-{}", std::process::id(), cut.number));
    left.write(&dir.join("left"));
    fs_err::write(dir.join("recording"), &tape.log).unwrap();
    let (dir, fate, before) = (dir.display(), cut.fate(), cut.before);
    format!("{dir}: {fate:?} before record {before}")
}

/// Moments, in order: anywhere, while the journal was opened again, and around changes of directories.
fn choose(records: &[Record<'_>], images: usize, dice: &mut Dice) -> Vec<Cut> {
    /// About how many records an opening has.
    const OPENING: usize = 150;
    let starts = places(records, |change| matches!(change, Change::Start));
    let directories = places(records, |change| {
        matches!(
            change,
            Change::Rename { .. } | Change::Unlink(_) | Change::MakeDir(_) | Change::RemoveDir(_)
        )
    });
    // A single start opens nothing again.
    let kinds = if starts.len() > 1 { 5 } else { 1 };
    let mut cuts: Vec<_> = (0..images)
        .map(|number| {
            let before = match number % kinds {
                1 => starts[dice.below(starts.len())] + dice.below(OPENING),
                2 => directories[dice.below(directories.len())] + dice.below(8),
                _ => dice.below(records.len() + 1),
            };
            let before = before.min(records.len());
            Cut { before, number }
        })
        .collect();
    cuts.sort_unstable();
    cuts
}

fn places(records: &[Record<'_>], wanted: impl Fn(&Change<'_>) -> bool) -> Vec<usize> {
    let numbered = records.iter().enumerate();
    let places = numbered.filter(|(_, record)| wanted(&record.change));
    places.map(|(place, _)| place).collect()
}
