//! Has whoever sends router advertisements say where the portal's API is (RFC 8910, option 37): dnsmasq cannot.
//!
//! The operator's command is run with the address in `CAPPORT_URL`, at the start and whenever it changes, and with
//! nothing in it while phones are not to be told; so also when the gateway stops, because nobody answers then.
//! A command that fails is run again after half a minute. Nothing here is on a request's way.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::advertise::Advert;
use crate::ops::tasks::Tasks;

const VARIABLE: &str = "CAPPORT_URL";

/// One that takes longer hangs.
const WITHIN: Duration = Duration::from_secs(60);

/// And at the end, when the gateway waits for it.
const LAST_WITHIN: Duration = Duration::from_secs(5);

const TRY_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Runs `command`, a word each, for what phones are told from now on; none: nobody else is to say it.
pub(super) fn start(command: &[String], mut advert: watch::Receiver<Advert>, tasks: &Tasks) {
    let Some((program, arguments)) = command.split_first() else {
        return;
    };
    let (program, arguments) = (program.clone(), arguments.to_vec());
    let own = tasks.clone();
    tasks.spawn("router advertisements", async move {
        // What the command was run with and took.
        let mut told: Option<Option<String>> = None;
        let mut has_failed = false;
        loop {
            let url = advert.borrow_and_update().url();
            if told.as_ref() != Some(&url) {
                let done = tokio::select! {
                    done = run(&program, &arguments, url.clone(), WITHIN) => done,
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
        if let Err(error) = run(&program, &arguments, None, LAST_WITHIN).await {
            tracing::warn!(%error, "admission.router_advertisement failed at the end");
        }
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is outside of every request, and when what phones are told changes"
)]
async fn run(
    program: &str,
    arguments: &[String],
    url: Option<String>,
    within: Duration,
) -> anyhow::Result<()> {
    let mut command = Command::from(std::process::Command::new(program));
    command
        .args(arguments)
        .env(VARIABLE, url.unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(within, command.output()).await;
    let output =
        output.with_context(|| format!("it took longer than {} s", within.as_secs()))??;
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = errors.lines().last().unwrap_or_default();
    anyhow::ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(())
}
