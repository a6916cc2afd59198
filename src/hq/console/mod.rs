//! The console: what the chain's people look at, as pages that need no script.

pub mod backoff;
pub mod password;
