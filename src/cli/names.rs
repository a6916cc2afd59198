//! What the router's dnsmasq is told, taken from the bundle in force.

use std::sync::Arc;

use tokio::sync::watch;

use crate::admission::dnsmasq::{DnsmasqFiles, Follows, Settings};
use crate::admission::garden::Garden;
use crate::admission::zone::Zone;
use crate::config::written::Dnsmasq;
use crate::domain::ids::StoreId;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::Bundle;

/// What the files follow, beside the bundle.
pub(super) struct Also {
    /// The portal's host where the settings say another than the bundle.
    pub(super) host: Option<String>,
    /// The address of the RFC 8908 interface, while it can be asked.
    pub(super) advertise: watch::Receiver<Option<String>>,
    pub(super) wan_is_up: watch::Receiver<bool>,
}

/// Starts to write dnsmasq's files; none where the settings name no folder for them.
pub(super) fn start(
    dnsmasq: &Dnsmasq,
    zones: Vec<Zone>,
    (store, mut bundle): (Option<StoreId>, watch::Receiver<Arc<Bundle>>),
    also: Also,
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
    let named = also.host;
    let now = names(&bundle.borrow_and_update(), store.as_ref(), &zones);
    let (host_sender, host) = watch::channel(named.clone().unwrap_or(now.host));
    let (garden_sender, garden) = watch::channel(now.garden);
    let follows = Follows {
        host,
        garden,
        advertise: also.advertise,
        wan_is_up: also.wan_is_up,
    };
    let files = DnsmasqFiles::start(settings, &zones, follows, tasks);
    let own = tasks.clone();
    tasks.spawn("names", async move {
        loop {
            tokio::select! {
                changed = bundle.changed() => if changed.is_err() { return },
                () = own.stopping() => return,
            }
            let now = names(&bundle.borrow_and_update(), store.as_ref(), &zones);
            put(&host_sender, named.clone().unwrap_or(now.host));
            put(&garden_sender, now.garden);
        }
    });
    Some(files)
}

/// Tells only what is new.
fn put<T: PartialEq>(sender: &watch::Sender<T>, now: T) {
    sender.send_if_modified(|before| {
        let is_new = *before != now;
        *before = now;
        is_new
    });
}

struct Names {
    host: String,
    garden: Garden,
}

fn names(bundle: &Bundle, store: Option<&StoreId>, zones: &[Zone]) -> Names {
    let Some((id, folder)) = store.and_then(|id| bundle.stores.get_key_value(id)) else {
        return Names {
            host: String::new(),
            garden: Garden::default(),
        };
    };
    let garden = zones.iter().map(|zone| {
        let policy = bundle.wifi(id, &zone.name);
        (zone.name.clone(), policy.garden)
    });
    Names {
        host: folder.store.host.clone(),
        garden: Garden {
            zones: garden.collect(),
        },
    }
}
