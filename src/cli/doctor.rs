//! `maitred doctor`: every check, and what to do about what it found.

use anyhow::bail;

use super::gateway::{CONFIG, identity_dir, read_folder};
use super::syntax::{Command, Given};
use super::{block_on, print};
use crate::config;
use crate::config::overlay::Environment;
use crate::config::settings::BundleFrom;
use crate::doctor::{Finding, Health, clock, identity, ports, state_dir};
use crate::ops::clock::{Clock, SystemClock};

pub(super) const COMMAND: Command = Command::new(
    "doctor",
    "Look for what keeps a box from working, and say what to do",
    &[CONFIG],
    run,
);

fn run(given: &Given) -> anyhow::Result<()> {
    let settings = config::gateway(&given.path(&CONFIG)?, &Environment::of_process())?;
    let now = SystemClock.now();
    let mut findings = vec![clock::check(now), state_dir::check(&settings.state_dir)];
    match &settings.bundle {
        BundleFrom::Hq => {
            findings.push(identity::check(&identity_dir(&settings.state_dir), now));
        }
        BundleFrom::Folder { dir, .. } => {
            read_folder(dir)?;
        }
    }
    findings.push(block_on(ports::check(
        settings.ops_listen,
        settings.portal_listen,
    ))?);
    for finding in &findings {
        show(finding);
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.health == Health::Bad)
        .count();
    if bad > 0 {
        bail!("{bad} of {} checks found a fault", findings.len());
    }
    Ok(())
}

fn show(finding: &Finding) {
    let mark = match finding.health {
        Health::Good => "ok  ",
        Health::Warning => "warn",
        Health::Bad => "BAD ",
    };
    print::line(format_args!("{mark} {}: {}", finding.check, finding.what));
    if let Some(hint) = &finding.hint {
        print::line(format_args!("     hint: {hint}"));
    }
}
