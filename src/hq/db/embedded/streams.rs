//! Where streams stand, and what a hello tells about them.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{people, signed, unsigned};
use crate::domain::ids::{GatewayId, StreamId};
use crate::hq::db::{AuditEntry, Greeting, Marks};
use crate::wire::link::StreamOffer;

/// A stream that has been heard of.
pub(super) struct Known {
    pub(super) owner: GatewayId,
    pub(super) acked: u64,
    rolled_back: bool,
    behind: bool,
}

pub(super) fn of(db: &Connection, stream: StreamId) -> rusqlite::Result<Option<Known>> {
    db.prepare_cached(
        "select gateway, acked, rolled_back is not null, behind is not null from stream
         where id = ?1",
    )?
    .query_row([stream.0.as_bytes()], |row| {
        Ok(Known {
            owner: GatewayId(row.get(0)?),
            acked: unsigned(row.get(1)?),
            rolled_back: row.get(2)?,
            behind: row.get(3)?,
        })
    })
    .optional()
}

pub(super) fn greet(db: &mut Connection, greeting: &Greeting) -> rusqlite::Result<Marks> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut streams = Vec::with_capacity(greeting.offers.len());
    for offer in &greeting.offers {
        let known = of(&tx, offer.id)?;
        let is_foreign = |known: &Known| known.owner != greeting.gateway;
        if known.as_ref().is_some_and(is_foreign) {
            return Ok(Marks::ForeignStream(offer.id));
        }
        let acked = known.as_ref().map_or(0, |known| known.acked);
        let noted = known.as_ref().is_some_and(|known| known.rolled_back);
        if noted || offer.next <= acked {
            // Never 0, or the console would call a gateway up to date that is not heard.
            let held = offer.next.saturating_sub(offer.floor).max(1);
            note_waiting(&tx, greeting, offer, held)?;
            if !noted {
                note_rolled_back(&tx, greeting, offer, acked)?;
            }
            tx.commit()?;
            return Ok(Marks::RolledBack(offer.id));
        }
        streams.push((offer, acked, known.is_some_and(|known| known.behind)));
    }
    // A hello names the streams that are written to; an elder one is told of again when it is sent.
    tx.execute(
        "update stream set waiting = 0 where gateway = ?1",
        [greeting.gateway.0],
    )?;
    for (offer, acked, noted) in &streams {
        note_waiting(&tx, greeting, offer, offer.next - acked - 1)?;
        if is_behind(offer, *acked) && !noted {
            note_behind(&tx, greeting, offer, *acked)?;
        }
    }
    tx.commit()?;
    Ok(Marks::At(
        streams.into_iter().map(|(_, acked, _)| acked).collect(),
    ))
}

/// The mark of a stream that was not there begins at 0; that of any other stays.
fn note_waiting(
    tx: &Transaction<'_>,
    greeting: &Greeting,
    offer: &StreamOffer,
    frames: u64,
) -> rusqlite::Result<()> {
    tx.execute(
        "insert into stream (id, gateway, acked, updated, waiting) values (?1, ?2, 0, ?3, ?4)
         on conflict (id) do update set waiting = excluded.waiting",
        params![
            offer.id.0.as_bytes(),
            greeting.gateway.0,
            greeting.now.as_millisecond(),
            signed(frames),
        ],
    )?;
    Ok(())
}

/// Whether the gateway has let go of frames that are not here: headquarters came back from a backup.
///
/// A floor past the next frame is that of an older stream, which the gateway sends first.
const fn is_behind(offer: &StreamOffer, acked: u64) -> bool {
    offer.floor > acked + 1 && offer.floor <= offer.next
}

/// For good: once the gateway has numbered past the mark, nothing else tells new frames from old ones.
fn note_rolled_back(
    tx: &Transaction<'_>,
    greeting: &Greeting,
    offer: &StreamOffer,
    acked: u64,
) -> rusqlite::Result<()> {
    tx.execute(
        "update stream set rolled_back = ?2 where id = ?1",
        params![offer.id.0.as_bytes(), greeting.now.as_millisecond()],
    )?;
    let what = format!(
        "stream {}: its next frame is {}, and {acked} are here",
        offer.id, offer.next
    );
    note(tx, greeting, "stream_rolled_back", &what)
}

fn note_behind(
    tx: &Transaction<'_>,
    greeting: &Greeting,
    offer: &StreamOffer,
    acked: u64,
) -> rusqlite::Result<()> {
    tx.execute(
        "update stream set behind = ?2 where id = ?1",
        params![offer.id.0.as_bytes(), greeting.now.as_millisecond()],
    )?;
    let what = format!(
        "stream {}: its oldest frame is {}, and only {acked} are here",
        offer.id, offer.floor
    );
    tracing::warn!(
        gateway.id = %greeting.gateway,
        stream.id = %offer.id,
        stream.floor = offer.floor,
        stream.acked = acked,
        "frames that were acknowledged are not in the ledger; was it restored from a backup?"
    );
    note(tx, greeting, "stream_behind", &what)
}

fn note(
    tx: &Transaction<'_>,
    greeting: &Greeting,
    action: &str,
    what: &str,
) -> rusqlite::Result<()> {
    let entry = AuditEntry::new(greeting.now, action, &greeting.gateway, what);
    people::note(tx, &entry)
}
