//! The line between the shop and headquarters, watched and held up at will.
//!
//! Every answer of headquarters waits here until its marks have been read and written down with the length
//! of the recorder's log. So whatever the gateway does because of an answer stands behind that place in the
//! log, and headquarters had what the mark says before it: a cut behind the place may find those frames let
//! go, a cut before it may not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use maitred::domain::ids::StreamId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ledger;

/// Up to where headquarters had taken each stream.
pub(crate) type Marks = BTreeMap<StreamId, u64>;

/// The marks, when the log was so long.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) at: u64,
    pub(crate) marks: Marks,
}

/// A line that is up or held.
pub(crate) struct Line {
    held: watch::Sender<bool>,
    notes: Arc<Mutex<Vec<Noted>>>,
    _carrying: JoinSet<()>,
}

/// What it takes to write down the marks.
#[derive(Clone)]
struct Watch {
    hq_dir: PathBuf,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    notes: Arc<Mutex<Vec<Noted>>>,
    held: watch::Receiver<bool>,
}

/// A line that nobody carries anything over yet: headquarters wants to know its port before it has one.
pub(crate) struct Laid(TcpListener);

impl Laid {
    pub(crate) async fn lay() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Carries what comes to the headquarters that listens at `hq` and keeps its ledger in `hq_dir`.
    pub(crate) fn carry(
        self,
        hq: SocketAddr,
        hq_dir: PathBuf,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Line {
        let held = watch::channel(false).0;
        let watch = Watch {
            hq_dir,
            clock: Arc::new(clock),
            notes: Arc::default(),
            held: held.subscribe(),
        };
        let notes = Arc::clone(&watch.notes);
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (gateway, _) = self.0.accept().await.unwrap();
                connections.spawn(connect(gateway, hq, watch.clone()));
            }
        });
        Line {
            held,
            notes,
            _carrying: carrying,
        }
    }
}

impl Line {
    /// From now on answers do not arrive.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }

    pub(crate) fn notes(&self) -> Vec<Noted> {
        self.notes.lock().unwrap().clone()
    }
}

async fn connect(gateway: TcpStream, hq: SocketAddr, watch: Watch) {
    let Ok(hq) = TcpStream::connect(hq).await else {
        return;
    };
    hq.set_nodelay(true).unwrap();
    gateway.set_nodelay(true).unwrap();
    let (from_gateway, to_gateway) = gateway.into_split();
    let (from_hq, to_hq) = hq.into_split();
    tokio::select! {
        () = carry_questions(from_gateway, to_hq) => {}
        () = carry_answers(from_hq, to_gateway, watch) => {}
    }
}

async fn carry_questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // An end or an error ends the connection, as it would without us.
    tokio::io::copy(&mut from, &mut to).await.ok();
}

async fn carry_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut watch: Watch) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if watch.held.wait_for(|held| !held).await.is_err() {
            return;
        }
        watch.note();
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

impl Watch {
    fn note(&self) {
        let marks = ledger::marks(&self.hq_dir);
        let mut notes = self.notes.lock().unwrap();
        if notes.last().is_none_or(|last| last.marks != marks) {
            // The marks were read first: they are not newer than this length.
            let at = (self.clock)();
            notes.push(Noted { at, marks });
        }
    }
}
