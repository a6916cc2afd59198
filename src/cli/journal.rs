//! `maitred journal`: a look at what a box holds, beside the running gateway or without one.
//!
//! It only reads, so it needs neither the gateway nor its leave. What the gateway counts itself is at
//! `/api/v1/journal` of its ops listener.

use std::path::Path;

use anyhow::bail;

use super::print;
use super::syntax::{Command, Word};
use crate::journal::{
    Frame, GenerationReport, GenerationState, Inventory, Spool, inspect, salvage, verify,
};

const STATE: Word = Word::option(
    "state",
    "DIR",
    "The gateway's state directory, or a copy of it",
)
.or("/var/lib/maitred");
const SEQUENCE: Word = Word::operand("SEQUENCE", "The number of the frame");
const NDJSON: Word = Word::flag(
    "ndjson",
    "One JSON object a line, which is the only form there is",
);
const DIRECTORY: Word = Word::operand("DIR", "The damaged or quarantined directory");

pub(super) const COMMAND: Command = Command::group(
    "journal",
    "Look into a box's journal",
    &[STATE],
    &[
        Command::new(
            "ls",
            "List the generations: how much waits for headquarters, since when, and what was damaged",
            &[],
            |given| list(&given.path(&STATE)?),
        ),
        Command::new(
            "show",
            "Print one waiting frame of spool P0",
            &[SEQUENCE],
            |given| show(&given.path(&STATE)?, given.value(&SEQUENCE)?),
        ),
        Command::new(
            "export",
            "Print every waiting frame, one JSON object a line",
            &[NDJSON],
            |given| export(&given.path(&STATE)?),
        ),
        Command::new(
            "verify",
            "Compare every frame in the files with what the database shows of them; ends with 1 if one is lost",
            &[],
            |given| check(&given.path(&STATE)?),
        ),
        Command::new(
            "salvage",
            "Print every frame that a damaged or quarantined directory still holds, one JSON object a line",
            &[DIRECTORY],
            |given| {
                let directory = given.path(&DIRECTORY)?;
                Ok(salvage(&directory, &mut |frame| print_frame(None, &frame))?)
            },
        ),
    ],
);

fn list(state: &Path) -> anyhow::Result<()> {
    let Inventory {
        generations,
        quarantines,
        damage,
    } = inspect(state, &mut |_, _| {})?;
    if generations.is_empty() {
        print::line(format_args!(
            "{} holds no journal yet; a gateway makes it at its first start",
            state.display()
        ));
    } else {
        print::line("spool  state  frames  bytes  on disk  sequences  oldest  stream");
    }
    generations.iter().for_each(print_generation);
    for quarantine in quarantines {
        print::line(format_args!(
            "quarantined: {quarantine}; `maitred journal salvage {}` prints what it holds",
            state.join(&quarantine).display()
        ));
    }
    for report in damage.lines() {
        print::line(format_args!("damage: {report}"));
    }
    Ok(())
}

fn print_generation(report: &GenerationReport) {
    let state = match report.state {
        GenerationState::Clean => "clean",
        GenerationState::Open => "open",
        GenerationState::Kept => "kept",
        GenerationState::Unreadable => "unreadable",
    };
    let held = &report.contents;
    let oldest = held
        .oldest_unix_ms
        .and_then(|millis| i64::try_from(millis).ok())
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"));
    let stream = report
        .stream
        .map_or_else(|| "unknown".to_owned(), |stream| stream.to_string());
    print::line(format_args!(
        "{}  {state}  {}  {}  {}  {}..{}  {oldest}  {stream}",
        report.spool.name(),
        held.frames,
        held.bytes,
        report.bytes_on_disk,
        held.first_seq,
        held.next_seq,
    ));
    for (from, to) in &held.missing {
        print::line(format_args!("       missing {from} to {to}"));
    }
}

fn show(state: &Path, sequence: u64) -> anyhow::Result<()> {
    let mut found = Vec::new();
    inspect(state, &mut |spool, frame| {
        if spool == Spool::P0 && frame.seq == sequence {
            found.push(frame);
        }
    })?;
    if found.is_empty() {
        bail!("frame {sequence} does not wait here; `maitred journal ls` lists what does");
    }
    // After a new stream was begun two may have the number.
    for frame in found {
        print::line(format_args!("stream {}", frame.stream));
        print::line(format_args!("id     {}", frame.id));
        print::line(String::from_utf8_lossy(&frame.body));
    }
    Ok(())
}

fn export(state: &Path) -> anyhow::Result<()> {
    let inventory = inspect(state, &mut |spool, frame| print_frame(Some(spool), &frame))?;
    let holes = |report: &&GenerationReport| !report.contents.missing.is_empty();
    let holed = inventory.generations.iter().filter(holes).count();
    if holed > 0 {
        bail!("frames are missing; `maitred journal ls` tells which");
    }
    Ok(())
}

fn check(state: &Path) -> anyhow::Result<()> {
    let faults = verify(state)?;
    if faults.is_empty() {
        print::line("every frame is there and readable");
        return Ok(());
    }
    bail!("the journal is damaged:\n{}", faults.join("\n"))
}

fn print_frame(spool: Option<Spool>, frame: &Frame) {
    let body = String::from_utf8_lossy(&frame.body);
    let spool = spool.map_or_else(String::new, |spool| {
        format!("\"spool\":\"{}\",", spool.name())
    });
    print::line(format_args!(
        "{{{spool}\"stream\":\"{}\",\"s\":{},\"id\":\"{}\",\"body\":{body}}}",
        frame.stream, frame.seq, frame.id,
    ));
}
