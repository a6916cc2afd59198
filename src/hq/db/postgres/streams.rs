//! Where streams stand, and what a hello tells about them.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::{Answer, Sql, corrupt, gateway_id, number, people, run, signed, unsigned};
use crate::domain::ids::{Chain, GatewayId, StreamId};
use crate::hq::db::greet::{Hearing, hear_all};
use crate::hq::db::plan::Mark;
use crate::hq::db::settle::{Families, Move, Standing};
use crate::hq::db::{Greeting, Marks};

/// A stream's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Its short name in the tables of frames and events.
    pub(super) no: i32,
    pub(super) standing: Standing,
    /// That frames are missing here has been noted.
    behind: bool,
}

/// Reads streams and keeps everybody else from moving them until the transaction ends, in the order of their
/// ids: so no two transactions wait for each other.
pub(super) const LOCK: &str =
    "select no, id, gateway, acked, chain, closed is not null, behind is not null
     from stream where id = any($1) order by id for update";

/// Every stream that some gateways have ever named.
pub(super) const FAMILIES: &str = "select gateway, id from stream where gateway = any($1)";

/// Moves marks.
pub(super) const MOVE: &str = "update stream set acked = moved.acked, chain = moved.chain,
         resent = stream.resent + moved.resent, waiting = moved.waiting, updated = moved.received
     from unnest($1::integer[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[],
         $6::timestamptz[]) as moved (no, acked, chain, resent, waiting, received)
     where stream.no = moved.no";

/// Locks streams. One that was never heard of gets its row, and belongs to whoever named it.
pub(super) async fn lock(
    tx: &impl GenericClient,
    streams: &BTreeMap<StreamId, GatewayId>,
    now: Timestamp,
) -> Answer<BTreeMap<StreamId, Known>> {
    let statement = tx.prepare_cached(LOCK).await?;
    let mut known = standing(tx, &statement, streams).await?;
    if known.len() < streams.len() {
        let new: BTreeMap<_, _> = streams
            .iter()
            .filter(|(id, _)| !known.contains_key(id))
            .map(|(id, owner)| (*id, *owner))
            .collect();
        let ids: Vec<Uuid> = new.keys().map(|id| id.0).collect();
        let owners: Vec<i32> = new.values().map(|owner| number(*owner)).collect();
        run(
            tx,
            "insert into stream (id, gateway, updated)
             select id, gateway, $3 from unnest($1::uuid[], $2::integer[]) as new (id, gateway)
             on conflict (id) do nothing",
            &[&ids, &owners, &now],
        )
        .await?;
        known.extend(standing(tx, &statement, &new).await?);
    }
    Ok(known)
}

/// Locks those of the streams that have been heard of.
pub(super) async fn standing(
    tx: &impl GenericClient,
    lock: &Statement,
    streams: &BTreeMap<StreamId, GatewayId>,
) -> Answer<BTreeMap<StreamId, Known>> {
    let ids: Vec<Uuid> = streams.keys().map(|stream| stream.0).collect();
    tx.query(lock, &[&ids]).await?.iter().map(one).collect()
}

/// Asks [`FAMILIES`].
pub(super) async fn families(
    tx: &impl GenericClient,
    statement: &Statement,
    gateways: &BTreeSet<GatewayId>,
) -> Answer<Families> {
    let asked: Vec<i32> = gateways.iter().map(|gateway| number(*gateway)).collect();
    let mut families = Families::new();
    for row in tx.query(statement, &[&asked]).await? {
        let family = families.entry(gateway_id(row.get(0))).or_default();
        family.push(StreamId(row.get(1)));
    }
    Ok(families)
}

/// Does [`MOVE`].
pub(super) async fn move_marks(
    tx: &impl GenericClient,
    statement: &Statement,
    moves: &[Move],
    known: &BTreeMap<StreamId, Known>,
) -> Sql<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let no: Vec<i32> = moves.iter().map(|one| known[&one.stream].no).collect();
    let acked: Vec<i64> = moves.iter().map(|one| signed(one.mark.acked)).collect();
    let chains: Vec<Option<Vec<u8>>> = moves
        .iter()
        .map(|one| one.mark.chain.map(|chain| chain.to_bytes().to_vec()))
        .collect();
    let resent: Vec<i64> = moves.iter().map(|one| signed(one.resent)).collect();
    let waiting: Vec<i64> = moves.iter().map(|one| signed(one.waiting)).collect();
    let received: Vec<_> = moves.iter().map(|one| one.received).collect();
    tx.execute(
        statement,
        &[&no, &acked, &chains, &resent, &waiting, &received],
    )
    .await
    .map(drop)
}

fn one(row: &Row) -> Answer<(StreamId, Known)> {
    let chain = match row.get::<_, Option<&[u8]>>(4) {
        Some(bytes) => Some(Chain::from_bytes(bytes.try_into().map_err(corrupt)?)),
        None => None,
    };
    let known = Known {
        no: row.get(0),
        standing: Standing {
            owner: gateway_id(row.get(2)),
            mark: Mark {
                acked: unsigned(row.get(3)),
                chain,
                closed: row.get(5),
            },
        },
        behind: row.get(6),
    };
    Ok((StreamId(row.get(1)), known))
}

pub(super) async fn close(tx: &impl GenericClient, stream: i32, now: Timestamp) -> Answer<()> {
    let sql = "update stream set closed = $2 where no = $1 and closed is null";
    run(tx, sql, &[&stream, &now]).await?;
    Ok(())
}

pub(super) async fn greet(db: &mut Object, greeting: &Greeting) -> Answer<Marks> {
    let tx = db.transaction().await?;
    let offered: BTreeMap<_, _> = greeting
        .offers
        .iter()
        .map(|offer| (offer.id, greeting.gateway))
        .collect();
    let known = lock(&tx, &offered, greeting.now).await?;
    let standings: Vec<_> = greeting
        .offers
        .iter()
        .map(|offer| {
            known
                .get(&offer.id)
                .map(|known| (known.standing, known.behind))
        })
        .collect();
    let hearing = match hear_all(greeting, &standings) {
        Ok(hearing) => hearing,
        Err(foreign) => return Ok(Marks::ForeignStream(foreign)),
    };
    write(&tx, greeting, &hearing, &known).await?;
    tx.commit().await?;
    Ok(hearing.into())
}

async fn write(
    tx: &impl GenericClient,
    greeting: &Greeting,
    hearing: &Hearing,
    known: &BTreeMap<StreamId, Known>,
) -> Answer<()> {
    let offered: BTreeSet<_> = known.values().map(|known| known.no).collect();
    let offered: Vec<i32> = offered.into_iter().collect();
    // A hello names every stream with frames that wait: in all others nothing does. Locked in order.
    run(
        tx,
        "with others as (
             select no from stream where gateway = $1 and waiting > 0 and no <> all($2)
             order by id for update skip locked
         )
         update stream set waiting = 0 from others where stream.no = others.no",
        &[&number(greeting.gateway), &offered],
    )
    .await?;
    for (stream, frames) in &hearing.waiting {
        let sql = "update stream set waiting = $2 where no = $1 and waiting <> $2";
        run(tx, sql, &[&known[stream].no, &signed(*frames)]).await?;
    }
    for (stream, _) in &hearing.closed_now {
        close(tx, known[stream].no, greeting.now).await?;
    }
    for stream in &hearing.behind {
        let sql = "update stream set behind = $2 where no = $1";
        run(tx, sql, &[&known[stream].no, &greeting.now]).await?;
    }
    people::note(tx, &hearing.notes).await
}
