//! Promos made from a form: a manager says what, when and how many, and sees the page as diners will before it is
//! one; the terms are filled in. What the form makes is a campaign's file in the chain's folder; it can be withdrawn
//! here and put back. A form with a fault writes nothing, and says it at the field.

mod words;

use std::io;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;

use super::language::Spoken;
use super::session::{SignedIn, show, unavailable};
use super::words::Words;
use crate::domain::calendar::{Day, business_day};
use crate::domain::campaign::Campaign;
use crate::domain::ids::{CampaignId, StoreId};
use crate::domain::promo::{Fault, Field, Promo, Setting, Typed, Why, fill_in};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::hq::chain::Chain;
use crate::hq::db::AuditEntry;
use crate::hq::promos::{self, BEGINS, Lies};
use crate::hq::state::Shared;
use crate::ops::files::random;
use words::PromoWords;

/// What the form begins with: quiet afternoons for four weeks.
const WEEKS: i64 = 4;

#[derive(Template)]
#[template(path = "console/promos.html")]
struct PromosPage {
    words: &'static Words,
    t: &'static PromoWords,
    login: String,
    id: String,
    /// What came of the last form.
    done: Option<&'static str>,
    has_faults: bool,
    stores: Vec<StoreId>,
    store: String,
    store_fault: Option<String>,
    what: Vec<Input>,
    days: Vec<(&'static str, &'static str, bool)>,
    days_fault: Option<String>,
    when: Vec<Input>,
    has_preview: bool,
    running: Vec<Row>,
    withdrawn: Vec<Row>,
    is_broken: bool,
}

/// A field of the form.
struct Input {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    hint: &'static str,
    fault: Option<String>,
}

/// A promo that was made.
struct Row {
    id: CampaignId,
    title: String,
    starts: Date,
    ends: Date,
    is_over: bool,
}

/// What a page is shown with.
struct Shown {
    id: CampaignId,
    typed: Typed,
    faults: Vec<Fault>,
    done: Option<&'static str>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    /// `made`, `withdrawn` or `back`.
    done: Option<String>,
}

pub(super) async fn page(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Query(asked): Query<Asked>,
) -> Response {
    let shown = Shown {
        id: drawn(),
        typed: begun(today(&hq, hq.bundles.chain().as_deref())),
        faults: Vec::new(),
        done: asked
            .done
            .and_then(|done| PromoWords::of(spoken.language).done(&done)),
    };
    show_form(&hq, login, spoken, &shown)
}

/// `POST /promos`
pub(super) async fn make(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Response> {
    let Made { id, promo, .. } = match read(&hq, &pairs) {
        Ok(made) => made,
        Err(shown) => return Ok(show_faults(&hq, login, spoken, &shown)),
    };
    promos::put(&hq.chain_dir, &id, &promo.file).map_err(not_written)?;
    note(&hq, "promo_made", &login, &id).await?;
    Ok(Redirect::to("/promos?done=made").into_response())
}

/// `POST /promos/preview`: the page that the same form makes; nothing is kept.
pub(super) async fn preview(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let Made { chain, promo, .. } = match read(&hq, &pairs) {
        Ok(made) => made,
        Err(shown) => return show_faults(&hq, login, spoken, &shown),
    };
    let Some(draw) = hq.preview else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let language = Language::from_tag(value(&pairs, "page")).unwrap_or(spoken.language);
    let mut stores = chain.bundle.stores.values().map(|folder| &folder.store);
    let store = stores.find(|store| promo.campaign.reaches(store));
    Html(draw(&promo.campaign, store, language)).into_response()
}

/// `POST /promos/withdraw`
pub(super) async fn withdraw(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    Form(which): Form<Which>,
) -> Result<Response, Response> {
    lay(&hq, login, &which.id, Lies::Aside).await
}

/// `POST /promos/back`
pub(super) async fn put_back(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    Form(which): Form<Which>,
) -> Result<Response, Response> {
    lay(&hq, login, &which.id, Lies::There).await
}

#[derive(Deserialize)]
pub(super) struct Which {
    id: CampaignId,
}

async fn lay(
    hq: &Shared,
    login: String,
    id: &CampaignId,
    lies: Lies,
) -> Result<Response, Response> {
    let (action, back) = match lies {
        Lies::There => ("promo_put_back", "/promos?done=back"),
        Lies::Aside => ("promo_withdrawn", "/promos?done=withdrawn"),
    };
    if promos::lay(&hq.chain_dir, id, lies).map_err(not_written)? {
        note(hq, action, &login, id).await?;
    }
    Ok(Redirect::to(back).into_response())
}

async fn note(hq: &Shared, action: &str, login: &str, id: &CampaignId) -> Result<(), Response> {
    let entry = AuditEntry::new(hq.clock.now(), action, id, login);
    hq.ledger.note(entry).await.map_err(unavailable)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_written(error: io::Error) -> Response {
    tracing::error!(%error, "the chain's folder cannot be written");
    let message = "the chain's folder cannot be written; nothing was changed. Whoever runs headquarters sees why in its log\n";
    (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
}

/// What a form makes.
struct Made {
    id: CampaignId,
    chain: Arc<Chain>,
    promo: Promo,
}

/// What the form makes, or the form with its faults.
fn read(hq: &Shared, pairs: &[(String, String)]) -> Result<Made, Box<Shown>> {
    let typed = typed(pairs);
    let id = CampaignId::parse(value(pairs, "id")).ok();
    let id = id.filter(promos::is_promo).unwrap_or_else(drawn);
    let made = match hq.bundles.chain() {
        Some(chain) => fill_in(&typed, &setting(hq, &chain, &id)).map(|promo| (chain, promo)),
        None => Err(vec![Fault {
            field: Field::Store,
            why: Why::Unknown,
        }]),
    };
    match made {
        Ok((chain, promo)) => Ok(Made { id, chain, promo }),
        Err(faults) => Err(Box::new(Shown {
            id,
            typed,
            faults,
            done: None,
        })),
    }
}

fn setting<'c>(hq: &Shared, chain: &'c Chain, id: &CampaignId) -> Setting<'c> {
    Setting {
        id: id.clone(),
        by: &chain.name,
        stores: chain.bundle.stores.keys().cloned().collect(),
        today: today(hq, Some(chain)),
        linter: chain.bundle.linter(),
    }
}

fn show_faults(hq: &Shared, login: String, spoken: Spoken, shown: &Shown) -> Response {
    let mut response = show_form(hq, login, spoken, shown);
    // A folder that cannot be read has an answer of its own.
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

fn show_form(hq: &Shared, login: String, spoken: Spoken, shown: &Shown) -> Response {
    let listed = [Lies::There, Lies::Aside].map(|lies| promos::list(&hq.chain_dir, lies));
    let (running, withdrawn) = match listed {
        [Ok(running), Ok(withdrawn)] => (running, withdrawn),
        [Err(error), _] | [_, Err(error)] => return not_written(error),
    };
    let known = hq.bundles.known();
    let chain = known.chain.as_deref();
    let today = today(hq, chain);
    let rows = |campaigns: Vec<Campaign>| {
        let rows = campaigns.into_iter().map(|campaign| Row {
            title: campaign.title.of(spoken.language).to_owned(),
            starts: campaign.starts,
            ends: campaign.ends,
            is_over: campaign.ends < today,
            id: campaign.id,
        });
        rows.collect()
    };
    let t = PromoWords::of(spoken.language);
    let stores = chain
        .into_iter()
        .flat_map(|chain| chain.bundle.stores.keys());
    let page = PromosPage {
        words: Words::of(spoken.language),
        t,
        login,
        id: shown.id.to_string(),
        done: shown.done,
        has_faults: !shown.faults.is_empty(),
        stores: stores.cloned().collect(),
        store: shown.typed.store.clone(),
        store_fault: shown.fault(Field::Store, spoken.language),
        what: shown.what(t, spoken.language),
        days: Day::ALL
            .map(|day| {
                let is_on = shown.typed.days.contains(&day);
                (day.key(), day.name(spoken.language), is_on)
            })
            .to_vec(),
        days_fault: shown.fault(Field::Days, spoken.language),
        when: shown.when(t, spoken.language),
        has_preview: hq.preview.is_some(),
        running: rows(running),
        withdrawn: rows(withdrawn),
        is_broken: !known.faults.is_empty(),
    };
    show(&page, spoken)
}

impl Shown {
    /// What is wrong with a field, in words.
    fn fault(&self, field: Field, language: Language) -> Option<String> {
        let mut faults = self.faults.iter();
        let fault = faults.find(|fault| fault.field == field)?;
        Some(PromoWords::of(language).why(fault.why, language))
    }

    /// The fields about the gift.
    fn what(&self, t: &PromoWords, language: Language) -> Vec<Input> {
        let typed = &self.typed;
        let fields: [(_, _, _, _, &String, _); 4] = [
            (
                "item_zh",
                Field::ItemZh,
                t.item_zh,
                "text",
                &typed.item_zh,
                t.item_hint,
            ),
            (
                "item_hant",
                Field::ItemHant,
                t.item_hant,
                "text",
                &typed.item_hant,
                t.may_stay_empty,
            ),
            (
                "item_en",
                Field::ItemEn,
                t.item_en,
                "text",
                &typed.item_en,
                "",
            ),
            (
                "quantity",
                Field::Quantity,
                t.quantity,
                "number",
                &typed.quantity,
                "",
            ),
        ];
        fields.map(|field| self.input(field, language)).into()
    }

    /// Those about when, and how many.
    fn when(&self, t: &PromoWords, language: Language) -> Vec<Input> {
        let typed = &self.typed;
        let fields: [(_, _, _, _, &String, _); 7] = [
            ("from", Field::Hours, t.from, "time", &typed.from, ""),
            ("to", Field::Hours, t.to, "time", &typed.to, t.to_hint),
            (
                "per_day",
                Field::PerDay,
                t.per_day,
                "number",
                &typed.per_day,
                "",
            ),
            ("first", Field::First, t.first, "date", &typed.first, ""),
            ("last", Field::Last, t.last, "date", &typed.last, ""),
            ("valid", Field::Valid, t.valid, "number", &typed.valid, ""),
            (
                "cost",
                Field::Cost,
                t.cost,
                "text",
                &typed.cost,
                t.cost_hint,
            ),
        ];
        fields.map(|field| self.input(field, language)).into()
    }

    fn input(
        &self,
        (name, field, label, kind, value, hint): (
            &'static str,
            Field,
            &'static str,
            &'static str,
            &String,
            &'static str,
        ),
        language: Language,
    ) -> Input {
        Input {
            name,
            label,
            kind,
            value: value.clone(),
            hint,
            fault: self.fault(field, language),
        }
    }
}

/// The business day of the chain's first store.
fn today(hq: &Shared, chain: Option<&Chain>) -> Date {
    let now = hq.shop_clock.now();
    let store: Option<&Store> = chain
        .and_then(|chain| chain.bundle.stores.values().next())
        .map(|folder| &folder.store);
    business_day(match store {
        Some(store) => store.local(now),
        None => now.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
    })
}

/// A name that no other promo has; drawn with the page, so that a form sent twice is one promo.
fn drawn() -> CampaignId {
    let id = format!("{BEGINS}{:08x}", u32::from_be_bytes(random()));
    CampaignId::parse(&id).expect("small letters, digits and a dash")
}

fn begun(today: Date) -> Typed {
    Typed {
        quantity: "1".to_owned(),
        days: Day::ALL[..5].to_vec(),
        from: "14:00".to_owned(),
        to: "17:00".to_owned(),
        per_day: "20".to_owned(),
        first: today.to_string(),
        last: today.saturating_add(WEEKS.weeks()).to_string(),
        valid: "7".to_owned(),
        ..Typed::default()
    }
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    let mut pairs = pairs.iter();
    pairs
        .find(|(key, _)| key == name)
        .map_or("", |(_, value)| value)
}

fn typed(pairs: &[(String, String)]) -> Typed {
    let of = |name| value(pairs, name).to_owned();
    let ticked = |day: &Day| {
        let mut pairs = pairs.iter();
        pairs.any(|(key, value)| key == "day" && value == day.key())
    };
    Typed {
        store: of("store"),
        item_zh: of("item_zh"),
        item_hant: of("item_hant"),
        item_en: of("item_en"),
        quantity: of("quantity"),
        days: Day::ALL.into_iter().filter(ticked).collect(),
        from: of("from"),
        to: of("to"),
        per_day: of("per_day"),
        first: of("first"),
        last: of("last"),
        valid: of("valid"),
        cost: of("cost"),
    }
}
