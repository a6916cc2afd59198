//! What each place of the shop has brought over four weeks, side by side: the manager sees which code is worth
//! printing again. By this box's own count, also without Internet.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::domain::calendar::business_day;
use crate::domain::ids::StaffName;
use crate::domain::uptake::places::{Group, Line, Places, compare, compared, yuan};
use crate::portal::State;
use crate::portal::error::not_saved;
use crate::portal::ledger::{Ledger, only_say};
use crate::portal::pages::{LanguageLink, Shell, page, render, see_other};
use crate::portal::place;
use crate::portal::texts::{Places as Words, Texts};
use crate::portal::till::SignedIn;

/// `GET /counter/places`
pub(super) async fn show(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return see_other("/till");
    };
    let days = compared(business_day(folder.store.local(state.now())));
    let asked = days.clone();
    let look = move |ledger: &mut Ledger| {
        let book = ledger.places();
        only_say((book.over(asked), book.begins()))
    };
    let (places, begins): (Places, Option<_>) = match state.journal.commit(look).await {
        Ok(told) => told,
        Err(error) => return not_saved(&error).page(&visitor),
    };
    let shell = Shell::new(visitor.language, LanguageLink::Here, Some(&folder.store));
    let t = &shell.t.places;
    // A box that is new here, or that was taught to count places only lately, has not counted all of them.
    let from = begins.unwrap_or(*days.end()).max(*days.start());
    let between = t.days.replace("{from}", &from.to_string());
    let groups = compare(folder.touchpoints.values(), &places);
    let html = render(&PlacesPage {
        store: folder.store.name.of(visitor.language),
        staff: &staff,
        days: between.replace("{to}", &days.end().to_string()),
        tables: groups.iter().map(|group| table(shell.t, group)).collect(),
        unknown: match places.redeemed_from_unknown() {
            ..=0 => None,
            n => Some(t.unknown.replace("{n}", &n.to_string())),
        },
        shell,
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

struct Table<'a> {
    title: &'a str,
    rows: Vec<Row>,
}

struct Row {
    label: String,
    seen: i64,
    claimed: i64,
    redeemed: i64,
    came_back: i64,
    /// Shares and costs, where there are any.
    more: String,
}

fn table<'a>(t: &'a Texts, group: &Group) -> Table<'a> {
    let mut rows = Vec::new();
    // Of a single one all is said by its own line.
    if group.lines.len() > 1 {
        rows.push(row(&t.places, &t.places.all, &group.sum));
    }
    rows.extend(
        group
            .lines
            .iter()
            .map(|line| row(&t.places, &line.label, line)),
    );
    Table {
        title: place::kind(group.kind, &t.kinds),
        rows,
    }
}

fn row(t: &Words, label: &str, line: &Line) -> Row {
    let share = |words: &str, share: Option<_>| {
        share.map(|share| words.replace("{share}", &format!("{share}")))
    };
    let cost = |words: &str, fen: Option<i64>| fen.map(|fen| words.replace("{yuan}", &yuan(fen)));
    let more = [
        share(&t.share_claimed, line.claim_share()),
        share(&t.share_redeemed, line.redeem_share()),
        share(&t.share_back, line.return_share()),
        cost(&t.per_claim, line.fen_per_claim()),
        cost(&t.per_redeemed, line.fen_per_redeemed()),
    ];
    Row {
        label: label.to_owned(),
        seen: line.seen,
        claimed: line.claimed,
        redeemed: line.redeemed,
        came_back: line.patrons.came_back,
        more: more.into_iter().flatten().collect::<Vec<_>>().join(" · "),
    }
}

#[derive(Template)]
#[template(path = "portal/counter_places.html")]
struct PlacesPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    days: String,
    tables: Vec<Table<'a>>,
    /// What was used here and has no place.
    unknown: Option<String>,
}
