//! Administrators, their sessions, and the audit.

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;

use super::{Answer, all, maybe, run, text};
use crate::hq::db::{AuditEntry, NewSession, SessionHash};

pub(super) async fn add_admin(db: &Object, login: &str, hash: &str) -> Answer<()> {
    run(
        db,
        "insert into admin (login, hash) values ($1, $2)
         on conflict (login) do update set hash = excluded.hash",
        &[&text(login), &hash],
    )
    .await?;
    Ok(())
}

pub(super) async fn admin_password_hash(db: &Object, login: &str) -> Answer<Option<String>> {
    let sql = "select hash from admin where login = $1";
    let found = maybe(db, sql, &[&text(login)]).await?;
    Ok(found.map(|row| row.get(0)))
}

pub(super) async fn open_session(db: &mut Object, session: &NewSession) -> Answer<()> {
    let tx = db.transaction().await?;
    // Sessions that are over leave with the next one that begins.
    run(
        &tx,
        "delete from session where expires <= $1",
        &[&session.now],
    )
    .await?;
    run(
        &tx,
        "insert into session (hash, login, expires) values ($1, $2, $3)",
        &[
            &session.hash.as_slice(),
            &text(&session.login),
            &session.expires,
        ],
    )
    .await?;
    let entry = AuditEntry::new(session.now, "signed_in", &session.login, "");
    note(&tx, &[entry]).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn session(
    db: &Object,
    hash: SessionHash,
    now: Timestamp,
) -> Answer<Option<String>> {
    let sql = "select login from session where hash = $1 and expires > $2";
    let found = maybe(db, sql, &[&hash.as_slice(), &now]).await?;
    Ok(found.map(|row| row.get(0)))
}

pub(super) async fn close_session(db: &Object, hash: SessionHash) -> Answer<()> {
    let sql = "delete from session where hash = $1";
    run(db, sql, &[&hash.as_slice()]).await?;
    Ok(())
}

pub(super) async fn note(db: &impl GenericClient, entries: &[AuditEntry]) -> Answer<()> {
    for entry in entries {
        run(
            db,
            "insert into audit (at, action, object, detail) values ($1, $2, $3, $4)",
            &[
                &entry.at,
                &entry.action,
                &text(&entry.object),
                &text(&entry.detail),
            ],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn audit(db: &Object, count: u32) -> Answer<Vec<AuditEntry>> {
    let sql = "select at, action, object, detail from audit order by id desc limit $1";
    let rows = all(db, sql, &[&i64::from(count)]).await?;
    let entry = |row: &tokio_postgres::Row| AuditEntry {
        at: row.get(0),
        action: row.get(1),
        object: row.get(2),
        detail: row.get(3),
    };
    Ok(rows.iter().map(entry).collect())
}
