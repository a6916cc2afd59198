//! What the journal costs, beside a bare append loop and SQLite in the same run: `tests/bench/journal`.
//!
//! `captures DIR` and `queue DIR` print a table each and end with failure where a goal of design/journal.md is
//! missed; `… shown` prints it and judges nothing. `floor DIR SECONDS WRITERS` prints the bare append loop's
//! records per second, which `tests/bench/run` holds claims against. Numbers depend on the machine, so what is
//! judged is a ratio to a peer of the same round wherever there is one.

#![expect(clippy::print_stdout, reason = "printing is what this command is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures real time and reads its own arguments"
)]

mod captures;
mod device;
mod frames;
mod peers;
mod queue;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use peers::Peer;
use table::Goals;

fn main() -> anyhow::Result<ExitCode> {
    // Cargo adds `--bench` to what it is given.
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()?;
    let goals = runtime.block_on(perform(&words))?;
    Ok(goals.exit_code())
}

async fn perform(words: &[&str]) -> anyhow::Result<Goals> {
    match words {
        // `cargo bench`: a look without a judgement, on whatever disk this is.
        [] => {
            let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
            captures::print(&dir, Goals::shown()).await?;
            queue::print(&dir, Goals::shown()).await
        }
        ["captures", dir] => captures::print(Path::new(dir), Goals::judged()).await,
        ["captures", dir, "shown"] => captures::print(Path::new(dir), Goals::shown()).await,
        ["queue", dir] => queue::print(Path::new(dir), Goals::judged()).await,
        ["queue", dir, "shown"] => queue::print(Path::new(dir), Goals::shown()).await,
        ["floor", dir, seconds, writers] => {
            let run_for = Duration::from_secs(seconds.parse().context("reading the seconds")?);
            let writers = writers.parse().context("reading the number of writers")?;
            let round = captures::round(Peer::Raw, Path::new(dir), writers, run_for).await?;
            println!("{:.0}", round.per_second);
            Ok(Goals::shown())
        }
        _ => anyhow::bail!(
            "usage: journal_table [captures|queue DIR [shown] | floor DIR SECONDS WRITERS]"
        ),
    }
}
