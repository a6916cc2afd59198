//! The access log, in PostgreSQL.

use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Answer, all, corrupt, run};
use crate::domain::sealed::Sealed;
use crate::hq::db::access::{Asked, Kept};

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

pub(super) async fn forget(db: &Object, before: Timestamp) -> Answer<u64> {
    let sql = "delete from access_log where received < $1";
    Ok(run(db, sql, &[&before]).await?)
}
