//! Words on stickers and walks, in SQLite.

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::{corrupt, people, time, unsigned};
use crate::domain::ids::{BindingId, GatewayId, StaffName, StoreId};
use crate::domain::stickers::WalkFinished;
use crate::hq::db::stickers::{KEPT, NewTold, Walked, Word};

pub(super) fn record(tx: &Transaction<'_>, told: &NewTold) -> rusqlite::Result<()> {
    if let Some(word) = told.word() {
        insert(tx, &word)?;
    }
    if let Some(walked) = told.walk() {
        keep_walk(tx, &walked)?;
    }
    Ok(())
}

/// An operator's word.
pub(super) fn say(db: &mut Connection, word: &Word) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    insert(&tx, word)?;
    people::note(&tx, &word.audit())?;
    tx.commit()
}

fn insert(tx: &Transaction<'_>, word: &Word) -> rusqlite::Result<()> {
    let (said, who, gateway) = word.columns();
    let (kind, label) = said.unzip();
    tx.prepare_cached(
        "insert or ignore into sticker_word (id, store, code, kind, label, who, gateway, at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        word.id.to_bytes(),
        word.store.as_str(),
        word.code.as_str(),
        kind,
        label,
        who,
        gateway.map(|gateway| gateway.0),
        word.at.as_millisecond(),
    ])?;
    tx.prepare_cached(
        "delete from sticker_word where code = ?1 and store = ?2 and number <= (
             select number from sticker_word where code = ?1 and store = ?2
             order by number desc limit 1 offset ?3)",
    )?
    .execute(params![word.code.as_str(), word.store.as_str(), KEPT])?;
    Ok(())
}

fn keep_walk(tx: &Transaction<'_>, walked: &Walked) -> rusqlite::Result<()> {
    let WalkFinished {
        staff,
        places,
        found,
        missing,
        wrong,
        doubled,
    } = &walked.found;
    tx.prepare_cached(
        "insert into walk (store, at, who, places, found, missing, wrong, doubled)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         on conflict (store) do update set at = excluded.at, who = excluded.who,
             places = excluded.places, found = excluded.found, missing = excluded.missing,
             wrong = excluded.wrong, doubled = excluded.doubled
         where excluded.at >= walk.at",
    )?
    .execute(params![
        walked.store.as_str(),
        walked.at.as_millisecond(),
        staff.as_str(),
        places,
        found,
        missing,
        wrong,
        doubled,
    ])?;
    Ok(())
}

pub(super) fn last_word(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "select coalesce(max(number), 0) from sticker_word";
    db.prepare_cached(sql)?
        .query_row([], |row| row.get(0).map(unsigned))
}

pub(super) fn words(db: &Connection) -> rusqlite::Result<Vec<Word>> {
    db.prepare_cached(
        "select store, code, id, kind, label, who, gateway, at from sticker_word order by number",
    )?
    .query_map([], word)?
    .collect()
}

fn word(row: &Row<'_>) -> rusqlite::Result<Word> {
    let text = |column: usize| {
        row.get_ref(column)?
            .as_str()
            .map_err(|error| corrupt(column, error))
    };
    let may_be = |column: usize| {
        let text = row.get_ref(column)?.as_str_or_null();
        text.map_err(|error| corrupt(column, error))
    };
    let gateway: Option<u32> = row.get(6)?;
    Word::from_columns(
        (text(0)?, text(1)?, BindingId::from_entropy(row.get(2)?)),
        (may_be(3)?, may_be(4)?),
        (text(5)?, gateway.map(GatewayId)),
        time(row.get(7)?),
    )
    .ok_or_else(|| corrupt(1, "no word on a sticker"))
}

pub(super) fn walks(db: &Connection) -> rusqlite::Result<Vec<Walked>> {
    db.prepare_cached(
        "select store, at, who, places, found, missing, wrong, doubled from walk order by store",
    )?
    .query_map([], |row| {
        let (store, who): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(Walked {
            store: StoreId::parse(&store).map_err(|error| corrupt(0, error))?,
            at: time(row.get(1)?),
            found: WalkFinished {
                staff: StaffName::parse(&who).map_err(|error| corrupt(2, error))?,
                places: row.get(3)?,
                found: row.get(4)?,
                missing: row.get(5)?,
                wrong: row.get(6)?,
                doubled: row.get(7)?,
            },
        })
    })?
    .collect()
}
