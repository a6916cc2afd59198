//! The command line, and the only place where parts are put together.

#[cfg(feature = "gateway")]
mod config;
#[cfg(all(feature = "gateway", feature = "hq"))]
pub mod demo;
#[cfg(feature = "gateway")]
mod doctor;
#[cfg(feature = "gateway")]
mod enroll;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "hq")]
mod hq;
#[cfg(feature = "gateway")]
mod journal;
pub mod print;
mod qr;
#[cfg(feature = "gateway")]
mod wall;
#[cfg(feature = "gateway")]
mod wan;

use std::future::Future;

use clap::{Parser, Subcommand};

use crate::config::written::Log;
use crate::ops::telemetry;

/// Turns walk-in diners into coupon holders, also without the Internet.
///
/// A gateway in the shop serves the pages behind table codes and the guest Wi-Fi; headquarters collects what
/// happened and sends campaigns. Try it all on this machine with `maitred demo`.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the box in a shop (or, with role = "street", beside headquarters)
    #[cfg(feature = "gateway")]
    Gateway(gateway::Arguments),
    /// Run headquarters, prepare it, or look after its gateways
    #[cfg(feature = "hq")]
    Hq(hq::Arguments),
    /// Run a whole chain on this machine with simulated guests, and show where to look
    #[cfg(all(feature = "gateway", feature = "hq"))]
    Demo(demo::Arguments),
    /// Enrol this box at headquarters with a one-time token
    #[cfg(feature = "gateway")]
    Enroll(enroll::Arguments),
    /// Make touchpoint codes and print them
    Qr(qr::Arguments),
    /// Look for what keeps a box from working, and say what to do
    #[cfg(feature = "gateway")]
    Doctor(doctor::Arguments),
    /// Look into a box's journal
    #[cfg(feature = "gateway")]
    Journal(journal::Arguments),
    /// Check settings, stores and campaigns before they are used
    #[cfg(feature = "gateway")]
    Config(config::Arguments),
}

impl Cli {
    /// Runs the command. An error that is a [`BadFile`](crate::domain::written::BadFile) is a mistake in the
    /// settings: nothing was started, and the exit code is 78.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            #[cfg(feature = "gateway")]
            Command::Gateway(arguments) => gateway::run(&arguments),
            #[cfg(feature = "hq")]
            Command::Hq(arguments) => hq::run(arguments),
            #[cfg(all(feature = "gateway", feature = "hq"))]
            Command::Demo(arguments) => demo::run(&arguments),
            #[cfg(feature = "gateway")]
            Command::Enroll(arguments) => enroll::run(arguments),
            Command::Qr(arguments) => qr::run(arguments),
            #[cfg(feature = "gateway")]
            Command::Doctor(arguments) => doctor::run(&arguments),
            #[cfg(feature = "gateway")]
            Command::Journal(arguments) => journal::run(&arguments),
            #[cfg(feature = "gateway")]
            Command::Config(arguments) => config::run(arguments),
        }
    }
}

fn start_logging(log: &Log) {
    telemetry::start(&log.filter);
}

/// Runs `work` on the runtime of a server.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
