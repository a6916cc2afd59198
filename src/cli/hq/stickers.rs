//! `maitred hq stickers`: what was said of a store's stickers beside its folder, and an operator's word on one.

use std::sync::Arc;

use anyhow::bail;

use super::super::print;
use super::super::syntax::{Command, Given, Word};
use super::with_ledger;
use crate::domain::ids::{BindingId, StoreId, TouchpointCode};
use crate::domain::stickers::read_label;
use crate::domain::store::TouchpointKind;
use crate::hq::db::Ledger;
use crate::hq::db::stickers::{self, By, Said};
use crate::hq::stickers::last_words;
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::files::random;

/// Whose word it is in the ledger.
const OPERATOR: &str = "command line";

const STORE: Word = Word::option("store", "STORE", "The store that they are in").required();
const CODE: Word = Word::operand("CODE", "The sticker's code, as in its address");
const KIND: Word = Word::option(
    "kind",
    "KIND",
    "What it is stuck on: table, wifi, door, till, receipt, queue, delivery, tissue or creator",
)
.or("table");
const LABEL: Word = Word::option("label", "LABEL", "The place: A12").required();

pub(super) const COMMAND: Command = Command::group(
    "stickers",
    "See where staff have said that stickers are, and say otherwise",
    &[],
    &[
        Command::new(
            "list",
            "List what was last said of each sticker; the chain's folder says the rest",
            &[STORE],
            |given| {
                let store = given.value(&STORE)?;
                with_ledger(given, |ledger| list(ledger, store))
            },
        ),
        Command::new(
            "bind",
            "Say where a sticker is; its gateways hear of it with their next bundle",
            &[STORE, CODE, KIND, LABEL],
            |given| {
                let kind = given.value_by(&KIND, kind)?;
                let label = given.value_by(&LABEL, label)?;
                say(given, Said::At(kind, label))
            },
        ),
        Command::new(
            "release",
            "Have the chain's folder say again where a sticker is",
            &[STORE, CODE],
            |given| say(given, Said::AsWritten),
        ),
    ],
);

fn kind(text: &str) -> Result<TouchpointKind, &'static str> {
    TouchpointKind::named(text)
        .ok_or("it is one of table, wifi, door, till, receipt, queue, delivery, tissue and creator")
}

fn label(text: &str) -> Result<String, &'static str> {
    read_label(text).ok_or("a place is called by 1 to 16 letters")
}

async fn list(ledger: Arc<dyn Ledger>, store: StoreId) -> anyhow::Result<()> {
    let words = ledger.words().await?;
    let last = last_words(&words, &store);
    if last.is_empty() {
        print::line(format_args!(
            "nobody has said anything of the stickers of {store}"
        ));
    }
    for (code, last) in last {
        print::line(format_args!("{code}  {}", in_words(last.word)));
        if let Some(before) = last.against {
            print::line(format_args!("          but before: {}", in_words(before)));
        }
    }
    Ok(())
}

fn in_words(word: &stickers::Word) -> String {
    let said = match &word.said {
        Said::At(_, label) if label.is_empty() => "no place".to_owned(),
        Said::At(kind, label) => format!("{} {label}", kind.name()),
        Said::AsWritten => "as the folder says".to_owned(),
    };
    let who = match &word.by {
        By::Staff(name, gateway) => format!("{name} at {gateway}"),
        By::Operator(login) => login.clone(),
    };
    format!("{said}, by {who}, {:.0}", word.at)
}

fn say(given: &Given, said: Said) -> anyhow::Result<()> {
    let (store, code): (StoreId, TouchpointCode) = (given.value(&STORE)?, given.value(&CODE)?);
    let settings = super::settings(given)?;
    let chain = super::read_chain(&settings)?;
    let folder = chain.bundle.stores.get(&store);
    if folder.is_none_or(|folder| !folder.touchpoints.contains_key(&code)) {
        bail!("{store} has no sticker {code}\nhint: its touchpoints.csv lists them");
    }
    let word = stickers::Word {
        store,
        code,
        id: BindingId::from_entropy(random()),
        said,
        by: By::Operator(OPERATOR.to_owned()),
        at: SystemClock.now(),
    };
    with_ledger(given, |ledger| async move {
        ledger.say(word).await?;
        print::line(
            "headquarters has it; gateways hear of it within two seconds, or when they come back",
        );
        Ok(())
    })
}
