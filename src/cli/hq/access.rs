//! `maitred hq access-log open`: reads a store's access log, and leaves a line in the audit that it was read.

use std::sync::Arc;

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::print;
use crate::config::settings::HqSettings;
use crate::domain::ids::StoreId;
use crate::hq::access;
use crate::hq::db::Ledger;
use crate::hq::db::access::Asked;
use crate::ops::clock::{Clock, SystemClock};

pub(super) async fn open(
    ledger: Arc<dyn Ledger>,
    settings: &HqSettings,
    store: StoreId,
    day: Date,
) -> anyhow::Result<()> {
    let at = |day: Date| day.to_zoned(TimeZone::UTC).map(|begins| begins.timestamp());
    let next = day.tomorrow().context("that is the last day there is")?;
    let asked = Asked {
        store,
        from: at(day)?,
        to: at(next)?,
    };
    let lines = access::read(&*ledger, &settings.dir, asked, SystemClock.now()).await?;
    for line in &lines {
        print::line(line);
    }
    if lines.is_empty() {
        print::line("nothing was logged on that day");
    }
    Ok(())
}
