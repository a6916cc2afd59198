//! Gateways, their certificates, the tokens they enrol with and the bundles they should have.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{corrupt, people, signed, time, unsigned};
use crate::domain::ids::{GatewayId, StoreId};
use crate::hq::db::commands;
use crate::hq::db::{
    AuditEntry, Caller, Certificate, Denied, Enrolment, Gateway, HostRequest, NewToken, Published,
    Report, ReportedBundle, Revoked, STREET, TokenHash, TokenRefusal, serves_text,
};
use crate::wire::link::{BundleState, Serves};
use crate::wire::signing::PublicKey;

/// Being seen is written down this often at most: every write is an fsync, and a page shows minutes.
const SEEN_EVERY_MILLIS: i64 = 10_000;

const GATEWAY: &str = "select id, serves, coupon_key, software, enrolled, revoked, last_seen,
    (select sum(waiting) from stream where stream.gateway = gateway.id),
    reported, reported_state, reported_why, commands_given, commands_done from gateway";

pub(super) fn gateways(db: &Connection) -> rusqlite::Result<Vec<Gateway>> {
    db.prepare_cached(&format!("{GATEWAY} order by id"))?
        .query_map([], gateway)?
        .collect()
}

fn gateway(row: &Row<'_>) -> rusqlite::Result<Gateway> {
    let reported = match (row.get(8)?, row.get::<_, Option<String>>(9)?) {
        (Some(version), Some(state)) => Some(ReportedBundle {
            version: unsigned(version),
            state: if state == APPLIED {
                BundleState::Applied
            } else {
                BundleState::Refused
            },
            why: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Gateway {
        id: GatewayId(row.get(0)?),
        serves: serves(1, &row.get::<_, String>(1)?)?,
        coupon_key: PublicKey::try_from(row.get::<_, String>(2)?)
            .map_err(|error| corrupt(2, error))?,
        software: row.get(3)?,
        enrolled: time(row.get(4)?),
        revoked: row.get::<_, Option<i64>>(5)?.map(time),
        last_seen: row.get::<_, Option<i64>>(6)?.map(time),
        waiting: row.get::<_, Option<i64>>(7)?.map(unsigned),
        reported,
        commands: commands::Row {
            given: unsigned(row.get(11)?),
            done: unsigned(row.get(12)?),
        },
    })
}

fn serves(column: usize, text: &str) -> rusqlite::Result<Serves> {
    if text == STREET {
        return Ok(Serves::Street);
    }
    StoreId::parse(text)
        .map(Serves::Store)
        .map_err(|error| corrupt(column, error))
}

pub(super) fn recognise(
    db: &Connection,
    caller: &Caller,
) -> rusqlite::Result<Result<Gateway, Denied>> {
    let found = db
        .prepare_cached(&format!("{GATEWAY} where id = ?1"))?
        .query_row([caller.gateway.0], gateway)
        .optional()?;
    let Some(gateway) = found else {
        return Ok(Err(Denied::Unknown));
    };
    if gateway.is_revoked() {
        return Ok(Err(Denied::Revoked));
    }
    let certificate: Option<(Option<i64>, bool)> = db
        .prepare_cached(
            "select retired, exists (select 1 from certificate elder
                 where elder.gateway = own.gateway and elder.retired is null
                 and elder.issued < own.issued)
             from certificate own where serial = ?1 and gateway = ?2",
        )?
        .query_row(params![caller.serial, caller.gateway.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match certificate {
        None => return Ok(Err(Denied::Unknown)),
        Some((Some(_), _)) => return Ok(Err(Denied::Retired)),
        Some((None, true)) => retire_elders(db, caller)?,
        Some((None, false)) => {}
    }
    let now = caller.now.as_millisecond();
    let seen = gateway
        .last_seen
        .map_or(i64::MIN, Timestamp::as_millisecond);
    if seen < now.saturating_sub(SEEN_EVERY_MILLIS) {
        note_seen(db, caller)?;
    }
    Ok(Ok(gateway))
}

fn note_seen(db: &Connection, caller: &Caller) -> rusqlite::Result<()> {
    db.prepare_cached("update gateway set last_seen = ?2 where id = ?1")?
        .execute(params![caller.gateway.0, caller.now.as_millisecond()])?;
    Ok(())
}

/// Retires the certificates that this one replaces: it has arrived and works. At its first use, however
/// lately the gateway was seen: the old key may be in other hands.
fn retire_elders(db: &Connection, caller: &Caller) -> rusqlite::Result<()> {
    db.prepare_cached(
        "update certificate set retired = ?3 where gateway = ?1 and retired is null
         and issued < (select issued from certificate where serial = ?2)",
    )?
    .execute(params![
        caller.gateway.0,
        caller.serial,
        caller.now.as_millisecond()
    ])?;
    Ok(())
}

pub(super) fn record_certificate(
    db: &Connection,
    certificate: &Certificate,
) -> rusqlite::Result<()> {
    db.execute(
        "insert into certificate (serial, gateway, issued, not_after) values (?1, ?2, ?3, ?4)",
        params![
            certificate.serial,
            certificate.gateway.0,
            certificate.issued.as_millisecond(),
            certificate.not_after.as_millisecond(),
        ],
    )?;
    Ok(())
}

const APPLIED: &str = "applied";

pub(super) fn record_report(db: &Connection, report: &Report) -> rusqlite::Result<()> {
    let state = match report.bundle.state {
        BundleState::Applied => APPLIED,
        BundleState::Refused => "refused",
    };
    db.execute(
        "update gateway set reported = ?2, reported_state = ?3, reported_why = ?4, software = ?5,
             last_seen = ?6 where id = ?1",
        params![
            report.gateway.0,
            signed(report.bundle.version),
            state,
            report.bundle.why,
            report.software,
            report.now.as_millisecond(),
        ],
    )?;
    Ok(())
}

/// Written only where it is news: a box asks again after every start.
pub(super) fn keep_host_request(db: &Connection, request: &HostRequest) -> rusqlite::Result<()> {
    db.execute(
        "insert into host_request (gateway, csr_pem, received) values (?1, ?2, ?3)
         on conflict (gateway) do update set csr_pem = excluded.csr_pem, received = excluded.received
         where excluded.csr_pem <> host_request.csr_pem",
        params![
            request.gateway.0,
            request.csr_pem,
            request.received.as_millisecond()
        ],
    )?;
    Ok(())
}

pub(super) fn host_requests(
    db: &Connection,
    store: &StoreId,
) -> rusqlite::Result<Vec<HostRequest>> {
    db.prepare_cached(
        "select host_request.gateway, csr_pem, received from host_request
         join gateway on gateway.id = host_request.gateway
         where serves = ?1 and revoked is null order by gateway.id",
    )?
    .query_map([store.as_str()], |row| {
        Ok(HostRequest {
            gateway: GatewayId(row.get(0)?),
            csr_pem: row.get(1)?,
            received: time(row.get(2)?),
        })
    })?
    .collect()
}

pub(super) fn revoke(
    db: &mut Connection,
    gateway: GatewayId,
    now: Timestamp,
) -> rusqlite::Result<Revoked> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let was: Option<bool> = tx
        .query_row(
            "select revoked is not null from gateway where id = ?1",
            [gateway.0],
            |row| row.get(0),
        )
        .optional()?;
    match was {
        None => return Ok(Revoked::Unknown),
        Some(true) => return Ok(Revoked::Before),
        Some(false) => {}
    }
    tx.execute(
        "update gateway set revoked = ?2 where id = ?1",
        params![gateway.0, now.as_millisecond()],
    )?;
    people::note(&tx, &AuditEntry::new(now, "gateway_revoked", &gateway, ""))?;
    tx.commit()?;
    Ok(Revoked::Now)
}

pub(super) fn keep_token(db: &mut Connection, token: &NewToken) -> rusqlite::Result<()> {
    let serves = serves_text(&token.serves);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute(
        "insert into token (hash, serves, made, expires) values (?1, ?2, ?3, ?4)",
        params![
            token.hash,
            serves,
            token.made.as_millisecond(),
            token.expires.as_millisecond()
        ],
    )?;
    let until = format!("until {}", token.expires);
    people::note(
        &tx,
        &AuditEntry::new(token.made, "token_made", &serves, &until),
    )?;
    tx.commit()
}

pub(super) fn look_at_token(
    db: &Connection,
    hash: TokenHash,
    now: Timestamp,
) -> rusqlite::Result<Result<Serves, TokenRefusal>> {
    let found: Option<(String, i64, Option<i64>)> = db
        .query_row(
            "select serves, expires, used from token where hash = ?1",
            [hash],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    Ok(match found {
        None => Err(TokenRefusal::Unknown),
        Some((_, _, Some(_))) => Err(TokenRefusal::Used),
        Some((_, expires, None)) if expires <= now.as_millisecond() => Err(TokenRefusal::Expired),
        Some((text, _, None)) => Ok(serves(0, &text)?),
    })
}

pub(super) fn enrol(
    db: &mut Connection,
    enrolment: &Enrolment,
) -> rusqlite::Result<Result<GatewayId, TokenRefusal>> {
    // Immediate: two boxes with one token must not both find it unused.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let serves = match look_at_token(&tx, enrolment.token, enrolment.now)? {
        Ok(serves) => serves,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let now = enrolment.now.as_millisecond();
    let id = match take_number_again(&tx, enrolment, &serves)? {
        Some(id) => id,
        None => give_number(&tx, enrolment, &serves)?,
    };
    super::commands::tell_new(&tx, id, &serves, enrolment.now)?;
    tx.execute(
        "update token set used = ?2, gateway = ?3 where hash = ?1",
        params![enrolment.token, now, id.0],
    )?;
    record_certificate(
        &tx,
        &Certificate {
            serial: enrolment.serial.clone(),
            gateway: id,
            issued: enrolment.now,
            not_after: enrolment.not_after,
        },
    )?;
    let detail = format!("{}, certificate {}", serves_text(&serves), enrolment.serial);
    people::note(
        &tx,
        &AuditEntry::new(enrolment.now, "gateway_enrolled", &id, &detail),
    )?;
    tx.commit()?;
    Ok(Ok(id))
}

/// The number of the box that enrolled with the same key for the same place: its journal goes on with
/// the streams it has, and those belong to that number. The certificates of before end here.
fn take_number_again(
    tx: &Transaction<'_>,
    enrolment: &Enrolment,
    serves: &Serves,
) -> rusqlite::Result<Option<GatewayId>> {
    let known = tx
        .query_row(
            "select id from gateway where coupon_key = ?1 and serves = ?2 order by id desc limit 1",
            params![enrolment.coupon_key.to_string(), serves_text(serves)],
            |row| row.get(0).map(GatewayId),
        )
        .optional()?;
    let Some(id) = known else {
        return Ok(None);
    };
    let now = enrolment.now.as_millisecond();
    tx.execute(
        "update gateway set software = ?2, enrolled = ?3, revoked = null where id = ?1",
        params![id.0, enrolment.software, now],
    )?;
    tx.execute(
        "update certificate set retired = ?2 where gateway = ?1 and retired is null",
        params![id.0, now],
    )?;
    Ok(Some(id))
}

fn give_number(
    tx: &Transaction<'_>,
    enrolment: &Enrolment,
    serves: &Serves,
) -> rusqlite::Result<GatewayId> {
    tx.execute(
        "insert into gateway (serves, coupon_key, software, enrolled) values (?1, ?2, ?3, ?4)",
        params![
            serves_text(serves),
            enrolment.coupon_key.to_string(),
            enrolment.software,
            enrolment.now.as_millisecond()
        ],
    )?;
    let number = tx.last_insert_rowid();
    Ok(GatewayId(
        u32::try_from(number).map_err(|error| corrupt(0, error))?,
    ))
}

pub(super) fn published(
    db: &Connection,
    gateway: GatewayId,
) -> rusqlite::Result<Option<Published>> {
    db.query_row(
        "select version, sha256, content, made from bundle where gateway = ?1",
        [gateway.0],
        |row| {
            Ok(Published {
                version: unsigned(row.get(0)?),
                sha256: row.get(1)?,
                content: row.get(2)?,
                made: time(row.get(3)?),
            })
        },
    )
    .optional()
}

/// A version never goes back, whoever asks.
pub(super) fn publish(
    db: &Connection,
    gateway: GatewayId,
    published: &Published,
) -> rusqlite::Result<()> {
    db.execute(
        "insert into bundle (gateway, version, sha256, content, made) values (?1, ?2, ?3, ?4, ?5)
         on conflict (gateway) do update set version = excluded.version, sha256 = excluded.sha256,
             content = excluded.content, made = excluded.made
         where excluded.version > version",
        params![
            gateway.0,
            signed(published.version),
            published.sha256,
            published.content,
            published.made.as_millisecond(),
        ],
    )?;
    Ok(())
}
