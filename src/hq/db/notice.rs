//! Notices: what every box of a place has to know of what other boxes heard first: coupons issued or taken, VIPs,
//! words between guests and staff, persons who asked to be forgotten.
//!
//! Pure; the SQL is in `embedded` and `postgres`. A notice is kept in the transaction that takes in the event it
//! comes from, and becomes a command to each box of its store there and then. A box that is enrolled later gets
//! those that still matter with its number.
//!
//! Its id is made of what it says. So a claim that comes in again, to a ledger from a backup too, is no second
//! notice, and each box is told under the same command's id as before, which it remembers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::serves_text;
use crate::domain::calendar::business_day;
use crate::domain::command::Command;
use crate::domain::event::{
    AnswerKnown, Claim, CouponKnown, Event, FeedbackKnown, Occurrence, RedeemedElsewhere,
    UndoneElsewhere,
};
use crate::domain::feedback::inbox::KEPT_FOR;
use crate::domain::ids::{CommandId, CouponId, GatewayId, RedemptionId, StoreId, Vid};
use crate::domain::members::Membership;
use crate::domain::wallet::SHOWN_WITHIN;
use crate::wire::link::Serves;

/// Something for all boxes that serve a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// None: everybody.
    pub to: Option<Serves>,
    /// About a coupon, a guest, their words, or a person who wants to be forgotten.
    pub command: Command,
    /// When nobody has to know it any more.
    pub until: Timestamp,
}

/// What a claim is to other boxes. Limits of a person, a table or a day hold only where each claim is known.
fn of_claim(from: &Serves, occurrence: &Occurrence, claim: &Claim) -> Vec<Notice> {
    let known = |store: Option<StoreId>| CouponKnown {
        claim: claim.clone(),
        claimed_at: occurrence.moment.at,
        day: business_day(occurrence.moment.local()),
        store,
    };
    let notice = |to, store| Notice {
        to: Some(to),
        until: claim.not_after,
        command: Command::KnowCoupon(Box::new(known(store))),
    };
    let store = &occurrence.store;
    let down = (*from == Serves::Street).then(|| notice(Serves::Store(store.clone()), None));
    let street = notice(Serves::Street, Some(store.clone()));
    down.into_iter().chain([street]).collect()
}

/// What words between a guest on the street and the shop's staff are to the other side.
fn of_words(from: &Serves, occurrence: &Occurrence) -> Option<Notice> {
    let at = occurrence.moment.at;
    let (to, command) = if let Event::Feedback(feedback) = &occurrence.event
        && *from == Serves::Street
    {
        let known = FeedbackKnown {
            feedback: feedback.clone(),
            said_at: at,
        };
        let store = Serves::Store(occurrence.store.clone());
        (store, Command::KnowFeedback(Box::new(known)))
    } else if let Event::GuestAnswered(answered) = &occurrence.event
        && answered.on_street
    {
        let known = AnswerKnown {
            answered: answered.clone(),
            answered_at: at,
            store: occurrence.store.clone(),
        };
        (Serves::Street, Command::KnowAnswer(Box::new(known)))
    } else {
        return None;
    };
    Some(Notice {
        to: Some(to),
        command,
        until: at.saturating_add(KEPT_FOR).unwrap_or(at),
    })
}

fn street_and(store: Option<&StoreId>) -> impl Iterator<Item = Serves> {
    let store = store.cloned().map(Serves::Store);
    store.into_iter().chain([Serves::Street])
}

/// When nobody looks any more at what happened at `at`.
fn later(at: Timestamp) -> Timestamp {
    at.saturating_add(SHOWN_WITHIN).unwrap_or(at)
}

/// Later than any box, and within what every database can keep.
const FOR_EVER: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// What a notice is known by.
pub(super) type NoticeId = [u8; 16];

impl Notice {
    /// What an event of a gateway that serves `from` is to other boxes: those of its store, and those of the
    /// street, where the same guest may come next.
    pub fn of(from: &Serves, occurrence: &Occurrence) -> Vec<Self> {
        let at = occurrence.moment.at;
        if let Event::Claim(claim) = &occurrence.event {
            of_claim(from, occurrence, claim)
        } else if let Event::Redeem(redeem) = &occurrence.event {
            let used = || RedeemedElsewhere {
                redemption: redeem.redemption,
                coupon: redeem.coupon,
                store: occurrence.store.clone(),
                redeemed_at: at,
                remember_until: redeem.remember_until,
            };
            let to = |to| Self {
                to: Some(to),
                until: redeem.remember_until,
                command: Command::RedeemedElsewhere(Box::new(used())),
            };
            street_and(redeem.home.as_ref().map(|home| &home.store))
                .map(to)
                .collect()
        } else if let Event::RedeemUndone(undone) = &occurrence.event {
            let to = |to| Self {
                to: Some(to),
                until: later(at),
                command: Command::UndoneElsewhere(UndoneElsewhere {
                    redemption: undone.redemption,
                    coupon: undone.coupon,
                }),
            };
            street_and(undone.home.as_ref()).map(to).collect()
        } else {
            of_words(from, occurrence).into_iter().collect()
        }
    }

    /// What an event makes known of a VIP to the boxes of its store and to the street. Where it came from a command,
    /// everybody has heard.
    pub fn of_vip(occurrence: &Occurrence) -> impl Iterator<Item = Self> {
        let word = if let Event::VipChanged(word) = &occurrence.event {
            Some(word).filter(|word| !word.is_told)
        } else {
            None
        };
        let store = Serves::Store(occurrence.store.clone());
        let to_all =
            |word: &Membership| [store, Serves::Street].map(|to| Self::vip(to, word.clone()));
        word.map(to_all).into_iter().flatten()
    }

    /// That a guest is a VIP, or is one no more, to the boxes of a place. A list of pseudonyms in the bundle would
    /// be sent whole with each change; a word is some 200 bytes, comes within seconds, in its order, and once.
    pub fn vip(to: Serves, word: Membership) -> Self {
        Self {
            to: Some(to),
            command: Command::VipIs(Box::new(word)),
            // A box that is enrolled in years has to know it.
            until: FOR_EVER,
        }
    }

    /// What of it may be told while these have asked to be forgotten.
    pub(super) fn heeding(&self, erased: &BTreeSet<Vid>) -> Option<Cow<'_, Self>> {
        let guest = self.command.guest();
        if !guest.is_some_and(|guest| erased.contains(&guest)) {
            return Some(Cow::Borrowed(self));
        }
        Some(Cow::Owned(Self {
            command: self.command.clone().of_nobody()?,
            ..self.clone()
        }))
    }

    /// As the register writes who serves what; nothing for everybody.
    pub(super) fn place(&self) -> String {
        self.to.as_ref().map_or_else(String::new, serves_text)
    }

    /// The coupon; for a person the name that nobody has, which is theirs alone.
    pub(super) fn about(&self) -> Option<[u8; 16]> {
        match &self.command {
            Command::ErasePerson(erased) => Some(erased.instead.to_bytes()),
            Command::Renew
            | Command::AskResend
            | Command::VoidCoupon(_)
            | Command::UndoRedemption(_)
            | Command::KnowCoupon(_)
            | Command::RedeemedElsewhere(_)
            | Command::UndoneElsewhere(_)
            | Command::KnowFeedback(_)
            | Command::KnowAnswer(_)
            | Command::VipIs(_) => self.command.coupon().map(CouponId::to_bytes),
        }
    }

    pub(super) fn id(&self) -> NoticeId {
        let coupon = self.about();
        let redemption = self.command.redemption().map(RedemptionId::to_bytes);
        digest(&[
            self.command.kind().as_bytes(),
            &coupon.unwrap_or_default(),
            &redemption.unwrap_or_default(),
            &self.of_a_guest(),
            &self.of_words(),
        ])
    }

    /// Tells words on guests apart; nothing for what is about a coupon.
    fn of_a_guest(&self) -> Vec<u8> {
        let vip = self.command.details().vip;
        vip.map_or_else(Vec::new, |word| {
            let at = word.decided_at.as_millisecond().to_be_bytes();
            [&word.vid.to_bytes()[..], &at, &[u8::from(word.is)]].concat()
        })
    }

    /// Tells what guests and staff say apart; nothing for the rest.
    fn of_words(&self) -> Vec<u8> {
        let details = self.command.details();
        if let Some(known) = details.feedback {
            known.feedback.id.to_bytes().to_vec()
        } else if let Some(known) = details.answer {
            let at = known.answered_at.as_millisecond().to_be_bytes();
            [&known.answered.of.to_bytes()[..], &at].concat()
        } else {
            Vec::new()
        }
    }

    /// Whether boxes that are enrolled later need not be told. What happens in the shops is told to the street,
    /// and a chain that has no street keeps nothing for it.
    pub(super) fn is_for_those_there(&self) -> bool {
        self.to == Some(Serves::Street)
            && matches!(
                self.command,
                Command::KnowCoupon(_)
                    | Command::RedeemedElsewhere(_)
                    | Command::UndoneElsewhere(_)
            )
    }

    pub(super) fn details(&self) -> Option<String> {
        details(&self.command)
    }
}

/// Where it would stand that a coupon of `home` is void: places and ids of notices.
pub(super) fn void_notices(home: &StoreId, coupon: CouponId) -> [(String, NoticeId); 2] {
    [Some(Serves::Store(home.clone())), None].map(|to| {
        let notice = Notice {
            to,
            command: Command::VoidCoupon(coupon),
            until: Timestamp::MAX,
        };
        (notice.place(), notice.id())
    })
}

/// What a command says beyond its kind and its coupon, as it is kept.
pub(super) fn details(command: &Command) -> Option<String> {
    let details = command.details();
    (!details.is_empty())
        .then(|| serde_json::to_string(&details).expect("what a command says is plain data"))
}

/// The id of the command by which a gateway is told.
pub(super) fn command_id(notice: NoticeId, gateway: GatewayId) -> CommandId {
    CommandId::from_entropy(digest(&[&notice, &gateway.0.to_be_bytes()]))
}

fn digest(parts: &[&[u8]]) -> NoticeId {
    let whole = ring::digest::digest(&ring::digest::SHA256, &parts.concat());
    let (first, _) = whole.as_ref().split_first_chunk().expect("it has 32 bytes");
    *first
}

/// The places whose notices are for a gateway that serves `serves`.
pub(super) fn places(serves: &Serves) -> [String; 2] {
    [serves_text(serves), String::new()]
}
