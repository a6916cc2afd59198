//! The real program as a child process, known by its `ready` line and ended by its pid.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use super::PATIENCE;

/// The program, ready to be given arguments.
#[expect(
    clippy::disallowed_methods,
    reason = "these tests start the real program"
)]
pub(crate) fn maitred(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
    command.args(arguments);
    command
}

/// Compiles a library in C that is put before a program.
#[expect(clippy::disallowed_methods, reason = "such a library is in C")]
pub(crate) fn compile(source: &str, library: &Path) {
    // Under another name first: a second test may load it at this moment.
    let own = library.with_extension(std::process::id().to_string());
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .args(["-pthread", "-o"])
        .arg(&own)
        .arg(source)
        .output()
        .expect("cc, which Rust itself links with");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{source}: {said}");
    fs_err::rename(own, library).unwrap();
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    maitred(arguments).output().unwrap()
}

/// Runs a command that must succeed; what it printed.
pub(crate) fn ask(arguments: &[&str]) -> String {
    answer(maitred(arguments))
}

/// The same for a command that has been prepared.
pub(crate) fn answer(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A server that runs.
pub(crate) struct Process {
    child: Child,
    ready: String,
    log: PathBuf,
}

/// A server that was started and has not said yet that it is ready.
pub(crate) struct Starting {
    child: Child,
    first_line: mpsc::Receiver<Option<std::io::Result<String>>>,
    log: PathBuf,
}

/// It ended before it was ready.
#[derive(Debug)]
pub(crate) struct NotReady {
    /// By a signal, and not by its own will.
    pub(crate) killed: bool,
    /// What it said instead, and its log.
    pub(crate) why: String,
}

impl Starting {
    /// Starts a server; its log goes to `log`.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Self {
        let errors = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(errors.into_parts().0))
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            sender.send(lines.next()).ok();
            // Reads on, so that the server never finds its stdout full.
            lines.for_each(drop);
        });
        Self {
            child,
            first_line,
            log: log.to_owned(),
        }
    }

    /// Waits for the `ready` line.
    pub(crate) fn ready(mut self) -> Result<Process, NotReady> {
        match self.first_line.recv_timeout(PATIENCE) {
            Ok(Some(Ok(ready))) if ready.starts_with("ready ") => Ok(Process {
                child: self.child,
                ready,
                log: self.log,
            }),
            other => {
                // Ended already, or it never will be ready.
                self.child.kill().ok();
                let ended = self.child.wait();
                let log = fs_err::read_to_string(&self.log).unwrap_or_default();
                let signal = ended.ok().and_then(|status| status.signal());
                Err(NotReady {
                    killed: matches!(other, Ok(None)) && signal.is_some(),
                    why: format!("{other:?}: {log}"),
                })
            }
        }
    }

    /// Pulls the plug: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Process {
    /// Starts a server and waits for its `ready` line; its log goes to `log`.
    pub(crate) fn of(command: Command, log: &Path) -> Self {
        Starting::spawn(command, log)
            .ready()
            .unwrap_or_else(|ended| panic!("{}: {}", log.display(), ended.why))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The address behind `name=` in the ready line.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        self.word(name).rsplit('/').next().unwrap().parse().unwrap()
    }

    /// The word behind `name=` in the ready line.
    pub(crate) fn word(&self, name: &str) -> &str {
        let prefix = format!("{name}=");
        let mut words = self.ready.split(' ');
        words.find_map(|word| word.strip_prefix(&prefix)).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(&self.log).unwrap()
    }

    /// Pulls the plug: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and sees that it ends well.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "ended with {status}: {}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, most often; a test that failed leaves nobody behind.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
