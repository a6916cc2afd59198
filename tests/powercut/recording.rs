//! A day in a shop, recorded: guests tap at a real gateway, headquarters is there now and then, and the
//! gateway is killed in the middle of its work and of its start.

use super::Tape;
use super::disk::{Disk, tree_of};
use super::ledger::{self, Arrivals};
use super::line::{Laid, Line, Marks, Noted};
use super::recorder::{self, Recorder};
use crate::support::{
    Crowd, Dice, Held, NotReady, Sending, Starting, TestChain, TestStore, eventually, maitred,
    settings,
};

/// Small enough that a recording has many beginnings and ends of generations in it.
pub(crate) const GENERATION_FRAMES: u64 = 120;

/// What to record.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    dice: Dice,
    guests: usize,
    /// Goes on until so many coupons were given.
    coupons: usize,
    /// A fault for the gateway to have, by its name.
    fault: Option<&'static str>,
}

impl Day {
    pub(crate) const fn with(dice: Dice) -> Self {
        Self {
            dice,
            guests: 12,
            coupons: 1_500,
            fault: None,
        }
    }

    /// The same with a gateway that was built with the feature `fault`.
    #[cfg(feature = "fault")]
    pub(crate) const fn with_fault(dice: Dice, fault: &'static str) -> Self {
        Self {
            fault: Some(fault),
            ..Self::with(dice)
        }
    }
}

/// Everything that is needed to cut the power at any moment, and to know what must be left.
pub(crate) struct Recording {
    pub(crate) tape: Tape,
    pub(crate) held: Vec<Held>,
    pub(crate) notes: Vec<Noted>,
    pub(crate) arrivals: Arrivals,
    /// The directory, the settings in it and headquarters.
    pub(crate) chain: TestChain,
    pub(crate) recorder: Recorder,
}

impl Recording {
    /// What guests held when the log was so long.
    pub(crate) fn held_at(&self, at: u64) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.at <= at)
    }

    /// What headquarters had for certain when the log was so long.
    pub(crate) fn marks_at(&self, at: u64) -> Marks {
        let known = self.notes.partition_point(|note| note.at <= at);
        known
            .checked_sub(1)
            .map(|last| self.notes[last].marks.clone())
            .unwrap_or_default()
    }
}

/// Records a day.
pub(crate) async fn record(day: Day) -> Recording {
    let laid = Laid::lay().await;
    let chain = TestChain::start_behind(laid.port());
    chain.enroll_store();
    let more = format!("profile = \"small\"\ngeneration_frames = {GENERATION_FRAMES}\n");
    let written = settings("store", "store", Sending::AtOnce) + &more;
    fs_err::write(chain.path("store.toml"), written).unwrap();

    let recorder = Recorder::build(&chain.path("."), &chain.path("store"));
    let begin = Disk::of(&chain.path("store"));
    let clock = |recorder: &Recorder| {
        let recorder = recorder.clone();
        move || recorder.length()
    };
    let line = laid.carry(chain.sync(), chain.path("hq"), clock(&recorder));
    let crowd = Crowd::of(day.guests, clock(&recorder));
    let shop = Shop {
        chain,
        recorder,
        line,
        crowd,
        fault: day.fault,
    };
    shop.live_through(day, begin).await
}

struct Shop {
    chain: TestChain,
    recorder: Recorder,
    line: Line,
    crowd: Crowd,
    fault: Option<&'static str>,
}

impl Shop {
    async fn live_through(self, day: Day, begin: Disk<'static>) -> Recording {
        let mut dice = day.dice;
        // The first start brings the bundle, without which there is nothing to tap at.
        self.start(None)
            .unwrap()
            .with_a_bundle()
            .await
            .process
            .stop();
        self.live(dice.between(800, 3_000), &mut dice).await;
        while self.crowd.held() < day.coupons {
            // Every other life ends in its start, with the one before not put away in order.
            self.live(dice.between(5, 120), &mut dice).await;
            self.live(dice.between(500, 3_000), &mut dice).await;
        }

        let store = self.start(None).unwrap();
        self.line.let_go();
        self.crowd.come_in(store.portal());
        let held = self.crowd.go_home().await;
        eventually("everything at headquarters", || async {
            let readiness = store.ops("/readyz").await;
            readiness.contains("\"0 captures wait").then_some(())
        })
        .await;
        store.process.stop();

        let log = fs_err::read(self.recorder.log()).unwrap();
        see_that_nothing_was_missed(&begin, &log, &self.chain);
        Recording {
            tape: Tape { begin, log },
            held,
            notes: self.line.notes(),
            arrivals: ledger::arrivals(&self.chain.path("hq")),
            chain: self.chain,
            recorder: self.recorder,
        }
    }

    /// Starts the gateway, which dies after so many records, and lets the line come and go meanwhile.
    async fn live(&self, records: u64, dice: &mut Dice) {
        let mut store = match self.start(Some(records)) {
            Ok(store) => store,
            // The recorder's doing, and not an error of the start.
            Err(ended) if ended.killed => return,
            Err(ended) => panic!("{}", ended.why),
        };
        self.crowd.come_in(store.portal());
        let mut held = false;
        while !store.process.has_ended() {
            if dice.one_in(12) {
                held = !held;
                if held {
                    self.line.hold();
                } else {
                    self.line.let_go();
                }
            }
            // How long the line stays as it is.
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        self.line.let_go();
    }

    fn start(&self, die_at: Option<u64>) -> Result<TestStore, NotReady> {
        let file = self.chain.path("store.toml");
        let mut command = maitred(&["gateway", "--config", file.to_str().unwrap()]);
        self.recorder.watch(&mut command, die_at);
        if let Some(fault) = self.fault {
            command.env("JOURNAL_FAULT", fault);
        }
        let process = Starting::spawn(command, &self.chain.path("store.log")).ready()?;
        Ok(TestStore { process })
    }
}

/// The recording, replayed to its end, must give the very directory.
fn see_that_nothing_was_missed(begin: &Disk<'static>, log: &[u8], chain: &TestChain) {
    let mut disk = begin.clone();
    for record in recorder::read(log) {
        disk.replay(&record);
    }
    let (replayed, real) = (disk.seen(), tree_of(&chain.path("store")));
    let differing: Vec<_> = replayed
        .keys()
        .chain(real.keys())
        .filter(|path| replayed.get(*path) != real.get(*path))
        .collect();
    assert!(differing.is_empty(), "the recorder missed: {differing:?}");
}
