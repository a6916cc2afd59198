//! The Wi-Fi wall, put together from the settings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::Offset;
use tokio::sync::watch;

use super::gateway::advertise::Advert;
use super::names;
use crate::admission::KernelNeighbours;
use crate::admission::dnsmasq::DnsmasqFiles;
use crate::admission::dry::{ByAddress, DryFirewall};
use crate::admission::firewall::{Firewall, OnStop};
use crate::admission::hook::{self, Hook};
use crate::admission::neighbours::Neighbours;
use crate::admission::nft::{Layout, NftFirewall, Watch};
use crate::admission::zone::{Ports, Zone, ZoneName};
use crate::admission::{Parts, Wall};
use crate::config::settings::GatewaySettings;
use crate::config::written::{self, Admission};
use crate::control::{Check, TermsOf, Verdict};
use crate::domain::ids::StoreId;
use crate::domain::wifi::{Terms, Tier};
use crate::ops::clock::{Clock, boot_number};
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::portal::https::Https;
use crate::wire::bundle::Bundle;

/// A wall that could not be set up is tried again after that.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the wall is to know of its surroundings.
pub(super) struct Place<'a> {
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) store: Option<StoreId>,
    pub(super) bundle: watch::Receiver<Arc<Bundle>>,
    pub(super) portal: SocketAddr,
    pub(super) wan: watch::Receiver<bool>,
    pub(super) https: watch::Receiver<Https>,
    pub(super) advert: watch::Receiver<Advert>,
}

/// A wall that is set up, and what tells phones of it.
pub(super) struct Opened {
    pub(super) wall: Arc<Wall>,
    /// None where the settings name no folder for dnsmasq's files.
    names: Option<DnsmasqFiles>,
}

/// Opens the wall and sets it up, with everybody who was in before.
pub(super) fn open(
    settings: &GatewaySettings,
    place: Place<'_>,
    tasks: &Tasks,
) -> anyhow::Result<Opened> {
    let admission = &settings.admission;
    let (store, bundle) = (place.store.clone(), place.bundle.clone());
    let ports = Ports {
        http: place.portal.port(),
        // Refused at once while there is no certificate, and there as soon as there is one.
        https: Some(settings.portal_tls.listen.port()),
    };
    let enforcer = Enforcer::open(admission, ports, place.clock)?;
    let sources = names::Sources {
        store: store.clone(),
        bundle: bundle.clone(),
        https: place.https,
        advert: place.advert,
        wan_is_up: place.wan.clone(),
    };
    let parts = Parts {
        firewall: enforcer.firewall,
        neighbours: enforcer.neighbours,
        clock: Arc::clone(place.clock),
        boot: boot_number(),
        local: Box::new(move |at| {
            let bundle = bundle.borrow();
            let own = store.as_ref().and_then(|store| bundle.stores.get(store));
            own.map_or_else(
                || Offset::UTC.to_datetime(at),
                |folder| folder.store.local(at),
            )
        }),
        session: session_of(admission),
        is_open: Box::new(is_open(place.store.clone(), place.bundle.clone())),
        terms: Box::new(terms_now(
            place.store.clone(),
            place.bundle.clone(),
            session_of(admission),
        )),
        zones: zones_of(admission),
        staff: admission.staff.clone(),
        blocked: admission.blocked.clone(),
    };
    let wall = Wall::open(parts, &settings.state_dir).context("reading the kept sessions")?;
    wall.set_up().context("setting up the Wi-Fi wall")?;
    let wall = Arc::new(wall);
    let zones = layout(admission, ports).zones;
    let names = names::start(&admission.dnsmasq, zones, sources, tasks);
    if let Some(watch) = enforcer.watch {
        restore(watch, Arc::clone(&wall), names.clone(), tasks);
    }
    follow_wan(&wall, place.wan, tasks);
    let hook = &admission.hook;
    if !hook.exec.is_empty() {
        hook::start(Hook::Exec(hook.exec.clone()), &wall, tasks);
    }
    if !hook.url.is_empty() {
        hook::start(Hook::Post(hook.url.clone()), &wall, tasks);
    }
    Ok(Opened { wall, names })
}

impl Opened {
    /// What `/readyz` looks at. Coupons do not wait for the Wi-Fi, so none of it keeps diners away.
    pub(super) fn checks(&self) -> impl Fn() -> Vec<Check> + Send + Sync + use<> {
        let wall = Arc::clone(&self.wall);
        let dnsmasq = self.names.as_ref().map(DnsmasqFiles::trouble);
        move || {
            let mut checks = vec![check("wall", wall.trouble(), "it is set up")];
            if let Some(trouble) = &dnsmasq {
                let trouble = trouble.borrow().clone();
                checks.push(check("dnsmasq", trouble, "it knows what it should"));
            }
            checks
        }
    }
}

fn check(name: &'static str, trouble: Option<String>, well: &str) -> Check {
    Check {
        name,
        verdict: match trouble {
            None => Verdict::Ok,
            Some(_) => Verdict::Degraded,
        },
        detail: trouble.unwrap_or_else(|| well.to_owned()),
    }
}

/// What enforces, and what tells devices apart.
struct Enforcer {
    firewall: Box<dyn Firewall>,
    neighbours: Box<dyn Neighbours>,
    /// None where nobody else can change what is enforced.
    watch: Option<Watch>,
}

impl Enforcer {
    fn open(admission: &Admission, ports: Ports, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        match admission.firewall {
            written::Firewall::Dry => {
                let zone = zones_of(admission).remove(0);
                Ok(Self {
                    firewall: Box::new(DryFirewall::default()),
                    neighbours: Box::new(ByAddress { zone }),
                    watch: None,
                })
            }
            written::Firewall::Nft => Self::in_the_kernel(admission, ports, clock),
        }
    }

    fn in_the_kernel(
        admission: &Admission,
        ports: Ports,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let layout = layout(admission, ports);
        let neighbours = KernelNeighbours::open(&layout.zones, Arc::clone(clock)).context(
            "looking for the guest networks (`ip link` lists what there is; [[admission.zone]] names them)",
        )?;
        let firewall = Arc::new(NftFirewall::open(layout, &admission.nft)?);
        let watch = Watch::start(Arc::clone(&firewall)).context("watching the kernel's rules")?;
        Ok(Self {
            firewall: Box::new(firewall),
            neighbours: Box::new(neighbours),
            watch: Some(watch),
        })
    }
}

/// The table's layout as the settings ask for it.
pub(super) fn layout(admission: &Admission, ports: Ports) -> Layout {
    let zone = |zone: &written::Zone| Zone {
        name: zone.name.clone(),
        interface: zone.interface.clone(),
        ports,
    };
    Layout {
        zones: admission.zones.iter().map(zone).collect(),
        masquerade: (!admission.masquerade.is_empty()).then(|| admission.masquerade.clone()),
    }
}

/// Sets the wall up anew whenever somebody else has flushed or changed it.
fn restore(mut watch: Watch, wall: Arc<Wall>, names: Option<DnsmasqFiles>, tasks: &Tasks) {
    let own = tasks.clone();
    tasks.spawn("wall", async move {
        loop {
            let lost = tokio::select! {
                lost = watch.lost() => lost,
                () = own.stopping() => return,
            };
            if let Err(error) = &lost {
                tracing::warn!(%error, "the kernel's rules cannot be watched for a moment");
            } else {
                metrics::count(metrics::WALL_RESTORED);
                tracing::warn!("somebody has changed the wall in the kernel; it is set up anew");
            }
            let again = Arc::clone(&wall);
            let set_up = tokio::task::spawn_blocking(move || again.set_up()).await;
            if let Some(names) = &names {
                names.sets_were_emptied();
            }
            let is_up = match set_up {
                Ok(Ok(())) => lost.is_ok(),
                Ok(Err(error)) => {
                    tracing::error!(%error, "the wall could not be set up; it is tried again");
                    false
                }
                Err(error) => {
                    tracing::error!(%error, "setting up the wall panicked; it is tried again");
                    false
                }
            };
            if !is_up {
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
                    () = own.stopping() => return,
                }
            }
        }
    });
}

/// Tells the wall whether there is an Internet behind it.
fn follow_wan(wall: &Arc<Wall>, mut wan: watch::Receiver<bool>, tasks: &Tasks) {
    let (wall, own) = (Arc::clone(wall), tasks.clone());
    wan.mark_changed();
    tasks.spawn("wall's way out", async move {
        loop {
            tokio::select! {
                changed = wan.changed() => if changed.is_err() { return },
                () = own.stopping() => return,
            }
            let is_up = *wan.borrow_and_update();
            if let Err(error) = wall.wan(is_up) {
                // The next table is set up so.
                tracing::warn!(%error, "the wall was not told about the Internet");
            }
        }
    });
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

/// How long a session lasts where a policy does not say it.
fn session_of(admission: &Admission) -> Duration {
    Duration::from_secs(u64::from(admission.session_minutes) * 60)
}

/// What the shop's rules grant as they stand; none on a box that has not got them.
fn terms_now(
    store: Option<StoreId>,
    bundle: watch::Receiver<Arc<Bundle>>,
    session: Duration,
) -> impl Fn(&ZoneName, Tier) -> Option<Terms> {
    move |zone, tier| {
        let bundle = bundle.borrow();
        let own = store.as_ref().and_then(|store| bundle.stores.get(store))?;
        Some(bundle.wifi(&own.store.id, zone).terms(tier, session))
    }
}

/// Whether the Internet is open to guests of a zone.
fn is_open(
    store: Option<StoreId>,
    bundle: watch::Receiver<Arc<Bundle>>,
) -> impl Fn(&ZoneName, Timestamp) -> bool {
    move |zone, at| {
        let bundle = bundle.borrow();
        let own = store.as_ref().and_then(|store| bundle.stores.get(store));
        own.is_none_or(|folder| {
            let policy = bundle.wifi(&folder.store.id, zone);
            policy.is_open(folder.store.local(at), &folder.store.holidays)
        })
    }
}

/// The zones of the settings; a dry wall has one even where they have none.
fn zones_of(admission: &Admission) -> Vec<ZoneName> {
    let mut zones: Vec<_> = admission
        .zones
        .iter()
        .map(|zone| zone.name.clone())
        .collect();
    if zones.is_empty() {
        zones.push(guest_zone());
    }
    zones
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
