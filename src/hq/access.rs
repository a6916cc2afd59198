//! The access log at headquarters: kept sealed, for its own time, and read by whoever has to with a line in the audit.
//! And the hourly look that has it go, and the numbers of bookings that are over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::db::access::{Asked, Kept};
use super::db::{AuditEntry, Ledger, phones};
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;
use crate::wire::sealed::{OpeningKey, about_access};

/// What is too old goes within this.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Has entries go that were received more than `keep_days` ago.
pub(super) fn start(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, keep_days: u16, tasks: &Tasks) {
    let own = tasks.clone();
    tasks.spawn("access log", async move {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = own.stopping() => return,
            }
            let now = clock.now();
            let before = now.saturating_sub(phones::KEPT_FOR);
            if let Err(error) = ledger.forget_phones(before.unwrap_or(Timestamp::MIN)).await {
                tracing::error!(%error, "numbers of bookings that are over stay for now");
            }
            let keep = SignedDuration::from_hours(i64::from(keep_days) * 24);
            let before = now.saturating_sub(keep);
            let gone = ledger.forget_access(before.unwrap_or(Timestamp::MIN)).await;
            match gone {
                Ok(0) => {}
                Ok(gone) => tracing::info!(entries = gone, "old entries of the access log went"),
                Err(error) => tracing::error!(%error, "old entries of the access log stay for now"),
            }
        }
    });
}

/// The lines of a store between two times, once the audit has it that somebody reads them.
pub async fn read(
    ledger: &dyn Ledger,
    dir: &Path,
    asked: Asked,
    now: Timestamp,
) -> anyhow::Result<Vec<String>> {
    let key = fs_err::read(dir.join("log.key")).context("reading the key of the access log")?;
    let key = OpeningKey::read(&key).context("log.key is no X25519 key of 32 bytes")?;
    let store = asked.store.clone();
    let what = format!("{:.0} to {:.0}", asked.from, asked.to);
    ledger
        .note(AuditEntry::new(now, "access_log_opened", &store, &what))
        .await?;
    let about = about_access(&store);
    let line = |kept: Kept| match key.open(&about, &kept.sealed) {
        Ok(plain) => String::from_utf8_lossy(&plain).into_owned(),
        Err(why) => format!("{:.0} cannot be opened: {why}", kept.at),
    };
    let kept = ledger.access(asked).await?;
    Ok(kept.into_iter().map(line).collect())
}
