//! Commands of headquarters, where they touch coupons or guests; and how far this box has come with them.
//!
//! What a command changes and that it was dealt with are one frame, so a command that comes again after a
//! crash finds either both or neither. Whoever hears the commands is `uplink`, which does not know this
//! module: `cli` brings the two together.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::book::move_up_in;
use super::boot_time;
use super::ledger::{Ledger, only_say};
use super::referral::reward;
use crate::domain::command::{Command, CommandDone, Cursor, Outcome};
use crate::domain::event::Event;
use crate::domain::ids::{StaffName, StoreId};
use crate::domain::members::Membership;
use crate::domain::wallet::{Learnt, moment_at};
use crate::journal::{CommitError, Journal, Verdict};
use crate::ops::clock::Clock;
use crate::wire::bundle::Bundle;
use crate::wire::frame::{self, Contents};
use crate::wire::link::Item;

/// Who takes a redemption back, where it is nobody at the till.
const BY_HEADQUARTERS: &str = "headquarters";

/// What carries out the commands that are about coupons.
pub struct Commands {
    pub journal: Journal<Ledger>,
    pub bundle: watch::Receiver<Arc<Bundle>>,
    /// The store this box stands in; none beside headquarters.
    pub store: Option<StoreId>,
    pub clock: Arc<dyn Clock>,
    pub boot: u32,
}

/// A command was not dealt with, and is to come again.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    #[error("there is no bundle yet, so there is no store to write it down for")]
    NoStore,
    #[error(transparent)]
    Journal(#[from] CommitError),
}

impl Commands {
    /// How far this box has come; none before its first command.
    pub async fn cursor(&self) -> Result<Option<Cursor>, CommitError> {
        let look = |ledger: &mut Ledger| only_say(ledger.commands().cursor());
        self.journal.commit(look).await
    }

    /// Carries out what `item` asks of the coupons, and writes down that it was dealt with. Where somebody
    /// else has carried it out, `told` is what became of it.
    pub async fn settle(&self, item: &Item, told: Option<Outcome>) -> Result<Outcome, NotKept> {
        let bundle = self.bundle.borrow().clone();
        let command = item.command();
        let named = command.as_ref().and_then(of_store);
        let own = self.store.as_ref().or(named);
        let own = own.and_then(|id| bundle.stores.get(id));
        // A street gateway has no store of its own; headquarters knows it by its stream.
        let folder = own.or_else(|| bundle.stores.values().next());
        let store = folder.ok_or(NotKept::NoStore)?.store.clone();
        let is_gone = named.is_some_and(|named| *named != store.id);
        let is_erasure = matches!(command, Some(Command::ErasePerson(_)));
        let (item, clock, boot) = (item.clone(), Arc::clone(&self.clock), self.boot);
        let settled = self.journal.commit(move |ledger| {
            let now = clock.now();
            let (effect, outcome) = match told {
                _ if ledger.commands().has_dealt_with(item.cursor.id) => {
                    (Vec::new(), Outcome::Before)
                }
                Some(outcome) => (Vec::new(), outcome),
                None if is_gone => (Vec::new(), Outcome::NotFound),
                None => effect(command, ledger, now),
            };
            let done = CommandDone::new(item.cursor, &item.kind, outcome);
            let events = effect.into_iter().chain([Event::CommandDone(done)]);
            let contents = Contents {
                store: store.id.clone(),
                boot_time: boot_time(&*clock, boot),
                moment: moment_at(&store, now),
                events: events.map(|event| (SignedDuration::ZERO, event)).collect(),
            };
            Verdict {
                body: Some(frame::encode(&contents)),
                answer: outcome,
            }
        });
        let outcome = settled.await?;
        // Their tables are free.
        if let Some(store) = self.store.as_ref().filter(|_| is_erasure) {
            let clock = (&self.clock, self.boot);
            move_up_in(&self.journal, (store, &bundle), clock).await;
        }
        Ok(outcome)
    }
}

/// The store whose coupon or words a command for the street is about.
fn of_store(command: &Command) -> Option<&StoreId> {
    if let Command::KnowCoupon(known) = command {
        known.store.as_ref()
    } else if let Command::KnowAnswer(known) = command {
        Some(&known.store)
    } else {
        None
    }
}

/// What a command changes, and what becomes of it.
pub(super) fn effect(
    command: Option<Command>,
    ledger: &Ledger,
    now: Timestamp,
) -> (Vec<Event>, Outcome) {
    let is_erased = |command: &Command| {
        let guest = command.guest();
        guest.is_some_and(|guest| ledger.erased().knows(guest))
    };
    // It may have been on its way while they asked, or come from a box that has not heard of it.
    let command = match command {
        Some(command) if is_erased(&command) => match command.of_nobody() {
            Some(command) => Some(command),
            None => return (Vec::new(), Outcome::NotFound),
        },
        command => command,
    };
    let wallet = ledger.wallet();
    let (event, otherwise) = match command {
        Some(Command::VoidCoupon(coupon)) => {
            let voided = wallet.void(coupon, now).map(Event::CouponVoided);
            (voided, Outcome::TooLate)
        }
        Some(Command::UndoRedemption(coupon)) => {
            let by = StaffName::parse(BY_HEADQUARTERS).expect("twelve letters are a name");
            return match wallet.take_back(coupon, &by) {
                Some(undone) => {
                    let events = reward::undone((ledger, &wallet), undone, now);
                    (events, Outcome::Done)
                }
                None => (Vec::new(), Outcome::NotFound),
            };
        }
        Some(Command::KnowCoupon(known)) => match wallet.learn(&known, now) {
            Learnt::New => (Some(Event::CouponKnown(*known)), Outcome::Done),
            Learnt::Before => (None, Outcome::Done),
            Learnt::Over => (None, Outcome::TooLate),
        },
        Some(Command::RedeemedElsewhere(redeemed)) => {
            (Some(Event::RedeemedElsewhere(*redeemed)), Outcome::Done)
        }
        Some(Command::UndoneElsewhere(undone)) => {
            (Some(Event::UndoneElsewhere(undone)), Outcome::Done)
        }
        Some(Command::KnowFeedback(known)) => (Some(Event::FeedbackKnown(known)), Outcome::Done),
        // Of the street's boxes one has heard the guest.
        Some(Command::KnowAnswer(known)) => {
            let is_here = ledger.inbox().get(known.answered.of).is_some();
            let event = is_here.then_some(Event::AnswerKnown(known));
            (event, Outcome::NotFound)
        }
        Some(Command::VipIs(word)) => {
            let is_news = ledger.members().is_news(&word);
            let told = Membership {
                is_told: true,
                ..*word
            };
            (is_news.then_some(Event::VipChanged(told)), Outcome::Done)
        }
        // Also where nothing is known of them: a frame that is on its way may still bring it.
        Some(Command::ErasePerson(erased)) => (Some(Event::EraseRequested(erased)), Outcome::Done),
        // Nothing that coupons could do.
        Some(Command::Renew | Command::AskResend) | None => (None, Outcome::Unsupported),
    };
    let outcome = event.as_ref().map_or(otherwise, |_| Outcome::Done);
    (event.into_iter().collect(), outcome)
}
