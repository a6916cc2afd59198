//! The access log, in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{corrupt, time, unsigned};
use crate::domain::ids::StoreId;
use crate::domain::sealed::Sealed;
use crate::hq::db::access::{Asked, Held, Kept};

pub(super) fn of(db: &Connection, asked: &Asked) -> rusqlite::Result<Vec<Kept>> {
    db.prepare_cached(
        "select at, sealed from access_log where store = ?1 and at >= ?2 and at < ?3 order by at, no",
    )?
    .query_map(
        params![
            asked.store.as_str(),
            asked.from.as_millisecond(),
            asked.to.as_millisecond()
        ],
        |row| {
            let sealed: String = row.get(1)?;
            Ok(Kept {
                at: time(row.get(0)?),
                sealed: Sealed::try_from(sealed).map_err(|error| corrupt(1, error))?,
            })
        },
    )?
    .collect()
}

/// None where nothing is kept.
pub(super) fn held(db: &Connection, store: &StoreId) -> rusqlite::Result<Option<Held>> {
    db.prepare_cached("select count(*), min(at), max(at) from access_log where store = ?1")?
        .query_row([store.as_str()], |row| {
            let span = row.get::<_, Option<i64>>(1)?.zip(row.get(2)?);
            let entries = unsigned(row.get(0)?);
            Ok(span.map(|(first, last)| Held {
                entries,
                first: time(first),
                last: time(last),
            }))
        })
}

pub(super) fn forget(db: &Connection, before: Timestamp) -> rusqlite::Result<usize> {
    db.execute(
        "delete from access_log where received < ?1",
        [before.as_millisecond()],
    )
}
