//! Has whoever sends router advertisements say where the portal's API is (RFC 8910, option 37): dnsmasq cannot.
//!
//! The operator's command is run with the address in `CAPPORT_URL`, at the start and whenever it changes, and with
//! nothing in it while phones are not to be told; so also when the gateway stops, because nobody answers then.
//! A command that fails is run again after half a minute. Nothing here is on a request's way.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::advertise::Advert;
use crate::admission::command::{self, CommandError};
use crate::ops::tasks::Tasks;

const VARIABLE: &str = "CAPPORT_URL";

/// One that takes longer hangs.
const WITHIN: Duration = Duration::from_secs(60);

/// And at the end, when the gateway waits for it.
const LAST_WITHIN: Duration = Duration::from_secs(5);

const TRY_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Runs `command`, a word each, for what phones are told from now on; none: nobody else is to say it.
pub(super) fn start(command: &[String], mut advert: watch::Receiver<Advert>, tasks: &Tasks) {
    if command.is_empty() {
        return;
    }
    let command = command.to_vec();
    let own = tasks.clone();
    tasks.spawn("router advertisements", async move {
        // What the command was run with and took.
        let mut told: Option<Option<String>> = None;
        let mut has_failed = false;
        loop {
            let url = advert.borrow_and_update().url();
            if told.as_ref() != Some(&url) {
                let done = tokio::select! {
                    done = run(&command, url.as_deref(), WITHIN) => done,
                    () = own.stopping() => break,
                };
                if let (Err(error), false) = (&done, has_failed) {
                    tracing::warn!(%error, "admission.router_advertisement failed; it is run again");
                }
                has_failed = done.is_err();
                told = done.is_ok().then_some(url);
            }
            tokio::select! {
                Ok(()) = advert.changed() => {}
                () = sleep(TRY_AGAIN_AFTER), if has_failed => {}
                () = own.stopping() => break,
            }
        }
        if told == Some(None) {
            return;
        }
        if let Err(error) = run(&command, None, LAST_WITHIN).await {
            tracing::warn!(%error, "admission.router_advertisement failed at the end");
        }
    });
}

async fn run(command: &[String], url: Option<&str>, within: Duration) -> Result<(), CommandError> {
    let variables = [(VARIABLE, url.unwrap_or_default())];
    command::run(command, &variables, within).await
}
