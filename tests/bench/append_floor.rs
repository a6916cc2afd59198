//! The least a durable record costs on a disk: what the journal's claims per second are held against.
//!
//! Writers each hand in a record of about a frame's size and wait until it is on stable storage; one thread
//! takes whatever waits, appends it with one `write` and answers after one `fdatasync`. There is no store, no
//! checksum and no decision here: the journal does the same and all that.
//!
//! `append_floor DIR SECONDS WRITERS` prints records per second; without arguments (`cargo bench`) it runs two
//! seconds each for 1, 8 and 64 writers below `target`.

#![expect(clippy::print_stdout, reason = "printing is what this command is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures real time and reads its own arguments"
)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

/// A claim's frame with all its fields.
const RECORD_BYTES: usize = 400;

/// The journal's cap for one commit in its standard profile.
const MOST_IN_A_COMMIT: usize = 64;

/// A record, and the way back to its writer.
struct Record {
    bytes: [u8; RECORD_BYTES],
    durable: SyncSender<()>,
}

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench` to what it is given.
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    match arguments.as_slice() {
        [] => {
            let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
            for writers in [1, 8, 64] {
                let rate = records_per_second(&dir, Duration::from_secs(2), writers)?;
                println!("{writers:>3} writers: {rate:.0} records/s");
            }
        }
        [dir, seconds, writers] => {
            let seconds = seconds.parse().context("reading the seconds")?;
            let writers = writers.parse().context("reading the number of writers")?;
            let run_for = Duration::from_secs(seconds);
            let rate = records_per_second(Path::new(dir), run_for, writers)?;
            println!("{rate:.0}");
        }
        _ => anyhow::bail!("usage: append_floor [DIR SECONDS WRITERS]"),
    }
    Ok(())
}

fn records_per_second(dir: &Path, run_for: Duration, writers: usize) -> anyhow::Result<f64> {
    let path = dir.join("append-floor");
    let file = fs_err::File::create(&path)?;
    let (sender, records) = channel();
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let started = Instant::now();
    let outcome = thread::scope(|scope| {
        for _ in 0..writers {
            let sender = sender.clone();
            let (stop, done) = (&stop, &done);
            scope.spawn(move || write_until(stop, &sender, done));
        }
        // The commits end when the last writer has hung up.
        drop(sender);
        scope.spawn(|| {
            thread::sleep(run_for);
            stop.store(true, Ordering::Relaxed);
        });
        let outcome = commit_all(file, &records);
        // After an error nobody is answered: what still waits falls with the queue.
        drop(records);
        outcome
    });
    let took = started.elapsed();
    fs_err::remove_file(&path)?;
    outcome?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = done.load(Ordering::Relaxed) as f64 / took.as_secs_f64();
    Ok(rate)
}

/// One writer: a record, a wait, the next.
fn write_until(stop: &AtomicBool, records: &Sender<Record>, done: &AtomicU64) {
    let (durable, told) = sync_channel(1);
    while !stop.load(Ordering::Relaxed) {
        let record = Record {
            bytes: [0x5a; RECORD_BYTES],
            durable: durable.clone(),
        };
        // Either fails only when the committing thread has ended with an error, which it reports itself.
        if records.send(record).is_err() || told.recv().is_err() {
            return;
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn commit_all(mut file: fs_err::File, records: &Receiver<Record>) -> io::Result<()> {
    let mut waiting = Vec::with_capacity(MOST_IN_A_COMMIT);
    let mut bytes = Vec::with_capacity(MOST_IN_A_COMMIT * RECORD_BYTES);
    while let Ok(first) = records.recv() {
        waiting.push(first);
        waiting.extend(records.try_iter().take(MOST_IN_A_COMMIT - 1));
        bytes.clear();
        for record in &waiting {
            bytes.extend_from_slice(&record.bytes);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        for record in waiting.drain(..) {
            // A writer waits for every record it hands in.
            record.durable.send(()).ok();
        }
    }
    Ok(())
}
