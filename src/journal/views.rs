//! The projections' durable checkpoint: the book's entries, and up to which frame they are right.
//!
//! It stands in `views/gen-0000000000-<number, 20 digits>/`, as the file that `log` describes. Promises that an
//! entry is at least as new as the position says. A checkpoint takes two syncs, and its position is written
//! after the first; a cut in between only means that some frames are applied again.
//!
//! The file grows past its content. When it is twice as large, what counts is copied to a generation of the
//! next number, which counts from the moment it has its READY.
//!
//! A damaged checkpoint cannot be made again from frames alone: those it contains are gone after a week. So
//! its entries describe themselves, and what a byte scan finds is copied to a fresh one without a position:
//! every frame that is still there is applied again. (An entry whose tombstone is lost comes back with it.)
//!
//! Version 0.1.0 kept the entries in a sled database. The same scan finds them, and they are copied likewise.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::domain::ids::StreamId;

use super::book::Book;
use super::damage::{Finding, Reports};
use super::database;
use super::disk;
use super::entry::{self, Whole};
use super::error::StorageError;
use super::log::{Index, LOG, Log, Position, Positions};
use super::options::Profile;
use super::ready::{self, DirName, Ready};
use super::scan::{for_each_entry, read_damaged};
use super::start;

pub(super) const VIEWS: &str = "views";

/// Where version 0.1.0 kept what is in the log now.
const OLD_DATABASE: &str = "db";

pub(super) struct Views {
    dir: PathBuf,
    ready: Ready,
    log: Log,
    positions: Positions,
}

/// What was found at start.
pub(super) struct Opened {
    pub views: Views,
    /// How far each stream is known to have come, even where the entries must be made again.
    pub ends: Positions,
    pub origin: Origin,
}

/// Where an opened checkpoint comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// There was none before.
    New,
    Found,
    /// Made again from what was left of a damaged one, which has been reported.
    Salvaged,
}

impl Views {
    /// Opens the newest whole checkpoint, or saves what is left of it, and shows its entries to `restore`.
    ///
    /// Damage that comes up only while they are shown is an error; the next try finds it before that.
    pub(super) fn open(
        parent: &Path,
        profile: Profile,
        reports: &Reports,
        restore: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<Opened, StorageError> {
        let dir = parent.join(VIEWS);
        disk::make_dir(&dir)?;
        disk::empty_trash(&dir)?;
        start::resume_salvage(&dir)?;
        let mut show = |whole: &Whole| {
            if let Some(value) = &whole.value {
                restore(&whole.key, value);
            }
        };
        let home = Home {
            dir: &dir,
            profile,
            reports,
        };
        let Some(name) = newest_in(&dir)? else {
            return home.begin();
        };
        let path = dir.join(name.text());
        let looked = read_ready(&path).and_then(|ready| match path.join(LOG).exists() {
            true => Ok((ready, Log::open(&path)?)),
            false => Err(StorageError::damaged(&path, "it has no log")),
        });
        let opened = match looked {
            Ok((ready, (log, index))) => {
                log.each(&index, &mut |whole| {
                    show(&whole);
                    Ok(())
                })?;
                let ends = ends_of(&index.positions);
                Opened {
                    views: Self {
                        dir: dir.clone(),
                        ready,
                        log,
                        positions: ends.clone(),
                    },
                    ends,
                    origin: Origin::Found,
                }
            }
            Err(error) if error.is_damage() => {
                let remains = Remains::find(&path)?;
                // A cut at the very first start leaves a directory without READY in which nothing was written.
                if remains.entries.is_empty() && !path.join(ready::NAME).exists() {
                    return home.begin();
                }
                let opened = match remains.is_of_0_1_0() {
                    true => home.convert(name, &remains)?,
                    false => home.rebuild(name, &remains, &error.to_string())?,
                };
                remains.entries.iter().for_each(show);
                opened
            }
            Err(error) => return Err(error),
        };
        discard_others(&dir, opened.views.ready.name())?;
        Ok(opened)
    }

    /// Writes what has changed in the book and then that it is right up to `ends`.
    pub(super) fn checkpoint(
        &mut self,
        book: &mut dyn Book,
        ends: &[(StreamId, u64)],
    ) -> Result<(), StorageError> {
        let must_forget = book.must_forget();
        let (log, mut outcome) = (&mut self.log, Ok(()));
        book.take_changes(&mut |change| {
            if outcome.is_ok() {
                outcome = log.write(&change);
            }
        });
        outcome?;
        if must_forget {
            // Only the new file says how far it is right: after a power cut before that, the frame with which
            // somebody asked is shown again, and with it what is owed to them.
            let index = log.index()?;
            return self.copy(&index, ends);
        }
        log.finish(ends)?;
        self.positions = ends.to_vec();
        let index = self.log.worth_copying()?;
        index.map_or(Ok(()), |index| self.copy(&index, ends))
    }

    /// Whether the checkpoint contains the stream's frames up to `seq`.
    pub(super) fn contains(&self, stream: StreamId, seq: u64) -> bool {
        let position = self.positions.iter().find(|(of, _)| *of == stream);
        position.is_some_and(|(_, end)| *end >= seq)
    }

    pub(super) const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Creates a checkpoint, filled by `fill`, that is right up to `positions`.
    ///
    /// A cut before the end leaves a directory without READY, which counts for nothing.
    fn create(
        dir: &Path,
        ready: Ready,
        positions: Positions,
        fill: &mut dyn FnMut(&mut Log) -> Result<(), StorageError>,
    ) -> Result<Self, StorageError> {
        let path = database::begin_dir(dir, &ready)?;
        let mut log = Log::create(&path)?;
        fill(&mut log)?;
        log.finish(&positions)?;
        disk::sync_dir(&path)?;
        ready.write(&path)?;
        disk::sync_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            ready,
            log,
            positions,
        })
    }

    /// Writes everything that counts to a generation of the next number, which is right up to `ends`.
    fn copy(&mut self, index: &Index, ends: &[(StreamId, u64)]) -> Result<(), StorageError> {
        let ready = ready_number(self.ready.profile, self.ready.first + 1);
        let old = &self.log;
        let fresh = Self::create(&self.dir, ready, ends.to_vec(), &mut |fresh| {
            fresh.copy_all(old, index)
        })?;
        let name = std::mem::replace(self, fresh).ready.dir_name();
        Ok(disk::discard(&self.dir, &name)?)
    }
}

/// Where a checkpoint is made anew.
struct Home<'a> {
    dir: &'a Path,
    profile: Profile,
    reports: &'a Reports,
}

/// What a byte scan finds in a checkpoint's file.
struct Remains {
    path: PathBuf,
    entries: Vec<Whole>,
    positions: Vec<Position>,
}

impl Remains {
    fn find(path: &Path) -> Result<Self, StorageError> {
        let mut file = read_damaged(&path.join(LOG))?;
        if file.is_empty() {
            file = read_damaged(&path.join(OLD_DATABASE))?;
        }
        let (mut entries, mut positions) = (Vec::new(), Vec::new());
        for_each_entry(&file, &mut |entry| {
            positions.extend(Position::of(&entry));
            entries.push(entry);
        });
        Ok(Self {
            path: path.to_owned(),
            entries: entry::newest(entries),
            positions,
        })
    }

    fn newest_position(&self) -> Option<&Position> {
        self.positions.iter().max_by_key(|at| at.order)
    }

    /// Whether it is a whole checkpoint of version 0.1.0, as far as the number of its keys can tell.
    fn is_of_0_1_0(&self) -> bool {
        let has = |name: &str| self.path.join(name).exists();
        let keys = self.newest_position().map(|at| at.count);
        let is_old = has(OLD_DATABASE) && !has(LOG) && Ready::read(&self.path).is_ok();
        is_old && keys.is_some_and(|keys| self.entries.len() as u64 >= keys)
    }
}

impl Home<'_> {
    fn begin(&self) -> Result<Opened, StorageError> {
        let ready = ready_number(self.profile, 1);
        Ok(Opened {
            views: Views::create(self.dir, ready, Positions::new(), &mut |_| Ok(()))?,
            ends: Positions::new(),
            origin: Origin::New,
        })
    }

    /// Makes a log of what a sled database holds.
    fn convert(&self, name: DirName, old: &Remains) -> Result<Opened, StorageError> {
        let ends = ends_of(&old.positions);
        Ok(Opened {
            views: self.create_after(name, old, ends.clone())?,
            ends,
            origin: Origin::Found,
        })
    }

    /// Puts the directory into quarantine and its entries into a fresh one.
    fn rebuild(
        &self,
        name: DirName,
        remains: &Remains,
        reason: &str,
    ) -> Result<Opened, StorageError> {
        let quarantine = start::quarantine_name(self.dir, &name.text());
        self.reports.add(&Finding {
            directory: format!("{VIEWS}/{}", name.text()),
            reason: reason.to_owned(),
            quarantine: Some(format!("{VIEWS}/{quarantine}")),
            salvaged: remains.entries.len() as u64,
            missing: Vec::new(),
            end_unknown: remains.positions.is_empty(),
        })?;
        let views = self.create_after(name, remains, Positions::new())?;
        start::set_aside(self.dir, &name.text())?;
        start::mark_salvaged(&self.dir.join(quarantine))?;
        start::discard_old_quarantines(self.dir)?;
        Ok(Opened {
            views,
            ends: ends_of(&remains.positions),
            origin: Origin::Salvaged,
        })
    }

    fn create_after(
        &self,
        name: DirName,
        remains: &Remains,
        positions: Positions,
    ) -> Result<Views, StorageError> {
        let ready = ready_number(self.profile, name.first + 1);
        Views::create(self.dir, ready, positions, &mut |fresh| {
            let mut live = remains.entries.iter().filter(|whole| whole.value.is_some());
            live.try_for_each(|whole| fresh.copy(whole))
        })
    }
}

fn read_ready(path: &Path) -> Result<Ready, StorageError> {
    match path.join(ready::NAME).exists() {
        true => Ready::read(path),
        false => Err(StorageError::damaged(path, "READY is missing")),
    }
}

/// The newest checkpoint that was created whole. One that has lost its READY counts if there is no other:
/// a half-made copy stands beside what it was copied from.
fn newest_in(dir: &Path) -> Result<Option<DirName>, StorageError> {
    let mut ready = Vec::new();
    let mut unready = Vec::new();
    for text in database::generations_in(dir)? {
        let names = match dir.join(&text).join(ready::NAME).exists() {
            true => &mut ready,
            false => &mut unready,
        };
        names.extend(DirName::parse(&text));
    }
    Ok(ready.into_iter().max().or(unready.into_iter().max()))
}

fn discard_others(dir: &Path, newest: DirName) -> Result<(), StorageError> {
    for text in database::generations_in(dir)? {
        if text != newest.text() {
            disk::discard(dir, &text)?;
        }
    }
    Ok(())
}

/// The furthest end of each stream.
fn ends_of(positions: &[Position]) -> Positions {
    let mut ends = Positions::new();
    for position in positions.iter().filter(|at| !at.stream.0.is_nil()) {
        raise(&mut ends, position.stream, position.end);
    }
    ends
}

fn raise(ends: &mut Positions, stream: StreamId, end: u64) {
    match ends.iter_mut().find(|(of, _)| *of == stream) {
        Some((_, known)) => *known = end.max(*known),
        None => ends.push((stream, end)),
    }
}

/// A checkpoint belongs to no stream; its generations are only numbered.
const fn ready_number(profile: Profile, number: u64) -> Ready {
    Ready {
        profile,
        stream: StreamId(Uuid::nil()),
        stream_number: 0,
        first: number,
        before: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::book::Change;
    use super::*;
    use crate::domain::ids::FramePlace;
    use crate::ops::clock::TestClock;

    const PROFILE: Profile = Profile::Small;

    /// A book that knows only what has changed, and whether somebody asked to be forgotten.
    struct Changes(Vec<Change>, bool);

    impl Book for Changes {
        fn reset(&mut self) {}
        fn restore(&mut self, _key: &[u8], _value: &[u8]) {}
        fn apply(&mut self, _: FramePlace, _frame_body: &[u8]) {}
        fn take_changes(&mut self, take: &mut dyn FnMut(Change)) {
            self.0.drain(..).for_each(take);
        }
        fn must_forget(&self) -> bool {
            self.1
        }
    }

    fn checkpoint(views: &mut Views, changes: Vec<Change>, ends: &[(StreamId, u64)]) {
        views
            .checkpoint(&mut Changes(changes, false), ends)
            .unwrap();
    }

    fn reopen(dir: &Path) -> (Opened, BTreeMap<Vec<u8>, Vec<u8>>) {
        let clock = Arc::new(TestClock::at("2026-10-01T18:30:00Z".parse().unwrap()));
        let reports = Reports::open(dir, clock);
        let mut restored = BTreeMap::new();
        let opened = Views::open(dir, PROFILE, &reports, &mut |key, value| {
            let before = restored.insert(key.to_vec(), value.to_vec());
            assert_eq!(before, None, "an entry is shown once");
        });
        (opened.unwrap(), restored)
    }

    fn open(dir: &Path) -> (Views, Positions, BTreeMap<Vec<u8>, Vec<u8>>) {
        let (Opened { views, .. }, restored) = reopen(dir);
        let positions = views.positions.clone();
        (views, positions, restored)
    }

    fn end_of(positions: &Positions, stream: StreamId) -> Option<u64> {
        let position = positions.iter().find(|(of, _)| *of == stream);
        position.map(|(_, end)| *end)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names = disk::names_in(&dir.join(VIEWS)).unwrap();
        names.sort();
        names
    }

    fn log_of(dir: &Path) -> PathBuf {
        dir.join(VIEWS).join(names(dir).pop().unwrap()).join(LOG)
    }

    fn length(path: &Path) -> u64 {
        fs_err::metadata(path).unwrap().len()
    }

    fn put(key: u32, value: u32) -> Change {
        Change::Put {
            key: key.to_be_bytes().to_vec(),
            value: value.to_be_bytes().repeat(50),
        }
    }

    #[test]
    fn a_checkpoint_comes_back_with_its_position() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, positions, restored) = open(dir.path());
        assert!(positions.is_empty() && restored.is_empty());
        let changes = (0..100).map(|key| put(key, key)).collect();
        checkpoint(&mut views, changes, &[(stream, 100)]);
        let key = 3_u32.to_be_bytes().to_vec();
        checkpoint(&mut views, vec![Change::Delete { key }], &[(stream, 101)]);
        drop(views);

        let (_views, positions, restored) = open(dir.path());
        assert_eq!(end_of(&positions, stream), Some(101));
        assert_eq!(restored.len(), 99);
    }

    #[test]
    fn what_is_forgotten_leaves_the_disk_at_once_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir.path());
        checkpoint(&mut views, vec![put(1, 0xdead), put(2, 2)], &[(stream, 1)]);
        let holds = |dir: &Path| {
            let file = fs_err::read(log_of(dir)).unwrap();
            file.windows(4)
                .any(|bytes| bytes == 0xdead_u32.to_be_bytes())
        };
        assert!(holds(dir.path()));
        let key = 1_u32.to_be_bytes().to_vec();
        let gone = vec![Change::Delete { key }];
        views
            .checkpoint(&mut Changes(gone, true), &[(stream, 2)])
            .unwrap();
        assert!(!holds(dir.path()));
        drop(views);
        let (_views, positions, restored) = open(dir.path());
        assert_eq!(end_of(&positions, stream), Some(2));
        assert_eq!(restored.len(), 1);
    }

    #[test]
    fn what_could_not_be_forgotten_is_owed_by_the_frame_that_asked_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir.path());
        checkpoint(&mut views, vec![put(1, 1), put(2, 2)], &[(stream, 1)]);
        // Something stands where the new file would be.
        let next = ready_number(PROFILE, views.ready.first + 1).dir_name();
        let next = dir.path().join(VIEWS).join(next);
        fs_err::write(&next, "").unwrap();
        let key = 1_u32.to_be_bytes().to_vec();
        let gone = vec![Change::Delete { key }];
        let forget = views.checkpoint(&mut Changes(gone, true), &[(stream, 2)]);
        assert!(forget.is_err());
        drop(views);

        fs_err::remove_file(&next).unwrap();
        let (_views, positions, _) = open(dir.path());
        assert_eq!(
            end_of(&positions, stream),
            Some(1),
            "the second is shown again"
        );
    }

    #[test]
    fn a_file_that_grew_is_copied_to_a_smaller_one_with_all_its_entries() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir.path());
        let mut wanted: BTreeMap<u32, u32> = (0..2_000).map(|key| (key, 0)).collect();
        let all = (0..2_000).map(|key| put(key, 0)).collect();
        checkpoint(&mut views, all, &[(stream, 0)]);
        assert_eq!(views.ready.first, 1, "what is new is no reason to copy");
        let mut most = 0;
        for round in 1..=400 {
            let keys = (0..24).map(|turn| (round * 31 + turn * 83) % 1_900);
            let changes = keys.clone().map(|key| put(key, round)).collect();
            wanted.extend(keys.map(|key| (key, round)));
            checkpoint(&mut views, changes, &[(stream, u64::from(round))]);
            most = most.max(length(&log_of(dir.path())));
        }
        assert!(views.ready.first > 1, "it was never copied");
        assert!(most < 3 << 20, "{most} bytes for half a megabyte");
        let gone = (1_900..2_000).map(|key: u32| key.to_be_bytes().to_vec());
        let gone = gone.map(|key| Change::Delete { key }).collect();
        wanted.retain(|key, _| *key < 1_900);
        checkpoint(&mut views, gone, &[(stream, 401)]);
        let number = views.ready.first;
        drop(views);

        assert_eq!(
            names(dir.path()),
            [ready_number(PROFILE, number).dir_name()]
        );
        let (mut views, positions, restored) = open(dir.path());
        assert_eq!(end_of(&positions, stream), Some(401));
        let wanted: BTreeMap<_, _> = wanted
            .into_iter()
            .map(|(key, round)| (key.to_be_bytes().to_vec(), round.to_be_bytes().repeat(50)))
            .collect();
        assert_eq!(restored, wanted);
        // And after one copy more, which leaves the deleted ones out.
        let (_, index) = Log::open(log_of(dir.path()).parent().unwrap()).unwrap();
        let ends = views.positions.clone();
        views.copy(&index, &ends).unwrap();
        drop(views);
        assert_eq!(open(dir.path()).2, wanted);
    }

    #[test]
    fn of_two_whole_checkpoints_the_newer_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (mut views, ..) = open(dir.path());
        checkpoint(&mut views, vec![put(1, 1)], &[]);
        // A cut after the copy's READY and before the old one's removal.
        let newer = ready_number(PROFILE, 2);
        let parent = dir.path().join(VIEWS);
        Views::create(&parent, newer, Positions::new(), &mut |_| Ok(())).unwrap();

        let (views, _, restored) = open(dir.path());
        assert!(restored.is_empty());
        assert_eq!(views.ready, newer);
        assert_eq!(names(dir.path()), [newer.dir_name()]);
    }

    #[test]
    fn an_entry_of_any_size_comes_back_and_shrinks_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut views, ..) = open(dir.path());
        for length in [0, 1, 5_000, 100_000, 32 * 1024, 64 * 1024, 40] {
            let value: Vec<u8> = (0..length).map(|at: u32| at.to_be_bytes()[3]).collect();
            let key = vec![1];
            let put = Change::Put {
                key: key.clone(),
                value: value.clone(),
            };
            checkpoint(&mut views, vec![put], &[]);
            drop(views);
            let (opened, _, restored) = open(dir.path());
            assert_eq!(restored, BTreeMap::from([(key, value)]));
            views = opened;
        }
    }

    /// Two checkpoints, and how long the log was after each.
    fn two_checkpoints(dir: &Path) -> [u64; 2] {
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir);
        [(0, 5), (5, 12)].map(|(from, to)| {
            let changes = (from..to).map(|key| put(key, to)).collect();
            checkpoint(&mut views, changes, &[(stream, u64::from(to))]);
            length(&log_of(dir))
        })
    }

    #[test]
    fn a_checkpoint_cut_short_anywhere_is_at_least_the_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = two_checkpoints(dir.path());
        let log = log_of(dir.path());
        let whole = fs_err::read(&log).unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        for cut in (first..second).step_by(7) {
            fs_err::write(&log, &whole[..usize::try_from(cut).unwrap()]).unwrap();
            let (Opened { views, origin, .. }, restored) = reopen(dir.path());
            assert_eq!(origin, Origin::Found);
            let end = end_of(views.positions(), stream).unwrap();
            // Entries may be newer than the position says, never older.
            assert!(restored.len() as u64 >= end, "cut at {cut}");
            assert!(end == 12 || (end == 5 && cut < second - 50), "cut at {cut}");
            assert!(length(&log) <= cut && length(&log) + 250 > cut);
        }
    }

    #[test]
    fn a_log_is_gone_on_with_after_a_cut() {
        let dir = tempfile::tempdir().unwrap();
        let [first, _] = two_checkpoints(dir.path());
        let log = log_of(dir.path());
        let file = fs_err::OpenOptions::new().write(true).open(&log).unwrap();
        file.set_len(first + 100).unwrap();
        let (mut views, ..) = open(dir.path());
        checkpoint(&mut views, vec![put(1, 99), put(50, 1)], &[]);
        drop(views);
        let (Opened { origin, .. }, restored) = reopen(dir.path());
        assert_eq!((origin, restored.len()), (Origin::Found, 6));
        assert_eq!(
            restored[&1_u32.to_be_bytes()[..]],
            99_u32.to_be_bytes().repeat(50)
        );
    }

    #[test]
    fn positions_that_a_power_cut_tore_are_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        let [_, second] = two_checkpoints(dir.path());
        let log = log_of(dir.path());
        let whole = fs_err::read(&log).unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        // The last checkpoint's two positions, in whatever order their blocks reached the disk.
        let position = entry::HEADER_BYTES + 16 + 16 + 4;
        let first = usize::try_from(second).unwrap() - 2 * position;
        for place in (first..whole.len()).step_by(5) {
            let mut torn = whole.clone();
            torn[place] ^= 1;
            fs_err::write(&log, &torn).unwrap();
            let (Opened { views, origin, .. }, restored) = reopen(dir.path());
            assert_eq!(
                (origin, restored.len()),
                (Origin::Found, 12),
                "byte {place}"
            );
            let end = end_of(views.positions(), stream);
            assert_eq!(end, Some(if place < first + position { 5 } else { 12 }));
        }
    }

    #[test]
    fn a_checkpoint_without_changes_moves_its_position() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir.path());
        for end in 1..4 {
            checkpoint(&mut views, Vec::new(), &[(stream, end)]);
        }
        drop(views);
        let (Opened { origin, ends, .. }, _) = reopen(dir.path());
        assert_eq!((origin, end_of(&ends, stream)), (Origin::Found, Some(3)));
    }

    #[test]
    fn one_changed_byte_before_a_position_is_damage_and_costs_one_entry() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = two_checkpoints(dir.path());
        let log = log_of(dir.path());
        let whole = fs_err::read(&log).unwrap();
        let name = names(dir.path());
        for place in (0..second - 200).step_by(101) {
            let dir = tempfile::tempdir().unwrap();
            let home = dir.path().join(VIEWS).join(&name[0]);
            fs_err::create_dir_all(&home).unwrap();
            for file in [ready::NAME, LOG] {
                fs_err::copy(log.with_file_name(file), home.join(file)).unwrap();
            }
            let mut damaged = whole.clone();
            damaged[usize::try_from(place).unwrap()] ^= 1;
            fs_err::write(home.join(LOG), &damaged).unwrap();

            let (
                Opened {
                    views,
                    origin,
                    ends,
                },
                restored,
            ) = reopen(dir.path());
            assert_eq!(origin, Origin::Salvaged, "byte {place} of {first}");
            assert!(restored.len() >= 11, "byte {place}: {}", restored.len());
            assert!(views.positions().is_empty(), "every frame is applied again");
            assert_eq!(end_of(&ends, StreamId(Uuid::from_u128(7))), Some(12));
            drop(views);
            let (opened, again) = reopen(dir.path());
            assert_eq!((opened.origin, again), (Origin::Found, restored));
        }
    }
}
