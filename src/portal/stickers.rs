//! The bundle as this shop has it: the one in force, with what staff here have said of stickers laid over it.
//!
//! A binding counts for the next page as soon as it is on stable storage. The bundle is copied when either has
//! changed and not for a page; a box whose staff have bound nothing never copies it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::domain::event::Event;
use crate::domain::ids::StoreId;
use crate::domain::stickers::Stickers;
use crate::wire::bundle::Bundle;

/// A handle to what staff have said; the journal's owner thread writes it.
#[derive(Debug, Clone, Default)]
pub struct SharedStickers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stickers: RwLock<Said>,
    laid: Mutex<Option<Laid>>,
}

#[derive(Debug, Default)]
struct Said {
    stickers: Stickers,
    /// Rises with every change.
    version: u64,
}

/// What was made last, and of what.
#[derive(Debug)]
struct Laid {
    over: Arc<Bundle>,
    version: u64,
    bundle: Arc<Bundle>,
}

impl SharedStickers {
    /// Takes in an event; whether it changed anything.
    pub(super) fn apply(&self, event: &Event) -> bool {
        let mut said = self
            .0
            .stickers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = said.stickers.apply(event);
        said.version += u64::from(changed);
        changed
    }

    /// Puts back what a checkpoint holds.
    pub(super) fn put_back(&self, stickers: Stickers) {
        let mut said = self
            .0
            .stickers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        said.stickers = stickers;
        said.version += 1;
    }

    /// For the checkpoint.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let said = self
            .0
            .stickers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        serde_json::to_vec(&said.stickers).expect("codes and labels are plain data")
    }

    /// `bundle` as it is in `store`.
    pub(super) fn over(&self, bundle: Arc<Bundle>, store: Option<&StoreId>) -> Arc<Bundle> {
        let said = self
            .0
            .stickers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.filter(|_| !said.stickers.is_empty()) else {
            return bundle;
        };
        let mut laid = self.0.laid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(laid) = laid.as_ref()
            && laid.version == said.version
            && Arc::ptr_eq(&laid.over, &bundle)
        {
            return Arc::clone(&laid.bundle);
        }
        let mut own = Bundle::clone(&bundle);
        own.lay_over(store, &said.stickers);
        let own = Arc::new(own);
        *laid = Some(Laid {
            over: bundle,
            version: said.version,
            bundle: Arc::clone(&own),
        });
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BindingId, StaffName, TouchpointCode};
    use crate::domain::stickers::TouchpointBound;
    use crate::domain::store::TouchpointKind;
    use crate::wire::bundle::{Files, bindings_file};

    const ID: BindingId = BindingId::from_entropy([1; 16]);

    fn blank() -> TouchpointCode {
        TouchpointCode::parse("C6ACKWGQ").unwrap()
    }

    fn bundle(more: &[(&str, String)]) -> Arc<Bundle> {
        let of = |name: &str| {
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chain/");
            (
                name.to_owned(),
                fs_err::read(format!("{root}{name}")).unwrap(),
            )
        };
        let mut files = Files::from([
            of("stores/SZ01/store.toml"),
            of("stores/SZ01/touchpoints.csv"),
        ]);
        let more = more
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.clone().into_bytes()));
        files.extend(more);
        Arc::new(Bundle::from_folder(&files).unwrap())
    }

    fn label(stickers: &SharedStickers, bundle: &Arc<Bundle>) -> String {
        let store = StoreId::parse("SZ01").unwrap();
        let laid = stickers.over(Arc::clone(bundle), Some(&store));
        laid.touchpoint(blank()).unwrap().1.label.clone()
    }

    #[test]
    fn the_word_of_staff_stands_over_the_table_until_a_bundle_has_heard_it() {
        let (stickers, before) = (SharedStickers::default(), bundle(&[]));
        assert_eq!(label(&stickers, &before), "");
        stickers.apply(&Event::TouchpointBound(TouchpointBound {
            code: blank(),
            id: ID,
            kind: TouchpointKind::Table,
            label: "B1".to_owned(),
            staff: StaffName::parse("lin").unwrap(),
        }));
        assert_eq!(label(&stickers, &before), "B1");
        let store = StoreId::parse("SZ01").unwrap();
        let twice = [(); 2].map(|()| stickers.over(Arc::clone(&before), Some(&store)));
        assert!(Arc::ptr_eq(&twice[0], &twice[1]), "made once");

        // Another box was later, in headquarters' order.
        let csv = "code,kind,label\nC6ACKWGQ,table,B2\n".to_owned();
        let heard = bindings_file([ID].into());
        let after = bundle(&[
            ("stores/SZ01/touchpoints.csv", csv),
            ("stores/SZ01/bindings.toml", heard),
        ]);
        assert_eq!(label(&stickers, &after), "B2");
    }

    #[test]
    fn a_checkpoint_brings_the_places_back() {
        let stickers = SharedStickers::default();
        stickers.apply(&Event::TouchpointBound(TouchpointBound {
            code: blank(),
            id: ID,
            kind: TouchpointKind::Door,
            label: "West".to_owned(),
            staff: StaffName::parse("lin").unwrap(),
        }));
        let again = SharedStickers::default();
        again.put_back(serde_json::from_slice(&stickers.to_json()).unwrap());
        assert_eq!(label(&again, &bundle(&[])), "West");
    }
}
