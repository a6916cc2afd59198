//! The stories of the Wi-Fi wall, told to the real program in a lab of network namespaces: phones, a router
//! with a real resolver, and an Internet.
//!
//! One binary, a module a story. Each test has a lab of its own, and nothing outside of it is touched.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod doctor;
mod garden;
mod join;
mod lab;
mod lab_itself;
mod names;
mod wall;

#[path = "../support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the stories of the whole product use the rest"
)]
mod support;
