//! The sender against a scripted headquarters, over a real journal.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::link::Lane;
use super::*;
use crate::journal::{Book, Change, Journal, Options, Verdict};
use crate::ops::clock::SystemClock;
use crate::ops::tasks::BoxFuture;
use crate::wire::batch::{Expected, What};
use crate::wire::encoding::gunzip;
use crate::wire::link::{LinkState, StreamMark};

/// A book that keeps nothing.
struct NoBook;

impl Book for NoBook {
    fn reset(&mut self) {}
    fn restore(&mut self, _key: &[u8], _value: &[u8]) {}
    fn apply(&mut self, _frame_body: &[u8]) {}
    fn take_changes(&mut self) -> Vec<Change> {
        Vec::new()
    }
}

/// What the scripted headquarters does with the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Commits,
    /// Commits, but the answer is lost.
    CommitsAndHangsUp,
    Fails,
    AnswersGarbage,
}

/// Headquarters in memory: commits each frame after the last, and remembers the bodies.
#[derive(Default)]
struct ScriptedHq {
    moods: VecDeque<Mood>,
    committed: Vec<Vec<u8>>,
    requests: usize,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<ScriptedHq>>);

impl Scripted {
    fn with(moods: &[Mood]) -> Self {
        let scripted = Self::default();
        scripted.0.lock().unwrap().moods = moods.iter().copied().collect();
        scripted
    }

    fn committed(&self) -> usize {
        self.0.lock().unwrap().committed.len()
    }
}

fn respond(status: StatusCode, body: &impl serde::Serialize) -> Response {
    Response {
        status,
        retry_after: None,
        body: serde_json::to_vec(body).unwrap().into(),
    }
}

/// Whether an answer gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Holds,
    Breaks,
}

impl ScriptedHq {
    fn answer(&mut self, request: &Request) -> (Response, Line) {
        self.requests += 1;
        let is_hello = request.path == "/v1/hello";
        let mood = if is_hello {
            Mood::Commits
        } else {
            self.moods.pop_front().unwrap_or(Mood::Commits)
        };
        let line = if mood == Mood::CommitsAndHangsUp {
            Line::Breaks
        } else {
            Line::Holds
        };
        (self.respond(request, mood), line)
    }

    fn respond(&mut self, request: &Request, mood: Mood) -> Response {
        if request.path == "/v1/hello" {
            let hello: Hello = serde_json::from_slice(&request.body).unwrap();
            let mark = |stream: &StreamOffer| StreamMark {
                id: stream.id,
                acked: if stream.cls == 0 {
                    self.committed.len() as u64
                } else {
                    0
                },
                closed: false,
            };
            let reply = HelloReply {
                now: 0,
                streams: hello.streams.iter().map(mark).collect(),
                desired: None,
            };
            return respond(StatusCode::OK, &reply);
        }
        if mood == Mood::Fails {
            return respond(StatusCode::INTERNAL_SERVER_ERROR, &());
        }
        if mood == Mood::AnswersGarbage {
            return respond(StatusCode::OK, &"<html>");
        }
        let batch: Batch = batch::decode(&gunzip(&request.body, 1 << 20).unwrap()).unwrap();
        let acked = self.committed.len() as u64;
        if batch.header.first > acked + 1 {
            return respond(StatusCode::CONFLICT, &Expected { acked });
        }
        let fresh = batch.lines.into_iter().filter(|line| line.seq > acked);
        self.committed.extend(fresh.map(|line| match line.what {
            What::Frame { body, .. } => body,
            What::Gap(gap) => panic!("{gap:?}"),
        }));
        let receipt = Receipt {
            acked: self.committed.len() as u64,
            now: 0,
            desired_v: 0,
            wait_ms: 0,
            refused: Vec::new(),
        };
        respond(StatusCode::OK, &receipt)
    }
}

impl Transport for Scripted {
    fn ask(&self, request: Request) -> BoxFuture<'_, Result<Response, NoAnswer>> {
        let (response, line) = self.0.lock().unwrap().answer(&request);
        Box::pin(async move {
            match line {
                Line::Holds => Ok(response),
                Line::Breaks => Err(NoAnswer::Broken("hung up".to_owned())),
            }
        })
    }
}

fn journal(dir: &Path) -> Journal<NoBook> {
    Journal::open(dir, Options::default(), Arc::new(SystemClock), NoBook).unwrap()
}

async fn append(journal: &Journal<NoBook>, n: usize) {
    for number in 0..n {
        let body = format!("{{\"st\":\"SZ01\",\"n\":{number}}}").into_bytes();
        let verdict = move |_: &mut NoBook| Verdict {
            body: Some(body),
            answer: (),
        };
        journal.commit(verdict).await.unwrap();
    }
}

fn up(journal: &Journal<NoBook>, hq: &Scripted, link: Link) -> Up {
    Up {
        transport: Box::new(hq.clone()),
        outbox: journal.outbox(),
        clock: None,
        probe: None,
        settings: UplinkSettings {
            batch_delay: Duration::ZERO,
            views_delay: Duration::ZERO,
            long_poll: Duration::from_secs(10),
            probe_url: String::new(),
        },
        link,
        boot: 1,
    }
}

/// Runs the sender until the journal is empty; every state that the link was in on the way.
async fn drain(journal: &Journal<NoBook>, hq: &Scripted) -> Vec<LinkState> {
    let (link, mut state) = Link::new(None);
    let mut states = Vec::new();
    let up = up(journal, hq, link.on(Lane::Up));
    let mut depths = journal.outbox().depths();
    let watch = async {
        while state.changed().await.is_ok() {
            states.push(*state.borrow_and_update());
        }
    };
    tokio::select! {
        () = up.work() => panic!("the sender ended by itself"),
        () = watch => panic!("the link was dropped"),
        empty = depths.wait_for(|depths| depths.p0.frames == 0) => { empty.unwrap(); }
    }
    states
}

#[tokio::test]
async fn every_frame_arrives_once_whatever_headquarters_mood() {
    for mood in [
        Mood::Commits,
        Mood::CommitsAndHangsUp,
        Mood::Fails,
        Mood::AnswersGarbage,
    ] {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path());
        append(&journal, 20).await;
        // The clock stands still for the journal's thread and jumps for the back-off.
        tokio::time::pause();
        let hq = Scripted::with(&[mood]);
        let states = drain(&journal, &hq).await;
        tokio::time::resume();
        assert_eq!(hq.committed(), 20, "after {mood:?}");
        let was_down = states.contains(&LinkState::HqDown);
        assert_eq!(was_down, mood != Mood::Commits, "said so: {states:?}");
        journal.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_box_restored_from_an_older_copy_keeps_its_new_frames() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, 3).await;
    let hq = Scripted::default();
    hq.0.lock().unwrap().committed = vec![b"{}".to_vec(); 100];
    let (link, mut state) = Link::new(None);
    let up = up(&journal, &hq, link.on(Lane::Up));
    tokio::select! {
        () = up.work() => panic!("the sender ended by itself"),
        down = state.wait_for(|state| *state == LinkState::HqDown) => { down.unwrap(); }
    }
    let depths = journal.outbox().depths().borrow().clone();
    assert_eq!(depths.p0.frames, 3, "nothing was let go");
    assert_eq!(hq.committed(), 100, "nothing was sent to be taken for old");
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_receipt_lost_before_a_restart_is_made_up_for_by_hello() {
    let dir = tempfile::tempdir().unwrap();
    let hq = Scripted::default();
    let first = journal(dir.path());
    append(&first, 5).await;
    let frames = first.outbox().peek(Spool::P0, 10, 10_000).await.unwrap();
    let bodies = frames.frames.into_iter().map(|frame| frame.body);
    hq.0.lock().unwrap().committed.extend(bodies);
    first.close().await.unwrap();

    let again = journal(dir.path());
    drain(&again, &hq).await;
    assert_eq!(hq.committed(), 5);
    assert_eq!(hq.0.lock().unwrap().requests, 1, "hello was enough");
    again.close().await.unwrap();
}
