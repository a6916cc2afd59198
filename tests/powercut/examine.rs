//! Opens what a power cut left, as the gateway would, and holds it against what was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::Offset;
use maitred::cli::demo::phone::Phone;
use maitred::domain::calendar::business_day;
use maitred::domain::ids::{CouponId, StoreId, StreamId};
use maitred::domain::uptake::Step;
use maitred::domain::uptake::days::Day;
use maitred::journal::{
    Depths, Frame, Journal, Memory, Options, Profile, Rotation, Spool, StreamDepth, Verdict,
};
use maitred::ops::clock::{Clock, SystemClock};
use maitred::ops::tasks::Tasks;
use maitred::portal::ledger::{Ledger, SharedDays, SharedWallet};
use tokio::runtime::Runtime;

use super::disk::{self, Disk, Fate};
use super::ledger::{Arrived, Place, claimed_in};
use super::line::Marks;
use super::recording::{GENERATION_FRAMES, Recording};
use super::{Left, Tape, recorder};
use crate::support::{Dice, Starting, claim, maitred, table, tap_again};

/// What is wrong with what was left; all empty is as it should be.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Images that were looked at.
    pub(crate) images: usize,
    /// Promised, and neither here nor at headquarters.
    pub(crate) lost: Vec<String>,
    /// Here under two numbers, or under a number that headquarters has for something else.
    pub(crate) doubled: Vec<String>,
    /// Anything else: it does not open, not the same way twice, or has holes.
    pub(crate) broken: Vec<String>,
    /// Where the cuts that left this are kept.
    pub(crate) kept: Vec<String>,
}

impl Findings {
    pub(crate) fn are_none(&self) -> bool {
        self.count() == 0
    }

    pub(crate) fn count(&self) -> usize {
        self.lost.len() + self.doubled.len() + self.broken.len()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.images += other.images;
        self.lost.extend(other.lost);
        self.doubled.extend(other.doubled);
        self.broken.extend(other.broken);
        self.kept.extend(other.kept);
    }
}

struct Opened {
    journal: Journal<Ledger>,
    wallet: SharedWallet,
    days: SharedDays,
}

/// What there is to be seen without taking anything out.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    depths: Depths,
    coupons: usize,
    /// The counter's figures of the day and of the day before.
    figures: [Day; 2],
}

impl Opened {
    fn open(dir: &Path) -> Result<Self, String> {
        let store = StoreId::parse("SZ01").map_err(|error| error.to_string())?;
        let (ledger, wallet, days) = Ledger::new(Some(store));
        let mut options = Options::for_profile(Profile::Small);
        options.rotation = Rotation::after(GENERATION_FRAMES);
        options.memory = Memory::Allow;
        let journal = Journal::open(dir, options, Arc::new(SystemClock), ledger)
            .map_err(|error| format!("does not open: {error:?}"))?;
        Ok(Self {
            journal,
            wallet,
            days,
        })
    }

    fn depths(&self) -> Depths {
        self.journal.outbox().depths().borrow().clone()
    }

    fn sight(&self) -> Sight {
        Sight {
            depths: self.depths(),
            coupons: self.wallet.read().len(),
            figures: self.figures(),
        }
    }

    fn figures(&self) -> [Day; 2] {
        let today = business_day(Offset::constant(8).to_datetime(SystemClock.now()));
        let days = self.days.read();
        [today, today.yesterday().unwrap()].map(|day| days.day(day))
    }

    /// Takes out everything that waits, as the uplink would.
    async fn drain(&self, spool: Spool) -> Result<Vec<Frame>, String> {
        let outbox = self.journal.outbox();
        let mut frames = Vec::new();
        loop {
            let peeked = outbox.peek(spool, 500, 1 << 20).await;
            let peeked = peeked.map_err(|error| format!("does not peek: {error:?}"))?;
            let Some(last) = peeked.frames.last() else {
                return Ok(frames);
            };
            let through = outbox.acknowledge(spool, last.stream, last.seq).await;
            through.map_err(|error| format!("does not acknowledge: {error:?}"))?;
            frames.extend(peeked.frames);
        }
    }
}

/// Examines what was left of a recorded day: as a library, and now and then with the real gateway.
pub(crate) fn examine(
    recording: &Recording,
    left: &Left<'_>,
    dir: &Path,
    dice: &mut Dice,
) -> Findings {
    /// The gateway's start costs more than all the rest.
    const ONE_WITH_THE_GATEWAY_IN: usize = 25;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let state = dir.join("journal");
    left.write(&state);
    let mut findings = Findings::default();
    let ending = match dice.one_in(2) {
        true => Ending::Closed,
        false => Ending::Crashed,
    };
    let looked = open_and_look(&state, recording, left.at, ending, &mut findings);
    if let Err(why) = runtime.block_on(looked) {
        findings.broken.push(why);
    }
    if left.number.is_multiple_of(ONE_WITH_THE_GATEWAY_IN) {
        left.write(&dir.join("store"));
        let asked = ask_the_gateway(dir, recording, left.at, &mut findings);
        match runtime.block_on(asked) {
            Ok(recovery) => {
                findings.add(cut_again(
                    recording, left.at, &recovery, dir, dice, &runtime,
                ));
            }
            Err(why) => findings.broken.push(why),
        }
    }
    findings
}

/// How the first of two openings ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Closed,
    Crashed,
}

/// Opens the journal in `dir`, left when the recording's log was `at` long, twice.
async fn open_and_look(
    dir: &Path,
    recording: &Recording,
    at: u64,
    ending: Ending,
    findings: &mut Findings,
) -> Result<(), String> {
    let first = Opened::open(dir)?;
    let seen = first.sight();
    if ending == Ending::Closed {
        let closed = first.journal.close().await;
        closed.map_err(|error| format!("does not close: {error:?}"))?;
    }
    drop(first);
    let opened = Opened::open(dir)?;
    let again = opened.sight();
    if again != seen {
        let fault = format!("opened twice: {seen:?}, {again:?}");
        findings.broken.push(fault);
    }

    let claimed = seen.figures.iter().map(|day| day.all.of(Step::Claimed));
    let claimed: i64 = claimed.sum();
    if claimed != i64::try_from(seen.coupons).unwrap() {
        let fault = format!("the counter says {claimed} of {} coupons", seen.coupons);
        findings.broken.push(fault);
    }

    let marks = recording.marks_at(at);
    numbers_go_on(&opened.depths(), &marks, findings);
    let wallet = opened.wallet.clone();
    let frames = opened.drain(Spool::P0).await?;
    opened.drain(Spool::P1).await?;
    let claims = compare(&frames, &holes(dir), recording, findings);
    for held in recording.held_at(at) {
        let coupon = held.coupon();
        let in_wallet = wallet
            .read()
            .coupon(CouponId::parse(coupon).unwrap())
            .is_some();
        let at_hq = recording.arrivals.claims[coupon]
            .iter()
            .any(|(stream, seq)| marks.get(stream).is_some_and(|acked| seq <= acked));
        let waits = claims.contains(coupon);
        if !in_wallet || !(at_hq || waits) {
            let fault = format!(
                "{coupon}: in the wallet {in_wallet}, waits {waits}, at headquarters {at_hq}"
            );
            findings.lost.push(fault);
        }
    }
    still_works(&opened).await
}

/// Cuts the power again, while the gateway recovered from the first cut or just after.
fn cut_again(
    recording: &Recording,
    at: u64,
    recovery: &Tape,
    dir: &Path,
    dice: &mut Dice,
    runtime: &Runtime,
) -> Findings {
    const CUTS: usize = 4;
    let mut findings = Findings::default();
    let records = recorder::read(&recovery.log);
    for number in 0..CUTS {
        let mut disk = recovery.begin.clone();
        for record in &records[..dice.below(records.len() + 1)] {
            disk.replay(record);
        }
        let again = dir.join("again");
        disk::write(
            &disk.after_cut(Fate::ALL[number % Fate::ALL.len()], dice),
            &again,
        );
        let looked = open_and_look(&again, recording, at, Ending::Crashed, &mut findings);
        if let Err(why) = runtime.block_on(looked) {
            findings.broken.push(format!("cut again: {why}"));
        }
        fs_err::remove_dir_all(again).unwrap();
    }
    findings
}

/// Starts the real gateway on `dir/store`, without headquarters, and taps once more. Its start is recorded.
async fn ask_the_gateway(
    dir: &Path,
    recording: &Recording,
    at: u64,
    findings: &mut Findings,
) -> Result<Tape, String> {
    /// The last ones are in the greatest danger.
    const TAPS: usize = 20;
    let file = dir.join("store.toml");
    fs_err::copy(recording.chain.path("store.toml"), &file).unwrap();
    let mut command = maitred(&["gateway", "--config", file.to_str().unwrap()]);
    let recorder = recording
        .recorder
        .elsewhere(&dir.join("store"), dir.join("recovery"));
    let begin = Disk::of(&dir.join("store"));
    recorder.watch(&mut command, None);
    let process = Starting::spawn(command, &dir.join("store.log")).ready();
    let process = process.map_err(|ended| ended.why)?;
    let recovery = Tape {
        begin,
        log: fs_err::read(recorder.log()).unwrap(),
    };
    let portal = process.address("portal");
    let held: Vec<_> = recording.held_at(at).collect();
    for held in held.iter().rev().take(TAPS) {
        let phone = Phone::open(portal, &Tasks::new()).await;
        let mut phone = phone.map_err(|error| error.to_string())?;
        let answer = tap_again(&mut phone, &held.tapped).await;
        if answer.as_ref() != Ok(&Some(held.path.clone())) {
            let fault = format!("{} is {answer:?} at the gateway", held.path);
            findings.lost.push(fault);
        }
    }
    if !held.is_empty() {
        claim(portal, &table(1)).await;
    }
    process.kill();
    Ok(recovery)
}

/// A number that headquarters knows must not be given again: what came under it would be trimmed.
fn numbers_go_on(depths: &Depths, marks: &Marks, findings: &mut Findings) {
    let streams = depths.p0.streams.iter().chain(&depths.p1.streams);
    for StreamDepth {
        stream,
        floor,
        next,
        ..
    } in streams
    {
        let acked = marks.get(stream).copied().unwrap_or_default();
        if *next <= acked {
            let fault = format!("the next frame would be {next}, and headquarters has {acked}");
            findings.lost.push(fault);
        }
        if *floor > acked + 1 {
            let fault = format!("begins with {floor}, and headquarters has {acked}");
            findings.lost.push(fault);
        }
    }
}

/// The sequences that the journal itself says it has lost, as from and to.
///
/// Where whole frames of a torn commit stand behind a hole it says so, because a promised commit that was torn
/// later looks the same. Whether something promised is in the hole shows by its coupon.
fn holes(dir: &Path) -> BTreeSet<(u64, u64)> {
    #[derive(serde::Deserialize)]
    struct Report {
        missing: Vec<(u64, u64)>,
    }
    let reports = fs_err::read_to_string(dir.join("DAMAGE")).unwrap_or_default();
    let missing = reports
        .lines()
        .flat_map(|line| serde_json::from_str::<Report>(line).unwrap().missing);
    missing.collect()
}

/// Holds what waits against what arrived in the end; the coupons whose claims wait.
fn compare(
    frames: &[Frame],
    holes: &BTreeSet<(u64, u64)>,
    recording: &Recording,
    findings: &mut Findings,
) -> BTreeSet<String> {
    let arrivals = &recording.arrivals.frames;
    let mut ids = BTreeMap::new();
    let mut ends: BTreeMap<StreamId, u64> = BTreeMap::new();
    let mut claims = BTreeSet::new();
    for frame in frames {
        let place: Place = (frame.stream, frame.seq);
        let arrived = Arrived {
            id: frame.id,
            body: frame.body.clone(),
        };
        match arrivals.get(&place) {
            Some(there) if *there == arrived => {}
            Some(there) => {
                let fault = format!("{place:?} is {:?} here and {:?} there", frame.id, there.id);
                findings.doubled.push(fault);
            }
            None => findings.broken.push(format!("{place:?} came from nowhere")),
        }
        if let Some(other) = ids.insert(frame.id, place) {
            findings.doubled.push(format!("{place:?} is {other:?}"));
        }
        let end = ends.insert(frame.stream, frame.seq);
        let is_told = |end: u64| holes.contains(&(end + 1, frame.seq - 1));
        if end.is_some_and(|end| end + 1 != frame.seq && !is_told(end)) {
            findings.broken.push(format!("{place:?} follows {end:?}"));
        }
        for coupon in claimed_in(&frame.body) {
            if !claims.insert(coupon.clone()) {
                findings.doubled.push(format!("{coupon} is claimed twice"));
            }
        }
    }
    claims
}

/// What was recovered must take the next capture.
async fn still_works(opened: &Opened) -> Result<(), String> {
    let next = opened.depths().p0.written().next;
    let decision = |_: &mut Ledger| Verdict {
        body: Some(b"{}".to_vec()),
        answer: (),
    };
    let kept = opened.journal.commit(decision).await;
    kept.map_err(|error| format!("keeps nothing: {error}"))?;
    let frames = opened.drain(Spool::P0).await?;
    match frames.as_slice() {
        [frame] if frame.seq == next => Ok(()),
        _ => Err(format!("gave {frames:?} for {next}")),
    }
}
