//! Durable captures per second and what each costs the device, beside the peers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::device::{Device, Traffic};
use crate::frames;
use crate::peers::{Counter, Peer};
use crate::table::{self, Goals};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);

/// ext4 commits what is left in its log after five seconds; after that nothing is owed.
const SETTLE: Duration = Duration::from_secs(6);
const IDLE: Duration = Duration::from_secs(10);

/// Tasks at once; captures per second, bytes and flushes held against the raw loop's.
const GOALS: [(usize, f64, Option<f64>); 4] = [
    (1, 0.75, Some(1.3)),
    (8, 0.9, None),
    (32, 0.8, Some(1.6)),
    (64, 0.85, None),
];

/// What one peer did in one round.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub per_second: f64,
    p50: Duration,
    p99: Duration,
    bytes: f64,
    flushes: f64,
}

pub(crate) async fn print(dir: &Path, mut goals: Goals) -> anyhow::Result<Goals> {
    let device = Device::below(dir)?;
    println!(
        "durable captures of {} bytes, medians of {ROUNDS} rounds of {} s, on {}",
        frames::FRAME_BYTES,
        ROUND.as_secs(),
        device.name()
    );
    let mut rows = Vec::new();
    for (tasks, least, most) in GOALS {
        let mut rounds: [Vec<Round>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (peer, rounds) in [Peer::Raw, Peer::Journal, Peer::Sqlite]
                .into_iter()
                .zip(&mut rounds)
            {
                rounds.push(round(peer, dir, tasks, ROUND).await?);
            }
        }
        let [raw, journal, sqlite] = rounds.each_ref().map(|rounds| Round::median(rounds));
        let ratio = journal.per_second / raw.per_second;
        let verdict = goals.at_least(least, ratio);
        rows.push(raw.row(
            format!("{tasks} tasks, raw"),
            &raw,
            [String::new(), String::new()],
        ));
        rows.push(sqlite.row("SQLite".to_owned(), &raw, [String::new(), String::new()]));
        let traffic = most.map_or_else(String::new, |most| {
            let ratio = f64::max(journal.bytes / raw.bytes, journal.flushes / raw.flushes);
            goals.at_most(most, ratio)
        });
        rows.push(journal.row("journal".to_owned(), &raw, [verdict, traffic]));
    }
    let head = [
        "",
        "captures/s",
        "of raw",
        "p50 ms",
        "p99 ms",
        "bytes",
        "of raw",
        "flushes",
        "of raw",
        "rate",
        "traffic",
    ];
    table::print(&head, &rows);
    let idle = idle(dir, &device).await?;
    let (bytes, flushes) = (idle.bytes as f64, idle.flushes as f64);
    let seconds = IDLE.as_secs_f64();
    let verdict = goals.at_most(0.0, bytes + flushes);
    println!(
        "idle for {} s: {:.1} bytes/s and {:.1} flushes/s {verdict}\n",
        IDLE.as_secs(),
        bytes / seconds,
        flushes / seconds
    );
    Ok(goals)
}

/// Lets `tasks` hand in one capture after the other for a while, into an empty store.
pub(crate) async fn round(
    peer: Peer,
    dir: &Path,
    tasks: usize,
    run_for: Duration,
) -> anyhow::Result<Round> {
    let scratch = tempfile::tempdir_in(dir)?;
    let device = Device::below(scratch.path())?;
    let counter = peer.open(scratch.path())?;
    let stop = Arc::new(AtomicBool::new(false));
    let before = device.settled()?;
    let started = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        running.spawn(keep_until(Arc::clone(&stop), counter.clone(), task));
    }
    tokio::time::sleep(run_for).await;
    stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    while let Some(ended) = running.join_next().await {
        waits.extend(ended??);
    }
    let took = started.elapsed();
    let traffic = device.settled()?.since(before);
    if let Counter::Journal(journal) = counter {
        journal.close().await?;
    }
    Ok(Round::of(waits, took, traffic))
}

/// One task: a capture, a wait, the next.
async fn keep_until(
    stop: Arc<AtomicBool>,
    counter: Counter,
    task: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        counter.keep(task, waits.len() as u64).await?;
        waits.push(asked.elapsed());
    }
    Ok(waits)
}

/// What a journal that holds frames writes while nothing happens.
async fn idle(dir: &Path, device: &Device) -> anyhow::Result<Traffic> {
    let scratch = tempfile::tempdir_in(dir)?;
    let counter = Peer::Journal.open(scratch.path())?;
    counter.keep(0, 0).await?;
    device.settled()?;
    tokio::time::sleep(SETTLE).await;
    let before = device.traffic()?;
    tokio::time::sleep(IDLE).await;
    let traffic = device.traffic()?.since(before);
    drop(counter);
    Ok(traffic)
}

impl Round {
    #[expect(clippy::cast_precision_loss, reason = "rates for people to read")]
    fn of(mut waits: Vec<Duration>, took: Duration, traffic: Traffic) -> Self {
        waits.sort_unstable();
        let captures = waits.len() as f64;
        let share = |percent: usize| {
            waits
                .get(waits.len() * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        Self {
            per_second: captures / took.as_secs_f64(),
            p50: share(50),
            p99: share(99),
            bytes: traffic.bytes as f64 / captures,
            flushes: traffic.flushes as f64 / captures,
        }
    }

    /// The median of each figure by itself.
    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Self {
            per_second: of(|round| round.per_second),
            p50: Duration::from_secs_f64(of(|round| round.p50.as_secs_f64())),
            p99: Duration::from_secs_f64(of(|round| round.p99.as_secs_f64())),
            bytes: of(|round| round.bytes),
            flushes: of(|round| round.flushes),
        }
    }

    fn row(&self, name: String, raw: &Self, verdicts: [String; 2]) -> Vec<String> {
        let millis = |wait: Duration| format!("{:.1}", wait.as_secs_f64() * 1000.0);
        let [rate, traffic] = verdicts;
        vec![
            name,
            format!("{:.0}", self.per_second),
            format!("{:.2}", self.per_second / raw.per_second),
            millis(self.p50),
            millis(self.p99),
            format!("{:.0}", self.bytes),
            format!("{:.2}", self.bytes / raw.bytes),
            format!("{:.3}", self.flushes),
            format!("{:.2}", self.flushes / raw.flushes),
            rate,
            traffic,
        ]
    }
}
