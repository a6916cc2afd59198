//! Process plumbing that knows nothing of shops: clocks, serving, TLS, tasks, logs and metrics.

pub mod clock;
