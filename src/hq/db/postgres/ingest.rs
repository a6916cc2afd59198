//! Taking frames in: the one transaction that stores, counts and moves the marks of a row of deliveries.
//!
//! Locks are taken in one order in every transaction: streams by id, then gateways that get commands by id, then the
//! words on stickers, then those on guests and what they spent, then agreements by diner, then cells of figures by
//! key, then visits, then figures of places, then their diners, then
//! redemptions, each by key. So two writers, or two headquarters, wait for each other and never in a circle.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::{GenericClient, Pool};
use tokio_postgres::Statement;
use uuid::Uuid;

use super::copy::{self, Copy};
use super::partitions::Partitions;
use super::streams::{self, Known};
use super::writing::{Statements, Writing};
use super::{
    Answer, Sql, all, commands, figures_in, members, number, people, persons, phones, run, signed,
    sisters, spots, stickers, unsigned,
};
use crate::domain::ids::{FrameId, StoreId, StreamId};
use crate::hq::db::IngestOutcome;
use crate::hq::db::row::Prepared;
use crate::hq::db::runs::{LONGEST, Run, told};
use crate::hq::db::settle::{Families, Group, Held, Settlement, reason};

/// Frames of one gateway that may be stored twice are looked for by one transaction at a time. Any number that
/// nobody else pairs with a gateway in this database will do.
const MOVING: i32 = 0x6d6f_7665;

/// Takes a row of deliveries, each of another stream.
pub(super) async fn ingest(
    pool: &Pool,
    partitions: &Partitions,
    deliveries: &[Prepared],
) -> Answer<Vec<IngestOutcome>> {
    let mut client = pool.get().await?;
    for Prepared { delivery, .. } in deliveries {
        partitions.prepare(&mut client, delivery.received).await?;
    }
    let statements = Statements::of(&client).await?;
    let tx = Writing::over(client);
    let (known, families) = read(&tx, &statements, deliveries).await?;
    let standings = known.iter().map(|(id, known)| (*id, known.standing));
    let group = Group::plan(deliveries.iter(), &standings.collect(), &families);
    let held = held(tx.db(), &group, &known).await?;
    let settlement = group.settle(&held);
    write(&tx, &statements, &settlement, &known).await?;
    tx.done();
    Ok(settlement.outcomes)
}

/// Begins, locks the streams, and reads what else the plan needs: mostly in one go.
async fn read(
    tx: &Writing,
    statements: &Statements,
    deliveries: &[Prepared],
) -> Answer<(BTreeMap<StreamId, Known>, Families)> {
    let deliveries = || deliveries.iter().map(|prepared| &prepared.delivery);
    let owners: BTreeMap<_, _> = deliveries().map(|one| (one.stream, one.gateway)).collect();
    let gateways = deliveries().map(|one| one.gateway).collect();
    let families = || streams::families(tx.db(), &statements.families, &gateways);
    let ((), known, told) = tokio::try_join!(
        biased;
        async { Ok(tx.begin().await?) },
        streams::standing(tx.db(), &statements.lock, &owners),
        families(),
    )?;
    if known.len() == owners.len() {
        return Ok((known, told));
    }
    let now = deliveries().next().map(|one| one.received);
    let known = streams::lock(tx.db(), &owners, now.unwrap_or_default()).await?;
    Ok((known, families().await?))
}

async fn held(
    tx: &impl GenericClient,
    group: &Group<'_>,
    known: &BTreeMap<StreamId, Known>,
) -> Answer<Held> {
    let mut held = Held::default();
    for (stream, numbers) in group.questions() {
        let (least, most) = (numbers.first().copied(), numbers.last().copied());
        let (least, most) = (signed(least.unwrap_or(0)), signed(most.unwrap_or(0)));
        let from = least - signed(LONGEST);
        let sql = "select first, ids from run where stream = $1 and first > $2 and first <= $3";
        for row in all(tx, sql, &[&known[&stream].no, &from, &most]).await? {
            let stored = told(unsigned(row.get(0)), row.get(1));
            held.numbers
                .extend(stored.map(|(seq, id)| ((stream, seq), id)));
        }
    }
    // Two boxes from one image may bring the same frames in two streams at the same moment: whoever comes
    // second waits for the first to be done, and finds them. In one order, as everything is locked.
    let names = group.names();
    let gateways: BTreeSet<_> = names.iter().map(|(gateway, ..)| *gateway).collect();
    for gateway in gateways {
        let sql = "select pg_advisory_xact_lock($1, $2)";
        run(tx, sql, &[&MOVING, &number(gateway)]).await?;
    }
    // Seldom, so a look through all of the gateway's is cheaper than an index for everybody's.
    for (_, family, asked) in names {
        let family: Vec<Uuid> = family.iter().map(|stream| stream.0).collect();
        let asked: BTreeSet<FrameId> = asked.into_iter().collect();
        let sql = "select ids from run join stream on stream.no = run.stream
                   where stream.id = any($1)";
        for row in all(tx, sql, &[&family]).await? {
            let stored = told(0, row.get(0));
            held.names
                .extend(stored.filter_map(|(_, id)| asked.get(&id)));
        }
    }
    Ok(held)
}

async fn write(
    tx: &Writing,
    statements: &Statements,
    settlement: &Settlement<'_>,
    known: &BTreeMap<StreamId, Known>,
) -> Answer<()> {
    let frames = settlement.frames.iter();
    let frames: Vec<_> = frames.map(|new| (known[&new.stream].no, new)).collect();
    let aside = copy::put_aside(&frames);
    if !aside.is_empty() {
        let statement = tx.db().prepare_cached(copy::ASIDE).await?;
        Copy::begin(tx.db(), &statement, aside)
            .await?
            .finish()
            .await?;
    }
    write_seldom(tx.db(), settlement, known).await?;
    let copy = Copy::begin(tx.db(), &statements.frames, copy::frames(&frames)).await?;
    let ((), copy) = tokio::try_join!(
        biased;
        copy.finish(),
        Copy::begin(tx.db(), &statements.events, copy::events(&frames)),
    )?;
    let tally = &settlement.tally;
    // None needs another's answer, so all go out at once, and are done in this order.
    tokio::try_join!(
        biased;
        copy.finish(),
        figures_in::add_figures(tx.db(), &statements.figures, tally),
        figures_in::add_visits(tx.db(), &statements.visits, tally),
        spots::add_spots(tx.db(), &statements.spots, tally),
        spots::add_patrons(tx.db(), &statements.patrons, tally),
        sisters::hear(tx.db(), &statements.uses, &settlement.uses),
        add_runs(tx.db(), &statements.runs, &settlement.runs, known),
        streams::move_marks(tx.db(), &statements.marks, &settlement.moves, known),
        tx.commit(),
    )?;
    Ok(())
}

/// Says which frames are stored under which numbers.
pub(super) const RUNS: &str = "insert into run (stream, first, ids, received)
     select * from unnest($1::integer[], $2::bigint[], $3::bytea[], $4::timestamptz[])";

async fn add_runs(
    tx: &impl GenericClient,
    statement: &Statement,
    runs: &[Run],
    known: &BTreeMap<StreamId, Known>,
) -> Sql<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let streams: Vec<i32> = runs.iter().map(|run| known[&run.stream].no).collect();
    let firsts: Vec<i64> = runs.iter().map(|run| signed(run.first)).collect();
    let ids: Vec<&[u8]> = runs.iter().map(|run| run.ids.as_slice()).collect();
    let received: Vec<_> = runs.iter().map(|run| run.received).collect();
    tx.execute(statement, &[&streams, &firsts, &ids, &received])
        .await
        .map(drop)
}

/// What most deliveries do not bring.
async fn write_seldom(
    tx: &impl GenericClient,
    settlement: &Settlement<'_>,
    known: &BTreeMap<StreamId, Known>,
) -> Answer<()> {
    for gap in &settlement.gaps {
        run(
            tx,
            "insert into gap (stream, first, last, why, received) values ($1, $2, $3, $4, $5)",
            &[
                &known[&gap.stream].no,
                &signed(gap.hole.from),
                &signed(gap.hole.to),
                &reason(gap.hole.why),
                &gap.received,
            ],
        )
        .await?;
    }
    commands::notify(tx, &settlement.notices).await?;
    for done in &settlement.commands_done {
        commands::record_outcome(tx, done).await?;
    }
    for told in &settlement.told {
        stickers::record(tx, told).await?;
    }
    members::hear(tx, &settlement.members).await?;
    for new in &settlement.frames {
        let kept = new.frame.iter().flat_map(|frame| &frame.access);
        let store = new.frame.and_then(|frame| frame.store.as_ref());
        for kept in kept {
            run(
                tx,
                "insert into access_log (store, at, received, sealed) values ($1, $2, $3, $4)",
                &[
                    &store.map_or("", StoreId::as_str),
                    &kept.at,
                    &new.received,
                    &kept.sealed.as_str(),
                ],
            )
            .await?;
        }
    }
    let frames = settlement.frames.iter().filter_map(|new| new.frame);
    for phone in frames.flat_map(|frame| &frame.phones) {
        phones::keep(tx, phone).await?;
    }
    for (person, received) in &settlement.persons {
        persons::record(tx, person, *received).await?;
    }
    for closing in &settlement.closings {
        streams::close(tx, known[&closing.stream].no, closing.at).await?;
    }
    people::note(tx, &settlement.notes).await
}
