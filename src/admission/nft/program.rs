//! Starts `nft`: at the start, when the table was lost, and for `doctor`; never for a phone.
//!
//! It promises an answer within [`WITHIN`], whatever `nft` does. What `nft` reads and what it says stand in
//! memory and not in pipes, so that nothing but its end has to be waited for: neither a script that it does
//! not read nor a child of its own that keeps a pipe open can hold us.

use std::ffi::OsStr;
use std::io::{self, Read, Seek, Write};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use fs_err::File;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::super::firewall::FirewallError;
use super::table::TABLE;

/// A table for two thousand devices takes a slow router one second.
const WITHIN: Duration = Duration::from_secs(10);

/// More of what `nft` complains about would not help anybody.
const MOST_SAID: usize = 400;

/// What `nft` says when its buffer cannot take the script.
pub(super) const TOO_LONG: &str = "Message too long";

/// `nft`, or where to find it.
#[derive(Debug, Clone)]
pub struct Program {
    path: String,
    within: Duration,
}

impl Program {
    pub fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            within: WITHIN,
        }
    }

    /// Has `nft` carry out `script`, all of it or nothing.
    pub(super) fn carry_out(&self, script: &str) -> Result<(), FirewallError> {
        self.run(["-j", "-f", "-"], script).map(drop)
    }

    /// What there is of some kind (`tables`, `flowtables`) in the whole kernel, as JSON.
    pub fn list(&self, kind: &str) -> Result<Vec<u8>, FirewallError> {
        self.run(["-j", "list", kind], "")
    }

    /// Whether a set of the wall's table holds an address.
    pub fn holds(&self, set: &str, address: IpAddr) -> Result<bool, FirewallError> {
        let element = format!("{{ {address} }}");
        match self.run(["get", "element", "inet", TABLE, set, &element], "") {
            Ok(_) => Ok(true),
            Err(FirewallError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs `nft` with these words and this input; what it printed.
    fn run<const N: usize>(&self, words: [&str; N], input: &str) -> Result<Vec<u8>, FirewallError> {
        let (mut stdin, mut stdout, mut stderr) = (memory()?, memory()?, memory()?);
        stdin.write_all(input.as_bytes())?;
        stdin.rewind()?;
        let mut child = self
            .command(words.map(OsStr::new))
            .stdin(shared(&stdin)?)
            .stdout(shared(&stdout)?)
            .stderr(shared(&stderr)?)
            .spawn()
            .map_err(|source| FirewallError::NoProgram {
                program: self.path.clone(),
                source,
            })?;
        let Some(status) = end_of(&mut child, self.within)? else {
            return Err(FirewallError::Late {
                program: self.path.clone(),
            });
        };
        if status.success() {
            return Ok(everything(&mut stdout)?);
        }
        Err(FirewallError::Refused {
            said: complaint(&everything(&mut stderr)?),
        })
    }

    fn command<const N: usize>(&self, words: [&OsStr; N]) -> Command {
        #[expect(
            clippy::disallowed_methods,
            reason = "at the start and on restoration only, not on a request's path"
        )]
        let mut command = Command::new(&self.path);
        // A group of its own: what it may have started itself is ended with it.
        command.args(words).env("LC_ALL", "C").process_group(0);
        command
    }
}

/// Waits for the end of `child`; none if it came too late and was ended.
fn end_of(child: &mut Child, within: Duration) -> io::Result<Option<ExitStatus>> {
    let pid = Pid::from_child(child);
    let (ended, end) = sync_channel(1);
    let waiting = std::thread::Builder::new().name("nft".to_owned());
    let waiting = waiting.spawn(move || {
        // Without reaping it: until we do, its number is nobody else's, and it can be killed by it.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        retry_on_intr(|| waitid(WaitId::Pid(pid), options)).ok();
        ended.send(()).ok();
    });
    // Where there is no thread to wait with, it has no time.
    let is_late = waiting.is_err() || end.recv_timeout(within) == Err(RecvTimeoutError::Timeout);
    if is_late {
        kill_process_group(pid, Signal::KILL)?;
    }
    // It is over, or about to be: one that the kernel itself holds would hold our netlink messages as well.
    let status = child.wait()?;
    Ok((!is_late).then_some(status))
}

/// A file that is nowhere but in memory.
fn memory() -> io::Result<File> {
    const NAME: &str = "nft";
    let file = memfd_create(NAME, MemfdFlags::CLOEXEC)?;
    Ok(File::from_parts(file.into(), NAME))
}

/// The same file, for the program.
fn shared(file: &File) -> io::Result<Stdio> {
    Ok(file.file().try_clone()?.into())
}

fn everything(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What `nft` has said, on one line, and what can be done where it is known.
fn complaint(stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    let mut line: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(MOST_SAID) {
        line.truncate(cut);
    }
    if line.contains("JSON support not compiled-in") {
        line.push_str("; OpenWrt's package nftables-json has an nft that reads JSON");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A program that does what `script` says, and may take half a second.
    fn nft(dir: &tempfile::TempDir, script: &str) -> Program {
        let path = dir.path().join("nft");
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Program {
            path: path.display().to_string(),
            within: Duration::from_millis(500),
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Program::at("/nonexistent/nft").carry_out("{}").unwrap_err();
        assert!(matches!(error, FirewallError::NoProgram { .. }), "{error}");
        assert!(error.to_string().contains("/nonexistent/nft"), "{error}");
    }

    #[test]
    fn an_nft_without_json_is_told_from_one_that_is_missing() {
        let said = complaint(b"Error: JSON support not compiled-in\n\n");
        assert!(said.starts_with("Error: JSON"), "{said}");
        assert!(said.contains("nftables-json"), "{said}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let held = dir.path().join("nft.held");
        mknodat(CWD, &held, FileType::Fifo, Mode::RWXU, 0).unwrap();
        // What is held open is read to its end when the last of them is gone.
        let all_gone = std::thread::spawn(move || fs_err::read(held).unwrap());
        // It reads nothing of a script that no pipe could hold, and has a child that outlives it.
        let hangs = nft(
            &dir,
            "exec 3>\"$0.held\"\necho begun >&3\nsleep 1000 &\nwait",
        );
        let script = " ".repeat(1_000_000);
        let error = hangs.carry_out(&script).unwrap_err();
        assert!(matches!(error, FirewallError::Late { .. }), "{error}");
        assert!(error.to_string().contains("by hand"), "{error}");
        assert_eq!(all_gone.join().unwrap(), b"begun\n");
    }

    #[test]
    fn a_program_reads_its_script_and_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let echo = nft(&dir, "cat; cat - >&2 </dev/null");
        let script = "x".repeat(200_000);
        assert_eq!(echo.run(["-f", "-"], &script).unwrap(), script.as_bytes());
        let refuses = nft(&dir, "echo 'Error: no' >&2\nexit 1");
        let error = refuses.carry_out("{}").unwrap_err().to_string();
        assert!(error.ends_with("Error: no"), "{error}");
    }
}
