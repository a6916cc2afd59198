//! Runs `nft`: at the start and when the table was lost, never for a phone.

use std::io::Write;
use std::process::{Command, Stdio};

use super::super::firewall::FirewallError;

/// More of what `nft` complains about would not help anybody.
const MOST_SAID: usize = 400;

/// What `nft` says when its buffer cannot take the script.
pub(super) const TOO_LONG: &str = "Message too long";

/// Has `nft` carry out `script`, all of it or nothing.
pub(super) fn run(program: &str, script: &str) -> Result<(), FirewallError> {
    let missing = |source| FirewallError::NoProgram {
        program: program.to_owned(),
        source,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "at the start and on restoration only, not on a request's path"
    )]
    let mut child = Command::new(program)
        .args(["-j", "-f", "-"])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    // One that cannot read JSON ends before it has read everything; what it says tells more than the pipe.
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(script.as_bytes()),
        None => Ok(()),
    };
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(written?);
    }
    Err(FirewallError::Refused {
        said: complaint(&output.stderr),
    })
}

/// What `nft` has said, on one line, and what can be done where it is known.
fn complaint(stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    let mut line: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(MOST_SAID) {
        line.truncate(cut);
    }
    if line.contains("JSON support not compiled-in") {
        line.push_str("; OpenWrt's package nftables-json has an nft that reads JSON");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = run("/nonexistent/nft", "{}").unwrap_err();
        assert!(matches!(error, FirewallError::NoProgram { .. }), "{error}");
        assert!(error.to_string().contains("/nonexistent/nft"), "{error}");
    }

    #[test]
    fn an_nft_without_json_is_told_from_one_that_is_missing() {
        let said = complaint(b"Error: JSON support not compiled-in\n\n");
        assert!(said.starts_with("Error: JSON"), "{said}");
        assert!(said.contains("nftables-json"), "{said}");
    }
}
