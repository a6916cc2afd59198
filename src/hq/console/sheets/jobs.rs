//! Sheets that are being drawn, and those that wait to be fetched: one drawn at a time, a few kept for a while.
//!
//! A thousand codes take longer than a page may. So whoever asks is sent to a page that tells how far it is, and
//! finds the files there. They are of whoever asked for them, and in memory only: a code to join a Wi-Fi holds
//! its password.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::domain::text::Language;
use crate::hq::fonts;
use crate::sheet::check::compose_checked;
use crate::sheet::code::Code;
use crate::sheet::compose::Brand;
use crate::sheet::files::{Format, files};
use crate::sheet::layout::Layout;

/// Sheets that are kept; the oldest makes room for a further one.
const MOST: usize = 8;

/// How long they are.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(30);

/// What is to be printed.
pub(super) struct Order {
    pub(super) layout: &'static Layout,
    pub(super) format: Format,
    pub(super) brand: Brand,
    pub(super) language: Language,
    pub(super) codes: Vec<Code>,
}

/// One sheet.
pub(super) struct Job {
    /// Who asked for it.
    pub(super) login: String,
    pub(super) format: Format,
    /// What its files are called, without the ending.
    pub(super) name: String,
    /// Codes that have to be read again, and have been.
    pub(super) codes: usize,
    pub(super) read: AtomicUsize,
    asked: Timestamp,
    done: OnceLock<Result<Vec<Vec<u8>>, String>>,
}

impl Job {
    /// The files, or why there are none; nothing while it is being drawn.
    pub(super) fn done(&self) -> Option<&Result<Vec<Vec<u8>>, String>> {
        self.done.get()
    }

    /// The name of file number `number`, counted from 1.
    pub(super) fn file_name(&self, number: usize) -> String {
        let ending = self.format.name();
        match self.done() {
            Some(Ok(files)) if files.len() > 1 => format!("{}-{number:03}.{ending}", self.name),
            Some(_) | None => format!("{}.{ending}", self.name),
        }
    }
}

/// All of them.
#[derive(Default)]
pub struct Jobs {
    kept: Mutex<BTreeMap<String, Arc<Job>>>,
    /// Whoever draws holds it.
    turn: Arc<Mutex<()>>,
}

impl Jobs {
    /// Begins to draw what will be found under `id`.
    pub(super) fn begin(
        &self,
        order: Order,
        login: String,
        (id, store): (&str, &str),
        now: Timestamp,
    ) {
        let job = Arc::new(Job {
            login,
            format: order.format,
            name: format!("{store}-{}", order.layout.name),
            codes: order.codes.len(),
            read: AtomicUsize::new(0),
            asked: now,
            done: OnceLock::new(),
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, job| now.duration_since(job.asked) < KEPT_FOR);
        if kept.len() >= MOST
            && let Some((oldest, _)) = kept.iter().min_by_key(|(_, job)| job.asked)
        {
            let oldest = oldest.clone();
            kept.remove(&oldest);
        }
        kept.insert(id.to_owned(), Arc::clone(&job));
        drop(kept);
        let turn = Arc::clone(&self.turn);
        // Nobody waits for the thread: its job says when it is done.
        drop(tokio::task::spawn_blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let drawn = draw(&order, &job).map_err(|error| format!("{error:#}"));
            job.done.set(drawn).ok();
        }));
    }

    /// The sheet that `login` asked for.
    pub(super) fn of(&self, login: &str, id: &str, now: Timestamp) -> Option<Arc<Job>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let job = kept.get(id).filter(|job| job.login == login)?;
        (now.duration_since(job.asked) < KEPT_FOR).then(|| Arc::clone(job))
    }
}

fn draw(order: &Order, job: &Job) -> anyhow::Result<Vec<Vec<u8>>> {
    let Order {
        layout,
        format,
        brand,
        language,
        codes,
    } = order;
    let one_more = || {
        job.read.fetch_add(1, Ordering::Relaxed);
    };
    let sheet = compose_checked(layout, brand, *language, codes, one_more)?;
    let title = (brand.store.of(*language), *language);
    let fonts = || fonts::read(fonts::FOLDER.as_ref());
    files(*format, title, &sheet, fonts, || {})
}
