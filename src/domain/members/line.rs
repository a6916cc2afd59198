//! A guest as a line of the checkpoint: `card=1,2026-12-01,1796110200000 at=0101…,2026-12-01,12800`.
//!
//! A format on a disk: a key that is not known is passed over, and none changes its meaning. Written by hand,
//! because a reader that is derived for each of its parts would be 10 kB of a router.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Birthday, Member, Visit, Word};
use crate::domain::ids::RedemptionId;

pub(super) fn write(guest: &Member) -> String {
    let mut line = String::new();
    let words = [
        ("card", guest.card),
        ("vip", guest.vip),
        ("group", guest.group),
    ];
    for (key, word) in words {
        if let Some(Word {
            is,
            since,
            decided_at,
        }) = word
        {
            let (is, at) = (u8::from(is), decided_at.as_millisecond());
            write!(line, " {key}={is},{since},{at}").expect("memory takes it");
        }
    }
    if let Some(birthday) = guest.birthday {
        write!(line, " born={birthday}").expect("memory takes it");
    }
    for Visit {
        redemption,
        day,
        fen,
    } in &guest.visits
    {
        write!(line, " at={redemption},{day},{fen}").expect("memory takes it");
    }
    line.trim_start().to_owned()
}

pub(super) fn read(line: &str) -> Option<Member> {
    let mut guest = Member::default();
    for (key, value) in line
        .split_ascii_whitespace()
        .map(|part| part.split_once('='))
        .map(Option::unwrap_or_default)
    {
        match key {
            "card" => guest.card = Some(word(value)?),
            "vip" => guest.vip = Some(word(value)?),
            "group" => guest.group = Some(word(value)?),
            "born" => guest.birthday = Some(Birthday::parse(value).ok()?),
            "at" => guest.visits.push(visit(value)?),
            _ => {}
        }
    }
    Some(guest)
}

fn word(value: &str) -> Option<Word> {
    let mut parts = value.splitn(3, ',');
    Some(Word {
        is: parts.next()? == "1",
        since: parts.next()?.parse().ok()?,
        decided_at: Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?,
    })
}

fn visit(value: &str) -> Option<Visit> {
    let mut parts = value.splitn(3, ',');
    Some(Visit {
        redemption: RedemptionId::parse(parts.next()?).ok()?,
        day: parts.next()?.parse().ok()?,
        fen: parts.next()?.parse().ok()?,
    })
}
