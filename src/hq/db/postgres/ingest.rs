//! Taking frames in: the one transaction that stores, counts and moves the marks of a row of deliveries.
//!
//! Locks are taken in one order in every transaction: streams by id, then cells of figures by key, then
//! visits by key. So two writers, or two headquarters, wait for each other and never in a circle.

use std::collections::BTreeMap;

use deadpool_postgres::{GenericClient, Pool};
use uuid::Uuid;

use super::copy::{self, Copy};
use super::partitions::Partitions;
use super::streams::{self, Known};
use super::writing::{Statements, Writing};
use super::{Answer, all, figures_in, people, run, signed, unsigned};
use crate::domain::ids::{FrameId, StreamId};
use crate::hq::db::settle::{Families, Group, Held, Settlement, reason};
use crate::hq::db::{Delivery, IngestOutcome};

/// Takes a row of deliveries, each of another stream.
pub(super) async fn ingest(
    pool: &Pool,
    partitions: &Partitions,
    deliveries: &[Delivery],
) -> Answer<Vec<IngestOutcome>> {
    let mut client = pool.get().await?;
    for delivery in deliveries {
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
    deliveries: &[Delivery],
) -> Answer<(BTreeMap<StreamId, Known>, Families)> {
    let owners = deliveries.iter().map(|one| (one.stream, one.gateway));
    let owners: BTreeMap<_, _> = owners.collect();
    let gateways = deliveries.iter().map(|one| one.gateway).collect();
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
    let now = deliveries.first().map(|one| one.received);
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
        let numbers: Vec<i64> = numbers.into_iter().map(signed).collect();
        let sql = "select seq, id from frame where stream = $1 and seq = any($2)";
        for row in all(tx, sql, &[&known[&stream].no, &numbers]).await? {
            let number = (stream, unsigned(row.get(0)));
            held.numbers.insert(number, FrameId(row.get(1)));
        }
    }
    // Seldom, so a look through the gateway's frames is cheaper than an index for everybody's.
    for (family, names) in group.names() {
        let family: Vec<Uuid> = family.iter().map(|stream| stream.0).collect();
        let names: Vec<Uuid> = names.into_iter().map(|name| name.0).collect();
        let sql = "select frame.id from frame join stream on stream.no = frame.stream
                   where stream.id = any($1) and frame.id = any($2)";
        let rows = all(tx, sql, &[&family, &names]).await?;
        held.names
            .extend(rows.iter().map(|row| FrameId(row.get(0))));
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
        streams::move_marks(tx.db(), &statements.marks, &settlement.moves, known),
        tx.commit(),
    )?;
    Ok(())
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
    for closing in &settlement.closings {
        streams::close(tx, known[&closing.stream].no, closing.at).await?;
    }
    people::note(tx, &settlement.notes).await
}
