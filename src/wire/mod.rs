//! The bytes that leave the process: frames, batches, bundles and tokens, each with its version.
//!
//! Everything here turns domain values into bytes and back. It does no input or output, and what it
//! reads it distrusts: sizes are bounded, signatures checked, unknown things kept or named.

pub mod batch;
pub mod bundle;
pub mod encoding;
pub mod frame;
pub mod invite_code;
pub mod link;
pub mod pos;
pub mod qr;
pub mod rules;
pub mod sealed;
pub mod signing;
pub mod staff;
pub mod token;
