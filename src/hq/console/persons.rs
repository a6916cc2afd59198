//! What headquarters keeps of persons, as counts: who asked to be forgotten and which boxes have not answered, at
//! which stage a store's guests are, and how much of its access log there is and who read it.
//!
//! Names nobody: there are numbers of requests, of boxes and of guests, and no pseudonym.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::fleet::ago;
use super::language::Spoken;
use super::session::{SignedIn, show, unavailable};
use super::words::Words;
use crate::domain::calendar::business_day;
use crate::domain::ids::StoreId;
use crate::domain::members::MemberRules;
use crate::domain::regulars::{Stage, stage};
use crate::hq::db::access::Held;
use crate::hq::db::members::Member;
use crate::hq::db::persons::{Erasure, Unanswered};
use crate::hq::db::{AuditEntry, LedgerError};
use crate::hq::state::Shared;

/// Of the audit so much is looked through for readers of the access log.
const AUDIT_LINES: u32 = 500;

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Read leniently: one that is none shows the first store.
    store: Option<String>,
}

#[derive(Template)]
#[template(path = "console/persons.html")]
struct PersonsPage {
    words: &'static Words,
    login: String,
    erasures: Vec<Row>,
    store: Option<StoreId>,
    counts: Counts,
    access: Option<Held>,
    readers: Vec<AuditEntry>,
    /// The chain's.
    stores: Vec<StoreId>,
}

/// A request to be forgotten.
struct Row {
    erasure: Erasure,
    /// The boxes that have not answered, each with how long ago it was told.
    waits: Vec<String>,
}

impl Row {
    fn asked(&self) -> String {
        format!("{:.0}", self.erasure.asked)
    }

    fn swept(&self) -> Option<String> {
        self.erasure.swept.map(|at| format!("{at:.0}"))
    }
}

/// How many guests of a store are what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    new: u32,
    active: u32,
    sleeping: u32,
    lost: u32,
    vips: u32,
    in_group: u32,
    agreed: u32,
}

impl Counts {
    fn of(guests: &[Member], today: Date, rules: &MemberRules) -> Self {
        let mut counts = Self::default();
        for guest in guests {
            if let Some(seen) = guest.seen {
                *match stage(seen.days, seen.last, today, rules) {
                    Stage::New => &mut counts.new,
                    Stage::Active => &mut counts.active,
                    Stage::Sleeping => &mut counts.sleeping,
                    Stage::Lost => &mut counts.lost,
                } += 1;
            }
            counts.vips += u32::from(guest.vip_since.is_some());
            counts.in_group += u32::from(guest.in_group_since.is_some());
            counts.agreed += u32::from(guest.consents);
        }
        counts
    }
}

pub(super) async fn page(
    State(hq): State<Shared>,
    SignedIn { login }: SignedIn,
    spoken: Spoken,
    Query(asked): Query<Asked>,
) -> Result<Response, Response> {
    let page = read(&hq, spoken, login, asked.store.as_deref()).await;
    Ok(show(&page.map_err(unavailable)?, spoken))
}

async fn read(
    hq: &Shared,
    spoken: Spoken,
    login: String,
    asked: Option<&str>,
) -> Result<PersonsPage, LedgerError> {
    let words = Words::of(spoken.language);
    let known = hq.bundles.known();
    let bundle = known.chain.as_ref().map(|chain| &chain.bundle);
    let stores = bundle.map(|bundle| &bundle.stores);
    let folder = stores.and_then(|stores| {
        let named = asked.and_then(|id| stores.get(&StoreId::parse(id).ok()?));
        named.or_else(|| stores.values().next())
    });
    let unanswered = hq.ledger.unanswered().await?;
    let erasures = hq.ledger.erasures().await?;
    let now = hq.clock.now();
    let mut page = PersonsPage {
        words,
        login,
        erasures: rows(words, erasures, &unanswered, now),
        store: folder.map(|folder| folder.store.id.clone()),
        counts: Counts::default(),
        access: None,
        readers: Vec::new(),
        stores: stores
            .into_iter()
            .flatten()
            .map(|(id, _)| id.clone())
            .collect(),
    };
    if let Some((folder, bundle)) = folder.zip(bundle) {
        let id = &folder.store.id;
        let guests = hq.ledger.members(id.clone()).await?;
        let today = business_day(folder.store.local(hq.shop_clock.now()));
        page.counts = Counts::of(&guests, today, &bundle.members);
        page.access = hq.ledger.access_held(id.clone()).await?;
        let mut readers = hq.ledger.audit(AUDIT_LINES).await?;
        readers.retain(|entry| entry.action == "access_log_opened" && entry.object == id.as_str());
        page.readers = readers;
    }
    Ok(page)
}

/// The newest first: an old one that waits is found by what it waits for.
fn rows(
    words: &Words,
    erasures: Vec<Erasure>,
    unanswered: &[Unanswered],
    now: Timestamp,
) -> Vec<Row> {
    let row = |erasure: Erasure| {
        let waits = unanswered
            .iter()
            .filter(|one| one.erasure == erasure.number)
            .map(|one| {
                let since = ago(words, now.duration_since(one.told));
                let sentence = words
                    .waits_for
                    .replace("{gateway}", &one.gateway.to_string());
                sentence.replace("{}", &since)
            });
        Row {
            waits: waits.collect(),
            erasure,
        }
    };
    erasures.into_iter().rev().map(row).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::hq::db::members::Seen;

    #[test]
    fn guests_are_counted_once_at_their_stage_and_by_what_else_they_are() {
        let seen = |days, last| Member {
            seen: Some(Seen {
                days,
                first: date(2026, 1, 1),
                last,
            }),
            ..Member::default()
        };
        let today = date(2026, 12, 1);
        let guests = [
            seen(1, today),
            Member {
                vip_since: Some(today),
                consents: true,
                ..seen(4, today)
            },
            seen(4, date(2026, 10, 1)),
            seen(4, date(2026, 2, 1)),
            // Of a list of before, and never seen.
            Member {
                vip_since: Some(today),
                in_group_since: Some(today),
                ..Member::default()
            },
        ];
        let counts = Counts {
            new: 1,
            active: 1,
            sleeping: 1,
            lost: 1,
            vips: 2,
            in_group: 1,
            agreed: 1,
        };
        assert_eq!(Counts::of(&guests, today, &MemberRules::default()), counts);
    }
}
