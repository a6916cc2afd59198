//! A long queue: how fast it is opened and drained, and what is left on the disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use maitred::journal::Spool;
use maitred::uplink::step::MAX_BYTES;
use maitred::wire::batch::MAX_BATCH_FRAMES;

use crate::frames;
use crate::peers::{Counter, Peer};
use crate::table::{self, Goals};

const QUEUED: u64 = 100_000;
/// Enough at once to fill every commit twice over.
const TASKS: u64 = 128;
const ROUNDS: usize = 3;
const MIB: f64 = 1024.0 * 1024.0;

/// What came of one queue.
struct Figures {
    opened_clean: Duration,
    opened_after_crash: Duration,
    drained_per_second: f64,
    disk_full: u64,
    /// Without what is kept beyond need, and without the checkpoint.
    disk_drained: u64,
    /// The coupons are all alive, and no queue.
    checkpoint: u64,
}

pub(crate) async fn print(dir: &Path, mut goals: Goals) -> anyhow::Result<Goals> {
    println!(
        "{QUEUED} captures of {} bytes queued, drained in batches of at most {MAX_BATCH_FRAMES} frames and \
         {MAX_BYTES} bytes,\nmedians of {ROUNDS} rounds, on {}",
        frames::FRAME_BYTES,
        crate::device::Device::below(dir)?.name()
    );
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(dir).await?);
    }
    let median = |figure: fn(&Figures) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let crash = median(|round| round.opened_after_crash.as_secs_f64());
    let clean = median(|round| round.opened_clean.as_secs_f64());
    let drained = median(|round| round.drained_per_second);
    #[expect(clippy::cast_precision_loss, reason = "sizes for people to read")]
    let [full, left, checkpoint] = [
        median(|round| round.disk_full as f64 / MIB),
        median(|round| round.disk_drained as f64 / MIB),
        median(|round| round.checkpoint as f64 / MIB),
    ];
    let row = |name: &str, value: String, goal: String| vec![name.to_owned(), value, goal];
    let rows = [
        row(
            "open after a crash, s",
            format!("{crash:.2}"),
            goals.at_most(0.5, crash),
        ),
        row(
            "open after an orderly end, s",
            format!("{clean:.2}"),
            goals.at_most(0.5, clean),
        ),
        row(
            "drained frames/s",
            format!("{drained:.0}"),
            goals.at_least(20_000.0, drained),
        ),
        row(
            "disk with all queued, MiB",
            format!("{full:.1}"),
            String::new(),
        ),
        row(
            "disk after the drain, MiB",
            format!("{left:.1}"),
            goals.at_most(4.0, left),
        ),
        row(
            "  and the checkpoint of as many coupons",
            format!("{checkpoint:.1}"),
            String::new(),
        ),
    ];
    table::print(&["", "", "goal"], &rows);
    println!();
    Ok(goals)
}

async fn round(dir: &Path) -> anyhow::Result<Figures> {
    let scratch = tempfile::tempdir_in(dir)?;
    let (state, image) = (scratch.path().join("state"), scratch.path().join("image"));
    let journal = fill(&state).await?;
    // Nothing is in flight: what a killed process would leave.
    copy(&state, &image)?;
    let disk_full = bytes_on_disk(&state)?;
    journal.close().await?;
    let opened_clean = opening(&state).await?;

    let began = Instant::now();
    let journal = frames::open(&image)?;
    let opened_after_crash = began.elapsed();
    let outbox = journal.outbox();
    ensure!(
        outbox.depths().borrow().p0.frames == QUEUED,
        "the image does not hold all frames"
    );
    let began = Instant::now();
    let mut drained = 0;
    loop {
        let batch = outbox.peek(Spool::P0, MAX_BATCH_FRAMES, MAX_BYTES).await?;
        let Some(last) = batch.frames.last() else {
            break;
        };
        drained += batch.frames.len() as u64;
        outbox.acknowledge(Spool::P0, last.stream, last.seq).await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let drained_per_second = QUEUED as f64 / began.elapsed().as_secs_f64();
    ensure!(drained == QUEUED, "{drained} frames were drained");
    let checkpoint = bytes_on_disk(&image.join("views"))?;
    let disk_drained = bytes_on_disk(&image)? - bytes_kept(&image)? - checkpoint;
    journal.close().await?;
    Ok(Figures {
        opened_clean,
        opened_after_crash,
        drained_per_second,
        disk_full,
        disk_drained,
        checkpoint,
    })
}

async fn fill(state: &Path) -> anyhow::Result<maitred::journal::Journal<frames::Coupons>> {
    fs_err::create_dir(state)?;
    let counter = Peer::Journal.open(state)?;
    let mut running = JoinSet::new();
    for task in 0..TASKS {
        let counter = counter.clone();
        let share = QUEUED / TASKS + u64::from(task < QUEUED % TASKS);
        running.spawn(async move {
            for count in 0..share {
                counter.keep(usize::try_from(task)?, count).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    match counter {
        Counter::Journal(journal) => Ok(journal),
        Counter::Committed(_) => anyhow::bail!("that is not a journal"),
    }
}

async fn opening(state: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let journal = frames::open(state)?;
    let took = began.elapsed();
    journal.close().await?;
    Ok(took)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs_err::create_dir(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs_err::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn bytes_on_disk(path: &Path) -> anyhow::Result<u64> {
    let metadata = fs_err::metadata(path)?;
    // The kernel counts blocks of 512 bytes.
    let mut bytes = metadata.blocks() * 512;
    if metadata.is_dir() {
        for entry in fs_err::read_dir(path)? {
            bytes += bytes_on_disk(&entry?.path())?;
        }
    }
    Ok(bytes)
}

/// What is kept beyond need: the ballast, and sealed generations in case headquarters is restored.
fn bytes_kept(state: &Path) -> anyhow::Result<u64> {
    let mut kept = 0;
    let ballast = state.join("BALLAST");
    if ballast.exists() {
        kept += bytes_on_disk(&ballast)?;
    }
    let mut generations = Vec::new();
    for entry in fs_err::read_dir(state.join(Spool::P0.name()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("gen-") {
            generations.push(entry.path());
        }
    }
    generations.sort();
    // The last one is being written; after a drain every other has been acknowledged whole.
    generations.pop();
    for generation in generations {
        kept += bytes_on_disk(&generation)?;
    }
    Ok(kept)
}
