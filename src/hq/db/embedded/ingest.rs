//! Taking frames in: the one transaction that stores, counts and moves the mark.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{people, signed, streams};
use crate::domain::ids::{StoreId, Vid};
use crate::domain::uptake::{Cell, Fact, Step};
use crate::hq::db::{AuditEntry, Delivery, Frame, IngestOutcome, Taken};

/// One column of `figure_hour` per step.
const STEPS: usize = 8;

pub(super) fn ingest(db: &mut Connection, delivery: &Delivery) -> rusqlite::Result<IngestOutcome> {
    // Immediate: the mark that is read here must not move before it is written.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let acked = match streams::of(&tx, delivery.stream)? {
        Some(stream) if stream.owner != delivery.gateway => {
            let what = format!("stream {} of {}", delivery.stream, stream.owner);
            let entry = AuditEntry::new(
                delivery.received,
                "stream_foreign",
                &delivery.gateway,
                &what,
            );
            people::note(&tx, &entry)?;
            tx.commit()?;
            return Ok(IngestOutcome::ForeignStream);
        }
        Some(stream) => stream.acked,
        None => 0,
    };
    let first = delivery.frames.first().map_or(acked + 1, |frame| frame.seq);
    if first > acked + 1 {
        return Ok(IngestOutcome::Expected { acked });
    }
    let (resent, fresh): (Vec<_>, Vec<_>) =
        delivery.frames.iter().partition(|frame| frame.seq <= acked);
    let taken = Taken {
        acked: fresh.last().map_or(acked, |frame| frame.seq),
        fresh: fresh.len() as u64,
        resent: resent.len() as u64,
        put_aside: fresh
            .iter()
            .flat_map(|frame| frame.put_aside.iter().map(|aside| (frame.seq, aside.code)))
            .collect(),
    };
    store(&tx, delivery, &fresh)?;
    count(&tx, fresh.iter().flat_map(|frame| &frame.facts))?;
    move_mark(&tx, delivery, &taken)?;
    tx.commit()?;
    Ok(IngestOutcome::Taken(taken))
}

fn move_mark(tx: &Transaction<'_>, delivery: &Delivery, taken: &Taken) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into stream (id, gateway, acked, resent, waiting, updated)
         values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (id) do update set acked = excluded.acked, resent = resent + excluded.resent,
             waiting = excluded.waiting, updated = excluded.updated",
    )?
    .execute(params![
        delivery.stream.0.as_bytes(),
        delivery.gateway.0,
        signed(taken.acked),
        signed(taken.resent),
        signed(
            delivery
                .waiting
                .saturating_sub(delivery.frames.len() as u64)
        ),
        delivery.received.as_millisecond(),
    ])?;
    tx.prepare_cached("update gateway set last_seen = ?2 where id = ?1")?
        .execute(params![
            delivery.gateway.0,
            delivery.received.as_millisecond(),
        ])?;
    Ok(())
}

/// Keeps the bytes, the events that could be read, and what could not be counted with its reason.
fn store(tx: &Transaction<'_>, delivery: &Delivery, frames: &[&Frame]) -> rusqlite::Result<()> {
    let stream = delivery.stream.0.as_bytes();
    let received = delivery.received.as_millisecond();
    let mut frame_row = tx.prepare_cached(
        "insert into frame (stream, seq, id, store, body, received) values (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut event_row = tx.prepare_cached(
        "insert into event (stream, seq, kind, store, at, campaign, coupon, vid)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut aside_row = tx.prepare_cached(
        "insert into quarantine (stream, seq, kind, code, reason, received)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for frame in frames {
        let seq = signed(frame.seq);
        let store = frame.store.as_ref().map(StoreId::as_str);
        let id = frame.id.0.as_bytes();
        frame_row.execute(params![stream, seq, id, store, frame.body, received])?;
        for event in &frame.events {
            event_row.execute(params![
                stream,
                seq,
                event.kind,
                store.unwrap_or_default(),
                event.at.as_millisecond(),
                event.campaign.as_ref().map(|id| id.as_str()),
                event.coupon.map(|id| id.to_bytes()),
                event.vid.map(Vid::to_bytes),
            ])?;
        }
        for aside in &frame.put_aside {
            aside_row.execute(params![
                stream,
                seq,
                aside.kind,
                aside.code,
                aside.reason,
                received
            ])?;
        }
    }
    Ok(())
}

/// Adds facts to the figures: sums first, so that a batch touches each row once.
fn count<'a>(tx: &Transaction<'_>, facts: impl Iterator<Item = &'a Fact>) -> rusqlite::Result<()> {
    let mut sums: BTreeMap<&Cell, [i64; STEPS]> = BTreeMap::new();
    let mut visits = BTreeSet::new();
    for fact in facts {
        match fact {
            Fact::Add { cell, step, by } => sums.entry(cell).or_default()[column(*step)] += by,
            Fact::Visit { store, vid, day } => {
                visits.insert((store, *vid, *day));
            }
        }
    }
    for (cell, sum) in sums {
        add_to_cell(tx, cell, &sum)?;
    }
    for (store, vid, day) in visits {
        let (vid, day) = (vid.to_bytes(), day.to_string());
        tx.prepare_cached("insert or ignore into visit_day (store, day, vid) values (?1, ?2, ?3)")?
            .execute(params![store.as_str(), day, vid])?;
        tx.prepare_cached(
            "insert into person_first (store, vid, day) values (?1, ?2, ?3)
             on conflict (store, vid) do update set day = min(day, excluded.day)",
        )?
        .execute(params![store.as_str(), vid, day])?;
    }
    Ok(())
}

fn add_to_cell(tx: &Transaction<'_>, cell: &Cell, sum: &[i64; STEPS]) -> rusqlite::Result<()> {
    let [
        came,
        claimed,
        consented,
        redeemed,
        refused,
        quiet_came,
        quiet_claimed,
        quiet_redeemed,
    ] = sum;
    tx.prepare_cached(
        "insert into figure_hour values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         on conflict (store, hour, campaign) do update set
             came = came + excluded.came,
             claimed = claimed + excluded.claimed,
             consented = consented + excluded.consented,
             redeemed = redeemed + excluded.redeemed,
             refused = refused + excluded.refused,
             off_peak_came = off_peak_came + excluded.off_peak_came,
             off_peak_claimed = off_peak_claimed + excluded.off_peak_claimed,
             off_peak_redeemed = off_peak_redeemed + excluded.off_peak_redeemed",
    )?
    .execute(params![
        cell.store.as_str(),
        cell.hour.strftime("%Y-%m-%dT%H").to_string(),
        cell.campaign.as_ref().map_or("", |id| id.as_str()),
        came,
        claimed,
        consented,
        redeemed,
        refused,
        quiet_came,
        quiet_claimed,
        quiet_redeemed,
    ])?;
    Ok(())
}

const fn column(step: Step) -> usize {
    match step {
        Step::Came => 0,
        Step::Claimed => 1,
        Step::Consented => 2,
        Step::Redeemed => 3,
        Step::Refused => 4,
        Step::OffPeakCame => 5,
        Step::OffPeakClaimed => 6,
        Step::OffPeakRedeemed => 7,
    }
}
