//! Commands to gateways, in SQLite.

use jiff::Timestamp;
use rusqlite::{
    Connection, OptionalExtension, Row as SqlRow, Transaction, TransactionBehavior, params,
};

use super::{people, signed, time, unsigned};
use crate::domain::command::{Cursor, Outcome};
use crate::domain::ids::{CommandId, CouponId, GatewayId};
use crate::hq::db::commands::{Given, Heard, MAX_ITEMS, Order, Row, ahead, hear};
use crate::hq::db::settle::NewOutcome;
use crate::wire::link::Item;

const ITEM: &str = "select number, id, kind, coupon, made, outcome from command";

pub(super) fn give(db: &mut Connection, order: &Order) -> rusqlite::Result<Option<u64>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(row) = row(&tx, order.gateway)? else {
        return Ok(None);
    };
    let number = row.given + 1;
    tx.execute(
        "insert into command (gateway, number, id, kind, coupon, made)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            order.gateway.0,
            signed(number),
            order.id.to_bytes(),
            order.command.kind(),
            order.command.coupon().map(CouponId::to_bytes),
            order.made.as_millisecond()
        ],
    )?;
    let given = Row {
        given: number,
        ..row
    };
    keep(&tx, order.gateway, given)?;
    people::note(&tx, &order.audit(number))?;
    tx.commit()?;
    Ok(Some(number))
}

pub(super) fn after(
    db: &mut Connection,
    gateway: GatewayId,
    cursor: Option<Cursor>,
    now: Timestamp,
) -> rusqlite::Result<Vec<Item>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(row) = row(&tx, gateway)? else {
        return Ok(Vec::new());
    };
    let from = cursor.map_or(0, |cursor| cursor.number);
    match hear(row, cursor, id(&tx, gateway, from)?) {
        Heard::Nothing => {}
        Heard::Done(done) => keep(&tx, gateway, Row { done, ..row })?,
        Heard::Ahead { done, by } => {
            tx.execute(
                "update command set number = number + ?3 where gateway = ?1 and number > ?2",
                params![gateway.0, signed(row.done), signed(by)],
            )?;
            let given = row.given + by;
            keep(&tx, gateway, Row { given, done })?;
            people::note(&tx, &ahead(gateway, row, done, now))?;
        }
    }
    let items = tx
        .prepare_cached(&format!(
            "{ITEM} where gateway = ?1 and number > ?2 order by number limit ?3"
        ))?
        .query_map(params![gateway.0, signed(from), MAX_ITEMS], item)?
        .collect::<rusqlite::Result<_>>()?;
    tx.commit()?;
    Ok(items)
}

pub(super) fn all(db: &mut Connection, gateway: GatewayId) -> rusqlite::Result<Vec<Given>> {
    let tx = db.transaction()?;
    let Some(row) = row(&tx, gateway)? else {
        return Ok(Vec::new());
    };
    tx.prepare(&format!("{ITEM} where gateway = ?1 order by number"))?
        .query_map([gateway.0], |found| {
            let item = item(found)?;
            Ok(Given {
                made: time(found.get(4)?),
                is_dealt_with: item.cursor.number <= row.done,
                outcome: found
                    .get::<_, Option<String>>(5)?
                    .and_then(|name| Outcome::named(&name)),
                item,
            })
        })?
        .collect()
}

pub(super) fn record_outcome(tx: &Transaction<'_>, done: &NewOutcome) -> rusqlite::Result<()> {
    tx.prepare_cached("update command set outcome = ?3 where id = ?1 and gateway = ?2")?
        .execute(params![
            done.command.to_bytes(),
            done.gateway.0,
            done.outcome.name()
        ])?;
    Ok(())
}

fn row(tx: &Transaction<'_>, gateway: GatewayId) -> rusqlite::Result<Option<Row>> {
    tx.prepare_cached("select commands_given, commands_done from gateway where id = ?1")?
        .query_row([gateway.0], |row| {
            Ok(Row {
                given: unsigned(row.get(0)?),
                done: unsigned(row.get(1)?),
            })
        })
        .optional()
}

fn keep(tx: &Transaction<'_>, gateway: GatewayId, row: Row) -> rusqlite::Result<()> {
    tx.prepare_cached("update gateway set commands_given = ?2, commands_done = ?3 where id = ?1")?
        .execute(params![gateway.0, signed(row.given), signed(row.done)])?;
    Ok(())
}

/// The id of the command with this number.
fn id(
    tx: &Transaction<'_>,
    gateway: GatewayId,
    number: u64,
) -> rusqlite::Result<Option<CommandId>> {
    tx.prepare_cached("select id from command where gateway = ?1 and number = ?2")?
        .query_row(params![gateway.0, signed(number)], |row| {
            row.get(0).map(CommandId::from_entropy)
        })
        .optional()
}

fn item(row: &SqlRow<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        cursor: Cursor {
            number: unsigned(row.get(0)?),
            id: CommandId::from_entropy(row.get(1)?),
        },
        kind: row.get(2)?,
        coupon: row
            .get::<_, Option<[u8; 16]>>(3)?
            .map(CouponId::from_entropy),
    })
}
