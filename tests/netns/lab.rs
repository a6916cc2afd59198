//! The lab: one shop's network and the Internet behind it, in namespaces that end with the test.
//!
//! ```text
//!   phone1 ─┐                    ┌─ 10.77.0.1 fd77::1  br-guest
//!   phone2 ─┴──────── router ────┤
//!   phone3 ────────── maitred    ├─ 10.78.0.1 fd78::1  br-vip
//!                     dnsmasq    └─ wan0 203.0.113.2 ──── the Internet 203.0.113.1
//! ```
//!
//! A test starts itself once more inside namespaces of its own (network, mounts, processes; for anybody but
//! root also users), so it needs no privilege, changes nothing outside, and when it ends, however it ends,
//! the kernel ends every process in there and forgets the rest.

mod guest;
mod internet;
mod phone;
mod router;
mod space;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) use guest::Step;
pub(crate) use internet::{Internet, address_of, address6_of};
pub(crate) use phone::{NoAnswer, Phone};
pub(crate) use router::Router;
pub(crate) use space::Space;

/// Set where a test is inside. (Not `MAITRED_…`: the gateway would take it for a setting.)
const INSIDE: &str = "NETNS_LAB";

/// In the private `/run`: settings, logs, sockets, profiles.
const DIR: &str = "/run/lab";

/// Tells `story` in a lab of its own.
pub(crate) fn inside<S, F>(story: S)
where
    S: FnOnce(Lab) -> F,
    F: Future<Output = ()>,
{
    if std::env::var_os(INSIDE).is_none() {
        return again_inside(name_of::<S>());
    }
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { story(Lab::build()).await });
}

/// The test that a closure stands in: `join::a_phone…` of `netns::join::a_phone…::{{closure}}`.
fn name_of<S>() -> &'static str {
    let closure = std::any::type_name::<S>();
    let test = closure.strip_suffix("::{{closure}}").unwrap_or(closure);
    test.split_once("::").unwrap().1
}

/// Runs the test called `name` in namespaces of its own.
fn again_inside(name: &str) {
    let mut command = program("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
        // A shell is the first process, because somebody has to bury those whose parents have ended.
        .args(["--mount-proc", "sh", "-c", "\"$@\"; exit $?", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1");
    let output = output_of(&mut command);
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // A name that no test has would run nothing and be content.
    let has_run = said.contains("test result: ok. 1 passed");
    assert!(
        output.status.success() && has_run,
        "inside the lab:\n{said}\n{errors}"
    );
}

/// One of the shop's guest networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Guest,
    Vip,
}

impl Zone {
    pub(crate) const ALL: [Self; 2] = [Self::Guest, Self::Vip];

    pub(crate) const fn bridge(self) -> &'static str {
        match self {
            Self::Guest => "br-guest",
            Self::Vip => "br-vip",
        }
    }

    /// What stands in `10.x.0.0/24` and `fdx::/64`.
    const fn number(self) -> u8 {
        match self {
            Self::Guest => 77,
            Self::Vip => 78,
        }
    }

    /// The router's address in it.
    pub(crate) fn address(self) -> String {
        format!("10.{}.0.1", self.number())
    }

    pub(crate) fn address6(self) -> String {
        format!("fd{}::1", self.number())
    }
}

/// A shop's network that is up, with nobody in it.
pub(crate) struct Lab {
    pub(crate) router: Router,
    pub(crate) internet: Internet,
    phones: u8,
}

impl Lab {
    fn build() -> Self {
        // A name in the private folder is gone with the test, however it ends.
        run(program("mount").args(["-t", "tmpfs", "lab", "/run"]));
        fs_err::create_dir_all(DIR).unwrap();
        space::prepare_resolv_conf();
        let router = Space::new("router");
        let wan = Space::new("wan");
        router.ip("link add wan0 type veth peer name eth0 netns wan\n");
        let internet = Internet::open(wan);
        Self {
            router: Router::open(router),
            internet,
            phones: 0,
        }
    }

    /// A new phone in reach of a zone; it has joined nothing yet.
    pub(crate) fn phone(&mut self, zone: Zone) -> Phone {
        self.phones += 1;
        Phone::new(self.phones, zone, &self.router.space)
    }
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the lab is made of Linux's own tools"
)]
fn program(name: &str) -> Command {
    Command::new(name)
}

/// Runs a tool to its end.
pub(crate) fn output_of(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a tool that must succeed; what it printed.
fn run(command: &mut Command) -> String {
    let output = output_of(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
