//! Empty ledgers for tests, of either kind.
//!
//! All tests share one PostgreSQL server, although each is a process of its own: the first that needs it
//! starts it, and a watcher stops it some seconds after the last has ended. Each ledger has a schema to
//! itself.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::{Ledger, Place, create, open};
use crate::config::settings::Database;
use crate::ops::files::random;
use crate::ops::tasks::Tasks;
use crate::wire::encoding::hex;

#[path = "../../../tests/support/postgres.rs"]
pub(crate) mod postgres;

/// Which ledger a test is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Postgres,
}

/// A ledger that lasts as long as the test.
pub(crate) struct Scratch {
    pub(crate) dir: TempDir,
    pub(crate) place: Place,
    pub(crate) ledger: Arc<dyn Ledger>,
}

impl Scratch {
    pub(crate) async fn new(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = match kind {
            Kind::Embedded => Place::Folder(dir.path().to_owned()),
            Kind::Postgres => Place::Database(schema().await),
        };
        let ledger = create(&place).await.unwrap();
        Self { dir, place, ledger }
    }

    /// The same ledger as another process sees it.
    pub(crate) async fn open_again(&self) -> Arc<dyn Ledger> {
        open(&self.place).await.unwrap()
    }
}

/// Runs SQL past the ledger, as an accident would.
pub(crate) async fn meddle(place: &Place, sql: &str) {
    match place {
        Place::Folder(dir) => {
            let file = rusqlite::Connection::open(super::file(dir)).unwrap();
            file.execute_batch(sql).unwrap();
        }
        Place::Database(database) => execute(&database.url, sql).await,
    }
}

/// An empty schema of the shared server.
async fn schema() -> Database {
    let server = tokio::task::spawn_blocking(shared_server).await.unwrap();
    let name = format!("test_{}", hex(&random::<8>()));
    execute(&server.url("postgres"), &format!("create schema {name}")).await;
    Database {
        url: format!("{}?options=-csearch_path%3D{name}", server.url("postgres")),
        ca: None,
    }
}

async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let tasks = Tasks::new();
    tasks.spawn("a test's connection", async {
        connection.await.unwrap();
    });
    client.batch_execute(sql).await.unwrap();
}

/// The server of all tests of this checkout.
fn shared_server() -> &'static postgres::Server {
    static SERVER: OnceLock<(postgres::Server, fs_err::File)> = OnceLock::new();
    let (server, _) = SERVER.get_or_init(|| {
        let dir = shared_dir();
        fs_err::create_dir_all(&dir).unwrap();
        // Held until this process ends, however it does.
        let users = locked(&dir.join("users"), FlockOperation::LockShared);
        let starting = locked(&dir.join("starting"), FlockOperation::LockExclusive);
        let is_new = !dir.join("server/data/postmaster.pid").exists();
        let server = postgres::Server::at(&dir.join("server"));
        if is_new {
            // Nothing here outlives a crash of the machine.
            server.start_with(&["fsync=off", "full_page_writes=off"]);
            watch(&dir);
        }
        drop(starting);
        (server, users)
    });
    server
}

fn shared_dir() -> PathBuf {
    let checkout = crate::hq::sha256(env!("CARGO_MANIFEST_DIR").as_bytes());
    std::env::temp_dir().join(format!("maitred-tests-{}", hex(&checkout[..4])))
}

fn locked(path: &Path, how: FlockOperation) -> fs_err::File {
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap();
    flock(file.as_fd(), how).unwrap();
    file
}

/// Starts what ends the server: it tries every few seconds whether anybody still uses it.
#[expect(clippy::disallowed_methods, reason = "it must outlive the test")]
fn watch(dir: &Path) {
    let script = r#"cd "$1" || exit
        while sleep 3; do
            exec 9>starting && flock 9
            if flock --nonblock --exclusive users true; then
                kill -QUIT "$(head -n 1 server/data/postmaster.pid)"
                while [ -e server/data/postmaster.pid ]; do sleep 0.1; done
                cd / && exec rm -rf "$1"
            fi
            exec 9>&-
        done"#;
    let forked = std::process::Command::new("setsid")
        .args(["--fork", "sh", "-c", script, "watch"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(forked.unwrap().success());
}
