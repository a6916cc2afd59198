//! `maitred hq members` and `regulars`: who was a member before, and whom to look after now.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use jiff::civil::Date;

use super::super::print;
use super::super::syntax::{Command, Given, Word};
use super::{read_chain, settings, with_ledger};
use crate::config::settings::HqSettings;
use crate::domain::bill::in_yuan;
use crate::domain::calendar::business_day;
use crate::domain::ids::{MemberCode, StoreId, Vid};
use crate::domain::members::MemberRules;
use crate::domain::regulars::{List, NotNow, Regular, may_reach, on_list, stage};
use crate::hq::db::Ledger;
use crate::hq::db::members::{Imported, Member, Reached};
use crate::hq::members;
use crate::ops::clock::{Clock, SystemClock};

const STORE: Word = Word::option("store", "STORE", "The store whose guests they are").required();
const FILE: Word = Word::operand(
    "FILE",
    "CSV with the columns code, phone_sha256, since and consent; a row has a code, a hash or both",
);
const LIST: Word = Word::operand("LIST", "sleeping, birthdays, top-visits or top-spend");
const CSV: Word = Word::flag("csv", "As CSV");
const REACHED: Word = Word::flag(
    "reached",
    "Write down that those who may be written to are being written to now: it counts for the caps",
);

pub(super) const MEMBERS: Command = Command::group(
    "members",
    "Take in members of before",
    &[],
    &[Command::new(
        "import",
        "Make VIPs of a list, all of it or nothing; boxes hear of those who have been seen",
        &[STORE, FILE],
        |given| {
            let (store, file) = (given.value(&STORE)?, given.path(&FILE)?);
            let text = fs_err::read_to_string(&file)?;
            let settings = settings(given)?;
            with_ledger(given, |ledger| import(ledger, settings, store, text))
        },
    )],
);

pub(super) const REGULARS: Command = Command::new(
    "regulars",
    "List the guests of a store to look after, and who of them may be written to",
    &[STORE, LIST, CSV, REACHED],
    |given| {
        let asked = Asked::of(given)?;
        let settings = settings(given)?;
        with_ledger(given, |ledger| regulars(ledger, settings, asked))
    },
);

/// A store's rules and its day.
fn at_store(settings: &HqSettings, store: &StoreId) -> anyhow::Result<(MemberRules, Date)> {
    let chain = read_chain(settings)?;
    let folder = chain.bundle.stores.get(store);
    let folder = folder.with_context(|| format!("the chain's folder has no store {store}"))?;
    let today = business_day(folder.store.local(SystemClock.now()));
    Ok((chain.bundle.members, today))
}

async fn import(
    ledger: Arc<dyn Ledger>,
    settings: HqSettings,
    store: StoreId,
    text: String,
) -> anyhow::Result<()> {
    let (_, today) = at_store(&settings, &store)?;
    let guests = ledger.members(store.clone()).await?;
    let rows = members::read(&text, &guests, today).map_err(|mistakes| {
        let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        anyhow!("nothing was taken in:\n{}", lines.join("\n"))
    })?;
    let all = rows.len();
    let named: BTreeSet<Vid> = rows.iter().filter_map(|row| row.vid).collect();
    let known = named.len();
    let imported = Imported {
        store: store.clone(),
        at: SystemClock.now(),
        today,
        rows,
    };
    ledger.import(imported).await?;
    let guests = ledger.members(store).await?;
    let is_none = |guest: &&Member| {
        let is_named = guest.vid.is_some_and(|vid| named.contains(&vid));
        is_named && guest.vip_since.is_none()
    };
    let kept = guests.iter().filter(is_none).count();
    print::line(format_args!(
        "{all} members: {known} have been seen, and their store and the street hear that they are VIPs;"
    ));
    print::line(format_args!(
        "{} wait here until their code is known: import them again with it",
        all - known
    ));
    if kept > 0 {
        print::line(format_args!(
            "{kept} stay none, because the shop took it away later than the list says: a manager can give it again"
        ));
    }
    Ok(())
}

struct Asked {
    store: StoreId,
    list: List,
    is_csv: bool,
    counts: bool,
}

impl Asked {
    fn of(given: &Given) -> anyhow::Result<Self> {
        let list = |text: &str| {
            List::named(text).ok_or("a list is sleeping, birthdays, top-visits or top-spend")
        };
        Ok(Self {
            store: given.value(&STORE)?,
            list: given.value_by(&LIST, list)?,
            is_csv: given.has(&CSV),
            counts: given.has(&REACHED),
        })
    }
}

/// A guest of a list, and whether somebody may write to them.
struct Row {
    guest: Member,
    code: MemberCode,
    may: Result<(), NotNow>,
}

async fn regulars(
    ledger: Arc<dyn Ledger>,
    settings: HqSettings,
    asked: Asked,
) -> anyhow::Result<()> {
    let (rules, today) = at_store(&settings, &asked.store)?;
    let now = SystemClock.now();
    let mut guests = ledger.members(asked.store.clone()).await?;
    let known: Vec<Regular> = guests.iter().map(regular).collect();
    let places = on_list(asked.list, &known, today, &rules);
    let rows = places.into_iter().filter_map(|place| {
        let guest = std::mem::take(&mut guests[place]);
        Some(Row {
            code: MemberCode::of(guest.vid?),
            may: may_reach(guest.consents, &guest.reached, now, &rules),
            guest,
        })
    });
    let rows: Vec<Row> = rows.collect();
    if asked.is_csv {
        print::line("code,stage,days,last,spent_fen,vip_since,in_group_since,birthday,messages");
    } else if rows.is_empty() {
        print::line("nobody stands on this list today");
    }
    for row in &rows {
        print::line(told(row, today, &rules, asked.is_csv));
    }
    if asked.counts {
        let open = rows.iter().filter(|row| row.may.is_ok());
        let reached = open.filter_map(|row| {
            Some(Reached {
                store: asked.store.clone(),
                vid: row.guest.vid?,
                at: now,
                list: asked.list.name(),
            })
        });
        let reached: Vec<Reached> = reached.collect();
        let many = reached.len();
        ledger.reach(reached).await?;
        print::aside(format_args!(
            "{many} of {} count as written to now",
            rows.len()
        ));
    }
    Ok(())
}

fn regular(guest: &Member) -> Regular {
    Regular {
        seen: guest.seen.map(|seen| (seen.days, seen.last)),
        spent_fen: guest.spent_fen,
        birthday: guest.birthday,
    }
}

fn told(row: &Row, today: Date, rules: &MemberRules, is_csv: bool) -> String {
    let Row { guest, code, may } = row;
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let seen = guest.seen;
    let stage = seen.map_or("", |seen| stage(seen.days, seen.last, today, rules).name());
    let days = seen.map_or(0, |seen| seen.days);
    let last = day(seen.map(|seen| seen.last));
    let messages = match may {
        Ok(()) => "open".to_owned(),
        Err(not_now) => not_now.to_string(),
    };
    let (vip, group) = (day(guest.vip_since), day(guest.in_group_since));
    let born = guest
        .birthday
        .map(|day| day.to_string())
        .unwrap_or_default();
    let fen = guest.spent_fen;
    if is_csv {
        return format!("{code},{stage},{days},{last},{fen},{vip},{group},{born},{messages}");
    }
    let mut parts = vec![format!("{code}  {stage}, {days} days, last {last}")];
    if fen > 0 {
        parts.push(format!("¥{}", in_yuan(fen)));
    }
    for (what, value) in [
        ("VIP since", vip),
        ("in the group since", group),
        ("birthday", born),
    ] {
        if !value.is_empty() {
            parts.push(format!("{what} {value}"));
        }
    }
    parts.push(format!("messages: {messages}"));
    parts.join(" · ")
}
