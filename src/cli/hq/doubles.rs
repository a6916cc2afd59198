//! `maitred hq doubles`: coupons that two stores have taken, and what can be done about each.

use std::sync::Arc;

use super::super::print;
use crate::hq::db::Ledger;
use crate::hq::db::sisters::Use;

pub(super) async fn list(ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
    let doubles = ledger.doubles().await?;
    for double in &doubles {
        print::line(format_args!("{}", double.coupon));
        for one in &double.uses {
            print::line(format_args!("  {}", told(one)));
        }
    }
    if doubles.is_empty() {
        print::line("no coupon counts as used in more than one store");
        return Ok(());
    }
    print::line(format_args!(
        "{} coupons; the guests were not charged and need not be",
        doubles.len()
    ));
    print::line(
        "`maitred hq undo --store STORE COUPON` takes one of the redemptions out of the figures",
    );
    Ok(())
}

fn told(one: &Use) -> String {
    let at = one.redeemed.map(|at| format!("{at:.0}"));
    let home = match &one.home {
        Some(_) => "",
        None => ", its own store",
    };
    format!("{}  {}{home}", at.unwrap_or_default(), one.store)
}
