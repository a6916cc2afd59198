//! Commands of headquarters: what the uplink does about each, one after the other.
//!
//! Promises that a command is done with only once that is written down ([`Obey::settle`]); one that could
//! not be written down, or not be tried, comes again with the next answer of headquarters. Those that are
//! about the link itself are done here and do no harm if they are done twice.

use tokio::sync::watch;

use crate::domain::command::{Command, Cursor, Outcome};
use crate::ops::metrics;
use crate::ops::tasks::BoxFuture;
use crate::wire::link::Item;

/// Where commands about coupons are carried out, and where it is written down how far the box has come.
pub trait Obey: Send + Sync {
    /// The last command that was dealt with; none before the first.
    fn cursor(&self) -> BoxFuture<'_, anyhow::Result<Option<Cursor>>>;

    /// Has `item` carried out, unless `told` says what became of it, and writes down that it was dealt with.
    fn settle<'a>(
        &'a self,
        item: &'a Item,
        told: Option<Outcome>,
    ) -> BoxFuture<'a, anyhow::Result<Outcome>>;
}

/// Who gets certificates.
pub(super) trait Renew {
    /// Gets a new certificate; none where headquarters did not answer.
    fn renew(&self) -> impl Future<Output = Option<Outcome>> + Send;
}

/// The commands and who hears of them.
pub(super) struct Commands {
    pub(super) book: Box<dyn Obey>,
    /// Raised to have the sender say hello again.
    pub(super) hello_again: watch::Sender<u64>,
}

/// The row was broken off: what is left comes again.
pub(super) struct BrokenOff;

impl Commands {
    /// The last command that was dealt with, where the journal can tell.
    pub(super) async fn cursor(&self) -> Result<Option<Cursor>, BrokenOff> {
        let cursor = self.book.cursor().await;
        cursor.map_err(|error| broken_off(&error))
    }

    /// Has the sender say hello, also where it waits for a better time.
    pub(super) fn say_hello_again(&self) {
        self.hello_again.send_modify(|times| *times += 1);
    }

    /// Deals with `items` in their order.
    pub(super) async fn deal_with(
        &self,
        items: &[Item],
        certificates: &impl Renew,
    ) -> Result<(), BrokenOff> {
        for item in items {
            let told = match item.command() {
                Some(Command::Renew) => Some(certificates.renew().await.ok_or(BrokenOff)?),
                Some(Command::AskResend) => {
                    self.say_hello_again();
                    Some(Outcome::Done)
                }
                Some(
                    Command::VoidCoupon(_)
                    | Command::UndoRedemption(_)
                    | Command::KnowCoupon(_)
                    | Command::RedeemedElsewhere(_)
                    | Command::UndoneElsewhere(_)
                    | Command::KnowFeedback(_)
                    | Command::KnowAnswer(_)
                    | Command::VipIs(_)
                    | Command::ErasePerson(_),
                )
                | None => None,
            };
            let settled = self.book.settle(item, told).await;
            let outcome = settled.map_err(|error| broken_off(&error))?;
            metrics::add_of(metrics::UPLINK_COMMANDS, ("outcome", outcome.name()), 1);
            tracing::info!(
                command.number = item.cursor.number,
                outcome = outcome.name(),
                "headquarters gave a command"
            );
        }
        Ok(())
    }
}

fn broken_off(error: &anyhow::Error) -> BrokenOff {
    tracing::error!(error = %format!("{error:#}"), "a command could not be dealt with yet");
    BrokenOff
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::command::Details;
    use crate::domain::ids::{CommandId, CouponId};

    /// A book that takes so many more commands, and then cannot write.
    #[derive(Default)]
    struct Book {
        room: Mutex<usize>,
        settled: Mutex<Vec<(u64, Option<Outcome>)>>,
    }

    impl Obey for &'static Book {
        fn cursor(&self) -> BoxFuture<'_, anyhow::Result<Option<Cursor>>> {
            Box::pin(async { Ok(None) })
        }

        fn settle<'a>(
            &'a self,
            item: &'a Item,
            told: Option<Outcome>,
        ) -> BoxFuture<'a, anyhow::Result<Outcome>> {
            let mut room = self.room.lock().unwrap();
            let Some(left) = room.checked_sub(1) else {
                return Box::pin(async { anyhow::bail!("the disk is full") });
            };
            *room = left;
            self.settled
                .lock()
                .unwrap()
                .push((item.cursor.number, told));
            Box::pin(async move { Ok(told.unwrap_or(Outcome::Unsupported)) })
        }
    }

    /// A line on which a certificate can be had, or not even an answer.
    enum Line {
        Holds,
        Breaks,
    }

    impl Renew for Line {
        async fn renew(&self) -> Option<Outcome> {
            match self {
                Self::Holds => Some(Outcome::Done),
                Self::Breaks => None,
            }
        }
    }

    fn items() -> Vec<Item> {
        let coupon = Some(CouponId::from_entropy([1; 16]));
        let kinds = [
            ("dance", None),
            ("ask_resend", None),
            ("renew", None),
            ("void_coupon", coupon),
        ];
        let items = kinds
            .into_iter()
            .zip(1..)
            .map(|((kind, coupon), number)| Item {
                cursor: Cursor {
                    number,
                    id: CommandId::from_entropy([2; 16]),
                },
                kind: kind.to_owned(),
                coupon,
                details: Details::default(),
            });
        items.collect()
    }

    /// What is settled with so much room on such a line, and how often hello is to be said again.
    async fn settled(room: usize, line: Line) -> (Vec<(u64, Option<Outcome>)>, u64) {
        let book: &'static Book = Box::leak(Box::default());
        *book.room.lock().unwrap() = room;
        let (hello_again, asked) = watch::channel(0);
        let commands = Commands {
            book: Box::new(book),
            hello_again,
        };
        let all = commands.deal_with(&items(), &line).await;
        let settled = book.settled.lock().unwrap().clone();
        assert_eq!(all.is_ok(), settled.len() == items().len());
        (settled, *asked.borrow())
    }

    const DONE: Option<Outcome> = Some(Outcome::Done);

    #[tokio::test]
    async fn commands_are_dealt_with_in_their_order_and_one_of_the_future_is_settled_too() {
        let expected = vec![(1, None), (2, DONE), (3, DONE), (4, None)];
        assert_eq!(settled(9, Line::Holds).await, (expected, 1));
    }

    #[tokio::test]
    async fn what_cannot_be_written_down_or_tried_holds_up_what_comes_after_it() {
        assert_eq!(settled(1, Line::Holds).await.0, [(1, None)]);
        let expected = [(1, None), (2, DONE)];
        assert_eq!(settled(9, Line::Breaks).await.0, expected);
    }
}
