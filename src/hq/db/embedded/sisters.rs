//! Coupons between stores, in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{corrupt, time};
use crate::domain::ids::{CouponId, GatewayId, RedemptionId, StoreId};
use crate::domain::wallet::Said;
use crate::hq::db::notice::void_notices;
use crate::hq::db::serves_text;
use crate::hq::db::sisters::{Double, Reservation, Use, Wish, decide};
use crate::wire::link::{Serves, Unused};

const USE: &str = "select coupon, redemption, store, home, redeemed, undone from redemption";

/// Takes in what journals say of redemptions.
pub(super) fn hear<'a>(
    tx: &Transaction<'_>,
    uses: impl Iterator<Item = &'a Use>,
) -> rusqlite::Result<()> {
    let mut row = tx.prepare_cached(
        "insert into redemption (coupon, redemption, store, home, redeemed, undone)
         values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (coupon, redemption) do update set home = coalesce(home, excluded.home),
             redeemed = coalesce(redeemed, excluded.redeemed),
             undone = coalesce(undone, excluded.undone)",
    )?;
    for told in uses {
        row.execute(params![
            told.coupon.to_bytes(),
            told.redemption.to_bytes(),
            told.store.as_str(),
            told.home.as_ref().map(StoreId::as_str),
            told.redeemed.map(Timestamp::as_millisecond),
            told.undone.map(Timestamp::as_millisecond),
        ])?;
    }
    Ok(())
}

pub(super) fn reserve(db: &mut Connection, wish: &Wish) -> rusqlite::Result<Said> {
    // Immediate: what is compared here must not change before it is set.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let coupon = wish.coupon.to_bytes();
    let uses = tx
        .prepare_cached(&format!("{USE} where coupon = ?1"))?
        .query_map([coupon], a_use)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let reserved = tx
        .prepare_cached(
            "select redemption, gateway, store, made, nonce from reservation where coupon = ?1",
        )?
        .query_row([coupon], |row| {
            Ok(Reservation {
                redemption: RedemptionId::from_entropy(row.get(0)?),
                gateway: GatewayId(row.get(1)?),
                store: store(row, 2)?,
                made: time(row.get(3)?),
                nonce: row.get(4)?,
            })
        })
        .optional()?;
    let said = decide(wish, reserved.as_ref(), &uses, is_voided(&tx, wish)?);
    if said == Said::Yes {
        let new = Reservation::of(wish);
        tx.prepare_cached(
            "insert or replace into reservation (coupon, redemption, gateway, store, made, nonce)
             values (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            coupon,
            new.redemption.to_bytes(),
            new.gateway.0,
            new.store.as_str(),
            new.made.as_millisecond(),
            new.nonce
        ])?;
    }
    tx.commit()?;
    Ok(said)
}

fn is_voided(tx: &Transaction<'_>, wish: &Wish) -> rusqlite::Result<bool> {
    let mut query = tx.prepare_cached("select 1 from notice where store = ?1 and id = ?2")?;
    for (place, id) in void_notices(&wish.home, wish.coupon) {
        if query.exists(params![place, id])? {
            return Ok(true);
        }
    }
    drop(query);
    // Before there were notices the boxes of its store were told, and nobody else.
    tx.prepare_cached(
        "select 1 from command join gateway on gateway.id = command.gateway
         where kind = 'void_coupon' and coupon = ?1 and serves = ?2",
    )?
    .exists(params![
        wish.coupon.to_bytes(),
        serves_text(&Serves::Store(wish.home.clone()))
    ])
}

pub(super) fn release(
    db: &Connection,
    gateway: GatewayId,
    unused: &Unused,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "delete from reservation
         where coupon = ?1 and redemption = ?2 and nonce = ?3 and gateway = ?4",
    )?
    .execute(params![
        unused.coupon.to_bytes(),
        unused.redemption.to_bytes(),
        unused.nonce,
        gateway.0
    ])?;
    Ok(())
}

pub(super) fn doubles(db: &Connection) -> rusqlite::Result<Vec<Double>> {
    let sql = format!(
        "{USE} where coupon in (select coupon from redemption where home is not null)
         order by coupon"
    );
    let uses = db
        .prepare(&sql)?
        .query_map([], a_use)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Double::among(uses))
}

fn a_use(row: &Row<'_>) -> rusqlite::Result<Use> {
    let home: Option<String> = row.get(3)?;
    Ok(Use {
        coupon: CouponId::from_entropy(row.get(0)?),
        redemption: RedemptionId::from_entropy(row.get(1)?),
        store: store(row, 2)?,
        home: home
            .map(|id| StoreId::parse(&id).map_err(|error| corrupt(3, error)))
            .transpose()?,
        redeemed: row.get::<_, Option<i64>>(4)?.map(time),
        undone: row.get::<_, Option<i64>>(5)?.map(time),
    })
}

fn store(row: &Row<'_>, column: usize) -> rusqlite::Result<StoreId> {
    let id: String = row.get(column)?;
    StoreId::parse(&id).map_err(|error| corrupt(column, error))
}
