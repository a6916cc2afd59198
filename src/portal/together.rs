//! A gift for a table: its guests say, each on their own phone, that they are there, and the last one holds the
//! coupon for all.
//!
//! Everybody scans the code on their table; there is nothing to send. The word that makes the number full, the
//! claim, and that the table has its coupon are one frame. Only the shop's own box counts guests: a street gateway
//! would not see those on the Wi-Fi.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::State;
use super::diner;
use super::error::{Apology, not_kept};
use super::join::fresh;
use super::ledger::{Ledger, only_say, write_all};
use super::pages::{Shell, page, render};
use super::texts::texts;
use super::visitor::Visitor;
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::Event;
use crate::domain::ids::{CouponId, TapId, TouchpointCode, Vid};
use crate::domain::offer::{self, Diner, Occasion, Place};
use crate::domain::store::Touchpoint;
use crate::domain::text::Language;
use crate::domain::together::{Asked, Group, Guest, Joined, Table, TableTreated};
use crate::domain::wallet::{Fresh, TapAsked, TapRefused, Tapped, Wallet};
use crate::journal::Verdict;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::{Bundle, StoreFolder};

/// What is given at a table of the store this box stands in.
pub(super) struct Deal<'b> {
    folder: &'b StoreFolder,
    touchpoint: &'b Touchpoint,
    campaign: &'b Campaign,
    group: Group,
    /// Nothing to gather for, and still there for those who have theirs.
    is_out: bool,
    now: Timestamp,
}

impl<'b> Deal<'b> {
    /// The best that is open now, with something left before such as have nothing.
    pub(super) fn at(
        state: &State,
        bundle: &'b Bundle,
        wallet: &Wallet,
        code: TouchpointCode,
    ) -> Option<Self> {
        let folder = state.own_store(bundle)?;
        let touchpoint = folder.touchpoints.get(&code)?;
        let (store, now) = (&folder.store, state.now());
        let place = Place {
            store,
            kind: touchpoint.kind,
            local: store.local(now),
        };
        let diner = Diner {
            occasion: Occasion::Together,
            ..Diner::default()
        };
        let has_stock = |campaign: &Campaign| {
            let slice = bundle.slice(campaign);
            wallet
                .stock(campaign, store, Some(code), slice, now)
                .is_ok()
        };
        let best = |has_stock: &dyn Fn(&Campaign) -> bool| {
            offer::best(bundle.campaigns.values(), place, diner, has_stock)
        };
        let campaign = best(&has_stock).or_else(|| best(&|_| true))?;
        Some(Self {
            folder,
            touchpoint,
            campaign,
            group: campaign.group?,
            is_out: !has_stock(campaign),
            now,
        })
    }

    fn asked(&self, guest: Guest) -> Asked {
        Asked {
            place: self.touchpoint.code,
            guest,
            group: self.group,
            today: business_day(self.folder.store.local(self.now)),
            now: self.now,
        }
    }

    /// How the table stands to a guest; none where there is nothing to gather for.
    fn look(&self, ledger: &Ledger, guest: Guest) -> Option<Table> {
        let table = ledger.tables().look(&self.asked(guest));
        let gathers = matches!(table, Table::Gathers { .. });
        (!gathers || !self.is_out).then_some(table)
    }

    /// On the table's own page, where there is something to gather for.
    pub(super) fn link(&self, language: Language) -> Option<String> {
        let words = &texts(language).together.link;
        let words = words.replace("{n}", &self.group.guests.to_string());
        let gift = self.campaign.offer.gift.name(language);
        (!self.is_out).then(|| words.replace("{gift}", &gift))
    }
}

/// `GET /t/{code}/table`
pub(super) async fn show(
    Extract(state): Extract<State>,
    visitor: Visitor,
    code: Result<Path<TouchpointCode>, PathRejection>,
) -> Response {
    let Ok(Path(code)) = code else {
        return Apology::UnknownCode.page(&visitor);
    };
    let (on_thread, bundle) = (state.clone(), state.bundle());
    let guest = guest(&state, &visitor);
    let look = move |ledger: &mut Ledger| {
        let wallet = ledger.wallet();
        let deal = Deal::at(&on_thread, &bundle, &wallet, code);
        only_say(deal.and_then(|deal| deal.look(ledger, guest)))
    };
    match state.journal.commit(look).await {
        Ok(Some(table)) => draw(&state, &visitor, code, table),
        // Over, or all given: the table's own page says what there is instead.
        Ok(None) => visitor.see_other(&format!("/t/{code}")),
        Err(error) => not_kept(&error).page(&visitor),
    }
}

fn guest(state: &State, visitor: &Visitor) -> Guest {
    Guest {
        vid: visitor.vid,
        device: state.day_mark(visitor),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct TableForm {
    tap: TapId,
}

/// `POST /t/{code}/table`: a guest says that they are there.
pub(super) async fn join(
    Extract(state): Extract<State>,
    visitor: Visitor,
    code: Result<Path<TouchpointCode>, PathRejection>,
    form: Result<Form<TableForm>, FormRejection>,
) -> Response {
    let (Ok(Path(code)), Ok(Form(TableForm { tap }))) = (code, form) else {
        return Apology::Incomplete.page(&visitor);
    };
    // Whoever has no cookie yet and sends the form twice is one guest.
    let vid = visitor.vid.unwrap_or(Vid::from_entropy(tap.to_bytes()));
    let word = Word {
        state: state.clone(),
        bundle: state.bundle(),
        code,
        guest: Guest {
            vid: Some(vid),
            ..guest(&state, &visitor)
        },
        vid,
        tap,
        fresh: fresh(),
    };
    let decide = move |ledger: &mut Ledger| word.decide(ledger);
    let path = match state.journal.commit(decide).await {
        Ok(Ok(Some(coupon))) => {
            metrics::count(metrics::CLAIMS);
            format!("/c/{coupon}")
        }
        Ok(Ok(None)) => format!("/t/{code}/table"),
        Ok(Err(refused)) => {
            metrics::count(metrics::CLAIMS_REFUSED);
            return Apology::from(refused).page(&visitor);
        }
        Err(error) => return not_kept(&error).page(&visitor),
    };
    let mut response = visitor.see_other(&path);
    let cookie = diner::remembered(&state, vid);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// A guest's word, on its way to the owner thread.
struct Word {
    state: State,
    bundle: Arc<Bundle>,
    code: TouchpointCode,
    guest: Guest,
    vid: Vid,
    tap: TapId,
    fresh: Fresh,
}

impl Word {
    /// The table's coupon, where it is complete.
    fn decide(self, ledger: &Ledger) -> Verdict<Result<Option<CouponId>, TapRefused>> {
        let wallet = ledger.wallet();
        let Some(deal) = Deal::at(&self.state, &self.bundle, &wallet, self.code) else {
            return only_say(Err(TapRefused::Closed));
        };
        let at = (&deal.folder.store, deal.now);
        let boot_time = self.state.boot_time();
        let (joined, since) = match ledger.tables().join(&deal.asked(self.guest), self.vid) {
            Joined::Stands(Table::HasHad(coupon)) => return only_say(Ok(coupon)),
            Joined::Stands(Table::Gathers { .. } | Table::HadToday) => return only_say(Ok(None)),
            Joined::Counts(joined) => {
                return write_all(boot_time, at, [Event::TableJoined(joined)], Ok(None));
            }
            Joined::Completes(joined, since) => (joined, since),
        };
        let asked = TapAsked {
            tap: self.tap,
            vid: Some(self.vid),
            standing: ledger.members().standing(Some(self.vid)),
            occasion: Occasion::Together,
            store: &deal.folder.store,
            touchpoint: deal.touchpoint,
            campaign: deal.campaign,
            slice: self.bundle.slice(deal.campaign),
            issuer: self.state.issuer,
            now: deal.now,
            fresh: self.fresh,
        };
        match wallet.claim(&asked) {
            Err(refused) => only_say(Err(refused)),
            Ok(Tapped::Held(coupon)) => only_say(Ok(Some(coupon))),
            Ok(Tapped::New(claim)) => {
                let coupon = claim.coupon;
                let treated = TableTreated {
                    place: self.code,
                    campaign: claim.campaign.clone(),
                    coupon,
                    since,
                };
                let events = [
                    Event::TableJoined(joined),
                    Event::Claim(*claim),
                    Event::TableTreated(treated),
                ];
                write_all(boot_time, at, events, Ok(Some(coupon)))
            }
        }
    }
}

/// How the table stands, in words.
enum Standing<'a> {
    Gathers { here: String, is_counted: bool },
    Yours(CouponId),
    Said(&'a str),
}

fn draw(state: &State, visitor: &Visitor, code: TouchpointCode, table: Table) -> Response {
    let bundle = state.bundle();
    let deal = Deal::at(state, &bundle, &state.wallet.read(), code);
    let Some(deal) = deal else {
        return visitor.see_other(&format!("/t/{code}"));
    };
    let language = visitor.language;
    let t = &texts(language).together;
    let guests = deal.group.guests.to_string();
    let within = deal.group.within_minutes.to_string();
    let html = render(&TogetherPage {
        shell: Shell::of(visitor, Some(&deal.folder.store)),
        label: &deal.touchpoint.label,
        code,
        need: t.need.replace("{n}", &guests).replace("{minutes}", &within),
        gift: deal.campaign.offer.gift.name(language),
        title: deal.campaign.title.of(language),
        terms: deal.campaign.terms.of(language),
        standing: match table {
            Table::Gathers { here, is_counted } => Standing::Gathers {
                here: t
                    .here
                    .replace("{here}", &here.to_string())
                    .replace("{n}", &guests),
                is_counted,
            },
            Table::HasHad(Some(coupon)) => Standing::Yours(coupon),
            Table::HasHad(None) => Standing::Said(&t.has_had),
            Table::HadToday => Standing::Said(&t.had_today),
        },
        tap: TapId::from_entropy(random()),
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

#[derive(Template)]
#[template(path = "portal/together.html")]
struct TogetherPage<'a> {
    shell: Shell,
    label: &'a str,
    code: TouchpointCode,
    need: String,
    gift: String,
    title: &'a str,
    terms: &'a str,
    standing: Standing<'a>,
    tap: TapId,
}
