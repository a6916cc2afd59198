//! The stories of the whole product, told to the real program over real sockets.
//!
//! One binary, a module a story. Each test makes its own directory and its own free ports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_log;
mod architecture;
mod bad_input;
mod booking;
mod budgets;
mod canary;
mod certificates;
mod clock;
mod commands;
mod configuration;
mod counter;
mod disk_full;
mod feedback;
mod golden_state;
mod headquarters_away;
mod https;
mod invite;
mod kill;
mod lawful;
mod ledger;
mod members;
mod memory;
mod outage;
mod own_data;
mod packaging;
mod places;
mod pos;
mod power;
mod power_cut;
mod referral;
mod restored;
mod sheets;
mod simulation;
mod sisters;
mod slice;
mod stickers;
mod street;
mod tap;
mod till;
mod wifi;

#[path = "../powercut/mod.rs"]
mod powercut;
#[path = "../support/mod.rs"]
mod support;
