//! Commits numbers from many tasks at once, and writes down how long the recorder's log was at each answer.
//!
//! `powercut-writer STATE LOG PROMISES`; `powercut::fault` starts it under the recorder. It is a program of
//! its own because more guests than a gateway admits have to come at the same time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use maitred::domain::ids::FramePlace;
use maitred::journal::{Book, Change, Journal, Memory, Options, Profile, Rotation, Verdict};
use maitred::ops::clock::SystemClock;

const TASKS: u64 = 1_500;
const EACH: u64 = 6;

/// Nothing has to be known to number things.
struct NoBook;

impl Book for NoBook {
    fn reset(&mut self) {}
    fn restore(&mut self, _key: &[u8], _value: &[u8]) {}
    fn apply(&mut self, _: FramePlace, _frame_body: &[u8]) {}
    fn take_changes(&mut self, _take: &mut dyn FnMut(Change)) {}
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let [state, log, promises] = std::env::args_os()
        .skip(1)
        .map(PathBuf::from)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| anyhow::anyhow!("powercut-writer STATE LOG PROMISES"))?;
    let mut options = Options::for_profile(Profile::Small);
    options.rotation = Rotation::after(u64::MAX);
    // A book that knows nothing has nothing to checkpoint: every number is read again at start.
    options.checkpoint_frames = u64::MAX;
    options.memory = Memory::Allow;
    let journal = Journal::open(&state, options, Arc::new(SystemClock), NoBook)?;
    let promised = Arc::new(Mutex::new(String::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (journal, log) = (journal.clone(), log.clone());
        let promised = Arc::clone(&promised);
        tasks.spawn(async move {
            for number in 0..EACH {
                let number = task * EACH + number;
                // As long as a claim.
                let body = format!("{number:0360}").into_bytes();
                let verdict = move |_: &mut NoBook| Verdict {
                    body: Some(body),
                    answer: (),
                };
                journal.commit(verdict).await?;
                let at = fs_err::metadata(&log)?.len();
                let mut promised = promised.lock().expect("nobody panics");
                promised.push_str(&format!("{number} {at}\n"));
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let promised = promised.lock().expect("nobody panics");
    fs_err::write(promises, promised.as_bytes())?;
    Ok(())
}
