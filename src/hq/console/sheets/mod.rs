//! Stickers and sheets: where each code of a store is and who said so, and codes as PDF, PNG or HTML.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::language::Spoken;
use super::session::{SignedIn, show, unavailable};
use super::words::Words;
use crate::domain::ids::StoreId;
use crate::domain::stickers::natural;
use crate::domain::store::TouchpointKind;
use crate::hq::chain::Chain;
use crate::hq::db::stickers::Walked;
use crate::hq::state::Shared;
use crate::ops::files::random;
use crate::sheet::choice::Choice;
use crate::sheet::code::{Code, Network};
use crate::sheet::compose::Brand;
use crate::sheet::files::Format;
use crate::sheet::layout::{self, Layout};
use crate::sheet::picture;
use crate::wire::bundle::StoreFolder;
use crate::wire::encoding::hex;

mod jobs;
pub(super) mod stickers;
mod words;

pub use jobs::Jobs;
use jobs::{Job, Order};
use stickers::Row;
use words::SheetWords;

/// Codes to join a Wi-Fi that are printed at a time.
const MOST_COPIES: usize = 200;

#[derive(Deserialize)]
pub(super) struct Asked {
    store: Option<StoreId>,
    /// The word of a [`Fault`].
    fault: Option<String>,
}

/// Why a form came to nothing.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Order,
    NoCodes,
    Label,
    Wifi,
}

impl Fault {
    fn named(name: &str) -> Option<Self> {
        match name {
            "order" => Some(Self::Order),
            "codes" => Some(Self::NoCodes),
            "label" => Some(Self::Label),
            "wifi" => Some(Self::Wifi),
            _ => None,
        }
    }

    const fn words(self, t: &SheetWords) -> &'static str {
        match self {
            Self::Order => t.bad_order,
            Self::NoCodes => t.no_codes,
            Self::Label => t.bad_label,
            Self::Wifi => t.bad_wifi,
        }
    }

    fn page(self, store: &StoreId) -> Response {
        let name = match self {
            Self::Order => "order",
            Self::NoCodes => "codes",
            Self::Label => "label",
            Self::Wifi => "wifi",
        };
        Redirect::to(&format!("/sheets?store={store}&fault={name}")).into_response()
    }
}

#[derive(Template)]
#[template(path = "console/sheets.html")]
struct SheetsPage {
    words: &'static Words,
    t: &'static SheetWords,
    login: String,
    fault: Option<&'static str>,
    /// Ids and names.
    stores: Vec<(StoreId, String)>,
    /// None where the chain has none.
    shown: Option<Shown>,
}

/// The store that is shown.
struct Shown {
    id: StoreId,
    rows: Vec<Row>,
    walked: Option<String>,
    has_logo: bool,
    layouts: Vec<(&'static str, &'static str)>,
    kinds: [(&'static str, &'static str); 9],
}

/// `GET /sheets`
pub(super) async fn page(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Query(asked): Query<Asked>,
) -> Result<Response, Response> {
    let t = SheetWords::of(spoken.language);
    let words = hq.ledger.words().await.map_err(unavailable)?;
    let walks = hq.ledger.walks().await.map_err(unavailable)?;
    let chain = hq.bundles.chain();
    let folders = || chain.iter().flat_map(|chain| chain.bundle.stores.values());
    let asked_for = |folder: &&StoreFolder| Some(&folder.store.id) == asked.store.as_ref();
    let folder = folders().find(asked_for).or_else(|| folders().next());
    let shown = folder.zip(chain.as_deref()).map(|(folder, chain)| Shown {
        id: folder.store.id.clone(),
        rows: stickers::rows(folder, &words, t),
        walked: walks
            .iter()
            .find(|walked| walked.store == folder.store.id)
            .map(|walked| walked_in_words(walked, folder, t)),
        has_logo: logo(chain, &folder.store.id).is_some(),
        layouts: layout::all()
            .iter()
            .map(|layout| (layout.name, layout.about.of(spoken.language)))
            .collect(),
        kinds: TouchpointKind::ALL.map(|kind| (kind.name(), t.kind(kind))),
    });
    let page = SheetsPage {
        words: Words::of(spoken.language),
        t,
        login,
        fault: asked
            .fault
            .and_then(|name| Fault::named(&name))
            .map(|fault| fault.words(t)),
        stores: folders()
            .map(|folder| {
                let name = folder.store.name.of(spoken.language);
                (folder.store.id.clone(), name.to_owned())
            })
            .collect(),
        shown,
    };
    Ok(show(&page, spoken))
}

fn walked_in_words(walked: &Walked, folder: &StoreFolder, t: &SheetWords) -> String {
    let at = folder.store.local(walked.at).strftime("%m-%d %H:%M");
    let found = &walked.found;
    t.walked
        .replace("{at}", &at.to_string())
        .replace("{who}", found.staff.as_str())
        .replace("{found}", &found.found.to_string())
        .replace("{places}", &found.places.to_string())
        .replace("{missing}", &found.missing.to_string())
        .replace("{wrong}", &found.wrong.to_string())
        .replace("{doubled}", &found.doubled.to_string())
}

/// The picture of a store, or else the chain's.
fn logo<'c>(chain: &'c Chain, store: &StoreId) -> Option<&'c [u8]> {
    let own = chain.files.get(&format!("stores/{store}/logo.png"));
    own.or_else(|| chain.files.get("logo.png"))
        .map(Vec::as_slice)
}

#[derive(Deserialize)]
pub(super) struct PrintForm {
    store: StoreId,
    layout: String,
    format: String,
    /// `meant`, `blank`, a kind, or `wifi`.
    which: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    logo: Option<String>,
    #[serde(default)]
    ssid: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    copies: Option<usize>,
}

/// `POST /sheets`
pub(super) async fn print(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Form(form): Form<PrintForm>,
) -> Response {
    let chain = hq.bundles.chain();
    let folder = chain.as_deref().and_then(|chain| {
        let folder = chain.bundle.stores.get(&form.store)?;
        Some((chain, folder))
    });
    let asked = Layout::named(&form.layout).zip(Format::named(&form.format));
    let Some(((chain, folder), (layout, format))) = folder.zip(asked) else {
        return Fault::Order.page(&form.store);
    };
    let codes = match codes(folder, &form, layout) {
        Ok(codes) => codes,
        Err(fault) => return fault.page(&form.store),
    };
    let logo = form.logo.as_ref().and_then(|_| logo(chain, &form.store));
    let logo = match logo.map(|png| picture::read(png.to_vec())).transpose() {
        Ok(logo) => logo.map(Arc::new),
        Err(error) => {
            tracing::error!(%error, store.id = %form.store, "the logo of a store is not printed");
            None
        }
    };
    let order = Order {
        layout,
        format,
        brand: Brand {
            store: folder.store.name.clone(),
            colour: folder.store.brand.colour.clone(),
            logo,
        },
        language: spoken.language,
        codes,
    };
    let id = hex(&random::<16>());
    let place = (id.as_str(), form.store.as_str());
    hq.sheets.begin(order, login, place, hq.clock.now());
    Redirect::to(&format!("/sheets/{id}")).into_response()
}

fn codes(folder: &StoreFolder, form: &PrintForm, layout: &Layout) -> Result<Vec<Code>, Fault> {
    if form.which == "wifi" {
        let password = Some(form.password.as_str()).filter(|password| !password.is_empty());
        let network = Network::new(&form.ssid, password).map_err(|_| Fault::Wifi)?;
        let copies = form.copies.unwrap_or(1).clamp(1, MOST_COPIES);
        return Ok(vec![Code::joining(network); copies]);
    }
    let choice = Choice::asked(&form.which, (form.from.trim(), form.to.trim()));
    let choice = choice.ok_or(Fault::Order)?;
    let mut touchpoints: Vec<_> = folder.touchpoints.values().collect();
    touchpoints.sort_by_key(|one| natural(&one.label));
    let codes = choice.codes(&folder.store, touchpoints.into_iter(), layout);
    if codes.is_empty() {
        return Err(Fault::NoCodes);
    }
    Ok(codes)
}

#[derive(Template)]
#[template(path = "console/sheet_job.html")]
struct JobPage {
    words: &'static Words,
    t: &'static SheetWords,
    id: String,
    /// None: it is no longer kept.
    job: Option<Standing>,
}

enum Standing {
    Drawing { progress: String },
    Ready { files: Vec<String> },
    Failed { why: String },
}

/// `GET /sheets/{id}`
pub(super) async fn job(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Path(id): Path<String>,
) -> Response {
    let t = SheetWords::of(spoken.language);
    let job = hq.sheets.of(&login, &id, hq.clock.now());
    let is_drawing = job.as_ref().is_some_and(|job| job.done().is_none());
    let page = JobPage {
        words: Words::of(spoken.language),
        t,
        id,
        job: job.map(|job| standing(&job, t)),
    };
    let mut response = show(&page, spoken);
    if is_drawing {
        // The browser asks again by itself, without a script.
        let in_a_while = HeaderValue::from_static("2");
        response.headers_mut().insert(header::REFRESH, in_a_while);
    }
    response
}

fn standing(job: &Job, t: &SheetWords) -> Standing {
    match job.done() {
        None => Standing::Drawing {
            progress: t
                .drawing
                .replace("{n}", &job.read.load(Ordering::Relaxed).to_string())
                .replace("{all}", &job.codes.to_string()),
        },
        Some(Ok(files)) => Standing::Ready {
            files: (1..=files.len())
                .map(|number| job.file_name(number))
                .collect(),
        },
        Some(Err(why)) => Standing::Failed { why: why.clone() },
    }
}

/// `GET /sheets/{id}/{number}`: one of its files.
pub(super) async fn file(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    Path((id, number)): Path<(String, usize)>,
) -> Response {
    let found = hq.sheets.of(&login, &id, hq.clock.now()).and_then(|job| {
        let files = job.done()?.as_ref().ok()?;
        let bytes = files.get(number.checked_sub(1)?)?.clone();
        let name = format!("attachment; filename=\"{}\"", job.file_name(number));
        Some((
            job.format.media_type(),
            HeaderValue::from_str(&name).ok()?,
            bytes,
        ))
    });
    match found {
        None => Redirect::to(&format!("/sheets/{id}")).into_response(),
        Some((kind, name, bytes)) => {
            let kind = HeaderValue::from_static(kind);
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_DISPOSITION, name),
            ];
            (StatusCode::OK, headers, bytes).into_response()
        }
    }
}
