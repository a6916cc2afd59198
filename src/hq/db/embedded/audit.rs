//! Reading back what an audit compares: stored frames, kept figures, and counts of every stream.

use jiff::civil::{Date, DateTime};
use rusqlite::{Connection, params};

use super::{corrupt, figures, hour, spots, unsigned};
use crate::domain::ids::{CampaignId, FrameId, GatewayId, StoreId, StreamId};
use crate::hq::db::audit::{DayAudit, DayCount, Recount, StoredFrame, StreamCount, hours};
use crate::wire::batch::{Time, TimeQuality};

pub(super) fn day(db: &mut Connection, store: &StoreId, day: Date) -> rusqlite::Result<DayAudit> {
    // One transaction: frames that come meanwhile are in both counts or in neither.
    let tx = db.transaction()?;
    let kept = kept(&tx, store, day)?;
    let mut recount = Recount::new(day);
    let mut query =
        tx.prepare("select stream, seq, id, at, tq, body from frame where store = ?1")?;
    let mut rows = query.query([store.as_str()])?;
    while let Some(row) = rows.next()? {
        let quality = TimeQuality::try_from(row.get::<_, Option<u8>>(4)?.unwrap_or_default())
            .map_err(|error| corrupt(4, error))?;
        recount.add(StoredFrame {
            stream: stream(row.get(0)?),
            seq: unsigned(row.get(1)?),
            id: FrameId(uuid::Uuid::from_bytes(row.get(2)?)),
            time: row
                .get::<_, Option<i64>>(3)?
                .map(|unix_ms| Time { unix_ms, quality }),
            body: row.get(5)?,
        });
    }
    Ok(recount.against(kept))
}

const fn stream(id: [u8; 16]) -> StreamId {
    StreamId(uuid::Uuid::from_bytes(id))
}

fn kept(db: &Connection, store: &StoreId, day: Date) -> rusqlite::Result<DayCount> {
    let (from, to) = hours(day);
    let (people, came_back) = figures::people_of_day(db, store, day)?;
    let mut count = DayCount {
        people,
        came_back,
        places: spots::of_day(db, store, day)?,
        ..DayCount::default()
    };
    let mut query = db.prepare(
        "select hour, campaign, came, claimed, consented, redeemed, refused, off_peak_came,
                off_peak_claimed, off_peak_redeemed, uncertain
         from figure_hour where store = ?1 and hour >= ?2 and hour < ?3",
    )?;
    let mut rows = query.query(params![store.as_str(), hour(from), hour(to)])?;
    while let Some(row) = rows.next()? {
        let campaign = match row.get::<_, String>(1)? {
            none if none.is_empty() => None,
            id => Some(CampaignId::parse(&id).map_err(|error| corrupt(1, error))?),
        };
        let hour = DateTime::strptime("%Y-%m-%dT%H", row.get::<_, String>(0)?)
            .map_err(|error| corrupt(0, error))?;
        let mut sums = [0; 9];
        for (place, sum) in sums.iter_mut().enumerate() {
            *sum = row.get(place + 2)?;
        }
        count.cells.insert((hour, campaign), sums);
    }
    Ok(count)
}

pub(super) fn streams(db: &Connection) -> rusqlite::Result<Vec<StreamCount>> {
    db.prepare(
        "with stored as (select stream, count(*) as frames from frame group by stream),
              lost as (select stream, sum(last - first + 1) as frames from gap group by stream)
         select id, gateway, acked, coalesce(stored.frames, 0), coalesce(lost.frames, 0)
         from stream left join stored on stored.stream = id left join lost on lost.stream = id
         order by gateway, id",
    )?
    .query_map([], |row| {
        Ok(StreamCount {
            stream: stream(row.get(0)?),
            gateway: GatewayId(row.get(1)?),
            acked: unsigned(row.get(2)?),
            frames: unsigned(row.get(3)?),
            lost: unsigned(row.get(4)?),
        })
    })?
    .collect()
}
