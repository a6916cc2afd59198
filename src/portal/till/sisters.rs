//! A coupon of another store at the till: headquarters is asked before anything is decided.
//!
//! Only such a coupon is worth a wait, of two seconds at most, and only where everything else is in order: it is
//! asked about last. What is then decided and written is decided on the journal's thread, with what headquarters
//! said. Whoever was told yes, or heard nothing, and gave nothing says so.

use super::redeem::{Asked, Outcome};
use crate::domain::wallet::{Presented, Said, Wallet};
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
    })
}

impl Heard {
    /// Has headquarters told where nothing was given.
    pub(super) fn settle(self, state: &State, outcome: Option<&Outcome>) {
        let is_given = matches!(outcome, Some(Outcome::Redeemed(_)));
        let is_refused = matches!(self.said, Said::Used { .. } | Said::Voided);
        if let (Some(question), Some(sisters)) = (self.question, &state.sisters)
            && !is_given
            && !is_refused
        {
            sisters.not_used(Unused {
                redemption: question.redemption,
                coupon: question.coupon,
            });
        }
    }
}
