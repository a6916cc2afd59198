//! `maitred hq booking phone`: the number of one booking, for the staff of its store.

use anyhow::bail;

use super::super::print;
use super::super::syntax::{Command, Given, Word};
use super::{read_chain, settings, store, with_ledger};
use crate::domain::ids::StaffName;
use crate::hq::db::phones::Which;
use crate::hq::phones::{Asked, open};
use crate::ops::clock::{Clock, SystemClock};

/// A line of the audit.
const LONGEST_REASON: usize = 200;

const BOOKING: Word = Word::operand(
    "BOOKING",
    "Its code, as the counter shows it, or the end of its page's address",
);
const STORE: Word = store("The store that it is booked at").required();
const BY: Word = Word::option(
    "by",
    "NAME",
    "Who of that store's staff wants to call; the audit names them",
)
.required();
const WHY: Word = Word::option("why", "TEXT", "What for; the audit keeps it").required();

pub(super) const COMMAND: Command = Command::group(
    "booking",
    "What headquarters alone can open of bookings",
    &[],
    &[Command::new(
        "phone",
        "Print the number that a guest left with a booking; the audit says who asked and why",
        &[BOOKING, STORE, BY, WHY],
        phone,
    )],
);

fn phone(given: &Given) -> anyhow::Result<()> {
    let asked = Asked {
        store: given.value(&STORE)?,
        which: given.value_by(&BOOKING, Which::parse)?,
        by: given.value(&BY)?,
        why: given.value_by(&WHY, reason)?,
    };
    let settings = settings(given)?;
    let chain = read_chain(&settings)?;
    let Some(folder) = chain.bundle.stores.get(&asked.store) else {
        bail!("there is no store {}", asked.store);
    };
    let is_theirs = |by: &StaffName| folder.staff.iter().any(|staff| staff.name == *by);
    if !is_theirs(&asked.by) {
        bail!(
            "nobody called {} works in {}\nhint: a number is opened for the staff of its store alone",
            asked.by,
            asked.store
        );
    }
    with_ledger(given, |ledger| async move {
        let number = open(&*ledger, &settings.dir, asked, SystemClock.now()).await?;
        print::line(number);
        Ok(())
    })
}

fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_line =
        (1..=LONGEST_REASON).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    is_line
        .then(|| text.to_owned())
        .ok_or("a reason is a line of at most 200 characters")
}
