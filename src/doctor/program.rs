//! Asks `nft` what the kernel has. No shell reads the words.

use std::io;
use std::process::{Command, Output, Stdio};

/// Runs `nft` with these words; what it printed.
#[expect(
    clippy::disallowed_methods,
    reason = "the doctor is a process of its own"
)]
pub(super) fn nft(program: &str, words: &[&str]) -> io::Result<Output> {
    Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
}

/// The last line of its errors.
pub(super) fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    errors.lines().last().unwrap_or_default().to_owned()
}
