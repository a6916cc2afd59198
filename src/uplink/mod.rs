//! From the journal to headquarters, and bundles back.
//!
//! The journal is the queue: a frame leaves it only after headquarters has acknowledged it, so a gateway
//! that is cut off for a month loses nothing and a request that is sent twice counts once. Nothing here can
//! make a diner wait: the portal does not know this module.
//!
//! What to do next is decided by a pure state machine ([`step`]); the workers only perform it. There is one
//! batch in flight at a time, and the long poll for bundles has a connection of its own.

pub mod backoff;
pub mod bundle;
mod down;
pub mod enroll;
mod http;
pub mod identity;
mod link;
pub mod step;
pub mod transport;
mod up;

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::settings::UplinkSettings;
use crate::journal::Outbox;
use crate::ops::tasks::Tasks;
use crate::ops::tls::BadIdentity;
use crate::wire::bundle::Bundle;
use crate::wire::link::LinkState;

use bundle::Slots;
use http::Https;
use identity::Identity;
use link::{Lane, Link};

/// What the uplink is made of; built once, in `cli`.
pub struct Parts {
    pub identity: Identity,
    pub settings: UplinkSettings,
    pub outbox: Outbox,
    pub slots: Slots,
    /// Where the bundle in force is announced.
    pub bundle: watch::Sender<Arc<Bundle>>,
    pub boot: u32,
}

/// Starts both workers; the receiver tells how the way to headquarters is.
pub fn start(parts: Parts, tasks: &Tasks) -> Result<watch::Receiver<LinkState>, BadIdentity> {
    let (link, state) = Link::new();
    let tls = parts.identity.tls()?;
    let https = |name| {
        Https::new(
            &parts.identity.enrolled.sync_url,
            Arc::clone(&tls),
            tasks,
            name,
        )
    };
    let up = up::Up {
        transport: Box::new(https("uplink up")),
        outbox: parts.outbox,
        settings: parts.settings.clone(),
        link: link.on(Lane::Up),
        boot: parts.boot,
    };
    let down = down::Down {
        transport: Box::new(https("uplink down")),
        slots: parts.slots,
        bundle: parts.bundle,
        settings: parts.settings,
        link: link.on(Lane::Down),
    };
    let own = tasks.clone();
    tasks.spawn("uplink up", async move { up.run(&own).await });
    let own = tasks.clone();
    tasks.spawn("uplink down", async move { down.run(&own).await });
    Ok(state)
}
