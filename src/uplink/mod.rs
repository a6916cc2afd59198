//! From the journal to headquarters, and bundles and commands back.
//!
//! The journal is the queue: a frame leaves it only after headquarters has acknowledged it, so a gateway
//! that is cut off for a month loses nothing and a request that is sent twice counts once. Nothing here can
//! make a diner wait: the portal does not know this module.
//!
//! A till that is shown a coupon of another store has a question for headquarters ([`sisters`]); `cli` hands it
//! over.
//!
//! What to do next is decided by a pure state machine ([`step`]); the workers only perform it. There is one
//! batch in flight at a time, and the long poll for news has a connection of its own.

pub mod backoff;
pub mod bundle;
pub mod captive;
pub mod commands;
mod credentials;
mod down;
pub mod enroll;
mod http;
pub mod identity;
pub mod lines;
mod link;
pub mod sisters;
pub mod standing;
pub mod step;
pub mod transport;
mod up;
mod way;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::settings::UplinkSettings;
use crate::journal::Outbox;
use crate::ops::clock::{Anchored, Clock, SystemClock};
use crate::ops::tasks::Tasks;
use crate::ops::tls::{BadIdentity, CertificateTime};
use crate::wire::bundle::Bundle;
use crate::wire::link::LinkState;

use bundle::Slots;
use captive::Probe;
use commands::{Commands, Obey};
use credentials::Credentials;
use http::{Https, Trust};
use identity::Identity;
use link::{Lane, Link};
use sisters::Sisters;
use transport::Transport;
use way::Way;

/// What the uplink is made of; built once, in `cli`.
pub struct Parts {
    pub identity: Identity,
    /// Where the identity is kept.
    pub identity_dir: PathBuf,
    pub settings: UplinkSettings,
    pub outbox: Outbox,
    pub slots: Slots,
    /// Where the bundle in force is announced.
    pub bundle: watch::Sender<Arc<Bundle>>,
    /// The box's own clock, to be set by headquarters'; none where the shop goes by another one, as in the
    /// demo: its frames keep the times that they were written with.
    pub clock: Option<Arc<Anchored>>,
    pub boot: u32,
    /// What the box asks to have certified for its host, for headquarters to know; none: nothing.
    pub host_request: watch::Receiver<Option<String>>,
    /// Who carries out what headquarters asks.
    pub obey: Box<dyn Obey>,
}

/// A running uplink.
pub struct Uplink {
    /// How the way to headquarters is.
    pub link: watch::Receiver<LinkState>,
    pub sisters: Sisters,
}

/// Starts the workers.
pub fn start(parts: Parts, tasks: &Tasks) -> Result<Uplink, BadIdentity> {
    let (link, state) = Link::new(parts.clock.clone());
    // What TLS goes by is real time, also where the shop's is not.
    let clock: Arc<dyn Clock> = match &parts.clock {
        Some(clock) => Arc::clone(clock) as Arc<dyn Clock>,
        None => Arc::new(SystemClock),
    };
    let url = parts.identity.enrolled.sync_url.clone();
    let credentials = Arc::new(Credentials::new(parts.identity, parts.identity_dir));
    let https = {
        let (credentials, clock) = (Arc::clone(&credentials), Arc::clone(&clock));
        let own = tasks.clone();
        move |name| {
            let time = CertificateTime::new(Arc::clone(&clock));
            // What cannot be read must stop the start, not every connection.
            credentials.tls(Arc::clone(&time))?;
            let trust = Trust::Certificate(Arc::clone(&credentials), time);
            Ok::<_, BadIdentity>(Https::new(&url, trust, &own, name))
        }
    };
    let (hello_again, asked_for_hello) = watch::channel(0);
    let probe = Probe::parse(&parts.settings.probe_url);
    let up = up::Up {
        way: Way {
            transport: Box::new(https("uplink up")?),
            link: link.on(Lane::Up),
            probe: probe.clone(),
        },
        outbox: parts.outbox,
        clock: parts.clock.clone(),
        settings: parts.settings.clone(),
        boot: parts.boot,
        asked_for_hello,
        host_request: parts.host_request,
        asked_with: None,
        marks: BTreeMap::new(),
    };
    let down = down::Down {
        way: Way {
            transport: Box::new(https("uplink down")?),
            link: link.on(Lane::Down),
            probe,
        },
        slots: parts.slots,
        bundle: parts.bundle,
        settings: parts.settings,
        credentials,
        clock,
        commands: Commands {
            book: parts.obey,
            hello_again,
        },
    };
    let own = tasks.clone();
    tasks.spawn("uplink up", async move { up.run(&own).await });
    let own = tasks.clone();
    tasks.spawn("uplink down", async move { down.run(&own).await });
    let dial = move || {
        let way = https("uplink sisters").ok()?;
        Some(Box::new(way) as Box<dyn Transport>)
    };
    Ok(Uplink {
        link: state,
        sisters: Sisters::start(Arc::new(dial), tasks),
    })
}
