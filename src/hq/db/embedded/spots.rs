//! What the places of stores have brought: added to, and read back.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction, params};

use super::corrupt;
use crate::domain::ids::{StoreId, TouchpointCode, Vid};
use crate::domain::uptake::Deed;
use crate::domain::uptake::places::{Counts, Patrons, Places};
use crate::hq::db::audit::PlaceCount;
use crate::hq::db::tally::Tally;
use crate::hq::db::{Days, FirstVisits};

pub(super) fn count(tx: &Transaction<'_>, tally: &Tally) -> rusqlite::Result<()> {
    let mut row = tx.prepare_cached(
        "insert into figure_place (store, day, place, deed, count) values (?1, ?2, ?3, ?4, ?5)
         on conflict (store, day, place, deed) do update set count = count + excluded.count",
    )?;
    for ((spot, deed), by) in &tally.spots {
        let place = spot.place.as_ref().map_or("", TouchpointCode::as_str);
        let (store, day) = (spot.store.as_str(), spot.day.to_string());
        row.execute(params![store, day, place, deed.name(), by])?;
    }
    let mut patron = tx.prepare_cached(
        "insert or ignore into patron (store, day, place, vid) values (?1, ?2, ?3, ?4)",
    )?;
    for (store, day, place, vid) in &tally.patrons {
        let (store, place, vid) = (store.as_str(), place.as_str(), vid.to_bytes());
        patron.execute(params![store, day.to_string(), place, vid])?;
    }
    Ok(())
}

pub(super) fn over(db: &Connection, store: &StoreId, days: &Days) -> rusqlite::Result<Places> {
    let (from, to) = (days.start().to_string(), days.end().to_string());
    Ok(Places {
        counts: counts(db, store, &from, &to)?,
        patrons: patrons(db, store, &from, &to)?,
    })
}

pub(super) fn deeds(db: &Connection, store: &StoreId, day: Date) -> rusqlite::Result<Places> {
    let day = day.to_string();
    Ok(Places {
        counts: counts(db, store, &day, &day)?,
        ..Places::default()
    })
}

fn counts(db: &Connection, store: &StoreId, from: &str, to: &str) -> rusqlite::Result<Counts> {
    let mut query = db.prepare_cached(
        "select place, deed, sum(count) from figure_place
         where store = ?1 and day between ?2 and ?3 group by place, deed",
    )?;
    let mut rows = query.query(params![store.as_str(), from, to])?;
    let mut counts = Counts::new();
    while let Some(row) = rows.next()? {
        // One that a later version wrote is none of ours.
        if let Some(deed) = Deed::from_name(&row.get::<_, String>(1)?) {
            counts.insert((place(&row.get::<_, String>(0)?)?, deed), row.get(2)?);
        }
    }
    Ok(counts)
}

fn patrons(
    db: &Connection,
    store: &StoreId,
    from: &str,
    to: &str,
) -> rusqlite::Result<BTreeMap<TouchpointCode, Patrons>> {
    let mut query = db.prepare_cached(
        "with came as (select place, vid, min(day) as day from patron
                       where store = ?1 and day between ?2 and ?3 group by place, vid)
         select place, count(*), count(*) filter (where exists (
             select 1 from visit where visit.store = ?1 and visit.vid = came.vid
                                   and visit.day > came.day))
         from came group by place",
    )?;
    let mut rows = query.query(params![store.as_str(), from, to])?;
    let mut patrons = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if let Some(place) = place(&row.get::<_, String>(0)?)? {
            let (people, came_back) = (row.get(1)?, row.get(2)?);
            patrons.insert(place, Patrons { people, came_back });
        }
    }
    Ok(patrons)
}

/// Of those who claimed at a place, such as have no earlier day in the store.
pub(super) fn first_visits(
    db: &Connection,
    store: &StoreId,
    days: &Days,
) -> rusqlite::Result<FirstVisits> {
    let mut query = db.prepare_cached(
        "select place, count(distinct vid) from patron
         where store = ?1 and day between ?2 and ?3 and not exists (
             select 1 from visit where visit.store = ?1 and visit.vid = patron.vid
                                   and visit.day < patron.day)
         group by place",
    )?;
    let (from, to) = (days.start().to_string(), days.end().to_string());
    let mut rows = query.query(params![store.as_str(), from, to])?;
    let mut first = FirstVisits::new();
    while let Some(row) = rows.next()? {
        if let Some(place) = place(&row.get::<_, String>(0)?)? {
            first.insert(place, row.get(1)?);
        }
    }
    Ok(first)
}

fn place(code: &str) -> rusqlite::Result<Option<TouchpointCode>> {
    match code {
        "" => Ok(None),
        code => TouchpointCode::parse(code)
            .map(Some)
            .map_err(|error| corrupt(0, error)),
    }
}

pub(super) fn since(db: &Connection) -> rusqlite::Result<Option<Date>> {
    let day: Option<String> = db.query_row("select day from places_since", [], |row| row.get(0))?;
    day.map(|day| day.parse().map_err(|error| corrupt(0, error)))
        .transpose()
}

/// A day as it was kept; none of a day that was not counted whole.
pub(super) fn of_day(
    db: &Connection,
    store: &StoreId,
    day: Date,
) -> rusqlite::Result<Option<PlaceCount>> {
    if since(db)?.is_some_and(|since| day < since) {
        return Ok(None);
    }
    let text = day.to_string();
    let mut query = db.prepare("select place, vid from patron where store = ?1 and day = ?2")?;
    let mut rows = query.query(params![store.as_str(), text])?;
    let mut count = PlaceCount {
        counts: counts(db, store, &text, &text)?,
        ..PlaceCount::default()
    };
    while let Some(row) = rows.next()? {
        if let Some(place) = place(&row.get::<_, String>(0)?)? {
            count
                .patrons
                .insert((place, Vid::from_entropy(row.get(1)?)));
        }
    }
    Ok(Some(count))
}
