//! `maitred qr`: touchpoint codes, made and printed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as BadValue;

use super::print;
use super::syntax::{Command, Given, Word};
use crate::domain::ids::TouchpointCode;
use crate::domain::store::{Store, Touchpoint, TouchpointKind};
use crate::domain::text::Language;
use crate::domain::written::read_strictly;
use crate::ops::files::{Readers, random, replace};
use crate::sheet::{Label, draw};

const STORE_DIR: Word = Word::option(
    "store-dir",
    "DIR",
    "The store's folder, with its store.toml",
)
.required();
const KIND: Word = Word::option(
    "kind",
    "KIND",
    "What the codes are stuck on: table, wifi, door, till, receipt, queue, delivery, tissue or creator",
)
.or("table");
const LABELS: Word = Word::option(
    "labels",
    "LABELS",
    "The places, separated by commas: A1,A2,A3",
)
.required();
const OUT: Word = Word::option(
    "out",
    "FILE",
    "Where to write the page; it is printed to stdout without this",
);
const LANGUAGE: Word = Word::option(
    "language",
    "LANGUAGE",
    "The language of the promise: zh or en",
)
.or("zh");

pub(super) const COMMAND: Command = Command::group(
    "qr",
    "Make touchpoint codes and print them",
    &[],
    &[
        Command::new(
            "mint",
            "Make new codes and add them to a store's touchpoints.csv",
            &[STORE_DIR, KIND, LABELS],
            |given| {
                let labels: String = given.value(&LABELS)?;
                let labels: Vec<&str> = labels.split(',').collect();
                let kind = given.value_by(&KIND, kind)?;
                mint(&given.path(&STORE_DIR)?, kind, &labels)
            },
        ),
        Command::new(
            "sheet",
            "Write a page to print, with every bound code of a store",
            &[STORE_DIR, OUT, LANGUAGE],
            print_sheet,
        ),
    ],
);

fn kind(text: &str) -> Result<TouchpointKind, BadValue> {
    TouchpointKind::deserialize(text.into_deserializer())
}

fn print_sheet(given: &Given) -> anyhow::Result<()> {
    let store_dir = given.path(&STORE_DIR)?;
    let language: String = given.value(&LANGUAGE)?;
    let Some(file) = given.optional_path(&OUT) else {
        print::line(sheet(&store_dir, &language)?);
        return Ok(());
    };
    write_sheet(&store_dir, &file, &language)?;
    print::aside(format_args!(
        "open {} in a browser and print it",
        file.display()
    ));
    Ok(())
}

fn mint(store_dir: &Path, kind: TouchpointKind, labels: &[&str]) -> anyhow::Result<()> {
    let store = read_store(store_dir)?;
    let mut touchpoints = read_touchpoints(store_dir)?;
    for label in labels {
        let code = TouchpointCode::from_entropy(u64::from_be_bytes(random()));
        print::line(format_args!(
            "{code} {label} https://{}/t/{code}",
            store.host
        ));
        touchpoints.push(Touchpoint {
            code,
            kind,
            label: label.trim().to_owned(),
        });
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    for touchpoint in &touchpoints {
        writer.serialize(touchpoint)?;
    }
    let bytes = writer.into_inner().context("writing touchpoints")?;
    replace(&touchpoints_file(store_dir), &bytes, Readers::Everyone)?;
    Ok(())
}

/// Writes a store's sheet to `file`.
pub(super) fn write_sheet(store_dir: &Path, file: &Path, language: &str) -> anyhow::Result<()> {
    fs_err::write(file, sheet(store_dir, language)?)?;
    Ok(())
}

fn sheet(store_dir: &Path, language: &str) -> anyhow::Result<String> {
    let Some(language) = Language::from_tag(language) else {
        bail!("`{language}` is not zh or en");
    };
    let store = read_store(store_dir)?;
    let promise = match language {
        Language::Chinese => "扫一扫，领本店小礼",
        Language::English => "Scan for a gift from the house",
    };
    let labels: Vec<Label> = read_touchpoints(store_dir)?
        .into_iter()
        .filter(Touchpoint::is_bound)
        .map(|touchpoint| Label {
            url: format!("https://{}/t/{}", store.host, touchpoint.code),
            place: touchpoint.label,
            promise: promise.to_owned(),
        })
        .collect();
    if labels.is_empty() {
        return Err(no_codes(store_dir));
    }
    Ok(draw(store.name.of(language), language.tag(), &labels)?)
}

fn no_codes(store_dir: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} has no bound code yet; make some with `maitred qr mint --store-dir {} --labels A1,A2`",
        touchpoints_file(store_dir).display(),
        store_dir.display()
    )
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
