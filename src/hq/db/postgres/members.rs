//! Guests of stores, in PostgreSQL.

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{Answer, all, commands, corrupt, people, run, text, unsigned};
use crate::domain::ids::{StoreId, Vid};
use crate::hq::db::members::{Assembly, Imported, Member, MemberTally, Reached, Seen};
use crate::hq::db::settle::NewNotice;

/// Writes what events say of guests, in the order of their keys.
pub(super) async fn hear(tx: &impl GenericClient, tally: &MemberTally) -> Answer<()> {
    if !tally.words.is_empty() {
        let keys = tally.words.keys();
        let stores: Vec<&str> = keys.clone().map(|(store, ..)| store.as_str()).collect();
        let vids: Vec<Uuid> = keys.clone().map(|(_, vid, _)| uuid(*vid)).collect();
        let about: Vec<&str> = keys.map(|(.., about)| about.name()).collect();
        let words = tally.words.values();
        let values: Vec<Option<String>> = words
            .clone()
            .map(|word| word.value.as_deref().map(text))
            .collect();
        let times: Vec<Timestamp> = words.map(|word| word.at).collect();
        run(
            tx,
            "insert into member_word (store, vid, about, value, at)
             select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
             on conflict (store, vid, about) do update set value = excluded.value, at = excluded.at
             where excluded.at > member_word.at
                 or excluded.at = member_word.at and excluded.value is null",
            &[&stores, &vids, &about, &values, &times],
        )
        .await?;
    }
    if !tally.spent.is_empty() {
        let ids = tally.spent.keys().map(|id| Uuid::from_bytes(id.to_bytes()));
        let ids: Vec<Uuid> = ids.collect();
        let spent = tally.spent.values();
        let stores: Vec<&str> = spent.clone().map(|(store, _)| store.as_str()).collect();
        let vids: Vec<Option<Uuid>> = spent
            .clone()
            .map(|(_, spent)| spent.vid.map(uuid))
            .collect();
        let fen: Vec<Option<i64>> = spent
            .clone()
            .map(|(_, spent)| spent.fen.map(i64::from))
            .collect();
        let undone: Vec<bool> = spent.map(|(_, spent)| spent.is_undone).collect();
        run(
            tx,
            "insert into spending (redemption, store, vid, fen, undone)
             select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::boolean[])
             on conflict (redemption) do update set vid = coalesce(excluded.vid, spending.vid),
                 fen = coalesce(excluded.fen, spending.fen),
                 undone = excluded.undone or spending.undone",
            &[&ids, &stores, &vids, &fen, &undone],
        )
        .await?;
    }
    Ok(())
}

/// The guests of a store.
pub(super) async fn of_store(db: &mut Object, store: &StoreId) -> Answer<Vec<Member>> {
    // One look at all of it: what comes in between would make a guest of two moments.
    let tx = db
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let mut guests = Assembly::default();
    let sql =
        "select vid, count(*), min(day), max(day) from visit_day where store = $1 group by vid";
    for row in all(&tx, sql, &[&store.as_str()]).await? {
        let (first, last): (Date, Date) = (row.get(2), row.get(3));
        let days = u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX);
        guests.seen(vid(row.get(0)), Seen { days, first, last });
    }
    let sql = "select vid, about, value, at from member_word where store = $1";
    for row in all(&tx, sql, &[&store.as_str()]).await? {
        if !guests.word(vid(row.get(0)), row.get(1), (row.get(2), row.get(3))) {
            return Err(corrupt("a word on a guest"));
        }
    }
    let sql = "select elsewhere.vid, max(elsewhere.at) from member_word own
               join member_word elsewhere on elsewhere.vid = own.vid and elsewhere.about = 'withdrawn'
               where own.store = $1 and own.about = 'consent' group by elsewhere.vid";
    for row in all(&tx, sql, &[&store.as_str()]).await? {
        guests.withdrew(vid(row.get(0)), row.get(1));
    }
    let sql = "select vid, sum(fen)::bigint from spending
               where store = $1 and vid is not null and fen is not null and not undone group by vid";
    for row in all(&tx, sql, &[&store.as_str()]).await? {
        guests.spent(vid(row.get(0)), unsigned(row.get(1)));
    }
    let sql = "select vid, at from reach where store = $1 order by at";
    for row in all(&tx, sql, &[&store.as_str()]).await? {
        guests.reached(vid(row.get(0)), row.get(1));
    }
    Ok(guests.finish())
}

/// Takes in a list of members as a whole.
pub(super) async fn import(db: &mut Object, imported: &Imported) -> Answer<()> {
    let tx = db.transaction().await?;
    let notices = imported.notices();
    let received = imported.at;
    let new: Vec<_> = notices
        .iter()
        .map(|notice| NewNotice { notice, received })
        .collect();
    commands::notify(&tx, &new).await?;
    hear(&tx, &imported.tally()).await?;
    let phones = || imported.rows.iter().filter(|row| row.phone.is_some());
    let hashes: Vec<Option<&str>> = phones().map(|row| row.phone.as_deref()).collect();
    let vids: Vec<Option<Uuid>> = phones().map(|row| row.vid.map(uuid)).collect();
    let since: Vec<Date> = phones().map(|row| imported.since(row)).collect();
    let consents: Vec<Option<bool>> = phones().map(|row| row.consents).collect();
    run(
        &tx,
        "insert into member_import (store, phone, vid, since, consents, at)
         select $1::text, *, $6::timestamptz from unnest($2::text[], $3::uuid[], $4::date[], $5::boolean[])
         on conflict (store, phone) do update set vid = coalesce(excluded.vid, member_import.vid),
             since = excluded.since, consents = excluded.consents, at = excluded.at",
        &[
            &imported.store.as_str(),
            &hashes,
            &vids,
            &since,
            &consents,
            &imported.at,
        ],
    )
    .await?;
    people::note(&tx, &[imported.audit()]).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down who was written to.
pub(super) async fn reach(db: &Object, reached: &[Reached]) -> Answer<()> {
    let stores: Vec<&str> = reached.iter().map(|one| one.store.as_str()).collect();
    let vids: Vec<Uuid> = reached.iter().map(|one| uuid(one.vid)).collect();
    let times: Vec<Timestamp> = reached.iter().map(|one| one.at).collect();
    let lists: Vec<&str> = reached.iter().map(|one| one.list).collect();
    run(
        db,
        "insert into reach (store, vid, at, list)
         select * from unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])
         on conflict do nothing",
        &[&stores, &vids, &times, &lists],
    )
    .await?;
    Ok(())
}

/// Forgets a guest. What their parties paid stays, and is nobody's; so does a phone's hash of a list of before
/// that no guest was found for, because nobody can tell whose it is.
pub(super) async fn forget(tx: &impl GenericClient, guest: Vid) -> Answer<()> {
    for sql in [
        // In the order in which `hear` writes them: whoever does waits, and never in a circle.
        "select from member_word where vid = $1 order by store, about for update",
        "select from spending where vid = $1 order by redemption for update",
        "delete from member_word where vid = $1",
        "update spending set vid = null where vid = $1",
        "delete from reach where vid = $1",
        "delete from member_import where vid = $1",
    ] {
        run(tx, sql, &[&uuid(guest)]).await?;
    }
    Ok(())
}

const fn uuid(vid: Vid) -> Uuid {
    Uuid::from_bytes(vid.to_bytes())
}

const fn vid(id: Uuid) -> Vid {
    Vid::from_entropy(id.into_bytes())
}
