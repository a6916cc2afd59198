//! Guests by the half-hour, counted by hand, beside the redemptions: one tap for one more or one fewer.
//!
//! Counting is a frame of the journal, so it is right after a restart, and never below zero. A form says what it
//! saw, so that one which a bad network sends twice counts once. A shop that does not
//! count guests is told its redemptions an hour instead of a share that nobody knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Extract;
use axum::response::Response;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::domain::bill::{Fen, Party, in_yuan};
use crate::domain::calendar::{business_day, clock};
use crate::domain::event::Event;
use crate::domain::floor::{FloorDay, HalfHour};
use crate::domain::ids::StaffName;
use crate::domain::store::Store;
use crate::domain::wallet::Redemption;
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::pages::see_other;
use crate::portal::texts::Counter;
use crate::portal::till::SignedIn;

/// The most that one tap may say.
const MOST_AT_ONCE: i16 = 99;

/// One half-hour.
pub(super) struct Half {
    pub(super) number: u8,
    /// `14:30`
    pub(super) begins: String,
    pub(super) redeemed: usize,
    pub(super) covers: u16,
    /// What the buttons do, for who does not see them.
    pub(super) fewer: String,
    pub(super) more: String,
}

/// Today by the half-hour.
pub(super) struct Covers {
    pub(super) day: Date,
    /// The newest first, so that the one that is counted now is on top.
    pub(super) halves: Vec<Half>,
    /// What the two columns come to, in a sentence.
    pub(super) sum: String,
    /// What was noted of bills; none where nothing was.
    pub(super) bills: Option<String>,
}

impl Covers {
    /// `redeemed` are today's redemptions.
    pub(super) fn of(
        floor: &FloorDay,
        redeemed: &[Redemption],
        store: &Store,
        now: Timestamp,
        t: &Counter,
    ) -> Self {
        let mut by_half: BTreeMap<HalfHour, usize> = BTreeMap::new();
        for done in redeemed {
            *by_half
                .entry(HalfHour::of(store.local(done.at)))
                .or_default() += 1;
        }
        let current = HalfHour::of(store.local(now));
        let until_now = HalfHour::of_a_business_day()
            .take_while(|half| *half != current)
            .chain([current]);
        let mut halves: Vec<_> = until_now
            .map(|half| {
                let begins = clock(half.begins());
                Half {
                    number: half.number(),
                    redeemed: by_half.get(&half).copied().unwrap_or_default(),
                    covers: floor.covers(half),
                    fewer: t.covers_fewer.replace("{time}", &begins),
                    more: t.covers_more.replace("{time}", &begins),
                    begins,
                }
            })
            .collect();
        let sum = sum(floor, &halves, redeemed, now, t);
        // From the first one in which anything happened; the last two hours can always be counted.
        let is_empty = |half: &Half| half.redeemed == 0 && half.covers == 0;
        let begins = halves.iter().take_while(|half| is_empty(half)).count();
        let begins = begins.min(halves.len().saturating_sub(4));
        halves.drain(..begins);
        halves.reverse();
        Self {
            day: business_day(store.local(now)),
            halves,
            sum,
            bills: bills(floor, redeemed, t),
        }
    }
}

fn sum(
    floor: &FloorDay,
    halves: &[Half],
    redeemed: &[Redemption],
    now: Timestamp,
    t: &Counter,
) -> String {
    if floor.has_covers() {
        // Only half-hours that were counted: the others would make the share larger than it is.
        let counted = halves.iter().filter(|half| half.covers > 0);
        let (covers, redeemed) = counted.fold((0_u32, 0), |(covers, redeemed), half| {
            (covers + u32::from(half.covers), redeemed + half.redeemed)
        });
        return t
            .covers_sum
            .replace("{redeemed}", &redeemed.to_string())
            .replace("{covers}", &covers.to_string());
    }
    let first = redeemed.iter().map(|done| done.at).min().unwrap_or(now);
    let minutes = now.duration_since(first).as_mins().max(60);
    let count = i64::try_from(redeemed.len()).unwrap_or(i64::MAX);
    let tenths = count.saturating_mul(600) / minutes;
    let rate = format!("{}.{}", tenths / 10, tenths % 10);
    t.covers_none.replace("{rate}", &rate)
}

/// Bills and people, and of how many redemptions they are known.
fn bills(floor: &FloorDay, redeemed: &[Redemption], t: &Counter) -> Option<String> {
    let (mut people, mut parties, mut fen, mut paid, mut of_redemptions) = (0, 0, 0, 0, 0);
    for noted in floor.bills() {
        if let Some(party) = noted.party.map(Party::people) {
            people += u32::from(party);
            parties += 1;
        }
        if let Some(amount) = noted.amount.map(Fen::fen) {
            fen += u64::from(amount);
            paid += 1;
            let is_its = |done: &Redemption| Some(done.redeem.redemption) == noted.redemption;
            of_redemptions += u32::from(redeemed.iter().any(is_its));
        }
    }
    let party = t
        .parties_sum
        .replace("{people}", &people.to_string())
        .replace("{parties}", &parties.to_string());
    let bill = t
        .bills_sum
        .replace("{bills}", &paid.to_string())
        .replace("{yuan}", &in_yuan(fen))
        .replace("{with}", &of_redemptions.to_string())
        .replace("{redeemed}", &redeemed.len().to_string());
    match (parties, paid) {
        (0, 0) => None,
        (_, 0) => Some(party),
        (0, _) => Some(bill),
        _ => Some(format!("{bill} {party}")),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CoversForm {
    day: Date,
    half: HalfHour,
    /// The total that the page showed.
    seen: u16,
    by: i16,
}

/// `POST /counter/covers`
pub(super) async fn count(
    Extract(state): Extract<State>,
    SignedIn { visitor, staff, .. }: SignedIn,
    form: Result<Form<CoversForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let (store, now) = (folder.store.clone(), state.now());
    if form.by.abs() > MOST_AT_ONCE || !is_recent(form.day, &store, now) {
        return Apology::Incomplete.page(&visitor);
    }
    let boot_time = state.boot_time();
    let clock = Arc::clone(&state.clock);
    let decide = move |ledger: &mut Ledger| match count_by(ledger, &form, staff) {
        Some(event) => write(boot_time, happening(&store, clock.now(), event), ()),
        // Fewer than none, or another tap was first: the page says how many there are.
        None => only_say(()),
    };
    match state.journal.commit(decide).await {
        Ok(()) => see_other("/counter#covers"),
        Err(error) => not_saved(&error).page(&visitor),
    }
}

fn count_by(ledger: &Ledger, form: &CoversForm, staff: StaffName) -> Option<Event> {
    let counted = ledger
        .floor()
        .count((form.day, form.half), form.seen, form.by, staff)?;
    Some(Event::CoversCounted(counted))
}

/// Today, or the day before of a page that was left open over its end.
fn is_recent(day: Date, store: &Store, now: Timestamp) -> bool {
    let yesterday = now - SignedDuration::from_hours(24);
    [now, yesterday]
        .iter()
        .any(|at| business_day(store.local(*at)) == day)
}
