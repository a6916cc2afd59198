//! `maitred journal`: a look at what a box holds, beside the running gateway or without one.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand};

use super::print;
use crate::journal::{GenerationReport, GenerationState, Spool, inspect};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's state directory, or a copy of it
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/maitred",
        global = true
    )]
    state: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the generations: how much waits for headquarters, and since when
    Ls,
    /// Print one waiting frame of spool P0
    Show { sequence: u64 },
    /// Print every waiting frame, one JSON object a line
    Export,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Ls => list(&arguments.state),
        Action::Show { sequence } => show(&arguments.state, sequence),
        Action::Export => export(&arguments.state),
    }
}

fn list(state: &Path) -> anyhow::Result<()> {
    let reports = inspect(state, &mut |_, _| {})?;
    if reports.is_empty() {
        print::line(format_args!(
            "{} holds no journal yet; a gateway makes it at its first start",
            state.display()
        ));
        return Ok(());
    }
    print::line("spool  state  frames  bytes  on disk  sequences  oldest  stream");
    for report in reports {
        let state = match report.state {
            GenerationState::Clean => "clean",
            GenerationState::Open => "open",
        };
        let contents = match report.contents {
            Err(error) => format!("unreadable: {error}"),
            Ok(held) => {
                let oldest = held
                    .oldest_unix_ms
                    .and_then(|millis| i64::try_from(millis).ok())
                    .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
                    .map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"));
                format!(
                    "{}  {}  {}  {}..{}  {oldest}  {}",
                    held.frames,
                    held.bytes,
                    report.bytes_on_disk,
                    held.first_seq,
                    held.next_seq,
                    report.stream
                )
            }
        };
        print::line(format_args!("{}  {state}  {contents}", report.spool.name()));
    }
    Ok(())
}

fn show(state: &Path, sequence: u64) -> anyhow::Result<()> {
    let mut found = None;
    let reports = inspect(state, &mut |spool, frame| {
        if spool == Spool::P0 && frame.seq == sequence {
            found = Some(frame);
        }
    })?;
    if found.is_none() {
        all_were_read(&reports)?;
    }
    let frame = found.ok_or_else(|| {
        anyhow::anyhow!("frame {sequence} does not wait here; `maitred journal ls` lists what does")
    })?;
    print::line(format_args!("stream {}", frame.stream));
    print::line(format_args!("id     {}", frame.id));
    print::line(String::from_utf8_lossy(&frame.body));
    Ok(())
}

fn export(state: &Path) -> anyhow::Result<()> {
    let reports = inspect(state, &mut |spool, frame| {
        let body = String::from_utf8_lossy(&frame.body);
        print::line(format_args!(
            "{{\"spool\":\"{}\",\"stream\":\"{}\",\"s\":{},\"id\":\"{}\",\"body\":{body}}}",
            spool.name(),
            frame.stream,
            frame.seq,
            frame.id,
        ));
    })?;
    all_were_read(&reports)
}

/// An unreadable generation is no empty one.
fn all_were_read(reports: &[GenerationReport]) -> anyhow::Result<()> {
    let unreadable: Vec<_> = reports
        .iter()
        .filter_map(|report| Some((report, report.contents.as_ref().err()?)))
        .map(|(report, error)| format!("{}: {error}", report.path.display()))
        .collect();
    if unreadable.is_empty() {
        return Ok(());
    }
    bail!("not everything could be read:\n{}", unreadable.join("\n"))
}
