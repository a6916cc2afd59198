//! Reading figures back: a store's business day, and totals counted from the events themselves.

use deadpool_postgres::{GenericClient, Object};
use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Answer, Sql, all, one, unsigned};
use crate::domain::event::Kind;
use crate::domain::ids::{CouponId, StoreId};
use crate::hq::db::audit::hours;
use crate::hq::db::{Coupons, Figures, Totals};

pub(super) async fn of_days(db: &Object, asked: &[(StoreId, Date)]) -> Answer<Vec<Figures>> {
    let mut figures = Vec::with_capacity(asked.len());
    for (store, day) in asked {
        figures.push(of_day(db, store, *day).await?);
    }
    Ok(figures)
}

async fn of_day(db: &Object, store: &StoreId, day: Date) -> Sql<Figures> {
    let (from, to) = hours(day);
    // A sum of bigint is numeric, which nobody needs here.
    let sums = one(
        db,
        "select coalesce(sum(came), 0)::bigint, coalesce(sum(claimed), 0)::bigint,
                coalesce(sum(consented), 0)::bigint, coalesce(sum(redeemed), 0)::bigint,
                coalesce(sum(refused), 0)::bigint, coalesce(sum(off_peak_came), 0)::bigint,
                coalesce(sum(off_peak_claimed), 0)::bigint,
                coalesce(sum(off_peak_redeemed), 0)::bigint, coalesce(sum(uncertain), 0)::bigint
         from figure_hour where store = $1 and hour >= $2 and hour < $3",
        &[&store.as_str(), &from, &to],
    )
    .await?;
    let (people, came_back) = people_of_day(db, store, day).await?;
    Ok(Figures {
        came: sums.get(0),
        claimed: sums.get(1),
        consented: sums.get(2),
        redeemed: sums.get(3),
        refused: sums.get(4),
        off_peak_came: sums.get(5),
        off_peak_claimed: sums.get(6),
        off_peak_redeemed: sums.get(7),
        uncertain: sums.get(8),
        people,
        came_back,
    })
}

/// Diners seen that day, and those of them who had been there on an earlier one.
pub(super) async fn people_of_day(
    db: &impl GenericClient,
    store: &StoreId,
    day: Date,
) -> Sql<(i64, i64)> {
    let row = one(
        db,
        "select count(*), count(*) filter (where first.day < visit.day)
         from visit_day visit join person_first first using (store, vid)
         where visit.store = $1 and visit.day = $2",
        &[&store.as_str(), &day],
    )
    .await?;
    Ok((row.get(0), row.get(1)))
}

pub(super) async fn totals(db: &Object) -> Answer<Totals> {
    let of_kind = |kind: Kind| kind as i16;
    // Without a body it is a name that is here under another number.
    let frames = one(
        db,
        "select count(*), count(*) filter (where length(body) > 0), count(distinct id) from frame",
        &[],
    )
    .await?;
    let (frames, bodies, distinct) = (count(&frames, 0), count(&frames, 1), count(&frames, 2));
    let resent = one(
        db,
        "select coalesce(sum(resent), 0)::bigint from stream",
        &[],
    )
    .await?;
    let events = one(
        db,
        "select count(*), count(*) filter (where kind = $1), count(*) filter (where kind = $2),
                count(distinct coupon) filter (where kind = $2),
                count(*) filter (where kind = $3), count(*) filter (where kind = $4)
         from event",
        &[
            &of_kind(Kind::TouchpointView),
            &of_kind(Kind::Claim),
            &of_kind(Kind::Redeem),
            &of_kind(Kind::RedeemUndone),
        ],
    )
    .await?;
    let quarantined = one(db, "select count(*) from quarantine", &[]).await?;
    Ok(Totals {
        frames,
        frames_resent: count(&resent, 0),
        frames_twice: bodies.saturating_sub(distinct),
        events: count(&events, 0),
        views: count(&events, 1),
        claims: count(&events, 2),
        coupons: count(&events, 3),
        redemptions: count(&events, 4),
        redemptions_undone: count(&events, 5),
        quarantined: count(&quarantined, 0),
    })
}

fn count(row: &Row, column: usize) -> u64 {
    unsigned(row.get(column))
}

pub(super) async fn coupons(db: &Object) -> Answer<Coupons> {
    let rows = all(
        db,
        "select coupon, count(*) filter (where kind = $1),
                count(*) filter (where kind = $2) - count(*) filter (where kind = $3)
         from event where kind in ($1, $2, $3) and coupon is not null group by coupon",
        &[
            &(Kind::Claim as i16),
            &(Kind::Redeem as i16),
            &(Kind::RedeemUndone as i16),
        ],
    )
    .await?;
    let mut coupons = Coupons::default();
    for row in rows {
        let id = CouponId::from_entropy(row.get::<_, Uuid>(0).into_bytes());
        let (claims, redemptions): (i64, i64) = (row.get(1), row.get(2));
        if claims > 0 {
            coupons.claimed.insert(id);
        }
        if redemptions > 0 {
            coupons.redeemed.insert(id);
        }
        if redemptions > 1 {
            coupons.redeemed_twice.insert(id);
        }
    }
    Ok(coupons)
}
