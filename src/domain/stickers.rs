//! Which place a sticker marks, where staff have said so by scanning it, and how a walk past all of them ended.
//!
//! The word of staff holds in their store at once and stands over the bundle's table, until a bundle says that
//! headquarters has heard it: from then on headquarters' order decides, also between two boxes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::ids::{BindingId, StaffName, TouchpointCode};
use super::store::TouchpointKind;

/// As long as a name can be on the smallest sticker.
const LONGEST_LABEL: usize = 16;

/// Reads what somebody typed as the name of a place; none where nobody could print it.
pub fn read_label(typed: &str) -> Option<String> {
    let label = typed.trim();
    let fits = (1..=LONGEST_LABEL).contains(&label.chars().count());
    (fits && !label.contains(char::is_control)).then(|| label.to_owned())
}

/// What labels are sorted by: A2 before A10.
pub fn natural(label: &str) -> (&str, u64) {
    let (name, digits) = numbered(label);
    (name, digits.parse().unwrap_or_default())
}

/// A label and the number at its end.
fn numbered(label: &str) -> (&str, &str) {
    let name = label.trim_end_matches(|c: char| c.is_ascii_digit());
    (name, &label[name.len()..])
}

/// Names that a new sticker may be for: numbers that a row of places leaves out, and the next one of each row.
pub fn suggestions<'l>(labels: impl Iterator<Item = &'l str>, most: usize) -> Vec<String> {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for label in labels {
        let (name, digits) = numbered(label);
        if let Ok(number) = digits.parse() {
            let row = rows.entry(name).or_default();
            row.numbers.insert(number);
            if digits.starts_with('0') {
                row.width = row.width.max(digits.len());
            }
        }
    }
    let gaps = rows
        .iter()
        .flat_map(|(name, row)| row.gaps().map(|number| row.label(name, number)));
    let next = rows.iter().filter_map(|(name, row)| {
        let next = row.numbers.last()?.checked_add(1)?;
        Some(row.label(name, next))
    });
    // With fewer gaps than room there is room for each row's next one, which is what most stickers are for.
    let (next, gaps): (Vec<_>, Vec<_>) = (next.take(most).collect(), gaps.take(most).collect());
    let room = most - next.len();
    gaps.into_iter().take(room).chain(next).collect()
}

/// Places that are told apart by a number: A01, A02.
#[derive(Debug, Default)]
struct Row {
    numbers: BTreeSet<u32>,
    /// To how many digits a number is filled up with noughts.
    width: usize,
}

impl Row {
    fn gaps(&self) -> impl Iterator<Item = u32> {
        let pairs = self.numbers.iter().zip(self.numbers.iter().skip(1));
        pairs.flat_map(|(before, after)| before + 1..*after)
    }

    fn label(&self, name: &str, number: u32) -> String {
        let width = self.width;
        format!("{name}{number:0width$}")
    }
}

/// Staff said where a sticker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchpointBound {
    #[serde(rename = "tp")]
    pub code: TouchpointCode,
    pub id: BindingId,
    #[serde(rename = "knd")]
    pub kind: TouchpointKind,
    /// Empty: the sticker marks no place any more.
    #[serde(rename = "lbl", default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    #[serde(rename = "stf")]
    pub staff: StaffName,
}

/// Somebody has scanned the stickers of a store one by one: how many there are of each finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkFinished {
    #[serde(rename = "stf")]
    pub staff: StaffName,
    /// Places that the store has.
    #[serde(rename = "n")]
    pub places: u32,
    #[serde(rename = "ok")]
    pub found: u32,
    #[serde(rename = "mis")]
    pub missing: u32,
    /// Stickers that this store does not know, or that mark no place.
    #[serde(rename = "bad")]
    pub wrong: u32,
    /// Places that more than one code leads to.
    #[serde(rename = "dup")]
    pub doubled: u32,
}

/// The last word of this box's staff on each sticker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stickers(BTreeMap<TouchpointCode, Bound>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    pub id: BindingId,
    pub kind: TouchpointKind,
    /// Empty: no place.
    pub label: String,
}

impl Stickers {
    /// Takes in an event; whether it changed anything.
    pub fn apply(&mut self, event: &Event) -> bool {
        let Event::TouchpointBound(said) = event else {
            return false;
        };
        let bound = Bound {
            id: said.id,
            kind: said.kind,
            label: said.label.clone(),
        };
        // Only codes of the store's table are ever bound, so there are no more than it has.
        self.0.insert(said.code, bound.clone()) != Some(bound)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (TouchpointCode, &Bound)> {
        self.0.iter().map(|(code, bound)| (*code, bound))
    }
}

impl FromIterator<(TouchpointCode, Bound)> for Stickers {
    fn from_iter<I: IntoIterator<Item = (TouchpointCode, Bound)>>(bound: I) -> Self {
        Self(bound.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(label: &str, id: u8) -> Event {
        Event::TouchpointBound(TouchpointBound {
            code: TouchpointCode::from_entropy(7),
            id: BindingId::from_entropy([id; 16]),
            kind: TouchpointKind::Table,
            label: label.to_owned(),
            staff: StaffName::parse("lin").unwrap(),
        })
    }

    #[test]
    fn the_last_word_on_a_sticker_counts() {
        let mut stickers = Stickers::default();
        assert!(stickers.apply(&said("A12", 1)));
        assert!(!stickers.apply(&said("A12", 1)), "read again from the log");
        assert!(stickers.apply(&said("B3", 2)));
        let words: Vec<_> = stickers
            .iter()
            .map(|(_, bound)| bound.label.as_str())
            .collect();
        assert_eq!(words, ["B3"]);
    }

    #[test]
    fn a_new_sticker_is_for_what_a_row_leaves_out_or_for_its_next_place() {
        let of = |labels: &[&str]| suggestions(labels.iter().copied(), 4);
        assert_eq!(of(&["A01", "A02", "A04"]), ["A03", "A05"]);
        assert_eq!(of(&["1", "2", "包间1"]), ["3", "包间2"]);
        assert_eq!(of(&["A1", "A900"]).len(), 4);
        assert_eq!(of(&["Door", "99999999999999"]), Vec::<String>::new());
    }

    #[test]
    fn labels_stand_in_the_order_of_their_numbers() {
        let mut labels = ["B1", "A10", "A2", "Door"];
        labels.sort_by_key(|label| natural(label));
        assert_eq!(labels, ["A2", "A10", "B1", "Door"]);
    }

    #[test]
    fn a_label_is_what_a_sticker_has_room_for() {
        assert_eq!(read_label(" A12 ").as_deref(), Some("A12"));
        assert_eq!(read_label("包间 牡丹").as_deref(), Some("包间 牡丹"));
        for bad in ["", "  ", "A\n12", "seventeen letters"] {
            assert_eq!(read_label(bad), None, "{bad:?}");
        }
    }
}
