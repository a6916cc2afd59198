//! Is the shop's own Internet behind somebody's sign-in page?
//!
//! Headquarters' pinned authority makes such a page fail closed, which looks like a broken headquarters. A
//! plain request to an address that answers 204 and nothing else (the check that phones make) tells them
//! apart. It says nothing about this shop, and is made only after headquarters did not answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A sign-in page answers from the same building.
const WITHIN: Duration = Duration::from_secs(5);

/// Where to ask: `http://host[:port]/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    authority: String,
    host: String,
    path: String,
}

/// What is between the shop and the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    Open,
    /// Somebody answers in the Internet's place.
    Captive,
    /// Nobody answers.
    Unreachable,
}

impl Probe {
    /// None for an address that is empty or of another kind.
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        (!host.is_empty()).then(|| Self {
            authority: if has_port {
                host.to_owned()
            } else {
                format!("{host}:80")
            },
            host: host.to_owned(),
            path: format!("/{path}"),
        })
    }

    pub async fn look(&self) -> Upstream {
        match tokio::time::timeout(WITHIN, self.ask()).await {
            Ok(Ok(answer)) if is_204(&answer) => Upstream::Open,
            Ok(Ok(answer)) if answer.starts_with(b"HTTP/1.") => Upstream::Captive,
            Ok(Ok(_) | Err(_)) | Err(_) => Upstream::Unreachable,
        }
    }

    /// The beginning of the answer.
    async fn ask(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let (path, host) = (&self.path, &self.host);
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(64).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

fn is_204(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.") && answer.get(8..12) == Some(b" 204")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered(with: &'static str) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/generate_204", listener.local_addr().unwrap());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /generate_204 HTTP/1.1\r\n"));
            stream.write_all(with.as_bytes()).await.unwrap();
        };
        let probe = Probe::parse(&url).unwrap();
        tokio::join!(probe.look(), serve).0
    }

    #[tokio::test]
    async fn a_sign_in_page_is_told_from_the_internet() {
        let cases = [
            ("HTTP/1.1 204 No Content\r\n\r\n", Upstream::Open),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://x/\r\n\r\n",
                Upstream::Captive,
            ),
            ("HTTP/1.0 200 OK\r\n\r\n<html>sign in", Upstream::Captive),
            ("", Upstream::Unreachable),
        ];
        for (answer, upstream) in cases {
            assert_eq!(answered(answer).await, upstream, "{answer}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_no_sign_in_page() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let probe = Probe::parse(&format!("http://{address}/x")).unwrap();
        assert_eq!(probe.look().await, Upstream::Unreachable);
    }

    #[test]
    fn an_address_without_a_port_means_port_80() {
        let probe = Probe::parse("http://connect.rom.miui.com/generate_204").unwrap();
        assert_eq!(probe.authority, "connect.rom.miui.com:80");
        assert_eq!(probe.path, "/generate_204");
        for none in ["", "https://x/", "http://", "ftp://x"] {
            assert_eq!(Probe::parse(none), None);
        }
    }
}
