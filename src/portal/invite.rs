//! Invitations after the claim, never before it: the coupon's page offers them, and nothing hangs on them.
//!
//! A tap on one is an intent: one frame that says which code of the pool the guest was shown, so that caps hold
//! and a guest who comes again today sees the same. The page shows the QR, drawn here, and the channel's link.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::State;
use super::error::{Apology, not_saved};
use super::ledger::{Ledger, happening, only_say, write};
use super::pages::{Shell, page, render};
use super::texts::{Counter, texts};
use super::visitor::Visitor;
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, Intent, Occurrence};
use crate::domain::ids::{CouponId, Slug, Vid};
use crate::domain::invitation::{Code, Intents, Invitation, InvitationKind, Moment, Of, Worry};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::ops::clock::Clock;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::Bundle;
use crate::wire::qr::{Correction, Symbol};

/// One more button on the coupon's page.
pub(super) struct Offered<'a> {
    pub(super) name: &'a Slug,
    pub(super) kind: InvitationKind,
    pub(super) title: &'a str,
}

/// What the coupon's page invites to. Whether somebody is there is seen when the guest asks.
pub(super) fn offered<'a>(
    bundle: &'a Bundle,
    store: &Store,
    campaign: Option<&'a Campaign>,
    visitor: &Visitor,
) -> Vec<Offered<'a>> {
    if !visitor.environment.knows_wechat() {
        // All of them live there: a page of Alipay's can neither open nor scan them.
        return Vec::new();
    }
    let names = campaign.map_or(&[][..], |campaign| &campaign.after_claim.invite);
    let offered = |name: &'a Slug| {
        let invitation = bundle.invitation(&store.id, name)?;
        Some(Offered {
            name,
            kind: invitation.kind,
            title: invitation.title.of(visitor.language),
        })
    };
    names.iter().filter_map(offered).collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct InviteForm {
    invite: Slug,
}

/// `POST /c/{coupon id}/invite`: the guest asks to follow, add or join.
pub(super) async fn ask(
    Extract(state): Extract<State>,
    visitor: Visitor,
    id: Result<Path<CouponId>, PathRejection>,
    form: Result<Form<InviteForm>, FormRejection>,
) -> Response {
    let (Ok(Path(id)), Ok(Form(InviteForm { invite }))) = (id, form) else {
        return Apology::Incomplete.page(&visitor);
    };
    let path = format!("/c/{id}/invite/{invite}");
    let asked = Asked {
        coupon: id,
        name: invite,
        bundle: state.bundle(),
        clock: Arc::clone(&state.clock),
    };
    let boot_time = state.boot_time();
    let decide = move |ledger: &mut Ledger| match asked.decide(ledger) {
        Ok(Decided::AsBefore) => only_say(Ok(())),
        Ok(Decided::New(occurrence)) => write(boot_time, *occurrence, Ok(())),
        Err(apology) => only_say(Err(apology)),
    };
    match state.journal.commit(decide).await {
        Ok(Ok(())) => visitor.see_other(&path),
        Ok(Err(apology)) => apology.page(&visitor),
        Err(error) => not_saved(&error).page(&visitor),
    }
}

/// A guest's question on its way to the owner thread.
struct Asked {
    coupon: CouponId,
    name: Slug,
    bundle: Arc<Bundle>,
    clock: Arc<dyn Clock>,
}

enum Decided {
    /// The guest was shown somebody today who is there still.
    AsBefore,
    New(Box<Occurrence>),
}

/// The invitation that was asked for, in the shop of its coupon.
struct Found<'a> {
    of: Of<'a>,
    invitation: &'a Invitation,
    store: &'a Store,
    vid: Vid,
    now: Timestamp,
}

impl Asked {
    /// The invitation, where the coupon's page offers it.
    fn find(&self, ledger: &Ledger) -> Result<Found<'_>, Apology> {
        let wallet = ledger.wallet();
        let coupon = wallet.coupon(self.coupon).ok_or(Apology::UnknownCoupon)?;
        let campaign = self.bundle.campaign(&coupon.claim.campaign);
        let is_offered =
            campaign.is_some_and(|campaign| campaign.after_claim.invite.contains(&self.name));
        let folder = self.bundle.stores.get(&coupon.store);
        let invitation = self.bundle.invitation(&coupon.store, &self.name);
        let (folder, invitation) = folder
            .zip(invitation)
            .filter(|_| is_offered && !wallet.is_voided(self.coupon))
            .ok_or(Apology::NobodyThere)?;
        Ok(Found {
            of: Of {
                store: &folder.store.id,
                invitation: &self.name,
            },
            invitation,
            store: &folder.store,
            vid: coupon.claim.vid,
            now: self.clock.now(),
        })
    }

    fn decide(&self, ledger: &Ledger) -> Result<Decided, Apology> {
        let found = self.find(ledger)?;
        if found.shown(ledger.intents()).is_some() {
            return Ok(Decided::AsBefore);
        }
        let at = moment(found.store, found.now);
        let id = self.coupon.to_bytes();
        let lot = u64::from_le_bytes(std::array::from_fn(|byte| id[byte]));
        let shown_since = shown_since(ledger.intents(), found.of, at);
        let code = found
            .invitation
            .pick(at, shown_since, lot)
            .ok_or(Apology::NobodyThere)?;
        let intent = Intent {
            invitation: self.name.clone(),
            code: code.id.clone(),
            vid: found.vid,
            coupon: self.coupon,
        };
        let event = match found.invitation.kind {
            InvitationKind::Follow => Event::FollowIntent(intent),
            InvitationKind::Contact => Event::ContactIntent(intent),
            InvitationKind::Group => Event::GroupIntent(intent),
        };
        let occurrence = happening(found.store, found.now, event);
        Ok(Decided::New(Box::new(occurrence)))
    }
}

impl<'a> Found<'a> {
    /// Whom the guest was shown today, if they are there still.
    fn shown(&self, intents: &Intents) -> Option<&'a Code> {
        let at = moment(self.store, self.now);
        let id = intents.shown(self.of, self.vid, business_day(at.local))?;
        self.invitation.code(id).filter(|code| code.works(at))
    }
}

/// `GET /c/{coupon id}/invite/{name}`: the QR of whom the guest was shown today.
pub(super) async fn show(
    Extract(state): Extract<State>,
    visitor: Visitor,
    path: Result<Path<(CouponId, Slug)>, PathRejection>,
) -> Response {
    let Ok(Path((id, name))) = path else {
        return Apology::UnknownCoupon.page(&visitor);
    };
    let bundle = state.bundle();
    let asked = Asked {
        coupon: id,
        name: name.clone(),
        bundle: Arc::clone(&bundle),
        clock: Arc::clone(&state.clock),
    };
    let look = move |ledger: &mut Ledger| {
        let found = asked.find(ledger).ok();
        let shown = found.and_then(|found| {
            let code = found.shown(ledger.intents())?;
            Some((found.store.id.clone(), code.id.clone()))
        });
        only_say(shown)
    };
    let shown = state.journal.commit(look).await.ok().flatten();
    let found = shown.as_ref().and_then(|(store, code)| {
        let store = &bundle.stores.get(store)?.store;
        let invitation = bundle.invitation(&store.id, &name)?;
        Some((store, invitation, invitation.code(code)?))
    });
    let Some((store, invitation, code)) = found else {
        // Asked for on another day, or they have gone: the coupon's page has the button.
        return visitor.see_other(&format!("/c/{id}"));
    };
    let html = draw(&state, store, id, (invitation, code), &visitor);
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

fn draw(
    state: &State,
    store: &Store,
    coupon: CouponId,
    (invitation, code): (&Invitation, &Code),
    visitor: &Visitor,
) -> String {
    let language = visitor.language;
    let title = invitation.title.of(language);
    let symbol = Symbol::of(code.qr.as_str(), Correction::Medium)
        .expect("what a code says has 512 bytes at most, and a symbol holds thousands");
    let shell = Shell::of(visitor, Some(store));
    render(&InvitePage {
        how: visitor.environment.how_to_scan(&shell.t.invite),
        title,
        text: invitation.text.as_ref().map(|text| text.of(language)),
        name: code.name.as_ref().map(|name| name.of(language)),
        qr: symbol.svg(title),
        // It would open inside a window that shows nothing but our pages.
        link: code
            .link
            .as_ref()
            .filter(|_| !visitor.environment.is_passing())
            .map(|link| link.as_str()),
        is_away: !state.wan_is_up(),
        coupon,
        shell,
    })
}

#[derive(Template)]
#[template(path = "portal/invite.html")]
struct InvitePage<'a> {
    shell: Shell,
    title: &'a str,
    text: Option<&'a str>,
    /// Whom or what the guest is shown.
    name: Option<&'a str>,
    how: &'a str,
    qr: String,
    link: Option<&'a str>,
    /// The Internet, which every channel needs.
    is_away: bool,
    coupon: CouponId,
}

/// What the counter tells the manager of the store's invitations.
pub(super) async fn worries(
    state: &State,
    bundle: &Arc<Bundle>,
    language: Language,
) -> Vec<String> {
    let Some(store) = state.own_store(bundle).map(|folder| folder.store.clone()) else {
        return Vec::new();
    };
    let (bundle, now) = (Arc::clone(bundle), state.now());
    let look = move |ledger: &mut Ledger| {
        let at = moment(&store, now);
        only_say(worries_of(&bundle, &store, at, ledger.intents(), language))
    };
    state.journal.commit(look).await.unwrap_or_default()
}

fn worries_of(
    bundle: &Bundle,
    store: &Store,
    at: Moment<'_>,
    intents: &Intents,
    language: Language,
) -> Vec<String> {
    let t = &texts(language).counter;
    let today = business_day(at.local);
    let names: BTreeSet<&Slug> = bundle
        .campaigns
        .values()
        .filter(|campaign| campaign.reaches(store) && campaign.runs_on(today))
        .flat_map(|campaign| &campaign.after_claim.invite)
        .collect();
    let worry = |name: &Slug| {
        let invitation = bundle.invitation(&store.id, name)?;
        let of = Of {
            store: &store.id,
            invitation: name,
        };
        let worry = invitation.worry(at, shown_since(intents, of, at))?;
        let title = invitation.title.of(language);
        Some(format!("{title}: {}", words(t, worry)))
    };
    names.into_iter().filter_map(worry).collect()
}

fn words(t: &Counter, worry: Worry) -> String {
    match worry {
        Worry::Nobody => t.invite_nobody.clone(),
        Worry::OnlySpare => t.invite_spare.clone(),
        Worry::EndsSoon(day) => t.invite_ends.replace("{day}", &day.to_string()),
        Worry::FullSoon => t.invite_full.clone(),
    }
}

fn moment(store: &Store, now: Timestamp) -> Moment<'_> {
    Moment {
        local: store.local(now),
        holidays: &store.holidays,
    }
}

/// Counts as [`Invitation::pick`] wants it.
fn shown_since<'a>(
    intents: &'a Intents,
    of: Of<'a>,
    at: Moment<'_>,
) -> impl Fn(&Code, Date) -> u32 + use<'a> {
    let today = business_day(at.local);
    move |code, since| intents.count(of, &code.id, (since, today))
}
