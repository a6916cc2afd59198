//! Rounds past all stickers that are going on, each on a paired device, and what its scans answer.
//!
//! A device on a round reads what a sticker is instead of a guest's page, so its scans are no views. The round is
//! kept in memory, for two hours at most: whoever loses it in a restart begins again, and no guest notices.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use super::State;
use super::cookie;
use super::pages::{LanguageLink, Shell, page, render};
use super::place;
use super::visitor::Visitor;
use crate::domain::ids::{DeviceId, TouchpointCode};
use crate::domain::store::Touchpoint;
use crate::domain::walk::{Scanned, Walk, Wrong};
use crate::sheet::SHEET_VERSION;
use crate::wire::bundle::{Bundle, StoreFolder};

/// As long as a round may take.
const LASTS: Duration = Duration::from_secs(2 * 3600);

/// Devices that may be on a round at a time; a further one takes the place of the one that began first.
const MOST_ROUNDS: usize = 8;

/// What is shown of a sticker whose code is none: enough to see what it is.
const SHOWN: usize = 24;

/// The rounds of this box.
#[derive(Debug, Default)]
pub(super) struct Rounds(Mutex<BTreeMap<DeviceId, Round>>);

#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    pub(super) walk: Walk,
    /// Since the boot.
    begun: Duration,
    /// It came to its end, and only its findings are still looked at.
    pub(super) is_over: bool,
}

impl Rounds {
    /// Begins a round, in place of one of this device that was going on.
    pub(super) fn begin(&self, device: DeviceId, now: Duration) {
        let mut rounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.retain(|_, round| now.saturating_sub(round.begun) < LASTS);
        if rounds.len() >= MOST_ROUNDS
            && let Some((oldest, _)) = rounds.iter().min_by_key(|(_, round)| round.begun)
        {
            let oldest = *oldest;
            rounds.remove(&oldest);
        }
        let round = Round {
            begun: now,
            ..Round::default()
        };
        rounds.insert(device, round);
    }

    /// The round of a device as it stands.
    pub(super) fn of(&self, device: DeviceId, now: Duration) -> Option<Round> {
        let rounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let round = rounds.get(&device)?;
        (now.saturating_sub(round.begun) < LASTS).then(|| round.clone())
    }

    /// Changes the round of a device that is going on.
    fn change<A>(
        &self,
        device: DeviceId,
        now: Duration,
        change: impl FnOnce(&mut Round) -> A,
    ) -> Option<A> {
        let mut rounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let round = rounds.get_mut(&device)?;
        let goes_on = !round.is_over && now.saturating_sub(round.begun) < LASTS;
        goes_on.then(|| change(round))
    }

    /// The findings of a round stay to be looked at until it would have ended by itself.
    pub(super) fn end(&self, device: DeviceId, now: Duration) {
        self.change(device, now, |round| round.is_over = true);
    }
}

/// What a scan on a round found.
enum Found<'t> {
    Place(&'t Touchpoint, Scanned),
    Wrong(Wrong),
}

/// The answer to a scan of a device on a round; none to anybody else.
pub(super) fn step(
    state: &State,
    visitor: &Visitor,
    code: Option<TouchpointCode>,
    request: &Request,
) -> Option<Response> {
    let device = state.signer.get(request.headers(), cookie::WALK)?;
    let device = DeviceId::parse(device).ok()?;
    let bundle = state.bundle();
    let folder = state.own_store(&bundle)?;
    let found = find(&bundle, folder, code);
    let text = match code {
        Some(code) => code.to_string(),
        None => readable(request.uri().path()),
    };
    let now = state.clock.since_boot();
    let found = state.rounds.change(device, now, |round| match found {
        Ok(touchpoint) => Found::Place(touchpoint, round.walk.scan(touchpoint.code)),
        Err(wrong) => {
            round.walk.scan_wrong(&text, wrong);
            Found::Wrong(wrong)
        }
    })?;
    let walk = state.rounds.of(device, now)?.walk;
    Some(answer(folder, visitor, (&text, &found), &walk))
}

/// What carries `code` in this store, or what is wrong with it.
fn find<'b>(
    bundle: &'b Bundle,
    own: &'b StoreFolder,
    code: Option<TouchpointCode>,
) -> Result<&'b Touchpoint, Wrong> {
    let (folder, touchpoint) = code
        .and_then(|code| bundle.touchpoint(code))
        .ok_or(Wrong::Unknown)?;
    if folder.store.id != own.store.id {
        Err(Wrong::OtherStore)
    } else if touchpoint.is_bound() {
        Ok(touchpoint)
    } else {
        Err(Wrong::Blank)
    }
}

/// The last part of an address that is none of ours, as far as it can be shown.
fn readable(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let shown = last.chars().filter(char::is_ascii_alphanumeric);
    shown.take(SHOWN).collect()
}

fn answer(
    folder: &StoreFolder,
    visitor: &Visitor,
    (text, found): (&str, &Found<'_>),
    walk: &Walk,
) -> Response {
    let shell = Shell::new(visitor.language, LanguageLink::Nowhere, Some(&folder.store));
    let findings = walk.findings(folder.touchpoints.values());
    let t = &shell.t.walk;
    let progress = t
        .progress
        .replace("{n}", &findings.found().to_string())
        .replace("{all}", &findings.lines.len().to_string());
    let (title, text, blank) = match found {
        Found::Place(touchpoint, scanned) => {
            let kind = place::kind(touchpoint.kind, &shell.t.kinds);
            let title = format!("✓ {} · {kind}", touchpoint.label);
            let expected = t
                .expected
                .replace("{label}", &touchpoint.label)
                .replace("{v}", &SHEET_VERSION.to_string());
            let again = match scanned {
                Scanned::New => None,
                Scanned::Again => Some(t.again.clone()),
            };
            let is_double = findings
                .lines
                .iter()
                .any(|line| line.is_double() && line.codes.contains(&touchpoint.code));
            let double = is_double.then(|| t.double.replace("{label}", &touchpoint.label));
            let words = [Some(expected), again, double];
            (title, words.into_iter().flatten().collect::<Vec<_>>(), None)
        }
        Found::Wrong(wrong) => {
            let blank = (*wrong == Wrong::Blank).then(|| text.to_owned());
            let words = reason(*wrong, t).to_owned();
            (format!("✗ {text}"), vec![words], blank)
        }
    };
    let html = render(&SeenPage {
        is_good: matches!(found, Found::Place(..)),
        title,
        text,
        blank,
        progress,
        shell,
    });
    page(StatusCode::OK, visitor.packing, html)
}

/// What is wrong with a sticker, in words.
pub(super) fn reason(wrong: Wrong, t: &super::texts::Walk) -> &str {
    match wrong {
        Wrong::Blank => &t.blank,
        Wrong::OtherStore => &t.other_store,
        Wrong::Unknown => &t.unknown,
    }
}

#[derive(Template)]
#[template(path = "portal/walk.html")]
struct SeenPage {
    shell: Shell,
    is_good: bool,
    title: String,
    text: Vec<String>,
    /// The code of a sticker that can be bound now.
    blank: Option<String>,
    progress: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u8) -> DeviceId {
        DeviceId::from_entropy([number; 16])
    }

    #[test]
    fn a_round_ends_by_itself_and_those_that_go_on_have_an_end() {
        let rounds = Rounds::default();
        let at = Duration::from_secs;
        rounds.begin(device(0), at(100));
        let code = TouchpointCode::from_entropy(7);
        let scan = |round: &mut Round| round.walk.scan(code);
        assert_eq!(rounds.change(device(0), at(101), scan), Some(Scanned::New));
        assert_eq!(rounds.change(device(1), at(101), scan), None, "not on one");
        assert_eq!(rounds.change(device(0), at(100 + 7200), scan), None);
        assert!(rounds.of(device(0), at(100 + 7200)).is_none());

        for number in 1..20 {
            rounds.begin(device(number), at(200 + u64::from(number)));
        }
        let still = (0..20).filter(|number| rounds.of(device(*number), at(300)).is_some());
        assert_eq!(still.count(), MOST_ROUNDS);
        assert!(rounds.of(device(19), at(300)).is_some());
    }

    #[test]
    fn a_round_that_is_over_takes_no_scan_and_can_be_looked_at() {
        let (rounds, now) = (Rounds::default(), Duration::from_secs(1));
        rounds.begin(device(1), now);
        rounds.end(device(1), now);
        assert!(rounds.change(device(1), now, |_| ()).is_none());
        assert!(rounds.of(device(1), now).unwrap().is_over);
    }

    #[test]
    fn what_is_read_of_a_strange_address_can_be_shown() {
        assert_eq!(readable("/t/abc%3Cscript%3E"), "abc3Cscript3E");
        assert_eq!(readable(&format!("/t/{}", "x".repeat(200))).len(), SHOWN);
    }
}
