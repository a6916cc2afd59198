//! Gateways, their certificates, the tokens they enrol with and the bundles they should have.

use deadpool_postgres::{GenericClient, Object, Transaction};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::{
    Answer, Parameters, Sql, all, corrupt, gateway_id, maybe, number, one, people, run, signed,
    text, unsigned,
};
use crate::domain::ids::{GatewayId, StoreId};
use crate::hq::db::commands;
use crate::hq::db::{
    AuditEntry, Caller, Certificate, Denied, Enrolment, Gateway, HostRequest, NewToken, Published,
    Report, ReportedBundle, Revoked, STREET, TokenHash, TokenRefusal, serves_text,
};
use crate::wire::link::{BundleState, Serves};
use crate::wire::signing::PublicKey;

/// Being seen is written down this often at most: a page shows minutes.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(10);

const GATEWAY: &str = "select id, serves, coupon_key, software, enrolled, revoked, last_seen,
    (select sum(waiting)::bigint from stream where stream.gateway = gateway.id),
    reported, reported_state, reported_why, commands_given, commands_done from gateway";

pub(super) async fn gateways(db: &Object) -> Answer<Vec<Gateway>> {
    let rows = all(db, &format!("{GATEWAY} order by id"), &[]).await?;
    rows.iter().map(gateway).collect()
}

fn gateway(row: &Row) -> Answer<Gateway> {
    let reported = match (row.get::<_, Option<i64>>(8), row.get::<_, Option<&str>>(9)) {
        (Some(version), Some(state)) => Some(ReportedBundle {
            version: unsigned(version),
            state: if state == APPLIED {
                BundleState::Applied
            } else {
                BundleState::Refused
            },
            why: row.get::<_, Option<String>>(10).unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Gateway {
        id: gateway_id(row.get(0)),
        serves: serves(row.get(1))?,
        coupon_key: PublicKey::try_from(row.get::<_, String>(2)).map_err(corrupt)?,
        software: row.get(3),
        enrolled: row.get(4),
        revoked: row.get(5),
        last_seen: row.get(6),
        waiting: row.get::<_, Option<i64>>(7).map(unsigned),
        reported,
        commands: commands::Row {
            given: unsigned(row.get(11)),
            done: unsigned(row.get(12)),
        },
    })
}

fn serves(text: &str) -> Answer<Serves> {
    if text == STREET {
        return Ok(Serves::Street);
    }
    StoreId::parse(text).map(Serves::Store).map_err(corrupt)
}

pub(super) async fn recognise(db: &Object, caller: &Caller) -> Answer<Result<Gateway, Denied>> {
    let id = number(caller.gateway);
    let own = "select retired, exists (select 1 from certificate elder
             where elder.gateway = own.gateway and elder.retired is null
             and elder.issued < own.issued)
         from certificate own where serial = $1 and gateway = $2";
    let which = format!("{GATEWAY} where id = $1");
    // Both at once: every request of every gateway waits for these two.
    let (who, proof): (Parameters<'_>, Parameters<'_>) = (&[&id], &[&caller.serial, &id]);
    let (found, certificate) = tokio::try_join!(maybe(db, &which, who), maybe(db, own, proof))?;
    let Some(found) = found else {
        return Ok(Err(Denied::Unknown));
    };
    let gateway = gateway(&found)?;
    if gateway.is_revoked() {
        return Ok(Err(Denied::Revoked));
    }
    let Some(certificate) = certificate else {
        return Ok(Err(Denied::Unknown));
    };
    if certificate.get::<_, Option<Timestamp>>(0).is_some() {
        return Ok(Err(Denied::Retired));
    }
    if certificate.get(1) {
        retire_elders(db, caller).await?;
    }
    let is_seen = |seen| caller.now.duration_since(seen) < SEEN_EVERY;
    if !gateway.last_seen.is_some_and(is_seen) {
        let sql = "update gateway set last_seen = $2 where id = $1";
        run(db, sql, &[&id, &caller.now]).await?;
    }
    Ok(Ok(gateway))
}

/// Retires the certificates that this one replaces: it has arrived and works. At its first use, however
/// lately the gateway was seen: the old key may be in other hands.
async fn retire_elders(db: &Object, caller: &Caller) -> Sql<u64> {
    run(
        db,
        "update certificate set retired = $3 where gateway = $1 and retired is null
         and issued < (select issued from certificate where serial = $2)",
        &[&number(caller.gateway), &caller.serial, &caller.now],
    )
    .await
}

pub(super) async fn record_certificate(
    db: &impl GenericClient,
    certificate: &Certificate,
) -> Answer<()> {
    run(
        db,
        "insert into certificate (serial, gateway, issued, not_after) values ($1, $2, $3, $4)",
        &[
            &certificate.serial,
            &number(certificate.gateway),
            &certificate.issued,
            &certificate.not_after,
        ],
    )
    .await?;
    Ok(())
}

const APPLIED: &str = "applied";

pub(super) async fn record_report(db: &Object, report: &Report) -> Answer<()> {
    let state = match report.bundle.state {
        BundleState::Applied => APPLIED,
        BundleState::Refused => "refused",
    };
    run(
        db,
        "update gateway set reported = $2, reported_state = $3, reported_why = $4, software = $5,
             last_seen = $6 where id = $1",
        &[
            &number(report.gateway),
            &signed(report.bundle.version),
            &state,
            &text(&report.bundle.why),
            &text(&report.software),
            &report.now,
        ],
    )
    .await?;
    Ok(())
}

/// Written only where it is news: a box asks again after every start.
pub(super) async fn keep_host_request(db: &Object, request: &HostRequest) -> Answer<()> {
    run(
        db,
        "insert into host_request (gateway, csr_pem, received) values ($1, $2, $3)
         on conflict (gateway) do update set csr_pem = excluded.csr_pem, received = excluded.received
         where excluded.csr_pem <> host_request.csr_pem",
        &[
            &number(request.gateway),
            &text(&request.csr_pem),
            &request.received,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn host_requests(db: &Object, store: &StoreId) -> Answer<Vec<HostRequest>> {
    let sql = "select host_request.gateway, csr_pem, received from host_request
         join gateway on gateway.id = host_request.gateway
         where serves = $1 and revoked is null order by gateway.id";
    let rows = all(db, sql, &[&store.as_str()]).await?;
    let requests = rows.iter().map(|row| HostRequest {
        gateway: gateway_id(row.get(0)),
        csr_pem: row.get(1),
        received: row.get(2),
    });
    Ok(requests.collect())
}

pub(super) async fn revoke(db: &mut Object, gateway: GatewayId, now: Timestamp) -> Answer<Revoked> {
    let tx = db.transaction().await?;
    let id = number(gateway);
    let sql = "select revoked is not null from gateway where id = $1 for update";
    match maybe(&tx, sql, &[&id]).await? {
        None => return Ok(Revoked::Unknown),
        Some(row) if row.get(0) => return Ok(Revoked::Before),
        Some(_) => {}
    }
    let sql = "update gateway set revoked = $2 where id = $1";
    run(&tx, sql, &[&id, &now]).await?;
    people::note(
        &tx,
        &[AuditEntry::new(now, "gateway_revoked", &gateway, "")],
    )
    .await?;
    tx.commit().await?;
    Ok(Revoked::Now)
}

pub(super) async fn keep_token(db: &mut Object, token: &NewToken) -> Answer<()> {
    let serves = serves_text(&token.serves);
    let tx = db.transaction().await?;
    run(
        &tx,
        "insert into token (hash, serves, made, expires) values ($1, $2, $3, $4)",
        &[&token.hash.as_slice(), &serves, &token.made, &token.expires],
    )
    .await?;
    let until = format!("until {}", token.expires);
    let entry = AuditEntry::new(token.made, "token_made", &serves, &until);
    people::note(&tx, &[entry]).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn look_at_token(
    db: &impl GenericClient,
    hash: TokenHash,
    now: Timestamp,
) -> Answer<Result<Serves, TokenRefusal>> {
    let sql = "select serves, expires, used from token where hash = $1";
    what_token(maybe(db, sql, &[&hash.as_slice()]).await?, now)
}

fn what_token(found: Option<Row>, now: Timestamp) -> Answer<Result<Serves, TokenRefusal>> {
    let Some(row) = found else {
        return Ok(Err(TokenRefusal::Unknown));
    };
    if row.get::<_, Option<Timestamp>>(2).is_some() {
        return Ok(Err(TokenRefusal::Used));
    }
    if row.get::<_, Timestamp>(1) <= now {
        return Ok(Err(TokenRefusal::Expired));
    }
    serves(row.get(0)).map(Ok)
}

pub(super) async fn enrol(
    db: &mut Object,
    enrolment: &Enrolment,
) -> Answer<Result<GatewayId, TokenRefusal>> {
    let tx = db.transaction().await?;
    let hash = enrolment.token.as_slice();
    // Locked: two boxes with one token must not both find it unused.
    let sql = "select serves, expires, used from token where hash = $1 for update";
    let found = maybe(&tx, sql, &[&hash]).await?;
    let serves = match what_token(found, enrolment.now)? {
        Ok(serves) => serves,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let id = match take_number_again(&tx, enrolment, &serves).await? {
        Some(id) => id,
        None => give_number(&tx, enrolment, &serves).await?,
    };
    super::commands::tell_new(&tx, id, &serves, enrolment.now).await?;
    run(
        &tx,
        "update token set used = $2, gateway = $3 where hash = $1",
        &[&hash, &enrolment.now, &number(id)],
    )
    .await?;
    let certificate = Certificate {
        serial: enrolment.serial.clone(),
        gateway: id,
        issued: enrolment.now,
        not_after: enrolment.not_after,
    };
    record_certificate(&tx, &certificate).await?;
    let detail = format!("{}, certificate {}", serves_text(&serves), enrolment.serial);
    let entry = AuditEntry::new(enrolment.now, "gateway_enrolled", &id, &detail);
    people::note(&tx, &[entry]).await?;
    tx.commit().await?;
    Ok(Ok(id))
}

/// The number of the box that enrolled with the same key for the same place: its journal goes on with
/// the streams it has, and those belong to that number. The certificates of before end here.
async fn take_number_again(
    tx: &Transaction<'_>,
    enrolment: &Enrolment,
    serves: &Serves,
) -> Answer<Option<GatewayId>> {
    let known = maybe(
        tx,
        "select id from gateway where coupon_key = $1 and serves = $2 order by id desc limit 1",
        &[&enrolment.coupon_key.to_string(), &serves_text(serves)],
    )
    .await?;
    let Some(known) = known else {
        return Ok(None);
    };
    let id: i32 = known.get(0);
    run(
        tx,
        "update gateway set software = $2, enrolled = $3, revoked = null where id = $1",
        &[&id, &text(&enrolment.software), &enrolment.now],
    )
    .await?;
    run(
        tx,
        "update certificate set retired = $2 where gateway = $1 and retired is null",
        &[&id, &enrolment.now],
    )
    .await?;
    Ok(Some(gateway_id(id)))
}

async fn give_number(
    tx: &Transaction<'_>,
    enrolment: &Enrolment,
    serves: &Serves,
) -> Answer<GatewayId> {
    let row = one(
        tx,
        "insert into gateway (serves, coupon_key, software, enrolled) values ($1, $2, $3, $4)
         returning id",
        &[
            &serves_text(serves),
            &enrolment.coupon_key.to_string(),
            &text(&enrolment.software),
            &enrolment.now,
        ],
    )
    .await?;
    Ok(gateway_id(row.get(0)))
}

pub(super) async fn published(db: &Object, gateway: GatewayId) -> Answer<Option<Published>> {
    let sql = "select version, sha256, content, made from bundle where gateway = $1";
    let found = maybe(db, sql, &[&number(gateway)]).await?;
    Ok(found.map(|row| Published {
        version: unsigned(row.get(0)),
        sha256: row.get(1),
        content: row.get(2),
        made: row.get(3),
    }))
}

/// A version never goes back, whoever asks.
pub(super) async fn publish(db: &Object, gateway: GatewayId, published: &Published) -> Answer<()> {
    run(
        db,
        "insert into bundle (gateway, version, sha256, content, made)
         values ($1, $2, $3, $4, $5)
         on conflict (gateway) do update set version = excluded.version, sha256 = excluded.sha256,
             content = excluded.content, made = excluded.made
         where excluded.version > bundle.version",
        &[
            &number(gateway),
            &signed(published.version),
            &published.sha256,
            &published.content,
            &published.made,
        ],
    )
    .await?;
    Ok(())
}
