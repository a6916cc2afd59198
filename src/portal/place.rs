//! What people call a place of the shop: `Table A12`, `Door · left`.

use super::texts::{Kinds, texts};
use crate::domain::store::{Touchpoint, TouchpointKind};
use crate::domain::text::Language;

/// What people call a kind of place.
pub(super) fn kind(kind: TouchpointKind, t: &Kinds) -> &str {
    match kind {
        TouchpointKind::Table => &t.table,
        TouchpointKind::Wifi => &t.wifi,
        TouchpointKind::Door => &t.door,
        TouchpointKind::Till => &t.till,
        TouchpointKind::Receipt => &t.receipt,
        TouchpointKind::Queue => &t.queue,
        TouchpointKind::Delivery => &t.delivery,
        TouchpointKind::Tissue => &t.tissue,
        TouchpointKind::Creator => &t.creator,
    }
}

/// What staff call one place: tables have numbers, the others names that say what they are.
pub(super) fn in_words(place: &Touchpoint, language: Language) -> String {
    if place.kind == TouchpointKind::Table {
        format!("{} {}", texts(language).landing.table, place.label)
    } else {
        place.label.clone()
    }
}
