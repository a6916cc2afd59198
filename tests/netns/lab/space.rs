//! One machine of the lab: a network namespace with a name, programs run in it, and sockets made in it.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{path, program, run};

/// A namespace, by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    pub(super) name: &'static str,
}

impl Space {
    pub(super) fn new(name: &'static str) -> Self {
        run(program("ip").args(["netns", "add", name]));
        let space = Self { name };
        fs_err::write(space.resolv_conf(), "").unwrap();
        // Otherwise an address of version 6 can be used only after a second of waiting for its double.
        space.set("net/ipv6/conf/default/accept_dad", "0");
        space.set("net/ipv6/conf/default/router_solicitation_delay", "0");
        space.ip("link set lo up\n");
        space
    }

    /// Runs lines of `ip` in here.
    pub(crate) fn ip(self, lines: &str) {
        let mut child = program("ip")
            .args(["-n", self.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "in {self:?}: {lines}{errors}");
    }

    /// Sets a value below `/proc/sys`.
    pub(super) fn set(self, key: &str, value: &str) {
        self.within(|| fs_err::write(format!("/proc/sys/{key}"), value).unwrap());
    }

    /// A program that will run in here, as root, with this machine's own `resolv.conf` and `/sys`.
    pub(crate) fn command(self, name: &str) -> Command {
        let mut command = program("nsenter");
        // Not `ip netns exec`: that wants a folder in /etc, which is not ours to change.
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .args(["unshare", "--mount", "sh", "-c"])
            .arg("mount -t sysfs sysfs /sys && mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"")
            .arg("sh")
            .arg(self.resolv_conf())
            .arg(name);
        command
    }

    /// Runs a program in here that must succeed; what it printed.
    pub(crate) fn run(self, name: &str, arguments: &[&str]) -> String {
        run(self.command(name).args(arguments))
    }

    /// Does something on a thread in here. A socket belongs for good to where it was made.
    pub(crate) fn within<T: Send>(self, make: impl FnOnce() -> T + Send) -> T {
        let enter = move || {
            let space = fs_err::File::open(format!("/run/netns/{}", self.name)).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(space.file().as_fd(), kind).unwrap();
            make()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }

    pub(super) fn resolv_conf(self) -> PathBuf {
        path(&format!("{}.resolv.conf", self.name))
    }
}

/// Where `/etc/resolv.conf` leads into `/run`, which is private and empty by now, there has to be a file
/// for the machines to put theirs over.
pub(super) fn prepare_resolv_conf() {
    let Ok(leads_to) = fs_err::read_link("/etc/resolv.conf") else {
        return;
    };
    let file = std::path::Path::new("/etc").join(leads_to);
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(file, "").unwrap();
}
