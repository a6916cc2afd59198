//! `maitred enroll`: what an installer types from the label.

use super::gateway::identity_dir;
use super::syntax::{Command, Given, Word};
use super::{block_on, print};
use crate::ops::tasks::Tasks;
use crate::portal::keys::Keys;
use crate::uplink::enroll::{Invitation, enroll};
use crate::wire::link::Serves;

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
    let dir = identity_dir(&given.path(&STATE)?);
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
    print::line("next: start the gateway; it fetches its bundle by itself");
    Ok(())
}
