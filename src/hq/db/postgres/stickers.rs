//! Words on stickers and walks, in PostgreSQL.

use deadpool_postgres::{GenericClient, Object};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Answer, all, corrupt, gateway_id, number, one, people, run, unsigned};
use crate::domain::ids::{BindingId, StaffName, StoreId};
use crate::domain::stickers::WalkFinished;
use crate::hq::db::stickers::{KEPT, NewTold, Walked, Word};

/// Words are numbered in the order in which they are committed: whoever has seen a number has seen all before
/// it. Any number that nobody else uses in this database will do.
const SAYING: i64 = 0x7374_6963_6b65;

pub(super) async fn record(tx: &impl GenericClient, told: &NewTold) -> Answer<()> {
    if let Some(word) = told.word() {
        insert(tx, &word).await?;
    }
    if let Some(walked) = told.walk() {
        keep_walk(tx, &walked).await?;
    }
    Ok(())
}

/// An operator's word.
pub(super) async fn say(db: &mut Object, word: &Word) -> Answer<()> {
    let tx = db.transaction().await?;
    insert(&tx, word).await?;
    people::note(&tx, &[word.audit()]).await?;
    tx.commit().await?;
    Ok(())
}

async fn insert(tx: &impl GenericClient, word: &Word) -> Answer<()> {
    run(tx, "select pg_advisory_xact_lock($1)", &[&SAYING]).await?;
    let (said, who, gateway) = word.columns();
    let (kind, label) = said.unzip();
    run(
        tx,
        "insert into sticker_word (id, store, code, kind, label, who, gateway, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing",
        &[
            &Uuid::from_bytes(word.id.to_bytes()),
            &word.store.as_str(),
            &word.code.as_str(),
            &kind,
            &label,
            &who,
            &gateway.map(number),
            &word.at,
        ],
    )
    .await?;
    run(
        tx,
        "delete from sticker_word where code = $1 and store = $2 and number <= (
             select number from sticker_word where code = $1 and store = $2
             order by number desc limit 1 offset $3)",
        &[&word.code.as_str(), &word.store.as_str(), &i64::from(KEPT)],
    )
    .await?;
    Ok(())
}

async fn keep_walk(tx: &impl GenericClient, walked: &Walked) -> Answer<()> {
    let WalkFinished {
        staff,
        places,
        found,
        missing,
        wrong,
        doubled,
    } = &walked.found;
    let counts = [places, found, missing, wrong, doubled].map(|count| signed(*count));
    run(
        tx,
        "insert into walk (store, at, who, places, found, missing, wrong, doubled)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (store) do update set at = excluded.at, who = excluded.who,
             places = excluded.places, found = excluded.found, missing = excluded.missing,
             wrong = excluded.wrong, doubled = excluded.doubled
         where excluded.at >= walk.at",
        &[
            &walked.store.as_str(),
            &walked.at,
            &staff.as_str(),
            &counts[0],
            &counts[1],
            &counts[2],
            &counts[3],
            &counts[4],
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn last_word(db: &Object) -> Answer<u64> {
    let sql = "select coalesce(max(number), 0) from sticker_word";
    Ok(unsigned(one(db, sql, &[]).await?.get(0)))
}

pub(super) async fn words(db: &Object) -> Answer<Vec<Word>> {
    let sql =
        "select store, code, id, kind, label, who, gateway, at from sticker_word order by number";
    all(db, sql, &[]).await?.iter().map(word).collect()
}

fn word(row: &Row) -> Answer<Word> {
    let id: Uuid = row.get(2);
    let gateway: Option<i32> = row.get(6);
    Word::from_columns(
        (
            row.get(0),
            row.get(1),
            BindingId::from_entropy(id.into_bytes()),
        ),
        (row.get(3), row.get(4)),
        (row.get(5), gateway.map(gateway_id)),
        row.get(7),
    )
    .ok_or_else(|| corrupt("a word on a sticker"))
}

pub(super) async fn walks(db: &Object) -> Answer<Vec<Walked>> {
    let sql =
        "select store, at, who, places, found, missing, wrong, doubled from walk order by store";
    let walk = |row: &Row| {
        Ok(Walked {
            store: StoreId::parse(row.get(0)).map_err(corrupt)?,
            at: row.get(1),
            found: WalkFinished {
                staff: StaffName::parse(row.get(2)).map_err(corrupt)?,
                places: count(row, 3),
                found: count(row, 4),
                missing: count(row, 5),
                wrong: count(row, 6),
                doubled: count(row, 7),
            },
        })
    };
    all(db, sql, &[]).await?.iter().map(walk).collect()
}

fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn count(row: &Row, column: usize) -> u32 {
    u32::try_from(row.get::<_, i32>(column)).unwrap_or_default()
}
