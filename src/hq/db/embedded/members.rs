//! Guests of stores, in SQLite.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{commands, corrupt, people, time, unsigned};
use crate::domain::ids::{StoreId, Vid};
use crate::hq::db::members::{Assembly, Imported, Member, MemberTally, Reached, Seen};
use crate::hq::db::settle::NewNotice;

/// Writes what events say of guests.
pub(super) fn hear(tx: &Transaction<'_>, tally: &MemberTally) -> rusqlite::Result<()> {
    for ((store, vid, about), word) in &tally.words {
        tx.prepare_cached(
            "insert into member_word (store, vid, about, value, at) values (?1, ?2, ?3, ?4, ?5)
             on conflict (store, vid, about) do update set value = excluded.value, at = excluded.at
             where excluded.at > member_word.at
                 or excluded.at = member_word.at and excluded.value is null",
        )?
        .execute(params![
            store.as_str(),
            vid.to_bytes(),
            about.name(),
            word.value,
            word.at.as_millisecond(),
        ])?;
    }
    for (redemption, (store, spent)) in &tally.spent {
        tx.prepare_cached(
            "insert into spending (redemption, store, vid, fen, undone) values (?1, ?2, ?3, ?4, ?5)
             on conflict (redemption) do update set vid = coalesce(excluded.vid, vid),
                 fen = coalesce(excluded.fen, fen), undone = max(excluded.undone, undone)",
        )?
        .execute(params![
            redemption.to_bytes(),
            store.as_str(),
            spent.vid.map(Vid::to_bytes),
            spent.fen,
            spent.is_undone,
        ])?;
    }
    Ok(())
}

/// The guests of a store.
pub(super) fn of_store(db: &mut Connection, store: &StoreId) -> rusqlite::Result<Vec<Member>> {
    // One look at all of it: what comes in between would make a guest of two moments.
    let tx = db.transaction()?;
    let mut guests = Assembly::default();
    let mut visits = tx.prepare_cached(
        "select vid, count(*), min(day), max(day) from visit where store = ?1 group by vid",
    )?;
    let mut rows = visits.query([store.as_str()])?;
    while let Some(row) = rows.next()? {
        let day = |column: usize| {
            let text: String = row.get(column)?;
            text.parse().map_err(|error| corrupt(column, error))
        };
        let seen = Seen {
            days: row.get(1)?,
            first: day(2)?,
            last: day(3)?,
        };
        guests.seen(Vid::from_entropy(row.get(0)?), seen);
    }
    let mut words =
        tx.prepare_cached("select vid, about, value, at from member_word where store = ?1")?;
    let mut rows = words.query([store.as_str()])?;
    while let Some(row) = rows.next()? {
        let (about, value): (String, Option<String>) = (row.get(1)?, row.get(2)?);
        let word = (value.as_deref(), time(row.get(3)?));
        if !guests.word(Vid::from_entropy(row.get(0)?), &about, word) {
            return Err(corrupt(1, "no word on a guest"));
        }
    }
    let mut withdrawn = tx.prepare_cached(
        "select elsewhere.vid, max(elsewhere.at) from member_word own
         join member_word elsewhere on elsewhere.vid = own.vid and elsewhere.about = 'withdrawn'
         where own.store = ?1 and own.about = 'consent' group by elsewhere.vid",
    )?;
    let mut rows = withdrawn.query([store.as_str()])?;
    while let Some(row) = rows.next()? {
        guests.withdrew(Vid::from_entropy(row.get(0)?), time(row.get(1)?));
    }
    let mut spent = tx.prepare_cached(
        "select vid, sum(fen) from spending
         where store = ?1 and vid is not null and fen is not null and not undone group by vid",
    )?;
    let mut rows = spent.query([store.as_str()])?;
    while let Some(row) = rows.next()? {
        guests.spent(Vid::from_entropy(row.get(0)?), unsigned(row.get(1)?));
    }
    let mut reached =
        tx.prepare_cached("select vid, at from reach where store = ?1 order by at")?;
    let mut rows = reached.query([store.as_str()])?;
    while let Some(row) = rows.next()? {
        guests.reached(Vid::from_entropy(row.get(0)?), time(row.get(1)?));
    }
    Ok(guests.finish())
}

/// Takes in a list of members as a whole.
pub(super) fn import(db: &mut Connection, imported: &Imported) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    hear(&tx, &imported.tally())?;
    for row in &imported.rows {
        let Some(phone) = &row.phone else { continue };
        tx.prepare_cached(
            "insert into member_import (store, phone, vid, since, consents, at)
             values (?1, ?2, ?3, ?4, ?5, ?6)
             on conflict (store, phone) do update set vid = coalesce(excluded.vid, vid),
                 since = excluded.since, consents = excluded.consents, at = excluded.at",
        )?
        .execute(params![
            imported.store.as_str(),
            phone,
            row.vid.map(Vid::to_bytes),
            imported.since(row).to_string(),
            row.consents,
            imported.at.as_millisecond(),
        ])?;
    }
    let notices = imported.notices();
    let received = imported.at;
    let new: Vec<_> = notices
        .iter()
        .map(|notice| NewNotice { notice, received })
        .collect();
    commands::notify(&tx, &new)?;
    people::note(&tx, &imported.audit())?;
    tx.commit()
}

/// Writes down who was written to.
pub(super) fn reach(db: &mut Connection, reached: &[Reached]) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for one in reached {
        tx.prepare_cached(
            "insert or ignore into reach (store, vid, at, list) values (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            one.store.as_str(),
            one.vid.to_bytes(),
            one.at.as_millisecond(),
            one.list,
        ])?;
    }
    tx.commit()
}

/// Forgets a guest. What their parties paid stays, and is nobody's; so does a phone's hash of a list of before
/// that no guest was found for, because nobody can tell whose it is.
pub(super) fn forget(tx: &Transaction<'_>, vid: Vid) -> rusqlite::Result<()> {
    for sql in [
        "delete from member_word where vid = ?1",
        "update spending set vid = null where vid = ?1",
        "delete from reach where vid = ?1",
        "delete from member_import where vid = ?1",
    ] {
        tx.execute(sql, [vid.to_bytes()])?;
    }
    Ok(())
}
