//! An offline-to-online capture gateway for physical shops.

#[cfg(feature = "gateway")]
pub mod admission;
pub mod cli;
pub mod config;
#[cfg(feature = "gateway")]
pub mod control;
#[cfg(feature = "gateway")]
pub mod doctor;
pub mod domain;
#[cfg(feature = "hq")]
pub mod hq;
#[cfg(feature = "gateway")]
pub mod journal;
pub mod ops;
#[cfg(feature = "gateway")]
pub mod portal;
pub mod sheet;
#[cfg(feature = "gateway")]
pub mod uplink;
pub mod wire;
