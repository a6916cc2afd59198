//! What this phone holds: every coupon that its cookie knows, the newest first, each with what became of it; the
//! tables it has booked; what its owner has agreed to, with a receipt; and the way to have all of it forgotten.
//!
//! A diner is a cookie here. A captive window keeps none, so a phone may hold a coupon that this page does not
//! know; the page says so, and the coupon's own address always works.

use std::cmp::Reverse;

use askama::Template;
use axum::Router;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

mod erase;
mod export;
mod own;
mod withdraw;

use super::State;
use super::book;
use super::coupon::on_the_wall;
use super::ledger::{Ledger, only_say};
use super::pages::{Shell, page, render};
use super::referral;
use super::texts::Texts;
use super::visitor::Visitor;
use crate::domain::ids::{CouponId, Vid};
use crate::domain::wallet::{Coupon, Wallet};
use crate::wire::bundle::Bundle;
use own::Own;

/// As many as fit the page's 14 KB; a diner has a handful.
const MOST_SHOWN: usize = 40;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(show))
        .route("/withdraw", post(withdraw::withdraw))
        .route("/erase", get(erase::ask).post(erase::erase))
        .route("/export", get(export::export))
}

/// `GET /me`
async fn show(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    let bundle = state.bundle();
    let held = match visitor.vid {
        Some(vid) => held(&state, vid).await,
        None => Vec::new(),
    };
    let own = Own::of(&state, visitor.vid).await;
    let store = state.own_store(&bundle).map(|folder| &folder.store);
    let shell = Shell::of(&visitor, store);
    let receipt = own.receipt.as_ref().map(|receipt| Agreed {
        words: receipt.consent.words.clone().unwrap_or_else(|| {
            let now = &bundle.policy.marketing;
            now.of(visitor.language).to_owned()
        }),
        at: match bundle.stores.get(&receipt.store) {
            Some(folder) => on_the_wall(&folder.store, receipt.at),
            None => receipt.at.to_string(),
        },
        version: format!(
            "{} · {}",
            receipt.consent.version, receipt.consent.words_hash
        ),
    });
    let rows = held
        .iter()
        .map(|held| held.row(&state, &bundle, &visitor, shell.t))
        .collect();
    let bookings = match visitor.vid {
        Some(vid) => book::lines(&state, &bundle, vid, visitor.language).await,
        None => Vec::new(),
    };
    let html = render(&MePage {
        rows,
        brings: referral::Deal::of(&state, &bundle).is_some(),
        bookings,
        receipt,
        coupons: own.coupons_in_words(shell.t),
        booked: own.bookings_in_words(shell.t),
        said: own.said_in_words(shell.t),
        is_empty: own.is_empty(),
        shell,
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// A coupon and what the wallet says of it.
struct Held {
    coupon: Coupon,
    redeemed_at: Option<jiff::Timestamp>,
    is_voided: bool,
}

/// The diner's coupons, once everything that was decided before is on stable storage.
async fn held(state: &State, vid: Vid) -> Vec<Held> {
    let read = move |wallet: &Wallet| -> Vec<Held> {
        let mut coupons = wallet.coupons_of(vid);
        coupons.sort_by_key(|coupon| Reverse(coupon.issued_at));
        coupons.truncate(MOST_SHOWN);
        let held = |coupon: Coupon| {
            let id = coupon.claim.coupon;
            Held {
                redeemed_at: wallet.used_at(id),
                is_voided: wallet.is_voided(id),
                coupon,
            }
        };
        coupons.into_iter().map(held).collect()
    };
    let look = move |ledger: &mut Ledger| only_say(read(&ledger.wallet()));
    match state.journal.commit(look).await {
        Ok(held) => held,
        // A journal that cannot write has rebuilt the wallet from what is on the disk.
        Err(_) => read(&state.wallet.read()),
    }
}

/// The diner's latest coupon that can be used, as sure as [`held`].
pub(super) async fn latest_usable(state: &State, vid: Vid) -> Option<Coupon> {
    let now = state.now();
    let look = move |ledger: &mut Ledger| only_say(ledger.wallet().latest_usable(vid, now));
    match state.journal.commit(look).await {
        Ok(coupon) => coupon,
        Err(_) => state.wallet.read().latest_usable(vid, now),
    }
}

impl Held {
    fn row(&self, state: &State, bundle: &Bundle, visitor: &Visitor, t: &Texts) -> Row {
        let claim = &self.coupon.claim;
        let now = state.now();
        let folder = bundle.stores.get(&self.coupon.store);
        let wall = |time| match folder {
            Some(folder) => on_the_wall(&folder.store, time),
            None => time.to_string(),
        };
        let (is_usable, standing) = match self.redeemed_at {
            Some(at) => (false, format!("{} {}", t.coupon.redeemed_at, wall(at))),
            None if self.is_voided => (false, t.coupon.voided.clone()),
            None if now > claim.not_after => (
                false,
                format!("{} {}", t.coupon.expired, wall(claim.not_after)),
            ),
            None if now < claim.not_before => (
                true,
                format!("{} {}", t.coupon.valid_from, wall(claim.not_before)),
            ),
            None => (
                true,
                format!("{} {}", t.coupon.valid_until, wall(claim.not_after)),
            ),
        };
        Row {
            id: claim.coupon,
            gift: claim.gift.of(visitor.language).to_owned(),
            store: folder.map(|folder| folder.store.name.of(visitor.language).to_owned()),
            is_usable,
            standing,
        }
    }
}

struct Row {
    id: CouponId,
    gift: String,
    store: Option<String>,
    is_usable: bool,
    standing: String,
}

#[derive(Template)]
#[template(path = "portal/me.html")]
struct MePage {
    shell: Shell,
    brings: bool,
    rows: Vec<Row>,
    bookings: Vec<book::Line>,
    receipt: Option<Agreed>,
    coupons: String,
    booked: String,
    said: String,
    is_empty: bool,
}

/// A receipt, in words.
struct Agreed {
    words: String,
    at: String,
    version: String,
}
