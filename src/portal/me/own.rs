//! Everything that this box holds of one diner. Whatever keeps more of a person adds it here, and is shown, handed
//! over and forgotten with the rest.

use serde::Serialize;

use crate::domain::booking::Booking;
use crate::domain::consent::Receipt;
use crate::domain::feedback::inbox::Request;
use crate::domain::ids::Vid;
use crate::domain::wallet::Coupon;
use crate::portal::State;
use crate::portal::ledger::{Ledger, only_say};
use crate::portal::texts::Texts;

/// As a diner may take it along.
#[derive(Debug, Default, Serialize)]
pub(super) struct Own {
    pub(super) coupons: Vec<Coupon>,
    #[serde(rename = "agreement")]
    pub(super) receipt: Option<Receipt>,
    pub(super) bookings: Vec<Booking>,
    /// Card, VIP, group, birthday and visits, as this box keeps them.
    pub(super) member: Option<String>,
    /// Their code of today, and the coupons that friends got by their codes, as this box keeps them.
    pub(super) referrals: Vec<String>,
    /// Calls, ratings and words of the last days. What staff answered is theirs.
    pub(super) said: Vec<Request>,
}

impl Own {
    /// Of whoever brings the cookie, once everything that was decided before is on stable storage. Nothing where
    /// the journal cannot tell.
    pub(super) async fn of(state: &State, vid: Option<Vid>) -> Self {
        let Some(vid) = vid else {
            return Self::default();
        };
        let look = move |ledger: &mut Ledger| only_say(Self::in_ledger(ledger, vid));
        state.journal.commit(look).await.unwrap_or_default()
    }

    pub(super) fn in_ledger(ledger: &Ledger, vid: Vid) -> Self {
        Self {
            coupons: ledger.wallet().coupons_of(vid),
            receipt: ledger.agreements().of(vid).cloned(),
            bookings: ledger
                .bookings()
                .of_diner(vid)
                .into_iter()
                .cloned()
                .collect(),
            member: ledger.members().written(vid),
            referrals: ledger.referrals().written(vid),
            said: ledger
                .inbox()
                .of_diner(vid)
                .map(|request| Request {
                    answers: Vec::new(),
                    ..request.clone()
                })
                .collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.coupons.is_empty()
            && self.receipt.is_none()
            && self.bookings.is_empty()
            && self.member.is_none()
            && self.referrals.is_empty()
            && self.said.is_empty()
    }

    pub(super) fn coupons_in_words(&self, t: &Texts) -> String {
        t.own
            .coupons
            .replace("{n}", &self.coupons.len().to_string())
    }

    /// Tables and tastings that were booked, the member's card, and friends.
    pub(super) fn bookings_in_words(&self, t: &Texts) -> String {
        let bookings = t
            .own
            .bookings
            .replace("{n}", &self.bookings.len().to_string());
        let member = self.member.as_ref().map(|_| &t.own.member);
        let friends = (!self.referrals.is_empty()).then_some(&t.own.referral);
        let more = member.into_iter().chain(friends);
        more.fold(bookings, |all, one| format!("{all} · {one}"))
    }

    pub(super) fn said_in_words(&self, t: &Texts) -> String {
        t.own.said.replace("{n}", &self.said.len().to_string())
    }
}
