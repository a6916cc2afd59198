//! What the places of stores have brought: added to, and read back.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use jiff::civil::Date;
use tokio_postgres::Statement;
use uuid::Uuid;

use super::{Answer, Sql, all, corrupt, one};
use crate::domain::ids::{StoreId, TouchpointCode, Vid};
use crate::domain::uptake::Deed;
use crate::domain::uptake::places::{Counts, Patrons, Places};
use crate::hq::db::audit::PlaceCount;
use crate::hq::db::tally::Tally;
use crate::hq::db::{Days, FirstVisits};

/// Adds to what places have brought.
pub(super) const SPOTS: &str = "insert into figure_place
     select * from unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::bigint[])
     on conflict (store, day, place, deed) do update set
         count = figure_place.count + excluded.count";

/// Adds to the sets of diners by the place of their claim.
pub(super) const PATRONS: &str = "insert into patron
     select * from unnest($1::text[], $2::date[], $3::text[], $4::uuid[]) on conflict do nothing";

/// Does [`SPOTS`]. The tally is in the order of the keys.
pub(super) async fn add_spots(
    tx: &impl GenericClient,
    statement: &Statement,
    tally: &Tally,
) -> Sql<()> {
    if tally.spots.is_empty() {
        return Ok(());
    }
    let spots = || tally.spots.keys();
    let stores: Vec<&str> = spots().map(|(spot, _)| spot.store.as_str()).collect();
    let days: Vec<Date> = spots().map(|(spot, _)| spot.day).collect();
    let places: Vec<&str> = spots()
        .map(|(spot, _)| spot.place.as_ref().map_or("", TouchpointCode::as_str))
        .collect();
    let deeds: Vec<&str> = spots().map(|(_, deed)| deed.name()).collect();
    let counts: Vec<i64> = tally.spots.values().copied().collect();
    tx.execute(statement, &[&stores, &days, &places, &deeds, &counts])
        .await
        .map(drop)
}

/// Does [`PATRONS`].
pub(super) async fn add_patrons(
    tx: &impl GenericClient,
    statement: &Statement,
    tally: &Tally,
) -> Sql<()> {
    if tally.patrons.is_empty() {
        return Ok(());
    }
    let patrons = || tally.patrons.iter();
    let stores: Vec<&str> = patrons().map(|(store, ..)| store.as_str()).collect();
    let days: Vec<Date> = patrons().map(|(_, day, ..)| *day).collect();
    let places: Vec<&str> = patrons().map(|(_, _, place, _)| place.as_str()).collect();
    let vids: Vec<Uuid> = patrons()
        .map(|(.., vid)| Uuid::from_bytes(vid.to_bytes()))
        .collect();
    tx.execute(statement, &[&stores, &days, &places, &vids])
        .await
        .map(drop)
}

pub(super) async fn over(db: &impl GenericClient, store: &StoreId, days: &Days) -> Answer<Places> {
    Ok(Places {
        counts: counts(db, store, days).await?,
        patrons: patrons(db, store, days).await?,
    })
}

pub(super) async fn deeds(
    db: &impl GenericClient,
    asked: &[(StoreId, Date)],
) -> Answer<Vec<Places>> {
    let mut deeds = Vec::with_capacity(asked.len());
    for (store, day) in asked {
        deeds.push(Places {
            counts: counts(db, store, &(*day..=*day)).await?,
            ..Places::default()
        });
    }
    Ok(deeds)
}

async fn counts(db: &impl GenericClient, store: &StoreId, days: &Days) -> Answer<Counts> {
    // A sum of bigint is numeric, which nobody needs here.
    let sql = "select place, deed, sum(count)::bigint from figure_place
               where store = $1 and day between $2 and $3 group by place, deed";
    let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&store.as_str(), days.start(), days.end()];
    let mut counts = Counts::new();
    for row in all(db, sql, &asked).await? {
        // One that a later version wrote is none of ours.
        if let Some(deed) = Deed::from_name(row.get(1)) {
            counts.insert((place(row.get(0))?, deed), row.get(2));
        }
    }
    Ok(counts)
}

async fn patrons(
    db: &impl GenericClient,
    store: &StoreId,
    days: &Days,
) -> Answer<BTreeMap<TouchpointCode, Patrons>> {
    let sql = "with came as (select place, vid, min(day) as day from patron
                             where store = $1 and day between $2 and $3 group by place, vid),
                    seen as (select vid, max(day) as day from visit_day
                             where store = $1 and day > $2 group by vid)
               select place, count(*), count(*) filter (where seen.day > came.day)
               from came left join seen using (vid) group by place";
    let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&store.as_str(), days.start(), days.end()];
    let mut patrons = BTreeMap::new();
    for row in all(db, sql, &asked).await? {
        if let Some(place) = place(row.get(0))? {
            let (people, came_back) = (row.get(1), row.get(2));
            patrons.insert(place, Patrons { people, came_back });
        }
    }
    Ok(patrons)
}

/// Of those who claimed at a place, such as have no earlier day in the store.
pub(super) async fn first_visits(
    db: &impl GenericClient,
    store: &StoreId,
    days: &Days,
) -> Answer<FirstVisits> {
    let sql = "select patron.place, count(distinct patron.vid)
               from patron join person_first first using (store, vid)
               where store = $1 and patron.day between $2 and $3 and first.day >= patron.day
               group by patron.place";
    let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&store.as_str(), days.start(), days.end()];
    let mut first = FirstVisits::new();
    for row in all(db, sql, &asked).await? {
        if let Some(place) = place(row.get(0))? {
            first.insert(place, row.get(1));
        }
    }
    Ok(first)
}

fn place(code: &str) -> Answer<Option<TouchpointCode>> {
    match code {
        "" => Ok(None),
        code => TouchpointCode::parse(code).map(Some).map_err(corrupt),
    }
}

pub(super) async fn since(db: &impl GenericClient) -> Answer<Option<Date>> {
    Ok(one(db, "select day from places_since", &[]).await?.get(0))
}

/// A day as it was kept; none of a day that was not counted whole.
pub(super) async fn of_day(
    db: &impl GenericClient,
    store: &StoreId,
    day: Date,
) -> Answer<Option<PlaceCount>> {
    if since(db).await?.is_some_and(|since| day < since) {
        return Ok(None);
    }
    let mut count = PlaceCount {
        counts: counts(db, store, &(day..=day)).await?,
        ..PlaceCount::default()
    };
    let sql = "select place, vid from patron where store = $1 and day = $2";
    for row in all(db, sql, &[&store.as_str(), &day]).await? {
        if let Some(place) = place(row.get(0))? {
            let vid: Uuid = row.get(1);
            count
                .patrons
                .insert((place, Vid::from_entropy(vid.into_bytes())));
        }
    }
    Ok(Some(count))
}
