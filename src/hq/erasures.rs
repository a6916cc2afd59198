//! Going through what is stored for those who asked to be forgotten, as long as headquarters runs.
//!
//! A sweep is due when somebody has asked, again with every box that has answered, and once a day. It does no harm twice, and
//! one that failed is made again at the next look.

use std::sync::Arc;
use std::time::Duration;

use super::db::Ledger;
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;

/// Looking costs one query over a list that is nearly always empty.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) fn start(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, tasks: &Tasks) {
    let own = tasks.clone();
    tasks.spawn("erasures", async move {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = own.stopping() => return,
            }
            match ledger.sweep(clock.now()).await {
                Ok(0) => {}
                Ok(swept) => tracing::info!(erasures = swept, "stored rows were gone through"),
                Err(error) => tracing::error!(%error, "erasures wait for the next look"),
            }
        }
    });
}
