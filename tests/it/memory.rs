//! What a gateway remembers fits a router: measured as the system counts it, in a process of its own.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use maitred::domain::event::{Claim, Event, Moment, Occurrence, Redeem};
use maitred::domain::ids::{
    CampaignId, CouponId, DeviceId, Issuer, RedemptionId, ShortCode, StaffName, StoreId, TapId,
    TouchpointCode, Vid,
};
use maitred::domain::text::Text;
use maitred::domain::wallet::Wallet;
use maitred::journal::{Journal, Memory, Options, Verdict};
use maitred::ops::clock::SystemClock;
use maitred::portal::ledger::Ledger;
use maitred::wire::frame::{self, BootTime, Contents};
use tokio::task::JoinSet;

use crate::packaging::shipped_environment;
use crate::support::{TestStore, claim as claim_over_http, table};

const COUPONS: u32 = 50_000;

/// A coupon and everything that finds it.
const MOST_BYTES_A_COUPON: u64 = 220;
const MOST_BYTES_A_REDEMPTION: u64 = 140;

/// What the gateway itself takes with all of them queued. 32 MiB is the goal for the whole process, of which a
/// release has 9 MiB of program in memory; the program of a test is larger.
const MOST_BYTES_QUEUED: u64 = 22 << 20;

/// The names of what a checkpoint has to write, for a coupon and its redemption together.
const MOST_BYTES_A_CHANGE: u64 = 140;

/// Guests at once: two full commits.
const GUESTS: u32 = 128;

/// Tables of the shop, and coupons that each gives out on a day.
const TABLES: u32 = 250;
const A_TABLE_A_DAY: u32 = 8;

/// The `n`th thing of its kind, spread over the whole space as random ones are.
fn entropy(kind: u8, n: u32) -> [u8; 16] {
    let spread = u128::from(n)
        .wrapping_add(u128::from(kind) << 64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    spread.to_be_bytes()
}

fn opening() -> Timestamp {
    "2026-12-01T07:30:00Z".parse().unwrap()
}

fn claim(n: u32) -> Occurrence {
    let day = i64::from(n / (TABLES * A_TABLE_A_DAY));
    claim_at(n, opening() + SignedDuration::from_hours(24 * day))
}

fn claim_at(n: u32, now: Timestamp) -> Occurrence {
    let event = Event::Claim(Claim {
        coupon: CouponId::from_entropy(entropy(1, n)),
        code: ShortCode::from_entropy(u64::from(n), 5, Issuer::Store),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        touchpoint: TouchpointCode::from_entropy(u64::from(n % TABLES)),
        tap: TapId::from_entropy(entropy(2, n)),
        // Every second diner comes back once.
        vid: Vid::from_entropy(entropy(3, n / 3 * 2 + n % 3 / 2)),
        not_before: now,
        not_after: now + SignedDuration::from_hours(7 * 24),
        gift: Text::new("鲜切毛肚一份", "A plate of fresh tripe"),
        remember_until: now + SignedDuration::from_hours(14 * 24),
        off_peak: true,
        given: false,
    });
    happens(now, event)
}

fn redeem(n: u32) -> Occurrence {
    let now = opening() + SignedDuration::from_hours(24 * 30);
    let event = Event::Redeem(Redeem {
        redemption: RedemptionId::from_entropy(entropy(4, n)),
        coupon: CouponId::from_entropy(entropy(1, n)),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        staff: StaffName::parse("xiaochen").unwrap(),
        device: DeviceId::from_entropy([1; 16]),
        vid: Some(Vid::from_entropy(entropy(3, n))),
        remember_until: now,
        off_peak: true,
        origin: None,
        home: None,
    });
    happens(now, event)
}

fn happens(at: Timestamp, event: Event) -> Occurrence {
    Occurrence {
        store: StoreId::parse("SZ01").unwrap(),
        moment: Moment {
            at,
            offset: Offset::UTC,
        },
        event,
    }
}

/// Memory of this process that is in RAM.
fn resident() -> u64 {
    bytes_in("/proc/self/status", "VmRSS:")
}

/// A number from a process's status (proc(5)).
fn bytes_in(status: &str, name: &str) -> u64 {
    let status = fs_err::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

/// Issues coupons, hands them over and takes a checkpoint, and tells how much more memory each step took.
fn live(coupons: u32) -> [u64; 3] {
    let mut wallet = Wallet::default();
    let start = resident();
    for n in 0..coupons {
        wallet.apply(&claim(n));
    }
    let claimed = resident();
    for n in 0..coupons {
        wallet.apply(&redeem(n));
    }
    let redeemed = resident();
    let changes = wallet.take_changes();
    let written = changes.iter().filter_map(|key| wallet.entry(key)).count();
    let saved = resident();
    assert!(written > 2 * coupons as usize);
    [
        claimed.saturating_sub(start),
        redeemed.saturating_sub(claimed),
        saved.saturating_sub(redeemed),
    ]
}

#[test]
fn fifty_thousand_coupons_and_their_redemptions_fit_a_router() {
    // The first few bring the program's own pages into memory.
    live(100);
    let [coupon, redemption, checkpoint] = live(COUPONS).map(|bytes| bytes / u64::from(COUPONS));
    println!("bytes a coupon {coupon}, a redemption {redemption}, a checkpoint {checkpoint}");
    assert!(coupon <= MOST_BYTES_A_COUPON, "{coupon}");
    assert!(redemption <= MOST_BYTES_A_REDEMPTION, "{redemption}");
    assert!(checkpoint <= MOST_BYTES_A_CHANGE, "{checkpoint}");
}

/// Fills a journal as a gateway does that never finds headquarters, and leaves it as a crash does.
async fn queue(state: &Path, coupons: u32) {
    let (ledger, ..) = Ledger::new(Some(StoreId::parse("SZ01").unwrap()));
    let options = Options {
        memory: Memory::Allow,
        ..Options::default()
    };
    let journal = Journal::open(state, options, Arc::new(SystemClock), ledger).unwrap();
    let mut guests = JoinSet::new();
    for guest in 0..GUESTS {
        let journal = journal.clone();
        guests.spawn(async move {
            for n in (guest..coupons).step_by(GUESTS as usize) {
                let Occurrence {
                    store,
                    moment,
                    event,
                } = claim_at(n, opening());
                let boot_time = BootTime { boot: 1, millis: 0 };
                let contents = Contents::of(store, boot_time, moment, event);
                let body = Some(frame::encode(&contents));
                let verdict = move |_: &mut Ledger| Verdict { body, answer: () };
                journal.commit(verdict).await.unwrap();
            }
        });
    }
    guests.join_all().await;
}

/// The gateway's memory that is not the program's file.
pub(crate) fn own(store: &TestStore) -> u64 {
    let status = format!("/proc/{}/status", store.process.id());
    bytes_in(&status, "RssAnon:")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_fifty_thousand_captures_queued_fits_a_router() {
    // Eight hundred commits need no disk to be large.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    queue(&dir.path().join("state"), COUPONS).await;
    let store = TestStore::alone_with(dir.path(), &shipped_environment()).await;
    let readiness = store.ops("/readyz").await;
    assert!(readiness.contains("50000 captures wait"), "{readiness}");
    let started = own(&store);
    for number in 1..=20 {
        claim_over_http(store.portal(), &table(1 + number % 3)).await;
    }
    let at_work = own(&store);
    println!(
        "{} KiB after a kill, {} KiB at work",
        started >> 10,
        at_work >> 10
    );
    assert!(
        started.max(at_work) <= MOST_BYTES_QUEUED,
        "{started} {at_work}"
    );
}
