//! Whether there is an Internet behind the wall, for a shop whose box asks nobody else.
//!
//! Beside headquarters the uplink knows; a shop alone asks the address that a phone would ask.

use std::time::Duration;

use tokio::sync::watch;

use crate::ops::tasks::Tasks;
use crate::uplink::captive::{Probe, Upstream};
use crate::wire::link::LinkState;

/// A line that goes is noticed within this: a diner's page that loads slowly.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// And one that comes back: somebody waits for it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// What is known of it: by the uplink where there is one, and otherwise by asking `url`.
pub(super) fn watch(
    link: Option<&watch::Receiver<LinkState>>,
    url: &str,
    tasks: &Tasks,
) -> watch::Receiver<bool> {
    match link {
        Some(link) => follow(link.clone(), tasks),
        None => look(url, tasks),
    }
}

/// What the uplink says of the link, as a yes or no.
fn follow(mut link: watch::Receiver<LinkState>, tasks: &Tasks) -> watch::Receiver<bool> {
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
fn look(url: &str, tasks: &Tasks) -> watch::Receiver<bool> {
    let (sender, wan) = watch::channel(true);
    let Some(probe) = Probe::parse(url) else {
        return wan;
    };
    let own = tasks.clone();
    tasks.spawn("wan", async move {
        loop {
            let now = tokio::select! {
                upstream = probe.look() => upstream == Upstream::Open,
                () = own.stopping() => return,
            };
            sender.send_if_modified(|before| std::mem::replace(before, now) != now);
            let pause = if now { LOOK_EVERY } else { LOOK_AGAIN_AFTER };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = own.stopping() => return,
            }
        }
    });
    wan
}
