//! A PostgreSQL server of one's own in a directory: Debian's programs, a private socket, no network.
//!
//! Included by the ledger's tests, by the stories and by the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server by its directory.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) dir: PathBuf,
}

impl Server {
    /// The server in `dir`, whoever started it.
    pub(crate) fn at(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self { dir }
    }

    /// Starts it, with settings like `fsync=off`; the first time there is nothing, and it is made.
    pub(crate) fn start_with(&self, settings: &[&str]) {
        if !self.dir.join("data/PG_VERSION").exists() {
            self.make(settings);
        }
        assert!(
            self.control(&["start"]),
            "the log is {}/socket/log",
            self.dir.display()
        );
    }

    fn make(&self, settings: &[&str]) {
        for made in [self.dir.clone(), self.dir.join("socket")] {
            fs_err::create_dir_all(&made).unwrap();
            give_to_postgres(&made);
        }
        let data = self.dir.join("data");
        let how = [
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
        ];
        run(program("initdb").args(how).arg("--pgdata").arg(&data));
        let socket = self.dir.join("socket").display().to_string();
        let own = format!(
            "listen_addresses=''\nmax_connections=200\nunix_socket_directories='{socket}'\n"
        );
        let all = settings.iter().fold(own, |all, line| all + line + "\n");
        fs_err::write(data.join("postgresql.auto.conf"), all).unwrap();
    }

    /// The address of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.dir.join("socket").display().to_string();
        let socket = socket.replace('/', "%2F");
        format!("postgresql://postgres@{socket}/{database}")
    }

    /// `pg_ctl`, to its end; whether it did what it was told.
    pub(crate) fn control(&self, what: &[&str]) -> bool {
        let mut command = program("pg_ctl");
        command.args(what).arg("--wait");
        command.arg("--pgdata").arg(self.dir.join("data"));
        command.arg("--log").arg(self.dir.join("socket/log"));
        succeeds(&mut command)
    }
}

/// A server for one test alone, in a directory that goes with it. It is stopped without ceremony, whatever
/// becomes of the test.
#[derive(Debug)]
pub(crate) struct Private {
    pub(crate) server: Server,
    _dir: tempfile::TempDir,
}

impl Private {
    pub(crate) fn start(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // PostgreSQL's own user has to come in.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(dir.path(), open).unwrap();
        let server = Server::at(&dir.path().join("server"));
        server.start_with(settings);
        Self { server, _dir: dir }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // It may have been stopped by the test.
        self.server.control(&["stop", "--mode=immediate"]);
    }
}

/// One of PostgreSQL's programs. It refuses root, so root runs it as the user that Debian made for it.
fn program(name: &str) -> Command {
    let path = newest().join(name);
    if rustix::process::geteuid().is_root() {
        let mut command = command("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    } else {
        command(path.to_str().unwrap())
    }
}

/// Where the newest version is.
fn newest() -> PathBuf {
    let versions = fs_err::read_dir("/usr/lib/postgresql");
    let found = versions.ok().and_then(|versions| {
        versions
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .filter(|bin| bin.join("initdb").exists())
            .max()
    });
    found.expect("PostgreSQL is not here; install it: apt-get install postgresql")
}

fn give_to_postgres(dir: &Path) {
    if rustix::process::geteuid().is_root() {
        run(command("chown").arg("postgres:").arg(dir));
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own server")]
fn command(name: &str) -> Command {
    Command::new(name)
}

fn run(command: &mut Command) {
    assert!(succeeds(command), "{command:?} failed");
}

fn succeeds(command: &mut Command) -> bool {
    // A server that is started must not keep the test's own output open.
    let quiet = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().unwrap().success()
}
