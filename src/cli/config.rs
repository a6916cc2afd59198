//! `maitred config`: find mistakes before they are in force, and see where a value comes from.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::gateway::read_folder;
use super::print;
use crate::config::overlay::{Effective, Environment};
use crate::config::{self, written};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check a folder of stores and campaigns, or a gateway.toml or hq.toml
    Check { path: PathBuf },
    /// Print every setting in force, and whether the file, the environment or the default set it
    Show { file: PathBuf },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    match arguments.action {
        Action::Check { path } if path.is_dir() => check_folder(&path),
        // The two kinds of settings file are told apart by their name: `hq.toml` and anything else.
        #[cfg(feature = "hq")]
        Action::Check { path } if is_hq(&path) => {
            config::hq(&path, &environment)?;
            in_order(&path);
            Ok(())
        }
        Action::Check { path } => {
            config::gateway(&path, &environment)?;
            in_order(&path);
            Ok(())
        }
        #[cfg(feature = "hq")]
        Action::Show { file } if is_hq(&file) => show::<written::Hq>(&file, &environment),
        Action::Show { file } => show::<written::Gateway>(&file, &environment),
    }
}

fn in_order(path: &Path) {
    print::line(format_args!("{} is in order", path.display()));
}

#[cfg(feature = "hq")]
fn is_hq(file: &Path) -> bool {
    file.file_stem()
        .is_some_and(|stem| stem.to_string_lossy().contains("hq"))
}

fn check_folder(dir: &Path) -> anyhow::Result<()> {
    let bundle = read_folder(dir)?;
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

fn show<T: Default + Serialize + DeserializeOwned>(
    file: &Path,
    environment: &Environment,
) -> anyhow::Result<()> {
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
