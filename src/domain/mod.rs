//! The rules of the house. No input or output, no clock, no randomness, no logging: everything is given.

pub mod ids;
