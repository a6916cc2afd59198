//! The tap: a diner claims the offer they were shown.
//!
//! One decision on the journal's owner thread turns the tap into a coupon, or finds the coupon it already
//! is. The redirect to the coupon's page is sent only after the capture is on stable storage.

use std::sync::Arc;

use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde::Deserialize;

use super::State;
use super::diner;
use super::error::{Apology, not_kept};
use super::ledger::{Ledger, happening, only_say, write};
use super::visitor::Visitor;
use crate::domain::event::Event;
use crate::domain::ids::{CampaignId, CouponId, Issuer, TapId, TouchpointCode, Vid};
use crate::domain::offer::Occasion;
use crate::domain::wallet::{Coupon, Fresh, TapAsked, TapRefused, Tapped};
use crate::journal::Verdict;
use crate::ops::clock::Clock;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::Bundle;
use crate::wire::frame::BootTime;

#[derive(Debug, Deserialize)]
pub(super) struct ClaimForm {
    code: TouchpointCode,
    campaign: CampaignId,
    tap: TapId,
}

/// `POST /claim`
pub(super) async fn claim(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    form: Result<Form<ClaimForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let tap = Tap {
        form,
        vid: visitor.vid,
        bundle: state.bundle(),
        issuer: state.issuer,
        clock: Arc::clone(&state.clock),
        boot_time: state.boot_time(),
        fresh: fresh(),
    };
    match state.journal.commit(move |ledger| tap.decide(ledger)).await {
        Ok(Ok(held)) => {
            if held.is_new {
                metrics::count(metrics::CLAIMS);
            }
            let mut response = visitor.see_other(&format!("/c/{}", held.coupon));
            let cookie = diner::remembered(&state, held.vid);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Ok(Err(apology)) => {
            metrics::count(metrics::CLAIMS_REFUSED);
            apology.page(&visitor)
        }
        Err(error) => not_kept(&error).page(&visitor),
    }
}

/// Random bits for a coupon.
pub(super) fn fresh() -> Fresh {
    Fresh {
        coupon: random(),
        vid: random(),
        codes: std::array::from_fn(|_| u64::from_be_bytes(random())),
    }
}

/// A tap on its way to the owner thread.
struct Tap {
    form: ClaimForm,
    vid: Option<Vid>,
    bundle: Arc<Bundle>,
    issuer: Issuer,
    clock: Arc<dyn Clock>,
    boot_time: BootTime,
    fresh: Fresh,
}

/// The coupon that a tap holds, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) coupon: CouponId,
    pub(super) vid: Vid,
    /// It was claimed by this tap, and not by one before.
    pub(super) is_new: bool,
}

impl From<Coupon> for Held {
    fn from(coupon: Coupon) -> Self {
        Self {
            coupon: coupon.claim.coupon,
            vid: coupon.claim.vid,
            is_new: false,
        }
    }
}

impl Tap {
    fn decide(self, ledger: &Ledger) -> Verdict<Result<Held, Apology>> {
        let wallet = ledger.wallet();
        if let Some(coupon) = wallet.of_tap(self.form.tap) {
            // Before all else: a tap that was answered once has the same answer after its campaign is over.
            return only_say(Ok(Held::from(coupon)));
        }
        let found = self.bundle.touchpoint(self.form.code);
        let Some((folder, touchpoint)) = found.filter(|(_, place)| place.is_bound()) else {
            return only_say(Err(Apology::UnknownCode));
        };
        let Some(campaign) = self.bundle.campaign(&self.form.campaign) else {
            // Gone from the bundle since the page was shown.
            return only_say(Err(TapRefused::Closed.into()));
        };
        let now = self.clock.now();
        let asked = TapAsked {
            tap: self.form.tap,
            vid: self.vid,
            standing: ledger.members().standing(self.vid),
            occasion: Occasion::Offered,
            store: &folder.store,
            touchpoint,
            campaign,
            slice: self.bundle.slice(campaign),
            issuer: self.issuer,
            now,
            fresh: self.fresh,
        };
        match wallet.claim(&asked) {
            Err(refused) => only_say(Err(refused.into())),
            Ok(Tapped::Held(coupon)) => {
                let held = wallet.coupon(coupon).map(Held::from);
                only_say(held.ok_or(Apology::UnknownCoupon))
            }
            Ok(Tapped::New(claim)) => {
                let held = Held {
                    coupon: claim.coupon,
                    vid: claim.vid,
                    is_new: true,
                };
                let occurrence = happening(&folder.store, now, Event::Claim(*claim));
                write(self.boot_time, occurrence, Ok(held))
            }
        }
    }
}
