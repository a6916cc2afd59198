//! `maitred enroll`: what an installer types from the label.

use std::path::PathBuf;

use clap::Args;

use super::gateway::identity_dir;
use super::{block_on, print};
use crate::ops::tasks::Tasks;
use crate::portal::keys::Keys;
use crate::uplink::enroll::{Invitation, enroll};
use crate::wire::link::Serves;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Headquarters' enroll listener, https://host:port
    #[arg(long, value_name = "URL")]
    hq: String,
    /// The SHA-256 that `maitred hq init` printed; headquarters is believed by it alone
    #[arg(long, value_name = "SHA256")]
    pin: String,
    /// The one-time token from `maitred hq token`
    #[arg(long)]
    token: String,
    /// The gateway's state directory
    #[arg(long, value_name = "DIR", default_value = "/var/lib/maitred")]
    state: PathBuf,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let dir = identity_dir(&arguments.state);
    let keys = Keys::open(&dir)?;
    let invitation = Invitation {
        url: arguments.hq,
        pin: arguments.pin,
        token: arguments.token,
    };
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
