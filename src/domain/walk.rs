//! A walk past all stickers of a store: what has been scanned, and what that says of the stickers.
//!
//! A place is found when a sticker of it was scanned. Only what hangs in the shop is looked for; a code on paper
//! that guests take along, or on somebody's own page, is not.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{StaffName, TouchpointCode};
use super::stickers::{WalkFinished, natural};
use super::store::{Touchpoint, TouchpointKind};

/// Wrong stickers that are remembered one by one: whoever finds more has the wrong shop.
const MOST_WRONG: usize = 50;

/// A walk that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walk {
    scanned: BTreeSet<TouchpointCode>,
    wrong: BTreeMap<String, Wrong>,
}

/// What is wrong with a sticker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It marks no place yet.
    Blank,
    /// It is of another store of the chain.
    OtherStore,
    /// Nobody here knows it.
    Unknown,
}

/// Whether a sticker had been scanned before in this walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    New,
    Again,
}

/// A place of the store and what the walk says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub kind: TouchpointKind,
    pub label: String,
    /// All that lead to it; more than one is a double.
    pub codes: Vec<TouchpointCode>,
    pub is_found: bool,
}

impl Line {
    pub fn is_double(&self) -> bool {
        self.codes.len() > 1
    }
}

/// Kind and label, sorted as people count.
type Place<'t> = (TouchpointKind, (&'t str, u64), &'t str);

/// How a walk stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// In the order of their kinds and labels.
    pub lines: Vec<Line>,
    /// As they were scanned, with what is wrong.
    pub wrong: Vec<(String, Wrong)>,
}

impl Walk {
    /// A sticker that marks a place here.
    pub fn scan(&mut self, code: TouchpointCode) -> Scanned {
        if self.scanned.insert(code) {
            Scanned::New
        } else {
            Scanned::Again
        }
    }

    /// A sticker that should not hang here. `text` is what was read of it.
    pub fn scan_wrong(&mut self, text: &str, wrong: Wrong) {
        if self.wrong.len() < MOST_WRONG || self.wrong.contains_key(text) {
            self.wrong.insert(text.to_owned(), wrong);
        }
    }

    /// How it stands in a store with these touchpoints. A sticker that was bound or moved since it was scanned
    /// is where the table says now.
    pub fn findings<'t>(&self, touchpoints: impl Iterator<Item = &'t Touchpoint>) -> Findings {
        let mut places: BTreeMap<Place<'_>, Vec<TouchpointCode>> = BTreeMap::new();
        let mut bound = BTreeSet::new();
        for touchpoint in touchpoints.filter(|touchpoint| touchpoint.is_bound()) {
            bound.insert(touchpoint.code.to_string());
            if hangs_in_the_shop(touchpoint.kind) {
                let label = touchpoint.label.as_str();
                let place = (touchpoint.kind, natural(label), label);
                places.entry(place).or_default().push(touchpoint.code);
            }
        }
        let line = |((kind, _, label), codes): (Place<'_>, Vec<TouchpointCode>)| Line {
            kind,
            label: label.to_owned(),
            is_found: codes.iter().any(|code| self.has_seen(*code)),
            codes,
        };
        let wrong = self.wrong.iter();
        Findings {
            lines: places.into_iter().map(line).collect(),
            wrong: wrong
                .filter(|(text, _)| !bound.contains(*text))
                .map(|(text, wrong)| (text.clone(), *wrong))
                .collect(),
        }
    }
}

impl Walk {
    /// Whether a sticker was scanned, also before it was bound.
    fn has_seen(&self, code: TouchpointCode) -> bool {
        let blank = self.wrong.get(code.as_str()) == Some(&Wrong::Blank);
        blank || self.scanned.contains(&code)
    }
}

impl Findings {
    pub fn found(&self) -> usize {
        self.lines.iter().filter(|line| line.is_found).count()
    }

    /// What is written down of it.
    pub fn finished(&self, staff: StaffName) -> WalkFinished {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let doubled = self.lines.iter().filter(|line| line.is_double());
        WalkFinished {
            staff,
            places: count(self.lines.len()),
            found: count(self.found()),
            missing: count(self.lines.len() - self.found()),
            wrong: count(self.wrong.len()),
            doubled: count(doubled.count()),
        }
    }
}

const fn hangs_in_the_shop(kind: TouchpointKind) -> bool {
    match kind {
        TouchpointKind::Table
        | TouchpointKind::Door
        | TouchpointKind::Till
        | TouchpointKind::Queue
        | TouchpointKind::Tissue => true,
        TouchpointKind::Wifi
        | TouchpointKind::Receipt
        | TouchpointKind::Delivery
        | TouchpointKind::Creator => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u64) -> TouchpointCode {
        TouchpointCode::from_entropy(number)
    }

    fn at(number: u64, kind: TouchpointKind, label: &str) -> Touchpoint {
        Touchpoint {
            code: code(number),
            kind,
            label: label.to_owned(),
            cost_fen: None,
        }
    }

    #[test]
    fn a_walk_tells_found_missing_wrong_and_doubled() {
        let table = [
            at(1, TouchpointKind::Table, "A1"),
            at(2, TouchpointKind::Table, "A2"),
            at(3, TouchpointKind::Table, "A2"),
            at(4, TouchpointKind::Table, "A3"),
            at(5, TouchpointKind::Receipt, "Receipts"),
            at(6, TouchpointKind::Table, ""),
        ];
        let mut walk = Walk::default();
        assert_eq!(walk.scan(code(1)), Scanned::New);
        assert_eq!(walk.scan(code(1)), Scanned::Again);
        walk.scan(code(3));
        walk.scan_wrong(code(6).as_str(), Wrong::Blank);
        walk.scan_wrong("22222222", Wrong::Unknown);
        walk.scan_wrong("22222222", Wrong::Unknown);
        let findings = walk.findings(table.iter());
        let staff = StaffName::parse("lin").unwrap();
        let finished = WalkFinished {
            staff: staff.clone(),
            places: 3,
            found: 2,
            missing: 1,
            wrong: 2,
            doubled: 1,
        };
        assert_eq!(findings.finished(staff), finished);
        let missing = findings.lines.iter().find(|line| !line.is_found).unwrap();
        assert_eq!(missing.label, "A3");
    }

    #[test]
    fn a_blank_sticker_that_was_bound_on_the_way_is_no_longer_wrong() {
        let mut walk = Walk::default();
        walk.scan_wrong(code(6).as_str(), Wrong::Blank);
        let bound = [at(6, TouchpointKind::Table, "A4")];
        let findings = walk.findings(bound.iter());
        assert_eq!((findings.wrong.as_slice(), findings.found()), (&[][..], 1));
    }

    #[test]
    fn what_is_remembered_of_wrong_stickers_has_an_end() {
        let mut walk = Walk::default();
        for number in 0..200 {
            walk.scan_wrong(&number.to_string(), Wrong::Unknown);
        }
        assert_eq!(walk.findings([].iter()).wrong.len(), MOST_WRONG);
    }
}
