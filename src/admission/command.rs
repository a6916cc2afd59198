//! Runs a command of the operator's and says why it has not done its work.
//!
//! Never on a request's way: it starts a process.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Why a command has not done its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("cannot be run: {0}")]
    NotStarted(#[source] io::Error),
    #[error("failed: {0}")]
    Failed(String),
    #[error("took longer than {} s", .0.as_secs())]
    Hangs(Duration),
}

/// Runs `words`, the first of which is the program, with these variables beside the process's own. Without a word
/// there is nothing to do. What takes longer than `within` is killed.
#[expect(
    clippy::disallowed_methods,
    reason = "this is outside of every request"
)]
pub async fn run(
    words: &[String],
    variables: &[(&str, &str)],
    within: Duration,
) -> Result<(), CommandError> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let mut command = Command::from(std::process::Command::new(program));
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(within, command.output())
        .await
        .map_err(|_| CommandError::Hangs(within))?
        .map_err(CommandError::NotStarted)?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = errors.lines().last().unwrap_or_default();
    Err(CommandError::Failed(format!("{}: {said}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run_words(words: &[&str]) -> Result<(), CommandError> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        run(&words, &[("ASKED", "yes")], Duration::from_millis(500)).await
    }

    #[tokio::test]
    async fn a_command_that_fails_says_why() {
        assert!(run_words(&[]).await.is_ok());
        assert!(run_words(&["sh", "-c", "test $ASKED = yes"]).await.is_ok());
        let failed = run_words(&["sh", "-c", "echo no such service >&2; exit 3"]).await;
        let said = failed.unwrap_err().to_string();
        assert_eq!(said, "failed: exit status: 3: no such service");
        let missing = run_words(&["/no/such/program"]).await;
        assert!(matches!(missing, Err(CommandError::NotStarted(_))));
        let hangs = run_words(&["sh", "-c", "read line < /dev/zero"]).await;
        assert!(matches!(hangs, Err(CommandError::Hangs(_))));
    }
}
