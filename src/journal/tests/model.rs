//! The journal against plain lists: whatever the order of captures, acknowledgements, moves, crashes and closes.

use std::task::Poll;

use proptest::prelude::*;

use super::*;
use crate::domain::ids::StreamId;

#[derive(Debug, Clone)]
enum Step {
    /// Captures at once, as that many tasks would.
    Capture(u8),
    Note,
    /// The uplink takes that many frames and acknowledges them.
    Take(u8),
    /// It acknowledges again what it has acknowledged before.
    TakeAgain,
    /// A restored headquarters has only that many percent of what it had.
    TakeBack(u8),
    /// Headquarters has closed the stream that is written.
    Leave,
    /// So many of the frames of the oldest closed stream move on; headquarters has every third of them.
    MoveOn(u8),
    FailNextSync,
    Crash,
    /// The plug is pulled while everything is open, and the card put into another box.
    Copy,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u8..30).prop_map(Step::Capture),
        1 => Just(Step::Note),
        4 => (1_u8..40).prop_map(Step::Take),
        1 => Just(Step::TakeAgain),
        1 => (0_u8..=100).prop_map(Step::TakeBack),
        1 => Just(Step::Leave),
        2 => (1_u8..30).prop_map(Step::MoveOn),
        2 => Just(Step::Crash),
        1 => Just(Step::Copy),
        1 => Just(Step::Close),
        1 => Just(Step::FailNextSync),
    ];
    prop::collection::vec(step, 1..20)
}

/// One stream as it ought to be.
struct Stream {
    id: StreamId,
    /// All frames that ever joined it; the first has sequence 1.
    bodies: Vec<String>,
    /// How many of them headquarters has.
    acked: usize,
}

/// What ought to be there: streams in order, the last one is written.
#[derive(Default)]
struct Model {
    streams: Vec<Stream>,
    values: BTreeMap<String, String>,
    captured: u64,
}

struct Run {
    shop: Shop,
    /// `None` only for the moment of a crash.
    journal: Option<Journal<Shelf>>,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let shop = Shop::with(|options| {
            options.checkpoint_frames = 7;
            // What is taken back must be there.
            options.kept_bytes = u64::MAX;
        });
        let journal = shop.open();
        let mut model = Model::default();
        model.begin(&journal);
        Self {
            shop,
            journal: Some(journal),
            model,
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Capture(count) => self.capture(count).await,
            Step::Note => self.journal().note(b"view".to_vec()),
            Step::Take(count) => self.take(count).await,
            Step::TakeAgain => {
                let written = self.model.written();
                let (stream, through) = (written.id, written.acked as u64);
                let outbox = self.journal().outbox();
                let again = outbox.acknowledge(Spool::P0, stream, through).await;
                again.unwrap();
            }
            Step::TakeBack(percent) => self.take_back(percent).await,
            Step::Leave => self.leave().await,
            Step::MoveOn(count) => self.move_on(count).await,
            Step::FailNextSync => self.fail().await,
            Step::Crash => {
                self.journal = None;
                self.journal = Some(self.shop.open());
            }
            Step::Copy => {
                let dir = tempfile::tempdir().unwrap();
                damage::copy(self.shop.dir.path(), dir.path());
                self.journal = None;
                self.shop.dir = dir;
                self.journal = Some(self.shop.open());
            }
            Step::Close => self.close().await,
        }
        self.check().await;
    }

    fn journal(&self) -> &Journal<Shelf> {
        self.journal.as_ref().unwrap()
    }

    async fn close(&mut self) {
        self.journal().close().await.unwrap();
        self.journal = Some(self.shop.open());
    }

    async fn capture(&mut self, count: u8) {
        let bodies: Vec<String> = (0..count)
            .map(|_| {
                self.model.captured += 1;
                let number = self.model.captured;
                format!("key{}=value{number}", number % 17)
            })
            .collect();
        // All are asked in this order before any is waited for, so that they share commits.
        let mut asked = Vec::new();
        for body in &bodies {
            let mut ask = Box::pin(capture(self.journal(), body));
            let early = std::future::poll_fn(|context| match ask.as_mut().poll(context) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending => Poll::Ready(None),
            });
            let early = early.await;
            asked.push((ask, early));
        }
        for (ask, early) in asked {
            match early {
                Some(outcome) => outcome.unwrap(),
                None => ask.await.unwrap(),
            }
        }
        for body in bodies {
            self.model.keep(body);
        }
    }

    async fn take(&mut self, count: u8) {
        let outbox = self.journal().outbox();
        let peeked = outbox.peek(Spool::P0, usize::from(count), usize::MAX).await;
        let batch = peeked.unwrap().frames;
        assert_eq!(batch.is_empty(), self.model.waiting() == 0);
        let Some(last) = batch.last() else { return };
        outbox
            .acknowledge(Spool::P0, last.stream, last.seq)
            .await
            .unwrap();
        for frame in batch {
            let oldest = self.model.oldest().unwrap();
            assert_eq!(
                (frame.stream, frame.seq),
                (oldest.id, oldest.acked as u64 + 1)
            );
            assert_eq!(text(&frame.body), oldest.bodies[oldest.acked]);
            oldest.acked += 1;
        }
    }

    async fn take_back(&mut self, percent: u8) {
        let outbox = self.journal().outbox();
        let written = self.model.written();
        let after = written.acked * usize::from(percent) / 100;
        let floor = outbox.take_back(Spool::P0, written.id, after as u64).await;
        assert_eq!(floor.unwrap(), after as u64 + 1);
        written.acked = after;
    }

    async fn leave(&mut self) {
        let outbox = self.journal().outbox();
        let stream = self.model.written().id;
        outbox.leave(Spool::P0, stream).await.unwrap();
        let journal = self.journal.as_ref().unwrap();
        self.model.begin(journal);
    }

    async fn move_on(&mut self, count: u8) {
        let outbox = self.journal().outbox();
        let written = self.model.written().id;
        let Some(closed) = self.model.oldest().filter(|oldest| oldest.id != written) else {
            return;
        };
        let end = closed.bodies.len().min(closed.acked + usize::from(count));
        let (known, unknown): (Vec<usize>, Vec<usize>) =
            (closed.acked + 1..=end).partition(|seq| seq % 3 == 0);
        let moved: Vec<String> = unknown
            .iter()
            .map(|seq| closed.bodies[seq - 1].clone())
            .collect();
        closed.acked = end;
        let known = known.into_iter().map(|seq| seq as u64).collect();
        let move_on = outbox.move_on(Spool::P0, closed.id, end as u64, known);
        move_on.await.unwrap();
        self.model.written().bodies.extend(moved);
    }

    /// The asker hears of failure. What the file holds afterwards is open, and must be whole.
    async fn fail(&mut self) {
        let mut generations = self.shop.generations("p0");
        let last = generations.pop().unwrap();
        database::faults::fail_next_sync(&self.shop.path(&format!("p0/{last}")));
        self.model.captured += 1;
        let body = format!("failed={}", self.model.captured);
        capture(self.journal(), &body).await.unwrap_err();
        let next = self.depth().await.written().next;
        if next > self.model.written().bodies.len() as u64 + 1 {
            self.model.keep(body);
        }
    }

    async fn depth(&self) -> Depth {
        // A look goes through the owner, so the depths are those after all that was asked before.
        look(self.journal()).await;
        self.journal().outbox().depths().borrow().p0.clone()
    }

    async fn check(&mut self) {
        assert_eq!(look(self.journal()).await.values, self.model.values);
        let depth = self.depth().await;
        assert_eq!(depth.frames, self.model.waiting() as u64);
        // How long one is kept of which nothing waits is not for the model to know.
        let kept = |id| depth.streams.iter().any(|stream| stream.stream == id);
        let written = self.model.written().id;
        let expected: Vec<_> = self
            .model
            .streams
            .iter()
            .filter(|stream| stream.waits() > 0 || stream.id == written || kept(stream.id))
            .map(|stream| {
                let (acked, next) = (stream.acked as u64, stream.bodies.len() as u64 + 1);
                (stream.id, acked + 1, next)
            })
            .collect();
        let found: Vec<_> = depth
            .streams
            .iter()
            .map(|depth| (depth.stream, depth.floor, depth.next))
            .collect();
        assert_eq!(found, expected);
        assert!(depth.streams.iter().all(|stream| stream.last.is_some()));
        assert_eq!(self.journal().damage().borrow().reports, 0);
    }
}

impl Stream {
    fn waits(&self) -> usize {
        self.bodies.len() - self.acked
    }
}

impl Model {
    fn begin(&mut self, journal: &Journal<Shelf>) {
        let id = journal.outbox().depths().borrow().p0.written().stream;
        self.streams.push(Stream {
            id,
            bodies: Vec::new(),
            acked: 0,
        });
    }

    fn written(&mut self) -> &mut Stream {
        self.streams.last_mut().unwrap()
    }

    fn oldest(&mut self) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.waits() > 0)
    }

    fn waiting(&self) -> usize {
        self.streams.iter().map(Stream::waits).sum()
    }

    fn keep(&mut self, body: String) {
        let (key, value) = body.split_once('=').unwrap();
        self.values.insert(key.to_owned(), value.to_owned());
        self.written().bodies.push(body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_behaves_like_lists_that_remember(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new();
            for step in steps {
                run.step(step).await;
            }
            run.close().await;
            while run.model.waiting() > 0 {
                run.take(50).await;
            }
            run.check().await;
        });
    }
}
