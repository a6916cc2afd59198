//! Taking frames in: the one transaction that stores, counts and moves the marks of a row of deliveries.
//!
//! Locks are taken in one order in every transaction: streams by id, then cells of figures by key, then
//! visits by key. So two writers, or two headquarters, wait for each other and never in a circle.

use std::collections::BTreeMap;

use deadpool_postgres::{Pool, Transaction};
use jiff::civil::{Date, DateTime};
use uuid::Uuid;

use super::partitions::Partitions;
use super::streams::{self, Known};
use super::{Answer, Sql, all, copy, people, run, signed, unsigned};
use crate::domain::ids::{FrameId, StreamId, Vid};
use crate::hq::db::settle::{Group, Held, Settlement, reason};
use crate::hq::db::tally::{COLUMNS, Tally};
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
    let tx = client.transaction().await?;
    let owners = deliveries.iter().map(|one| (one.stream, one.gateway));
    let now = deliveries
        .first()
        .map(|one| one.received)
        .unwrap_or_default();
    let known = streams::lock(&tx, &owners.collect(), now).await?;
    let standings = known.iter().map(|(id, known)| (*id, known.standing));
    let gateways = deliveries.iter().map(|one| one.gateway).collect();
    let families = streams::families(&tx, &gateways).await?;
    let group = Group::plan(deliveries.iter(), &standings.collect(), &families);
    let held = held(&tx, &group, &known).await?;
    let settlement = group.settle(&held);
    write(&tx, &settlement, &known).await?;
    tx.commit().await?;
    Ok(settlement.outcomes)
}

async fn held(
    tx: &Transaction<'_>,
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
    tx: &Transaction<'_>,
    settlement: &Settlement<'_>,
    known: &BTreeMap<StreamId, Known>,
) -> Answer<()> {
    let frames = settlement.frames.iter();
    let frames: Vec<_> = frames.map(|new| (known[&new.stream].no, new)).collect();
    copy::frames(tx, &frames).await?;
    copy::events(tx, &frames).await?;
    copy::put_aside(tx, &frames).await?;
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
    // None needs another's answer, so all three go out at once, and are done in this order. A COPY does
    // not go with them: one that fails would take the connection along.
    tokio::try_join!(
        biased;
        add_figures(tx, &settlement.tally),
        add_visits(tx, &settlement.tally),
        move_marks(tx, settlement, known),
    )?;
    for closing in &settlement.closings {
        streams::close(tx, known[&closing.stream].no, closing.at).await?;
    }
    people::note(tx, &settlement.notes).await
}

async fn move_marks(
    tx: &Transaction<'_>,
    settlement: &Settlement<'_>,
    known: &BTreeMap<StreamId, Known>,
) -> Sql<()> {
    let moves = &settlement.moves;
    if moves.is_empty() {
        return Ok(());
    }
    let no: Vec<i32> = moves.iter().map(|one| known[&one.stream].no).collect();
    let acked: Vec<i64> = moves.iter().map(|one| signed(one.mark.acked)).collect();
    let chains: Vec<Option<Vec<u8>>> = moves
        .iter()
        .map(|one| one.mark.chain.map(|chain| chain.to_bytes().to_vec()))
        .collect();
    let resent: Vec<i64> = moves.iter().map(|one| signed(one.resent)).collect();
    let waiting: Vec<i64> = moves.iter().map(|one| signed(one.waiting)).collect();
    let received: Vec<_> = moves.iter().map(|one| one.received).collect();
    run(
        tx,
        "update stream set acked = moved.acked, chain = moved.chain,
             resent = stream.resent + moved.resent, waiting = moved.waiting,
             updated = moved.received
         from unnest($1::integer[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[],
             $6::timestamptz[]) as moved (no, acked, chain, resent, waiting, received)
         where stream.no = moved.no",
        &[&no, &acked, &chains, &resent, &waiting, &received],
    )
    .await
    .map(drop)
}

/// Adds to the figures. The tally is in the order of the keys.
async fn add_figures(tx: &Transaction<'_>, tally: &Tally) -> Sql<()> {
    if tally.cells.is_empty() {
        return Ok(());
    }
    let stores: Vec<&str> = tally.cells.keys().map(|cell| cell.store.as_str()).collect();
    let hours: Vec<DateTime> = tally.cells.keys().map(|cell| cell.hour).collect();
    let campaign = |id: Option<&crate::domain::ids::CampaignId>| {
        id.map_or_else(String::new, |id| id.as_str().to_owned())
    };
    let campaigns: Vec<String> = tally
        .cells
        .keys()
        .map(|cell| campaign(cell.campaign.as_ref()))
        .collect();
    let column =
        |place: usize| -> Vec<i64> { tally.cells.values().map(|sums| sums[place]).collect() };
    let sums: [Vec<i64>; COLUMNS] = std::array::from_fn(column);
    let [
        came,
        claimed,
        consented,
        redeemed,
        refused,
        quiet_came,
        quiet_claimed,
        quiet_redeemed,
        uncertain,
    ] = &sums;
    run(
        tx,
        "insert into figure_hour
         select * from unnest($1::text[], $2::timestamp[], $3::text[], $4::bigint[], $5::bigint[],
             $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
             $12::bigint[])
         on conflict (store, hour, campaign) do update set
             came = figure_hour.came + excluded.came,
             claimed = figure_hour.claimed + excluded.claimed,
             consented = figure_hour.consented + excluded.consented,
             redeemed = figure_hour.redeemed + excluded.redeemed,
             refused = figure_hour.refused + excluded.refused,
             off_peak_came = figure_hour.off_peak_came + excluded.off_peak_came,
             off_peak_claimed = figure_hour.off_peak_claimed + excluded.off_peak_claimed,
             off_peak_redeemed = figure_hour.off_peak_redeemed + excluded.off_peak_redeemed,
             uncertain = figure_hour.uncertain + excluded.uncertain",
        &[
            &stores,
            &hours,
            &campaigns,
            came,
            claimed,
            consented,
            redeemed,
            refused,
            quiet_came,
            quiet_claimed,
            quiet_redeemed,
            uncertain,
        ],
    )
    .await
    .map(drop)
}

/// Adds to the sets of diners; who was seen that day before is in both of them already.
async fn add_visits(tx: &Transaction<'_>, tally: &Tally) -> Sql<()> {
    if tally.visits.is_empty() {
        return Ok(());
    }
    let uuid = |vid: &Vid| Uuid::from_bytes(vid.to_bytes());
    let stores: Vec<&str> = tally
        .visits
        .iter()
        .map(|(store, ..)| store.as_str())
        .collect();
    let days: Vec<Date> = tally.visits.iter().map(|(_, day, _)| *day).collect();
    let vids: Vec<Uuid> = tally.visits.iter().map(|(.., vid)| uuid(vid)).collect();
    run(
        tx,
        "with new as (
             insert into visit_day (store, day, vid)
             select * from unnest($1::text[], $2::date[], $3::uuid[])
             on conflict do nothing returning store, day, vid
         )
         insert into person_first (store, vid, day)
         select store, vid, min(day) from new group by store, vid order by store, vid
         on conflict (store, vid) do update set day = excluded.day
         where excluded.day < person_first.day",
        &[&stores, &days, &vids],
    )
    .await
    .map(drop)
}
