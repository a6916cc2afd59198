//! What the router's dnsmasq is told, taken from the bundle in force.

use std::sync::Arc;

use tokio::sync::watch;

use super::gateway::advertise::Advert;
use crate::admission::dnsmasq::{DnsmasqFiles, Follows, Settings};
use crate::admission::garden::Garden;
use crate::admission::zone::Zone;
use crate::config::written::Dnsmasq;
use crate::domain::ids::StoreId;
use crate::ops::tasks::Tasks;
use crate::portal::https::Https;
use crate::wire::bundle::Bundle;

/// Where what dnsmasq is told comes from.
pub(super) struct Sources {
    pub(super) store: Option<StoreId>,
    pub(super) bundle: watch::Receiver<Arc<Bundle>>,
    pub(super) https: watch::Receiver<Https>,
    /// What phones may be told to ask.
    pub(super) advert: watch::Receiver<Advert>,
    pub(super) wan_is_up: watch::Receiver<bool>,
}

/// Starts to write dnsmasq's files; none where the settings name no folder for them.
pub(super) fn start(
    dnsmasq: &Dnsmasq,
    zones: Vec<Zone>,
    mut sources: Sources,
    tasks: &Tasks,
) -> Option<DnsmasqFiles> {
    if dnsmasq.dir.as_os_str().is_empty() {
        return None;
    }
    let settings = Settings {
        dir: dnsmasq.dir.clone(),
        pid_file: dnsmasq.pid_file.clone(),
        restart: dnsmasq.restart.clone(),
    };
    let (host_sender, host) = watch::channel(sources.host());
    let (garden_sender, garden) = watch::channel(sources.garden(&zones));
    let (advertise_sender, advertise) = watch::channel(sources.advert.borrow().url());
    let follows = Follows {
        host,
        garden,
        advertise,
        wan_is_up: sources.wan_is_up.clone(),
    };
    let files = DnsmasqFiles::start(settings, &zones, follows, tasks);
    let own = tasks.clone();
    tasks.spawn("names", async move {
        loop {
            // A sender that is gone will not change anything any more: a shop without headquarters has the one
            // bundle, and certificates come and end all the same.
            tokio::select! {
                Ok(()) = sources.bundle.changed() => {}
                Ok(()) = sources.https.changed() => {}
                Ok(()) = sources.advert.changed() => {}
                () = own.stopping() => return,
            }
            put(&host_sender, sources.host());
            put(&garden_sender, sources.garden(&zones));
            put(&advertise_sender, sources.advert.borrow().url());
        }
    });
    Some(files)
}

impl Sources {
    /// The host that phones know.
    fn host(&self) -> String {
        self.https.borrow().host.clone().unwrap_or_default()
    }

    fn garden(&self, zones: &[Zone]) -> Garden {
        garden(&self.bundle.borrow(), self.store.as_ref(), zones)
    }
}

/// What is open in each zone before a device is let in.
pub(super) fn garden(bundle: &Bundle, store: Option<&StoreId>, zones: &[Zone]) -> Garden {
    let Some(store) = store else {
        return Garden::default();
    };
    let names = zones.iter().map(|zone| {
        let policy = bundle.wifi(store, &zone.name);
        (zone.name.clone(), policy.garden)
    });
    Garden {
        zones: names.collect(),
    }
}

/// Tells only what is new.
fn put<T: PartialEq>(sender: &watch::Sender<T>, now: T) {
    sender.send_if_modified(|before| {
        let is_new = *before != now;
        *before = now;
        is_new
    });
}
