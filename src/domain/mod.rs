//! The rules of the house. No input or output, no clock, no randomness, no logging: everything is given.

pub mod bill;
pub mod booking;
pub mod calendar;
pub mod campaign;
pub mod command;
pub mod consent;
pub mod event;
pub mod feedback;
pub mod floor;
pub mod ids;
pub mod interval;
pub mod invitation;
pub mod linter;
pub mod members;
pub mod offer;
pub mod phone;
pub mod regulars;
pub mod sealed;
pub mod stickers;
pub mod store;
pub mod text;
pub mod uptake;
pub mod walk;
pub mod wallet;
pub mod wifi;
pub mod written;
