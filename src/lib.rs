//! An offline-to-online capture gateway for physical shops.

pub mod config;
pub mod domain;
#[cfg(feature = "gateway")]
pub mod journal;
pub mod ops;
pub mod wire;
