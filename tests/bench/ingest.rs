//! What it costs to take frames in, with figures and marks, beside the least that storing the same rows costs.
//!
//! PostgreSQL against bare binary COPY of the same rows into tables without an index, on as many connections
//! as the ledger has writers, with a commit for each batch; SQLite against bare INSERTs, a transaction for
//! each batch. Rounds are interleaved and a ratio is taken within each, because the machine's own speed
//! changes more than what is measured. Numbers are events per second; a frame has one event here.

#![expect(clippy::print_stdout, reason = "printing is what this command is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures real time and starts its own server"
)]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use maitred::config::settings::Database;
use maitred::domain::event::{Claim, Consent, Event, Moment, Purpose, Redeem, View};
use maitred::domain::ids::{
    CampaignId, Chain, CouponId, DeviceId, FrameId, GatewayId, RedemptionId, ShortCode, StaffName,
    StoreId, StreamId, TapId, TouchpointCode, Vid,
};
use maitred::domain::text::Text;
use maitred::hq::db::{self, Delivery, Entry, Frame, IngestOutcome, Ledger, Place};
use maitred::hq::examine::examine;
use maitred::ops::tasks::Tasks;
use maitred::wire::batch::{Line, Time, TimeQuality, What};
use maitred::wire::frame::{self, BootTime, Contents};
use maitred::wire::link::Serves;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

#[path = "../support/postgres.rs"]
mod postgres;

/// As many as the ledger has writers.
const CONNECTIONS: usize = 3;

const ROUNDS: usize = 5;

/// A way in which gateways send.
struct Load {
    name: &'static str,
    gateways: usize,
    batch: usize,
    batches: usize,
}

const LOADS: [Load; 2] = [
    Load {
        name: "batches of 500 from 4 gateways",
        gateways: 4,
        batch: 500,
        batches: 60,
    },
    Load {
        name: "batches of 50 from 200 gateways",
        gateways: 200,
        batch: 50,
        batches: 12,
    },
];

/// What the ratios should be at least, by load.
const POSTGRES_GOALS: [f64; 2] = [0.6, 0.5];
const SQLITE_GOALS: [f64; 2] = [0.6, 0.6];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = postgres::Private::start(&[
        "shared_buffers=512MB",
        "max_wal_size=8GB",
        "checkpoint_timeout=1h",
        "wal_compression=lz4",
    ]);
    let dir = tempfile::tempdir().unwrap();
    println!(
        "{:<46}{:>12}{:>12}{:>8}{:>7}",
        "events per second, medians", "ledger", "bare", "ratio", "goal"
    );
    for (load, goal) in LOADS.iter().zip(POSTGRES_GOALS) {
        let rounds = (0..ROUNDS).map(|_| runtime.block_on(postgres_round(&database.server, load)));
        print(
            &format!("PostgreSQL, {}", load.name),
            &rounds.collect::<Vec<_>>(),
            goal,
        );
    }
    for (load, goal) in LOADS.iter().zip(SQLITE_GOALS) {
        let rounds = (0..ROUNDS).map(|_| runtime.block_on(sqlite_round(dir.path(), load)));
        print(
            &format!("SQLite, {}", load.name),
            &rounds.collect::<Vec<_>>(),
            goal,
        );
    }
}

/// Prints the medians; each pair is of one round.
fn print(name: &str, rounds: &[(f64, f64)], goal: f64) {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let ledger = median(rounds.iter().map(|round| round.0).collect());
    let bare = median(rounds.iter().map(|round| round.1).collect());
    let ratio = median(rounds.iter().map(|round| round.0 / round.1).collect());
    println!("{name:<46}{ledger:>12.0}{bare:>12.0}{ratio:>8.2}{goal:>7.2}");
}

/// Everything that is sent in a round, by gateway.
fn deliveries(load: &Load) -> Vec<Vec<Delivery>> {
    let one = |number: usize| {
        let gateway = u32::try_from(number).unwrap();
        let stream = StreamId(Uuid::from_u128(u128::from(gateway) + 1));
        let mut prev = Some(Chain::START);
        let mut delivery = |batch: usize| {
            let first = batch * load.batch;
            let lines = (first..first + load.batch).map(|place| line(number, place));
            let store = Serves::Store(store(number));
            let entries = examine(&store, lines.collect());
            let told = prev;
            prev = Some(entries.iter().fold(told.unwrap(), |chain, entry| {
                let frame = frame_of(entry);
                chain.after(frame.seq, frame.id, &frame.body)
            }));
            Delivery {
                gateway: GatewayId(gateway + 1),
                stream,
                received: now(),
                waiting: 0,
                prev: told,
                entries,
            }
        };
        (0..load.batches).map(&mut delivery).collect()
    };
    (0..load.gateways).map(one).collect()
}

fn frame_of(entry: &Entry) -> &Frame {
    match entry {
        Entry::Frame(frame) => frame,
        Entry::Gap { .. } => unreachable!("nothing is lost here"),
    }
}

fn now() -> Timestamp {
    "2026-12-01T20:30:00+08:00".parse().unwrap()
}

fn store(number: usize) -> StoreId {
    StoreId::parse(&format!("SZ{number:04}")).unwrap()
}

/// A gateway's line: ten events are the story of two diners, spread over the day's hours.
fn line(gateway: usize, place: usize) -> Line {
    let diner = u128::try_from((gateway * 1_000_000 + place) / 5).unwrap();
    let vid = Vid::from_entropy(
        (diner.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).to_be_bytes(),
    );
    let at = now() - SignedDuration::from_secs(i64::try_from(place * 7 % 30_000).unwrap());
    let moment = Moment {
        at,
        offset: Offset::constant(8),
    };
    let boot_time = BootTime {
        boot: 3,
        millis: place as u64,
    };
    let contents = Contents::of(store(gateway), boot_time, moment, event(place, diner, vid));
    let seq = place as u64 + 1;
    Line {
        seq,
        what: What::Frame {
            id: FrameId(Uuid::from_u128(((gateway as u128) << 64) | u128::from(seq))),
            time: Some(Time {
                unix_ms: at.as_millisecond(),
                quality: TimeQuality::Anchored,
            }),
            body: frame::encode(&contents),
        },
    }
}

fn event(place: usize, diner: u128, vid: Vid) -> Event {
    let coupon = CouponId::from_entropy(diner.to_be_bytes());
    let campaign = CampaignId::parse(if diner.is_multiple_of(3) {
        "welcome"
    } else {
        "quiet-hours"
    });
    let campaign = campaign.unwrap();
    let touchpoint = TouchpointCode::from_entropy(7);
    match place % 10 {
        1 | 6 => Event::Claim(Claim {
            coupon,
            code: ShortCode::parse("7K3F").unwrap(),
            campaign,
            touchpoint,
            tap: TapId::from_entropy(diner.to_be_bytes()),
            vid,
            not_before: now(),
            not_after: now() + SignedDuration::from_hours(168),
            gift: Text::new("凉拌黄瓜 1 份", "cucumber salad"),
            remember_until: now() + SignedDuration::from_hours(336),
            off_peak: true,
            given: false,
        }),
        2 => Event::Redeem(Redeem {
            redemption: RedemptionId::from_entropy(diner.to_be_bytes()),
            coupon,
            campaign,
            staff: StaffName::parse("lin").unwrap(),
            device: DeviceId::from_entropy([9; 16]),
            vid: Some(vid),
            remember_until: now() + SignedDuration::from_hours(336),
            off_peak: true,
            origin: None,
            home: None,
        }),
        7 => Event::ConsentGiven(Consent {
            vid,
            coupon,
            purpose: Purpose::Marketing,
            version: 1,
            words_hash: "0123456789abcdef".to_owned(),
            words: None,
        }),
        other => Event::TouchpointView(View {
            touchpoint: Some(touchpoint),
            campaign: Some(campaign),
            vid: other.is_multiple_of(4).then_some(vid),
            off_peak: true,
        }),
    }
}

/// Each gateway sends its batches one after the other and waits for every receipt.
async fn send_all(ledger: Arc<dyn Ledger>, deliveries: Vec<Vec<Delivery>>) -> f64 {
    let events: usize = deliveries
        .iter()
        .flatten()
        .map(|one| one.entries.len())
        .sum();
    let (tasks, began) = (Tasks::new(), Instant::now());
    let (done, mut all) = tokio::sync::mpsc::channel::<()>(1);
    for own in deliveries {
        let (ledger, done) = (Arc::clone(&ledger), done.clone());
        tasks.spawn("gateway", async move {
            for delivery in own {
                let outcome = ledger.ingest(delivery).await.unwrap();
                assert!(matches!(outcome, IngestOutcome::Taken(_)), "{outcome:?}");
            }
            drop(done);
        });
    }
    drop(done);
    tokio::select! {
        _ = all.recv() => {}
        () = tasks.stopping() => panic!("a gateway failed"),
    }
    rate(events, began)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(events: usize, began: Instant) -> f64 {
    events as f64 / began.elapsed().as_secs_f64()
}

async fn postgres_round(server: &postgres::Server, load: &Load) -> (f64, f64) {
    let deliveries = deliveries(load);
    let (admin, _tasks) = connect(&server.url("postgres")).await;
    for name in ["ledger", "bare"] {
        let drop = format!("drop database if exists {name} with (force)");
        admin.batch_execute(&drop).await.unwrap();
        admin
            .batch_execute(&format!("create database {name}"))
            .await
            .unwrap();
    }
    let flat: Vec<_> = deliveries.iter().flatten().cloned().collect();
    let bare = bare_copy(&server.url("bare"), flat).await;
    let database = Database {
        url: server.url("ledger"),
        ca: None,
    };
    let ledger = db::create(&Place::Database(database)).await.unwrap();
    warm_up(&ledger).await;
    (send_all(ledger, deliveries).await, bare)
}

/// Opens the connections and makes the coming week's parts of the tables, as a ledger does once a day.
async fn warm_up(ledger: &Arc<dyn Ledger>) {
    let load = Load {
        name: "warm-up",
        gateways: 60,
        batch: 1,
        batches: 1,
    };
    let mut sent = deliveries(&load);
    for (number, delivery) in sent.iter_mut().flatten().enumerate() {
        // Nobody else's stream.
        delivery.stream = StreamId(Uuid::from_u128(u128::MAX - number as u128));
    }
    send_all(Arc::clone(ledger), sent).await;
}

async fn connect(url: &str) -> (Client, Tasks) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let tasks = Tasks::new();
    tasks.spawn("connection", async {
        // Ends with its client; a fault shows there.
        connection.await.ok();
    });
    (client, tasks)
}

const BARE_TABLES: &str = "
    create table frame (stream integer, seq bigint, id uuid, store text, at bigint, tq smallint,
        body bytea, received timestamptz);
    create table event (stream integer, seq bigint, kind smallint, tq smallint, store text,
        at timestamptz, campaign text, coupon uuid, vid uuid, received timestamptz);";

async fn bare_copy(url: &str, deliveries: Vec<Delivery>) -> f64 {
    let events: usize = deliveries.iter().map(|one| one.entries.len()).sum();
    let (first, _tasks) = connect(url).await;
    first.batch_execute(BARE_TABLES).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(url).await);
    }
    let waiting = Arc::new(Mutex::new(deliveries.into_iter()));
    let (tasks, began) = (Tasks::new(), Instant::now());
    let (done, mut all) = tokio::sync::mpsc::channel::<()>(1);
    for (mut client, connection) in clients {
        let (waiting, done) = (Arc::clone(&waiting), done.clone());
        tasks.spawn("writer", async move {
            let next = || waiting.lock().unwrap().next();
            while let Some(delivery) = next() {
                copy(&mut client, &delivery).await;
            }
            drop((done, connection));
        });
    }
    drop(done);
    tokio::select! {
        _ = all.recv() => {}
        () = tasks.stopping() => panic!("a writer failed"),
    }
    rate(events, began)
}

async fn copy(client: &mut Client, delivery: &Delivery) {
    let stream = i32::try_from(delivery.gateway.0).unwrap();
    let tx = client.transaction().await.unwrap();
    let types = [
        Type::INT4,
        Type::INT8,
        Type::UUID,
        Type::TEXT,
        Type::INT8,
        Type::INT2,
        Type::BYTEA,
        Type::TIMESTAMPTZ,
    ];
    let sink = tx
        .copy_in("copy frame from stdin (format binary)")
        .await
        .unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for frame in delivery.entries.iter().map(frame_of) {
        writer
            .as_mut()
            .write(&[
                &stream,
                &i64::try_from(frame.seq).unwrap(),
                &frame.id.0,
                &frame.store.as_ref().map(StoreId::as_str),
                &frame.time.map(|time| time.unix_ms),
                &frame.time.map(|time| i16::from(time.quality as u8)),
                &frame.body,
                &delivery.received,
            ])
            .await
            .unwrap();
    }
    writer.finish().await.unwrap();
    let types = [
        Type::INT4,
        Type::INT8,
        Type::INT2,
        Type::INT2,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::UUID,
        Type::UUID,
        Type::TIMESTAMPTZ,
    ];
    let sink = tx
        .copy_in("copy event from stdin (format binary)")
        .await
        .unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for frame in delivery.entries.iter().map(frame_of) {
        for event in &frame.events {
            writer
                .as_mut()
                .write(&[
                    &stream,
                    &i64::try_from(frame.seq).unwrap(),
                    &i16::try_from(event.kind).unwrap(),
                    &i16::from(event.quality as u8),
                    &frame.store.as_ref().map(StoreId::as_str),
                    &event.at,
                    &event.campaign.as_ref().map(|id| id.as_str()),
                    &event.coupon.map(|id| Uuid::from_bytes(id.to_bytes())),
                    &event.vid.map(|id| Uuid::from_bytes(id.to_bytes())),
                    &delivery.received,
                ])
                .await
                .unwrap();
        }
    }
    writer.finish().await.unwrap();
    tx.commit().await.unwrap();
}

async fn sqlite_round(dir: &Path, load: &Load) -> (f64, f64) {
    let deliveries = deliveries(load);
    let round = tempfile::tempdir_in(dir).unwrap();
    let flat: Vec<_> = deliveries.iter().flatten().cloned().collect();
    let bare = bare_inserts(&round.path().join("bare.db"), &flat);
    let place = Place::Folder(round.path().to_owned());
    let ledger = db::create(&place).await.unwrap();
    warm_up(&ledger).await;
    (send_all(ledger, deliveries).await, bare)
}

fn bare_inserts(path: &Path, deliveries: &[Delivery]) -> f64 {
    let events: usize = deliveries.iter().map(|one| one.entries.len()).sum();
    let mut file = rusqlite::Connection::open(path).unwrap();
    file.pragma_update(None, "journal_mode", "wal").unwrap();
    file.pragma_update(None, "synchronous", "full").unwrap();
    file.execute_batch(
        "create table frame (stream blob, seq integer, id blob, store text, body blob,
             received integer, at integer, tq integer) strict;
         create table event (stream blob, seq integer, kind integer, store text, at integer,
             tq integer, campaign text, coupon blob, vid blob) strict;",
    )
    .unwrap();
    let began = Instant::now();
    for delivery in deliveries {
        let tx = file.transaction().unwrap();
        insert(&tx, delivery);
        tx.commit().unwrap();
    }
    rate(events, began)
}

fn insert(tx: &rusqlite::Transaction<'_>, delivery: &Delivery) {
    let frames = "insert into frame values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let events = "insert into event values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut frame_row = tx.prepare_cached(frames).unwrap();
    let mut event_row = tx.prepare_cached(events).unwrap();
    let stream = delivery.stream.0.as_bytes();
    for frame in delivery.entries.iter().map(frame_of) {
        let seq = i64::try_from(frame.seq).unwrap();
        let store = frame.store.as_ref().map(StoreId::as_str);
        frame_row
            .execute(rusqlite::params![
                stream,
                seq,
                frame.id.0.as_bytes(),
                store,
                frame.body,
                delivery.received.as_millisecond(),
                frame.time.map(|time| time.unix_ms),
                frame.time.map(|time| time.quality as u8),
            ])
            .unwrap();
        for event in &frame.events {
            event_row
                .execute(rusqlite::params![
                    stream,
                    seq,
                    event.kind,
                    store,
                    event.at.as_millisecond(),
                    event.quality as u8,
                    event.campaign.as_ref().map(|id| id.as_str()),
                    event.coupon.map(|id| id.to_bytes()),
                    event.vid.map(Vid::to_bytes),
                ])
                .unwrap();
        }
    }
}
