//! Reading figures back: a store's business day, and totals counted from the events themselves.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::{hour, unsigned};
use crate::domain::event::Kind;
use crate::domain::ids::{CouponId, StoreId};
use crate::hq::db::audit::hours;
use crate::hq::db::{Coupons, Figures, Totals};

pub(super) fn of_day(db: &Connection, store: &StoreId, day: Date) -> rusqlite::Result<Figures> {
    let (from, to) = hours(day);
    let sums = |row: &rusqlite::Row<'_>| {
        Ok(Figures {
            came: row.get(0)?,
            claimed: row.get(1)?,
            consented: row.get(2)?,
            redeemed: row.get(3)?,
            refused: row.get(4)?,
            off_peak_came: row.get(5)?,
            off_peak_claimed: row.get(6)?,
            off_peak_redeemed: row.get(7)?,
            uncertain: row.get(8)?,
            people: 0,
            came_back: 0,
        })
    };
    let figures = db
        .prepare_cached(
            "select coalesce(sum(came), 0), coalesce(sum(claimed), 0), coalesce(sum(consented), 0),
                    coalesce(sum(redeemed), 0), coalesce(sum(refused), 0),
                    coalesce(sum(off_peak_came), 0), coalesce(sum(off_peak_claimed), 0),
                    coalesce(sum(off_peak_redeemed), 0), coalesce(sum(uncertain), 0)
             from figure_hour where store = ?1 and hour >= ?2 and hour < ?3",
        )?
        .query_row(params![store.as_str(), hour(from), hour(to)], sums)?;
    let (people, came_back) = people_of_day(db, store, day)?;
    Ok(Figures {
        people,
        came_back,
        ..figures
    })
}

/// Diners seen that day, and those of them who had been there on an earlier one.
pub(super) fn people_of_day(
    db: &Connection,
    store: &StoreId,
    day: Date,
) -> rusqlite::Result<(i64, i64)> {
    let found = db
        .prepare_cached("select people, came_back from figure_day where store = ?1 and day = ?2")?
        .query_row(params![store.as_str(), day.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub(super) fn totals(db: &mut Connection) -> rusqlite::Result<Totals> {
    // One moment for all of them: what comes meanwhile is in every count or in none.
    let db = db.transaction()?;
    let number = |sql: &str| db.query_row(sql, [], |row| row.get(0)).map(unsigned);
    let of_kind = |count: &str, kind: Kind| {
        let kind = kind as u16;
        number(&format!(
            "select count({count}) from event where kind = {kind}"
        ))
    };
    let frames = number("select count(*) from frame")?;
    // Without a body it is a name that is here under another number.
    let bodies = number("select count(*) from frame where length(body) > 0")?;
    let distinct = number("select count(distinct id) from frame")?;
    Ok(Totals {
        frames,
        frames_resent: number("select coalesce(sum(resent), 0) from stream")?,
        frames_twice: bodies.saturating_sub(distinct),
        events: number("select count(*) from event")?,
        views: of_kind("*", Kind::TouchpointView)?,
        claims: of_kind("*", Kind::Claim)?,
        coupons: of_kind("distinct coupon", Kind::Claim)?,
        redemptions: of_kind("*", Kind::Redeem)?,
        redemptions_undone: of_kind("*", Kind::RedeemUndone)?,
        quarantined: number("select count(*) from quarantine")?,
    })
}

pub(super) fn coupons(db: &Connection) -> rusqlite::Result<Coupons> {
    let mut coupons = Coupons::default();
    let (claim, redeem, undone) = (
        Kind::Claim as u16,
        Kind::Redeem as u16,
        Kind::RedeemUndone as u16,
    );
    let sql = format!(
        "select coupon,
                sum(case kind when {claim} then 1 else 0 end),
                sum(case kind when {redeem} then 1 when {undone} then -1 else 0 end)
         from event where kind in ({claim}, {redeem}, {undone}) group by coupon"
    );
    let mut query = db.prepare(&sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let id = CouponId::from_entropy(row.get(0)?);
        let (claims, redemptions): (i64, i64) = (row.get(1)?, row.get(2)?);
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
