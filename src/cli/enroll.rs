//! `maitred enroll`: what an installer types from the label.

use std::path::Path;

use anyhow::Context as _;

use super::gateway::identity_dir;
use super::syntax::{Command, Given, Word};
use super::{block_on, print};
use crate::ops::tasks::Tasks;
use crate::portal::https;
use crate::portal::keys::Keys;
use crate::uplink::bundle::Slots;
use crate::uplink::enroll::{Invitation, enroll};
use crate::wire::link::{Enrolled, Serves};

const HQ: Word = Word::option(
    "hq",
    "URL",
    "Headquarters' enroll listener, https://host:port",
)
.required();
const PIN: Word = Word::option(
    "pin",
    "SHA256",
    "The SHA-256 that `maitred hq init` printed; headquarters is believed by it alone",
)
.required();
const TOKEN: Word = Word::option(
    "token",
    "TOKEN",
    "The one-time token from `maitred hq token`",
)
.required();
const STATE: Word =
    Word::option("state", "DIR", "The gateway's state directory").or("/var/lib/maitred");

pub(super) const COMMAND: Command = Command::new(
    "enroll",
    "Enrol this box at headquarters with a one-time token",
    &[HQ, PIN, TOKEN, STATE],
    run,
);

fn run(given: &Given) -> anyhow::Result<()> {
    let invitation = Invitation {
        url: given.value(&HQ)?,
        pin: given.value(&PIN)?,
        token: given.value(&TOKEN)?,
    };
    let state = given.path(&STATE)?;
    let dir = identity_dir(&state);
    let keys = Keys::open(&dir)?;
    let tasks = Tasks::new();
    let coupon_key = keys.coupon_public();
    let enrolled = block_on(enroll(&invitation, coupon_key, &dir, &tasks))??;
    let place = match &enrolled.serves {
        Serves::Store(store) => format!("store {store}"),
        Serves::Street => "the street, for all stores".to_owned(),
    };
    print::line(format_args!(
        "enrolled as {} of chain {} for {place}",
        enrolled.gateway, enrolled.chain
    ));
    let host = known_host(&state, &enrolled);
    let asks =
        https::prepare(&dir, host.as_deref()).context("making the key of the store's host")?;
    if asks {
        print::line(format_args!(
            "a request for the host's certificate is in {}",
            dir.display()
        ));
    }
    print::line("next: start the gateway; it fetches its bundle by itself");
    Ok(())
}

/// The host of the store, on a box that has been enrolled before; on another the gateway asks for it once it
/// has its bundle.
fn known_host(state: &Path, enrolled: &Enrolled) -> Option<String> {
    let Serves::Store(store) = &enrolled.serves else {
        return None;
    };
    let slots = Slots::new(state, enrolled.publish_root, enrolled.serves.clone()).ok()?;
    let bundle = slots.load()?;
    Some(bundle.stores.get(store)?.store.host.clone())
}
