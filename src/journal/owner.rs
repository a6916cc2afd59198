//! The one thread that owns a journal: takes requests in order, commits them in groups, answers.
//!
//! Promises that an answer is sent only after the frames of its commit are on stable storage; that after a
//! storage error nobody in the commit hears of success, the databases are dropped and opened again, and the
//! book is rebuilt; that an idle owner neither writes nor wakes up, once whoever asked to be forgotten is. When the thread ends, by `close` or by a
//! panic, every waiting caller is told, because their answer channels fall with it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::domain::ids::FramePlace;
use crate::ops::metrics;

use super::book::Book;
use super::database;
use super::depth::Depths;
use super::error::{CloseError, CommitError, OutboxError, StorageError};
use super::frame::OVERHEAD_BYTES;
use super::generation::NewFrame;
use super::options::Cap;
use super::request::{Decision, Note, OutboxRequest, Places, Release, Request};
use super::store::{Lock, Place, Store};

/// Who is gone for so long is not about to ask again: enough for a page to come back with the next tap.
const QUIET: Duration = Duration::from_millis(100);

/// So many commits take at most half a megabyte, of the 8 that the floor leaves.
const LOOK_EVERY_COMMITS: u32 = 16;

pub(super) struct Owner<B> {
    book: B,
    place: Place,
    requests: Receiver<Request<B>>,
    /// A request met while a commit was being gathered; it comes next.
    carried: Option<Request<B>>,
    /// P1 frames that wait for a commit to ride on, and since when.
    notes: Vec<Note>,
    notes_since: Duration,
    /// There was a commit since a checkpoint was last tried, so that one that fails is not tried for ever.
    may_checkpoint: bool,
    /// Since when somebody who asked to be forgotten is still in the checkpoint.
    forgets_since: Option<Duration>,
    /// `None` after an error, until a request finds it can be opened again.
    store: Option<Store>,
    /// A database whose sync failed and whose file must be rewritten before it is opened again.
    doubtful: Option<PathBuf>,
    depths: watch::Sender<Depths>,
    /// How much was free when that was last found to be too little.
    short_of_space: Option<u64>,
    /// Commits since somebody looked how much room there is.
    commits_unlooked: u32,
    /// Last, so that the databases are closed before another owner may come.
    _ended: Ended,
    _lock: Lock,
}

/// Tells those who wait for a place that there will be none.
struct Ended(Places);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.requests.close();
        self.0.notes.close();
    }
}

/// Decisions that will become durable together.
#[derive(Default)]
struct Commit {
    frames: Vec<NewFrame>,
    bytes: usize,
    answers: Vec<Box<dyn Release>>,
}

impl Commit {
    /// Decisions without a frame count as well: they must not keep the others waiting for ever.
    fn has_room(&self, cap: Cap, largest: usize) -> bool {
        cap.has_room(self.answers.len(), self.bytes, largest)
    }
}

impl<B: Book> Owner<B> {
    pub(super) fn new(
        mut book: B,
        place: Place,
        lock: Lock,
        requests: Receiver<Request<B>>,
        places: Places,
    ) -> Result<(Self, watch::Receiver<Depths>), StorageError> {
        let mut doubtful = None;
        let store = match open_store(&place, &mut book, &mut doubtful) {
            // The file's pages were in doubt; the second time they are written anew first.
            Err(_) if doubtful.is_some() => open_store(&place, &mut book, &mut doubtful)?,
            // sled writes when it opens, and finds no room.
            Err(error) if error.is_storage_full() && place.ballast().release()? => {
                open_store(&place, &mut book, &mut doubtful)?
            }
            outcome => outcome?,
        };
        let (depths, seen) = watch::channel(store.depths());
        let mut owner = Self {
            book,
            place,
            requests,
            carried: None,
            notes: Vec::new(),
            notes_since: Duration::ZERO,
            may_checkpoint: false,
            forgets_since: None,
            store: Some(store),
            doubtful,
            depths,
            short_of_space: None,
            commits_unlooked: 0,
            _ended: Ended(places),
            _lock: lock,
        };
        owner.make_room();
        // A power cut may have come before the last run could forget them.
        owner.note_who_waits();
        owner.depths_changed();
        Ok((owner, seen))
    }

    /// Serves until `close`, or until every handle is gone: then it stops where it stands, like a crash.
    pub(super) fn run(mut self) {
        loop {
            match self.next_request() {
                Ok(Request::Commit(decision, place)) => {
                    drop(place);
                    self.commit(decision);
                }
                Ok(Request::Note(note)) => {
                    self.hold(note);
                    self.write_notes_if_many();
                }
                Ok(Request::Outbox(request, place)) => {
                    drop(place);
                    self.serve(request);
                }
                Ok(Request::Close(answer)) => {
                    let outcome = self.close();
                    // Whoever asked may have stopped waiting; the journal is closed all the same.
                    answer.send(outcome).ok();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.when_quiet(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.depths_changed();
        }
    }

    /// Sleeps without a time limit unless P1 frames or a checkpoint wait.
    fn next_request(&mut self) -> Result<Request<B>, RecvTimeoutError> {
        if let Some(request) = self.carried.take() {
            return Ok(request);
        }
        let waits = [
            self.notes_wait(),
            self.checkpoint_waits(),
            self.forgetting_waits(),
        ];
        match waits.into_iter().flatten().min() {
            Some(wait) => self.requests.recv_timeout(wait),
            None => Ok(self.requests.recv()?),
        }
    }

    fn notes_wait(&self) -> Option<Duration> {
        let now = self.place.clock.since_boot();
        let waited = now.saturating_sub(self.notes_since);
        let rest = self.place.options.p1_delay.saturating_sub(waited);
        (!self.notes.is_empty()).then_some(rest)
    }

    /// Many syncs for which whoever asks meanwhile would wait.
    fn checkpoint_waits(&self) -> Option<Duration> {
        let store = self.store.as_ref().filter(|_| self.may_checkpoint)?;
        store.owes_checkpoint(&self.place).then_some(QUIET)
    }

    fn forgetting_waits(&self) -> Option<Duration> {
        let waited = self
            .place
            .clock
            .since_boot()
            .saturating_sub(self.forgets_since?);
        Some(self.place.options.forget_within.saturating_sub(waited))
    }

    /// Whether the book has somebody to forget, and since when.
    fn note_who_waits(&mut self) {
        let now = self.place.clock.since_boot();
        let must = self.store.is_some() && self.book.must_forget();
        self.forgets_since = must.then(|| self.forgets_since.unwrap_or(now));
    }

    /// Has whoever asked to be forgotten leave the disk, once they have waited long enough.
    fn forget_if_due(&mut self) {
        if self.forgetting_waits().is_some_and(|rest| rest.is_zero()) {
            // One that fails waits as long again: the file is opened anew and shows who asked.
            self.forgets_since = None;
            if let Err(error) = self.with_store(|store, book, _| store.checkpoint(book)) {
                self.recover(&error);
            }
            self.note_who_waits();
        }
    }

    /// Nobody has asked for anything: the time for what can wait.
    fn when_quiet(&mut self) {
        self.write_notes();
        self.forget_if_due();
        if self.checkpoint_waits().is_some() {
            self.may_checkpoint = false;
            if let Err(error) = self.with_store(|store, book, _| store.checkpoint(book)) {
                self.recover(&error);
            }
        }
    }

    // --- P0 ---------------------------------------------------------------------------------------------

    fn commit(&mut self, first: Box<dyn Decision<B>>) {
        if let Err(error) = self.ensure_open() {
            return first.refuse(CommitError::Storage(error));
        }
        if self.short_of_space.is_some() {
            // Whoever made room tells nobody.
            self.short_of_space = self.place.short_of_space();
        }
        let started = self.place.clock.since_boot();
        let Some(profile) = self.store.as_ref().map(|store| store.p0.profile()) else {
            return;
        };
        let mut commit = Commit::default();
        self.decide(first, &mut commit);
        while commit.has_room(profile.cap(), profile.max_entry_bytes()) {
            match self.requests.try_recv() {
                Ok(Request::Commit(decision, place)) => {
                    drop(place);
                    self.decide(decision, &mut commit);
                }
                Ok(Request::Note(note)) => self.hold(note),
                Ok(other) => {
                    self.carried = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.make_durable(commit, started);
    }

    /// Lets one decision see the book, and applies what it wants written.
    fn decide(&mut self, decision: Box<dyn Decision<B>>, commit: &mut Commit) {
        let (body, answer) = decision.decide(&mut self.book);
        if let Some(body) = body {
            match self.admit(body, commit) {
                Ok((at, frame)) => {
                    self.book.apply(at, &frame.body);
                    commit.bytes += frame.stored_bytes();
                    commit.frames.push(frame);
                }
                Err(error) => return answer.release(Err(error)),
            }
        }
        commit.answers.push(answer);
    }

    /// Names a frame, and says where it will stand: nothing else is appended before this commit.
    fn admit(&self, body: Vec<u8>, commit: &Commit) -> Result<(FramePlace, NewFrame), CommitError> {
        let p0 = &self.store.as_ref().ok_or(CommitError::Ended)?.p0;
        let (bytes, limit) = (body.len(), p0.profile().max_body_bytes());
        if bytes > limit {
            return Err(CommitError::TooLarge { bytes, limit });
        }
        let held = p0.frames() + commit.frames.len() as u64;
        if held >= self.place.options.max_p0_frames {
            return Err(CommitError::Full { held });
        }
        // Looked at again: somebody else may have made room, and without a commit nobody would notice.
        if self.short_of_space.is_some()
            && let Some(free) = self.place.short_of_space()
        {
            let limit = self.place.options.free_floor_bytes;
            return Err(CommitError::NoSpace { free, limit });
        }
        let mut at = p0.next_place();
        at.seq += commit.frames.len() as u64;
        let frame = p0.name(body).map_err(CommitError::Storage)?;
        Ok((at, frame))
    }

    fn make_durable(&mut self, commit: Commit, started: Duration) {
        let Some(store) = self.store.as_mut() else {
            return;
        };
        if commit.frames.is_empty() {
            // Everything they saw is durable already.
            return release_all(commit.answers, &Ok(()));
        }
        match store.p0.append(&commit.frames) {
            Ok(()) => {
                let frames = commit.frames.len() as u64;
                store.count_applied(frames);
                // The depths come first: whoever has the answer may look at them.
                self.depths_changed();
                release_all(commit.answers, &Ok(()));
                // Whoever was answered may ask again at once: let them, or the first of them gets a
                // commit of its own and the others wait for two syncs.
                std::thread::yield_now();
                let took = self.place.clock.since_boot().saturating_sub(started);
                metrics::count(metrics::JOURNAL_COMMITS_TOTAL);
                metrics::add_of(metrics::JOURNAL_FRAMES_TOTAL, ("spool", "p0"), frames);
                metrics::took(metrics::JOURNAL_COMMIT_SECONDS, took);
                self.after_commit();
            }
            Err(error) => {
                let refusal = CommitError::Storage(error.clone());
                metrics::add_of(
                    metrics::JOURNAL_COMMIT_ERRORS_TOTAL,
                    ("code", refusal.code()),
                    1,
                );
                release_all(commit.answers, &Err(refusal));
                self.recover(&error);
            }
        }
    }

    /// What nobody waits for comes after the answers.
    fn after_commit(&mut self) {
        let outcome = self.with_store(|store, book, place| {
            store.checkpoint_if_overdue(place, book)?;
            store.p0.rotate_if_due()
        });
        self.may_checkpoint = true;
        if let Err(error) = outcome {
            self.recover(&error);
        }
        self.note_who_waits();
        self.forget_if_due();
        self.write_notes();
        self.commits_unlooked += 1;
        if self.commits_unlooked >= LOOK_EVERY_COMMITS {
            self.make_room();
        }
    }

    /// Sees to it that there is room: lets go of what is only kept, then of P1; puts the reserve back when
    /// there is plenty.
    fn make_room(&mut self) {
        self.commits_unlooked = 0;
        let outcome = self.with_store(|store, book, place| {
            store.tidy(place, book)?;
            store.evict_if_due(place)?;
            if place.short_of_space().is_some() && store.p1.frames() > 0 {
                store.evict()?;
            }
            Ok(())
        });
        if let Err(error) = outcome {
            self.recover(&error);
        }
        let short = self.place.short_of_space();
        if let (Some(free), None) = (short, self.short_of_space) {
            tracing::error!(
                disk.free_bytes = free,
                "there is too little room; captures are refused"
            );
        }
        self.short_of_space = short;
        if short.is_none() {
            // Without it the journal works as well, until the disk is full.
            let floor = self.place.options.free_floor_bytes;
            if let Err(error) = self.place.ballast().restore(floor) {
                tracing::warn!(%error, "there is no reserve for a full disk");
            }
        }
    }

    // --- P1 ---------------------------------------------------------------------------------------------

    /// Keeps a P1 frame until the next commit. Writes nothing: a commit may be half gathered, and an error
    /// would take its decisions out of the book.
    fn hold(&mut self, note: Note) {
        let Some(store) = self.store.as_ref() else {
            return dropped("storage");
        };
        if note.body.len() > store.p1.profile().max_body_bytes() {
            return dropped("too_large");
        }
        if self.short_of_space.is_some() {
            return dropped("no_space");
        }
        if self.notes.is_empty() {
            self.notes_since = self.place.clock.since_boot();
        }
        self.notes.push(note);
    }

    /// More than one sync may cover need not wait for company.
    fn write_notes_if_many(&mut self) {
        let store = self.store.as_ref();
        if store.is_some_and(|store| self.notes.len() >= store.p1.profile().cap().entries) {
            self.write_notes();
        }
    }

    fn write_notes(&mut self) {
        while !self.notes.is_empty() {
            let notes = self.take_notes();
            let count = notes.len() as u64;
            let outcome = self.with_store(|store, book, place| {
                let frames: Result<Vec<NewFrame>, StorageError> = notes
                    .into_iter()
                    .map(|note| store.p1.name(note.body))
                    .collect();
                let frames = frames?;
                let mut at = store.p1.next_place();
                store.p1.append(&frames)?;
                for frame in &frames {
                    book.note(at, &frame.body);
                    at.seq += 1;
                }
                store.count_applied(count);
                store.p1.rotate_if_due()?;
                store.evict_if_due(place)
            });
            match outcome {
                Ok(()) => metrics::add_of(metrics::JOURNAL_FRAMES_TOTAL, ("spool", "p1"), count),
                Err(error) => {
                    (0..count).for_each(|_| dropped("storage"));
                    self.recover(&error);
                }
            }
        }
    }

    /// As many of the waiting P1 frames as one sync may cover.
    fn take_notes(&mut self) -> Vec<Note> {
        let Some(store) = self.store.as_ref() else {
            return std::mem::take(&mut self.notes);
        };
        let cap = store.p1.profile().cap();
        let mut bytes = 0;
        let fitting = self.notes.iter().enumerate().take_while(|(place, note)| {
            let stored = OVERHEAD_BYTES + note.body.len();
            let fits = cap.has_room(*place, bytes, stored);
            bytes += stored;
            fits
        });
        let count = fitting.count();
        self.notes.drain(..count).collect()
    }

    // --- the uplink -------------------------------------------------------------------------------------

    fn serve(&mut self, request: OutboxRequest) {
        match request {
            OutboxRequest::Peek {
                spool,
                max_frames,
                max_bytes,
                answer,
            } => {
                let outcome = self.with_outbox(|store| {
                    let peeked = store.row(spool).peek(max_frames, max_bytes);
                    peeked.map_err(OutboxError::Storage)
                });
                self.answer_uplink(answer, outcome);
            }
            OutboxRequest::Acknowledge {
                spool,
                stream,
                through,
                answer,
            } => {
                let outcome = self.with_outbox(|store| store.acknowledge(spool, stream, through));
                self.answer_uplink(answer, outcome);
                self.make_room();
            }
            OutboxRequest::Leave {
                spool,
                stream,
                answer,
            } => {
                let outcome = self.with_outbox(|store| {
                    let left = store.row(spool).leave(stream);
                    left.map_err(OutboxError::Storage)
                });
                self.answer_uplink(answer, outcome);
            }
            OutboxRequest::MoveOn {
                spool,
                stream,
                through,
                known,
                answer,
            } => {
                let outcome =
                    self.with_outbox(|store| store.move_on(spool, stream, through, &known));
                self.answer_uplink(answer, outcome);
                self.make_room();
            }
            OutboxRequest::TakeBack {
                spool,
                stream,
                after,
                answer,
            } => {
                let outcome = self.with_outbox(|store| {
                    let floor = store.row(spool).take_back(stream, after);
                    floor.map_err(OutboxError::Storage)
                });
                self.answer_uplink(answer, outcome);
            }
        }
    }

    fn with_outbox<T>(
        &mut self,
        act: impl FnOnce(&mut Store) -> Result<T, OutboxError>,
    ) -> Result<T, OutboxError> {
        self.ensure_open().map_err(OutboxError::Storage)?;
        self.store.as_mut().map_or(Err(OutboxError::Ended), act)
    }

    fn answer_uplink<T>(
        &mut self,
        answer: oneshot::Sender<Result<T, OutboxError>>,
        outcome: Result<T, OutboxError>,
    ) {
        let fault = match &outcome {
            Err(OutboxError::Storage(error)) if self.store.is_some() => Some(error.clone()),
            _ => None,
        };
        // The depths come first: whoever has the answer may look at them.
        self.depths_changed();
        // An uplink that stopped waiting asks again later.
        answer.send(outcome).ok();
        if let Some(error) = fault {
            self.recover(&error);
        }
    }

    // --- the store --------------------------------------------------------------------------------------

    fn with_store<T>(
        &mut self,
        act: impl FnOnce(&mut Store, &mut B, &Place) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.ensure_open()?;
        match self.store.as_mut() {
            Some(store) => act(store, &mut self.book, &self.place),
            None => Err(StorageError::damaged(
                &self.place.dir,
                "the store is closed",
            )),
        }
    }

    /// A handle that failed once fails for ever, so the databases are opened anew and the book with them.
    fn recover(&mut self, error: &StorageError) {
        tracing::error!(journal.dir = %self.place.dir.display(), %error, "the journal failed and is opened again");
        self.doubtful = in_doubt(error).or(self.doubtful.take());
        self.store = None;
        self.short_of_space = self.place.short_of_space();
        if error.is_storage_full() {
            // The handle is poisoned for good, and to open another one takes room.
            if let Err(error) = self.place.ballast().release() {
                tracing::error!(%error, "the reserve for a full disk could not be given up");
            }
        }
        if let Err(error) = self.ensure_open() {
            tracing::error!(journal.dir = %self.place.dir.display(), %error, "the journal stays closed until the next request");
        }
    }

    /// Opens the store if an error closed it. There is no timer: the next request tries again.
    fn ensure_open(&mut self) -> Result<(), StorageError> {
        if self.store.is_some() {
            return Ok(());
        }
        let store = open_store(&self.place, &mut self.book, &mut self.doubtful)?;
        self.store = Some(store);
        metrics::count(metrics::JOURNAL_REOPENS_TOTAL);
        Ok(())
    }

    fn depths_changed(&self) {
        if let Some(store) = &self.store {
            let depths = store.depths();
            self.depths.send_if_modified(|seen| {
                let changed = *seen != depths;
                *seen = depths;
                changed
            });
        }
    }

    fn close(mut self) -> Result<(), CloseError> {
        self.write_notes();
        self.ensure_open()?;
        match self.store.take() {
            Some(store) => Ok(store.close(&mut self.book)?),
            None => Err(CloseError::Ended),
        }
    }
}

/// Rewrites the file in doubt, if there is one, and opens everything; a sync that fails casts new doubt.
fn open_store(
    place: &Place,
    book: &mut impl Book,
    doubtful: &mut Option<PathBuf>,
) -> Result<Store, StorageError> {
    if let Some(path) = doubtful.as_ref().filter(|path| path.exists()) {
        database::rewrite(path)?;
    }
    *doubtful = None;
    Store::open(place, book).inspect_err(|error| *doubtful = in_doubt(error))
}

/// The database whose pages may be lost although the kernel will call them clean from now on.
fn in_doubt(error: &StorageError) -> Option<PathBuf> {
    match error {
        // A full disk refuses whole pages and leaves none in doubt; nor would there be room for a copy.
        StorageError::Sync { path, source } if source.kind() != ErrorKind::StorageFull => {
            Some(path.clone())
        }
        StorageError::Io(_)
        | StorageError::Sync { .. }
        | StorageError::Sled { .. }
        | StorageError::Panicked { .. }
        | StorageError::Frame { .. }
        | StorageError::Damaged { .. }
        | StorageError::Memory(_)
        | StorageError::Entropy(_) => None,
    }
}

fn release_all(answers: Vec<Box<dyn Release>>, outcome: &Result<(), CommitError>) {
    for answer in answers {
        answer.release(outcome.clone());
    }
}

fn dropped(reason: &'static str) {
    metrics::add_of(metrics::JOURNAL_P1_DROPPED_TOTAL, ("reason", reason), 1);
}
