//! The stickers of a store with where each is and who said so, and an operator's own word on one.

use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::words::SheetWords;
use crate::domain::ids::{BindingId, StoreId, TouchpointCode};
use crate::domain::stickers::{natural, read_label};
use crate::domain::store::{Store, TouchpointKind};
use crate::hq::console::session::{SignedIn, unavailable};
use crate::hq::db::stickers::{By, Said, Word};
use crate::hq::state::Shared;
use crate::hq::stickers::last_words;
use crate::ops::files::random;
use crate::wire::bundle::StoreFolder;

/// How long whoever gave a word waits to see it: as long as publishing takes, and no longer.
const SEEN_WITHIN: Duration = Duration::from_secs(3);

/// One sticker.
pub(super) struct Row {
    pub(super) code: TouchpointCode,
    /// None: it marks no place.
    pub(super) place: Option<String>,
    /// Who said so; none: the folder.
    pub(super) by: Option<String>,
    /// What another box says.
    pub(super) against: Option<String>,
}

/// All stickers of a store, in the order of their labels, those without a place at the end.
pub(super) fn rows(folder: &StoreFolder, words: &[Word], t: &SheetWords) -> Vec<Row> {
    let last = last_words(words, &folder.store.id);
    let mut touchpoints: Vec<_> = folder.touchpoints.values().collect();
    touchpoints.sort_by_key(|one| (!one.is_bound(), natural(&one.label)));
    let row = |touchpoint: &crate::domain::store::Touchpoint| {
        let last = last.get(&touchpoint.code);
        let said = last.filter(|last| last.word.said != Said::AsWritten);
        let place = format!("{} · {}", touchpoint.label, t.kind(touchpoint.kind));
        Row {
            code: touchpoint.code,
            place: touchpoint.is_bound().then_some(place),
            by: said.map(|last| who(last.word, &folder.store)),
            against: last
                .and_then(|last| last.against)
                .map(|word| format!("{}: {}", who(word, &folder.store), place_of(word, t))),
        }
    };
    touchpoints.into_iter().map(row).collect()
}

fn place_of(word: &Word, t: &SheetWords) -> String {
    match &word.said {
        Said::At(_, label) if label.is_empty() => t.no_place.to_owned(),
        Said::At(kind, label) => format!("{label} · {}", t.kind(*kind)),
        Said::AsWritten => t.as_written.to_owned(),
    }
}

fn who(word: &Word, store: &Store) -> String {
    let at = store.local(word.at).strftime("%m-%d %H:%M");
    match &word.by {
        By::Staff(name, gateway) => format!("{name} ({gateway}), {at}"),
        By::Operator(login) => format!("{login}, {at}"),
    }
}

#[derive(Deserialize)]
pub(in crate::hq::console) struct Wish {
    store: StoreId,
    code: TouchpointCode,
    #[serde(default)]
    kind: Option<TouchpointKind>,
    #[serde(default)]
    label: String,
}

/// `POST /sheets/bind`: without a kind the folder's word holds again.
pub(in crate::hq::console) async fn bind(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    Form(wish): Form<Wish>,
) -> Result<Response, Response> {
    let back = format!("/sheets?store={}", wish.store);
    let chain = hq.bundles.chain();
    let folder = chain
        .as_ref()
        .and_then(|chain| chain.bundle.stores.get(&wish.store));
    if folder.is_none_or(|folder| !folder.touchpoints.contains_key(&wish.code)) {
        return Err((StatusCode::NOT_FOUND, "there is no such sticker\n").into_response());
    }
    let said = match wish.kind {
        None => Said::AsWritten,
        Some(kind) => match read_label(&wish.label) {
            Some(label) => Said::At(kind, label),
            None => return Ok(Redirect::to(&format!("{back}&fault=label")).into_response()),
        },
    };
    let word = Word {
        store: wish.store,
        code: wish.code,
        id: BindingId::from_entropy(random()),
        said,
        by: By::Operator(login),
        at: hq.clock.now(),
    };
    let mut changed = hq.bundles.subscribe();
    changed.mark_unchanged();
    hq.ledger.say(word).await.map_err(unavailable)?;
    hq.bundles.look_now();
    // Where publishing takes longer the page shows what was before; a second look has it.
    tokio::time::timeout(SEEN_WITHIN, changed.changed())
        .await
        .ok();
    Ok(Redirect::to(&back).into_response())
}
