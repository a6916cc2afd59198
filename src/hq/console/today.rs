//! The first page: what each store's business day has brought so far, and how complete that is.
//!
//! Figures are counts and no rates: page opens are not people, and what is redeemed on a day was claimed on
//! others, too, so none of them is a part of another. Every figure has the time it was read at and whether
//! the store's gateways have sent everything.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::fleet::{GatewayRow, ago, rows};
use super::language::Spoken;
use super::requests::{self, RequestRow};
use super::session::{SignedIn, show, unavailable};
use super::words::Words;
use crate::domain::calendar::business_day;
use crate::domain::ids::StoreId;
use crate::hq::chain::Chain;
use crate::hq::db::{Figures, Gateway, LedgerError};
use crate::hq::state::Shared;
use crate::wire::bundle::StoreFolder;
use crate::wire::link::Serves;

/// A gateway that is connected is heard at least every 50 seconds, by its long poll.
const FRESH: SignedDuration = SignedDuration::from_mins(2);

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Read leniently: a day that is none shows today.
    day: Option<String>,
}

#[derive(Template)]
#[template(path = "console/today.html")]
struct TodayPage {
    words: &'static Words,
    chain: String,
    login: String,
    day: Date,
    earlier: Option<Date>,
    /// None on the day that is not over yet.
    later: Option<Date>,
    faults: Vec<String>,
    left_out: Vec<String>,
    stores: Vec<StoreRow>,
    sum: Option<Figures>,
    is_empty: bool,
    requests: Vec<RequestRow>,
    gateways: Vec<GatewayRow>,
}

/// A store as the table shows it.
struct StoreRow {
    id: StoreId,
    name: String,
    as_of: String,
    figures: Figures,
    completeness: Completeness,
}

impl StoreRow {
    /// Whether there were offers of quiet hours at all: none shown is not the same as none taken.
    const fn had_quiet_offers(&self) -> bool {
        let of = &self.figures;
        of.off_peak_came != 0 || of.off_peak_claimed != 0 || of.off_peak_redeemed != 0
    }
}

struct Completeness {
    /// Names a style, and has its words beside it: colour alone says nothing.
    class: &'static str,
    words: String,
}

pub(super) async fn page(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Query(asked): Query<Asked>,
) -> Result<Response, Response> {
    let asked = asked.day.and_then(|day| day.parse().ok());
    let page = read(&hq, spoken, login, asked).await;
    Ok(show(&page.map_err(unavailable)?, spoken))
}

async fn read(
    hq: &Shared,
    spoken: Spoken,
    login: String,
    asked: Option<Date>,
) -> Result<TodayPage, LedgerError> {
    let words = Words::of(spoken.language);
    let known = hq.bundles.known();
    let (now, shop_now) = (hq.clock.now(), hq.shop_clock.now());
    let folders: Vec<&StoreFolder> = known
        .chain
        .iter()
        .flat_map(|chain| chain.bundle.stores.values())
        .collect();
    let today = |folder: &StoreFolder| business_day(folder.store.local(shop_now));
    let latest = folders.iter().map(|folder| today(folder)).max();
    let latest = latest
        .unwrap_or_else(|| business_day(shop_now.to_zoned(jiff::tz::TimeZone::UTC).datetime()));
    // One day for all rows: where stores have different zones, the day of some has not begun yet.
    let day = asked.unwrap_or(latest);
    let questions: Vec<_> = folders
        .iter()
        .map(|folder| (folder.store.id.clone(), day))
        .collect();
    let figures = hq.ledger.figures(questions.clone()).await?;
    let deeds = hq.ledger.deeds(questions).await?;
    let asked = folders.iter().zip(&deeds);
    let requests = asked.filter_map(|(folder, deeds)| requests::row(&folder.store.id, deeds));
    let gateways = hq.ledger.gateways().await?;
    let stores: Vec<StoreRow> = folders
        .iter()
        .zip(figures)
        .map(|(folder, figures)| StoreRow {
            id: folder.store.id.clone(),
            name: folder.store.name.of(spoken.language).to_owned(),
            as_of: folder
                .store
                .local(shop_now)
                .strftime("%m-%d %H:%M")
                .to_string(),
            figures,
            completeness: completeness(words, &gateways, &folder.store.id, now),
        })
        .collect();
    Ok(TodayPage {
        words,
        chain: chain_name(known.chain.as_ref(), spoken, words),
        login,
        day,
        earlier: day.yesterday().ok(),
        later: day.tomorrow().ok().filter(|later| *later <= latest),
        faults: known.faults.clone(),
        left_out: known.left_out.clone(),
        sum: (stores.len() > 1).then(|| sum(&stores)),
        is_empty: stores.iter().all(|row| row.figures == Figures::default()),
        stores,
        requests: requests.collect(),
        gateways: rows(words, &gateways, &hq.bundles, now),
    })
}

fn chain_name(chain: Option<&Arc<Chain>>, spoken: Spoken, words: &Words) -> String {
    chain
        .map_or(words.headquarters, |chain| chain.name.of(spoken.language))
        .to_owned()
}

/// How much of a store's figures can be missing: what its own gateways say, and the street's, which have
/// claims of every store; the worst of them.
fn completeness(
    words: &Words,
    gateways: &[Gateway],
    store: &StoreId,
    now: Timestamp,
) -> Completeness {
    let own: Vec<&Gateway> = gateways
        .iter()
        .filter(|gateway| !gateway.is_revoked())
        .filter(|gateway| match &gateway.serves {
            Serves::Store(id) => id == store,
            Serves::Street => true,
        })
        .collect();
    let stale = |words: String| Completeness {
        class: "stale",
        words,
    };
    if own.is_empty() {
        return stale(words.no_gateway.to_owned());
    }
    let seen: Option<Vec<Timestamp>> = own.iter().map(|gateway| gateway.last_seen).collect();
    let Some(last) = seen.and_then(|seen| seen.into_iter().min()) else {
        return stale(words.never_seen.to_owned());
    };
    let silent = now.duration_since(last);
    let waiting: u64 = own.iter().filter_map(|gateway| gateway.waiting).sum();
    if silent > FRESH {
        let silent = ago(words, silent);
        return stale(words.last_seen_ago.replace("{}", &silent));
    }
    if waiting > 0 {
        return stale(words.still_waiting.replace("{}", &waiting.to_string()));
    }
    Completeness {
        class: "fresh",
        words: words.up_to_date.to_owned(),
    }
}

/// Counts add up over stores. People do not: a diner in two stores is one person, so the two figures of
/// people stay out of the sum.
fn sum(stores: &[StoreRow]) -> Figures {
    let mut sum = Figures::default();
    for Figures {
        came,
        claimed,
        redeemed,
        off_peak_came,
        off_peak_claimed,
        off_peak_redeemed,
        ..
    } in stores.iter().map(|row| row.figures)
    {
        sum.came += came;
        sum.claimed += claimed;
        sum.redeemed += redeemed;
        sum.off_peak_came += off_peak_came;
        sum.off_peak_claimed += off_peak_claimed;
        sum.off_peak_redeemed += off_peak_redeemed;
    }
    sum
}
