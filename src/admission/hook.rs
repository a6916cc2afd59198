//! The operator's own hook: a command or an address that hears when a device is let in, refused, or done.
//!
//! It gets one JSON object on its standard input, or as the body of a POST:
//!
//! ```json
//! {"event":"ended","at":"2026-12-01T04:00:00Z","device":"02:00:5e:10:00:01","zone":"guest","tier":"guest",
//!  "kind":"open","reason":"time","seconds":14400,"bytes_up":123,"bytes_down":456}
//! ```
//! `event` is `admitted`, `refused` (with `why`) or `ended`. Hooks run one after the other, outside of every
//! request, each for ten seconds at most. What comes too fast is dropped, the oldest first, and counted.
//! Refusals have a queue of their own, which is short and comes last. The hardware address goes to the
//! operator's hook and nowhere else.

use std::process::Stdio;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::lookup_host;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::zone::ZoneName;
use super::{Mac, Refusal, Told, Wall, What};
use crate::ops::ask::Connection;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;

/// A hook that takes longer is ended.
const WITHIN: Duration = Duration::from_secs(10);

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// A command, a word each; no shell reads it.
    Exec(Vec<String>),
    /// `http://host[:port]/path`
    Post(String),
}

/// Calls `hook` for all that happens at `wall` from now on.
pub fn start(hook: Hook, wall: &Wall, tasks: &Tasks) {
    let (mut told, mut refused) = (wall.listen(), wall.listen_to_refusals());
    let own = tasks.clone();
    tasks.spawn("hook", async move {
        loop {
            let next = tokio::select! {
                biased;
                () = own.stopping() => return,
                next = told.recv() => next.map(|told| Message::of(&told)),
                next = refused.recv() => next.map(|refusal| Message::of_refusal(&refusal)),
            };
            match next {
                Ok(message) => call(&hook, &message, &own).await,
                Err(RecvError::Lagged(dropped)) => {
                    metrics::add_of(metrics::HOOKS, ("outcome", "dropped"), dropped);
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
}

async fn call(hook: &Hook, message: &Message, tasks: &Tasks) {
    let json = serde_json::to_vec(message).expect("a message is plain data");
    let done = async {
        match hook {
            Hook::Exec(words) => exec(words, &json).await,
            Hook::Post(url) => post(url, json.clone(), tasks).await,
        }
    };
    let outcome = match timeout(WITHIN, done).await {
        Ok(Ok(())) => "done",
        Ok(Err(error)) => {
            tracing::warn!(%error, "the hook failed");
            "failed"
        }
        Err(_) => {
            tracing::warn!("the hook took longer than ten seconds and was ended");
            "late"
        }
    };
    metrics::add_of(metrics::HOOKS, ("outcome", outcome), 1);
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is outside of every request"
)]
async fn exec(words: &[String], json: &[u8]) -> anyhow::Result<()> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let mut child = tokio::process::Command::from(std::process::Command::new(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook that does not read is none of our business.
        stdin.write_all(json).await.ok();
    }
    let status = child.wait().await?;
    anyhow::ensure!(status.success(), "{status}");
    Ok(())
}

async fn post(url: &str, json: Vec<u8>, tasks: &Tasks) -> anyhow::Result<()> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let with_port = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let address = lookup_host(with_port)
        .await?
        .next()
        .ok_or_else(|| anyhow::anyhow!("the hook's host has no address"))?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let mut connection = Connection::open(address, tasks).await?;
    let path = if path.is_empty() { "/" } else { path };
    let answer = connection.ask(Method::POST, path, &headers, json).await?;
    anyhow::ensure!(
        answer.status().is_success(),
        "it answered {}",
        answer.status()
    );
    Ok(())
}

#[derive(Serialize)]
struct Message {
    event: &'static str,
    at: String,
    device: String,
    zone: ZoneName,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_up: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_down: Option<u64>,
}

impl Message {
    fn of(told: &Told) -> Self {
        let bare = Self::bare(told.at, told.mac, &told.zone);
        match told.what {
            What::Admitted { tier, kind } => Self {
                event: "admitted",
                tier: Some(tier.name()),
                kind: Some(kind.name()),
                ..bare
            },
            What::Ended {
                tier,
                kind,
                reason,
                seconds,
                moved,
            } => Self {
                event: "ended",
                tier: Some(tier.name()),
                kind: Some(kind.name()),
                reason: Some(reason.name()),
                seconds: Some(seconds),
                bytes_up: Some(moved.up),
                bytes_down: Some(moved.down),
                ..bare
            },
        }
    }

    fn of_refusal(refusal: &Refusal) -> Self {
        Self {
            event: "refused",
            why: Some(refusal.why),
            ..Self::bare(refusal.at, refusal.mac, &refusal.zone)
        }
    }

    fn bare(at: Timestamp, mac: Mac, zone: &ZoneName) -> Self {
        Self {
            event: "",
            at: at.to_string(),
            device: mac.to_string(),
            zone: zone.clone(),
            tier: None,
            kind: None,
            why: None,
            reason: None,
            seconds: None,
            bytes_up: None,
            bytes_down: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::book::{Kind, Moved, Reason};
    use crate::domain::wifi::Tier;

    fn told(what: What) -> Told {
        Told {
            at: "2026-12-01T04:00:00Z".parse().unwrap(),
            mac: Mac([2, 0, 0x5e, 0x10, 0, 1]),
            zone: ZoneName::try_from("guest".to_owned()).unwrap(),
            what,
        }
    }

    #[test]
    fn the_message_is_as_documented() {
        let ended = told(What::Ended {
            tier: Tier::Guest,
            kind: Kind::Open,
            reason: Reason::Time,
            seconds: 14_400,
            moved: Moved { up: 123, down: 456 },
        });
        let json = serde_json::to_string(&Message::of(&ended)).unwrap();
        let documented = include_str!("hook.rs")
            .lines()
            .skip_while(|line| !line.contains("{\"event\""))
            .take(2)
            .map(|line| line.trim_start_matches("//!").trim())
            .collect::<String>();
        assert_eq!(json, documented);
    }

    #[tokio::test]
    async fn a_command_reads_its_message_and_its_failure_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("said").display().to_string();
        let words = |script: &str| {
            ["/bin/sh", "-c", script, "hook", &file]
                .map(str::to_owned)
                .to_vec()
        };
        exec(&words("cat > \"$1\""), b"{}").await.unwrap();
        assert_eq!(fs_err::read(&file).unwrap(), b"{}");
        exec(&words("exit 3"), b"{}").await.unwrap_err();
        exec(&["/nonexistent/hook".to_owned()], b"{}")
            .await
            .unwrap_err();
    }

    #[tokio::test]
    async fn an_address_gets_its_message_as_a_post() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wifi?shop=1", listener.local_addr().unwrap());
        let tasks = Tasks::new();
        let (said, mut heard) = tokio::sync::mpsc::channel(1);
        let router = axum::Router::new().route(
            "/wifi",
            axum::routing::post(move |body: String| async move {
                said.send(body).await.unwrap();
            }),
        );
        let listener = crate::ops::serve::Listener {
            name: "hook's other end",
            tcp: listener,
            limits: crate::ops::serve::Limits::PORTAL,
        };
        crate::ops::serve::serve(&tasks, listener, router);
        post(&url, b"{\"event\":\"admitted\"}".to_vec(), &tasks)
            .await
            .unwrap();
        assert_eq!(heard.recv().await.unwrap(), "{\"event\":\"admitted\"}");
    }
}
