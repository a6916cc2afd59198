//! The projections' durable checkpoint: the book's entries, and up to which frame they are right.
//!
//! It stands in `views/gen-0000000000-<number, 20 digits>/`, whose trees `entries` describes. Promises that an
//! entry is at least as new as the position says. A checkpoint may take several syncs; the position is
//! written in the last one, so a cut in between only means that some frames are applied again.
//!
//! sled reuses only segments that are dead altogether, so the file grows past its content. When it is much
//! larger, or when many syncs would cost more, the live entries are copied to a generation of the next
//! number, which counts from the moment it has its READY.
//!
//! A damaged checkpoint cannot be made again from frames alone: those it contains are gone after a week. So
//! its entries describe themselves, and what a byte scan finds is copied to a fresh one without a position:
//! every frame that is still there is applied again. (An entry whose tombstone is lost comes back with it.)

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::domain::ids::StreamId;

use super::book::Change;
use super::closed::Closed;
use super::damage::{Finding, Reports};
use super::database::{self, Database};
use super::disk;
use super::entries::{Entries, Pace, Position, Positions};
use super::entry::{self, Entry, Whole};
use super::error::StorageError;
use super::mark::Mark;
use super::options::Profile;
use super::ready::{self, DirName, Ready};
use super::scan::{for_each_magic, read_damaged};
use super::start;

pub(super) const VIEWS: &str = "views";

/// The file may be this much larger than its content before it is copied: a fresh copy measured 3.9 times
/// its content, and one copy must not call for the next.
const SLACK_FACTOR: u64 = 8;
const SLACK_SEGMENTS: u64 = 4;

/// What a sync costs on slow flash (5 ms) is what it takes to write about so much more.
const BYTES_PER_SYNC: u64 = 16 * 1024;

/// So many tombstones are worth a copy, if they are half of all entries.
const MANY_TOMBSTONES: u64 = 1000;

pub(super) struct Views {
    dir: PathBuf,
    ready: Ready,
    entries: Entries,
    positions: Positions,
}

/// What was found at start.
pub(super) struct Opened {
    pub views: Views,
    /// How far each stream is known to have come, even where the entries must be made again.
    pub ends: Positions,
    /// There was no checkpoint before.
    pub is_new: bool,
}

impl Views {
    /// Opens the newest whole checkpoint, or saves what is left of it, and shows its entries to `restore`.
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
        let newest = newest_in(&dir)?;
        let case = newest.map(|name| Case::find(&dir, name)).transpose()?;
        // A cut at the very first start leaves a directory without READY in which nothing was written.
        let Some(case) = case.filter(|case| !case.is_unfinished()) else {
            let views = Self::create(
                &dir,
                ready_number(profile, 1),
                Positions::new(),
                &mut |_| Ok(()),
            )?;
            return Ok(Opened {
                views,
                ends: Positions::new(),
                is_new: true,
            });
        };
        let mut show = |whole: Whole| {
            if let Some(value) = whole.value {
                restore(&whole.key, &value);
            }
        };
        let home = Home {
            dir: &dir,
            profile,
            reports,
        };
        let looked = read_ready(&case.path)
            .and_then(|ready| database::guarded(&case.path, || Self::look(&dir, ready)));
        let views = match looked {
            Ok((views, positions)) => match case.lacking(views, &positions)? {
                Lacking::Nothing(mut views) => {
                    views.entries.read_all(&mut show)?;
                    *views
                }
                Lacking::Some(rest) => {
                    let reason = "sled dropped entries of the checkpoint".to_owned();
                    case.rebuild(&home, rest, &reason, &mut show)?
                }
            },
            Err(error) if error.is_damage() => {
                let reason = error.to_string();
                case.rebuild(&home, Vec::new(), &reason, &mut show)?
            }
            Err(error) => return Err(error),
        };
        let mut ends = case.ends();
        for (stream, end) in &views.positions {
            raise(&mut ends, *stream, *end);
        }
        discard_others(&dir, views.ready.name())?;
        Ok(Opened {
            views,
            ends,
            is_new: false,
        })
    }

    /// Writes the changes and then that they are right up to `ends`.
    pub(super) fn checkpoint(
        &mut self,
        changes: &[Change],
        ends: &[(StreamId, u64)],
    ) -> Result<(), StorageError> {
        self.positions = ends.to_vec();
        let bytes: u64 = changes.iter().map(|change| change.bytes() as u64).sum();
        let cap = self.ready.profile.cap();
        let syncs = (changes.len() / cap.entries) as u64 + bytes / cap.bytes as u64;
        if self.entries.bytes() + bytes <= syncs * BYTES_PER_SYNC {
            return self.copy_with(changes);
        }
        let mut pace = Pace::capped();
        for change in changes {
            self.entries.write(change, &mut pace)?;
        }
        self.entries.put_positions(ends)?;
        self.entries.database.sync()?;
        if self.wants_copy()? {
            self.copy_with(&[])?;
        }
        Ok(())
    }

    /// Whether the checkpoint contains the stream's frames up to `seq`.
    pub(super) fn contains(&self, stream: StreamId, seq: u64) -> bool {
        let position = self.positions.iter().find(|(of, _)| *of == stream);
        position.is_some_and(|(_, end)| *end >= seq)
    }

    pub(super) fn positions(&self) -> &Positions {
        &self.positions
    }

    pub(super) fn close(self) -> Result<(), StorageError> {
        let Self { ready, entries, .. } = self;
        let place = Mark {
            seq: ready.first,
            chain: None,
        };
        entries.close(place)
    }

    /// Creates a checkpoint, filled by `fill`, that is right up to `positions`.
    ///
    /// Needs no pace: a cut before the last sync leaves a directory without READY, which counts for nothing.
    fn create(
        dir: &Path,
        ready: Ready,
        positions: Positions,
        fill: &mut dyn FnMut(&mut Entries) -> Result<(), StorageError>,
    ) -> Result<Self, StorageError> {
        let mut entries = Entries::new(Database::begin(dir, &ready)?, ready.profile)?;
        fill(&mut entries)?;
        entries.put_positions(&positions)?;
        entries.database.finish(dir, &ready)?;
        Ok(Self {
            dir: dir.to_owned(),
            ready,
            entries,
            positions,
        })
    }

    /// Opens a checkpoint and goes through all of it once.
    fn look(dir: &Path, ready: Ready) -> Result<(Self, Vec<Position>), StorageError> {
        let database = Database::open(&dir.join(ready.dir_name()), &ready)?;
        let mut entries = Entries::new(database, ready.profile)?;
        entries.read_all(&mut |_| {})?;
        let positions = entries.positions()?;
        let views = Self {
            dir: dir.to_owned(),
            ready,
            entries,
            positions: ends_of(&positions),
        };
        Ok((views, positions))
    }

    fn wants_copy(&self) -> Result<bool, StorageError> {
        let segment = self.ready.profile.segment_bytes() as u64;
        let allowed = SLACK_SEGMENTS * segment + SLACK_FACTOR * self.entries.bytes();
        let tombstones = self.entries.tombstones();
        let many = tombstones > MANY_TOMBSTONES && tombstones * 2 > self.entries.keys();
        Ok(many || self.entries.database.bytes_on_disk()? > allowed)
    }

    /// Writes everything that is live, and the changes, to a generation of the next number.
    fn copy_with(&mut self, changes: &[Change]) -> Result<(), StorageError> {
        let ready = ready_number(self.ready.profile, self.ready.first + 1);
        let old = &mut self.entries;
        let fresh = Self::create(&self.dir, ready, self.positions.clone(), &mut |fresh| {
            let mut outcome = Ok(());
            old.read_all(&mut |whole| {
                if whole.value.is_some() && outcome.is_ok() {
                    outcome = fresh.copy(&whole, &mut Pace::Free);
                }
            })?;
            outcome?;
            let mut written = changes.iter();
            written.try_for_each(|change| fresh.write(change, &mut Pace::Free))
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

/// What the bytes of a checkpoint's file held before sled opened it.
struct Case {
    name: DirName,
    path: PathBuf,
    file: Vec<u8>,
    /// Whether the file is as it was when it was put away.
    is_intact: bool,
    positions: Vec<Position>,
}

enum Lacking {
    Nothing(Box<Views>),
    /// Everything that sled still has of what is to be put together with what was found.
    Some(Vec<Whole>),
}

impl Case {
    fn find(dir: &Path, name: DirName) -> Result<Self, StorageError> {
        let path = dir.join(name.text());
        let file = read_damaged(&path.join("db"))?;
        let mut positions = Vec::new();
        for_each_entry(&file, &mut |entry| positions.extend(Position::of(&entry)));
        Ok(Self {
            is_intact: Closed::read(&path).is_some_and(|closed| closed.covers(&file)),
            name,
            path,
            positions,
            file,
        })
    }

    fn is_unfinished(&self) -> bool {
        !self.path.join(ready::NAME).exists() && self.entries().is_empty()
    }

    fn ends(&self) -> Positions {
        ends_of(&self.positions)
    }

    fn entries(&self) -> Vec<Whole> {
        let mut entries = Vec::new();
        for_each_entry(&self.file, &mut |entry| entries.push(entry));
        entry::newest(entries)
    }

    /// Compares what sled shows with what was in the file.
    ///
    /// Only the last checkpoint may have been cut short, which is no damage: its frames are applied again. So
    /// whatever is older than the last but one must be there.
    fn lacking(&self, mut views: Views, shown: &[Position]) -> Result<Lacking, StorageError> {
        if self.is_intact {
            return Ok(Lacking::Nothing(Box::new(views)));
        }
        let all = self.positions.iter().chain(shown);
        let newest = all.clone().map(|at| at.order).max().unwrap_or(0);
        let before = all.map(|at| at.order).filter(|order| *order < newest);
        // The only one is that of the creation, which was whole.
        let durable = before.max().unwrap_or(newest);
        let found = self.entries();
        let mut shown_orders = vec![0; found.len()];
        let mut rest = Vec::new();
        views.entries.read_all(&mut |whole| {
            let place = found.binary_search_by(|other| other.key.cmp(&whole.key));
            match place {
                Ok(place) if found[place].order <= whole.order => shown_orders[place] = whole.order,
                Ok(_) => {}
                Err(_) => rest.push(whole),
            }
        })?;
        let mut both = found.iter().zip(&shown_orders);
        let dropped = both.any(|(found, shown)| found.order < durable && *shown < found.order);
        let keys = shown.iter().map(|at| at.keys).max().unwrap_or(0);
        let position = shown.iter().map(|at| at.order).max().unwrap_or(0);
        if dropped || views.entries.keys() < keys || position < durable || shown.is_empty() {
            return Ok(Lacking::Some(rest));
        }
        Ok(Lacking::Nothing(Box::new(views)))
    }

    /// Puts the directory into quarantine and its entries into a fresh one.
    fn rebuild(
        &self,
        home: &Home<'_>,
        rest: Vec<Whole>,
        reason: &str,
        show: &mut dyn FnMut(Whole),
    ) -> Result<Views, StorageError> {
        let (dir, name) = (home.dir, self.name);
        let mut entries = self.entries();
        entries.extend(rest);
        let had = self.positions.iter().max_by_key(|at| at.order);
        let lost = had
            .map_or(0, |at| at.keys)
            .saturating_sub(entries.len() as u64);
        let ready = ready_number(home.profile, name.first + 1);
        let quarantine = start::quarantine_name(dir, &name.text());
        home.reports.add(&Finding {
            directory: format!("{VIEWS}/{}", name.text()),
            reason: format!("{reason}; {lost} entries of the checkpoint are gone at least"),
            quarantine: Some(format!("{VIEWS}/{quarantine}")),
            salvaged: entries.len() as u64,
            missing: Vec::new(),
            end_unknown: had.is_none(),
        })?;
        let views = Views::create(dir, ready, Positions::new(), &mut |fresh| {
            let mut live = entries.iter().filter(|whole| whole.value.is_some());
            live.try_for_each(|whole| fresh.copy(whole, &mut Pace::Free))
        })?;
        fs_err::write(self.path.join("db"), &self.file)?;
        start::set_aside(dir, &name.text())?;
        start::mark_salvaged(&dir.join(quarantine))?;
        start::discard_old_quarantines(dir)?;
        entries.into_iter().for_each(show);
        Ok(views)
    }
}

fn read_ready(path: &Path) -> Result<Ready, StorageError> {
    match path.join(ready::NAME).exists() {
        true => Ready::read(path),
        false => Err(StorageError::damaged(path, "READY is missing")),
    }
}

fn for_each_entry<'a>(file: &'a [u8], take: &mut dyn FnMut(Entry<'a>)) {
    for_each_magic(file, |at, _| match Entry::at_start(&file[at..]) {
        Some((entry, length)) => {
            take(entry);
            length
        }
        None => 1,
    });
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

    use super::*;
    use crate::ops::clock::TestClock;

    const PROFILE: Profile = Profile::Small;

    fn open(dir: &Path) -> (Views, Positions, BTreeMap<Vec<u8>, Vec<u8>>) {
        let clock = Arc::new(TestClock::at("2026-10-01T18:30:00Z".parse().unwrap()));
        let reports = Reports::open(dir, clock);
        let mut restored = BTreeMap::new();
        let opened = Views::open(dir, PROFILE, &reports, &mut |key, value| {
            restored.insert(key.to_vec(), value.to_vec());
        })
        .unwrap();
        let positions = opened.views.positions.clone();
        (opened.views, positions, restored)
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
        let changes: Vec<Change> = (0..100).map(|key| put(key, key)).collect();
        views.checkpoint(&changes, &[(stream, 100)]).unwrap();
        let key = 3_u32.to_be_bytes().to_vec();
        let gone = vec![Change::Delete { key }];
        views.checkpoint(&gone, &[(stream, 101)]).unwrap();
        drop(views);

        let (_views, positions, restored) = open(dir.path());
        assert_eq!(end_of(&positions, stream), Some(101));
        assert_eq!(restored.len(), 99);
    }

    #[test]
    fn a_file_that_grew_is_copied_to_a_smaller_one_with_all_its_entries() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId(Uuid::from_u128(7));
        let (mut views, ..) = open(dir.path());
        let mut wanted: Vec<u32> = vec![0; 2_000];
        let all: Vec<Change> = (0..2_000).map(|key| put(key, 0)).collect();
        views.checkpoint(&all, &[(stream, 0)]).unwrap();
        // Fifty entries change all the time and the others now and then: most segments stay half dead.
        let mut dice = 12_345_u64;
        for round in 1..=200 {
            let mut changes = Vec::new();
            for _ in 0..24 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let roll = usize::try_from(dice >> 33).unwrap();
                let key = roll % if roll % 10 == 0 { 2_000 } else { 50 };
                wanted[key] = round;
                changes.push(put(u32::try_from(key).unwrap(), round));
            }
            let end = u64::from(round);
            views.checkpoint(&changes, &[(stream, end)]).unwrap();
        }
        let number = views.ready.first;
        assert_eq!(number, 2, "many at once are a copy, and few are none");
        let before = views.entries.database.bytes_on_disk().unwrap();
        views.copy_with(&[]).unwrap();
        assert!(views.entries.database.bytes_on_disk().unwrap() < before);
        drop(views);

        assert_eq!(names(dir.path()), [ready_number(PROFILE, 3).dir_name()]);
        let (views, positions, restored) = open(dir.path());
        assert_eq!(end_of(&positions, stream), Some(200));
        let wanted: BTreeMap<_, _> = (0_u32..)
            .zip(wanted)
            .map(|(key, round)| (key.to_be_bytes().to_vec(), round.to_be_bytes().repeat(50)))
            .collect();
        assert_eq!(restored, wanted);
        assert_eq!(views.entries.keys(), 2_000);
    }

    #[test]
    fn of_two_whole_checkpoints_the_newer_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (mut views, ..) = open(dir.path());
        views.checkpoint(&[put(1, 1)], &[]).unwrap();
        views.close().unwrap();
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
        let put = |length: usize| Change::Put {
            key: vec![1],
            value: vec![7; length],
        };
        for length in [0, 1, 5_000, 100_000, 1_500, 40] {
            views.checkpoint(&[put(length)], &[]).unwrap();
            drop(views);
            let (opened, _, restored) = open(dir.path());
            assert_eq!(restored, BTreeMap::from([(vec![1], vec![7; length])]));
            assert_eq!(opened.entries.keys(), 1);
            views = opened;
        }
    }
}
