//! A harness that finds nothing proves nothing: two known ways to lose captures must be found.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use maitred::domain::ids::FramePlace;
use maitred::journal::{Book, Change, Journal, Memory, Options, Profile, Rotation};
use maitred::ops::clock::SystemClock;

use super::disk::Disk;
use super::examine::Findings;
use super::recorder::Recorder;
use super::{Left, Tape};

/// A recording of the writer: at which length of the log each number was promised.
pub(crate) struct Numbers {
    pub(crate) tape: Tape,
    promised: Vec<(u64, u64)>,
}

/// Records the writer with this fault.
#[expect(
    clippy::disallowed_methods,
    reason = "the writer is a program of its own"
)]
pub(crate) fn record_numbers(fault: &str) -> Numbers {
    let scratch = tempfile::tempdir().unwrap();
    let state = scratch.path().join("state");
    fs_err::create_dir(&state).unwrap();
    let recorder = Recorder::build(scratch.path(), &state);
    let promises = scratch.path().join("promises");
    let begin = Disk::of(&state);
    let mut command = Command::new(env!("CARGO_BIN_EXE_powercut-writer"));
    command.arg(&state).arg(recorder.log()).arg(&promises);
    command.env("JOURNAL_FAULT", fault);
    recorder.watch(&mut command, None);
    assert!(command.status().unwrap().success());

    let promised = fs_err::read_to_string(promises).unwrap();
    let numbers = promised.lines().map(|line| {
        let (number, at) = line.split_once(' ').unwrap();
        (number.parse().unwrap(), at.parse().unwrap())
    });
    Numbers {
        tape: Tape {
            begin,
            log: fs_err::read(recorder.log()).unwrap(),
        },
        promised: numbers.collect(),
    }
}

/// The numbers that came back.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeSet<u64>>>);

impl Book for Heard {
    fn reset(&mut self) {
        self.0.lock().unwrap().clear();
    }

    fn restore(&mut self, _key: &[u8], _value: &[u8]) {}

    fn apply(&mut self, _: FramePlace, frame_body: &[u8]) {
        let number = std::str::from_utf8(frame_body).unwrap().parse().unwrap();
        self.0.lock().unwrap().insert(number);
    }

    fn take_changes(&mut self, _take: &mut dyn FnMut(Change)) {}
}

impl Numbers {
    /// Holds what was left against what was promised until then.
    pub(crate) fn examine(&self, left: &Left<'_>, dir: &Path) -> Findings {
        left.write(dir);
        let heard = Heard::default();
        let mut options = Options::for_profile(Profile::Small);
        options.rotation = Rotation::after(u64::MAX);
        options.checkpoint_frames = u64::MAX;
        options.memory = Memory::Allow;
        let open = || Journal::open(dir, options, Arc::new(SystemClock), heard.clone());
        let opened = std::panic::catch_unwind(AssertUnwindSafe(open));
        let mut findings = Findings::default();
        let heard = heard.0.lock().unwrap();
        let promised = self.promised.iter().filter(|(_, at)| *at <= left.at);
        let lost = promised.filter(|(number, _)| !heard.contains(number));
        findings.lost = lost.map(|(number, _)| number.to_string()).collect();
        match opened {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => findings.broken.push(format!("{error:?}")),
            Err(_) => findings.broken.push("it panicked".to_owned()),
        }
        findings
    }
}
