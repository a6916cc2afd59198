//! What headquarters asks of a box, and what the box says became of it.
//!
//! Commands are numbered at each gateway and carried out in that order, each once in effect: what a command
//! changes and that it was dealt with are one frame of the journal. Nothing here asks or answers.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::erased::nobody;
use super::event::{
    AnswerKnown, CouponKnown, EraseRequested, FeedbackKnown, RedeemedElsewhere, UndoneElsewhere,
};
use super::ids::{CommandId, CouponId, RedemptionId, Vid};
use super::members::Membership;

/// The name of a command's kind is cut to so many characters before a box repeats it.
const MAX_KIND_CHARS: usize = 32;

/// So many commands a box remembers: more than headquarters gives between two backups.
const LATELY: usize = 100;

/// What this version can do. More kinds may come down the line; a box that does not know one says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Get a new certificate now, for a new key.
    Renew,
    /// Say hello again, and send whatever headquarters turns out to lack.
    AskResend,
    /// Give nothing on this coupon any more, whoever shows it.
    VoidCoupon(CouponId),
    /// Take back the redemption of this coupon, up to a week after the coupon has ended.
    UndoRedemption(CouponId),
    /// A guest claimed a coupon elsewhere: the till is to take it by its short code, too, and a box of the street
    /// is to count it for its guest.
    KnowCoupon(Box<CouponKnown>),
    /// Another place has redeemed a coupon: it is used up.
    RedeemedElsewhere(Box<RedeemedElsewhere>),
    /// That was taken back there.
    UndoneElsewhere(UndoneElsewhere),
    /// A guest said something of this store on the street.
    KnowFeedback(Box<FeedbackKnown>),
    /// The shop has answered what a guest said on the street.
    KnowAnswer(Box<AnswerKnown>),
    /// A guest is a VIP, or is one no more.
    VipIs(Box<Membership>),
    /// Somebody wants to be forgotten, and said so to another box.
    ErasePerson(EraseRequested),
}

/// What a command says beyond its kind and its coupon. A kind that needs more gets a key of its own: a box
/// leaves alone what it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    #[serde(rename = "kn", default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Box<CouponKnown>>,
    #[serde(rename = "re", default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Box<RedeemedElsewhere>>,
    #[serde(rename = "un", default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<UndoneElsewhere>,
    #[serde(rename = "vip", default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<Box<Membership>>,
    #[serde(rename = "fb", default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Box<FeedbackKnown>>,
    #[serde(rename = "an", default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<AnswerKnown>>,
    #[serde(rename = "er", default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<EraseRequested>,
}

impl Details {
    /// Most commands have none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Command {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Renew => "renew",
            Self::AskResend => "ask_resend",
            Self::VoidCoupon(_) => "void_coupon",
            Self::UndoRedemption(_) => "undo_redemption",
            Self::KnowCoupon(_) => "know_coupon",
            Self::RedeemedElsewhere(_) => "redeemed_elsewhere",
            Self::UndoneElsewhere(_) => "undone_elsewhere",
            Self::KnowFeedback(_) => "know_feedback",
            Self::KnowAnswer(_) => "know_answer",
            Self::VipIs(_) => "vip_is",
            Self::ErasePerson(_) => "erase_person",
        }
    }

    /// The coupon that it is about.
    pub const fn coupon(&self) -> Option<CouponId> {
        match self {
            Self::VoidCoupon(coupon) | Self::UndoRedemption(coupon) => Some(*coupon),
            Self::KnowCoupon(known) => Some(known.claim.coupon),
            Self::RedeemedElsewhere(redeemed) => Some(redeemed.coupon),
            Self::UndoneElsewhere(undone) => Some(undone.coupon),
            Self::Renew
            | Self::AskResend
            | Self::KnowFeedback(_)
            | Self::KnowAnswer(_)
            | Self::VipIs(_)
            | Self::ErasePerson(_) => None,
        }
    }

    /// The redemption that it is about.
    pub const fn redemption(&self) -> Option<RedemptionId> {
        match self {
            Self::RedeemedElsewhere(redeemed) => Some(redeemed.redemption),
            Self::UndoneElsewhere(undone) => Some(undone.redemption),
            Self::Renew
            | Self::AskResend
            | Self::VoidCoupon(_)
            | Self::UndoRedemption(_)
            | Self::ErasePerson(_)
            | Self::KnowCoupon(_)
            | Self::KnowFeedback(_)
            | Self::KnowAnswer(_)
            | Self::VipIs(_) => None,
        }
    }

    /// The guest that it tells a box of.
    pub fn guest(&self) -> Option<Vid> {
        match self {
            Self::KnowCoupon(known) => Some(known.claim.vid),
            Self::KnowFeedback(known) => Some(known.feedback.vid),
            Self::VipIs(word) => Some(word.vid),
            // The one command that has to name whom no box shall know.
            Self::ErasePerson(_)
            | Self::Renew
            | Self::AskResend
            | Self::VoidCoupon(_)
            | Self::UndoRedemption(_)
            | Self::RedeemedElsewhere(_)
            | Self::UndoneElsewhere(_)
            | Self::KnowAnswer(_) => None,
        }
    }

    /// What is left of it once its guest has asked to be forgotten: their coupon stays good, nobody is a VIP, and
    /// nobody said anything.
    pub fn of_nobody(mut self) -> Option<Self> {
        if let Self::KnowCoupon(known) = &mut self {
            known.claim.vid = nobody(known.claim.coupon);
        }
        (!matches!(self, Self::VipIs(_) | Self::KnowFeedback(_))).then_some(self)
    }

    pub fn details(&self) -> Details {
        match self {
            Self::KnowCoupon(known) => Details {
                known: Some(known.clone()),
                ..Details::default()
            },
            Self::RedeemedElsewhere(redeemed) => Details {
                redeemed: Some(redeemed.clone()),
                ..Details::default()
            },
            Self::UndoneElsewhere(undone) => Details {
                undone: Some(undone.clone()),
                ..Details::default()
            },
            Self::KnowFeedback(known) => Details {
                feedback: Some(known.clone()),
                ..Details::default()
            },
            Self::KnowAnswer(known) => Details {
                answer: Some(known.clone()),
                ..Details::default()
            },
            Self::VipIs(word) => Details {
                vip: Some(word.clone()),
                ..Details::default()
            },
            Self::ErasePerson(erased) => Details {
                erased: Some(erased.clone()),
                ..Details::default()
            },
            Self::Renew | Self::AskResend | Self::VoidCoupon(_) | Self::UndoRedemption(_) => {
                Details::default()
            }
        }
    }

    /// `None` where this version does not know the kind, or what the kind is about is not said.
    pub fn of(kind: &str, coupon: Option<CouponId>, details: &Details) -> Option<Self> {
        match (kind, coupon) {
            ("renew", _) => Some(Self::Renew),
            ("ask_resend", _) => Some(Self::AskResend),
            ("void_coupon", Some(coupon)) => Some(Self::VoidCoupon(coupon)),
            ("undo_redemption", Some(coupon)) => Some(Self::UndoRedemption(coupon)),
            ("know_coupon", _) => details.known.clone().map(Self::KnowCoupon),
            ("redeemed_elsewhere", _) => details.redeemed.clone().map(Self::RedeemedElsewhere),
            ("erase_person", _) => details.erased.clone().map(Self::ErasePerson),
            ("undone_elsewhere", _) => details.undone.clone().map(Self::UndoneElsewhere),
            ("know_feedback", _) => details.feedback.clone().map(Self::KnowFeedback),
            ("know_answer", _) => details.answer.clone().map(Self::KnowAnswer),
            ("vip_is", _) => details.vip.clone().map(Self::VipIs),
            _ => None,
        }
    }
}

/// How far a box has come with its commands.
///
/// The id tells a headquarters that was put back to an older state, and has given the number out again, that
/// this was another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    #[serde(rename = "c")]
    pub number: u64,
    pub id: CommandId,
}

/// How far a box has come, and what it has dealt with lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    cursor: Option<Cursor>,
    /// The newest last. A headquarters that was put back to an older state may give again, under another
    /// number, what it does not know to be done.
    lately: VecDeque<CommandId>,
}

impl Progress {
    pub const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Whether this is one of the last hundred commands that were dealt with.
    pub fn has_dealt_with(&self, id: CommandId) -> bool {
        self.lately.contains(&id)
    }

    /// Takes in a command that was dealt with; the same ones again, from some point on, change nothing.
    pub fn take(&mut self, done: Cursor) {
        self.cursor = Some(done);
        if !self.has_dealt_with(done.id) {
            self.lately.push_back(done.id);
        }
        if self.lately.len() > LATELY {
            self.lately.pop_front();
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// It had been dealt with under another number.
    Before,
    /// There is nothing here that it could be about.
    NotFound,
    /// The coupon had been redeemed before it was to be void, or was over before it came.
    TooLate,
    /// It was tried and did not work; the box's log says why.
    Failed,
    /// This version does not know the kind.
    Unsupported,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Done,
        Self::Before,
        Self::NotFound,
        Self::TooLate,
        Self::Failed,
        Self::Unsupported,
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Before => "before",
            Self::NotFound => "not_found",
            Self::TooLate => "too_late",
            Self::Failed => "failed",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A command has been dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandDone {
    #[serde(rename = "cur")]
    pub cursor: Cursor,
    pub kind: String,
    #[serde(rename = "out")]
    pub outcome: Outcome,
}

impl CommandDone {
    pub fn new(cursor: Cursor, kind: &str, outcome: Outcome) -> Self {
        Self {
            cursor,
            kind: kind.chars().take(MAX_KIND_CHARS).collect(),
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Feedback, GuestAnswered};
    use crate::domain::feedback::Rating;
    use crate::domain::feedback::inbox::Standing;
    use crate::domain::ids::{RequestId, StaffName, StoreId};

    #[test]
    fn commands_that_are_taken_in_again_after_a_crash_change_nothing() {
        let cursor = |number: u8| Cursor {
            number: u64::from(number),
            id: CommandId::from_entropy([number; 16]),
        };
        let mut progress = Progress::default();
        (1..=120).for_each(|number| progress.take(cursor(number)));
        let before = progress.clone();
        (90..=120).for_each(|number| progress.take(cursor(number)));
        assert_eq!(progress, before);
        let known = (1..=120).filter(|number| progress.has_dealt_with(cursor(*number).id));
        assert_eq!(known.count(), LATELY);
    }

    fn store() -> StoreId {
        StoreId::parse("SZ01").unwrap()
    }

    fn said() -> FeedbackKnown {
        FeedbackKnown {
            feedback: Feedback {
                id: RequestId::from_entropy([5; 16]),
                touchpoint: None,
                vid: Vid::from_entropy([3; 16]),
                rating: Rating::try_from(1).ok(),
                words: None,
                of: None,
            },
            said_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn answered() -> AnswerKnown {
        AnswerKnown {
            answered: GuestAnswered {
                of: RequestId::from_entropy([5; 16]),
                staff: StaffName::parse("lin").unwrap(),
                standing: Standing::Done,
                words: None,
                on_street: true,
            },
            answered_at: jiff::Timestamp::UNIX_EPOCH,
            store: store(),
        }
    }

    fn vip() -> Membership {
        let at = (jiff::civil::date(2026, 12, 1), jiff::Timestamp::UNIX_EPOCH);
        Membership::now(Vid::from_entropy([3; 16]), true, at, None)
    }

    #[test]
    fn a_command_reads_back_and_one_of_the_future_does_not() {
        let coupon = CouponId::from_entropy([1; 16]);
        let redemption = RedemptionId::from_entropy([2; 16]);
        for command in [
            Command::Renew,
            Command::AskResend,
            Command::VoidCoupon(coupon),
            Command::UndoRedemption(coupon),
            Command::UndoneElsewhere(UndoneElsewhere { redemption, coupon }),
            Command::KnowFeedback(Box::new(said())),
            Command::KnowAnswer(Box::new(answered())),
            Command::VipIs(Box::new(vip())),
            Command::ErasePerson(EraseRequested {
                vid: Vid::from_entropy([3; 16]),
                instead: Vid::from_entropy([4; 16]),
                passed_on: true,
            }),
        ] {
            let read = Command::of(command.kind(), command.coupon(), &command.details());
            assert_eq!(read, Some(command));
        }
        let nothing = Details::default();
        assert_eq!(Command::of("void_coupon", None, &nothing), None);
        assert_eq!(Command::of("know_coupon", Some(coupon), &nothing), None);
        assert_eq!(Command::of("dance", Some(coupon), &nothing), None);
    }
}
