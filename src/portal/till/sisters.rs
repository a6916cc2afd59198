//! A coupon of another store at the till: headquarters is asked before anything is decided.
//!
//! Only such a coupon is worth a wait, of two seconds at most, and only where everything else is in order: it is
//! asked about last. What is then decided and written is decided on the journal's thread, with what headquarters
//! said. Whoever was told yes, or heard nothing, and is sure to have given nothing says so.

use super::redeem::{Asked, Outcome};
use crate::domain::wallet::{Presented, Said, Wallet};
use crate::ops::files::random;
use crate::ops::tasks::BoxFuture;
use crate::portal::State;
use crate::wire::link::{RedeemAnswer, RedeemQuestion, Unused};

/// The way to headquarters, which `cli` gives to the portal.
pub trait Sisters: Send + Sync {
    /// None where there is no answer in time.
    fn ask<'a>(&'a self, question: &'a RedeemQuestion) -> BoxFuture<'a, Option<RedeemAnswer>>;

    /// Nothing was given on what was asked.
    fn not_used(&self, unused: Unused);
}

/// What headquarters was asked, and said.
pub(super) struct Heard {
    question: Option<RedeemQuestion>,
    pub(super) said: Said,
}

/// Asks, where that could make a difference.
pub(super) async fn ask(state: &State, asked: &Asked) -> Heard {
    let question = question(&state.wallet.read(), asked);
    let answer = match (&question, &state.sisters) {
        (Some(question), Some(sisters)) => sisters.ask(question).await,
        (Some(_), None) | (None, _) => None,
    };
    Heard {
        said: answer.map_or(Said::Nothing, Said::from),
        question,
    }
}

/// What there is to ask about a coupon that a yes would make good.
fn question(wallet: &Wallet, asked: &Asked) -> Option<RedeemQuestion> {
    let Ok(presented @ Presented::Token(token)) = &asked.presented else {
        return None;
    };
    if token.store == asked.store {
        return None;
    }
    let at = (asked.store()?, asked.now());
    let redemption = asked.number(wallet)?;
    let redeem = asked
        .as_told(wallet, redemption, presented, at, &Said::Yes)
        .ok()?;
    Some(RedeemQuestion {
        redemption: redeem.redemption,
        coupon: redeem.coupon,
        campaign: redeem.campaign,
        home: redeem.home?.store,
        nonce: u32::from_be_bytes(random()),
    })
}

impl Heard {
    /// Has headquarters told where nothing was given.
    pub(super) fn settle(self, state: &State, outcome: Option<&Outcome>) {
        let unused = self.unused(&state.wallet.read(), outcome);
        if let (Some(unused), Some(sisters)) = (unused, &state.sisters) {
            sisters.not_used(unused);
        }
    }

    /// What is known to be unused: not where the outcome is open, nor where another till of this box has given
    /// the coupon meanwhile, because a box has one yes of headquarters for all its tills.
    fn unused(self, wallet: &Wallet, outcome: Option<&Outcome>) -> Option<Unused> {
        let question = self.question?;
        let is_given =
            matches!(outcome?, Outcome::Redeemed(_)) || wallet.is_redeemed(question.coupon);
        let is_refused = matches!(self.said, Said::Used { .. } | Said::Voided);
        (!is_given && !is_refused).then_some(Unused {
            redemption: question.redemption,
            coupon: question.coupon,
            nonce: question.nonce,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::redeem::No;
    use super::*;
    use crate::domain::event::{Event, Home, Moment, Occurrence, Redeem};
    use crate::domain::ids::{CampaignId, CouponId, DeviceId, RedemptionId, StaffName, StoreId};
    use crate::domain::wallet::TillRefused;

    const COUPON: CouponId = CouponId::from_entropy([5; 16]);

    fn home() -> StoreId {
        StoreId::parse("SZ03").unwrap()
    }

    /// One till has asked, and its guest gets a no.
    fn unused(wallet: &Wallet, said: Said, outcome: Option<&Outcome>) -> Option<Unused> {
        let question = RedeemQuestion {
            redemption: RedemptionId::from_entropy([2; 16]),
            coupon: COUPON,
            campaign: CampaignId::parse("quiet-hours").unwrap(),
            home: home(),
            nonce: 7,
        };
        let question = Some(question);
        Heard { question, said }.unused(wallet, outcome)
    }

    fn refused() -> Outcome {
        Outcome::Refused(No::Wallet(TillRefused::HeadquartersAway(home())))
    }

    #[test]
    fn what_was_asked_for_and_not_given_is_unused_by_the_number_of_its_question() {
        let wallet = Wallet::default();
        for said in [Said::Yes, Said::Nothing] {
            let unused = unused(&wallet, said, Some(&refused()));
            assert_eq!(unused.map(|unused| unused.nonce), Some(7));
        }
        assert_eq!(unused(&wallet, Said::Voided, Some(&refused())), None);
        let given = Outcome::Redeemed(None);
        assert_eq!(unused(&wallet, Said::Yes, Some(&given)), None);
    }

    #[test]
    fn nothing_is_said_of_a_commit_whose_outcome_is_open() {
        assert_eq!(unused(&Wallet::default(), Said::Yes, None), None);
    }

    #[test]
    fn nothing_is_said_of_a_coupon_that_another_till_of_the_box_has_given() {
        let mut wallet = Wallet::default();
        wallet.apply(&Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: Timestamp::UNIX_EPOCH,
                offset: jiff::tz::Offset::UTC,
            },
            event: Event::Redeem(Redeem {
                redemption: RedemptionId::from_entropy([1; 16]),
                coupon: COUPON,
                campaign: CampaignId::parse("quiet-hours").unwrap(),
                staff: StaffName::parse("xiaochen").unwrap(),
                device: DeviceId::from_entropy([1; 16]),
                vid: None,
                remember_until: Timestamp::UNIX_EPOCH,
                off_peak: false,
                origin: None,
                home: Some(Home {
                    store: home(),
                    provisional: false,
                }),
            }),
        });
        assert_eq!(unused(&wallet, Said::Yes, Some(&refused())), None);
    }
}
