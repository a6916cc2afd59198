//! Commands to gateways, in PostgreSQL.

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::{Answer, all, maybe, number, people, run, signed, unsigned};
use crate::domain::command::{Cursor, Outcome};
use crate::domain::ids::{CommandId, CouponId, GatewayId};
use crate::hq::db::commands::{Given, Heard, MAX_ITEMS, Order, Row, ahead, hear};
use crate::hq::db::settle::NewOutcome;
use crate::wire::link::Item;

const ITEM: &str = "select number, id, kind, coupon, made, outcome from command";

pub(super) async fn give(db: &mut Object, order: &Order) -> Answer<Option<u64>> {
    let tx = db.transaction().await?;
    let Some(row) = lock(&tx, order.gateway).await? else {
        return Ok(None);
    };
    let next = row.given + 1;
    run(
        &tx,
        "insert into command (gateway, number, id, kind, coupon, made)
         values ($1, $2, $3, $4, $5, $6)",
        &[
            &number(order.gateway),
            &signed(next),
            &Uuid::from_bytes(order.id.to_bytes()),
            &order.command.kind(),
            &order.command.coupon().map(uuid),
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
    Ok(rows.iter().map(item).collect())
}

pub(super) async fn given(db: &Object, gateway: GatewayId) -> Answer<Vec<Given>> {
    let sql = "select commands_done from gateway where id = $1";
    let done = maybe(db, sql, &[&number(gateway)]).await?;
    let done = done.map_or(0, |row| unsigned(row.get(0)));
    let sql = format!("{ITEM} where gateway = $1 order by number");
    let rows = all(db, &sql, &[&number(gateway)]).await?;
    let given = |row: &SqlRow| {
        let item = item(row);
        Given {
            made: row.get(4),
            is_dealt_with: item.cursor.number <= done,
            outcome: row.get::<_, Option<&str>>(5).and_then(Outcome::named),
            item,
        }
    };
    Ok(rows.iter().map(given).collect())
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

fn item(row: &SqlRow) -> Item {
    let coupon: Option<Uuid> = row.get(3);
    Item {
        cursor: Cursor {
            number: unsigned(row.get(0)),
            id: command_id(row.get(1)),
        },
        kind: row.get(2),
        coupon: coupon.map(|coupon| CouponId::from_entropy(coupon.into_bytes())),
    }
}

const fn command_id(id: Uuid) -> CommandId {
    CommandId::from_entropy(id.into_bytes())
}

const fn uuid(coupon: CouponId) -> Uuid {
    Uuid::from_bytes(coupon.to_bytes())
}
