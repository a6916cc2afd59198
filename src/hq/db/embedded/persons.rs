//! Agreements and requests to be forgotten, in SQLite.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{commands, corrupt, members, phones, time, unsigned};
use crate::domain::ids::{GatewayId, StoreId, Vid};
use crate::hq::db::persons::{
    Agreed, Erasure, News, OF_A_GUEST, Open, PersonNews, Unanswered, passed_on,
};
use crate::hq::db::settle::NewNotice;
use crate::wire::frame::forget;
use crate::wire::link::Serves;

/// So many rows are gone through at a time: what comes in meanwhile does not wait for all of them.
pub(super) const STRIDE: i64 = 20_000;

/// A command that names the diner of an erasure.
const TOLD: &str =
    "command.kind = 'erase_person' and instr(command.details, lower(hex(erasure.vid))) > 0";

pub(super) fn record(
    tx: &Transaction<'_>,
    person: &PersonNews,
    received: Timestamp,
) -> rusqlite::Result<()> {
    let at = person.at.as_millisecond();
    match &person.news {
        News::Agreed(consent) => tx
            .prepare_cached(
                "insert into consent (vid, store, version, hash, at) values (?1, ?2, ?3, ?4, ?5)
                 on conflict (vid) do update set store = excluded.store,
                     version = excluded.version, hash = excluded.hash, at = excluded.at,
                     withdrawn = case when withdrawn >= excluded.at then withdrawn end
                 where excluded.at >= consent.at",
            )?
            .execute(params![
                consent.vid.to_bytes(),
                person.store.as_str(),
                consent.version,
                consent.words_hash,
                at
            ])?,
        News::Withdrew(vid) => tx
            .prepare_cached(
                "insert into consent (vid, store, version, hash, at, withdrawn)
                 values (?1, ?2, 0, '', 0, ?3)
                 on conflict (vid) do update set withdrawn = excluded.withdrawn
                 where excluded.withdrawn >= consent.at",
            )?
            .execute(params![vid.to_bytes(), person.store.as_str(), at])?,
        News::Erase(erased) => tx
            .prepare_cached(
                "insert or ignore into erasure (vid, instead, store, asked, heard)
                 values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                erased.vid.to_bytes(),
                erased.instead.to_bytes(),
                person.store.as_str(),
                at,
                received.as_millisecond()
            ])?,
    };
    Ok(())
}

/// Who of these has asked to be forgotten.
pub(super) fn erased_of(
    tx: &Transaction<'_>,
    guests: impl Iterator<Item = Vid>,
) -> rusqlite::Result<BTreeSet<Vid>> {
    let mut asked = tx.prepare_cached("select 1 from erasure where vid = ?1")?;
    let mut erased = BTreeSet::new();
    for guest in guests {
        if asked.exists([guest.to_bytes()])? {
            erased.insert(guest);
        }
    }
    Ok(erased)
}

/// Those that are not closed, with how many boxes have answered.
pub(super) fn open(db: &Connection) -> rusqlite::Result<Vec<Open>> {
    db.prepare_cached(&format!(
        "select no, vid, instead, heard, swept, done,
                (select count(*) from command where {TOLD}),
                (select count(*) from command join gateway on gateway.id = command.gateway
                 where {TOLD} and (outcome is not null or revoked is not null))
         from erasure where vid is not null order by no"
    ))?
    .query_map([], |row| {
        Ok(Open {
            no: row.get(0)?,
            vid: Vid::from_entropy(row.get(1)?),
            instead: Vid::from_entropy(row.get(2)?),
            heard: time(row.get(3)?),
            swept: row.get::<_, Option<i64>>(4)?.map(time),
            before: row.get(5)?,
            boxes: row.get(6)?,
            done: row.get(7)?,
        })
    })?
    .collect()
}

/// Goes through the next rows after `from`; none where there are no more.
pub(super) fn sweep_some(
    db: &mut Connection,
    one: &Open,
    from: i64,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let to = from + STRIDE;
    let name = one.vid.to_string();
    let found: Vec<(i64, String, Vec<u8>)> = tx
        .prepare_cached(
            "select rowid, coalesce(store, ''), body from frame
             where rowid > ?1 and rowid <= ?2 and instr(body, cast(?3 as blob)) > 0",
        )?
        .query_map(params![from, to, name], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (rowid, store, body) in &found {
        tx.prepare_cached("update frame set body = ?2 where rowid = ?1")?
            .execute(params![rowid, forget(body, one.vid, one.instead)])?;
        if let Ok(store) = StoreId::parse(store) {
            rename_in(&tx, one, &store, now)?;
        }
    }
    tx.prepare_cached("update event set vid = ?4 where rowid > ?1 and rowid <= ?2 and vid = ?3")?
        .execute(params![
            from,
            to,
            one.vid.to_bytes(),
            one.instead.to_bytes()
        ])?;
    tx.prepare_cached("update erasure set frames = frames + ?2 where no = ?1")?
        .execute(params![one.no, found.len()])?;
    let last: Option<i64> = tx.query_row(
        "select max((select max(rowid) from frame), (select max(rowid) from event))",
        [],
        |row| row.get(0),
    )?;
    tx.commit()?;
    Ok(last.filter(|last| *last > to).map(|_| to))
}

/// A store that has known them: its sets of people, and its boxes.
fn rename_in(
    tx: &Transaction<'_>,
    one: &Open,
    store: &StoreId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for table in ["visit", "patron"] {
        let sql = format!("update or replace {table} set vid = ?3 where store = ?1 and vid = ?2");
        tx.prepare_cached(&sql)?.execute(params![
            store.as_str(),
            one.vid.to_bytes(),
            one.instead.to_bytes()
        ])?;
    }
    let notice = passed_on(Serves::Store(store.clone()), &one.request(), now);
    let new = NewNotice {
        notice: &notice,
        received: now,
    };
    commands::notify(tx, &[new])
}

/// What is kept of one that was gone through.
pub(super) fn swept(db: &mut Connection, one: &Open, now: Timestamp) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute(
        "update or replace consent set vid = ?2, withdrawn = coalesce(withdrawn, ?3) where vid = ?1",
        params![
            one.vid.to_bytes(),
            one.instead.to_bytes(),
            now.as_millisecond()
        ],
    )?;
    for table in ["command", "notice"] {
        let sql = format!(
            "update {table} set details = replace(details, ?1, ?2)
             where kind = 'know_coupon' and instr(details, ?1) > 0"
        );
        tx.execute(&sql, [one.vid.to_string(), one.instead.to_string()])?;
    }
    for kind in OF_A_GUEST {
        let_go(&tx, kind, one.vid)?;
    }
    members::forget(&tx, one.vid)?;
    phones::forget(&tx, one.vid)?;
    tx.execute(
        &format!(
            "update erasure set swept = ?2, done = ?3,
                 boxes = (select count(*) from command where {TOLD}) where no = ?1"
        ),
        params![one.no, now.as_millisecond(), one.done],
    )?;
    tx.commit()
}

/// Whoever enrols later is not told what a kind of command says of them, and those that were given say nothing of
/// anybody: a box passes over them. They keep their numbers, because a box may have dealt with one already.
fn let_go(tx: &Transaction<'_>, kind: &str, vid: Vid) -> rusqlite::Result<()> {
    for sql in [
        "update command set details = null where kind = ?1 and instr(details, ?2) > 0",
        "delete from notice where kind = ?1 and instr(details, ?2) > 0",
    ] {
        tx.execute(sql, [kind, &vid.to_string()])?;
    }
    Ok(())
}

/// The last places with their name forget it.
pub(super) fn close(db: &mut Connection, one: &Open) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let_go(&tx, "erase_person", one.vid)?;
    tx.execute("update erasure set vid = null where no = ?1", [one.no])?;
    tx.commit()
}

pub(super) fn erasures(db: &Connection) -> rusqlite::Result<Vec<Erasure>> {
    db.prepare_cached(
        "select no, store, asked, swept, frames, boxes, done, vid is null from erasure order by no",
    )?
    .query_map([], |row| {
        let store: String = row.get(1)?;
        Ok(Erasure {
            number: unsigned(row.get(0)?),
            store: StoreId::parse(&store).map_err(|error| corrupt(1, error))?,
            asked: time(row.get(2)?),
            swept: row.get::<_, Option<i64>>(3)?.map(time),
            frames: unsigned(row.get(4)?),
            boxes: unsigned(row.get(5)?),
            done: unsigned(row.get(6)?),
            is_closed: row.get(7)?,
        })
    })?
    .collect()
}

pub(super) fn unanswered(db: &Connection) -> rusqlite::Result<Vec<Unanswered>> {
    db.prepare_cached(
        "select erasure.no, command.gateway, command.made from erasure
         join command on command.kind = 'erase_person' and command.coupon = erasure.instead
         join gateway on gateway.id = command.gateway
         where erasure.vid is not null and outcome is null and revoked is null
         order by erasure.no, command.gateway",
    )?
    .query_map([], |row| {
        Ok(Unanswered {
            erasure: unsigned(row.get(0)?),
            gateway: GatewayId(row.get(1)?),
            told: time(row.get(2)?),
        })
    })?
    .collect()
}

pub(super) fn agreed(db: &Connection) -> rusqlite::Result<Vec<Agreed>> {
    db.prepare_cached(
        "select version, hash, count(*) filter (where withdrawn is null), count(withdrawn)
         from consent group by version, hash order by version, hash",
    )?
    .query_map([], |row| {
        Ok(Agreed {
            version: unsigned(row.get(0)?),
            words_hash: row.get(1)?,
            standing: unsigned(row.get(2)?),
            withdrawn: unsigned(row.get(3)?),
        })
    })?
    .collect()
}
