//! `maitred hq erasures` and `maitred hq consents`: proof of what became of those who asked to be forgotten, and how
//! many have agreed to which words. No names: there are none.

use std::sync::Arc;

use super::super::print;
use crate::hq::db::Ledger;
use crate::hq::db::persons::Erasure;

pub(super) async fn list_erasures(ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
    let erasures = ledger.erasures().await?;
    for erasure in &erasures {
        print::line(told(erasure));
    }
    if erasures.is_empty() {
        print::line("nobody has asked to be forgotten");
        return Ok(());
    }
    print::line(
        "a box that is away answers when it comes back; the boxes' own copies of frames end after a week",
    );
    Ok(())
}

fn told(erasure: &Erasure) -> String {
    let Erasure {
        number,
        store,
        asked,
        swept,
        frames,
        boxes,
        done,
        is_closed,
    } = erasure;
    let here = match swept {
        Some(at) => format!("{frames} frames here by {at:.0}"),
        None => "not gone through here yet".to_owned(),
    };
    let state = match (is_closed, done >= boxes) {
        (true, _) => "closed",
        (false, true) => "done everywhere",
        (false, false) => "waiting for boxes",
    };
    format!("{number}  {store}  asked {asked:.0}  {here}  {done} of {boxes} boxes  {state}")
}

pub(super) async fn list_consents(ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
    let agreed = ledger.agreed().await?;
    for words in agreed.iter().filter(|words| words.version > 0) {
        print::line(format_args!(
            "version {} · {}  {} agree, {} have taken it back",
            words.version, words.words_hash, words.standing, words.withdrawn
        ));
    }
    let standing: u64 = agreed.iter().map(|words| words.standing).sum();
    print::line(format_args!("{standing} people may be sent offers"));
    Ok(())
}
