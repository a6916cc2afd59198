//! The start of one generation: what sled shows is compared with what the file's bytes held before.
//!
//! A sled open destroys evidence: what it takes for torn it drops, zeroes and says nothing of. So the file is
//! read and searched first. Then either everything is there, or sled's tail is completed by whole frames it
//! gave up, or the directory goes to quarantine and what it still held is written to a fresh one, under the
//! same numbers and with holes where frames are gone.
//!
//! Promises that a panic of sled is damage like any other (see `guard`), never to fail because a medium is damaged, and to report what is lost.
//!
//! An ordinary power cut is no damage: it ends the file within the one commit that nobody was told of. Only if
//! whole frames of that commit stand behind a hole is it treated as damage, because a promised commit that
//! was torn later looks the same.

use std::cell::Cell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::closed::{Closed, acked_at};
use super::damage::{Finding, Reports, missing};
use super::database::LOG;
use super::disk;
use super::error::StorageError;
use super::frame::{StoredFrame, unix_millis};
use super::generation::{Generation, NewFrame, Opened, Tally};
use super::guard::{self, Evidence, guarded};
use super::mark::{Mark, Which};
use super::ready::Ready;
use super::scan::{Found, Spot, later, read_damaged, read_damaged_into};

const QUARANTINE_PREFIX: &str = "quarantine-";
/// In a quarantined directory once everything it held is in a fresh one.
const SALVAGED: &str = "SALVAGED";
/// More of them show nothing new, and fill the disk.
const MOST_QUARANTINES: usize = 4;

/// What is known of a generation from elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Where the next generation of the stream begins, if there is one.
    pub end: Option<Mark>,
    /// The checkpoint contains everything before this sequence.
    pub applied: u64,
    /// A checkpoint once contained everything before this sequence, so it was given out.
    pub reached: u64,
    /// Whether another generation is written to.
    pub sealed: bool,
}

/// A generation, and whether its end is the true one: nothing may be appended to it otherwise.
pub(super) struct Started {
    pub generation: Generation,
    pub end_is_proven: bool,
}

/// Where a generation is looked for, and where its damage is written down.
pub(super) struct Start<'a> {
    pub parent: &'a Path,
    /// The spool's name, for reports.
    pub spool: &'static str,
    pub reports: &'a Reports,
    /// For one file after the other: each is megabytes, and what was freed is not always given back.
    pub buffer: Cell<Evidence>,
}

/// Shows a frame for the book.
pub(super) type Visit<'a> = dyn FnMut(&StoredFrame<'_>) + 'a;

impl Start<'_> {
    /// Starts a generation whose READY was read, and shows its frames from `visit_from` on.
    pub(super) fn load(
        &self,
        ready: Ready,
        known: Known,
        visit_from: u64,
        visit: &mut Visit<'_>,
    ) -> Result<Started, StorageError> {
        let path = self.parent.join(ready.dir_name());
        let closed = Closed::read(&path);
        // Nobody waits for one that is only kept; it may be looked at when it is asked for.
        let is_kept = known.sealed && acked_at(&path).is_some();
        if let Some(kept) = closed.filter(|closed| is_kept && visit_from >= closed.next.seq) {
            let none = Tally::default();
            return Ok(proven(Generation::put_away_before(
                &path, ready, &kept, none,
            )));
        }
        guard::put_evidence_back(&path)?;
        let mut file = self.buffer.take();
        // Nobody else has it: what was read through a guard has been read.
        read_damaged_into(&path.join(LOG), Arc::make_mut(&mut file))?;
        let found = Found::scan(&file, ready.stream_number, ready.first);
        let intact = closed.filter(|closed| closed.covers(&file));
        let intact =
            intact.and_then(|closed| take_intact(&path, ready, &closed, known, &file, &found));
        let use_it = |whole| match guarded(&path, Some(&file), || ready_for_use(whole, known)) {
            Err(error) if error.is_damage() => Ok(None),
            opened => opened,
        };
        if let Some(generation) = intact.map(use_it).transpose()?.flatten() {
            for spot in found.frames.iter().filter(|spot| spot.seq >= visit_from) {
                if let Ok(frame) = StoredFrame::decode(spot.bytes(&file)) {
                    visit(&frame);
                }
            }
            self.buffer.set(file);
            return Ok(proven(generation));
        }
        let mut started = self.look(ready, known, &file, &found, closed)?;
        self.buffer.set(file);
        started.generation.each_from(visit_from, &mut |frame, _| {
            visit(frame);
            true
        })?;
        Ok(started)
    }

    /// Starts a generation whose READY is unreadable: it is not opened, only searched.
    pub(super) fn load_without_ready(
        &self,
        ready: Ready,
        known: Known,
        visit_from: u64,
        visit: &mut Visit<'_>,
    ) -> Result<Started, StorageError> {
        let path = self.parent.join(ready.dir_name());
        guard::put_evidence_back(&path)?;
        let file = read_damaged(&path.join(LOG))?;
        let found = Found::scan(&file, ready.stream_number, ready.first);
        let case = Case {
            ready,
            known,
            file: &file,
            found: &found,
            closed: Closed::read(&path),
        };
        let mut started = self.rebuild(&case, None, "READY is unreadable".to_owned())?;
        started.generation.each_from(visit_from, &mut |frame, _| {
            visit(frame);
            true
        })?;
        Ok(started)
    }

    fn look(
        &self,
        ready: Ready,
        known: Known,
        file: &Evidence,
        found: &Found,
        closed: Option<Closed>,
    ) -> Result<Started, StorageError> {
        let path = self.parent.join(ready.dir_name());
        let case = Case {
            ready,
            known,
            file,
            found,
            closed,
        };
        match guarded(&path, Some(file), || View::open(&path, &ready)) {
            Ok(view) => self.compare(&case, view),
            Err(error) if error.is_damage() => self.rebuild(&case, None, error.to_string()),
            Err(error) => Err(error),
        }
    }

    fn compare(&self, case: &Case<'_>, view: View) -> Result<Started, StorageError> {
        let Case { ready, found, .. } = case;
        if view.base.is_none() || view.next.is_none() {
            let reason = "sled shows an empty database".to_owned();
            return self.rebuild(case, Some(view), reason);
        }
        let view_end = view.end(ready);
        let required = case.required();
        let dropped: Vec<&Spot> = found
            .frames
            .iter()
            .filter(|spot| view.seqs.binary_search(&spot.seq).is_err())
            .filter(|spot| case.known.end.is_none_or(|end| spot.seq < end.seq))
            .filter(|spot| spot.seq < view_end || case.made_at(spot) >= view.last_made_at)
            .collect();
        let tail: Vec<NewFrame> = (view_end..)
            .zip(&dropped)
            .take_while(|(seq, spot)| *seq == spot.seq)
            .filter_map(|(_, spot)| StoredFrame::decode(spot.bytes(case.file)).ok())
            .map(|frame| NewFrame {
                id: frame.id,
                body: frame.body.to_vec(),
            })
            .collect();
        // Whole frames behind a hole may be of a commit that a power cut has torn, and then nobody was promised
        // them. But they may be of one that was promised, with the hole torn into it later: they are kept.
        let promised = found.promised.max(required);
        let first_dropped = dropped.first().map(|spot| spot.seq);
        if tail.len() < dropped.len() || first_dropped.is_some_and(|seq| seq < promised) {
            let reason = "sled dropped whole frames".to_owned();
            return self.rebuild(case, Some(view), reason);
        }
        let base = view.base.unwrap_or(case.start());
        let next = view.next_mark(ready);
        let contradicts_itself = view.contradicts_itself();
        let seqs = view.seqs;
        let mut generation = Generation::opened(view.opened, *ready, base, next)?;
        if !tail.is_empty() {
            generation.append_all(&tail)?;
        }
        let end = generation.next().seq;
        let mut lost = missing(
            base.seq.min(case.known.applied).max(ready.first),
            view_end,
            seqs.iter().copied(),
        );
        if end < required {
            lost.push((end, required - 1));
        }
        let chains_agree = match (
            case.known.end.and_then(|end| end.chain),
            generation.next().chain,
        ) {
            (Some(wanted), Some(have)) => wanted == have || end != required,
            (None, _) | (_, None) => !contradicts_itself,
        };
        let end_is_proven = end >= required && chains_agree;
        if !lost.is_empty() || !end_is_proven {
            self.report(
                case,
                Finding {
                    directory: String::new(),
                    reason: match chains_agree {
                        true => "frames are missing".to_owned(),
                        false => "it does not end as the generation after it says".to_owned(),
                    },
                    quarantine: None,
                    salvaged: 0,
                    missing: lost,
                    end_unknown: !end_is_proven && !case.known.sealed,
                },
            )?;
        }
        Ok(Started {
            generation,
            end_is_proven,
        })
    }

    /// Puts the directory into quarantine and everything that is left of it into a fresh one.
    fn rebuild(
        &self,
        case: &Case<'_>,
        view: Option<View>,
        reason: String,
    ) -> Result<Started, StorageError> {
        let Case {
            ready, known, file, ..
        } = case;
        let rest = view
            .as_ref()
            .map(|view| view.frames_beyond(&case.found.frames));
        let rest = rest.transpose()?.unwrap_or_default();
        let mut values: Vec<(u64, &[u8])> = case
            .found
            .frames
            .iter()
            .map(|spot| (spot.seq, spot.bytes(file)))
            .chain(rest.iter().map(|(seq, value)| (*seq, value.as_slice())))
            .filter(|(seq, _)| known.end.is_none_or(|end| *seq < end.seq))
            .collect();
        values.sort_unstable_by_key(|(seq, _)| *seq);
        let (next, end_is_proven) = case.end(view.as_ref(), &values);
        let base = case.base(view.as_ref(), next);
        let acked = acked_at(&self.parent.join(ready.dir_name()));

        let sled_wrote = view.is_some();
        drop(view);
        let quarantine = self.quarantine(ready, sled_wrote.then_some(*file))?;
        let mut generation = Generation::create_with(self.parent, *ready, base, next, &values)?;
        if let Some(since) = acked.filter(|_| known.sealed && generation.is_drained()) {
            generation.keep(since)?;
        }
        let from = base.seq.min(known.applied).max(ready.first);
        self.report(
            case,
            Finding {
                directory: String::new(),
                reason,
                quarantine: Some(format!("{}/{quarantine}", self.spool)),
                salvaged: values.len() as u64,
                missing: missing(from, next.seq, values.iter().map(|(seq, _)| *seq)),
                end_unknown: !end_is_proven,
            },
        )?;
        mark_salvaged(&self.parent.join(&quarantine))?;
        discard_old_quarantines(self.parent)?;
        Ok(Started {
            generation,
            end_is_proven,
        })
    }

    fn report(&self, case: &Case<'_>, finding: Finding) -> Result<(), StorageError> {
        self.reports.add(&Finding {
            directory: format!("{}/{}", self.spool, case.ready.dir_name()),
            ..finding
        })
    }

    /// Takes the directory out of its row, with the file as it was found: sled may have zeroed parts of it.
    fn quarantine(&self, ready: &Ready, file: Option<&[u8]>) -> Result<String, StorageError> {
        let path = self.parent.join(ready.dir_name());
        if let Some(file) = file {
            fs_err::write(path.join(LOG), file)?;
            disk::sync_file(&path.join(LOG))?;
        }
        set_aside(self.parent, &ready.dir_name())
    }
}

const fn proven(generation: Generation) -> Started {
    Started {
        generation,
        end_is_proven: true,
    }
}

/// A damaged generation with all that is known of it.
struct Case<'a> {
    ready: Ready,
    known: Known,
    file: &'a [u8],
    found: &'a Found,
    closed: Option<Closed>,
}

impl Case<'_> {
    const fn start(&self) -> Mark {
        Mark {
            seq: self.ready.first,
            chain: self.ready.before,
        }
    }

    /// When a frame was made. One whose commit failed may stand in the file under a number that was given out
    /// again; it is older than those before it.
    fn made_at(&self, spot: &Spot) -> u64 {
        let frame = StoredFrame::decode(spot.bytes(self.file));
        frame.map_or(0, |frame| unix_millis(frame.id))
    }

    /// The sequence that the end cannot be before.
    fn required(&self) -> u64 {
        let end = self.known.end.map_or(0, |end| end.seq);
        let closed = self.closed.map_or(0, |closed| closed.next.seq);
        let base = self.found.base.map_or(0, |base| base.seq);
        let reached = match self.known.end {
            Some(_) => 0,
            None => self.known.reached,
        };
        end.max(closed).max(base).max(reached)
    }

    /// The end, and whether it is proven.
    fn end(&self, view: Option<&View>, values: &[(u64, &[u8])]) -> (Mark, bool) {
        let exact = self.known.end.or(self.closed.map(|closed| closed.next));
        if let Some(end) = exact {
            return (end, true);
        }
        let marks = later(self.found.next, view.and_then(|view| view.next));
        let after_last = values.last().map_or(0, |(seq, _)| seq + 1);
        let seq = self.required().max(after_last).max(self.ready.first);
        match marks {
            Some(mark) if mark.seq >= seq => (mark, false),
            Some(_) | None => (Mark { seq, chain: None }, false),
        }
    }

    fn base(&self, view: Option<&View>, end: Mark) -> Mark {
        // What was put away is exact; what was found is at least as new as what sled still shows.
        let known = self.closed.map(|closed| closed.base).or(self.found.base);
        let known = known.or(view.and_then(|view| view.base));
        match later(known, Some(self.start())) {
            Some(base) if base.seq < end.seq => base,
            Some(_) | None => end,
        }
    }
}

/// What sled shows.
struct View {
    opened: Opened,
    seqs: Vec<u64>,
    base: Option<Mark>,
    next: Option<Mark>,
    /// When the last frame was made, in Unix milliseconds.
    last_made_at: u64,
    /// The place after the last frame, by walking there from the beginning.
    walked: Mark,
}

impl View {
    fn open(path: &Path, ready: &Ready) -> Result<Self, StorageError> {
        let opened = Opened::open(path, ready)?;
        let number = ready.stream_number;
        let (mut seqs, mut last_made_at) = (Vec::new(), 0);
        let mut walked = Mark {
            seq: ready.first,
            chain: ready.before,
        };
        opened.each_from(0, &mut |frame, _| {
            seqs.push(frame.seq);
            last_made_at = unix_millis(frame.id);
            walked = walked.past(frame);
            true
        })?;
        Ok(Self {
            seqs,
            base: opened.mark(Which::Base, number)?.map(|(mark, _)| mark),
            next: opened.mark(Which::Next, number)?.map(|(mark, _)| mark),
            last_made_at,
            walked,
            opened,
        })
    }

    fn end(&self, ready: &Ready) -> u64 {
        let marked = self.next.map_or(ready.first, |next| next.seq);
        self.walked.seq.max(marked)
    }

    /// Whether the mark at the end has another chain than the frames before it.
    fn contradicts_itself(&self) -> bool {
        let both = self.next.filter(|next| next.seq == self.walked.seq);
        let chains = both.and_then(|next| next.chain.zip(self.walked.chain));
        chains.is_some_and(|(marked, walked)| marked != walked)
    }

    /// A cut between the frames and their mark leaves whole frames behind it.
    fn next_mark(&self, ready: &Ready) -> Mark {
        let chain = match self.next {
            Some(next) if next.seq >= self.walked.seq => next.chain,
            Some(_) | None => self.walked.chain,
        };
        Mark {
            seq: self.end(ready),
            chain,
        }
    }

    /// The frames that the scan did not find.
    fn frames_beyond(&self, found: &[Spot]) -> Result<Vec<(u64, Vec<u8>)>, StorageError> {
        let mut rest = Vec::new();
        self.opened.each_from(0, &mut |frame, _| {
            if found
                .binary_search_by_key(&frame.seq, |spot| spot.seq)
                .is_err()
            {
                rest.push((frame.seq, frame.encode()));
            }
            true
        })?;
        Ok(rest)
    }
}

/// A generation whose file is as it was when it was put away: its frames are those found in it, and sled need
/// not be asked. The chain proves it.
fn take_intact(
    path: &Path,
    ready: Ready,
    closed: &Closed,
    known: Known,
    file: &[u8],
    found: &Found,
) -> Option<Generation> {
    let mut walked = Mark {
        seq: ready.first,
        chain: ready.before,
    };
    let mut tally = Tally::default();
    for spot in &found.frames {
        let value = spot.bytes(file);
        let frame = StoredFrame::decode(value).ok()?;
        walked = walked.past(&frame);
        if frame.seq >= closed.base.seq {
            tally.count(&frame, value.len());
        }
    }
    let whole = walked.chain.is_some() && walked == closed.next;
    let agreed = known
        .end
        .is_none_or(|end| end.seq == walked.seq && end.chain == walked.chain);
    // Where nothing comes after it, the checkpoint must not know of more.
    let is_end = known.end.is_some() || known.reached <= walked.seq;
    (whole && agreed && is_end).then(|| Generation::put_away_before(path, ready, closed, tally))
}

/// The last of a row is written next, so sled must be able to open it: nothing if it cannot.
fn ready_for_use(
    mut generation: Generation,
    known: Known,
) -> Result<Option<Generation>, StorageError> {
    let opened = match known.sealed {
        true => Ok(()),
        false => generation.make_writable(),
    };
    match opened {
        Ok(()) => Ok(Some(generation)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What sled shows of a generation. Opening writes: for copies only.
pub(super) fn sequences_shown(path: &Path, ready: &Ready) -> Result<Vec<u64>, StorageError> {
    Ok(guarded(path, None, || View::open(path, ready))?.seqs)
}

/// The name that a directory gets when it is set aside now.
pub(super) fn quarantine_name(parent: &Path, name: &str) -> String {
    let names = (1..).map(|number| format!("{QUARANTINE_PREFIX}{name}-{number}"));
    let mut free = names.filter(|quarantine| !parent.join(quarantine).exists());
    free.next().expect("a directory has finitely many names")
}

/// Gives a directory a name that no row looks at.
pub(super) fn set_aside(parent: &Path, name: &str) -> Result<String, StorageError> {
    let quarantine = quarantine_name(parent, name);
    fs_err::rename(parent.join(name), parent.join(&quarantine))?;
    disk::sync_dir(parent)?;
    Ok(quarantine)
}

/// Says that nothing is left to be done for a directory that was set aside.
pub(super) fn mark_salvaged(path: &Path) -> Result<(), StorageError> {
    Ok(disk::write_marker(path, SALVAGED, "")?)
}

/// Puts back what a cut left between quarantine and salvage, so that it is salvaged after all.
pub(super) fn resume_salvage(parent: &Path) -> Result<(), StorageError> {
    for quarantine in quarantines(parent)? {
        let path = parent.join(&quarantine);
        let Some(name) = name_of(&quarantine) else {
            continue;
        };
        let home = parent.join(name);
        if path.join(SALVAGED).exists() {
            continue;
        }
        if home.join(super::ready::NAME).exists() {
            mark_salvaged(&path)?;
        } else {
            if home.exists() {
                fs_err::remove_dir_all(&home)?;
            }
            fs_err::rename(path, home)?;
            disk::sync_dir(parent)?;
        }
    }
    Ok(())
}

pub(super) fn quarantines(parent: &Path) -> Result<Vec<String>, StorageError> {
    let mut names = disk::names_in(parent)?;
    names.retain(|name| name.starts_with(QUARANTINE_PREFIX));
    names.sort_unstable();
    Ok(names)
}

/// The name that a quarantined directory had.
pub(super) fn name_of(quarantine: &str) -> Option<&str> {
    let (name, _) = quarantine
        .strip_prefix(QUARANTINE_PREFIX)?
        .rsplit_once('-')?;
    Some(name)
}

/// Everything they held has been saved, and what they hold is there for a curious engineer.
pub(super) fn discard_old_quarantines(parent: &Path) -> Result<(), StorageError> {
    let mut all: Vec<(i64, PathBuf, String)> = Vec::new();
    for name in quarantines(parent)? {
        let path = parent.join(&name);
        let made = fs_err::metadata(&path)?.mtime();
        let place = all.partition_point(|(other, ..)| *other <= made);
        all.insert(place, (made, path, name));
    }
    let surplus = all.len().saturating_sub(MOST_QUARANTINES);
    for (_, path, name) in all.into_iter().take(surplus) {
        if path.join(SALVAGED).exists() {
            disk::discard(parent, &name)?;
        }
    }
    Ok(())
}
