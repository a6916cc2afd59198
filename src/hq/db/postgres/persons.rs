//! Agreements and requests to be forgotten, in PostgreSQL.

use std::collections::BTreeSet;

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Answer, all, commands, corrupt, gateway_id, members, phones, run, unsigned};
use crate::domain::ids::{StoreId, Vid};
use crate::hq::db::persons::{
    Agreed, Erasure, News, OF_A_GUEST, Open, PersonNews, Unanswered, passed_on,
};
use crate::hq::db::settle::NewNotice;
use crate::wire::frame::forget;
use crate::wire::link::Serves;

/// A command that names the diner of an erasure.
const TOLD: &str = "command.kind = 'erase_person'
    and position(replace(erasure.vid::text, '-', '') in command.details) > 0";

pub(super) async fn record(
    tx: &impl GenericClient,
    person: &PersonNews,
    received: Timestamp,
) -> Answer<()> {
    let (store, at) = (person.store.as_str(), person.at);
    match &person.news {
        News::Agreed(consent) => {
            run(
                tx,
                "insert into consent (vid, store, version, hash, at) values ($1, $2, $3, $4, $5)
                 on conflict (vid) do update set store = excluded.store,
                     version = excluded.version, hash = excluded.hash, at = excluded.at,
                     withdrawn = case when consent.withdrawn >= excluded.at then consent.withdrawn end
                 where excluded.at >= consent.at",
                &[
                    &uuid(consent.vid),
                    &store,
                    &i64::from(consent.version),
                    &consent.words_hash,
                    &at,
                ],
            )
            .await?
        }
        News::Withdrew(vid) => {
            run(
                tx,
                "insert into consent (vid, store, version, hash, at, withdrawn)
                 values ($1, $2, 0, '', 'epoch', $3)
                 on conflict (vid) do update set withdrawn = excluded.withdrawn
                 where excluded.withdrawn >= consent.at",
                &[&uuid(*vid), &store, &at],
            )
            .await?
        }
        News::Erase(erased) => {
            run(
                tx,
                "insert into erasure (vid, instead, store, asked, heard)
                 values ($1, $2, $3, $4, $5) on conflict (vid) do nothing",
                &[
                    &uuid(erased.vid),
                    &uuid(erased.instead),
                    &store,
                    &at,
                    &received,
                ],
            )
            .await?
        }
    };
    Ok(())
}

/// Who of these has asked to be forgotten.
pub(super) async fn erased_of(
    tx: &impl GenericClient,
    guests: impl Iterator<Item = Vid>,
) -> Answer<BTreeSet<Vid>> {
    let guests: Vec<Uuid> = guests.map(uuid).collect();
    if guests.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = all(
        tx,
        "select vid from erasure where vid = any($1)",
        &[&guests],
    )
    .await?;
    Ok(rows.iter().map(|row| person(row.get(0))).collect())
}

/// Those that are not closed, with how many boxes have answered.
async fn open(db: &impl GenericClient) -> Answer<Vec<Open>> {
    let sql = format!(
        "select no, vid, instead, heard, swept, done,
                (select count(*) from command where {TOLD}),
                (select count(*) from command join gateway on gateway.id = command.gateway
                 where {TOLD} and (outcome is not null or revoked is not null))
         from erasure where vid is not null order by no"
    );
    let rows = all(db, &sql, &[]).await?;
    let open = |row: &Row| Open {
        no: row.get(0),
        vid: person(row.get(1)),
        instead: person(row.get(2)),
        heard: row.get(3),
        swept: row.get(4),
        before: row.get(5),
        boxes: row.get(6),
        done: row.get(7),
    };
    Ok(rows.iter().map(open).collect())
}

pub(super) async fn sweep(db: &mut Object, now: Timestamp) -> Answer<usize> {
    let mut swept = 0;
    for one in open(db).await? {
        if one.is_due(now) {
            go_through(db, &one, now).await?;
            swept += 1;
        } else if one.may_close() {
            close(db, &one).await?;
        }
    }
    Ok(swept)
}

/// Locks in the order of `ingest`: the gateways that are told, then their commands, then guests, then people, and
/// then what nobody else changes.
async fn go_through(db: &mut Object, one: &Open, now: Timestamp) -> Answer<()> {
    let tx = db.transaction().await?;
    let found = all(
        &tx,
        "select stream, seq, received, coalesce(store, ''), body from frame
         where position(convert_to($1, 'UTF8') in body) > 0",
        &[&one.vid.to_string()],
    )
    .await?;
    let mut stores: Vec<String> = found.iter().map(|row| row.get(3)).collect();
    stores.sort_unstable();
    stores.dedup();
    tell(&tx, one, &stores, now).await?;
    unsay(&tx, one).await?;
    members::forget(&tx, one.vid).await?;
    phones::forget(&tx, one.vid).await?;
    rename(&tx, one, &stores, now).await?;
    for row in &found {
        let (stream, seq, received): (i32, i64, Timestamp) = (row.get(0), row.get(1), row.get(2));
        let body = forget(row.get(4), one.vid, one.instead);
        run(
            &tx,
            "update frame set body = $4 where stream = $1 and seq = $2 and received = $3",
            &[&stream, &seq, &received, &body],
        )
        .await?;
    }
    let frames = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let sql = format!(
        "update erasure set swept = $2, done = $3, frames = frames + $4,
             boxes = (select count(*) from command where {TOLD}) where no = $1"
    );
    run(&tx, &sql, &[&one.no, &now, &one.done, &frames]).await?;
    tx.commit().await?;
    Ok(())
}

/// Tells the boxes of stores that have known them.
async fn tell(
    tx: &impl GenericClient,
    one: &Open,
    stores: &[String],
    now: Timestamp,
) -> Answer<()> {
    let stores = stores.iter().filter_map(|store| StoreId::parse(store).ok());
    let notices: Vec<_> = stores
        .map(|store| passed_on(Serves::Store(store), &one.request(), now))
        .collect();
    let new: Vec<_> = notices
        .iter()
        .map(|notice| NewNotice {
            notice,
            received: now,
        })
        .collect();
    commands::notify(tx, &new).await
}

/// Has what boxes are told of coupons call them by the other name, and nobody be told of a VIP or of what they said
/// any more.
async fn unsay(tx: &impl GenericClient, one: &Open) -> Answer<()> {
    for table in ["command", "notice"] {
        let sql = format!(
            "update {table} set details = replace(details, $1, $2)
             where kind = 'know_coupon' and position($1 in details) > 0"
        );
        let names = (one.vid.to_string(), one.instead.to_string());
        run(tx, &sql, &[&names.0, &names.1]).await?;
    }
    for kind in OF_A_GUEST {
        let_go(tx, kind, one.vid).await?;
    }
    Ok(())
}

/// Whoever enrols later is not told what a kind of command says of them, and those that were given say nothing of
/// anybody: a box passes over them. They keep their numbers, because a box may have dealt with one already.
async fn let_go(tx: &impl GenericClient, kind: &str, vid: Vid) -> Answer<()> {
    for sql in [
        "update command set details = null where kind = $1 and position($2 in details) > 0",
        "delete from notice where kind = $1 and position($2 in details) > 0",
    ] {
        run(tx, sql, &[&kind, &vid.to_string()]).await?;
    }
    Ok(())
}

/// Has every row call them by the other name.
async fn rename(
    tx: &impl GenericClient,
    one: &Open,
    stores: &[String],
    now: Timestamp,
) -> Answer<()> {
    let (own, instead) = (uuid(one.vid), uuid(one.instead));
    let twice =
        "delete from consent where vid = $1 and exists (select from consent where vid = $2)";
    run(tx, twice, &[&own, &instead]).await?;
    let sql = "update consent set vid = $2, withdrawn = coalesce(withdrawn, $3) where vid = $1";
    run(tx, sql, &[&own, &instead, &now]).await?;
    // What a late frame brings again may be there under the other name already.
    for (table, others) in [
        ("visit_day", "day"),
        ("person_first", "day"),
        ("patron", "day, place"),
    ] {
        let known = "store = any($1) and vid = $2";
        let add = format!(
            "insert into {table} (store, vid, {others})
             select store, $3, {others} from {table} where {known} on conflict do nothing"
        );
        run(tx, &add, &[&stores, &own, &instead]).await?;
        let gone = format!("delete from {table} where {known}");
        run(tx, &gone, &[&stores, &own]).await?;
    }
    let sql = "update event set vid = $2 where vid = $1";
    run(tx, sql, &[&own, &instead]).await?;
    Ok(())
}

/// The last places with their name forget it.
async fn close(db: &mut Object, one: &Open) -> Answer<()> {
    let tx = db.transaction().await?;
    let_go(&tx, "erase_person", one.vid).await?;
    run(
        &tx,
        "update erasure set vid = null where no = $1",
        &[&one.no],
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn erasures(db: &Object) -> Answer<Vec<Erasure>> {
    let sql =
        "select no, store, asked, swept, frames, boxes, done, vid is null from erasure order by no";
    let rows = all(db, sql, &[]).await?;
    let erasure = |row: &Row| {
        Ok(Erasure {
            number: unsigned(row.get(0)),
            store: StoreId::parse(row.get(1)).map_err(corrupt)?,
            asked: row.get(2),
            swept: row.get(3),
            frames: unsigned(row.get(4)),
            boxes: unsigned(row.get(5)),
            done: unsigned(row.get(6)),
            is_closed: row.get(7),
        })
    };
    rows.iter().map(erasure).collect()
}

pub(super) async fn unanswered(db: &Object) -> Answer<Vec<Unanswered>> {
    let sql = "select erasure.no, command.gateway, command.made from erasure
               join command on command.kind = 'erase_person' and command.coupon = erasure.instead
               join gateway on gateway.id = command.gateway
               where erasure.vid is not null and outcome is null and revoked is null
               order by erasure.no, command.gateway";
    let rows = all(db, sql, &[]).await?;
    let one = |row: &Row| Unanswered {
        erasure: unsigned(row.get(0)),
        gateway: gateway_id(row.get(1)),
        told: row.get(2),
    };
    Ok(rows.iter().map(one).collect())
}

pub(super) async fn agreed(db: &Object) -> Answer<Vec<Agreed>> {
    let sql = "select version, hash, count(*) filter (where withdrawn is null), count(withdrawn)
               from consent group by version, hash order by version, hash";
    let rows = all(db, sql, &[]).await?;
    let agreed = |row: &Row| Agreed {
        version: unsigned(row.get(0)),
        words_hash: row.get(1),
        standing: unsigned(row.get(2)),
        withdrawn: unsigned(row.get(3)),
    };
    Ok(rows.iter().map(agreed).collect())
}

const fn uuid(vid: Vid) -> Uuid {
    Uuid::from_bytes(vid.to_bytes())
}

const fn person(id: Uuid) -> Vid {
    Vid::from_entropy(id.into_bytes())
}
