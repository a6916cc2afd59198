//! The number of a booking, opened for the staff of its store: for that booking alone, with a reason, and with a line
//! in the audit before anything is read.

use std::path::Path;

use anyhow::{Context, anyhow};
use jiff::Timestamp;

use super::db::phones::Which;
use super::db::{AuditEntry, Ledger};
use crate::domain::ids::{StaffName, StoreId};
use crate::wire::sealed::{OpeningKey, about_booking};

/// Who wants to call whom.
#[derive(Debug)]
pub struct Asked {
    pub store: StoreId,
    pub which: Which,
    pub by: StaffName,
    pub why: String,
}

/// The number, once the audit has it that somebody reads it.
pub async fn open(
    ledger: &dyn Ledger,
    dir: &Path,
    asked: Asked,
    now: Timestamp,
) -> anyhow::Result<String> {
    let Asked {
        store,
        which,
        by,
        why,
    } = asked;
    let key = fs_err::read(dir.join("sealing.key")).context("reading the key of typed numbers")?;
    let key = OpeningKey::read(&key).context("sealing.key is no X25519 key of 32 bytes")?;
    let found = ledger.booked_phone(store.clone(), which).await?;
    let found = found.ok_or_else(|| {
        anyhow!(
            "{store} has no such booking with a number\nhint: one that is cancelled, or a week old, has none any more; one that was just made comes with the box's next delivery"
        )
    })?;
    let what = format!("booking {} by {by}: {why}", found.booking);
    ledger
        .note(AuditEntry::new(now, "booking_phone_opened", &store, &what))
        .await?;
    let opened = key.open(&about_booking(found.booking), &found.sealed);
    let number = opened.map_err(|why| anyhow!("the number cannot be opened: {why}"))?;
    String::from_utf8(number).context("what was sealed is no number")
}
