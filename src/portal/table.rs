//! The landing page of a touchpoint, and the arrival page of the Wi-Fi.
//!
//! A phone without our cookie sees a page that is the same for everybody at that place and minute, so it is
//! rendered and compressed once and only its tap is new ([`SplicedPage`]). A diner we know gets a page of
//! their own.

#[cfg(feature = "hq")]
pub(super) mod preview;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::State;
use super::counter::stickers;
use super::doors::Doors;
use super::error::Apology;
use super::guest::Guest;
use super::invite;
use super::ledger::happening;
use super::look::Look;
use super::pages::{LanguageLink, MessagePage, Packing, Shell, packed, page, render};
use super::probe::{self, Asked};
use super::splice::SplicedPage;
use super::texts::texts;
use super::together;
use super::visitor::Visitor;
use super::walk;
use crate::domain::calendar::{business_day, clock};
use crate::domain::campaign::{Begins, Campaign};
use crate::domain::event::{Event, View};
use crate::domain::ids::{CouponId, StoreId, TapId, TouchpointCode, Vid};
use crate::domain::invitation::InvitationKind;
use crate::domain::offer::{self, Place};
use crate::domain::store::{Greeting, Store, Touchpoint, TouchpointKind};
use crate::domain::text::{Language, Text};
use crate::domain::wallet::{Left, TapRefused, Wallet};
use crate::domain::wifi::{Policy, ZoneName};
use crate::ops::files::random;
use crate::ops::metrics;
use crate::wire::bundle::{Bundle, StoreFolder};

/// `GET /t/{code}`
pub(super) async fn landing(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    code: Result<Path<TouchpointCode>, PathRejection>,
    request: Request,
) -> Response {
    let bundle = state.bundle();
    let code = code.ok().map(|Path(code)| code);
    if let Some(answer) = walk::step(&state, &visitor, code, &request) {
        return answer;
    }
    let found = code
        .and_then(|code| bundle.touchpoint(code))
        .filter(|(_, touchpoint)| touchpoint.is_bound());
    let Some((folder, touchpoint)) = found else {
        metrics::count(metrics::CODES_UNKNOWN);
        return stickers::unbound(&state, code, &visitor, request).await;
    };
    if visitor.only_looks {
        return just_looking(folder, touchpoint, &visitor);
    }
    let is_wifi = touchpoint.kind == TouchpointKind::Wifi;
    let guest = is_wifi.then(|| state.guest(&visitor)).flatten();
    let here = Here {
        state: &state,
        bundle: &bundle,
        folder,
        touchpoint,
        guest,
    };
    here.show(&visitor)
}

/// `GET /`: a phone has joined the Wi-Fi.
pub(super) async fn arrival(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    request: Asked,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    if !request.is_ours(&state.base_url(Some(&folder.store))) {
        // Some other site's front page: cookie and coupon belong to our own name.
        return probe::answer(axum::extract::State(state), visitor, request).await;
    }
    let guest = state.guest(&visitor);
    if let Some(guest) = &guest {
        // A device that was in today may be let in again before it has tapped anything.
        state.standing(&bundle, folder, guest);
    }
    let policy = guest
        .as_ref()
        .map(|guest| bundle.wifi(&folder.store.id, &guest.zone))
        .unwrap_or_default();
    let is_wifi = |place: &&Touchpoint| place.kind == TouchpointKind::Wifi && place.is_bound();
    let named = policy
        .touchpoint
        .and_then(|code| folder.touchpoints.get(&code));
    let touchpoint = named
        .filter(is_wifi)
        .or_else(|| folder.touchpoints.values().find(is_wifi));
    match touchpoint {
        Some(touchpoint) => {
            let here = Here {
                state: &state,
                bundle: &bundle,
                folder,
                touchpoint,
                guest,
            };
            here.show(&visitor)
        }
        None => {
            let tap = state.tap_for(guest.as_ref()).to_string();
            let html = render(&LandingPage {
                shell: Shell::of(&visitor, Some(&folder.store)),
                label: None,
                is_table: false,
                wifi: true,
                greeting: greeting(&policy, &folder.store).map(|text| text.of(visitor.language)),
                doors: guest.and_then(|guest| state.doors(&bundle, &guest)),
                code: "",
                tap: &tap,
                manager: None,
                offer: None,
                books_at: books_at(&state, folder),
                events_at: events_at(&state, folder),
                together: None,
                is_away: state.is_away(),
                known: Known::default(),
            });
            let response = page(StatusCode::OK, visitor.packing, html);
            (visitor.remember_language(), response).into_response()
        }
    }
}

/// The store, where it is this box's own and takes bookings.
fn books_at<'b>(state: &State, folder: &'b StoreFolder) -> Option<&'b StoreId> {
    let id = &folder.store.id;
    (state.store.as_ref() == Some(id) && folder.store.booking().is_some()).then_some(id)
}

/// The same where it has events to sign up for. Those that are over say so on the page behind the link.
fn events_at<'b>(state: &State, folder: &'b StoreFolder) -> Option<&'b StoreId> {
    let id = &folder.store.id;
    (state.store.as_ref() == Some(id) && !folder.tastings.is_empty()).then_some(id)
}

/// The answer to "just looking": a kind word and the way back.
fn just_looking(folder: &StoreFolder, touchpoint: &Touchpoint, visitor: &Visitor) -> Response {
    let shell = Shell::of(visitor, Some(&folder.store));
    let html = render(&MessagePage {
        title: &shell.t.landing.looking_title,
        text: &shell.t.landing.looking_text,
        back: Some(format!("/t/{}", touchpoint.code)),
        shell,
    });
    let response = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), response).into_response()
}

/// One place, about to be shown.
struct Here<'a> {
    state: &'a State,
    bundle: &'a Arc<Bundle>,
    folder: &'a StoreFolder,
    touchpoint: &'a Touchpoint,
    /// The device, where the page is the Wi-Fi's.
    guest: Option<Guest>,
}

impl<'a> Here<'a> {
    fn show(&self, visitor: &Visitor) -> Response {
        metrics::count(metrics::TAPS);
        let state = self.state;
        let tap = state.tap_for(self.guest.as_ref()).to_string();
        let (response, mut view) = match visitor.vid {
            Some(vid) => self.for_diner(vid, &tap, visitor),
            None => {
                let landing = state.landings.get(self, visitor.look);
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

    /// What is left of a campaign here, or why nothing is.
    fn stock(&self, wallet: &Wallet, campaign: &Campaign) -> Result<Option<Left>, TapRefused> {
        let slice = self.bundle.slice(campaign);
        let (store, code) = (&self.folder.store, Some(self.touchpoint.code));
        wallet.stock(campaign, store, code, slice, self.state.now())
    }

    /// The best offer for somebody we do not know, or for `vid`: then also the coupon of it that they hold.
    fn best_offer(&self, vid: Option<Vid>) -> Option<(&'a Campaign, Option<CouponId>)> {
        let now = self.state.now();
        let store = &self.folder.store;
        let place = Place {
            store,
            kind: self.touchpoint.kind,
            local: store.local(now),
        };
        let standing = self.state.members.read().standing(vid);
        let wallet = self.state.wallet.read();
        let known = vid.map(|vid| wallet.diner(vid, standing));
        let diner = known.unwrap_or_default();
        let held = |campaign: &Campaign| {
            let coupon = wallet.held_by(vid?, &campaign.id)?;
            let id = coupon.claim.coupon;
            let usable = coupon.claim.not_after > now && !wallet.is_redeemed(id);
            usable.then_some(id)
        };
        // Once a personal limit is reached there is nothing to claim, only perhaps something to show.
        let may_claim = |campaign: &Campaign| {
            vid.is_none_or(|vid| wallet.limit_reached(vid, campaign, store, now).is_none())
        };
        let campaigns = self.bundle.campaigns.values();
        let best = offer::best(campaigns, place, diner, |campaign| {
            let in_stock = self.stock(&wallet, campaign).is_ok();
            held(campaign).is_some() || (in_stock && may_claim(campaign))
        })?;
        Some((best, held(best)))
    }

    /// The page for a diner who brought our cookie.
    fn for_diner(&self, vid: Vid, tap: &str, visitor: &Visitor) -> (Response, View) {
        let (campaign, held) = self.best_offer(Some(vid)).unzip();
        let held = held.flatten();
        let html = self.render(campaign, visitor.look, tap, self.known(vid, visitor, held));
        let response = page(StatusCode::OK, visitor.packing, html);
        (response, self.view(campaign))
    }

    fn render(
        &self,
        campaign: Option<&Campaign>,
        look: Look,
        tap: &str,
        known: Known<'_>,
    ) -> String {
        let store = &self.folder.store;
        let language = look.language;
        let local = store.local(self.state.now());
        let manager = store.brand.manager.as_ref();
        let policy = self.policy();
        render(&LandingPage {
            shell: Shell::looking(look, LanguageLink::Here, Some(store)),
            label: Some(&self.touchpoint.label),
            is_table: self.touchpoint.kind == TouchpointKind::Table,
            wifi: self.touchpoint.kind == TouchpointKind::Wifi,
            greeting: greeting(&policy, store).map(|text| text.of(language)),
            doors: self.doors(),
            code: self.touchpoint.code.as_str(),
            tap,
            manager: manager.map(|name| name.of(language)),
            books_at: books_at(self.state, self.folder),
            events_at: events_at(self.state, self.folder),
            together: self.together(language),
            offer: campaign.map(|campaign| ShownOffer {
                until: campaign
                    .closes_at(local, &store.holidays)
                    .map(|end| clock(end.time())),
                left: self.left(campaign, language),
                taken: self.taken(campaign, language),
                held: known.held,
                ..ShownOffer::of(campaign, language)
            }),
            is_away: self.state.is_away(),
            known,
        })
    }

    /// The link to a gift for the whole table.
    fn together(&self, language: Language) -> Option<String> {
        let wallet = self.state.wallet.read();
        let deal = together::Deal::at(self.state, self.bundle, &wallet, self.touchpoint.code);
        deal?.link(language)
    }

    /// How many coupons are left here, in words, where they are few enough to mean something.
    fn left(&self, campaign: &Campaign, language: Language) -> Option<String> {
        let left = self.stock(&self.state.wallet.read(), campaign).ok()??;
        (left.coupons <= FEW).then(|| left_in_words(left, language))
    }

    /// What the page says to a diner who was here before.
    fn known(&self, vid: Vid, visitor: &Visitor, held: Option<CouponId>) -> Known<'a> {
        let now = self.state.now();
        let wallet = self.state.wallet.read();
        let is_back = offer::is_back(wallet.last_heard_of(vid), now);
        Known {
            held,
            is_back,
            holds_others: wallet.holds_usable(vid, now) && held.is_none(),
            step: is_back
                .then(|| self.next_step(&wallet, vid, visitor))
                .flatten(),
        }
    }

    /// The group that whoever comes again is invited to, beside their latest coupon.
    fn next_step(&self, wallet: &Wallet, vid: Vid, visitor: &Visitor) -> Option<Step<'a>> {
        let coupons = wallet.coupons_of(vid).into_iter();
        let latest = coupons
            .filter(|coupon| coupon.store == self.folder.store.id)
            .filter(|coupon| !wallet.is_voided(coupon.claim.coupon))
            .max_by_key(|coupon| coupon.issued_at)?;
        let campaign = self.bundle.campaign(&latest.claim.campaign);
        invite::offered(self.bundle, &self.folder.store, campaign, visitor)
            .into_iter()
            .find(|offered| offered.kind == InvitationKind::Group)
            .map(|group| Step {
                coupon: latest.claim.coupon,
                group,
            })
    }

    fn doors(&self) -> Option<Doors> {
        self.state.doors(self.bundle, self.guest.as_ref()?)
    }

    /// What the ledger says of the last week, in words; never more than it says.
    fn taken(&self, campaign: &Campaign, language: Language) -> Option<String> {
        let store = &self.folder.store;
        // The book is that of the shop the box stands in.
        if self.state.store.as_ref() != Some(&store.id) {
            return None;
        }
        let today = business_day(store.local(self.state.now()));
        let days = self.state.days.read();
        let taken = days.claimed_in_a_week(&campaign.id, today)?;
        let words = &texts(language).landing.taken;
        Some(words.replace("{n}", &taken.to_string()))
    }

    /// Of the zone that a device is in.
    fn policy(&self) -> Policy {
        let zone = self.guest.as_ref().map(|guest| &guest.zone);
        zone.map(|zone| self.bundle.wifi(&self.folder.store.id, zone))
            .unwrap_or_default()
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

/// The first words of the page: those of the zone, or else the shop's.
fn greeting<'a>(policy: &'a Policy, store: &'a Store) -> Option<&'a Text> {
    let own = store.brand.greeting.as_ref().map(Greeting::text);
    policy.welcome.as_ref().or(own)
}

/// What is left, as people say it.
pub(super) fn left_in_words(left: Left, language: Language) -> String {
    let t = &texts(language).landing;
    let words = if left.is_of_today {
        &t.left_today
    } else {
        &t.left
    };
    words.replace("{n}", &left.coupons.to_string())
}

/// Up to here a guest is told how many are left.
const FEW: u32 = 99;

/// More places than a store has, in the looks that its guests have at a time; a street gateway begins anew when it is full.
const MOST_LANDINGS: usize = 512;

/// The landing pages made ahead.
#[derive(Default)]
pub(super) struct Landings(Mutex<HashMap<Key, Arc<Landing>>>);

/// Which page: one and the same place may look another way in another zone.
type Key = (TouchpointCode, Look, Option<ZoneName>);

/// One page made ahead, and what it was made from.
struct Landing {
    page: SplicedPage,
    view: View,
    bundle: Arc<Bundle>,
    /// The zone may close, and the Internet go away.
    doors: Option<Doors>,
    is_away: bool,
    /// The offer may open or close with the minute.
    minute: i64,
    /// The stock may have gone with a coupon, or come back, and one more was taken.
    stock: u64,
}

impl Landings {
    fn get(&self, here: &Here<'_>, look: Look) -> Arc<Landing> {
        let zone = here.guest.as_ref().map(|guest| guest.zone.clone());
        let key = (here.touchpoint.code, look, zone);
        let doors = here.doors();
        let is_away = here.state.is_away();
        let minute = here.state.now().as_second().div_euclid(60);
        let stock = here.state.wallet.read().stock_changes();
        let mut landings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = landings.get(&key)
            && Arc::ptr_eq(&landing.bundle, here.bundle)
            && (landing.minute, landing.stock) == (minute, stock)
            && (landing.doors, landing.is_away) == (doors, is_away)
        {
            return Arc::clone(landing);
        }
        let campaign = here.best_offer(None).map(|(campaign, _)| campaign);
        // A tap of its own marks the place where taps go: no text of a bundle can be it.
        let mark = TapId::from_entropy(random()).to_string();
        let mut html = here.render(campaign, look, &mark, Known::default());
        if !html.contains(&mark) {
            // A page without a form has no place for a tap.
            html.push_str(&format!("<!-- {mark} -->"));
        }
        let landing = Arc::new(Landing {
            page: SplicedPage::cut(&html, &mark).expect("the page holds the mark once"),
            view: here.view(campaign),
            bundle: Arc::clone(here.bundle),
            doors,
            is_away,
            minute,
            stock,
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
    label: Option<&'a str>,
    is_table: bool,
    wifi: bool,
    greeting: Option<&'a str>,
    doors: Option<Doors>,
    code: &'a str,
    tap: &'a str,
    manager: Option<&'a str>,
    offer: Option<ShownOffer<'a>>,
    /// The store, where it takes bookings.
    books_at: Option<&'a StoreId>,
    /// The same, where it has tasting events.
    events_at: Option<&'a StoreId>,
    /// The link to a gift for the whole table.
    together: Option<String>,
    /// The Internet, from a shop that should have it.
    is_away: bool,
    known: Known<'a>,
}

/// What a diner's own page has beside everybody's.
#[derive(Default)]
struct Known<'a> {
    /// Their coupon of the offer.
    held: Option<CouponId>,
    is_back: bool,
    /// Coupons of other offers.
    holds_others: bool,
    step: Option<Step<'a>>,
}

/// What may come next, if they like.
struct Step<'a> {
    coupon: CouponId,
    group: invite::Offered<'a>,
}

struct ShownOffer<'a> {
    campaign: &'a str,
    gift: String,
    title: &'a str,
    terms: &'a str,
    until: Option<String>,
    next_visit: bool,
    left: Option<String>,
    /// How often it was claimed in the last week.
    taken: Option<String>,
    held: Option<CouponId>,
}

impl<'a> ShownOffer<'a> {
    /// What the campaign itself says.
    fn of(campaign: &'a Campaign, language: Language) -> Self {
        Self {
            campaign: campaign.id.as_str(),
            gift: campaign.offer.gift.name(language),
            title: campaign.title.of(language),
            terms: campaign.terms.of(language),
            until: None,
            next_visit: campaign.validity.begins == Begins::NextVisit,
            left: None,
            taken: None,
            held: None,
        }
    }
}
