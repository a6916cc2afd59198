//! The counter page: the figures of the day and how the box is doing, in words for the manager of the shop.
//!
//! It opens like the till: from the staff network, on a paired device, for somebody who is signed in. The
//! figures are those of this box, by the same `fold` as headquarters', and need no Internet: today's beside
//! yesterday's, and each campaign's where there are several. They are counts and no rates, because page opens
//! are not people, and what is redeemed on a day was claimed on others, too. The page also tells what waits for
//! headquarters and why, and what can be done about it here. What guests ask and say stands on top ([`inbox`]),
//! with a way to the tables they have booked ([`bookings`]); under the figures staff say what is sold out ([`offers`]); beside them is where the stickers of the shop are
//! ([`stickers`]), the walk past them ([`walk`]) and their printing ([`sheets`]). What each table, poster and slip has
//! brought has a page of its own ([`places`]).

mod bookings;
mod covers;
mod guest;
mod inbox;
mod offers;
mod pair;
mod places;
mod recent;
mod sheets;
mod slip;
pub(super) mod stickers;
mod walk;

use askama::Template;
use axum::Router;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;

use super::State;
use super::invite;
use super::ledger::{Ledger, only_say};
use super::pages::{LanguageLink, Shell, render, scripted};
use super::texts::{Counter, texts};
use super::till::{SignedIn, script};
use crate::domain::calendar::{business_day, day_and_clock};
use crate::domain::ids::{CampaignId, StaffName};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::domain::uptake::Step;
use crate::domain::uptake::days::{Day, Sums};
use crate::wire::bundle::Bundle;
use crate::wire::link::LinkState;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(show))
        .route("/inbox", get(inbox::list).post(inbox::answer))
        .route("/inbox/{id}", get(inbox::one))
        .route("/bookings", get(bookings::list).post(bookings::act))
        .route("/guest", get(guest::show).post(guest::say))
        .route(
            "/events/{id}",
            get(bookings::event).post(bookings::check_in),
        )
        .route("/places", get(places::show))
        .route("/stock", post(offers::set_stock))
        .route("/switch", post(offers::switch))
        .route("/pair", post(pair::give_out))
        .route("/covers", post(covers::count))
        .route("/walk", get(walk::show))
        .route("/walk/begin", post(walk::begin))
        .route("/walk/finish", post(walk::finish))
        .route("/stickers", get(stickers::list))
        .route("/stickers/{code}", get(stickers::show).post(stickers::bind))
        .route("/stickers/{code}/free", post(stickers::free))
        .route("/slip", get(slip::ask).post(slip::issue))
        .route("/slip/{id}", get(slip::show))
        .route("/sheets", get(sheets::show))
        .route("/sheets/print", get(sheets::print))
}

pub(super) use guest::address as guest_with;

#[derive(Template)]
#[template(path = "portal/counter.html")]
struct CounterPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    inbox: inbox::Shown,
    /// None beside headquarters, where no store's day is.
    figures: Option<Figures>,
    /// Guests and redemptions by the half-hour; none beside headquarters.
    covers: Option<covers::Covers>,
    /// The last redemptions.
    recent: Vec<recent::Row>,
    /// What runs here today.
    offers: Vec<offers::Offer>,
    /// When somebody typed too many unknown codes today.
    guessing: Option<String>,
    /// What is wrong with invitations.
    worries: Vec<String>,
    link: &'a str,
    is_well: bool,
    /// Captures that wait for headquarters, and since when.
    waiting: u64,
    oldest: Option<String>,
    /// Bookings that wait for an answer; none where the store takes none.
    bookings: Option<usize>,
    script: &'static str,
}

/// Two days side by side.
struct Figures {
    /// Nothing has been counted today.
    is_new: bool,
    /// The first is of the whole shop and has no title. Empty where there is nothing to compare either.
    tables: Vec<Table>,
}

struct Table {
    title: Option<String>,
    rows: Vec<Row>,
}

struct Row {
    label: &'static str,
    today: i64,
    yesterday: i64,
}

/// `GET /counter`
async fn show(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
) -> Response {
    let bundle = state.bundle();
    let folder = state.own_store(&bundle);
    let store = folder.map(|folder| &folder.store);
    let shell = Shell::new(visitor.language, LanguageLink::Here, store);
    let (waiting, oldest_ms) = {
        let depths = state.outbox.depths();
        let p0 = &depths.borrow().p0;
        (p0.frames, p0.oldest_unix_ms)
    };
    let oldest = oldest_ms
        .and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok())
        .zip(store)
        .map(|(time, store)| day_and_clock(store.local(time)));
    let link = state.link.as_ref().map(|link| *link.borrow());
    let (covers, recent) = match store {
        Some(store) => by_half_hours(&state, &bundle, store, &shell, visitor.language).await,
        None => (None, Vec::new()),
    };
    let html = render(&CounterPage {
        store: store.map_or("", |store| store.name.of(visitor.language)),
        staff: &staff,
        covers,
        recent,
        bookings: match folder {
            Some(folder) => bookings::unanswered(&state, folder).await,
            None => None,
        },
        script: script::address(),
        inbox: match folder {
            Some(folder) => inbox::shown(&state, folder, visitor.language).await,
            None => inbox::Shown::default(),
        },
        figures: store.map(|store| figures(&state, &bundle, store, visitor.language)),
        offers: store
            .map(|store| offers::today(&state, &bundle, store, visitor.language))
            .unwrap_or_default(),
        guessing: {
            let last = state.wallet.read().last_guessing();
            let today = store.map(|store| business_day(store.local(state.now())));
            last.zip(store)
                .map(|(at, store)| store.local(at))
                .filter(|local| Some(business_day(*local)) == today)
                .map(day_and_clock)
        },
        worries: invite::worries(&state, &bundle, visitor.language).await,
        link: words(&shell.t.counter, link),
        is_well: matches!(link, None | Some(LinkState::Online)),
        waiting,
        oldest,
        shell,
    });
    let answer = scripted(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

/// Today's half-hours, and the last redemptions in them.
async fn by_half_hours(
    state: &State,
    bundle: &Bundle,
    store: &Store,
    shell: &Shell,
    language: Language,
) -> (Option<covers::Covers>, Vec<recent::Row>) {
    let now = state.now();
    let today = business_day(store.local(now));
    let look = move |ledger: &mut Ledger| only_say(ledger.floor().day(today));
    // A journal that cannot write answers nothing, and its page has other worries.
    let floor = state.journal.commit(look).await.unwrap_or_default();
    let wallet = state.wallet.read();
    let redeemed = recent::of_today(&wallet, store, now);
    let rows = recent::rows(&redeemed, &wallet, bundle, store, language);
    drop(wallet);
    let covers = covers::Covers::of(&floor, &redeemed, store, now, &shell.t.counter);
    (Some(covers), rows)
}

fn figures(state: &State, bundle: &Bundle, store: &Store, language: Language) -> Figures {
    let today = business_day(store.local(state.now()));
    let (today, yesterday) = {
        let days = state.days.read();
        let before = today.yesterday().map(|day| days.day(day));
        (days.day(today), before.unwrap_or_default())
    };
    let t = &texts(language).counter;
    let title = |id: &CampaignId| match bundle.campaigns.get(id) {
        Some(campaign) => campaign.title.of(language).to_owned(),
        None => id.to_string(),
    };
    Figures {
        is_new: today.all.is_empty(),
        tables: tables(t, &today, &yesterday, title),
    }
}

fn tables(
    t: &'static Counter,
    today: &Day,
    yesterday: &Day,
    title: impl Fn(&CampaignId) -> String,
) -> Vec<Table> {
    let table = |title, rows: &[(&'static str, Step)], today: &Sums, yesterday: &Sums| Table {
        title,
        rows: rows
            .iter()
            .map(|(label, step)| Row {
                label,
                today: today.of(*step),
                yesterday: yesterday.of(*step),
            })
            .collect(),
    };
    let funnel: [(&str, _); 5] = [
        (&t.came, Step::Came),
        (&t.claimed, Step::Claimed),
        (&t.redeemed, Step::Redeemed),
        (&t.consented, Step::Consented),
        (&t.refused, Step::Refused),
    ];
    let quiet: [(&str, _); 3] = [
        (&t.came, Step::OffPeakCame),
        (&t.claimed, Step::OffPeakClaimed),
        (&t.redeemed, Step::OffPeakRedeemed),
    ];
    let is_empty = |rows: &[Row]| rows.iter().all(|row| row.today == 0 && row.yesterday == 0);
    let mut tables = vec![
        table(None, &funnel, &today.all, &yesterday.all),
        table(Some(t.quiet.clone()), &quiet, &today.all, &yesterday.all),
    ];
    let mut campaigns: Vec<&CampaignId> = Vec::new();
    for (id, _) in today.campaigns.iter().chain(&yesterday.campaigns) {
        if !campaigns.contains(&id) {
            campaigns.push(id);
        }
    }
    // Of a single one all that is known has been said above.
    if campaigns.len() > 1 {
        tables.extend(campaigns.into_iter().map(|id| {
            let (today, yesterday) = (today.of(id), yesterday.of(id));
            table(Some(title(id)), &funnel[..3], &today, &yesterday)
        }));
    }
    tables.retain(|table| !is_empty(&table.rows));
    tables
}

fn words(texts: &Counter, link: Option<LinkState>) -> &str {
    match link {
        None => &texts.alone,
        Some(LinkState::Unknown) => &texts.unknown,
        Some(LinkState::Online) => &texts.online,
        Some(LinkState::ClockBad) => &texts.clock_bad,
        Some(LinkState::Offline) => &texts.offline,
        Some(LinkState::HqDown) => &texts.hq_down,
        Some(LinkState::CertBad) => &texts.cert_bad,
        Some(LinkState::UpstreamCaptive) => &texts.upstream_captive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Event, Moment, Occurrence, View};
    use crate::domain::ids::{FramePlace, StoreId, StreamId};
    use crate::domain::uptake::days::DayBook;

    fn view(time: &str, campaign: Option<&str>, off_peak: bool) -> Occurrence {
        Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: time.parse().unwrap(),
                offset: jiff::tz::Offset::UTC,
            },
            event: Event::PortalView(View {
                touchpoint: None,
                campaign: campaign.map(|id| CampaignId::parse(id).unwrap()),
                vid: None,
                off_peak,
            }),
        }
    }

    fn shown(views: &[Occurrence]) -> Vec<(Option<String>, i64, i64)> {
        let mut book = DayBook::of(Some(StoreId::parse("SZ01").unwrap()));
        let at = FramePlace {
            stream: StreamId::from_time_and_entropy(1, [1; 10]),
            seq: 1,
        };
        book.apply(at, views);
        let [yesterday, today] =
            ["2026-12-01", "2026-12-02"].map(|day| book.day(day.parse().unwrap()));
        let t = &texts(Language::English).counter;
        tables(t, &today, &yesterday, |id| format!("the {id}"))
            .into_iter()
            .map(|table| (table.title, table.rows[0].today, table.rows[0].yesterday))
            .collect()
    }

    #[test]
    fn campaigns_are_told_apart_where_there_are_several_and_empty_tables_are_left_out() {
        assert_eq!(shown(&[]), []);
        let first = view("2026-12-02T12:00:00Z", Some("quiet"), true);
        let quiet_hours = Some(texts(Language::English).counter.quiet.clone());
        assert_eq!(
            shown(std::slice::from_ref(&first)),
            [(None, 1, 0), (quiet_hours.clone(), 1, 0)]
        );
        let views = [
            first,
            view("2026-12-01T12:00:00Z", Some("all-day"), false),
            view("2026-12-01T12:00:00Z", None, false),
        ];
        assert_eq!(
            shown(&views),
            [
                (None, 1, 2),
                (quiet_hours, 1, 0),
                (Some("the quiet".to_owned()), 1, 0),
                (Some("the all-day".to_owned()), 0, 1),
            ]
        );
    }
}
