//! The chain as it is in its shops: the folder that people write, with what was said of stickers laid over it.
//!
//! The folder itself is never written to. Of each sticker the last word counts, in the order in which
//! headquarters heard them; a sticker that the folder does not list in that store stays unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::chain::Chain;
use super::db::stickers::{By, Said, Word};
use crate::domain::ids::{BindingId, StoreId, TouchpointCode};
use crate::domain::stickers::{Bound, Stickers};
use crate::wire::bundle::{bindings_file, touchpoints_file};

/// What was said of the stickers of one store.
#[derive(Default)]
struct OfStore {
    last: BTreeMap<TouchpointCode, Bound>,
    heard: BTreeSet<BindingId>,
}

/// Lays `words` over what is written, oldest first.
pub fn lay_over(written: &Arc<Chain>, words: &[Word]) -> Arc<Chain> {
    if words.is_empty() {
        return Arc::clone(written);
    }
    let mut stores: BTreeMap<&StoreId, OfStore> = BTreeMap::new();
    for word in words {
        let of = stores.entry(&word.store).or_default();
        match &word.said {
            Said::At(kind, label) => {
                let bound = Bound {
                    id: word.id,
                    kind: *kind,
                    label: label.clone(),
                };
                of.last.insert(word.code, bound);
            }
            Said::AsWritten => drop(of.last.remove(&word.code)),
        }
        if let By::Staff(..) = word.by {
            of.heard.insert(word.id);
        }
    }
    let mut chain = Chain::clone(written);
    for (store, OfStore { last, heard }) in stores {
        let stickers: Stickers = last.into_iter().collect();
        chain.bundle.lay_over(store, &stickers);
        let Some(folder) = chain.bundle.stores.get(store) else {
            continue;
        };
        let mut put = |name: &str, text: String| {
            let path = format!("stores/{store}/{name}");
            chain.files.insert(path, text.into_bytes());
        };
        put("touchpoints.csv", touchpoints_file(folder));
        put("bindings.toml", bindings_file(heard));
    }
    Arc::new(chain)
}

/// What is known of one sticker beside what the folder says.
#[derive(Debug, Clone, Copy)]
pub struct LastWord<'w> {
    pub word: &'w Word,
    /// What another box of the store had said before, where it is something else: somebody should look.
    pub against: Option<&'w Word>,
}

/// The last word on each sticker of `store` that somebody has spoken of.
pub fn last_words<'w>(
    words: &'w [Word],
    store: &StoreId,
) -> BTreeMap<TouchpointCode, LastWord<'w>> {
    let mut last: BTreeMap<TouchpointCode, LastWord<'w>> = BTreeMap::new();
    for word in words.iter().filter(|word| word.store == *store) {
        let before = last.get(&word.code).map(|last| last.word);
        let against = before.filter(|before| disagree(before, word));
        last.insert(word.code, LastWord { word, against });
    }
    last
}

/// Two boxes that say different things; whoever decides at headquarters knows what was said.
fn disagree(before: &Word, after: &Word) -> bool {
    let (By::Staff(_, one), By::Staff(_, other)) = (&before.by, &after.by) else {
        return false;
    };
    one != other && before.said != after.said
}
