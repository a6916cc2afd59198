//! Adding to the figures, and to the sets of diners.

use deadpool_postgres::GenericClient;
use jiff::civil::{Date, DateTime};
use tokio_postgres::Statement;
use uuid::Uuid;

use super::Sql;
use crate::domain::ids::{CampaignId, Vid};
use crate::hq::db::tally::{COLUMNS, Tally};

/// Adds to rows of figures.
pub(super) const FIGURES: &str = "insert into figure_hour
     select * from unnest($1::text[], $2::timestamp[], $3::text[], $4::bigint[], $5::bigint[],
         $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
         $12::bigint[])
     on conflict (store, hour, campaign) do update set
         came = figure_hour.came + excluded.came,
         claimed = figure_hour.claimed + excluded.claimed,
         consented = figure_hour.consented + excluded.consented,
         redeemed = figure_hour.redeemed + excluded.redeemed,
         refused = figure_hour.refused + excluded.refused,
         off_peak_came = figure_hour.off_peak_came + excluded.off_peak_came,
         off_peak_claimed = figure_hour.off_peak_claimed + excluded.off_peak_claimed,
         off_peak_redeemed = figure_hour.off_peak_redeemed + excluded.off_peak_redeemed,
         uncertain = figure_hour.uncertain + excluded.uncertain";

/// Adds to the sets of diners; who was seen that day before is in both of them already.
pub(super) const VISITS: &str = "with new as (
         insert into visit_day (store, day, vid)
         select * from unnest($1::text[], $2::date[], $3::uuid[])
         on conflict do nothing returning store, day, vid
     )
     insert into person_first (store, vid, day)
     select store, vid, min(day) from new group by store, vid order by store, vid
     on conflict (store, vid) do update set day = excluded.day
     where excluded.day < person_first.day";

/// Does [`FIGURES`]. The tally is in the order of the keys.
pub(super) async fn add_figures(
    tx: &impl GenericClient,
    statement: &Statement,
    tally: &Tally,
) -> Sql<()> {
    if tally.cells.is_empty() {
        return Ok(());
    }
    let stores: Vec<&str> = tally.cells.keys().map(|cell| cell.store.as_str()).collect();
    let hours: Vec<DateTime> = tally.cells.keys().map(|cell| cell.hour).collect();
    let campaign =
        |id: Option<&CampaignId>| id.map_or_else(String::new, |id| id.as_str().to_owned());
    let campaigns: Vec<String> = tally
        .cells
        .keys()
        .map(|cell| campaign(cell.campaign.as_ref()))
        .collect();
    let column =
        |place: usize| -> Vec<i64> { tally.cells.values().map(|sums| sums[place]).collect() };
    let sums: [Vec<i64>; COLUMNS] = std::array::from_fn(column);
    let [
        came,
        claimed,
        consented,
        redeemed,
        refused,
        quiet_came,
        quiet_claimed,
        quiet_redeemed,
        uncertain,
    ] = &sums;
    tx.execute(
        statement,
        &[
            &stores,
            &hours,
            &campaigns,
            came,
            claimed,
            consented,
            redeemed,
            refused,
            quiet_came,
            quiet_claimed,
            quiet_redeemed,
            uncertain,
        ],
    )
    .await
    .map(drop)
}

/// Does [`VISITS`].
pub(super) async fn add_visits(
    tx: &impl GenericClient,
    statement: &Statement,
    tally: &Tally,
) -> Sql<()> {
    if tally.visits.is_empty() {
        return Ok(());
    }
    let uuid = |vid: &Vid| Uuid::from_bytes(vid.to_bytes());
    let stores: Vec<&str> = tally
        .visits
        .iter()
        .map(|(store, ..)| store.as_str())
        .collect();
    let days: Vec<Date> = tally.visits.iter().map(|(_, day, _)| *day).collect();
    let vids: Vec<Uuid> = tally.visits.iter().map(|(.., vid)| uuid(vid)).collect();
    tx.execute(statement, &[&stores, &days, &vids])
        .await
        .map(drop)
}
