//! Where streams stand, and what a hello tells about them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{people, signed, unsigned};
use crate::domain::ids::{Chain, GatewayId, StreamId};
use crate::hq::db::greet::{Hearing, hear_all};
use crate::hq::db::plan::Mark;
use crate::hq::db::settle::Standing;
use crate::hq::db::{Greeting, Marks};

/// A stream that has been heard of.
pub(super) struct Known {
    pub(super) standing: Standing,
    /// That frames are missing here has been noted.
    behind: bool,
}

pub(super) fn of(db: &Connection, stream: StreamId) -> rusqlite::Result<Option<Known>> {
    db.prepare_cached(
        "select gateway, acked, chain, closed is not null, behind is not null from stream
         where id = ?1",
    )?
    .query_row([stream.0.as_bytes()], |row| {
        let acked = unsigned(row.get(1)?);
        let chain = row.get::<_, Option<[u8; 8]>>(2)?.map(Chain::from_bytes);
        let mark = Mark {
            acked,
            // A stream that was only ever greeted stands at its beginning.
            chain: chain.or((acked == 0).then_some(Chain::START)),
            closed: row.get(3)?,
        };
        Ok(Known {
            standing: Standing {
                owner: GatewayId(row.get(0)?),
                mark,
            },
            behind: row.get(4)?,
        })
    })
    .optional()
}

/// Every stream that a gateway has ever named.
pub(super) fn family(db: &Connection, gateway: GatewayId) -> rusqlite::Result<Vec<StreamId>> {
    db.prepare_cached("select id from stream where gateway = ?1")?
        .query_map([gateway.0], |row| {
            Ok(StreamId(uuid::Uuid::from_bytes(row.get(0)?)))
        })?
        .collect()
}

pub(super) fn close(db: &Connection, stream: StreamId, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached("update stream set closed = ?2 where id = ?1 and closed is null")?
        .execute(params![stream.0.as_bytes(), now.as_millisecond()])?;
    Ok(())
}

pub(super) fn greet(db: &mut Connection, greeting: &Greeting) -> rusqlite::Result<Marks> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut known = Vec::with_capacity(greeting.offers.len());
    for offer in &greeting.offers {
        known.push(of(&tx, offer.id)?.map(|known| (known.standing, known.behind)));
    }
    let hearing = match hear_all(greeting, &known) {
        Ok(hearing) => hearing,
        Err(foreign) => return Ok(Marks::ForeignStream(foreign)),
    };
    write(&tx, greeting, &hearing)?;
    tx.commit()?;
    Ok(hearing.into())
}

fn write(tx: &Transaction<'_>, greeting: &Greeting, hearing: &Hearing) -> rusqlite::Result<()> {
    // A hello names every stream with frames that wait: in all others nothing does.
    tx.execute(
        "update stream set waiting = 0 where gateway = ?1",
        [greeting.gateway.0],
    )?;
    for (stream, frames) in &hearing.waiting {
        note_waiting(tx, greeting, *stream, *frames)?;
    }
    for (stream, _) in &hearing.closed_now {
        close(tx, *stream, greeting.now)?;
    }
    for stream in &hearing.behind {
        tx.execute(
            "update stream set behind = ?2 where id = ?1",
            params![stream.0.as_bytes(), greeting.now.as_millisecond()],
        )?;
    }
    for entry in &hearing.notes {
        people::note(tx, entry)?;
    }
    Ok(())
}

/// The mark of a stream that was not there begins at 0; that of any other stays.
fn note_waiting(
    tx: &Transaction<'_>,
    greeting: &Greeting,
    stream: StreamId,
    frames: u64,
) -> rusqlite::Result<()> {
    tx.execute(
        "insert into stream (id, gateway, acked, updated, waiting) values (?1, ?2, 0, ?3, ?4)
         on conflict (id) do update set waiting = excluded.waiting",
        params![
            stream.0.as_bytes(),
            greeting.gateway.0,
            greeting.now.as_millisecond(),
            signed(frames),
        ],
    )?;
    Ok(())
}
