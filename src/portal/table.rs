//! The landing page of a touchpoint, and the arrival page of the Wi-Fi.
//!
//! A phone without our cookie sees a page that is the same for everybody at that place and minute, so it is
//! rendered and compressed once and only its tap is new ([`SplicedPage`]). A diner we know gets a page of
//! their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::State;
use super::error::Apology;
use super::ledger::happening;
use super::pages::{MessagePage, Packing, Shell, packed, page, render};
use super::splice::SplicedPage;
use super::visitor::Visitor;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, View};
use crate::domain::ids::{TapId, TouchpointCode, Vid};
use crate::domain::offer::{self, Diner, Place};
use crate::domain::store::{Touchpoint, TouchpointKind};
use crate::domain::text::Language;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::wire::bundle::{Bundle, StoreFolder};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Look {
    #[serde(default)]
    look: Option<String>,
}

/// `GET /t/{code}`
pub(super) async fn landing(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    Path(code): Path<String>,
    Query(look): Query<Look>,
) -> Response {
    let bundle = state.bundle();
    let found = TouchpointCode::parse(&code)
        .ok()
        .and_then(|code| bundle.touchpoint(code))
        .filter(|(_, touchpoint)| touchpoint.is_bound());
    let Some((folder, touchpoint)) = found else {
        metrics::count(metrics::CODES_UNKNOWN);
        return Apology::UnknownCode.page(&visitor);
    };
    if look.look.is_some() {
        return just_looking(folder, touchpoint, &visitor);
    }
    let here = Here {
        state: &state,
        bundle: &bundle,
        folder,
        touchpoint,
        address: Address::Code,
    };
    here.show(&visitor)
}

/// `GET /`: a phone has joined the Wi-Fi.
pub(super) async fn arrival(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let wifi = folder
        .touchpoints
        .values()
        .find(|touchpoint| touchpoint.kind == TouchpointKind::Wifi && touchpoint.is_bound());
    match wifi {
        Some(touchpoint) => {
            let here = Here {
                state: &state,
                bundle: &bundle,
                folder,
                touchpoint,
                address: Address::Arrival,
            };
            here.show(&visitor)
        }
        None => {
            let html = render(&LandingPage {
                shell: Shell::new(visitor.language, &visitor.path, Some(&folder.store)),
                store: folder.store.name.of(visitor.language),
                label: None,
                is_table: false,
                wifi: true,
                code: "",
                tap: "",
                manager: None,
                offer: None,
            });
            page(StatusCode::OK, visitor.packing, html)
        }
    }
}

/// The answer to "just looking": a kind word and the way back.
fn just_looking(folder: &StoreFolder, touchpoint: &Touchpoint, visitor: &Visitor) -> Response {
    let shell = Shell::new(visitor.language, &visitor.path, Some(&folder.store));
    let html = render(&MessagePage {
        title: &shell.t.landing.looking_title,
        text: &shell.t.landing.looking_text,
        back: Some(format!("/t/{}", touchpoint.code)),
        shell,
    });
    page(StatusCode::OK, visitor.packing, html)
}

/// One place, about to be shown.
struct Here<'a> {
    state: &'a State,
    bundle: &'a Arc<Bundle>,
    folder: &'a StoreFolder,
    touchpoint: &'a Touchpoint,
    address: Address,
}

/// Where a page was asked for; its language link leads there again, however the phone spelled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Address {
    /// `/`
    Arrival,
    /// `/t/{code}`
    Code,
}

impl<'a> Here<'a> {
    fn show(&self, visitor: &Visitor) -> Response {
        metrics::count(metrics::TAPS);
        let state = self.state;
        let tap = TapId::from_entropy(random()).to_string();
        let (response, mut view) = match visitor.vid {
            Some(vid) => self.for_diner(vid, &tap, visitor),
            None => {
                let landing = state.landings.get(self, visitor.language);
                let bytes = match visitor.packing {
                    Packing::Gzip => landing.page.gzip(&tap),
                    Packing::Plain => landing.page.plain(&tap),
                };
                let response = packed(StatusCode::OK, visitor.packing, bytes);
                (response, landing.view.clone())
            }
        };
        view.vid = visitor.vid;
        let event = if self.touchpoint.kind == TouchpointKind::Wifi {
            Event::PortalView(view)
        } else {
            Event::TouchpointView(view)
        };
        state
            .views
            .saw(happening(&self.folder.store, state.now(), event));
        (visitor.remember_language(), response).into_response()
    }

    fn best_offer(&self, diner: Diner) -> Option<&'a Campaign> {
        let now = self.state.now();
        let store = &self.folder.store;
        let place = Place {
            store,
            kind: self.touchpoint.kind,
            local: store.local(now),
        };
        let wallet = self.state.wallet.read();
        offer::best(self.bundle.campaigns.values(), place, diner, |campaign| {
            let slice = self.bundle.slices.get(&campaign.id).copied();
            wallet
                .stock(campaign, store, self.touchpoint.code, slice, now)
                .is_ok()
        })
    }

    /// The page for a diner who brought our cookie.
    fn for_diner(&self, vid: Vid, tap: &str, visitor: &Visitor) -> (Response, View) {
        let diner = self.state.wallet.read().diner(vid);
        let campaign = self.best_offer(diner);
        let held = campaign.and_then(|campaign| {
            let wallet = self.state.wallet.read();
            let held = wallet.held_by(vid, &campaign.id)?;
            let id = held.claim.coupon;
            let usable = held.claim.not_after > self.state.now() && wallet.redemption(id).is_none();
            usable.then(|| id.to_string())
        });
        let html = self.render(campaign, visitor.language, tap, held);
        let response = page(StatusCode::OK, visitor.packing, html);
        (response, self.view(campaign))
    }

    fn render(
        &self,
        campaign: Option<&Campaign>,
        language: Language,
        tap: &str,
        held: Option<String>,
    ) -> String {
        let store = &self.folder.store;
        let path = match self.address {
            Address::Arrival => "/".to_owned(),
            Address::Code => format!("/t/{}", self.touchpoint.code),
        };
        let local = store.local(self.state.now());
        let manager = store.brand.manager.as_ref();
        render(&LandingPage {
            shell: Shell::new(language, &path, Some(store)),
            store: store.name.of(language),
            label: Some(&self.touchpoint.label),
            is_table: self.touchpoint.kind == TouchpointKind::Table,
            wifi: self.touchpoint.kind == TouchpointKind::Wifi,
            code: self.touchpoint.code.as_str(),
            tap,
            manager: manager.map(|name| name.of(language)),
            offer: campaign.map(|campaign| ShownOffer {
                campaign: campaign.id.as_str(),
                gift: campaign.offer.gift.name(language),
                title: campaign.title.of(language),
                terms: campaign.terms.of(language),
                until: campaign
                    .closes_at(local)
                    .map(|end| end.strftime("%H:%M").to_string()),
                held,
            }),
        })
    }

    fn view(&self, campaign: Option<&Campaign>) -> View {
        View {
            touchpoint: Some(self.touchpoint.code),
            campaign: campaign.map(|campaign| campaign.id.clone()),
            vid: None,
            off_peak: campaign.is_some_and(Campaign::is_off_peak),
        }
    }
}

/// Where the tap goes into a page that is made ahead. No text of a bundle can hold it: TOML refuses it.
const TAP_MARK: &str = "\u{1}";

/// More places than a store has, in two languages; a street gateway begins anew when it is full.
const MOST_LANDINGS: usize = 512;

/// The landing pages made ahead.
#[derive(Default)]
pub(super) struct Landings(Mutex<HashMap<(TouchpointCode, Address, Language), Arc<Landing>>>);

/// One page made ahead, and what it was made from.
struct Landing {
    page: SplicedPage,
    view: View,
    bundle: Arc<Bundle>,
    /// The offer may open or close with the minute.
    minute: i64,
    /// The stock may have gone with a coupon.
    issued: u64,
}

impl Landings {
    fn get(&self, here: &Here<'_>, language: Language) -> Arc<Landing> {
        let key = (here.touchpoint.code, here.address, language);
        let minute = here.state.now().as_second().div_euclid(60);
        let issued = here.state.wallet.read().issued();
        let mut landings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = landings.get(&key)
            && Arc::ptr_eq(&landing.bundle, here.bundle)
            && (landing.minute, landing.issued) == (minute, issued)
        {
            return Arc::clone(landing);
        }
        let campaign = here.best_offer(Diner::default());
        let mut html = here.render(campaign, language, TAP_MARK, None);
        if campaign.is_none() {
            // A page without an offer has no form and so no place for a tap.
            html.push_str(TAP_MARK);
        }
        let landing = Arc::new(Landing {
            page: SplicedPage::cut(&html, TAP_MARK).expect("the page holds the mark once"),
            view: here.view(campaign),
            bundle: Arc::clone(here.bundle),
            minute,
            issued,
        });
        if landings.len() >= MOST_LANDINGS {
            landings.clear();
        }
        landings.insert(key, Arc::clone(&landing));
        landing
    }
}

#[derive(Template)]
#[template(path = "portal/landing.html")]
struct LandingPage<'a> {
    shell: Shell,
    store: &'a str,
    label: Option<&'a str>,
    is_table: bool,
    wifi: bool,
    code: &'a str,
    tap: &'a str,
    manager: Option<&'a str>,
    offer: Option<ShownOffer<'a>>,
}

struct ShownOffer<'a> {
    campaign: &'a str,
    gift: String,
    title: &'a str,
    terms: &'a str,
    until: Option<String>,
    held: Option<String>,
}
