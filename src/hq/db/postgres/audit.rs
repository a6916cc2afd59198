//! Reading back what an audit compares: stored frames, kept figures, and counts of every stream.

use deadpool_postgres::{GenericClient, Object};
use jiff::civil::Date;
use tokio_postgres::{IsolationLevel, Row};

use super::{Answer, all, corrupt, figures, gateway_id, run, spots, unsigned};
use crate::domain::ids::{CampaignId, FrameId, StoreId, StreamId};
use crate::hq::db::audit::{DayAudit, DayCount, Recount, StoredFrame, StreamCount, hours};
use crate::hq::db::tally::Sums;
use crate::wire::batch::{Time, TimeQuality};

/// Frames read at a time: a store of many years does not fit into memory.
const AT_A_TIME: &str = "fetch 2000 from frames";

pub(super) async fn day(db: &mut Object, store: &StoreId, day: Date) -> Answer<DayAudit> {
    // One picture of everything: frames that come meanwhile are in both counts or in neither.
    let tx = db
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let kept = kept(&tx, store, day).await?;
    let mut recount = Recount::new(day);
    let sql = "declare frames no scroll cursor for
        select stream.id, seq, frame.id, at, tq, body
        from frame join stream on stream.no = frame.stream where store = $1";
    run(&tx, sql, &[&store.as_str()]).await?;
    loop {
        let rows = tx.query(AT_A_TIME, &[]).await?;
        if rows.is_empty() {
            return Ok(recount.against(kept));
        }
        for row in rows {
            recount.add(stored(&row)?);
        }
    }
}

fn stored(row: &Row) -> Answer<StoredFrame> {
    let quality = u8::try_from(row.get::<_, Option<i16>>(4).unwrap_or_default());
    let quality = TimeQuality::try_from(quality.map_err(corrupt)?).map_err(corrupt)?;
    let at: Option<i64> = row.get(3);
    Ok(StoredFrame {
        stream: StreamId(row.get(0)),
        seq: unsigned(row.get(1)),
        id: FrameId(row.get(2)),
        time: at.map(|unix_ms| Time { unix_ms, quality }),
        body: row.get(5),
    })
}

async fn kept(db: &impl GenericClient, store: &StoreId, day: Date) -> Answer<DayCount> {
    let (from, to) = hours(day);
    let (people, came_back) = figures::people_of_day(db, store, day).await?;
    let mut count = DayCount {
        people,
        came_back,
        places: spots::of_day(db, store, day).await?,
        ..DayCount::default()
    };
    let rows = all(
        db,
        "select hour, campaign, came, claimed, consented, redeemed, refused, off_peak_came,
                off_peak_claimed, off_peak_redeemed, uncertain
         from figure_hour where store = $1 and hour >= $2 and hour < $3",
        &[&store.as_str(), &from, &to],
    )
    .await?;
    for row in rows {
        let campaign = match row.get(1) {
            "" => None,
            id => Some(CampaignId::parse(id).map_err(corrupt)?),
        };
        let sums: Sums = std::array::from_fn(|column| row.get(column + 2));
        count.cells.insert((row.get(0), campaign), sums);
    }
    Ok(count)
}

pub(super) async fn streams(db: &Object) -> Answer<Vec<StreamCount>> {
    let rows = all(
        db,
        "with stored as (select stream, count(*) as frames from frame group by stream),
              lost as (select stream, sum(last - first + 1)::bigint as frames from gap
                       group by stream)
         select id, gateway, acked, coalesce(stored.frames, 0), coalesce(lost.frames, 0)
         from stream left join stored on stored.stream = no left join lost on lost.stream = no
         order by gateway, id",
        &[],
    )
    .await?;
    let count = |row: &Row| StreamCount {
        stream: StreamId(row.get(0)),
        gateway: gateway_id(row.get(1)),
        acked: unsigned(row.get(2)),
        frames: unsigned(row.get(3)),
        lost: unsigned(row.get(4)),
    };
    Ok(rows.iter().map(count).collect())
}
