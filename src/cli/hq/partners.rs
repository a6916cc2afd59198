//! `maitred hq partners`: what creators and neighbours have brought in a month, and what they are owed.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::Date;

use super::super::print;
use super::super::syntax::{Command, Word};
use super::{read_chain, settings, with_ledger};
use crate::config::settings::HqSettings;
use crate::domain::bill::in_yuan;
use crate::hq::db::Ledger;
use crate::hq::partners::{Statement, last_month, month, statements};
use crate::ops::clock::{Clock, SystemClock};

const MONTH: Word = Word::option(
    "month",
    "MONTH",
    "2026-11; the last one that is over if none is given",
);
const CSV: Word = Word::flag("csv", "As CSV");

pub(super) const COMMAND: Command = Command::new(
    "partners",
    "State what each partner's code has brought in a month, and what is owed for it (partners.toml)",
    &[MONTH, CSV],
    |given| {
        let read = |text: &str| month(text).ok_or("a month is written as 2026-11");
        let days = given.optional_by(&MONTH, read)?;
        let (settings, is_csv) = (settings(given)?, given.has(&CSV));
        with_ledger(given, |ledger| state(ledger, settings, days, is_csv))
    },
);

async fn state(
    ledger: Arc<dyn Ledger>,
    settings: HqSettings,
    days: Option<RangeInclusive<Date>>,
    is_csv: bool,
) -> anyhow::Result<()> {
    let bundle = read_chain(&settings)?.bundle;
    let now = SystemClock.now();
    let mut all = Vec::new();
    for (id, folder) in &bundle.stores {
        let today = folder.store.local(now).date();
        let days = days.clone().unwrap_or_else(|| last_month(today));
        let places = ledger.places(id.clone(), days.clone()).await?;
        let first_visits = ledger.first_visits(id.clone(), days).await?;
        all.extend(statements(&bundle, folder, &places, &first_visits));
    }
    if is_csv {
        print::line("store,code,name,seen,claimed,redeemed,first_visits,owed_fen");
    } else if all.is_empty() {
        print::line(
            "the chain has no partner: no code of the kind `creator`, and none in partners.toml",
        );
    }
    for one in &all {
        print::line(match is_csv {
            true => as_csv(one),
            false => told(one),
        });
    }
    let owed: u64 = all.iter().filter_map(|one| one.owed_fen).sum();
    if !is_csv && owed > 0 {
        print::line(format_args!("¥{} in all", in_yuan(owed)));
    }
    Ok(())
}

fn told(one: &Statement) -> String {
    let Statement {
        store,
        code,
        name,
        seen,
        claimed,
        redeemed,
        first_visits,
        owed_fen,
    } = one;
    let owed = owed_fen.map_or_else(String::new, |fen| format!(" · owed ¥{}", in_yuan(fen)));
    format!(
        "{store}  {code}  {name}: {seen} seen · {claimed} claimed · {redeemed} redeemed · \
         {first_visits} first visits{owed}"
    )
}

fn as_csv(one: &Statement) -> String {
    // A name may hold whatever a person typed.
    let name = one.name.replace('"', "\"\"");
    let owed = one.owed_fen.map(|fen| fen.to_string()).unwrap_or_default();
    format!(
        "{},{},\"{name}\",{},{},{},{},{owed}",
        one.store, one.code, one.seen, one.claimed, one.redeemed, one.first_visits
    )
}
