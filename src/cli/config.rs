//! `maitred config`: find mistakes before they are in force, and see where a value comes from.

use std::path::Path;

use anyhow::bail;

use super::gateway::read_folder;
use super::print;
use super::syntax::{Command, Word};
use crate::config::overlay::{Documented, Effective, Environment};
use crate::config::{self, written};
use crate::wire::bundle::Bundle;

const CHECKED: Word = Word::operand("PATH", "The folder, or the file with settings");
const SHOWN: Word = Word::operand("FILE", "The file with settings");

pub(super) const COMMAND: Command = Command::group(
    "config",
    "Check settings, stores and campaigns before they are used",
    &[],
    &[
        Command::new(
            "check",
            "Check a folder of stores and campaigns, or a gateway.toml or hq.toml",
            &[CHECKED],
            |given| check(&given.path(&CHECKED)?),
        ),
        Command::new(
            "show",
            "Print every setting in force, and whether the file, the environment or the default set it",
            &[SHOWN],
            |given| show(&given.path(&SHOWN)?),
        ),
    ],
);

fn check(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        return check_folder(path);
    }
    let environment = Environment::of_process();
    #[cfg(feature = "hq")]
    if is_hq(path) {
        config::hq(path, &environment)?;
        in_order(path);
        return Ok(());
    }
    config::gateway(path, &environment)?;
    in_order(path);
    Ok(())
}

fn show(file: &Path) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    #[cfg(feature = "hq")]
    if is_hq(file) {
        return show_keys::<written::Hq>(file, &environment);
    }
    show_keys::<written::Gateway>(file, &environment)
}

/// The two kinds of settings file are told apart by their name: `hq.toml` and anything else.
#[cfg(feature = "hq")]
fn is_hq(file: &Path) -> bool {
    file.file_stem()
        .is_some_and(|stem| stem.to_string_lossy().contains("hq"))
}

fn in_order(path: &Path) {
    print::line(format_args!("{} is in order", path.display()));
}

fn check_folder(dir: &Path) -> anyhow::Result<()> {
    let mut bundle = read_folder(dir)?;
    let mut refused = bundle.leave_out_refused(&Bundle::default()).faults;
    refused.extend(bundle.leave_out_refused_words());
    for fault in &refused {
        print::aside(format_args!("error: {fault}"));
    }
    if !refused.is_empty() {
        bail!(
            "{}: a box leaves out what platforms or the law refuse, as said above",
            dir.display()
        );
    }
    let codes: usize = bundle
        .stores
        .values()
        .map(|store| store.touchpoints.len())
        .sum();
    print::line(format_args!(
        "{} is in order: {} stores, {codes} codes, {} campaigns",
        dir.display(),
        bundle.stores.len(),
        bundle.campaigns.len()
    ));
    for campaign in bundle.campaigns.values() {
        for name in &campaign.after_claim.invite {
            let knows = |store| bundle.invitation(store, name).is_some();
            if !bundle.stores.keys().any(knows) {
                print::line(format_args!(
                    "note: campaign {} invites to `{name}`, which is in no invitations.toml",
                    campaign.id
                ));
            }
        }
        let reached = bundle
            .stores
            .values()
            .filter(|folder| campaign.reaches(&folder.store))
            .count();
        if reached == 0 {
            print::line(format_args!(
                "note: campaign {} reaches no store",
                campaign.id
            ));
        }
    }
    Ok(())
}

fn show_keys<T: Documented>(file: &Path, environment: &Environment) -> anyhow::Result<()> {
    let effective = Effective::<T>::read(file, environment)?;
    for key in effective.keys {
        // The one setting that may hold a password.
        let is_secret = key.path == "database.url" && key.value.as_str() != Some("");
        let value = if is_secret {
            "(not shown)".to_owned()
        } else {
            key.value.to_string()
        };
        print::line(format_args!("{} = {value}  # {}", key.path, key.origin));
    }
    Ok(())
}
