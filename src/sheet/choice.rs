//! Which of a store's codes are to be printed.

use super::code::Code;
use super::layout::Layout;
use crate::domain::stickers::natural;
use crate::domain::store::{Store, Touchpoint, TouchpointKind};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Those that the layout is for.
    Meant,
    Kind(TouchpointKind),
    Labels(Vec<String>),
    /// Of a kind, or of those that the layout is for: from one label to another. An empty one is no bound.
    Between(Option<TouchpointKind>, String, String),
    /// Those without a place, with a line to write it on.
    Blank,
}

impl Choice {
    /// As a form asks for it: `meant`, `blank` or a kind, and from which label to which.
    pub fn asked(which: &str, (first, last): (&str, &str)) -> Option<Self> {
        let kind = match which {
            "blank" => return Some(Self::Blank),
            "meant" => None,
            kind => Some(TouchpointKind::named(kind)?),
        };
        Some(if first.is_empty() && last.is_empty() {
            kind.map_or(Self::Meant, Self::Kind)
        } else {
            Self::Between(kind, first.to_owned(), last.to_owned())
        })
    }

    /// The codes of `store` that are chosen, in the order of `touchpoints`.
    pub fn codes<'t>(
        &self,
        store: &Store,
        touchpoints: impl Iterator<Item = &'t Touchpoint>,
        layout: &Layout,
    ) -> Vec<Code> {
        touchpoints
            .filter(|touchpoint| touchpoint.is_bound() != (*self == Self::Blank))
            .filter(|touchpoint| self.takes(touchpoint, layout))
            .map(|touchpoint| Code::of(&store.host, touchpoint))
            .collect()
    }

    fn takes(&self, touchpoint: &Touchpoint, layout: &Layout) -> bool {
        let is_meant =
            || layout.meant_for.is_empty() || layout.meant_for.contains(&touchpoint.kind);
        match self {
            Self::Meant => is_meant(),
            Self::Kind(kind) => touchpoint.kind == *kind,
            Self::Labels(labels) => labels.contains(&touchpoint.label),
            Self::Between(kind, first, last) => {
                let is_of_kind = kind.map_or_else(is_meant, |kind| touchpoint.kind == kind);
                let label = natural(&touchpoint.label);
                let is_after = first.is_empty() || natural(first) <= label;
                let is_before = last.is_empty() || label <= natural(last);
                is_of_kind && is_after && is_before
            }
            Self::Blank => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TouchpointCode;

    fn chosen(choice: &Choice, layout: &str) -> Vec<String> {
        let places = [
            (TouchpointKind::Table, "A2"),
            (TouchpointKind::Table, "A10"),
            (TouchpointKind::Table, "B1"),
            (TouchpointKind::Door, "Door"),
            (TouchpointKind::Table, ""),
        ];
        let touchpoints: Vec<_> = (1..)
            .zip(places)
            .map(|(number, (kind, label))| Touchpoint {
                code: TouchpointCode::from_entropy(number),
                kind,
                label: label.to_owned(),
                cost_fen: None,
            })
            .collect();
        let store: Store = toml::from_str(include_str!(
            "../../tests/fixtures/chain/stores/SZ01/store.toml"
        ))
        .unwrap();
        let layout = Layout::named(layout).unwrap();
        let codes = choice.codes(&store, touchpoints.iter(), layout);
        codes.iter().map(|code| code.name().to_owned()).collect()
    }

    #[test]
    fn numbers_are_in_their_order_and_blank_stickers_apart() {
        let between = |first, last| Choice::asked("meant", (first, last)).unwrap();
        assert_eq!(chosen(&between("A2", "A10"), "label-50x50"), ["A2", "A10"]);
        let later = chosen(&between("A3", ""), "label-50x50");
        assert_eq!(later, ["A10", "B1", "Door"], "a label is for anything");
        assert_eq!(chosen(&Choice::Meant, "door-a4"), ["Door"]);
        let tables = Choice::asked("table", ("B1", "")).unwrap();
        assert_eq!(chosen(&tables, "label-50x50"), ["B1"]);
        assert_eq!(Choice::asked("chair", ("", "")), None);
        let door = Choice::Kind(TouchpointKind::Door);
        assert_eq!(chosen(&door, "label-50x50"), ["Door"]);
        assert_eq!(chosen(&Choice::Blank, "label-50x50").len(), 1);
    }
}
