//! The journal against a plain list: whatever the order of captures, acknowledgements, crashes and closes.

use std::collections::VecDeque;
use std::task::Poll;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// Captures at once, as that many tasks would.
    Capture(u8),
    Note,
    /// The uplink takes that many frames and acknowledges them.
    Take(u8),
    /// It acknowledges again what it has acknowledged before.
    TakeAgain,
    FailNextSync,
    Crash,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u8..30).prop_map(Step::Capture),
        1 => Just(Step::Note),
        4 => (1_u8..40).prop_map(Step::Take),
        1 => Just(Step::TakeAgain),
        2 => Just(Step::Crash),
        1 => Just(Step::Close),
        1 => Just(Step::FailNextSync),
    ];
    prop::collection::vec(step, 1..20)
}

/// What ought to be there.
#[derive(Default)]
struct Model {
    waiting: VecDeque<(u64, String)>,
    values: BTreeMap<String, String>,
    captured: u64,
    next: u64,
}

struct Run {
    shop: Shop,
    /// `None` only for the moment of a crash.
    journal: Option<Journal<Shelf>>,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let shop = Shop::with(|options| options.checkpoint_frames = 7);
        let journal = Some(shop.open());
        let model = Model {
            next: 1,
            ..Model::default()
        };
        Self {
            shop,
            journal,
            model,
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Capture(count) => self.capture(count).await,
            Step::Note => self.journal().note(b"view".to_vec()),
            Step::Take(count) => self.take(count).await,
            Step::TakeAgain => {
                let (outbox, through) = (self.journal().outbox(), self.oldest() - 1);
                let stream = outbox.depths().borrow().p0.written().stream;
                outbox
                    .acknowledge(Spool::P0, stream, through)
                    .await
                    .unwrap();
            }
            Step::FailNextSync => self.fail().await,
            Step::Crash => {
                self.journal = None;
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
        let batch = outbox
            .peek(Spool::P0, usize::from(count), usize::MAX)
            .await
            .unwrap()
            .frames;
        assert_eq!(batch.is_empty(), self.model.waiting.is_empty());
        let Some(last) = batch.last() else { return };
        outbox
            .acknowledge(Spool::P0, last.stream, last.seq)
            .await
            .unwrap();
        for frame in batch {
            let expected = self.model.waiting.pop_front().unwrap();
            assert_eq!((frame.seq, text(&frame.body)), expected);
        }
    }

    /// The asker hears of failure. What the file holds afterwards is open, and must be whole.
    async fn fail(&mut self) {
        let mut generations = self.shop.generations("p0");
        let last = generations.pop().unwrap();
        database::faults::fail_next_sync(&self.shop.path(&format!("p0/{last}")));
        self.model.captured += 1;
        let body = format!("failed={}", self.model.captured);
        capture(self.journal(), &body).await.unwrap_err();
        let depth = self.depth().await;
        if depth.written().next > self.model.next {
            self.model.keep(body);
        }
    }

    fn oldest(&self) -> u64 {
        let front = self.model.waiting.front();
        front.map_or(self.model.next, |(seq, _)| *seq)
    }

    async fn depth(&self) -> Depth {
        // A look goes through the owner, so the depths are those after all that was asked before.
        look(self.journal()).await;
        self.journal().outbox().depths().borrow().p0.clone()
    }

    async fn check(&self) {
        assert_eq!(look(self.journal()).await.values, self.model.values);
        let depth = self.depth().await;
        assert_eq!(depth.frames, self.model.waiting.len() as u64);
        assert_eq!(depth.written().next, self.model.next);
        assert_eq!(depth.written().floor, self.oldest());
        let front = peek_front(self.journal(), Spool::P0).await;
        assert!(front.iter().zip(&self.model.waiting).all(|(a, b)| a == b));
        assert_eq!(front.is_empty(), self.model.waiting.is_empty());
    }
}

impl Model {
    fn keep(&mut self, body: String) {
        let (key, value) = body.split_once('=').unwrap();
        self.values.insert(key.to_owned(), value.to_owned());
        self.waiting.push_back((self.next, body));
        self.next += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_behaves_like_a_list_that_remembers(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new();
            for step in steps {
                run.step(step).await;
            }
            run.close().await;
            let mut left = Vec::from(std::mem::take(&mut run.model.waiting));
            left.reverse();
            for found in drain(run.journal(), Spool::P0).await {
                assert_eq!(Some(found), left.pop());
            }
            assert_eq!(left, []);
        });
    }
}
