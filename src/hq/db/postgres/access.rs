//! The access log, in PostgreSQL.

use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Answer, all, corrupt, maybe, run, unsigned};
use crate::domain::ids::StoreId;
use crate::domain::sealed::Sealed;
use crate::hq::db::access::{Asked, Held, Kept};

pub(super) async fn of(db: &Object, asked: &Asked) -> Answer<Vec<Kept>> {
    let sql = "select at, sealed from access_log where store = $1 and at >= $2 and at < $3 order by at, no";
    let rows = all(db, sql, &[&asked.store.as_str(), &asked.from, &asked.to]).await?;
    let kept = |row: &Row| {
        Ok(Kept {
            at: row.get(0),
            sealed: Sealed::try_from(row.get::<_, String>(1)).map_err(corrupt)?,
        })
    };
    rows.iter().map(kept).collect()
}

/// None where nothing is kept.
pub(super) async fn held(db: &Object, store: &StoreId) -> Answer<Option<Held>> {
    let sql = "select count(*), min(at), max(at) from access_log
               where store = $1 having count(*) > 0";
    let row = maybe(db, sql, &[&store.as_str()]).await?;
    Ok(row.map(|row| Held {
        entries: unsigned(row.get(0)),
        first: row.get(1),
        last: row.get(2),
    }))
}

pub(super) async fn forget(db: &Object, before: Timestamp) -> Answer<u64> {
    let sql = "delete from access_log where received < $1";
    Ok(run(db, sql, &[&before]).await?)
}
