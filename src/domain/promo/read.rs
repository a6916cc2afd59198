//! What the fields of the form say, each read by itself, so that every fault is told at once.

use jiff::ToSpan;
use jiff::civil::{Date, Time};

use super::{Fault, Field, Setting, Typed, Why};
use crate::domain::calendar::Day;
use crate::domain::campaign::MOST_VALID_DAYS;
use crate::domain::ids::StoreId;
use crate::domain::text::Text;

/// Of a gift's name: longer ones push "continue" off a small phone's first screen.
const LONGEST_CHINESE: usize = 16;
const LONGEST_ENGLISH: usize = 40;

/// What a promo's gift costs at most, in yuan.
const MOST_YUAN: u32 = 10_000;

/// A form without a fault in any field.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) stores: Vec<StoreId>,
    pub(super) item: Text,
    pub(super) quantity: u32,
    pub(super) days: Vec<Day>,
    pub(super) from: Time,
    pub(super) to: Time,
    pub(super) per_day: u32,
    pub(super) first: Date,
    pub(super) last: Date,
    pub(super) valid: u32,
    pub(super) cost_fen: u32,
}

pub(super) fn form(typed: &Typed, setting: &Setting<'_>) -> Result<Filled, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut note = |field, why| faults.push(Fault { field, why });
    let mut number = |field, text: &str, most: u32| {
        let number = text.trim().parse().ok().filter(|n| (1..=most).contains(n));
        if number.is_none() {
            let is_empty = text.trim().is_empty();
            note(
                field,
                if is_empty {
                    Why::Missing
                } else {
                    Why::NotBetween(1, most)
                },
            );
        }
        number.unwrap_or(1)
    };
    let quantity = number(Field::Quantity, &typed.quantity, 99);
    let per_day = number(Field::PerDay, &typed.per_day, 9_999);
    let valid = number(Field::Valid, &typed.valid, MOST_VALID_DAYS.into());
    let mut keep = |field, read: Result<(), Why>| {
        if let Err(why) = read {
            note(field, why);
        }
    };
    let stores = stores(&typed.store, &setting.stores);
    keep(
        Field::Store,
        stores.as_ref().map(|_| ()).map_err(|why| *why),
    );
    for (field, name, longest) in [
        (Field::ItemZh, &typed.item_zh, LONGEST_CHINESE),
        (Field::ItemEn, &typed.item_en, LONGEST_ENGLISH),
    ] {
        keep(field, is_name(name, longest));
    }
    if !typed.item_hant.trim().is_empty() {
        keep(Field::ItemHant, is_name(&typed.item_hant, LONGEST_CHINESE));
    }
    let is_some_day = (!typed.days.is_empty()).then_some(()).ok_or(Why::Missing);
    keep(Field::Days, is_some_day);
    let hours = hours(&typed.from, &typed.to);
    keep(Field::Hours, hours.map(|_| ()));
    let first = date(&typed.first).and_then(|first| match first < setting.today {
        true => Err(Why::Past),
        false => Ok(first),
    });
    keep(Field::First, first.map(|_| ()));
    let last = date(&typed.last).and_then(|last| is_after(last, first.ok()));
    keep(Field::Last, last.map(|_| ()));
    let cost = fen(&typed.cost);
    keep(Field::Cost, cost.map(|_| ()));
    let (Ok(stores), Ok((from, to)), Ok(first), Ok(last), Ok(cost_fen), true) =
        (stores, hours, first, last, cost, faults.is_empty())
    else {
        return Err(faults);
    };
    Ok(Filled {
        stores,
        item: typed.item(),
        quantity,
        days: Day::ALL
            .into_iter()
            .filter(|day| typed.days.contains(day))
            .collect(),
        from,
        to,
        per_day,
        first,
        last,
        valid,
        cost_fen,
    })
}

fn stores(typed: &str, known: &[StoreId]) -> Result<Vec<StoreId>, Why> {
    let typed = typed.trim();
    let meant = known
        .iter()
        .filter(|id| typed.is_empty() || id.as_str() == typed);
    let meant: Vec<StoreId> = meant.cloned().collect();
    if meant.is_empty() {
        return Err(Why::Unknown);
    }
    Ok(meant)
}

fn is_name(typed: &str, longest: usize) -> Result<(), Why> {
    let name = typed.trim();
    if name.is_empty() {
        Err(Why::Missing)
    } else if name.chars().count() > longest {
        Err(Why::TooLong(longest))
    } else if name.chars().any(char::is_control) {
        Err(Why::Letters)
    } else {
        Ok(())
    }
}

fn hours(from: &str, to: &str) -> Result<(Time, Time), Why> {
    let time = |typed: &str| match typed.trim() {
        "" => Err(Why::Missing),
        typed => Time::strptime("%H:%M", typed).map_err(|_| Why::NoTime),
    };
    let (from, to) = (time(from)?, time(to)?);
    // A whole day is written as 00:00 to 00:00.
    if from == to && from != Time::midnight() {
        return Err(Why::NoLength);
    }
    Ok((from, to))
}

fn date(typed: &str) -> Result<Date, Why> {
    match typed.trim() {
        "" => Err(Why::Missing),
        typed => Date::strptime("%Y-%m-%d", typed).map_err(|_| Why::NoDate),
    }
}

fn is_after(last: Date, first: Option<Date>) -> Result<Date, Why> {
    let Some(first) = first else {
        return Ok(last);
    };
    if last < first {
        Err(Why::BeforeFirst)
    } else if first.saturating_add(1.year()) < last {
        Err(Why::TooFar)
    } else {
        Ok(last)
    }
}

/// Yuan with two decimals at most; nothing typed costs nothing.
fn fen(typed: &str) -> Result<u32, Why> {
    let typed = typed.trim();
    let (yuan, fen) = typed.split_once('.').unwrap_or((typed, ""));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if typed.is_empty() {
        return Ok(0);
    }
    if yuan.is_empty() || !is_number(yuan) || !is_number(fen) || fen.len() > 2 {
        return Err(Why::NoMoney);
    }
    let yuan: u32 = yuan.parse().map_err(|_| Why::NoMoney)?;
    let fen: u32 = format!("{fen:0<2}").parse().map_err(|_| Why::NoMoney)?;
    match yuan {
        0..MOST_YUAN => Ok(yuan * 100 + fen),
        MOST_YUAN.. => Err(Why::NotBetween(0, MOST_YUAN)),
    }
}
