//! A store's places side by side, over four weeks: which code is worth printing again.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::civil::Date;
use serde::Deserialize;

use super::language::Spoken;
use super::session::{SignedIn, show, unavailable};
use super::words::Words;
use crate::domain::calendar::business_day;
use crate::domain::ids::StoreId;
use crate::domain::interval::Share;
use crate::domain::store::TouchpointKind;
use crate::domain::uptake::places::{Group, Line, compare, compared, yuan};
use crate::hq::db::LedgerError;
use crate::hq::state::Shared;

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Read leniently: one that is none shows the first store.
    store: Option<String>,
}

#[derive(Template)]
#[template(path = "console/places.html")]
struct PlacesPage {
    words: &'static Words,
    login: String,
    store: Option<StoreId>,
    name: String,
    from: Date,
    to: Date,
    /// The first day that is counted whole, where that is in between.
    since: Option<Date>,
    tables: Vec<Table>,
    unknown: i64,
    /// The others of the chain.
    stores: Vec<StoreId>,
}

struct Table {
    kind: &'static str,
    rows: Vec<Row>,
}

struct Row {
    label: String,
    line: Line,
}

impl Row {
    fn shares(&self) -> [Option<Share>; 3] {
        [
            self.line.claim_share(),
            self.line.redeem_share(),
            self.line.return_share(),
        ]
    }

    fn costs(&self) -> [Option<String>; 2] {
        [self.line.fen_per_claim(), self.line.fen_per_redeemed()].map(|fen| fen.map(yuan))
    }
}

pub(super) async fn page(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Query(asked): Query<Asked>,
) -> Result<Response, Response> {
    let page = read(&hq, spoken, login, asked.store.as_deref()).await;
    Ok(show(&page.map_err(unavailable)?, spoken))
}

async fn read(
    hq: &Shared,
    spoken: Spoken,
    login: String,
    asked: Option<&str>,
) -> Result<PlacesPage, LedgerError> {
    let words = Words::of(spoken.language);
    let known = hq.bundles.known();
    let now = hq.shop_clock.now();
    let stores = known.chain.as_ref().map(|chain| &chain.bundle.stores);
    let folder = stores.and_then(|stores| {
        let named = asked.and_then(|id| stores.get(&StoreId::parse(id).ok()?));
        named.or_else(|| stores.values().next())
    });
    let local = match folder {
        Some(folder) => folder.store.local(now),
        None => now.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
    };
    let days = compared(business_day(local));
    let (from, to) = (*days.start(), *days.end());
    let since = hq.ledger.places_since().await?;
    let mut page = PlacesPage {
        words,
        login,
        store: folder.map(|folder| folder.store.id.clone()),
        name: String::new(),
        from,
        to,
        since: since.filter(|since| *since > from),
        tables: Vec::new(),
        unknown: 0,
        stores: stores
            .into_iter()
            .flatten()
            .map(|(id, _)| id.clone())
            .collect(),
    };
    if let Some(folder) = folder {
        let places = hq.ledger.places(folder.store.id.clone(), days).await?;
        let groups = compare(folder.touchpoints.values(), &places);
        page.tables = groups
            .into_iter()
            .map(|group| table(words, group))
            .collect();
        page.unknown = places.redeemed_from_unknown();
        folder
            .store
            .name
            .of(spoken.language)
            .clone_into(&mut page.name);
    }
    Ok(page)
}

fn table(words: &'static Words, group: Group) -> Table {
    let mut rows = Vec::with_capacity(group.lines.len() + 1);
    // Of a single one all is said by its own line.
    if group.lines.len() > 1 {
        rows.push(Row {
            label: words.all_places.to_owned(),
            line: group.sum,
        });
    }
    rows.extend(group.lines.into_iter().map(|line| Row {
        label: line.label.clone(),
        line,
    }));
    Table {
        kind: kind(words, group.kind),
        rows,
    }
}

const fn kind(words: &Words, kind: TouchpointKind) -> &'static str {
    match kind {
        TouchpointKind::Table => words.kind_table,
        TouchpointKind::Wifi => "Wi-Fi",
        TouchpointKind::Door => words.kind_door,
        TouchpointKind::Till => words.kind_till,
        TouchpointKind::Receipt => words.kind_receipt,
        TouchpointKind::Queue => words.kind_queue,
        TouchpointKind::Delivery => words.kind_delivery,
        TouchpointKind::Tissue => words.kind_tissue,
        TouchpointKind::Creator => words.kind_creator,
    }
}
