//! A diner's coupon: its code, its QR, what it is for and until when; and the optional box below it.

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::State;
use super::doors::Doors;
use super::error::{Apology, not_kept};
use super::feedback::is_bound;
use super::invite;
use super::ledger::{Ledger, happening, only_say, write};
use super::pages::{MessagePage, Shell, page, render};
use super::referral;
use super::visitor::Visitor;
use crate::domain::calendar::day_and_clock;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Consent, Event, Purpose};
use crate::domain::ids::{CouponId, TouchpointCode};
use crate::domain::store::{Store, TouchpointKind};
use crate::domain::text::{Language, Text};
use crate::domain::wallet::{Coupon, TokenClaims};
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::Bundle;
use crate::wire::qr::{Correction, Symbol};
use crate::wire::token;

/// What a receipt can hold of the words that were shown: twice what a box beside a tick may say.
const MOST_BYTES_OF_WORDS: usize = 900;

/// `GET /c/{coupon id}`
pub(super) async fn show(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    id: Result<Path<CouponId>, PathRejection>,
) -> Response {
    let bundle = state.bundle();
    let Some(coupon) = find(&state, id).await else {
        return Apology::UnknownCoupon.page(&visitor);
    };
    let Some(folder) = bundle.stores.get(&coupon.store) else {
        return Apology::UnknownCoupon.page(&visitor);
    };
    let html = draw(&state, &bundle, &folder.store, &coupon, &visitor);
    let response = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), response).into_response()
}

/// The coupon, once everything that was decided before is on stable storage: what this shows is a promise.
pub(super) async fn find(
    state: &State,
    id: Result<Path<CouponId>, PathRejection>,
) -> Option<Coupon> {
    let Path(id) = id.ok()?;
    let look = move |ledger: &mut Ledger| only_say(known(ledger, id));
    match state.journal.commit(look).await {
        Ok(found) => found,
        // A journal that cannot write has rebuilt the wallet from what is on the disk.
        Err(_) => state.wallet.read().coupon(id),
    }
}

/// A coupon, and whether its holder has agreed, on whichever coupon's page that was.
fn known(ledger: &Ledger, id: CouponId) -> Option<Coupon> {
    let mut coupon = ledger.wallet().coupon(id)?;
    coupon.consented |= ledger.agreements().of(coupon.claim.vid).is_some();
    Some(coupon)
}

fn draw(
    state: &State,
    bundle: &Bundle,
    store: &Store,
    coupon: &Coupon,
    visitor: &Visitor,
) -> String {
    let language = visitor.language;
    let claim = &coupon.claim;
    let campaign = bundle.campaign(&claim.campaign);
    let hours = campaign
        .filter(|campaign| campaign.validity.windows_apply)
        .map(|campaign| {
            let windows = campaign.windows.iter();
            let words: Vec<_> = windows.map(|window| window.in_words(language)).collect();
            words.join(", ")
        })
        .filter(|words| !words.is_empty());
    let from_the_wifi = bundle
        .touchpoint(claim.touchpoint)
        .is_some_and(|(_, place)| place.kind == TouchpointKind::Wifi);
    let guest = state.guest(visitor);
    let code = claim.code.as_str();
    render(&CouponPage {
        shell: Shell::of(visitor, Some(store)),
        id: claim.coupon,
        touchpoint: Some(claim.touchpoint).filter(|code| is_bound(bundle, *code)),
        gift: claim.gift.of(language),
        code,
        spelled: spelled(code),
        from: (state.now() < claim.not_before).then(|| on_the_wall(store, claim.not_before)),
        until: on_the_wall(store, claim.not_after),
        hours,
        terms: campaign.map(|campaign| campaign.terms.of(language)),
        standing: standing(state, store, campaign, coupon, language),
        invitations: invite::offered(bundle, store, campaign, visitor),
        brings: referral::Deal::of(state, bundle).is_some(),
        is_away: state.is_away(),
        is_passing: visitor.environment.is_passing(),
        consented: coupon.consented,
        consent_words: bundle.policy.marketing.of(language),
        tap: state.tap_for(guest.as_ref()).to_string(),
        doors: from_the_wifi
            .then_some(guest)
            .flatten()
            .and_then(|guest| state.doors(bundle, &guest)),
    })
}

/// A code for a screen reader, which would read "7K3F" as a word.
pub(super) fn spelled(code: &str) -> String {
    code.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

/// What has become of a coupon.
pub(super) enum Standing {
    /// `token` is the text of the QR, for a scanner that reads pages instead of pictures.
    Live {
        qr: String,
        token: String,
    },
    Redeemed {
        at: String,
    },
    Expired,
    Voided,
}

impl Standing {
    /// Whether its page may speak of anything else.
    const fn invites(&self) -> bool {
        matches!(self, Self::Live { .. } | Self::Redeemed { .. })
    }
}

pub(super) fn standing(
    state: &State,
    store: &Store,
    rules: Option<&Campaign>,
    coupon: &Coupon,
    language: Language,
) -> Standing {
    let claim = &coupon.claim;
    if let Some(at) = state.wallet.read().used_at(claim.coupon) {
        let at = on_the_wall(store, at);
        return Standing::Redeemed { at };
    }
    if state.wallet.read().is_voided(claim.coupon) {
        return Standing::Voided;
    }
    if state.now() > claim.not_after {
        return Standing::Expired;
    }
    let claims = TokenClaims {
        coupon: claim.coupon,
        campaign: claim.campaign.clone(),
        store: coupon.store.clone(),
        not_before: claim.not_before,
        not_after: claim.not_after,
        cap_fen: rules.map_or(0, |campaign| campaign.validity.cap_fen()),
    };
    let token = token::issue(&claims, &state.keys.coupon);
    let symbol = Symbol::of(&token, Correction::Medium)
        .expect("a token is some 250 characters and a symbol holds thousands");
    Standing::Live {
        qr: symbol.svg(claim.gift.of(language)),
        token,
    }
}

/// A time as the clock on the store's wall showed it.
pub(super) fn on_the_wall(store: &Store, time: Timestamp) -> String {
    day_and_clock(store.local(time))
}

#[derive(Debug, Deserialize)]
pub(super) struct ConsentForm {
    #[serde(default)]
    marketing: Option<String>,
}

/// `POST /c/{coupon id}/consent`: the box is ticked, or an agreement is taken back.
pub(super) async fn consent(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    id: Result<Path<CouponId>, PathRejection>,
    form: Result<Form<ConsentForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let bundle = state.bundle();
    let Some(coupon) = find(&state, id).await else {
        return Apology::UnknownCoupon.page(&visitor);
    };
    let Some(store) = bundle.stores.get(&coupon.store) else {
        return Apology::UnknownCoupon.page(&visitor);
    };
    let wanted = form.marketing.is_some();
    let consent = Consent {
        vid: coupon.claim.vid,
        coupon: coupon.claim.coupon,
        purpose: Purpose::Marketing,
        version: bundle.policy.version,
        words_hash: bundle.policy.marketing_hash(),
        words: wanted.then(|| shown(&bundle.policy.marketing, visitor.language)),
    };
    let event = if wanted {
        Event::ConsentGiven(consent)
    } else {
        Event::ConsentWithdrawn(consent)
    };
    let occurrence = happening(&store.store, state.now(), event);
    let boot_time = state.boot_time();
    let id = coupon.claim.coupon;
    let kept = state
        .journal
        .commit(move |ledger| {
            let stands = known(ledger, id).map(|coupon| coupon.consented);
            // Sent twice, or nothing ticked and nothing to take back: nothing has happened.
            if stands == Some(wanted) {
                only_say(())
            } else {
                write(boot_time, occurrence, ())
            }
        })
        .await;
    match kept {
        Ok(()) => visitor.see_other(&format!("/c/{id}")),
        Err(error) => not_kept(&error).page(&visitor),
    }
}

/// Words as they stood on the page, as far as they fit a frame of a small box.
fn shown(words: &Text, language: Language) -> String {
    let words = words.of(language);
    let end = words.floor_char_boundary(MOST_BYTES_OF_WORDS);
    words[..end].to_owned()
}

/// `GET /notice`
pub(super) async fn notice(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
) -> Response {
    let bundle = state.bundle();
    let store = state.own_store(&bundle).map(|folder| &folder.store);
    let shell = Shell::of(&visitor, store);
    let html = render(&MessagePage {
        title: &shell.t.common.privacy_title,
        text: bundle.policy.notice.of(visitor.language),
        back: None,
        shell,
    });
    let response = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), response).into_response()
}

#[derive(Template)]
#[template(path = "portal/coupon.html")]
struct CouponPage<'a> {
    shell: Shell,
    id: CouponId,
    /// None where its sticker was taken off since then.
    touchpoint: Option<TouchpointCode>,
    gift: &'a str,
    code: &'a str,
    spelled: String,
    /// Where it is not good yet.
    from: Option<String>,
    until: String,
    hours: Option<String>,
    terms: Option<&'a str>,
    standing: Standing,
    invitations: Vec<invite::Offered<'a>>,
    /// A gift for whoever brings a friend, and for the friend.
    brings: bool,
    is_away: bool,
    /// The window forgets.
    is_passing: bool,
    consented: bool,
    consent_words: &'a str,
    /// For the doors.
    tap: String,
    doors: Option<Doors>,
}
