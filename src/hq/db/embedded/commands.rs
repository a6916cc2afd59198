//! Commands to gateways, in SQLite.

use jiff::Timestamp;
use rusqlite::{
    Connection, OptionalExtension, Row as SqlRow, Transaction, TransactionBehavior, params,
};

use super::{corrupt, people, persons, signed, time, unsigned};
use crate::domain::command::{Cursor, Details, Outcome};
use crate::domain::ids::{CommandId, CouponId, GatewayId};
use crate::hq::db::commands::{Given, Heard, MAX_ITEMS, Order, Row, ahead, hear};
use crate::hq::db::notice::{self, Notice, command_id, places};
use crate::hq::db::settle::{NewNotice, NewOutcome};
use crate::wire::link::{Item, Serves};

const ITEM: &str = "select number, id, kind, coupon, made, outcome, details from command";

pub(super) fn give(db: &mut Connection, order: &Order) -> rusqlite::Result<Option<u64>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let new = New {
        id: order.id,
        kind: order.command.kind(),
        coupon: order.command.coupon().map(CouponId::to_bytes),
        details: notice::details(&order.command),
        made: order.made,
    };
    let Some(number) = add(&tx, order.gateway, &new)? else {
        return Ok(None);
    };
    people::note(&tx, &order.audit(number))?;
    tx.commit()?;
    Ok(Some(number))
}

/// A command without its number.
struct New<'a> {
    id: CommandId,
    kind: &'a str,
    coupon: Option<[u8; 16]>,
    details: Option<String>,
    made: Timestamp,
}

/// Puts a command at the end of a gateway's; none where there is no such gateway.
fn add(tx: &Transaction<'_>, gateway: GatewayId, new: &New<'_>) -> rusqlite::Result<Option<u64>> {
    let Some(row) = row(tx, gateway)? else {
        return Ok(None);
    };
    let given = row.given + 1;
    tx.prepare_cached(
        "insert into command (gateway, number, id, kind, coupon, details, made)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        gateway.0,
        signed(given),
        new.id.to_bytes(),
        new.kind,
        new.coupon,
        new.details,
        new.made.as_millisecond()
    ])?;
    keep(tx, gateway, Row { given, ..row })?;
    Ok(Some(given))
}

/// Keeps notices, and tells the boxes that they are for.
pub(super) fn notify(tx: &Transaction<'_>, notices: &[NewNotice<'_>]) -> rusqlite::Result<()> {
    let guests = notices.iter().filter_map(|new| new.notice.command.guest());
    let erased = persons::erased_of(tx, guests)?;
    for NewNotice { notice, received } in notices {
        let Some(notice) = notice.heeding(&erased) else {
            continue;
        };
        let served = tx
            .prepare_cached(
                "select id from gateway where (serves = ?1 or ?1 = '') and revoked is null order by id",
            )?
            .query_map([notice.place()], |row| row.get(0).map(GatewayId))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let is_for_nobody = served.is_empty() && notice.is_for_those_there();
        if is_for_nobody || !keep_notice(tx, &notice)? {
            continue;
        }
        for gateway in served {
            let new = New {
                id: command_id(notice.id(), gateway),
                kind: notice.command.kind(),
                coupon: notice.about(),
                details: notice.details(),
                made: *received,
            };
            if !is_given(tx, new.id)? {
                add(tx, gateway, &new)?;
            }
        }
    }
    Ok(())
}

/// Keeps a notice; whether it is new.
pub(super) fn keep_notice(db: &Connection, notice: &Notice) -> rusqlite::Result<bool> {
    let kept = db
        .prepare_cached(
            "insert or ignore into notice (store, id, kind, coupon, details, until)
             values (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            notice.place(),
            notice.id(),
            notice.command.kind(),
            notice.about(),
            notice.details(),
            notice.until.as_millisecond()
        ])?;
    Ok(kept > 0)
}

/// Tells a box that enrols, for the first time or again, what the others of its place have been told and it has
/// not; what is over is let go.
pub(super) fn tell_new(
    tx: &Transaction<'_>,
    gateway: GatewayId,
    serves: &Serves,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tx.execute(
        "delete from notice where until < ?1",
        [now.as_millisecond()],
    )?;
    let mut query = tx.prepare(
        "select id, kind, coupon, details from notice where store in (?1, ?2) order by no",
    )?;
    let mut rows = query.query(places(serves))?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        let new = New {
            id: command_id(row.get(0)?, gateway),
            kind: &kind,
            coupon: row.get(2)?,
            details: row.get(3)?,
            made: now,
        };
        if !is_given(tx, new.id)? {
            add(tx, gateway, &new)?;
        }
    }
    Ok(())
}

fn is_given(tx: &Transaction<'_>, id: CommandId) -> rusqlite::Result<bool> {
    tx.prepare_cached("select 1 from command where id = ?1")?
        .exists([id.to_bytes()])
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
        details: match row.get::<_, Option<String>>(6)? {
            None => Details::default(),
            Some(written) => serde_json::from_str(&written).map_err(|error| corrupt(6, error))?,
        },
    })
}
