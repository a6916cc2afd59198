//! Administrators, their sessions, and the audit.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::time;
use crate::hq::db::{AuditEntry, NewSession, SessionHash};

pub(super) fn add_admin(db: &Connection, login: &str, hash: &str) -> rusqlite::Result<()> {
    db.execute(
        "insert into admin (login, hash) values (?1, ?2)
         on conflict (login) do update set hash = excluded.hash",
        params![login, hash],
    )?;
    Ok(())
}

pub(super) fn admin_password_hash(
    db: &Connection,
    login: &str,
) -> rusqlite::Result<Option<String>> {
    db.query_row("select hash from admin where login = ?1", [login], |row| {
        row.get(0)
    })
    .optional()
}

pub(super) fn open_session(db: &mut Connection, session: &NewSession) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    // Sessions that are over leave with the next one that begins.
    tx.execute(
        "delete from session where expires <= ?1",
        [session.now.as_millisecond()],
    )?;
    tx.execute(
        "insert into session (hash, login, expires) values (?1, ?2, ?3)",
        params![
            session.hash,
            session.login,
            session.expires.as_millisecond()
        ],
    )?;
    let entry = AuditEntry::new(session.now, "signed_in", &session.login, "");
    note(&tx, &entry)?;
    tx.commit()
}

pub(super) fn session(
    db: &Connection,
    hash: SessionHash,
    now: Timestamp,
) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("select login from session where hash = ?1 and expires > ?2")?
        .query_row(params![hash, now.as_millisecond()], |row| row.get(0))
        .optional()
}

pub(super) fn close_session(db: &Connection, hash: SessionHash) -> rusqlite::Result<()> {
    db.execute("delete from session where hash = ?1", [hash])?;
    Ok(())
}

pub(super) fn note(db: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    db.prepare_cached("insert into audit (at, action, object, detail) values (?1, ?2, ?3, ?4)")?
        .execute(params![
            entry.at.as_millisecond(),
            entry.action,
            entry.object,
            entry.detail
        ])?;
    Ok(())
}

pub(super) fn audit(db: &Connection, count: u32) -> rusqlite::Result<Vec<AuditEntry>> {
    db.prepare_cached("select at, action, object, detail from audit order by id desc limit ?1")?
        .query_map([count], |row| {
            Ok(AuditEntry {
                at: time(row.get(0)?),
                action: row.get(1)?,
                object: row.get(2)?,
                detail: row.get(3)?,
            })
        })?
        .collect()
}
