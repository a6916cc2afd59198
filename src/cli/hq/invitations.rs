//! `maitred hq invite-codes`: codes that invite to an event, on paper, and their digests for `events.toml`.
//!
//! The codes are shown this once: neither headquarters nor a box keeps them.

use super::super::print;
use super::super::syntax::{Command, Given, Word};
use crate::domain::booking::tasting::InviteCode;
use crate::domain::ids::Slug;
use crate::ops::files::random;
use crate::wire::invite_code::digest;

/// More than an event has places.
const MOST: u16 = 1_000;

const EVENT: Word = Word::operand("EVENT", "The event's id, as in the store's events.toml");
const NUMBER: Word = Word::option("number", "N", "How many codes, at most 1000").or("10");

pub(super) const COMMAND: Command = Command::new(
    "invite-codes",
    "Make codes that invite to an event; its events.toml takes their digests",
    &[EVENT, NUMBER],
    make,
);

fn make(given: &Given) -> anyhow::Result<()> {
    let event: Slug = given.value(&EVENT)?;
    let number = given.value_by(&NUMBER, number)?;
    let draw = |_| InviteCode::from_entropy(u64::from_be_bytes(random()));
    let codes: Vec<_> = (0..number).map(draw).collect();
    print::line("give each of these to one guest; they are shown this once:");
    for code in &codes {
        print::line(format_args!("  {code}"));
    }
    print::line(format_args!(
        "\nand put this under `id = \"{event}\"` in the store's events.toml:\ncodes = ["
    ));
    for code in &codes {
        print::line(format_args!("  \"{}\",", digest(&event, *code)));
    }
    print::line("]");
    Ok(())
}

fn number(text: &str) -> Result<u16, &'static str> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=MOST).contains(number));
    number.ok_or("it is a number from 1 to 1000")
}
