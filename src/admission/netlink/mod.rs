//! What is said to the kernel: netlink messages of our own, and the socket they go through.
//!
//! Only what the wall needs is spoken: elements of nftables sets, connections by their mark, and
//! neighbours. The C libraries that speak all of it would have to be built for every router and would weigh
//! more than this module. Nothing that comes in is trusted to have the length it says.

pub(crate) mod conntrack;
mod message;
pub(crate) mod neighbours;
pub(crate) mod nftables;
mod socket;

pub(crate) use message::{Message, Messages};
pub(crate) use socket::Socket;
