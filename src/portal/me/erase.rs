//! Being forgotten: a page that says what goes and what stays, and one tap on it.
//!
//! What the diner asks is one frame: that they asked, the agreement that ends with it, and the last of the coupons
//! that they want void; the others of these are void in frames before it, as many as they need. It empties this
//! box's books of them at once, and travels to headquarters as every frame does.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::own::Own;
use crate::domain::event::{Consent, EraseRequested, Event};
use crate::domain::ids::{StoreId, Vid};
use crate::journal::Verdict;
use crate::ops::clock::Clock;
use crate::ops::files::random;
use crate::portal::State;
use crate::portal::book::move_up;
use crate::portal::cookie::{DINER, clear};
use crate::portal::error::{Apology, not_kept};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, only_say, write_all};
use crate::portal::pages::{MessagePage, Shell, page, render};
use crate::portal::visitor::Visitor;
use crate::wire::bundle::Bundle;
use crate::wire::frame::BootTime;

/// With the longest ids they fit a small box's frame.
const MOST_VOIDED: usize = 8;

#[derive(Debug, Deserialize)]
pub(super) struct EraseForm {
    coupons: Coupons,
}

/// What becomes of coupons that can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Coupons {
    Keep,
    Void,
}

/// `GET /me/erase`
pub(super) async fn ask(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    let own = Own::of(&state, visitor.vid).await;
    if visitor.vid.is_none() {
        return said(&state, &visitor, Became::Nothing);
    }
    let bundle = state.bundle();
    let store = state.own_store(&bundle).map(|folder| &folder.store);
    let shell = Shell::of(&visitor, store);
    let html = render(&ErasePage {
        coupons: own.coupons_in_words(shell.t),
        booked: own.bookings_in_words(shell.t),
        said: own.said_in_words(shell.t),
        shell,
    });
    let response = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), response).into_response()
}

/// `POST /me/erase`
pub(super) async fn erase(
    Extract(state): Extract<State>,
    visitor: Visitor,
    form: Result<Form<EraseForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let Some(vid) = visitor.vid else {
        return said(&state, &visitor, Became::Nothing);
    };
    let wish = Wish {
        vid,
        coupons: form.coupons,
        instead: Vid::from_entropy(random()),
        bundle: state.bundle(),
        own: state
            .own_store(&state.bundle())
            .map(|folder| folder.store.id.clone()),
        clock: Arc::clone(&state.clock),
        boot_time: state.boot_time(),
    };
    let outcome = loop {
        let wish = wish.clone();
        let decided = state.journal.commit(move |ledger| wish.decide(ledger));
        match decided.await {
            // Where it ends here, they ask again, and what is void stays so.
            Ok(None) => {}
            Ok(Some(became)) => break Ok(became),
            Err(error) => break Err(error),
        }
    };
    match outcome {
        Ok(became) => {
            move_up(&state).await;
            let mut response = said(&state, &visitor, became);
            response.headers_mut().append(SET_COOKIE, clear(DINER));
            response
        }
        Err(error) => not_kept(&error).page(&visitor),
    }
}

/// What a request to be forgotten comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Erased,
    Nothing,
}

/// On its way to the owner thread.
#[derive(Clone)]
struct Wish {
    vid: Vid,
    coupons: Coupons,
    instead: Vid,
    bundle: Arc<Bundle>,
    own: Option<StoreId>,
    clock: Arc<dyn Clock>,
    boot_time: BootTime,
}

impl Wish {
    /// None where there are more coupons than one frame holds: some are void then, and it is to be asked again.
    fn decide(self, ledger: &mut Ledger) -> Verdict<Option<Became>> {
        let own = Own::in_ledger(ledger, self.vid);
        // Where a street gateway speaks for many stores, the one that the diner was in last.
        let latest = own.coupons.iter().max_by_key(|coupon| coupon.issued_at);
        let here = self.own.as_ref().or_else(|| Some(&latest?.store));
        let folder = here.and_then(|store| self.bundle.stores.get(store));
        let Some(folder) = folder.or_else(|| self.bundle.stores.values().next()) else {
            return only_say(Some(Became::Nothing));
        };
        let now = self.clock.now();
        let wallet = ledger.wallet();
        let mut voided: Vec<_> = own
            .coupons
            .iter()
            .filter(|_| self.coupons == Coupons::Void)
            .filter(|coupon| coupon.claim.not_after > now && !wallet.is_voided(coupon.claim.coupon))
            .filter_map(|coupon| wallet.void(coupon.claim.coupon, now))
            .map(Event::CouponVoided)
            .collect();
        if voided.len() > MOST_VOIDED {
            voided.truncate(MOST_VOIDED);
            return write_all(self.boot_time, (&folder.store, now), voided, None);
        }
        let withdrawn = own.receipt.iter().map(|receipt| {
            Event::ConsentWithdrawn(Consent {
                words: None,
                ..receipt.consent.clone()
            })
        });
        // Also where nothing is held here: another box, or headquarters, may hold something.
        let asked = Event::EraseRequested(EraseRequested {
            vid: self.vid,
            instead: self.instead,
            passed_on: false,
        });
        let became = match own.is_empty() {
            true => Became::Nothing,
            false => Became::Erased,
        };
        let events: Vec<_> = voided.into_iter().chain(withdrawn).chain([asked]).collect();
        write_all(self.boot_time, (&folder.store, now), events, Some(became))
    }
}

fn said(state: &State, visitor: &Visitor, became: Became) -> Response {
    let bundle = state.bundle();
    let store = state.own_store(&bundle).map(|folder| &folder.store);
    let shell = Shell::of(visitor, store);
    let t = &shell.t.own;
    let (title, text) = match became {
        Became::Erased => (&t.erased_title, &t.erased_text),
        Became::Nothing => (&t.nothing_title, &t.nothing_text),
    };
    let html = render(&MessagePage {
        title,
        text,
        back: None,
        shell,
    });
    page(StatusCode::OK, visitor.packing, html)
}

#[derive(Template)]
#[template(path = "portal/erase.html")]
struct ErasePage {
    shell: Shell,
    coupons: String,
    booked: String,
    said: String,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::domain::event::Claim;
    use crate::domain::ids::{
        CampaignId, CouponId, FramePlace, Issuer, ShortCode, StreamId, TapId, TouchpointCode,
    };
    use crate::domain::text::Text;
    use crate::journal::{Book, Profile};
    use crate::ops::clock::TestClock;
    use crate::ops::files::read_tree;

    const GUEST: Vid = Vid::from_entropy([0x5a; 16]);

    fn claim(n: u8, now: Timestamp) -> Event {
        Event::Claim(Claim {
            coupon: CouponId::from_entropy([n; 16]),
            code: ShortCode::from_entropy(u64::from(n), 4, Issuer::Store),
            campaign: CampaignId::parse("quiet-hours").unwrap(),
            touchpoint: TouchpointCode::from_entropy(7),
            tap: TapId::from_entropy([n; 16]),
            vid: GUEST,
            not_before: now,
            not_after: now + SignedDuration::from_hours(24),
            gift: Text::new("凉拌黄瓜", "cucumber salad"),
            remember_until: now + SignedDuration::from_hours(48),
            off_peak: false,
            given: false,
        })
    }

    #[test]
    fn however_many_coupons_somebody_holds_all_are_void_and_each_frame_fits_a_small_box() {
        let chain = Path::new("tests/fixtures/chain");
        let bundle = Bundle::from_folder(&read_tree(chain).unwrap()).unwrap();
        let own = StoreId::parse("SZ01").unwrap();
        let store = bundle.stores[&own].store.clone();
        let now = "2026-12-01T07:30:00Z".parse().unwrap();
        let (mut ledger, ..) = Ledger::new(Some(own.clone()));
        let boot_time = BootTime { boot: 1, millis: 2 };
        let mut at = FramePlace {
            stream: StreamId::from_time_and_entropy(1, [1; 10]),
            seq: 0,
        };
        let mut keep = |ledger: &mut Ledger, body: Vec<u8>| {
            assert!(
                body.len() <= Profile::Small.max_body_bytes(),
                "{}",
                body.len()
            );
            at.seq += 1;
            ledger.apply(at, &body);
        };
        for n in 1..=20 {
            let written = write_all(boot_time, (&store, now), [claim(n, now)], ());
            keep(&mut ledger, written.body.unwrap());
        }
        let wish = Wish {
            vid: GUEST,
            coupons: Coupons::Void,
            instead: Vid::from_entropy([0x77; 16]),
            bundle: Arc::new(bundle),
            own: Some(own),
            clock: Arc::new(TestClock::at(now)),
            boot_time,
        };
        let mut frames = 0;
        let became = loop {
            let verdict = wish.clone().decide(&mut ledger);
            keep(&mut ledger, verdict.body.unwrap());
            frames += 1;
            if let Some(became) = verdict.answer {
                break became;
            }
        };
        assert_eq!((became, frames), (Became::Erased, 3));
        let wallet = ledger.wallet();
        assert!(!wallet.knows(GUEST));
        for n in 1..=20 {
            assert!(
                wallet.is_voided(CouponId::from_entropy([n; 16])),
                "coupon {n}"
            );
        }
    }
}
