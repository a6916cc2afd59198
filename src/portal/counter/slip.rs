//! A coupon on paper, for a guest without a smartphone: staff choose the table and the offer, and print it.
//!
//! It is a claim like any other, for a person nobody has seen before; every limit holds but the one of a device's
//! own cookie. A second event (40) in the same frame says who issued it. The same form sent twice is one slip.

use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::domain::calendar::day_and_clock;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, SlipIssued};
use crate::domain::ids::{CampaignId, CouponId, StaffName, TapId, TouchpointCode};
use crate::domain::offer::{Diner, Occasion, Place, is_open_to};
use crate::domain::text::Language;
use crate::domain::wallet::{Fresh, TapAsked, TapRefused, Tapped};
use crate::journal::Verdict;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::State;
use crate::portal::coupon::{self, Standing};
use crate::portal::error::{Apology, not_kept};
use crate::portal::form::{Form, FormRejection};
use crate::portal::join::fresh;
use crate::portal::ledger::{Ledger, only_say, write_all};
use crate::portal::pages::{LanguageLink, Shell, render, scripted, see_other};
use crate::portal::place;
use crate::portal::texts::{Slip as Words, texts};
use crate::portal::till::{SignedIn, script};
use crate::portal::visitor::Visitor;
use crate::wire::bundle::{Bundle, StoreFolder};

/// `GET /counter/slip`
pub(super) async fn ask(
    Extract(state): Extract<State>,
    SignedIn { visitor, .. }: SignedIn,
) -> Response {
    ask_page(&state, &visitor, None)
}

#[derive(Debug, Deserialize)]
pub(super) struct SlipForm {
    code: TouchpointCode,
    campaign: CampaignId,
    tap: TapId,
}

/// `POST /counter/slip`
pub(super) async fn issue(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
    form: Result<Form<SlipForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let fresh = fresh();
    let (on_thread, bundle) = (state.clone(), state.bundle());
    let (code, campaign) = (form.code, form.campaign.clone());
    let decide =
        move |ledger: &mut Ledger| decide(&on_thread, &bundle, ledger, &form, staff, fresh);
    match state.journal.commit(decide).await {
        Ok(Ok(coupon)) => {
            metrics::count(metrics::CLAIMS);
            see_other(&format!("/counter/slip/{coupon}"))
        }
        Ok(Err(refused)) => {
            metrics::count(metrics::CLAIMS_REFUSED);
            let typed = Typed {
                code,
                campaign,
                refused,
            };
            ask_page(&state, &visitor, Some(typed))
        }
        Err(error) => not_kept(&error).page(&visitor),
    }
}

fn decide(
    state: &State,
    bundle: &Bundle,
    ledger: &Ledger,
    form: &SlipForm,
    staff: StaffName,
    fresh: Fresh,
) -> Verdict<Result<CouponId, TapRefused>> {
    let wallet = ledger.wallet();
    let own = state.own_store(bundle);
    let found = own.and_then(|folder| Some((folder, folder.touchpoints.get(&form.code)?)));
    let found = found.filter(|(_, place)| place.is_bound());
    let Some(((folder, touchpoint), campaign)) = found.zip(bundle.campaign(&form.campaign)) else {
        // Gone from the bundle since the page was shown.
        return only_say(Err(TapRefused::Closed));
    };
    let now = state.now();
    let asked = TapAsked {
        tap: form.tap,
        vid: None,
        standing: Diner::default().standing,
        occasion: Occasion::Offered,
        store: &folder.store,
        touchpoint,
        campaign,
        slice: bundle.slice(campaign),
        issuer: state.issuer,
        now,
        fresh,
    };
    match wallet.claim(&asked) {
        Err(refused) => only_say(Err(refused)),
        Ok(Tapped::Held(coupon)) => only_say(Ok(coupon)),
        Ok(Tapped::New(claim)) => {
            let coupon = claim.coupon;
            let by_hand = SlipIssued {
                coupon,
                campaign: claim.campaign.clone(),
                staff,
            };
            let events = [Event::Claim(*claim), Event::SlipIssued(by_hand)];
            write_all(state.boot_time(), (&folder.store, now), events, Ok(coupon))
        }
    }
}

/// What was chosen, and why it gave nothing.
struct Typed {
    code: TouchpointCode,
    campaign: CampaignId,
    refused: TapRefused,
}

/// One choice of a list.
struct Choice {
    value: String,
    label: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "portal/slip_ask.html")]
struct AskPage<'a> {
    shell: Shell,
    store: &'a str,
    places: Vec<Choice>,
    offers: Vec<Choice>,
    fault: Option<&'a str>,
    tap: TapId,
}

fn ask_page(state: &State, visitor: &Visitor, typed: Option<Typed>) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(visitor);
    };
    let language = visitor.language;
    let t = texts(language);
    let fault = typed.as_ref().map(|typed| why(typed.refused, &t.slip));
    let bound = folder.touchpoints.values().filter(|place| place.is_bound());
    let mut places: Vec<_> = bound.collect();
    // As they stand in the shop and not as their codes are.
    places.sort_by_key(|place| (place.kind, &place.label));
    let html = render(&AskPage {
        shell: Shell::new(
            language,
            LanguageLink::At("/counter/slip"),
            Some(&folder.store),
        ),
        store: folder.store.name.of(language),
        places: places
            .into_iter()
            .map(|place| Choice {
                value: place.code.to_string(),
                label: place::in_words(place, language),
                is_chosen: typed.as_ref().is_some_and(|typed| typed.code == place.code),
            })
            .collect(),
        offers: offers(state, &bundle, folder, language, typed.as_ref()),
        fault,
        tap: TapId::from_entropy(random()),
    });
    let status = typed.map_or(StatusCode::OK, |_| StatusCode::CONFLICT);
    let answer = scripted(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// The offers that somebody new could claim now, anywhere in the store.
fn offers(
    state: &State,
    bundle: &Bundle,
    folder: &StoreFolder,
    language: Language,
    typed: Option<&Typed>,
) -> Vec<Choice> {
    let store = &folder.store;
    let local = store.local(state.now());
    let kinds: Vec<_> = folder
        .touchpoints
        .values()
        .map(|place| place.kind)
        .collect();
    let open = bundle.campaigns.values().filter(|campaign| {
        kinds.iter().any(|kind| {
            let place = Place {
                store,
                kind: *kind,
                local,
            };
            is_open_to(campaign, place, Diner::default())
        })
    });
    let choice = |campaign: &Campaign| Choice {
        value: campaign.id.to_string(),
        label: campaign.offer.gift.name(language),
        is_chosen: typed.is_some_and(|typed| typed.campaign == campaign.id),
    };
    open.map(choice).collect()
}

fn why(refused: TapRefused, t: &Words) -> &str {
    match refused {
        TapRefused::Closed | TapRefused::Stopped => &t.closed,
        TapRefused::TableIsDone => &t.table_done,
        TapRefused::StoreIsDone | TapRefused::CampaignIsDone => &t.used_up,
        TapRefused::NoCodeLeft => &t.no_code,
    }
}

/// How wide the paper is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Paper {
    #[serde(default)]
    width: Option<u16>,
}

#[derive(Template)]
#[template(path = "portal/slip.html")]
struct SlipPage<'a> {
    shell: Shell,
    store: &'a str,
    id: CouponId,
    /// In millimetres.
    width: u16,
    gift: &'a str,
    code: &'a str,
    qr: String,
    place: Option<&'a str>,
    until: String,
    terms: Option<&'a str>,
    script: &'static str,
}

/// `GET /counter/slip/{coupon id}`
pub(super) async fn show(
    Extract(state): Extract<State>,
    SignedIn { visitor, .. }: SignedIn,
    id: Result<Path<CouponId>, PathRejection>,
    paper: Result<Query<Paper>, QueryRejection>,
) -> Response {
    let bundle = state.bundle();
    let coupon = coupon::find(&state, id).await;
    let home = coupon.as_ref().map(|coupon| &coupon.store);
    let found = home.and_then(|home| bundle.stores.get(home));
    let Some((coupon, folder)) = coupon.as_ref().zip(found) else {
        return Apology::UnknownCoupon.page(&visitor);
    };
    let language = visitor.language;
    let Standing::Live { qr, .. } = coupon::standing(
        &state,
        &folder.store,
        bundle.campaign(&coupon.claim.campaign),
        coupon,
        language,
    ) else {
        // Used, over or void: paper would only disappoint.
        return see_other(&format!("/c/{}", coupon.claim.coupon));
    };
    let claim = &coupon.claim;
    let place = bundle.touchpoint(claim.touchpoint);
    let html = render(&SlipPage {
        shell: Shell::new(language, visitor.language_link(), Some(&folder.store)),
        store: folder.store.name.of(language),
        id: claim.coupon,
        width: match paper.map(|Query(paper)| paper.width) {
            Ok(Some(80)) => 80,
            Ok(_) | Err(_) => 58,
        },
        gift: claim.gift.of(language),
        code: claim.code.as_str(),
        qr,
        place: place.map(|(_, place)| place.label.as_str()),
        until: day_and_clock(folder.store.local(claim.not_after)),
        terms: bundle
            .campaign(&claim.campaign)
            .map(|campaign| campaign.terms.of(language)),
        script: script::address(),
    });
    let answer = scripted(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}
