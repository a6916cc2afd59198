//! Numbers of bookings, in PostgreSQL.

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Answer, all, corrupt, run};
use crate::domain::ids::{BookingId, StoreId, Vid};
use crate::domain::sealed::Sealed;
use crate::hq::db::phones::{BookedPhone, Found, Which};

pub(super) async fn keep(tx: &impl GenericClient, phone: &BookedPhone) -> Answer<()> {
    run(
        tx,
        "insert into booking_phone (store, booking, code, vid, revision, at, sealed)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (store, booking) do update set revision = excluded.revision,
             at = excluded.at, sealed = excluded.sealed
         where excluded.revision > booking_phone.revision",
        &[
            &phone.store.as_str(),
            &Uuid::from_bytes(phone.booking.to_bytes()),
            &phone.code.as_str(),
            &Uuid::from_bytes(phone.vid.to_bytes()),
            &i64::from(phone.revision),
            &phone.at,
            &phone.sealed.as_ref().map(Sealed::as_str),
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn of(db: &Object, store: &StoreId, which: Which) -> Answer<Option<Found>> {
    let (id, code) = match &which {
        Which::Booking(id) => (Some(Uuid::from_bytes(id.to_bytes())), None),
        Which::Code(code) => (None, Some(code.as_str())),
    };
    let sql = "select booking, sealed from booking_phone
               where store = $1 and (booking = $2 or code = $3) and sealed is not null
               order by at desc limit 1";
    let rows = all(db, sql, &[&store.as_str(), &id, &code]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Found {
        booking: BookingId::from_entropy(row.get::<_, Uuid>(0).into_bytes()),
        sealed: Sealed::try_from(row.get::<_, String>(1)).map_err(corrupt)?,
    }))
}

/// Those of a diner go.
pub(super) async fn forget(tx: &impl GenericClient, vid: Vid) -> Answer<()> {
    let sql = "delete from booking_phone where vid = $1";
    run(tx, sql, &[&Uuid::from_bytes(vid.to_bytes())]).await?;
    Ok(())
}

pub(super) async fn forget_before(db: &Object, before: Timestamp) -> Answer<u64> {
    let sql = "delete from booking_phone where at < $1";
    Ok(run(db, sql, &[&before]).await?)
}
