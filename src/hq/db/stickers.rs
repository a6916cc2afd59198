//! Where stickers are, as staff said it by scanning them and operators against it; and how stores were walked.
//!
//! The chain's folder is written by hand and stays as it is: what was said is kept here, in the order in which
//! headquarters heard it, and the last word on a code stands over the folder.

use jiff::Timestamp;

use super::AuditEntry;
use crate::domain::ids::{BindingId, GatewayId, StaffName, StoreId, TouchpointCode};
use crate::domain::stickers::{TouchpointBound, WalkFinished};
use crate::domain::store::TouchpointKind;

/// Words that are kept of a sticker: enough to see who said what when two disagree, and to say to each box that
/// it was heard.
pub(super) const KEPT: u32 = 8;

/// What a frame tells of stickers.
#[derive(Debug, Clone)]
pub enum Told {
    Bound(TouchpointBound),
    Walked(WalkFinished),
}

/// The same with where it came from.
#[derive(Debug)]
pub(super) struct NewTold {
    pub(super) gateway: GatewayId,
    pub(super) store: StoreId,
    pub(super) at: Timestamp,
    pub(super) told: Told,
}

/// What somebody said of a sticker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub store: StoreId,
    pub code: TouchpointCode,
    pub id: BindingId,
    pub said: Said,
    pub by: By,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is at this place; an empty label is none.
    At(TouchpointKind, String),
    /// What the chain's folder says holds again.
    AsWritten,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    Staff(StaffName, GatewayId),
    /// Who was signed in at the console, or its command line.
    Operator(String),
}

/// The last walk of a store that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    pub store: StoreId,
    pub at: Timestamp,
    pub found: WalkFinished,
}

impl NewTold {
    /// As a word on a sticker, where it is one.
    pub(super) fn word(&self) -> Option<Word> {
        let Told::Bound(bound) = &self.told else {
            return None;
        };
        Some(Word {
            store: self.store.clone(),
            code: bound.code,
            id: bound.id,
            said: Said::At(bound.kind, bound.label.clone()),
            by: By::Staff(bound.staff.clone(), self.gateway),
            at: self.at,
        })
    }

    /// As a walk, where it is one.
    pub(super) fn walk(&self) -> Option<Walked> {
        let Told::Walked(found) = &self.told else {
            return None;
        };
        Some(Walked {
            store: self.store.clone(),
            at: self.at,
            found: found.clone(),
        })
    }
}

impl Word {
    /// A ledger's columns: kind and label, where the folder does not decide; who, and at which box.
    pub(super) fn columns(&self) -> (Option<(&'static str, &str)>, &str, Option<GatewayId>) {
        let said = match &self.said {
            Said::At(kind, label) => Some((kind.name(), label.as_str())),
            Said::AsWritten => None,
        };
        match &self.by {
            By::Staff(name, gateway) => (said, name.as_str(), Some(*gateway)),
            By::Operator(login) => (said, login, None),
        }
    }

    /// Reads what [`Self::columns`] wrote; none where somebody else did.
    pub(super) fn from_columns(
        (store, code, id): (&str, &str, BindingId),
        said: (Option<&str>, Option<&str>),
        (who, gateway): (&str, Option<GatewayId>),
        at: Timestamp,
    ) -> Option<Self> {
        Some(Self {
            store: StoreId::parse(store).ok()?,
            code: TouchpointCode::parse(code).ok()?,
            id,
            said: match said {
                (Some(kind), Some(label)) => {
                    Said::At(TouchpointKind::named(kind)?, label.to_owned())
                }
                _ => Said::AsWritten,
            },
            by: match gateway {
                Some(gateway) => By::Staff(StaffName::parse(who).ok()?, gateway),
                None => By::Operator(who.to_owned()),
            },
            at,
        })
    }

    /// What the audit says of an operator's word.
    pub(super) fn audit(&self) -> AuditEntry {
        let (said, who, _) = self.columns();
        let place = match said {
            Some((_, "")) => "no place".to_owned(),
            Some((kind, label)) => format!("{kind} {label}"),
            None => "as the folder says".to_owned(),
        };
        let what = format!("{} of {}: {place}", self.code, self.store);
        AuditEntry::new(self.at, "sticker_bound", &who, &what)
    }
}
