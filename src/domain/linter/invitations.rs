//! What the codes of an invitation have to hold: personal codes (R28), full groups (R29), codes that have run out
//! (R35), and where they lead (R13, R18, R19).

use jiff::civil::Date;

use super::rules::{Level, Rule};
use super::{Finding, Linter};
use crate::domain::invitation::{Code, Invitation, InvitationKind};

/// From here on a group is nearly full, and from there on nobody comes in by its code (rules-and-law, R29).
const NEARLY_FULL: u32 = 160;
const FULL: u32 = 200;

/// The beginnings of what the code of a personal account or group says.
const PERSONAL: [&str; 2] = ["https://u.wechat.com/", "https://weixin.qq.com/g/"];

/// What is found in the codes of `invitation` as it is on `today`; `hosts` are those of the chain's own stores.
pub(super) fn check(
    linter: &Linter,
    invitation: &Invitation,
    hosts: &[&str],
    today: Date,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for code in invitation.codes.iter().filter(|code| !code.away) {
        let path = |of: &str| format!("code.{}{of}", code.id);
        for rule in linter.counting() {
            let level = match &*rule.id {
                "R13" => is_a_touchpoints(code, hosts).then_some(rule.level),
                "R28" => is_personal(code).then_some(rule.level),
                "R29" => fullness(invitation, code),
                "R35" => has_run_out(code, today).then_some(rule.level),
                _ => None,
            };
            let found = code.qr.as_str().to_owned();
            findings.extend(level.map(|level| Finding {
                level,
                ..Finding::of(rule, path(""), found)
            }));
            if matches!(&*rule.id, "R18" | "R19") {
                let link = code.link.as_ref().map(|link| (".link", link.as_str()));
                for (of, address) in [(".qr", code.qr.as_str())].into_iter().chain(link) {
                    findings.extend(leads_astray(rule, address, path(of)));
                }
            }
        }
    }
    findings
}

fn leads_astray(rule: &'static Rule, address: &str, path: String) -> Option<Finding> {
    let (level, found) = super::in_sentence(rule, &address.to_ascii_lowercase(), false)?;
    Some(Finding {
        level,
        ..Finding::of(rule, path, found)
    })
}

/// A code of the chain's own tables, which guests order by.
fn is_a_touchpoints(code: &Code, hosts: &[&str]) -> bool {
    let address = code.qr.as_str();
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    path.starts_with("t/") && hosts.contains(&host.to_ascii_lowercase().as_str())
}

fn is_personal(code: &Code) -> bool {
    let qr = code.qr.as_str();
    PERSONAL.iter().any(|begin| qr.starts_with(begin))
}

fn has_run_out(code: &Code, today: Date) -> bool {
    code.last_day().is_some_and(|last| last < today)
}

/// A group that fills up while no other is there to go on with.
fn fullness(invitation: &Invitation, code: &Code) -> Option<Level> {
    let is_another = |other: &Code| other.id != code.id && !other.away;
    let group = code
        .group
        .filter(|_| invitation.kind == InvitationKind::Group)?;
    if invitation.codes.iter().any(is_another) {
        return None;
    }
    match group.members {
        0..NEARLY_FULL => None,
        NEARLY_FULL..FULL => Some(Level::Warn),
        FULL.. => Some(Level::Refuse),
    }
}
