//! `POST /api/v1/redeem`: the till's decision, asked by a program.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Asked, Refusal, json};
use crate::domain::event::RefusalReason;
use crate::domain::ids::{CampaignId, CouponId, RedemptionId};
use crate::domain::store::Store;
use crate::domain::text::Text;
use crate::domain::wallet::{Redemption, TillRefused};
use crate::ops::metrics;
use crate::portal::State;
use crate::portal::coupon::on_the_wall;
use crate::portal::join::fresh;
use crate::portal::till::redeem::{self as till, No, Outcome};
use crate::wire::bundle::Bundle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: String,
    code: String,
}

#[derive(Serialize)]
struct Answer {
    redemption: RedemptionId,
    coupon: CouponId,
    campaign: CampaignId,
    #[serde(skip_serializing_if = "Option::is_none")]
    gift: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

pub(super) async fn redeem(
    Extract(state): Extract<State>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let question: Question = asked.read()?;
    let is_id = (1..=64).contains(&question.id.len()) && question.id.bytes().all(is_visible);
    if !is_id {
        let message = "an id is 1 to 64 visible ASCII characters";
        return Err(Refusal::bad("bad_id", message));
    }
    let bundle = state.bundle();
    let folder = state.own_store(&bundle).ok_or_else(Refusal::not_ready)?;
    let redemption = asked.pos.redemption(&folder.store.id, &question.id);
    let decision = till::Asked {
        presented: till::read(&question.code, &state, &bundle),
        redemption,
        // Its number is its own to keep apart.
        spare: None,
        staff: asked.pos.name.clone(),
        device: asked.pos.device(),
        store: folder.store.id.clone(),
        bundle: Arc::clone(&bundle),
        clock: Arc::clone(&state.clock),
        boot_time: state.boot_time(),
        issuer: state.issuer,
        fresh: fresh(),
    };
    let decided = till::settle(&state, decision)
        .await
        .map_err(|error| Refusal::not_kept(&error))?;
    match decided {
        Outcome::Redeemed(gift) => {
            metrics::count(metrics::REDEMPTIONS);
            let done = state.wallet.read().redemption_by_id(redemption);
            // Taken back in the same instant: it was done, and now it is not.
            let done = done.ok_or_else(|| no("unknown_redemption", "it was taken back at once"))?;
            Ok(json(StatusCode::OK, &answer(&state, &bundle, done, gift)))
        }
        Outcome::Refused(why) => {
            metrics::count(metrics::REDEMPTIONS_REFUSED);
            Err(refusal(why, &folder.store))
        }
        Outcome::None | Outcome::Undone(_) | Outcome::NeedsManager(_) | Outcome::Noted(_) => {
            Err(Refusal::not_ready())
        }
    }
}

const fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

fn answer(state: &State, bundle: &Bundle, done: Redemption, gift: Option<Text>) -> Answer {
    let coupon = state.wallet.read().coupon(done.redeem.coupon);
    let place = coupon.and_then(|coupon| {
        let (_, touchpoint) = bundle.touchpoint(coupon.claim.touchpoint)?;
        Some(touchpoint.label.clone())
    });
    Answer {
        redemption: done.redeem.redemption,
        coupon: done.redeem.coupon,
        campaign: done.redeem.campaign,
        gift,
        place,
    }
}

fn no(code: &'static str, message: &str) -> Refusal {
    Refusal::no(code, message)
}

fn refusal(why: No, store: &Store) -> Refusal {
    let at = |words: &str, time: Timestamp| format!("{words} {}", on_the_wall(store, time));
    match why {
        No::Wait => Refusal::wait("five unknown codes within a minute; a scanned QR never waits"),
        No::NumberUsed => no(
            "id_used",
            "this id stands for another coupon, or for what was taken back",
        ),
        No::Unreadable(RefusalReason::BadToken) => {
            no("bad_token", "not a coupon of this chain, or damaged")
        }
        No::Unreadable(RefusalReason::OtherChain) => no("other_chain", "a coupon of another chain"),
        No::Unreadable(_) | No::Wallet(TillRefused::UnknownCode) => {
            no("unknown_code", "there is no such coupon")
        }
        No::Wallet(TillRefused::AskForQr) => {
            no("street_code", "claimed on the street: scan its QR")
        }
        No::Wallet(TillRefused::OtherStore(other)) => {
            no("other_store", &format!("a coupon of store {other}"))
        }
        No::Wallet(TillRefused::HeadquartersAway(home)) => {
            let message = format!("of store {home}, and headquarters cannot be asked now");
            no("headquarters_away", &message)
        }
        No::Wallet(TillRefused::UsedElsewhere {
            store: other,
            at: time,
        }) => {
            let words = format!("already used in store {other} at");
            no("used_elsewhere", &at(&words, time))
        }
        No::Wallet(TillRefused::AlreadyRedeemed(time)) => {
            no("already_redeemed", &at("already used at", time))
        }
        No::Wallet(TillRefused::Voided) => no("voided", "withdrawn by headquarters"),
        No::Wallet(TillRefused::NotYet(time)) => no("not_yet_valid", &at("it begins at", time)),
        No::Wallet(TillRefused::Expired(time)) => no("expired", &at("it ended at", time)),
        No::Wallet(TillRefused::OutsideHours) => no("outside_hours", "outside the hours it is for"),
    }
}
