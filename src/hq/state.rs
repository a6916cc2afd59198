//! What the handlers of all listeners share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::bundles::Bundles;
use super::console::backoff::Backoff;
use super::console::sheets::Jobs;
use super::db::Ledger;
use super::identity::Identity;
use super::routes::admission::Admission;
use super::routes::throttle::Throttle;
use crate::domain::campaign::Campaign;
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;

/// Built once in [`super::server`]; every handler gets it behind an [`Arc`].
pub struct State {
    pub ledger: Arc<dyn Ledger>,
    pub bundles: Arc<Bundles>,
    pub identity: Arc<Identity>,
    /// Real time: for tokens, certificates, sessions and "last seen".
    pub clock: Arc<dyn Clock>,
    /// The time that "today" is taken from; in production the same clock, in the demo a faster one.
    pub shop_clock: Arc<dyn Clock>,
    /// The chain's folder, which the console's form adds to.
    pub chain_dir: PathBuf,
    /// Draws what diners will see; none in a headquarters without the gateway's pages.
    pub preview: Option<Preview>,
    /// Told to gateways at enrolment.
    pub sync_url: String,
    pub console_over: ConsoleOver,
    /// Turns for batches.
    pub admission: Admission,
    /// Failed sign-ins.
    pub backoff: Backoff,
    /// Sheets of codes that are drawn.
    pub sheets: Jobs,
    /// Each check of a password takes 19 MiB and a core's 20 ms: a few at a time, the others wait.
    pub password_checks: Semaphore,
    /// Audit rows that a stranger can cause; apart, so that neither hides the other.
    pub unknown_tokens_noted: Throttle,
    pub failed_sign_ins_noted: Throttle,
    /// For what waits long and must end with the process.
    pub tasks: Tasks,
}

pub type Shared = Arc<State>;

/// The page of the Wi-Fi that a campaign makes.
pub type Preview = fn(&Campaign, Option<&Store>, Language) -> String;

/// How browsers reach the console: a cookie is bound to TLS where there is TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleOver {
    Tls,
    /// On loopback only.
    PlainHttp,
}
