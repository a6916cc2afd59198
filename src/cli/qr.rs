//! `maitred qr`: touchpoint codes, made and printed.

mod mint;
mod sheet;
mod wifi;

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as BadValue;

use super::syntax::{Command, Word};
use crate::domain::store::{Store, Touchpoint, TouchpointKind};
use crate::domain::written::read_strictly;

#[cfg(feature = "gateway")]
pub(super) use sheet::write_sheet;

const STORE_DIR: Word = Word::option(
    "store-dir",
    "DIR",
    "The store's folder, with its store.toml",
)
.required();

pub(super) const COMMAND: Command = Command::group(
    "qr",
    "Make touchpoint codes and print them",
    &[],
    &[mint::COMMAND, sheet::COMMAND, wifi::COMMAND, sheet::LAYOUTS],
);

fn kind(text: &str) -> Result<TouchpointKind, BadValue> {
    TouchpointKind::deserialize(text.into_deserializer())
}

fn touchpoints_file(store_dir: &Path) -> PathBuf {
    store_dir.join("touchpoints.csv")
}

fn read_store(store_dir: &Path) -> anyhow::Result<Store> {
    let file = store_dir.join("store.toml");
    let text = fs_err::read_to_string(&file)?;
    Ok(read_strictly(&file.display().to_string(), &text)?)
}

fn read_touchpoints(store_dir: &Path) -> anyhow::Result<Vec<Touchpoint>> {
    let file = touchpoints_file(store_dir);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs_err::read_to_string(&file)?;
    let mut touchpoints = Vec::new();
    for row in csv::Reader::from_reader(text.as_bytes()).deserialize() {
        match row {
            Ok(touchpoint) => touchpoints.push(touchpoint),
            Err(error) => bail!("{}: {error}", file.display()),
        }
    }
    Ok(touchpoints)
}
