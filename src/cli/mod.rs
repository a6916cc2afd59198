//! The command line, and the only place where parts are put together.

#[cfg(feature = "hq")]
mod campaign;
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
#[cfg(feature = "gateway")]
mod names;
pub mod print;
#[cfg(feature = "hq")]
mod qr;
#[cfg(feature = "gateway")]
mod running;
#[cfg(feature = "gateway")]
mod sessions;
mod syntax;
#[cfg(feature = "gateway")]
mod wall;
#[cfg(feature = "gateway")]
mod wan;

use std::ffi::OsString;
use std::future::Future;

use crate::config::written::Log;
use crate::ops::telemetry;
use syntax::{Asked, Command};

pub use syntax::Misuse;

static MAITRED: Command = Command::group(
    "maitred",
    "Turns walk-in diners into coupon holders, also without the Internet.\n\n\
     A gateway in the shop serves the pages behind table codes and the guest Wi-Fi; headquarters collects what\n\
     happened and sends campaigns. Try it all on this machine with `maitred demo`.",
    &[],
    &[
        #[cfg(feature = "gateway")]
        gateway::COMMAND,
        #[cfg(feature = "hq")]
        hq::COMMAND,
        #[cfg(all(feature = "gateway", feature = "hq"))]
        demo::COMMAND,
        #[cfg(feature = "gateway")]
        enroll::COMMAND,
        #[cfg(feature = "hq")]
        qr::COMMAND,
        #[cfg(feature = "hq")]
        campaign::COMMAND,
        #[cfg(feature = "gateway")]
        doctor::COMMAND,
        #[cfg(feature = "gateway")]
        sessions::COMMAND,
        #[cfg(feature = "gateway")]
        journal::COMMAND,
        #[cfg(feature = "gateway")]
        config::COMMAND,
    ],
);

/// Does what the words after the program's name ask for.
///
/// An error that is a [`Misuse`] is a mistake in them, and one that is a
/// [`BadFile`](crate::domain::written::BadFile) is one in the settings: nothing was started.
pub fn run(words: impl IntoIterator<Item = OsString>) -> anyhow::Result<()> {
    match syntax::parse(&MAITRED, words)? {
        Asked::Run(run, given) => run(&given)?,
        Asked::Help(page) => print::line(page),
        Asked::Version => print::line(concat!("maitred ", env!("CARGO_PKG_VERSION"))),
    }
    Ok(())
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
    use super::*;

    /// Checks the last command of `path` and every one below it.
    fn check(path: &[&'static Command]) {
        let command = path[path.len() - 1];
        let name = command.name;
        let mut words: Vec<OsString> = path[1..].iter().map(|above| above.name.into()).collect();
        words.push("--help".into());
        let Ok(Asked::Help(page)) = syntax::parse(path[0], words) else {
            panic!("{name} has no page");
        };
        assert!(page.starts_with(command.about), "{page}");
        let mut taken: Vec<String> = path.iter().flat_map(|above| above.words()).collect();
        assert!(taken.iter().all(|word| page.contains(word)), "{page}");
        taken.sort();
        taken.dedup();
        let all = path.iter().flat_map(|above| above.words()).count();
        assert_eq!(taken.len(), all, "{name} takes a word twice");
        assert!(command.run.is_some() || !command.commands.is_empty());
        for below in command.commands {
            check(&[path, &[below]].concat());
        }
    }

    #[test]
    fn every_command_has_a_page_that_lists_what_it_takes_and_takes_no_word_twice() {
        check(&[&MAITRED]);
    }

    #[test]
    #[cfg(all(feature = "gateway", feature = "hq"))]
    fn every_default_of_the_documentation_is_the_default() {
        for (words, default) in [
            ("gateway", "/etc/maitred/gateway.toml"),
            ("doctor", "/etc/maitred/gateway.toml"),
            ("enroll", "/var/lib/maitred"),
            ("journal ls", "/var/lib/maitred"),
            ("hq token", "/etc/maitred/hq.toml"),
            ("hq token", "24"),
            ("qr mint", "table"),
            ("qr sheet", "zh"),
            ("qr sheet", "a4-2x4"),
            ("qr wifi", "1"),
        ] {
            let words = words.split(' ').chain(["--help"]).map(OsString::from);
            let Ok(Asked::Help(page)) = syntax::parse(&MAITRED, words) else {
                panic!("no page with {default}");
            };
            assert!(page.contains(&format!("[default: {default}]")), "{page}");
        }
    }
}
