//! `maitred hq certificate`: what a store's box asks to have signed, and the certificate that comes back.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::super::print;
use crate::config::settings::HqSettings;
use crate::domain::ids::{GatewayId, StoreId};
use crate::hq::certificate::{accept, put, request};
use crate::hq::chain;
use crate::hq::db::Ledger;
use crate::ops::clock::{Clock, SystemClock};

/// Prints a request as it goes to an authority.
pub(super) async fn print_request(
    ledger: Arc<dyn Ledger>,
    store: StoreId,
    gateway: Option<GatewayId>,
) -> anyhow::Result<()> {
    let asked = ledger.host_requests(store.clone()).await?;
    let request = request(&store, &asked, gateway)?;
    print::line(request.csr_pem.trim_end());
    Ok(())
}

/// Takes what an authority has signed into the chain's folder.
pub(super) async fn take(
    ledger: Arc<dyn Ledger>,
    settings: &HqSettings,
    store: StoreId,
    file: &Path,
) -> anyhow::Result<()> {
    let chain = chain::read(&settings.chain_dir).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        anyhow!("the chain's folder has mistakes:\n{}", faults.join("\n"))
    })?;
    let folder = chain.bundle.stores.get(&store);
    let folder = folder.with_context(|| format!("the chain has no store {store}"))?;
    let asked = ledger.host_requests(store.clone()).await?;
    let pem = fs_err::read_to_string(file)?;
    let accepted = accept(&pem, folder, &asked, SystemClock.now())?;
    put(&settings.chain_dir, &store, &accepted, &pem)?;
    print::line(format_args!(
        "{} has a certificate until {:.0}; {} gets it with its next bundle",
        folder.store.host, accepted.until, accepted.gateway
    ));
    Ok(())
}
