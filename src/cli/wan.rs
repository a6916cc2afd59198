//! Whether there is an Internet behind the wall, for a shop whose box asks nobody else.
//!
//! Beside headquarters the uplink knows; a shop alone asks the address that a phone would ask.

use std::time::Duration;

use tokio::sync::watch;

use crate::ops::tasks::Tasks;
use crate::uplink::captive::{Probe, Upstream};
use crate::wire::link::LinkState;

/// A line that comes back is noticed within this.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What the uplink says of the link, as a yes or no.
pub(super) fn follow(mut link: watch::Receiver<LinkState>, tasks: &Tasks) -> watch::Receiver<bool> {
    let (sender, wan) = watch::channel(is_up(*link.borrow_and_update()));
    let own = tasks.clone();
    tasks.spawn("wan", async move {
        loop {
            tokio::select! {
                changed = link.changed() => if changed.is_err() { return },
                () = own.stopping() => return,
            }
            let now = is_up(*link.borrow_and_update());
            sender.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    });
    wan
}

const fn is_up(link: LinkState) -> bool {
    match link {
        LinkState::Offline | LinkState::UpstreamCaptive => false,
        LinkState::Unknown
        | LinkState::Online
        | LinkState::ClockBad
        | LinkState::HqDown
        | LinkState::CertBad => true,
    }
}

/// Asks `url` again and again; where there is none the line is taken to be up.
pub(super) fn look(url: &str, tasks: &Tasks) -> watch::Receiver<bool> {
    let (sender, wan) = watch::channel(true);
    let Some(probe) = Probe::parse(url) else {
        return wan;
    };
    let own = tasks.clone();
    tasks.spawn("wan", async move {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = own.stopping() => return,
            }
            let now = probe.look().await == Upstream::Open;
            sender.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    });
    wan
}
