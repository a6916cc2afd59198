//! Commands to gateways, in PostgreSQL.

use std::borrow::Cow;

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Answer, all, corrupt, maybe, number, people, persons, run, signed, unsigned};
use crate::domain::command::{Cursor, Details, Outcome};
use crate::domain::ids::{CommandId, CouponId, GatewayId};
use crate::hq::db::commands::{Given, Heard, MAX_ITEMS, Order, Row, ahead, hear};
use crate::hq::db::notice::{self, Notice, places};
use crate::hq::db::serves_text;
use crate::hq::db::settle::{NewNotice, NewOutcome};
use crate::wire::link::{Item, Serves};

const ITEM: &str = "select number, id, kind, coupon, made, outcome, details from command";

pub(super) async fn give(db: &mut Object, order: &Order) -> Answer<Option<u64>> {
    let tx = db.transaction().await?;
    let Some(row) = lock(&tx, order.gateway).await? else {
        return Ok(None);
    };
    let next = row.given + 1;
    run(
        &tx,
        "insert into command (gateway, number, id, kind, coupon, details, made)
         values ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &number(order.gateway),
            &signed(next),
            &Uuid::from_bytes(order.id.to_bytes()),
            &order.command.kind(),
            &order.command.coupon().map(uuid),
            &notice::details(&order.command),
            &order.made,
        ],
    )
    .await?;
    keep(&tx, order.gateway, Row { given: next, ..row }).await?;
    people::note(&tx, &[order.audit(next)]).await?;
    tx.commit().await?;
    Ok(Some(next))
}

pub(super) async fn after(
    db: &mut Object,
    gateway: GatewayId,
    cursor: Option<Cursor>,
    now: Timestamp,
) -> Answer<Vec<Item>> {
    let tx = db.transaction().await?;
    let Some(row) = lock(&tx, gateway).await? else {
        return Ok(Vec::new());
    };
    let from = cursor.map_or(0, |cursor| cursor.number);
    match hear(row, cursor, id(&tx, gateway, from).await?) {
        Heard::Nothing => {}
        Heard::Done(done) => keep(&tx, gateway, Row { done, ..row }).await?,
        Heard::Ahead { done, by } => {
            let sql = "update command set number = number + $3 where gateway = $1 and number > $2";
            let moved = [&signed(row.done), &signed(by)];
            run(&tx, sql, &[&number(gateway), moved[0], moved[1]]).await?;
            let given = row.given + by;
            keep(&tx, gateway, Row { given, done }).await?;
            people::note(&tx, &[ahead(gateway, row, done, now)]).await?;
        }
    }
    let sql = format!("{ITEM} where gateway = $1 and number > $2 order by number limit $3");
    let most = i64::from(MAX_ITEMS);
    let rows = all(&tx, &sql, &[&number(gateway), &signed(from), &most]).await?;
    tx.commit().await?;
    rows.iter().map(item).collect()
}

pub(super) async fn given(db: &Object, gateway: GatewayId) -> Answer<Vec<Given>> {
    let sql = "select commands_done from gateway where id = $1";
    let done = maybe(db, sql, &[&number(gateway)]).await?;
    let done = done.map_or(0, |row| unsigned(row.get(0)));
    let sql = format!("{ITEM} where gateway = $1 order by number");
    let rows = all(db, &sql, &[&number(gateway)]).await?;
    let given = |row: &SqlRow| {
        let item = item(row)?;
        Ok(Given {
            made: row.get(4),
            is_dealt_with: item.cursor.number <= done,
            outcome: row.get::<_, Option<&str>>(5).and_then(Outcome::named),
            item,
        })
    };
    rows.iter().map(given).collect()
}

/// Keeps notices; the ids of those that are new.
const KEEP: &str = "insert into notice (store, id, kind, coupon, details, until)
     select * from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[])
     on conflict do nothing returning no";

/// Tells gateways of notices, those with these numbers or, for one gateway, all that are for it. Ids are of the
/// same things as in `notice::command_id`, made by another function: no ledger reads another kind's.
const TELL: &str = "with told as (
         select gateway.id as gateway, commands_given, notice.kind, notice.coupon, notice.details,
                md5(notice.id::text || gateway.id)::uuid as id,
                row_number() over (partition by gateway.id order by no) as place
         from notice join gateway on notice.store in (gateway.serves, '')
         where no = any($1) and gateway.id = any($2)
             and not exists (select from command
                 where command.id = md5(notice.id::text || gateway.id)::uuid)
     ), given as (
         insert into command (gateway, number, id, kind, coupon, details, made)
         select gateway, commands_given + place, id, kind, coupon, details, $3 from told
         returning gateway, number
     )
     update gateway set commands_given = last
     from (select gateway, max(number) as last from given group by gateway) given
     where gateway.id = given.gateway";

/// Keeps notices, and tells the boxes that they are for.
pub(super) async fn notify(tx: &impl GenericClient, notices: &[NewNotice<'_>]) -> Answer<()> {
    let Some(now) = notices.first().map(|new| new.received) else {
        return Ok(());
    };
    let guests = notices.iter().filter_map(|new| new.notice.command.guest());
    let erased = persons::erased_of(tx, guests).await?;
    let heeding = notices.iter().filter_map(|new| new.notice.heeding(&erased));
    let mut all_new: Vec<Cow<'_, Notice>> = heeding.collect();
    if !has_street(tx).await? {
        all_new.retain(|notice| !notice.is_for_those_there());
    }
    let kept = keep_notices(tx, &all_new).await?;
    if kept.is_empty() {
        return Ok(());
    }
    // In one order, and before their commands: whoever else gives them one waits here.
    let places: Vec<String> = all_new.iter().map(|notice| notice.place()).collect();
    let sql = "select id from gateway
               where (serves = any($1) or '' = any($1)) and revoked is null
               order by id for update";
    let served = all(tx, sql, &[&places]).await?;
    let served: Vec<i32> = served.iter().map(|row| row.get(0)).collect();
    run(tx, TELL, &[&kept, &served, &now]).await?;
    Ok(())
}

async fn has_street(tx: &impl GenericClient) -> Answer<bool> {
    let sql = "select 1 from gateway where serves = $1 and revoked is null limit 1";
    let street = serves_text(&Serves::Street);
    Ok(maybe(tx, sql, &[&street]).await?.is_some())
}

/// Keeps notices; the numbers of those that are new.
pub(super) async fn keep_notices(
    db: &impl GenericClient,
    notices: &[Cow<'_, Notice>],
) -> Answer<Vec<i64>> {
    let places: Vec<String> = notices.iter().map(|notice| notice.place()).collect();
    let ids = notices.iter().map(|notice| Uuid::from_bytes(notice.id()));
    let ids: Vec<Uuid> = ids.collect();
    let kinds: Vec<&str> = notices.iter().map(|one| one.command.kind()).collect();
    let coupons = notices.iter().map(|one| one.about().map(Uuid::from_bytes));
    let coupons: Vec<Option<Uuid>> = coupons.collect();
    let details: Vec<_> = notices.iter().map(|notice| notice.details()).collect();
    let until: Vec<_> = notices.iter().map(|notice| notice.until).collect();
    let kept: [&(dyn ToSql + Sync); 6] = [&places, &ids, &kinds, &coupons, &details, &until];
    let rows = all(db, KEEP, &kept).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Tells a box that enrols, for the first time or again, what the others of its place have been told and it has
/// not; what is over is let go.
pub(super) async fn tell_new(
    tx: &impl GenericClient,
    gateway: GatewayId,
    serves: &Serves,
    now: Timestamp,
) -> Answer<()> {
    run(tx, "delete from notice where until < $1", &[&now]).await?;
    let places = places(serves).to_vec();
    let sql = "select no from notice where store = any($1)";
    let rows = all(tx, sql, &[&places]).await?;
    let numbers: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    run(tx, TELL, &[&numbers, &vec![number(gateway)], &now]).await?;
    Ok(())
}

pub(super) async fn record_outcome(tx: &impl GenericClient, done: &NewOutcome) -> Answer<()> {
    let sql = "update command set outcome = $3 where id = $1 and gateway = $2";
    let id = Uuid::from_bytes(done.command.to_bytes());
    let (gateway, outcome) = (number(done.gateway), done.outcome.name());
    run(tx, sql, &[&id, &gateway, &outcome]).await?;
    Ok(())
}

/// Two that give commands to one gateway wait for each other here.
async fn lock(tx: &impl GenericClient, gateway: GatewayId) -> Answer<Option<Row>> {
    let sql = "select commands_given, commands_done from gateway where id = $1 for update";
    let row = maybe(tx, sql, &[&number(gateway)]).await?;
    Ok(row.map(|row| Row {
        given: unsigned(row.get(0)),
        done: unsigned(row.get(1)),
    }))
}

async fn keep(tx: &impl GenericClient, gateway: GatewayId, row: Row) -> Answer<()> {
    let sql = "update gateway set commands_given = $2, commands_done = $3 where id = $1";
    let (given, done) = (signed(row.given), signed(row.done));
    run(tx, sql, &[&number(gateway), &given, &done]).await?;
    Ok(())
}

/// The id of the command with this number.
async fn id(tx: &impl GenericClient, gateway: GatewayId, at: u64) -> Answer<Option<CommandId>> {
    let sql = "select id from command where gateway = $1 and number = $2";
    let row = maybe(tx, sql, &[&number(gateway), &signed(at)]).await?;
    Ok(row.map(|row| command_id(row.get(0))))
}

fn item(row: &SqlRow) -> Answer<Item> {
    let coupon: Option<Uuid> = row.get(3);
    let details: Option<&str> = row.get(6);
    Ok(Item {
        cursor: Cursor {
            number: unsigned(row.get(0)),
            id: command_id(row.get(1)),
        },
        kind: row.get(2),
        coupon: coupon.map(|coupon| CouponId::from_entropy(coupon.into_bytes())),
        details: match details {
            None => Details::default(),
            Some(written) => serde_json::from_str(written).map_err(corrupt)?,
        },
    })
}

const fn command_id(id: Uuid) -> CommandId {
    CommandId::from_entropy(id.into_bytes())
}

const fn uuid(coupon: CouponId) -> Uuid {
    Uuid::from_bytes(coupon.to_bytes())
}
