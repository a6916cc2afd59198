//! Writes dnsmasq's files and tells it: a SIGHUP for what it reads again, a restart for what it does not.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::render::{CONF, HOSTS, OPTIONS, Rendered};
use crate::admission::command::{CommandError, run};
use crate::ops::files::{Readers, replace};

/// A restart that takes longer hangs.
const WITHIN: Duration = Duration::from_secs(60);

/// Why dnsmasq does not know what it should.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("its files cannot be written: {0}")]
    Files(#[source] io::Error),
    #[error("it is not running, or admission.dnsmasq.pid_file is not its own: {0}")]
    NotRunning(String),
    #[error("it cannot be signalled: {0}")]
    NoSignal(#[source] io::Error),
    #[error("admission.dnsmasq.restart {0}")]
    Restart(#[source] CommandError),
}

/// Which files were not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Changed {
    /// dnsmasq reads it at its start only.
    pub(super) conf: bool,
    pub(super) reread: bool,
}

/// Writes what differs from what is there.
pub(super) fn write(dir: &Path, rendered: &Rendered) -> Result<Changed, Trouble> {
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        let is_the_same = fs_err::read(&path).is_ok_and(|there| there == text.as_bytes());
        if !is_the_same {
            // dnsmasq has given up root by the time it reads them again.
            replace(&path, text.as_bytes(), Readers::Everyone).map_err(Trouble::Files)?;
        }
        Ok(!is_the_same)
    };
    fs_err::create_dir_all(dir).map_err(Trouble::Files)?;
    // The last names the others: a dnsmasq that is started in between finds them.
    let options = write(OPTIONS, &rendered.options)?;
    let hosts = write(HOSTS, &rendered.hosts)?;
    let conf = write(CONF, &rendered.conf)?;
    Ok(Changed {
        conf,
        reread: options || hosts,
    })
}

/// Whether the dnsmasq that runs was started before its `maitred.conf` was written. (It writes its pid file at
/// its start.)
pub fn has_not_read(dir: &Path, pid_file: &Path) -> bool {
    let written = |path: &Path| fs_err::metadata(path).and_then(|file| file.modified());
    match (written(&dir.join(CONF)), written(pid_file)) {
        (Ok(conf), Ok(started)) => conf > started,
        // Nothing was written, or nobody runs who could read it.
        _ => false,
    }
}

/// Makes dnsmasq forget what it remembers and read `options` and `hosts` again.
pub(super) fn reread(pid_file: &Path) -> Result<(), Trouble> {
    let not_running = |error: io::Error| Trouble::NotRunning(error.to_string());
    let pid = fs_err::read_to_string(pid_file).map_err(not_running)?;
    let number = pid.trim();
    let comm = PathBuf::from(format!("/proc/{number}/comm"));
    // The pid file outlives a dnsmasq that was killed, and its number may be somebody else's by now.
    if fs_err::read_to_string(&comm).map_err(not_running)?.trim() != "dnsmasq" {
        return Err(Trouble::NotRunning(format!("{number} is another program")));
    }
    let pid = number.parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Trouble::NotRunning(format!("{number} is no pid")))?;
    kill_process(pid, Signal::HUP).map_err(|error| Trouble::NoSignal(error.into()))
}

/// Runs the command that restarts dnsmasq.
pub(super) async fn restart(command: &[String]) -> Result<(), Trouble> {
    run(command, &[], WITHIN).await.map_err(Trouble::Restart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(conf: &str, hosts: &str) -> Rendered {
        Rendered {
            conf: conf.to_owned(),
            options: String::new(),
            hosts: hosts.to_owned(),
        }
    }

    #[test]
    fn a_file_is_written_only_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let changed = |conf, hosts| write(dir.path(), &rendered(conf, hosts)).unwrap();
        let (conf, reread) = (true, true);
        assert_eq!(changed("a", "b"), Changed { conf, reread });
        assert_eq!(changed("a", "b"), Changed::default());
        assert_eq!(
            changed("a", "c"),
            Changed {
                conf: false,
                reread
            }
        );
        assert_eq!(
            changed("d", "c"),
            Changed {
                conf,
                reread: false
            }
        );
    }

    #[test]
    fn a_pid_that_is_somebody_elses_by_now_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("dnsmasq.pid");
        assert!(matches!(reread(&pid_file), Err(Trouble::NotRunning(_))));
        fs_err::write(&pid_file, std::process::id().to_string()).unwrap();
        let error = reread(&pid_file).unwrap_err().to_string();
        assert!(error.contains("is another program"), "{error}");
    }
}
