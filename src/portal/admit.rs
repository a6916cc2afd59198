//! "Continue to the Internet": one tap, no condition. And the temporary pass, for whoever has to open another
//! app first.
//!
//! Both end in a real navigation: phones look again only when a page is loaded.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::coupon::spelled;
use super::error::Apology;
use super::guest::Guest;
use super::pages::{Shell, page, render};
use super::visitor::Visitor;
use super::{State, me};
use crate::admission::{NotAdmitted, Standing, book};
use crate::domain::ids::{CouponId, ShortCode, TapId};
use crate::domain::wifi::Policy;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::{Bundle, StoreFolder};

#[derive(Debug, Deserialize)]
pub(super) struct AdmitForm {
    tap: TapId,
}

type Asked = Result<Form<AdmitForm>, FormRejection>;

/// `POST /admit`: the device that asks is let through, and only that one.
pub(super) async fn admit(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    form: Asked,
) -> Response {
    let bundle = state.bundle();
    let Asker {
        folder,
        guest,
        policy,
    } = match asker(&state, &bundle, &visitor, form) {
        Ok(asker) => asker,
        Err(unasked) => return unasked.answer(&visitor),
    };
    let now = state.now();
    let tier = state.tier(visitor.vid, now);
    let Some(terms) = state.terms(folder, &policy, tier) else {
        return Apology::WifiClosed.page(&visitor);
    };
    if !state.wan_is_up() {
        return Apology::WifiAway.page(&visitor);
    }
    state.wall.settled().await;
    match state.wall.admit(&guest.asks(tier, terms)) {
        Ok(is_new) => {
            if is_new {
                state.saw_admitted(folder, &guest, tier, visitor.vid);
            }
            visitor.see_other("/online")
        }
        Err(error) => not_admitted(&error).page(&visitor),
    }
}

/// `POST /pass`: into the walled garden, for minutes.
pub(super) async fn pass(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
    form: Asked,
) -> Response {
    let bundle = state.bundle();
    let Asker {
        folder,
        guest,
        policy,
    } = match asker(&state, &bundle, &visitor, form) {
        Ok(asker) => asker,
        Err(unasked) => return unasked.answer(&visitor),
    };
    if !state.wan_is_up() {
        return Apology::WifiAway.page(&visitor);
    }
    if !state.doors(&bundle, &guest).is_some_and(|doors| doors.pass) {
        return Apology::WifiClosed.page(&visitor);
    }
    state.wall.settled().await;
    match state.wall.pass(guest.mac, &guest.zone, &policy) {
        Ok(_) => {
            state.log_beginning(folder, &guest);
            visitor.see_other("/online")
        }
        Err(error) => not_admitted(&error).page(&visitor),
    }
}

/// The device that asks to be let in, and the shop and the rules that it asks.
struct Asker<'b> {
    folder: &'b StoreFolder,
    guest: Guest,
    policy: Policy,
}

/// Why there is no device to let in.
enum Unasked {
    /// This box has no shop yet.
    NoShop,
    Elsewhere,
    /// The tap was shown to somebody else, or too long ago: the page is shown anew.
    Stale,
}

impl Unasked {
    fn answer(&self, visitor: &Visitor) -> Response {
        match self {
            Self::NoShop => Apology::NoSuchPage.page(visitor),
            Self::Elsewhere => Apology::WifiElsewhere.page(visitor),
            Self::Stale => visitor.see_other("/"),
        }
    }
}

/// Who asks, if they bring a tap that was shown to their device.
fn asker<'b>(
    state: &State,
    bundle: &'b Bundle,
    visitor: &Visitor,
    form: Asked,
) -> Result<Asker<'b>, Unasked> {
    let folder = state.own_store(bundle).ok_or(Unasked::NoShop)?;
    let guest = state.guest(visitor).ok_or(Unasked::Elsewhere)?;
    match form {
        Ok(Form(form)) if state.was_shown(form.tap, &guest) => {
            let policy = bundle.wifi(&folder.store.id, &guest.zone);
            Ok(Asker {
                folder,
                guest,
                policy,
            })
        }
        Ok(_) | Err(_) => Err(Unasked::Stale),
    }
}

fn not_admitted(error: &NotAdmitted) -> Apology {
    match error {
        NotAdmitted::Refused(book::Refused::Blocked) => Apology::WifiBlocked,
        NotAdmitted::Refused(book::Refused::QuotaSpent) => Apology::WifiSpent,
        NotAdmitted::Refused(book::Refused::PassesSpent) => Apology::WifiPassesSpent,
        NotAdmitted::Refused(book::Refused::Full) | NotAdmitted::Firewall(_) => {
            tracing::warn!(%error, "a device was not admitted");
            Apology::WifiFull
        }
    }
}

/// `GET /online`: what a device has now.
pub(super) async fn online(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let Some(guest) = state.guest(&visitor) else {
        return visitor.see_other("/");
    };
    let shell = Shell::of(&visitor, Some(&folder.store));
    let wifi = &shell.t.wifi;
    let (title, text) = match state.standing(&bundle, folder, &guest) {
        Standing::Walled => return visitor.see_other("/"),
        Standing::Passing { .. } | Standing::Open { .. } if !state.wan_is_up() => {
            (&wifi.away_title, &wifi.away_text)
        }
        Standing::Passing { .. } => (&wifi.pass_title, &wifi.pass_text),
        Standing::Open { .. } => (&wifi.online_title, &wifi.online_text),
    };
    let held = match visitor.vid {
        Some(vid) => me::latest_usable(&state, vid).await,
        None => None,
    };
    let html = render(&OnlinePage {
        title,
        text,
        held: held.map(|coupon| {
            let claim = coupon.claim;
            HeldCoupon {
                id: claim.coupon,
                gift: claim.gift.of(visitor.language).to_owned(),
                spelled: spelled(claim.code.as_str()),
                code: claim.code,
                address: format!("{}/c/{}", state.base_url(Some(&folder.store)), claim.coupon),
            }
        }),
        is_passing: visitor.environment.is_passing(),
        shell,
    });
    let response = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), response).into_response()
}

/// The page behind the tap. A captive window closes soon after, and a guest's coupon should not go with it.
#[derive(Template)]
#[template(path = "portal/online.html")]
struct OnlinePage<'a> {
    shell: Shell,
    title: &'a str,
    text: &'a str,
    held: Option<HeldCoupon>,
    is_passing: bool,
}

struct HeldCoupon {
    id: CouponId,
    gift: String,
    code: ShortCode,
    spelled: String,
    /// In full, for another browser.
    address: String,
}
