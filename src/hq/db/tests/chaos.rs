//! Everything at once: many gateways whose acknowledgements are lost, whose batches come doubled, overlapping,
//! out of order and cut off, into a database that crashes under them. At the end each ledger holds exactly
//! what it holds after a day without any trouble.

use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::watch;

use super::super::scratch::postgres::Private;
use super::*;
use crate::ops::tasks::Tasks;
use crate::wire::batch::{Gap, Time, TimeQuality, What};

const GATEWAYS: u8 = 10;
const FRAMES: u64 = 240;
const DAYS: i64 = 3;

/// Failing runs are repeated by putting their seed here.
const SEED: u64 = 0x1db7_1064;

/// What one gateway has to say, and how it says it.
struct Gateway {
    id: GatewayId,
    stream: StreamId,
    entries: Vec<Entry>,
    /// The chain before each entry.
    chains: Vec<Chain>,
    dice: Dice,
}

/// Small and the same on every machine: splitmix64.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.throw() % end as u64).unwrap()
    }
}

fn shop(number: u8) -> StoreId {
    store(&format!("SZ0{}", number % 3))
}

/// A gateway's frames, the same for everybody who asks; some numbers are lost.
fn tell(number: u8, id: GatewayId) -> Gateway {
    let mut dice = Dice(SEED ^ u64::from(number));
    let (mut entries, mut chains) = (Vec::new(), Vec::new());
    let (mut chain, mut seq) = (Chain::START, 1);
    while seq <= FRAMES {
        chains.push(chain);
        let entry = if dice.below(40) == 0 {
            let to = (seq + dice.throw() % 5).min(FRAMES);
            let told = Chain::from_bytes(dice.throw().to_be_bytes());
            let (why, told) = (GapReason::Evicted, Some(told));
            Entry::Gap {
                from: seq,
                gap: Gap {
                    to,
                    why,
                    chain: told,
                },
            }
        } else {
            frame(number, seq, &mut dice)
        };
        seq = entry.last() + 1;
        chain = chain_after(chain, std::slice::from_ref(&entry));
        entries.push(entry);
    }
    Gateway {
        id,
        stream: stream(number),
        entries,
        chains,
        dice,
    }
}

fn frame(number: u8, seq: u64, dice: &mut Dice) -> Entry {
    let diner = u8::try_from(dice.below(20)).unwrap();
    let mut event = match dice.below(4) {
        0 => claim(0, diner),
        1 => redeem(0, diner),
        2 => view(None),
        _ => view(Some(diner)),
    };
    // A coupon of its own: the helpers know a byte's worth of them.
    let own = CouponId::from_entropy(
        [[number; 8], seq.to_be_bytes()]
            .concat()
            .try_into()
            .unwrap(),
    );
    if let Event::Claim(claim) = &mut event {
        claim.coupon = own;
    }
    if let Event::Redeem(redeem) = &mut event {
        redeem.coupon = own;
    }
    let hours = i64::try_from(dice.throw() % (24 * DAYS.unsigned_abs())).unwrap();
    let at = now() - SignedDuration::from_hours(hours);
    let mut line = line(seq, &shop(number), at, event);
    if let What::Frame { id, time, .. } = &mut line.what {
        *id = FrameId::from_time_and_entropy(seq, [number; 10]);
        *time = (dice.below(3) > 0).then_some(Time {
            unix_ms: at.as_millisecond() + 1,
            quality: TimeQuality::Anchored,
        });
    }
    examine(&Serves::Street, vec![line]).remove(0)
}

impl Gateway {
    /// A delivery of the entries from `first` on, which may tell the chain before it or not.
    fn part(&mut self, first: usize) -> Delivery {
        let length = 1 + self.dice.below(50);
        let end = (first + length).min(self.entries.len());
        Delivery {
            prev: (self.dice.below(2) == 0).then(|| self.chains[first]),
            ..delivery(self.id, self.stream, self.entries[first..end].to_vec())
        }
    }

    /// Sends everything, whatever happens on the way.
    async fn send_all(&mut self, ledger: &dyn Ledger, progress: &watch::Sender<u64>) {
        let mut acked = 0;
        while acked < FRAMES {
            let next = self
                .entries
                .partition_point(|entry| entry.last() <= acked)
                .min(self.entries.len() - 1);
            // Most often it goes on where it should, or some way before that.
            let first = next.saturating_sub(self.dice.below(3) * self.dice.below(20));
            let sent = self.part(first);
            let outcome = match self.dice.below(6) {
                0 => {
                    // Cut off somewhere on the way.
                    let patience = Duration::from_micros(self.dice.throw() % 3_000);
                    let cut = tokio::time::timeout(patience, ledger.ingest(sent)).await;
                    cut.ok().map(|outcome| (outcome, false))
                }
                1 => Some((ledger.ingest(sent).await, true)),
                2 => {
                    let (one, two) = tokio::join!(ledger.ingest(sent.clone()), ledger.ingest(sent));
                    drop(two);
                    Some((one, false))
                }
                3 => {
                    // What was sent long ago arrives at the same time, and once what is far ahead.
                    let old = self.dice.below(self.entries.len());
                    let stray = self.part(old);
                    let (one, _) = tokio::join!(ledger.ingest(sent), ledger.ingest(stray));
                    Some((one, false))
                }
                _ => Some((ledger.ingest(sent).await, false)),
            };
            match outcome {
                None | Some((_, true)) => {}
                Some((
                    Ok(
                        IngestOutcome::Taken(Taken { acked: told, .. })
                        | IngestOutcome::Expected { acked: told },
                    ),
                    _,
                )) => {
                    assert!(told >= acked, "a mark never goes back");
                    progress.send_modify(|sum| *sum += told - acked);
                    acked = told;
                }
                Some((Ok(other), _)) => panic!("seed {SEED:#x}: {other:?}"),
                // The database is away: as the uplink, it comes again a little later.
                Some((Err(_), _)) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// A box in each store, which hears of what the street claims for it.
const BOXES: [GatewayId; 3] = [GatewayId(11), GatewayId(12), GatewayId(13)];

/// Enrols the gateways; the numbers are the same in every new ledger.
async fn gateways(hq: &dyn Ledger) -> Vec<Gateway> {
    let mut gateways = Vec::new();
    for number in 0..GATEWAYS {
        let (id, _) = crate::hq::testing::enrol(hq, Serves::Street).await;
        gateways.push(tell(number, id));
    }
    for (number, expected) in (0..).zip(BOXES) {
        let serves = Serves::Store(shop(number));
        let (id, _) = crate::hq::testing::enrol(hq, serves).await;
        assert_eq!(id, expected);
    }
    gateways
}

/// Has all gateways send at once, and waits for the last of them.
async fn rush(ledger: &Arc<dyn Ledger>, progress: &watch::Sender<u64>) {
    let tasks = Tasks::new();
    let (done, mut all) = tokio::sync::mpsc::channel::<()>(1);
    for mut gateway in gateways(ledger.as_ref()).await {
        let (ledger, progress, done) = (Arc::clone(ledger), progress.clone(), done.clone());
        tasks.spawn("a gateway", async move {
            gateway.send_all(ledger.as_ref(), &progress).await;
            drop(done);
        });
    }
    drop(done);
    tokio::select! {
        none = all.recv() => assert!(none.is_none()),
        () = tasks.stopping() => panic!("a gateway failed"),
    }
}

/// Everything that a ledger can be asked, but how often frames came again.
#[derive(Debug, PartialEq)]
struct Everything {
    totals: Totals,
    coupons: Coupons,
    figures: Vec<Figures>,
    streams: Vec<StreamCount>,
    marks: Vec<StreamMark>,
    /// What each store's box was told of.
    passed_down: Vec<BTreeSet<CouponId>>,
}

/// The coupons that the box of each store was told of, each once and under numbers without a hole.
async fn passed_down(ledger: &dyn Ledger) -> Vec<BTreeSet<CouponId>> {
    let mut told = Vec::new();
    for id in BOXES {
        let commands = ledger.commands(id).await.unwrap();
        let coupons: BTreeSet<_> = commands.iter().filter_map(|one| one.item.coupon).collect();
        assert_eq!(coupons.len(), commands.len(), "each once");
        let numbers = commands.iter().map(|one| one.item.cursor.number);
        assert!(numbers.eq(1..=commands.len() as u64));
        told.push(coupons);
    }
    told
}

async fn everything(ledger: &dyn Ledger) -> Everything {
    let first = date(2026, 11, 27);
    let days = first.series(jiff::Span::new().days(1)).take(6);
    let days: Vec<Date> = days.collect();
    let asked: Vec<_> = (0..3)
        .flat_map(|number| days.iter().map(move |day| (shop(number), *day)))
        .collect();
    for (shop, day) in asked.clone() {
        let audited = ledger.audit_day(shop, day).await.unwrap();
        assert_eq!(audited.from_frames, audited.kept);
    }
    let streams = ledger.audit_streams().await.unwrap();
    assert!(streams.iter().all(StreamCount::agrees), "{streams:?}");
    let mut marks = Vec::new();
    for number in 0..GATEWAYS {
        let told = tell(number, GatewayId(u32::from(number) + 1));
        let last = chain_after(Chain::START, &told.entries);
        let offer = StreamOffer {
            id: told.stream,
            cls: 0,
            floor: FRAMES + 1,
            next: FRAMES + 1,
            // Another chain at the mark would close the stream.
            last: Some(last),
        };
        let greeting = Greeting {
            gateway: told.id,
            offers: vec![offer],
            now: now(),
        };
        match ledger.greet(greeting).await.unwrap() {
            Marks::At { streams, .. } => marks.extend(streams),
            Marks::ForeignStream(stream) => panic!("{stream}"),
        }
    }
    Everything {
        totals: Totals {
            frames_resent: 0,
            ..ledger.totals().await.unwrap()
        },
        coupons: ledger.coupons().await.unwrap(),
        figures: ledger.figures(asked).await.unwrap(),
        streams,
        marks,
        passed_down: passed_down(ledger).await,
    }
}

/// A day without any trouble, in the embedded ledger.
async fn perfect() -> Everything {
    let hq = Scratch::new(Kind::Embedded).await;
    for gateway in gateways(hq.ledger.as_ref()).await {
        let sent = delivery(gateway.id, gateway.stream, gateway.entries);
        let outcome = hq.ledger.ingest(sent).await.unwrap();
        assert!(matches!(outcome, IngestOutcome::Taken(_)), "{outcome:?}");
    }
    let everything = everything(hq.ledger.as_ref()).await;
    assert_eq!(everything.totals.frames_twice, 0);
    let people: i64 = everything.figures.iter().map(|day| day.people).sum();
    assert!(people > 100, "the story has people");
    let claimed: BTreeSet<_> = everything.passed_down.iter().flatten().copied().collect();
    assert_eq!(claimed, everything.coupons.claimed, "every claim goes down");
    assert!(
        everything
            .marks
            .iter()
            .all(|mark| mark.acked == FRAMES && !mark.closed)
    );
    everything
}

async fn nothing_is_lost_or_doubled_in_chaos(hq: &Scratch) {
    let (progress, _) = watch::channel(0);
    rush(&hq.ledger, &progress).await;
    assert_eq!(everything(hq.ledger.as_ref()).await, perfect().await);
}

of_every_ledger! {
    nothing_is_lost_or_doubled_in_chaos,
}

/// Pulls the plug of the database, though not of the machine: every process of it ends at once.
fn crash(database: &Private, number: u32) {
    if number.is_multiple_of(2) {
        assert!(database.server.control(&["stop", "--mode=immediate"]));
    } else {
        let file = database.server.dir.join("data/postmaster.pid");
        let text = fs_err::read_to_string(file).unwrap();
        let pid = text.lines().next().unwrap().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    // The processes of the old one may take a moment to notice that it is gone.
    let started = (0..20).any(|_| database.server.control(&["start"]));
    assert!(started, "the database does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_the_database_crashes_five_times() {
    let crashing = tokio::task::spawn_blocking(|| Private::start(&["fsync=on"]))
        .await
        .unwrap();
    let database = Database {
        url: crashing.server.url("postgres"),
        ca: None,
    };
    let ledger = create(&Place::Database(database)).await.unwrap();
    let (progress, mut seen) = watch::channel(0);
    let crashes = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        for number in 0..5 {
            // Spread over the whole of what is to be sent, and always in the middle of it.
            let part = u64::from(GATEWAYS) * FRAMES * (2 * u64::from(number) + 1) / 12;
            runtime.block_on(seen.wait_for(|sum| *sum >= part)).unwrap();
            crash(&crashing, number);
        }
        crashing
    });
    rush(&ledger, &progress).await;
    let crashing = crashes.await.unwrap();
    assert_eq!(everything(ledger.as_ref()).await, perfect().await);
    drop(ledger);
    drop(crashing);
}
