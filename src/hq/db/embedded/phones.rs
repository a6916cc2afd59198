//! Numbers of bookings, in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::corrupt;
use crate::domain::ids::{BookingId, StoreId, Vid};
use crate::domain::sealed::Sealed;
use crate::hq::db::phones::{BookedPhone, Found, Which};

pub(super) fn keep(tx: &Transaction<'_>, phone: &BookedPhone) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into booking_phone (store, booking, code, vid, revision, at, sealed)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (store, booking) do update set revision = excluded.revision,
             at = excluded.at, sealed = excluded.sealed
         where excluded.revision > booking_phone.revision",
    )?
    .execute(params![
        phone.store.as_str(),
        phone.booking.to_bytes(),
        phone.code.as_str(),
        phone.vid.to_bytes(),
        phone.revision,
        phone.at.as_millisecond(),
        phone.sealed.as_ref().map(Sealed::as_str),
    ])?;
    Ok(())
}

pub(super) fn of(
    db: &Connection,
    store: &StoreId,
    which: Which,
) -> rusqlite::Result<Option<Found>> {
    let (id, code) = match &which {
        Which::Booking(id) => (Some(id.to_bytes()), None),
        Which::Code(code) => (None, Some(code.as_str())),
    };
    db.prepare_cached(
        "select booking, sealed from booking_phone
         where store = ?1 and (booking = ?2 or code = ?3) and sealed is not null
         order by at desc limit 1",
    )?
    .query_row(params![store.as_str(), id, code], |row| {
        let sealed: String = row.get(1)?;
        Ok(Found {
            booking: BookingId::from_entropy(row.get(0)?),
            sealed: Sealed::try_from(sealed).map_err(|error| corrupt(1, error))?,
        })
    })
    .optional()
}

/// Those of a diner go.
pub(super) fn forget(tx: &Transaction<'_>, vid: Vid) -> rusqlite::Result<()> {
    tx.execute("delete from booking_phone where vid = ?1", [vid.to_bytes()])?;
    Ok(())
}

pub(super) fn forget_before(db: &Connection, before: Timestamp) -> rusqlite::Result<usize> {
    db.execute(
        "delete from booking_phone where at < ?1",
        [before.as_millisecond()],
    )
}
