//! Coupons between stores, in PostgreSQL.

use std::collections::BTreeMap;

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::{Answer, Sql, all, corrupt, gateway_id, maybe, number, run};
use crate::domain::ids::{CouponId, GatewayId, RedemptionId, StoreId};
use crate::domain::wallet::Said;
use crate::hq::db::notice::void_notices;
use crate::hq::db::serves_text;
use crate::hq::db::sisters::{Double, Reservation, Use, Wish, decide};
use crate::wire::link::{Serves, Unused};

const USE: &str = "select coupon, redemption, store, home, redeemed, undone from redemption";

/// Takes in what journals say of redemptions.
pub(super) const HEAR: &str =
    "insert into redemption (coupon, redemption, store, home, redeemed, undone)
     select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
         $6::timestamptz[])
     on conflict (coupon, redemption) do update set
         home = coalesce(redemption.home, excluded.home),
         redeemed = coalesce(redemption.redeemed, excluded.redeemed),
         undone = coalesce(redemption.undone, excluded.undone)";

/// Does [`HEAR`]. The uses are in the order of the keys.
pub(super) async fn hear(
    tx: &impl GenericClient,
    statement: &Statement,
    uses: &BTreeMap<(CouponId, RedemptionId), Use>,
) -> Sql<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let coupons: Vec<Uuid> = uses.keys().map(|key| coupon_uuid(key.0)).collect();
    let redemptions: Vec<Uuid> = uses.keys().map(|key| uuid(key.1)).collect();
    let stores: Vec<&str> = uses.values().map(|one| one.store.as_str()).collect();
    let homes = uses.values().map(|one| one.home.as_ref());
    let homes: Vec<Option<&str>> = homes.map(|home| home.map(StoreId::as_str)).collect();
    let redeemed: Vec<Option<Timestamp>> = uses.values().map(|one| one.redeemed).collect();
    let undone: Vec<Option<Timestamp>> = uses.values().map(|one| one.undone).collect();
    tx.execute(
        statement,
        &[&coupons, &redemptions, &stores, &homes, &redeemed, &undone],
    )
    .await
    .map(drop)
}

pub(super) async fn reserve(db: &mut Object, wish: &Wish) -> Answer<Said> {
    let tx = db.transaction().await?;
    // Two that ask about one coupon wait for each other here, also where there is no row yet.
    let [half, _] = halves(wish.coupon);
    run(&tx, "select pg_advisory_xact_lock($1)", &[&half]).await?;
    let coupon = coupon_uuid(wish.coupon);
    let sql = format!("{USE} where coupon = $1");
    let rows = all(&tx, &sql, &[&coupon]).await?;
    let uses = rows.iter().map(a_use).collect::<Answer<Vec<_>>>()?;
    let sql = "select redemption, gateway, store, made, nonce from reservation where coupon = $1";
    let reserved = match maybe(&tx, sql, &[&coupon]).await? {
        None => None,
        Some(row) => Some(Reservation {
            redemption: redemption(row.get(0)),
            gateway: gateway_id(row.get(1)),
            store: store(row.get(2))?,
            made: row.get(3),
            nonce: u32::try_from(row.get::<_, i64>(4)).map_err(corrupt)?,
        }),
    };
    let voided = is_voided(&tx, wish).await?;
    let said = decide(wish, reserved.as_ref(), &uses, voided);
    if said == Said::Yes {
        let new = Reservation::of(wish);
        let sql = "insert into reservation (coupon, redemption, gateway, store, made, nonce)
                   values ($1, $2, $3, $4, $5, $6)
                   on conflict (coupon) do update set redemption = excluded.redemption,
                       gateway = excluded.gateway, store = excluded.store, made = excluded.made,
                       nonce = excluded.nonce";
        let (redemption, gateway) = (uuid(new.redemption), number(new.gateway));
        let (store, nonce) = (new.store.as_str(), i64::from(new.nonce));
        run(
            &tx,
            sql,
            &[&coupon, &redemption, &gateway, &store, &new.made, &nonce],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(said)
}

async fn is_voided(tx: &impl GenericClient, wish: &Wish) -> Answer<bool> {
    let sql = "select 1 from notice where store = $1 and id = $2";
    for (place, id) in void_notices(&wish.home, wish.coupon) {
        let found = maybe(tx, sql, &[&place, &Uuid::from_bytes(id)]).await?;
        if found.is_some() {
            return Ok(true);
        }
    }
    // Before there were notices the boxes of its store were told, and nobody else.
    let sql = "select 1 from command join gateway on gateway.id = command.gateway
               where kind = 'void_coupon' and coupon = $1 and serves = $2 limit 1";
    let told = maybe(
        tx,
        sql,
        &[
            &coupon_uuid(wish.coupon),
            &serves_text(&Serves::Store(wish.home.clone())),
        ],
    )
    .await?;
    Ok(told.is_some())
}

pub(super) async fn release(db: &Object, gateway: GatewayId, unused: &Unused) -> Answer<()> {
    let sql = "delete from reservation
               where coupon = $1 and redemption = $2 and nonce = $3 and gateway = $4";
    let [coupon, redemption] = [coupon_uuid(unused.coupon), uuid(unused.redemption)];
    let (nonce, gateway) = (i64::from(unused.nonce), number(gateway));
    run(db, sql, &[&coupon, &redemption, &nonce, &gateway]).await?;
    Ok(())
}

pub(super) async fn doubles(db: &Object) -> Answer<Vec<Double>> {
    let sql = format!(
        "{USE} where coupon in (select coupon from redemption where home is not null)
         order by coupon"
    );
    let rows = all(db, &sql, &[]).await?;
    let uses = rows.iter().map(a_use).collect::<Answer<Vec<_>>>()?;
    Ok(Double::among(uses))
}

fn a_use(row: &Row) -> Answer<Use> {
    let home: Option<&str> = row.get(3);
    Ok(Use {
        coupon: CouponId::from_entropy(row.get::<_, Uuid>(0).into_bytes()),
        redemption: redemption(row.get(1)),
        store: store(row.get(2))?,
        home: home.map(store).transpose()?,
        redeemed: row.get(4),
        undone: row.get(5),
    })
}

fn store(id: &str) -> Answer<StoreId> {
    StoreId::parse(id).map_err(corrupt)
}

const fn redemption(id: Uuid) -> RedemptionId {
    RedemptionId::from_entropy(id.into_bytes())
}

const fn uuid(redemption: RedemptionId) -> Uuid {
    Uuid::from_bytes(redemption.to_bytes())
}

const fn coupon_uuid(coupon: CouponId) -> Uuid {
    Uuid::from_bytes(coupon.to_bytes())
}

/// A coupon's id as two numbers.
fn halves(coupon: CouponId) -> [i64; 2] {
    let bytes = coupon.to_bytes();
    let (halves, _) = bytes.as_chunks::<8>();
    [halves[0], halves[1]].map(i64::from_be_bytes)
}
