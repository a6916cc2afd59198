#![doc = include_str!("ARCHITECTURE.md")]

// What a guest's or a waiter's phone talks to.
#[cfg(feature = "gateway")]
pub mod portal;

// Which device may pass the Wi-Fi wall.
#[cfg(feature = "gateway")]
pub mod admission;

// What has been promised, on stable storage.
#[cfg(feature = "gateway")]
pub mod journal;

// From the journal to headquarters, and bundles back.
#[cfg(feature = "gateway")]
pub mod uplink;

// Headquarters: ledger, bundles, console.
#[cfg(feature = "hq")]
pub mod hq;

// Under all of them: the rules,
pub mod domain;

// the bytes,
pub mod wire;

// the process,
pub mod ops;

// and the settings.
pub mod config;

// Beside them: the operator's listener,
#[cfg(feature = "gateway")]
pub mod control;

// what keeps a box from working,
#[cfg(feature = "gateway")]
pub mod doctor;

// and codes to print.
pub mod sheet;

// On top: the only place where parts are put together.
pub mod cli;
