//! Logs: lines of text on stderr, for people and for whatever collects them.

use std::io;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. `filter` is like `info` or `info,maitred::uplink=debug`; an unreadable one means `info`.
pub fn start(filter: &str) {
    let targets: Targets = filter
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(io::stderr);
    let started = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
    // A second start keeps the first: tests and the demo start several servers in one process.
    started.ok();
}
