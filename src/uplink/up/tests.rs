//! The sender against a scripted headquarters, over a real journal.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::captive::Probe;
use super::super::link::{Lane, Link};
use super::super::transport::Transport;
use super::*;
use crate::domain::ids::{FrameId, FramePlace};
use crate::journal::{Book, Change, Journal, Options, Verdict};
use crate::ops::clock::SystemClock;
use crate::ops::tasks::BoxFuture;
use crate::wire::batch::{Batch, Expected, What};
use crate::wire::encoding::gunzip;
use crate::wire::link::{LinkState, StreamMark};

/// A book that keeps nothing.
struct NoBook;

impl Book for NoBook {
    fn reset(&mut self) {}
    fn restore(&mut self, _key: &[u8], _value: &[u8]) {}
    fn apply(&mut self, _: FramePlace, _frame_body: &[u8]) {}
    fn take_changes(&mut self, _take: &mut dyn FnMut(Change)) {}
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

/// Headquarters in memory: commits each frame after the last, and remembers them.
#[derive(Default)]
struct ScriptedHq {
    moods: VecDeque<Mood>,
    streams: BTreeMap<StreamId, Stream>,
    requests: usize,
    /// What hellos asked to have certified.
    asked: watch::Sender<Vec<String>>,
}

#[derive(Default, Clone)]
struct Stream {
    committed: Vec<(FrameId, Vec<u8>)>,
    acked: u64,
    closed: bool,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<ScriptedHq>>);

impl Scripted {
    fn with(moods: &[Mood]) -> Self {
        let scripted = Self::default();
        scripted.0.lock().unwrap().moods = moods.iter().copied().collect();
        scripted
    }

    /// The bodies of all frames, in the order of their streams.
    fn bodies(&self) -> Vec<Vec<u8>> {
        let hq = self.0.lock().unwrap();
        let frames = hq.streams.values().flat_map(|stream| &stream.committed);
        frames.map(|(_, body)| body.clone()).collect()
    }

    fn change(&self, stream: StreamId, change: impl FnOnce(&mut Stream)) {
        change(self.0.lock().unwrap().streams.entry(stream).or_default());
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
            self.asked.send_modify(|asked| asked.extend(hello.host_csr));
            let mark = |stream: &StreamOffer| {
                let known = self.streams.get(&stream.id).cloned().unwrap_or_default();
                StreamMark {
                    id: stream.id,
                    acked: known.acked,
                    closed: known.closed,
                }
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
        let stream = request.path.strip_prefix("/v1/up/").unwrap();
        let stream = StreamId(uuid::Uuid::parse_str(stream).unwrap());
        let stream = self.streams.entry(stream).or_default();
        let batch: Batch = batch::decode(&gunzip(&request.body, 1 << 20).unwrap()).unwrap();
        if stream.closed {
            let known = batch.lines.iter().filter(|line| match &line.what {
                What::Frame { id, .. } => stream.committed.iter().any(|(known, _)| known == id),
                What::Gap(_) => false,
            });
            let known = known.map(|line| line.seq).collect();
            return respond(StatusCode::GONE, &Closed { known });
        }
        let acked = stream.acked;
        if batch.header.first > acked + 1 {
            return respond(StatusCode::CONFLICT, &Expected { acked });
        }
        for line in batch.lines.into_iter().filter(|line| line.end() > acked) {
            stream.acked = line.end();
            if let What::Frame { id, body, .. } = line.what {
                stream.committed.push((id, body));
            }
        }
        let receipt = Receipt {
            acked: stream.acked,
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

fn body(number: usize) -> Vec<u8> {
    format!("{{\"st\":\"SZ01\",\"n\":{number}}}").into_bytes()
}

/// Appends the bodies of these numbers.
async fn append(journal: &Journal<NoBook>, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let body = body(number);
        let verdict = move |_: &mut NoBook| Verdict {
            body: Some(body),
            answer: (),
        };
        journal.commit(verdict).await.unwrap();
    }
}

fn up(journal: &Journal<NoBook>, hq: &Scripted, link: Link) -> Up {
    Up {
        way: Way {
            transport: Box::new(hq.clone()),
            link,
            probe: None,
        },
        outbox: journal.outbox(),
        clock: None,
        settings: UplinkSettings {
            batch_delay: Duration::ZERO,
            views_delay: Duration::ZERO,
            long_poll: Duration::from_secs(10),
            probe_url: String::new(),
        },
        boot: 1,
        asked_for_hello: watch::channel(0).1,
        host_request: watch::channel(None).1,
        asked_with: None,
        marks: BTreeMap::new(),
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
        append(&journal, 0..20).await;
        // The clock stands still for the journal's thread and jumps for the back-off.
        tokio::time::pause();
        let hq = Scripted::with(&[mood]);
        let states = drain(&journal, &hq).await;
        tokio::time::resume();
        assert_eq!(hq.bodies().len(), 20, "after {mood:?}");
        let was_down = states.contains(&LinkState::HqDown);
        assert_eq!(was_down, mood != Mood::Commits, "said so: {states:?}");
        journal.close().await.unwrap();
    }
}

/// The stream of P0 that is written.
fn written(journal: &Journal<NoBook>) -> StreamDepth {
    *journal.outbox().depths().borrow().p0.written()
}

#[tokio::test]
async fn a_headquarters_that_makes_no_sense_gets_nothing_and_nothing_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, 0..3).await;
    let hq = Scripted::default();
    hq.change(written(&journal).stream, |stream| stream.acked = 100);
    let (link, mut state) = Link::new(None);
    let up = up(&journal, &hq, link.on(Lane::Up));
    tokio::select! {
        () = up.work() => panic!("the sender ended by itself"),
        down = state.wait_for(|state| *state == LinkState::HqDown) => { down.unwrap(); }
    }
    let held = journal.outbox().depths().borrow().p0.frames;
    assert_eq!(held, 3, "nothing was let go");
    assert!(
        hq.bodies().is_empty(),
        "nothing was sent to be taken for old"
    );
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_request_for_a_certificate_is_told_at_once_and_again_when_headquarters_asks() {
    let dir = tempfile::tempdir().unwrap();
    let (hq, journal) = (Scripted::with(&[Mood::Fails]), journal(dir.path()));
    append(&journal, 0..1).await;
    tokio::time::pause();
    let mut asked = hq.0.lock().unwrap().asked.subscribe();
    let (request, host_request) = watch::channel(Some("first".to_owned()));
    let (again, asked_for_hello) = watch::channel(0);
    let mut depths = journal.outbox().depths();
    let (link, _state) = Link::new(None);
    let up = Up {
        host_request,
        asked_for_hello,
        ..up(&journal, &hq, link)
    };
    let story = async {
        let mut heard = async |expected: &[&str]| {
            let heard = asked.wait_for(|asked| asked.len() >= expected.len());
            assert_eq!(*heard.await.unwrap(), expected);
        };
        heard(&["first"]).await;
        // The batch fails, and the hello after that need not tell.
        let sent = depths.wait_for(|depths| depths.p0.frames == 0);
        sent.await.unwrap();
        assert!(hq.0.lock().unwrap().moods.is_empty());
        heard(&["first"]).await;
        request.send_replace(Some("second".to_owned()));
        heard(&["first", "second"]).await;
        again.send_replace(1);
        heard(&["first", "second", "second"]).await;
    };
    tokio::select! {
        () = up.work() => panic!("the sender ended by itself"),
        () = story => {}
    }
    tokio::time::resume();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_receipt_lost_before_a_restart_is_made_up_for_by_hello() {
    let dir = tempfile::tempdir().unwrap();
    let hq = Scripted::default();
    let first = journal(dir.path());
    append(&first, 0..5).await;
    let peeked = first.outbox().peek(Spool::P0, 10, 10_000).await.unwrap();
    hq.change(peeked.stream, |stream| {
        stream.acked = 5;
        let frames = peeked
            .frames
            .into_iter()
            .map(|frame| (frame.id, frame.body));
        stream.committed.extend(frames);
    });
    first.close().await.unwrap();

    let again = journal(dir.path());
    drain(&again, &hq).await;
    assert_eq!(hq.bodies().len(), 5, "nothing came twice");
    again.close().await.unwrap();
}

#[tokio::test]
async fn what_a_closed_stream_lacks_goes_into_a_new_one_and_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let hq = Scripted::default();
    let journal = journal(dir.path());
    append(&journal, 0..6).await;
    let peeked = journal.outbox().peek(Spool::P0, 10, 10_000).await.unwrap();
    // Of the six it has two by these names, and closed the stream over the others.
    hq.change(peeked.stream, |stream| {
        stream.acked = 9;
        stream.closed = true;
        let known = peeked.frames.into_iter().take(2);
        stream.committed = known.map(|frame| (frame.id, frame.body)).collect();
    });
    tokio::time::pause();
    drain(&journal, &hq).await;
    tokio::time::resume();
    assert_ne!(written(&journal).stream, peeked.stream);
    let expected: Vec<_> = (0..6).map(body).collect();
    assert_eq!(hq.bodies(), expected);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_headquarters_from_a_backup_gets_again_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let hq = Scripted::default();
    let journal = journal(dir.path());
    append(&journal, 0..8).await;
    drain(&journal, &hq).await;
    hq.change(written(&journal).stream, |stream| {
        stream.acked = 3;
        stream.committed.truncate(3);
    });
    append(&journal, 8..9).await;
    tokio::time::pause();
    drain(&journal, &hq).await;
    tokio::time::resume();
    let expected: Vec<_> = (0..9).map(body).collect();
    assert_eq!(hq.bodies(), expected);
    journal.close().await.unwrap();
}

/// No way to headquarters.
#[derive(Clone, Copy)]
enum NoWay {
    Refused,
    Silent,
}

impl Transport for NoWay {
    fn ask(&self, _request: Request) -> BoxFuture<'_, Result<Response, NoAnswer>> {
        let refused = std::io::ErrorKind::ConnectionRefused.into();
        Box::pin(std::future::ready(Err(match self {
            Self::Refused => NoAnswer::NoConnection(refused),
            Self::Silent => NoAnswer::TimedOut,
        })))
    }
}

/// How the way to headquarters is called when it does not answer, and somebody else answers so.
async fn told_by_somebody_else(way: NoWay, answer: &'static str) -> LinkState {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/generate_204", listener.local_addr().unwrap());
    let (link, state) = Link::new(None);
    let way = Way {
        transport: Box::new(way),
        link,
        probe: Probe::parse(&url),
    };
    let somebody_else = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 512];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    let request = Request::get("/v1/down".to_owned(), ANSWER_WITHIN);
    let (answer, ()) = tokio::join!(way.ask(request), somebody_else);
    assert!(answer.is_err());
    *state.borrow()
}

#[tokio::test]
async fn a_headquarters_that_is_away_is_told_from_an_internet_that_is() {
    for way in [NoWay::Refused, NoWay::Silent] {
        for (answer, state) in [
            ("", LinkState::Offline),
            ("HTTP/1.1 204 No Content\r\n\r\n", LinkState::HqDown),
            ("HTTP/1.1 302 Found\r\n\r\n", LinkState::UpstreamCaptive),
        ] {
            assert_eq!(told_by_somebody_else(way, answer).await, state, "{answer}");
        }
    }
}
