//! `maitred hq audit`: a store's day counted again from the stored frames, beside what was kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::bail;
use jiff::civil::{Date, DateTime};

use super::super::print;
use crate::domain::ids::{CampaignId, StoreId, TouchpointCode};
use crate::domain::uptake::Deed;
use crate::hq::db::Ledger;
use crate::hq::db::audit::{DayAudit, DayCount, StreamCount};
use crate::hq::db::tally::COLUMN_NAMES;

/// Prints the comparison; fails where anything differs.
pub(super) async fn audit(
    ledger: Arc<dyn Ledger>,
    store: StoreId,
    day: Date,
) -> anyhow::Result<()> {
    let audited = ledger.audit_day(store.clone(), day).await?;
    let mut streams = ledger.audit_streams().await?;
    // Those of this store are shown; any other only if it is wrong.
    streams.retain(|stream| audited.streams.contains(&stream.stream) || !stream.agrees());
    let differences = report(&store, day, &audited, &streams);
    if differences > 0 {
        bail!("{differences} differences between the stored frames and the figures");
    }
    print::line("no differences");
    Ok(())
}

/// Prints everything; returns how much of it differs.
fn report(store: &StoreId, day: Date, audited: &DayAudit, streams: &[StreamCount]) -> usize {
    let (counted, kept) = (&audited.from_frames, &audited.kept);
    print::line(format_args!(
        "{store}, {day}: {} frames in {} streams",
        audited.frames,
        audited.streams.len()
    ));
    print::line(format_args!(
        "  {:<14}{:<20}{:<18}{:>8}{:>8}",
        "hour", "campaign", "figure", "frames", "kept"
    ));
    let mut differences = 0;
    let mut row = |hour: &str, campaign: &str, figure: &str, frames: i64, kept: i64| {
        let sign = if frames == kept { ' ' } else { '!' };
        differences += usize::from(frames != kept);
        print::line(format_args!(
            "{sign} {hour:<14}{campaign:<20}{figure:<18}{frames:>8}{kept:>8}"
        ));
    };
    for key in keys(counted, kept) {
        let (hour, campaign) = (key.0.strftime("%m-%d %H:00").to_string(), name(key));
        let of = |count: &DayCount| count.cells.get(key).copied().unwrap_or_default();
        let columns = COLUMN_NAMES.iter().zip(of(counted)).zip(of(kept));
        for ((figure, frames), kept) in columns.filter(|((_, a), b)| *a != 0 || *b != 0) {
            row(&hour, campaign, figure, frames, kept);
        }
    }
    row("all day", "", "people", counted.people, kept.people);
    row("", "", "came back", counted.came_back, kept.came_back);
    for (place, deed) in spots(counted, kept) {
        let of = |count: &DayCount| {
            let places = count.places.as_ref();
            let found = places.and_then(|places| places.counts.get(&(place, deed)));
            found.copied().unwrap_or_default()
        };
        let place = place.as_ref().map_or("-", TouchpointCode::as_str);
        row("place", place, deed.name(), of(counted), of(kept));
    }
    let patrons = |count: &DayCount| {
        let places = count.places.as_ref();
        places.map_or(0, |places| {
            i64::try_from(places.patrons.len()).unwrap_or(i64::MAX)
        })
    };
    row("", "", "diners of places", patrons(counted), patrons(kept));
    for stream in streams {
        differences += usize::from(!stream.agrees());
        let sign = if stream.agrees() { ' ' } else { '!' };
        print::line(format_args!(
            "{sign} {} of {}: mark {}, frames {}, in gaps {}",
            stream.stream, stream.gateway, stream.acked, stream.frames, stream.lost
        ));
    }
    differences
}

/// What is counted of places, on either side.
fn spots(counted: &DayCount, kept: &DayCount) -> BTreeSet<(Option<TouchpointCode>, Deed)> {
    let places = [counted, kept]
        .into_iter()
        .filter_map(|count| count.places.as_ref());
    places
        .flat_map(|places| places.counts.keys().copied())
        .collect()
}

type Key = (DateTime, Option<CampaignId>);

fn keys<'a>(counted: &'a DayCount, kept: &'a DayCount) -> BTreeSet<&'a Key> {
    counted.cells.keys().chain(kept.cells.keys()).collect()
}

fn name(key: &Key) -> &str {
    key.1.as_ref().map_or("-", |campaign| campaign.as_str())
}
