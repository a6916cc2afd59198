//! The wall in a real kernel: what `admission::nft` promises, tried with packets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lab;
mod neighbours;
mod packets;
mod table;
