//! Sheets of the shop's codes, for the office printer: chosen here, drawn here, printed from the browser.
//!
//! Every code is read again before the page is given out. Drawing and reading keep a router's core busy for a
//! while, so it is done beside the pages, one sheet at a time and of some hundred codes at most.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::domain::ids::StaffName;
use crate::domain::stickers::natural;
use crate::domain::store::Logo;
use crate::domain::store::TouchpointKind;
use crate::domain::text::Language;
use crate::portal::State;
use crate::portal::error::Apology;
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::place;
use crate::portal::till::SignedIn;
use crate::portal::visitor::Visitor;
use crate::sheet::check::compose_checked;
use crate::sheet::choice::Choice;
use crate::sheet::compose::Brand;
use crate::sheet::drawing::Picture;
use crate::sheet::html::html;
use crate::sheet::layout::{self, Layout};
use crate::sheet::{CannotPrint, SHEET_VERSION};
use crate::wire::bundle::StoreFolder;

/// Codes of one sheet here; more are printed in parts, or at headquarters.
const MOST_CODES: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    layout: String,
    /// `meant`, `blank`, or a kind.
    which: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// Why there is no sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    None,
    /// No code is chosen.
    NoCodes,
    TooMany,
    CannotPrint(CannotPrint),
}

/// `GET /counter/sheets`
pub(super) async fn show(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
) -> Response {
    let bundle = state.bundle();
    match state.own_store(&bundle) {
        Some(folder) => ask(folder, &visitor, &staff, Trouble::None),
        None => see_other("/till"),
    }
}

fn ask(folder: &StoreFolder, visitor: &Visitor, staff: &StaffName, trouble: Trouble) -> Response {
    let shell = Shell::new(
        visitor.language,
        LanguageLink::At("/counter/sheets"),
        Some(&folder.store),
    );
    let status = match trouble {
        Trouble::None => StatusCode::OK,
        Trouble::NoCodes | Trouble::TooMany | Trouble::CannotPrint(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    let t = shell.t;
    let html = render(&SheetsPage {
        store: folder.store.name.of(visitor.language),
        staff,
        layouts: layout::all()
            .iter()
            .map(|layout| (layout.name, layout.about.of(visitor.language)))
            .collect(),
        kinds: TouchpointKind::ALL.map(|kind| (kind.name(), place::kind(kind, &t.kinds))),
        version: SHEET_VERSION,
        trouble,
        most: MOST_CODES,
        shell,
    });
    let answer = page(status, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// `GET /counter/sheets/print`
pub(super) async fn print(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
    order: Result<Query<Order>, QueryRejection>,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let asked = order.ok().and_then(|Query(order)| {
        let layout = Layout::named(&order.layout)?;
        let between = (order.from.trim(), order.to.trim());
        Some((layout, Choice::asked(&order.which, between)?))
    });
    let Some((layout, choice)) = asked else {
        return Apology::Incomplete.page(&visitor);
    };
    // Whoever waits here has pressed the button again.
    let _turn = state.sheet_turn.lock().await;
    let job = (Arc::clone(&bundle), folder.store.id.clone());
    let language = visitor.language;
    let drawn = tokio::task::spawn_blocking(move || {
        let (bundle, store) = job;
        let folder = bundle.stores.get(&store).ok_or(Trouble::NoCodes)?;
        draw(folder, (layout, &choice), language)
    });
    let drawn = drawn.await.unwrap_or_else(|error| {
        let why = error.to_string();
        Err(Trouble::CannotPrint(CannotPrint::NotDrawn { why }))
    });
    match drawn {
        Ok(html) => page(StatusCode::OK, visitor.packing, html),
        Err(trouble) => ask(folder, &visitor, &staff, trouble),
    }
}

/// Draws what is chosen, in the order of the labels.
fn draw(
    folder: &StoreFolder,
    (layout, choice): (&Layout, &Choice),
    language: Language,
) -> Result<String, Trouble> {
    let mut touchpoints: Vec<_> = folder.touchpoints.values().collect();
    touchpoints.sort_by_key(|one| natural(&one.label));
    let codes = choice.codes(&folder.store, touchpoints.into_iter(), layout);
    if codes.is_empty() {
        return Err(Trouble::NoCodes);
    }
    if codes.len() > MOST_CODES {
        return Err(Trouble::TooMany);
    }
    let brand = Brand {
        store: folder.store.name.clone(),
        colour: folder.store.brand.colour.clone(),
        logo: folder.store.brand.logo.as_ref().map(picture),
    };
    let sheet = compose_checked(layout, &brand, language, &codes, || {});
    let sheet = sheet.map_err(Trouble::CannotPrint)?;
    Ok(html(folder.store.name.of(language), language.tag(), &sheet))
}

/// A browser decodes it, so nobody does here.
fn picture(logo: &Logo) -> Arc<Picture> {
    let (width, height) = logo.pixels();
    Arc::new(Picture {
        png: logo.bytes().to_vec(),
        width,
        height,
        rgba: Vec::new(),
    })
}

#[derive(Template)]
#[template(path = "portal/counter_sheets.html")]
struct SheetsPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    /// Names and what they are.
    layouts: Vec<(&'static str, &'static str)>,
    kinds: [(&'static str, &'a str); 9],
    /// Of what is printed now.
    version: u32,
    most: usize,
    trouble: Trouble,
}
