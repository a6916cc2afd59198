//! A part of the tables per day of receipt, made days ahead of its first row.
//!
//! The writers drive it: whenever a row of deliveries comes on a day whose next one is not ready, the coming
//! week is made. So it happens once a day, and never in the rush of midnight.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::{Object, Transaction};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Answer, Sql, one, run};

/// How far ahead: if making a part fails for days, somebody has time to look.
const DAYS_AHEAD: i32 = 7;

/// Two writers must not make the same part; any number that nobody else uses in this database will do.
const MAKING: i64 = 0x7061_7274;

/// The days that are known to be ready.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    ready: Mutex<BTreeSet<Date>>,
}

impl Partitions {
    /// Makes sure that there is a part for what is received at `time`.
    pub(super) async fn prepare(&self, db: &mut Object, time: Timestamp) -> Answer<()> {
        let today = time.to_zoned(TimeZone::UTC).date();
        let tomorrow = today.saturating_add(1.day());
        if self.has(today) && self.has(tomorrow) {
            return Ok(());
        }
        let week = (0..=DAYS_AHEAD).map(|ahead| today.saturating_add(ahead.days()));
        let missing: Vec<Date> = week.filter(|day| !self.has(*day)).collect();
        make(db, &missing).await?;
        self.days().extend(missing);
        Ok(())
    }

    fn has(&self, day: Date) -> bool {
        self.days().contains(&day)
    }

    fn days(&self) -> std::sync::MutexGuard<'_, BTreeSet<Date>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn make(db: &mut Object, days: &[Date]) -> Sql<()> {
    let tx = db.transaction().await?;
    run(&tx, "select pg_advisory_xact_lock($1)", &[&MAKING]).await?;
    for day in days {
        for table in ["frame", "event", "run"] {
            make_one(&tx, table, *day).await?;
        }
    }
    tx.commit().await
}

async fn make_one(tx: &Transaction<'_>, table: &str, day: Date) -> Sql<()> {
    // A date is digits and dashes, so it can stand in the text; a parameter cannot.
    let name = format!("{table}_{}", day.strftime("%Y%m%d"));
    let made = "select to_regclass($1) is not null";
    if one(tx, made, &[&name]).await?.get(0) {
        return Ok(());
    }
    let next = day.saturating_add(1.day());
    // Attached and not made in its place: that would have to wait for a long audit, and everybody who
    // brings frames would wait behind it.
    tx.batch_execute(&format!(
        "create table {name} (like {table} including constraints);
         alter table {table} attach partition {name}
         for values from ('{day} 00:00:00+00') to ('{next} 00:00:00+00')"
    ))
    .await
}
