//! Process plumbing that knows nothing of shops: clocks, files, serving, TLS, tasks, logs and metrics.

pub mod ask;
pub mod certificate;
pub mod clock;
pub mod files;
pub mod key;
pub mod metrics;
pub mod serve;
pub mod stream;
pub mod tasks;
pub mod telemetry;
pub mod tls;
