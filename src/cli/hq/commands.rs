//! `maitred hq tell`, `void`, `undo` and `commands`: what boxes are asked to do, and what came of it.

use std::sync::Arc;

use anyhow::{Context, bail};

use super::super::print;
use crate::domain::command::Command;
use crate::domain::ids::{CommandId, CouponId, GatewayId, StoreId};
use crate::domain::wallet::SHOWN_WITHIN;
use crate::hq::db::commands::{Given, Order};
use crate::hq::db::notice::Notice;
use crate::hq::db::{Gateway, Ledger};
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::files::random;
use crate::wire::link::Serves;

/// Gives one gateway a command.
pub(super) async fn tell(
    ledger: Arc<dyn Ledger>,
    gateway: GatewayId,
    command: Command,
) -> anyhow::Result<()> {
    let gateway = &find(ledger.as_ref(), gateway).await?;
    if gateway.is_revoked() {
        bail!("{} is revoked and hears nothing any more", gateway.id);
    }
    give(ledger.as_ref(), &[gateway], &command).await
}

async fn find(ledger: &dyn Ledger, id: GatewayId) -> anyhow::Result<Gateway> {
    let gateways = ledger.gateways().await?;
    let found = gateways.into_iter().find(|known| known.id == id);
    found.with_context(|| format!("there is no {id}\nhint: the console lists the gateways"))
}

/// Makes a coupon void: at its store, and on the street, where it may be shown to its holder. Boxes that are
/// enrolled later hear of it, too.
pub(super) async fn void(
    ledger: Arc<dyn Ledger>,
    store: Option<StoreId>,
    coupon: CouponId,
) -> anyhow::Result<()> {
    let gateways = ledger.gateways().await?;
    let is_meant = |gateway: &&Gateway| match &store {
        Some(store) => is_of(store, gateway) || gateway.serves == Serves::Street,
        None => true,
    };
    if let Some(store) = &store {
        has_gateway(store, &gateways)?;
    }
    let meant: Vec<&Gateway> = gateways.iter().filter(is_meant).collect();
    let places = match store.clone() {
        Some(store) => vec![Some(Serves::Store(store)), Some(Serves::Street)],
        None => vec![None],
    };
    for to in places {
        let notice = Notice {
            to,
            command: Command::VoidCoupon(coupon),
            until: SystemClock.now() + SHOWN_WITHIN,
        };
        ledger.keep_notice(notice).await?;
    }
    give(ledger.as_ref(), &meant, &Command::VoidCoupon(coupon)).await
}

/// Takes a coupon's redemption back where it was redeemed.
pub(super) async fn undo(
    ledger: Arc<dyn Ledger>,
    store: StoreId,
    coupon: CouponId,
) -> anyhow::Result<()> {
    let gateways = ledger.gateways().await?;
    has_gateway(&store, &gateways)?;
    let meant: Vec<&Gateway> = gateways.iter().filter(|one| is_of(&store, one)).collect();
    give(ledger.as_ref(), &meant, &Command::UndoRedemption(coupon)).await
}

fn has_gateway(store: &StoreId, gateways: &[Gateway]) -> anyhow::Result<()> {
    if !gateways.iter().any(|gateway| is_of(store, gateway)) {
        bail!("{store} has no gateway\nhint: the console lists the gateways and their stores");
    }
    Ok(())
}

fn is_of(store: &StoreId, gateway: &Gateway) -> bool {
    !gateway.is_revoked() && gateway.serves == Serves::Store(store.clone())
}

async fn give(ledger: &dyn Ledger, to: &[&Gateway], command: &Command) -> anyhow::Result<()> {
    for gateway in to.iter().filter(|gateway| !gateway.is_revoked()) {
        let order = Order {
            gateway: gateway.id,
            id: CommandId::from_entropy(random()),
            command: command.clone(),
            made: SystemClock.now(),
        };
        let Some(number) = ledger.give(order).await? else {
            bail!("{} has left the register", gateway.id);
        };
        print::line(format_args!(
            "{}: command {number}, {}",
            gateway.id,
            command.kind()
        ));
    }
    print::line(
        "a box that is online hears of it within two seconds, any other when it comes back;",
    );
    print::line("`maitred hq commands <gateway>` tells what became of it");
    Ok(())
}

/// Prints the commands of a gateway.
pub(super) async fn list(ledger: Arc<dyn Ledger>, gateway: GatewayId) -> anyhow::Result<()> {
    find(ledger.as_ref(), gateway).await?;
    let commands = ledger.commands(gateway).await?;
    if commands.is_empty() {
        print::line(format_args!("{gateway} has been given no command"));
    }
    for given in commands {
        let about = given.item.coupon.map(|coupon| format!(" {coupon}"));
        print::line(format_args!(
            "{:>6}  {:.0}  {:<11}  {}{}",
            given.item.cursor.number,
            given.made,
            became_of(&given),
            given.item.kind,
            about.unwrap_or_default()
        ));
    }
    Ok(())
}

fn became_of(given: &Given) -> &'static str {
    match given.outcome {
        Some(outcome) => outcome.name(),
        // Its journal is still on the way.
        None if given.is_dealt_with => "dealt with",
        None => "waits",
    }
}
