//! Invitations after the claim, never before it: the coupon's page offers them, and nothing hangs on them.
//!
//! A tap on one is an intent: one frame that says which code of the pool the guest was shown, so that caps hold
//! and a guest who comes again today sees the same. The page shows the QR, drawn here, and the channel's link.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::State;
use super::error::{Apology, not_kept};
use super::ledger::{Ledger, happening, only_say, write};
use super::pages::{Shell, page, render, see_other};
use super::texts::{Counter, texts};
use super::visitor::Visitor;
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, Intent};
use crate::domain::ids::{CouponId, Slug};
use crate::domain::invitation::{Code, Intents, Invitation, InvitationKind, Moment, Worry};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::journal::Verdict;
use crate::wire::bundle::Bundle;
use crate::wire::qr::{Correction, Symbol};

/// One more button on the coupon's page.
pub(super) struct Offered<'a> {
    pub(super) name: &'a Slug,
    pub(super) title: &'a str,
}

/// What the coupon's page invites to. Whether somebody is there is seen when the guest asks.
pub(super) fn offered<'a>(
    bundle: &'a Bundle,
    store: &Store,
    campaign: Option<&'a Campaign>,
    language: Language,
) -> Vec<Offered<'a>> {
    let names = campaign.map_or(&[][..], |campaign| &campaign.after_claim.invite);
    let offered = |name: &'a Slug| {
        let invitation = bundle.invitation(&store.id, name)?;
        Some(Offered {
            name,
            title: invitation.title.of(language),
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
    let bundle = state.bundle();
    let clock = Arc::clone(&state.clock);
    let boot_time = state.boot_time();
    let decide = move |ledger: &mut Ledger| -> Verdict<Result<(), Apology>> {
        let Some(coupon) = ledger.wallet().coupon(id) else {
            return only_say(Err(Apology::UnknownCoupon));
        };
        let folder = bundle.stores.get(&coupon.store);
        let invitation = bundle.invitation(&coupon.store, &invite);
        let Some((folder, invitation)) = folder.zip(invitation) else {
            return only_say(Err(Apology::NobodyThere));
        };
        let (store, now, vid) = (&folder.store, clock.now(), coupon.claim.vid);
        let at = moment(store, now);
        let today = business_day(at.local);
        if ledger.intents().of(vid, &invite, today).is_some() {
            return only_say(Ok(()));
        }
        let lot = u64::from_le_bytes(id.to_bytes()[..8].try_into().expect("8 of 16 bytes"));
        let Some(code) = invitation.pick(at, shown_since(ledger.intents(), &invite), lot) else {
            return only_say(Err(Apology::NobodyThere));
        };
        let intent = Intent {
            invitation: invite.clone(),
            code: code.id.clone(),
            vid,
            coupon: id,
        };
        let event = match invitation.kind {
            InvitationKind::Follow => Event::FollowIntent(intent),
            InvitationKind::Contact => Event::ContactIntent(intent),
            InvitationKind::Group => Event::GroupIntent(intent),
        };
        write(boot_time, happening(store, now, event), Ok(()))
    };
    match state.journal.commit(decide).await {
        Ok(Ok(())) => see_other(&path),
        Ok(Err(apology)) => apology.page(&visitor),
        Err(error) => not_kept(&error).page(&visitor),
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
    let clock = Arc::clone(&state.clock);
    let (books, asked) = (Arc::clone(&bundle), name.clone());
    let look = move |ledger: &mut Ledger| {
        let found = ledger.wallet().coupon(id).and_then(|coupon| {
            let store = &books.stores.get(&coupon.store)?.store;
            let today = business_day(store.local(clock.now()));
            let code = ledger.intents().of(coupon.claim.vid, &asked, today)?;
            Some((coupon.store, code.clone()))
        });
        only_say(found)
    };
    let Ok(Some((store, shown))) = state.journal.commit(look).await else {
        // Asked for on another day: the coupon's page has the button.
        return see_other(&format!("/c/{id}"));
    };
    let found = bundle.invitation(&store, &name).and_then(|invitation| {
        let code = invitation.codes.iter().find(|code| code.id == shown)?;
        Some((invitation, code))
    });
    let Some((invitation, code)) = found else {
        return Apology::NobodyThere.page(&visitor);
    };
    let store = bundle.stores.get(&store).map(|folder| &folder.store);
    let html = draw(&state, store, id, (invitation, code), &visitor);
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

fn draw(
    state: &State,
    store: Option<&Store>,
    coupon: CouponId,
    (invitation, code): (&Invitation, &Code),
    visitor: &Visitor,
) -> String {
    let language = visitor.language;
    let title = invitation.title.of(language);
    let symbol = Symbol::of(code.qr.as_str(), Correction::Medium)
        .expect("what a code says has 512 bytes at most, and a symbol holds thousands");
    render(&InvitePage {
        shell: Shell::new(language, visitor.language_link(), store),
        title,
        text: invitation.text.as_ref().map(|text| text.of(language)),
        name: code.name.as_ref().map(|name| name.of(language)),
        qr: symbol.svg(title),
        link: code.link.as_ref().map(|link| link.as_str()),
        is_away: !state.wan_is_up(),
        coupon,
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
    let Some(folder) = state.own_store(bundle) else {
        return Vec::new();
    };
    // A copy of a week's intents, so that no page holds up the journal's thread.
    let look = |ledger: &mut Ledger| only_say(ledger.intents().clone());
    let Ok(intents) = state.journal.commit(look).await else {
        return Vec::new();
    };
    let store = &folder.store;
    let at = moment(store, state.now());
    let t = &texts(language).counter;
    let names = bundle
        .campaigns
        .values()
        .filter(|campaign| campaign.reaches(store) && campaign.runs_on(business_day(at.local)))
        .flat_map(|campaign| &campaign.after_claim.invite);
    let mut worries = Vec::new();
    for name in names {
        let Some(invitation) = bundle.invitation(&store.id, name) else {
            continue;
        };
        let Some(worry) = invitation.worry(at, shown_since(&intents, name)) else {
            continue;
        };
        let said = format!("{}: {}", invitation.title.of(language), words(t, worry));
        if !worries.contains(&said) {
            worries.push(said);
        }
    }
    worries
}

fn words(t: &Counter, worry: Worry) -> String {
    match worry {
        Worry::Nobody => t.invite_nobody.clone(),
        Worry::OnlySpare => t.invite_spare.clone(),
        Worry::EndsSoon(day) => t.invite_ends.replace("{day}", &day.to_string()),
    }
}

fn moment(store: &Store, now: jiff::Timestamp) -> Moment<'_> {
    Moment {
        local: store.local(now),
        holidays: &store.holidays,
    }
}

fn shown_since<'a>(
    intents: &'a Intents,
    invitation: &'a Slug,
) -> impl Fn(&Code, jiff::civil::Date) -> u32 + 'a {
    move |code, since| intents.count(invitation, &code.id, since)
}
