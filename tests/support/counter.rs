//! The figures of the day, as the manager reads them at the counter and as headquarters has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::Offset;
use maitred::domain::calendar::business_day;
use maitred::hq::db::Figures;

use super::{Phone, Tasks, TestChain, TestStore, Till};

/// Today's and yesterday's, by the words on the page.
pub(crate) type Told = BTreeMap<String, (i64, i64)>;

/// The counter's page, for whoever is signed in at `till`.
pub(crate) async fn counter_page(store: &TestStore, till: &Till) -> String {
    let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    phone.remember(till.phone.cookies());
    phone.get("/counter?lang=en").await.unwrap().html
}

/// The figures of the whole shop; none are there before anything has happened.
pub(crate) fn told(page: &str) -> Told {
    let Some((_, rest)) = page.split_once("<tbody>") else {
        return Told::new();
    };
    let (table, _) = rest.split_once("</tbody>").unwrap();
    let row = |row: &str| {
        let row = row.trim().strip_suffix("</td></tr>").unwrap();
        let (label, row) = row.split_once("</th><td>").unwrap();
        let (today, yesterday) = row.split_once("</td><td>").unwrap();
        let figures = (today.parse().unwrap(), yesterday.parse().unwrap());
        (label.to_owned(), figures)
    };
    let rows = table.split("<tr><th scope=\"row\">");
    rows.skip(1).map(row).collect()
}

/// What headquarters has of store SZ01, in the counter's words.
pub(crate) async fn headquarters_tells(chain: &TestChain, now: Timestamp) -> Told {
    let today = business_day(Offset::constant(8).to_datetime(now));
    let today_has = chain.figures(today).await;
    let yesterday_has = chain.figures(today.yesterday().unwrap()).await;
    let row = |label: &str, of: fn(&Figures) -> i64| {
        let figures = (of(&today_has), of(&yesterday_has));
        (label.to_owned(), figures)
    };
    Told::from([
        row("Pages opened", |of| of.came),
        row("Coupons claimed", |of| of.claimed),
        row("Coupons redeemed", |of| of.redeemed),
        row("Agreed to messages", |of| of.consented),
        row("Refused at the till", |of| of.refused),
    ])
}
