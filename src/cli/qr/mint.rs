//! `maitred qr mint`: new codes, bound to a place or left blank to be bound later.

use std::path::Path;

use anyhow::Context;

use super::super::print;
use super::super::syntax::{Command, Given, Word};
use super::{STORE_DIR, kind, read_store, read_touchpoints, touchpoints_file};
use crate::domain::ids::TouchpointCode;
use crate::domain::store::{Touchpoint, TouchpointKind};
use crate::ops::files::{Readers, random, replace};

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
);
const BLANK: Word = Word::option(
    "blank",
    "NUMBER",
    "This many codes without a place, for stickers that are bound later",
);

const COST: Word = Word::option(
    "cost",
    "FEN",
    "What each of them has cost, in hundredths, to compare placements by",
);

pub(super) const COMMAND: Command = Command::new(
    "mint",
    "Make new codes and add them to a store's touchpoints.csv",
    &[STORE_DIR, KIND, LABELS, BLANK, COST],
    mint,
);

fn mint(given: &Given) -> anyhow::Result<()> {
    let labels: Option<String> = given.optional(&LABELS)?;
    let blank: Option<usize> = given.optional(&BLANK)?;
    let mut places: Vec<&str> = labels.iter().flat_map(|all| all.split(',')).collect();
    places.extend(std::iter::repeat_n("", blank.unwrap_or(0)));
    if places.is_empty() {
        return Err(given.misuse("say --labels or --blank").into());
    }
    let kind = given.value_by(&KIND, kind)?;
    let minted = Minted {
        kind,
        cost_fen: given.optional(&COST)?,
    };
    add(&given.path(&STORE_DIR)?, minted, &places)
}

/// What the new codes have in common.
#[derive(Clone, Copy)]
struct Minted {
    kind: TouchpointKind,
    cost_fen: Option<u32>,
}

fn add(store_dir: &Path, minted: Minted, labels: &[&str]) -> anyhow::Result<()> {
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
            kind: minted.kind,
            label: label.trim().to_owned(),
            cost_fen: minted.cost_fen,
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
