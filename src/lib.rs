//! An offline-to-online capture gateway for physical shops.

pub mod config;
pub mod domain;
pub mod ops;
pub mod wire;
