//! The recorder's other half: builds the library, puts it before a program, and reads what it wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::compile;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/powercut/recorder.c");
const HEADER_BYTES: usize = 24;

/// One recording: the changes below `root`, in `log`.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    library: PathBuf,
    root: PathBuf,
    log: PathBuf,
}

impl Recorder {
    /// Compiles the recorder in `scratch`, where its log will be, too.
    pub(crate) fn build(scratch: &Path, root: &Path) -> Self {
        let library = scratch.join("recorder.so");
        compile(SOURCE, &library);
        Self {
            library,
            root: fs_err::canonicalize(root).unwrap(),
            log: scratch.join("recording"),
        }
    }

    /// The same for another directory and another log.
    pub(crate) fn elsewhere(&self, root: &Path, log: PathBuf) -> Self {
        Self {
            library: self.library.clone(),
            root: fs_err::canonicalize(root).unwrap(),
            log,
        }
    }

    /// Has the program recorded; it dies right after `die_at` records, if that is given.
    pub(crate) fn watch(&self, command: &mut Command, die_at: Option<u64>) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("RECORDER_ROOT", &self.root)
            .env("RECORDER_LOG", &self.log);
        if let Some(records) = die_at {
            command.env("RECORDER_DIE_AT", records.to_string());
        }
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// How much has been recorded, in bytes: the time that a recording goes by.
    pub(crate) fn length(&self) -> u64 {
        fs_err::metadata(&self.log).map_or(0, |log| log.len())
    }
}

/// What happened, and where in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'l> {
    /// The log's length before it.
    pub(crate) at: u64,
    pub(crate) inode: u64,
    pub(crate) change: Change<'l>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'l> {
    /// A file was created.
    Create(&'l str),
    Write {
        offset: usize,
        data: &'l [u8],
    },
    Resize(usize),
    /// At least so large from now on.
    Extend(usize),
    /// With a file's size at that moment: `rustix` reserves room by a system call that libc does not see.
    Sync(usize),
    Rename {
        from: &'l str,
        to: &'l str,
    },
    Unlink(&'l str),
    MakeDir(&'l str),
    RemoveDir(&'l str),
    /// `sync_file_range`, which makes nothing durable.
    SyncRange,
    /// A process began.
    Start,
}

/// Reads a log; one with something in it that cannot be replayed is refused.
pub(crate) fn read(log: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let number = |offset: usize, bytes: usize| {
            let mut number = [0; 8];
            number[..bytes].copy_from_slice(&log[at + offset..][..bytes]);
            u64::from_ne_bytes(number)
        };
        let length = usize::try_from(number(0, 4)).unwrap();
        let argument = usize::try_from(number(16, 8)).unwrap();
        let payload = &log[at + HEADER_BYTES..at + length];
        records.push(Record {
            at: at as u64,
            inode: number(8, 8),
            change: change(number(4, 4), argument, payload),
        });
        at += length;
    }
    records
}

fn change(kind: u64, argument: usize, payload: &[u8]) -> Change<'_> {
    let text = || std::str::from_utf8(payload).unwrap();
    match kind {
        // Both at once cannot be: what was created had nothing to cut off.
        1 if argument == 1 => Change::Create(text()),
        1 => Change::Resize(0),
        2 => Change::Write {
            offset: argument,
            data: payload,
        },
        3 => Change::Resize(argument),
        4 => Change::Extend(argument),
        5 => Change::Sync(argument),
        6 => {
            let (from, to) = text().split_at(argument);
            Change::Rename { from, to }
        }
        7 => Change::Unlink(text()),
        8 => Change::MakeDir(text()),
        9 => Change::RemoveDir(text()),
        10 => Change::SyncRange,
        11 => Change::Start,
        _ => panic!("the recorder cannot replay: {}", text()),
    }
}
