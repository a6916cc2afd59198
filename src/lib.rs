//! An offline-to-online capture gateway for physical shops.

#[cfg(feature = "gateway")]
pub mod admission;
pub mod config;
pub mod domain;
#[cfg(feature = "gateway")]
pub mod journal;
pub mod ops;
#[cfg(feature = "gateway")]
pub mod portal;
#[cfg(feature = "gateway")]
pub mod uplink;
pub mod wire;
