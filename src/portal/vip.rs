//! The member's card: what a guest shows to be known, what it gives, and what is missing to be a VIP.
//!
//! Everybody may have one: it is the pseudonym of their cookie as a short code and a QR, asks for nothing, and
//! is taken with one tap. The page holds all it shows, so that it can be shown without the Internet, and a
//! picture of it does as well. A birthday is told for its own purpose, if at all: a month and a day, and taken
//! back with one tap.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::Deserialize;

use super::State;
use super::coupon::spelled;
use super::diner;
use super::error::{Apology, not_saved};
use super::ledger::{Ledger, only_say, write_all};
use super::pages::{Shell, page, render};
use super::texts::texts;
use super::visitor::Visitor;
use crate::domain::bill::in_yuan;
use crate::domain::calendar::business_day;
use crate::domain::campaign::Audience;
use crate::domain::event::Event;
use crate::domain::ids::{MemberCode, Vid};
use crate::domain::members::{BadBirthday, Birthday, BirthdayTold, Member, MemberRules, Topic};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::ops::files::random;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::{Bundle, StoreFolder};
use crate::wire::encoding::sha256_hex;
use crate::wire::qr::{Correction, Symbol};

/// `GET /vip`
pub(super) async fn show(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    card(&state, &visitor, Draft::default()).await
}

/// What was typed and could not be taken.
#[derive(Default)]
struct Draft {
    birthday: String,
    fault: Option<&'static str>,
}

async fn card(state: &State, visitor: &Visitor, draft: Draft) -> Response {
    let bundle = state.bundle();
    let Some(folder) = store_of(state, &bundle, visitor.vid) else {
        return Apology::NoSuchPage.page(visitor);
    };
    let guest = match visitor.vid {
        Some(vid) => guest(state, vid).await,
        None => Member::default(),
    };
    let store = &folder.store;
    let today = business_day(store.local(state.now()));
    let is_known = guest.card_since().is_some() || guest.vip_since().is_some();
    let status = match draft.fault {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let html = render(&VipPage {
        shell: Shell::of(visitor, Some(store)),
        card: visitor.vid.filter(|_| is_known).map(Card::of),
        vip_since: guest.vip_since(),
        card_since: guest.card_since(),
        group_since: guest.in_group_since(),
        ways: match guest.vip_since() {
            Some(_) => Vec::new(),
            None => ways(&guest, &bundle.members, today, visitor.language),
        },
        within_days: bundle.members.within_days,
        gifts: gifts(&bundle, store, today, visitor.language),
        birthday: guest.birthday(),
        draft,
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// The store whose card it is: where this box stands, or, on the street, where they claimed last.
fn store_of<'b>(state: &State, bundle: &'b Bundle, vid: Option<Vid>) -> Option<&'b StoreFolder> {
    state.own_store(bundle).or_else(|| {
        let coupons = state.wallet.read().coupons_of(vid?);
        let latest = coupons.into_iter().max_by_key(|coupon| coupon.issued_at)?;
        bundle.stores.get(&latest.store)
    })
}

/// What is known of them, once everything that was decided before is on stable storage.
async fn guest(state: &State, vid: Vid) -> Member {
    let look = move |ledger: &mut Ledger| only_say(ledger.members().get(vid).cloned());
    match state.journal.commit(look).await {
        Ok(guest) => guest.unwrap_or_default(),
        // A journal that cannot write has rebuilt the members from what is on the disk.
        Err(_) => state.members.read().get(vid).cloned().unwrap_or_default(),
    }
}

/// What a guest lacks to be a VIP, in words; either is enough. Empty where no rule makes one.
pub(super) fn ways(
    guest: &Member,
    rules: &MemberRules,
    today: Date,
    language: Language,
) -> Vec<String> {
    let t = &texts(language).vip;
    let Some(missing) = guest.missing(rules, today) else {
        return Vec::new();
    };
    let visits = missing.visits.map(|n| match n {
        1 => t.visit.clone(),
        n => t.visits.replace("{n}", &n.to_string()),
    });
    let fen = missing
        .fen
        .map(|fen| t.yuan.replace("{n}", &in_yuan(fen.into())));
    visits.into_iter().chain(fen).collect()
}

/// What VIPs are given in this store these days.
fn gifts(bundle: &Bundle, store: &Store, today: Date, language: Language) -> Vec<Gift> {
    let campaigns = bundle.campaigns.values();
    campaigns
        .filter(|campaign| campaign.audience == Audience::Vip && campaign.reaches(store))
        .filter(|campaign| campaign.starts <= today && today <= campaign.ends)
        .map(|campaign| Gift {
            name: campaign.offer.gift.name(language),
            title: campaign.title.of(language).to_owned(),
        })
        .collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct CardForm {
    /// None: a card is asked for. Empty: the birthday is taken back.
    birthday: Option<String>,
}

/// What a form asks for.
#[derive(Clone, Copy)]
enum Asked {
    Card,
    Birthday(Option<Birthday>),
}

/// `POST /vip`: takes a card, tells a birthday or takes it back.
pub(super) async fn tell(
    Extract(state): Extract<State>,
    visitor: Visitor,
    form: Result<Form<CardForm>, FormRejection>,
) -> Response {
    let Ok(Form(CardForm { birthday })) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let asked = match birthday.as_deref().map(str::trim) {
        None => Asked::Card,
        Some("") => Asked::Birthday(None),
        Some(typed) => match Birthday::parse(typed) {
            Ok(birthday) => Asked::Birthday(Some(birthday)),
            Err(bad) => {
                let t = &texts(visitor.language).vip;
                let draft = Draft {
                    birthday: typed.chars().take(20).collect(),
                    fault: Some(match bad {
                        BadBirthday::HasYear => &t.has_year,
                        BadBirthday::NoDay => &t.no_day,
                    }),
                };
                return card(&state, &visitor, draft).await;
            }
        },
    };
    let bundle = state.bundle();
    let Some(folder) = store_of(&state, &bundle, visitor.vid) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let vid = match (visitor.vid, asked) {
        (Some(vid), _) => vid,
        (None, Asked::Card) => Vid::from_entropy(random()),
        // Without a cookie there is no card that it could stand on.
        (None, Asked::Birthday(_)) => return visitor.see_other("/vip"),
    };
    let (store, now, boot_time) = (folder.store.clone(), state.now(), state.boot_time());
    let decide = move |ledger: &mut Ledger| {
        let today = business_day(store.local(now));
        let event = match asked {
            Asked::Card => {
                let members = ledger.members();
                members.say(Topic::Card, (vid, true), (today, now), None)
            }
            Asked::Birthday(day) => {
                let known = ledger.members().get(vid).and_then(Member::birthday);
                (known != day).then(|| {
                    Event::BirthdayTold(BirthdayTold {
                        vid,
                        day,
                        words_hash: words_hash(),
                    })
                })
            }
        };
        match event {
            Some(event) => write_all(boot_time, (&store, now), [event], ()),
            None => only_say(()),
        }
    };
    match state.journal.commit(decide).await {
        Ok(()) => {
            let mut response = visitor.see_other("/vip");
            let cookie = diner::remembered(&state, vid);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(error) => not_saved(&error).page(&visitor),
    }
}

/// Of the words that say what a birthday is for, in every language.
fn words_hash() -> String {
    let words = Language::ALL.map(|language| texts(language).vip.birthday_for.as_str());
    sha256_hex(words.join("\n").as_bytes())[..16].to_owned()
}

/// A card's face.
struct Card {
    code: MemberCode,
    spelled: String,
    qr: String,
}

impl Card {
    fn of(vid: Vid) -> Self {
        let code = MemberCode::of(vid);
        let symbol = Symbol::of(code.as_str(), Correction::Quartile);
        let symbol = symbol.expect("seven characters fit the smallest symbol");
        Self {
            code,
            spelled: spelled(code.as_str()),
            qr: symbol.svg(code.as_str()),
        }
    }
}

struct Gift {
    name: String,
    title: String,
}

#[derive(Template)]
#[template(path = "portal/vip.html")]
struct VipPage {
    shell: Shell,
    card: Option<Card>,
    vip_since: Option<Date>,
    card_since: Option<Date>,
    group_since: Option<Date>,
    ways: Vec<String>,
    within_days: u16,
    gifts: Vec<Gift>,
    birthday: Option<Birthday>,
    draft: Draft,
}
