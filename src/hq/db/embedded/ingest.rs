//! Taking frames in: the one transaction that stores, counts and moves the marks.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    commands, members, people, persons, phones, signed, sisters, spots, stickers, streams, unsigned,
};
use crate::domain::ids::{FrameId, StoreId, Vid};
use crate::domain::uptake::Cell;
use crate::hq::db::IngestOutcome;
use crate::hq::db::row::Prepared;
use crate::hq::db::runs::{LONGEST, told};
use crate::hq::db::settle::{Families, Group, Held, Move, NewFrame, Settlement, reason};
use crate::hq::db::tally::{Sums, Tally};

/// Takes a group of deliveries, each of another stream.
pub(super) fn ingest(
    db: &mut Connection,
    deliveries: &[Prepared],
) -> rusqlite::Result<Vec<IngestOutcome>> {
    // Immediate: the marks that are read here must not move before they are written.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut standings = BTreeMap::new();
    for Prepared { delivery, .. } in deliveries {
        if let Some(known) = streams::of(&tx, delivery.stream)? {
            standings.insert(delivery.stream, known.standing);
        }
    }
    let mut families = Families::new();
    for Prepared { delivery, .. } in deliveries {
        families.insert(delivery.gateway, streams::family(&tx, delivery.gateway)?);
    }
    let group = Group::plan(deliveries.iter(), &standings, &families);
    let held = held(&tx, &group)?;
    let settlement = group.settle(&held);
    write(&tx, &settlement)?;
    tx.commit()?;
    Ok(settlement.outcomes)
}

fn held(tx: &Transaction<'_>, group: &Group<'_>) -> rusqlite::Result<Held> {
    let mut held = Held::default();
    let mut runs = tx.prepare_cached(
        "select first, ids from run where stream = ?1 and first > ?2 and first <= ?3",
    )?;
    for (stream, numbers) in group.questions() {
        let (least, most) = (numbers.first().copied(), numbers.last().copied());
        let (least, most) = (signed(least.unwrap_or(0)), signed(most.unwrap_or(0)));
        let from = least - signed(LONGEST);
        let mut rows = runs.query(params![stream.0.as_bytes(), from, most])?;
        while let Some(row) = rows.next()? {
            let stored = told(unsigned(row.get(0)?), row.get_ref(1)?.as_blob()?);
            held.numbers
                .extend(stored.map(|(seq, id)| ((stream, seq), id)));
        }
    }
    // Seldom, so a look through all of the gateway's is cheaper than an index for everybody's.
    let mut names = tx.prepare_cached("select ids from run where stream = ?1")?;
    for (_, family, asked) in group.names() {
        let asked: BTreeSet<FrameId> = asked.into_iter().collect();
        for stream in family {
            let mut rows = names.query([stream.0.as_bytes()])?;
            while let Some(row) = rows.next()? {
                let stored = told(0, row.get_ref(0)?.as_blob()?);
                held.names
                    .extend(stored.filter_map(|(_, id)| asked.get(&id)));
            }
        }
    }
    Ok(held)
}

fn write(tx: &Transaction<'_>, settlement: &Settlement<'_>) -> rusqlite::Result<()> {
    store(tx, &settlement.frames)?;
    let mut run_row =
        tx.prepare_cached("insert into run (stream, first, ids) values (?1, ?2, ?3)")?;
    for run in &settlement.runs {
        run_row.execute(params![run.stream.0.as_bytes(), signed(run.first), run.ids])?;
    }
    for gap in &settlement.gaps {
        tx.prepare_cached(
            "insert into gap (stream, first, last, why, received) values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            gap.stream.0.as_bytes(),
            signed(gap.hole.from),
            signed(gap.hole.to),
            reason(gap.hole.why),
            gap.received.as_millisecond(),
        ])?;
    }
    count(tx, &settlement.tally)?;
    for moved in &settlement.moves {
        move_mark(tx, moved)?;
    }
    sisters::hear(tx, settlement.uses.values())?;
    commands::notify(tx, &settlement.notices)?;
    for done in &settlement.commands_done {
        commands::record_outcome(tx, done)?;
    }
    for told in &settlement.told {
        stickers::record(tx, told)?;
    }
    members::hear(tx, &settlement.members)?;
    for (person, received) in &settlement.persons {
        persons::record(tx, person, *received)?;
    }
    for closing in &settlement.closings {
        streams::close(tx, closing.stream, closing.at)?;
    }
    for entry in &settlement.notes {
        people::note(tx, entry)?;
    }
    Ok(())
}

fn move_mark(tx: &Transaction<'_>, moved: &Move) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into stream (id, gateway, acked, chain, resent, waiting, updated)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (id) do update set acked = excluded.acked, chain = excluded.chain,
             resent = resent + excluded.resent, waiting = excluded.waiting,
             updated = excluded.updated",
    )?
    .execute(params![
        moved.stream.0.as_bytes(),
        moved.gateway.0,
        signed(moved.mark.acked),
        moved.mark.chain.map(|chain| chain.to_bytes()),
        signed(moved.resent),
        signed(moved.waiting),
        moved.received.as_millisecond(),
    ])?;
    Ok(())
}

/// Keeps the bytes, the events that could be read, and what could not be counted with its reason.
fn store(tx: &Transaction<'_>, frames: &[NewFrame<'_>]) -> rusqlite::Result<()> {
    let mut frame_row = tx.prepare_cached(
        "insert into frame (stream, seq, id, store, body, received, at, tq)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut event_row = tx.prepare_cached(
        "insert into event (stream, seq, kind, store, at, tq, campaign, coupon, vid)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut aside_row = tx.prepare_cached(
        "insert into quarantine (stream, seq, kind, code, reason, received)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for new in frames {
        let (stream, seq) = (new.stream.0.as_bytes(), signed(new.seq));
        let (id, received) = (new.id.0.as_bytes(), new.received.as_millisecond());
        let Some(frame) = new.frame else {
            let (none, no_body): (Option<i64>, &[u8]) = (None, &[]);
            frame_row.execute(params![
                stream, seq, id, none, no_body, received, none, none
            ])?;
            continue;
        };
        let store = frame.store.as_ref().map(StoreId::as_str);
        frame_row.execute(params![
            stream,
            seq,
            id,
            store,
            frame.kept_body(),
            received,
            frame.time.map(|time| time.unix_ms),
            frame.time.map(|time| time.quality as u8),
        ])?;
        for kept in &frame.access {
            tx.prepare_cached(
                "insert into access_log (store, at, received, sealed) values (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                store.unwrap_or_default(),
                kept.at.as_millisecond(),
                received,
                kept.sealed.as_str()
            ])?;
        }
        for phone in &frame.phones {
            phones::keep(tx, phone)?;
        }
        for event in &frame.events {
            event_row.execute(params![
                stream,
                seq,
                event.kind,
                store.unwrap_or_default(),
                event.at.as_millisecond(),
                event.quality as u8,
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

/// Adds a tally to the figures.
fn count(tx: &Transaction<'_>, tally: &Tally) -> rusqlite::Result<()> {
    for (cell, sums) in &tally.cells {
        add_to_cell(tx, cell, sums)?;
    }
    spots::count(tx, tally)?;
    for ((store, day), (people, came_back)) in new_people(tx, tally)? {
        tx.prepare_cached(
            "insert into figure_day (store, day, people, came_back) values (?1, ?2, ?3, ?4)
             on conflict (store, day) do update set
                 people = people + excluded.people, came_back = came_back + excluded.came_back",
        )?
        .execute(params![store.as_str(), day, people, came_back])?;
    }
    Ok(())
}

/// What is added to each store's day: people, and those of them who had been there before.
type People<'a> = BTreeMap<(&'a StoreId, String), (i64, i64)>;

/// Adds to the sets of diners.
fn new_people<'a>(tx: &Transaction<'_>, tally: &'a Tally) -> rusqlite::Result<People<'a>> {
    let mut people = People::new();
    let mut first =
        tx.prepare_cached("select min(day) from visit where store = ?1 and vid = ?2")?;
    let mut visit =
        tx.prepare_cached("insert or ignore into visit (store, vid, day) values (?1, ?2, ?3)")?;
    for (store, day, vid) in &tally.visits {
        let (vid, day) = (vid.to_bytes(), day.to_string());
        let before: Option<String> =
            first.query_row(params![store.as_str(), vid], |row| row.get(0))?;
        if visit.execute(params![store.as_str(), vid, day])? == 0 {
            continue;
        }
        // Of two days it is the later one that is not the first, whichever came first. Days of four-digit
        // years sort as text.
        let later = before.map(|before| before.max(day.clone()));
        people.entry((store, day)).or_default().0 += 1;
        if let Some(later) = later {
            people.entry((store, later)).or_default().1 += 1;
        }
    }
    Ok(people)
}

fn add_to_cell(tx: &Transaction<'_>, cell: &Cell, sums: &Sums) -> rusqlite::Result<()> {
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
    ] = sums;
    tx.prepare_cached(
        "insert into figure_hour values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         on conflict (store, hour, campaign) do update set
             came = came + excluded.came,
             claimed = claimed + excluded.claimed,
             consented = consented + excluded.consented,
             redeemed = redeemed + excluded.redeemed,
             refused = refused + excluded.refused,
             off_peak_came = off_peak_came + excluded.off_peak_came,
             off_peak_claimed = off_peak_claimed + excluded.off_peak_claimed,
             off_peak_redeemed = off_peak_redeemed + excluded.off_peak_redeemed,
             uncertain = uncertain + excluded.uncertain",
    )?
    .execute(params![
        cell.store.as_str(),
        super::hour(cell.hour),
        cell.campaign.as_ref().map_or("", |id| id.as_str()),
        came,
        claimed,
        consented,
        redeemed,
        refused,
        quiet_came,
        quiet_claimed,
        quiet_redeemed,
        uncertain,
    ])?;
    Ok(())
}
