//! The Wi-Fi wall, put together from the settings.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::tz::Offset;
use tokio::sync::watch;

use crate::admission::dry::{ByAddress, DryFirewall};
use crate::admission::firewall::{Firewall, OnStop};
use crate::admission::hook::{self, Hook};
use crate::admission::neighbours::Neighbours;
use crate::admission::zone::ZoneName;
use crate::admission::{Parts, Wall};
use crate::config::settings::GatewaySettings;
use crate::config::written;
use crate::control::TermsOf;
use crate::domain::ids::StoreId;
use crate::ops::clock::{Clock, boot_number};
use crate::ops::tasks::Tasks;
use crate::wire::bundle::Bundle;

/// Opens the wall and sets it up, with everybody who was in before.
pub(super) fn open(
    settings: &GatewaySettings,
    clock: &Arc<dyn Clock>,
    store: Option<StoreId>,
    bundle: watch::Receiver<Arc<Bundle>>,
    tasks: &Tasks,
) -> anyhow::Result<Arc<Wall>> {
    let admission = &settings.admission;
    let (firewall, neighbours): (Box<dyn Firewall>, Box<dyn Neighbours>) = match admission.firewall
    {
        written::Firewall::Dry => {
            let zone = admission.zones.first().map(|zone| zone.name.clone());
            let zone = zone.unwrap_or_else(guest_zone);
            (
                Box::new(DryFirewall::default()),
                Box::new(ByAddress { zone }),
            )
        }
        written::Firewall::Nft => bail!("not yet"),
    };
    let parts = Parts {
        firewall,
        neighbours,
        clock: Arc::clone(clock),
        boot: boot_number(),
        local: Box::new(move |at| {
            let bundle = bundle.borrow();
            let own = store.as_ref().and_then(|store| bundle.stores.get(store));
            own.map_or_else(
                || Offset::UTC.to_datetime(at),
                |folder| folder.store.local(at),
            )
        }),
        session: Duration::from_secs(u64::from(admission.session_minutes) * 60),
        staff: admission.staff.clone(),
        blocked: admission.blocked.clone(),
    };
    let wall = Wall::open(parts, &settings.state_dir).context("reading the kept sessions")?;
    wall.set_up().context("setting up the Wi-Fi wall")?;
    let wall = Arc::new(wall);
    let hook = &admission.hook;
    if !hook.exec.is_empty() {
        hook::start(Hook::Exec(hook.exec.clone()), &wall, tasks);
    }
    if !hook.url.is_empty() {
        hook::start(Hook::Post(hook.url.clone()), &wall, tasks);
    }
    Ok(wall)
}

/// What an operator lets a device in with: the zone's terms, whatever the hour.
pub(super) fn terms(
    wall: &Arc<Wall>,
    store: Option<StoreId>,
    bundle: watch::Receiver<Arc<Bundle>>,
) -> Box<TermsOf> {
    let session = wall.session();
    Box::new(move |zone, tier| {
        let bundle = bundle.borrow();
        let policy = store.as_ref().map(|store| bundle.wifi(store, zone));
        policy.unwrap_or_default().terms(tier, session)
    })
}

fn guest_zone() -> ZoneName {
    ZoneName::try_from("guest".to_owned()).expect("five small letters")
}

pub(super) const fn on_stop(written: written::OnStop) -> OnStop {
    match written {
        written::OnStop::Keep => OnStop::Keep,
        written::OnStop::Open => OnStop::Open,
        written::OnStop::Close => OnStop::Close,
    }
}
