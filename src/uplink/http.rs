//! HTTPS to headquarters: one HTTP/1.1 connection with client certificates, kept open between requests.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderValue, Request as HttpRequest, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::credentials::{Credentials, Edition};
use super::transport::{Content, NoAnswer, Request, Response, Transport};
use crate::ops::stream::Stream;
use crate::ops::tasks::{BoxFuture, Tasks};
use crate::ops::tls::{ATTEMPTS, BadIdentity, CertificateTime};

/// The largest answer is a bundle.
const MOST_ANSWER_BYTES: usize = 16 << 20;

/// A connection to one server, made when it is needed.
pub(super) struct Https {
    /// `host:port`
    authority: String,
    host: String,
    trust: Trust,
    tasks: Tasks,
    name: &'static str,
    /// One request at a time; the next waits for it.
    connection: Mutex<Option<Connection>>,
}

/// What a connection is made with. Each client has its own time: another one's doubts about the clock must
/// not reach into this one's handshake.
pub(super) enum Trust {
    /// The pin of an invitation.
    Pin(Arc<ClientConfig>, Arc<CertificateTime>),
    /// Our certificate, which may be renewed while we run.
    Certificate(Arc<Credentials>, Arc<CertificateTime>),
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    edition: Edition,
}

impl Trust {
    fn edition(&self) -> Edition {
        match self {
            Self::Pin(..) => Edition::default(),
            Self::Certificate(credentials, _) => credentials.edition(),
        }
    }

    fn tls(&self) -> Result<(Edition, Arc<ClientConfig>), BadIdentity> {
        match self {
            Self::Pin(tls, _) => Ok((Edition::default(), Arc::clone(tls))),
            Self::Certificate(credentials, time) => credentials.tls(Arc::clone(time)),
        }
    }

    fn time(&self) -> &CertificateTime {
        match self {
            Self::Pin(_, time) | Self::Certificate(_, time) => time,
        }
    }
}

impl Https {
    /// A client of `url`, which is `https://host[:port]`.
    pub(super) fn new(url: &str, trust: Trust, tasks: &Tasks, name: &'static str) -> Self {
        let authority = url
            .trim_start_matches("https://")
            .split('/')
            .next()
            .unwrap_or_default();
        let (host, authority) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (host, authority.to_owned())
            }
            _ => (authority, format!("{authority}:443")),
        };
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            authority,
            trust,
            tasks: tasks.clone(),
            name,
            connection: Mutex::new(None),
        }
    }

    async fn connect(&self) -> Result<Connection, NoAnswer> {
        let (edition, tls) = self.trust.tls().map_err(|error| {
            NoAnswer::NoConnection(io::Error::new(io::ErrorKind::InvalidInput, error))
        })?;
        let tls = self.shake_hands(&tls).await?;
        let stream: Stream = Box::new(tls);
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        self.tasks.spawn_guest(self.name, async move {
            // Its end is noticed by the next request, which makes a new one.
            connection.await.ok();
        });
        Ok(Connection { sender, edition })
    }

    /// Makes a connection; a box that does not know the time tries the times that it could be.
    async fn shake_hands(&self, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, NoAnswer> {
        let time = self.trust.time();
        time.follow_the_clock();
        for _ in 1..ATTEMPTS {
            match self.try_hands(tls).await {
                Err(NoAnswer::Certificate(error)) if time.step_aside(&error) => {}
                outcome => return outcome,
            }
        }
        self.try_hands(tls).await
    }

    async fn try_hands(&self, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, NoAnswer> {
        let tcp = TcpStream::connect(&self.authority)
            .await
            .map_err(NoAnswer::NoConnection)?;
        tcp.set_nodelay(true).ok();
        let name = ServerName::try_from(self.host.clone()).map_err(|error| {
            NoAnswer::NoConnection(io::Error::new(io::ErrorKind::InvalidInput, error))
        })?;
        TlsConnector::from(Arc::clone(tls))
            .connect(name, tcp)
            .await
            .map_err(tls_failure)
    }

    async fn exchange(&self, request: &Request) -> Result<Response, NoAnswer> {
        let mut place = self.connection.lock().await;
        // What an idle connection died of is no news: a batch is counted once however often it is sent.
        // One made with a certificate that has been renewed since is left for a new one.
        if let Some(mut connection) = place.take()
            && connection.edition == self.trust.edition()
            && connection.sender.ready().await.is_ok()
            && let Ok(response) = self.send(&mut connection.sender, request).await
        {
            *place = Some(connection);
            return Ok(response);
        }
        let mut connection = self.connect().await?;
        let response = self.send(&mut connection.sender, request).await?;
        *place = Some(connection);
        Ok(response)
    }

    async fn send(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        request: &Request,
    ) -> Result<Response, NoAnswer> {
        let mut http = HttpRequest::builder()
            .method(request.method.clone())
            .uri(&request.path)
            .header(header::HOST, &self.authority);
        http = match request.content {
            Content::Json => http.header(header::CONTENT_TYPE, "application/json"),
            Content::GzippedLines => http
                .header(header::CONTENT_TYPE, "application/x-ndjson")
                .header(header::CONTENT_ENCODING, "gzip"),
        };
        let http = http
            .body(Full::new(request.body.clone()))
            .map_err(|error| NoAnswer::Broken(error.to_string()))?;
        let response = sender.send_request(http).await.map_err(broken_or_tls)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MOST_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| NoAnswer::Broken(error.to_string()))?
            .to_bytes();
        let retry_after = parts
            .headers
            .get(header::RETRY_AFTER)
            .and_then(seconds)
            .map(std::time::Duration::from_secs);
        Ok(Response {
            status: parts.status,
            retry_after,
            body,
        })
    }
}

fn seconds(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// With TLS 1.3 a server refuses a client's certificate only after the handshake, in the first answer.
fn broken_or_tls(error: hyper::Error) -> NoAnswer {
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && let Some(tls) = io.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>())
        {
            return NoAnswer::Certificate(tls.clone());
        }
        source = cause.source();
    }
    broken(error)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn broken(error: hyper::Error) -> NoAnswer {
    NoAnswer::Broken(error.to_string())
}

fn tls_failure(error: io::Error) -> NoAnswer {
    match error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>())
    {
        Some(tls) => NoAnswer::Certificate(tls.clone()),
        None => NoAnswer::NoConnection(error),
    }
}

impl Transport for Https {
    fn ask(&self, request: Request) -> BoxFuture<'_, Result<Response, NoAnswer>> {
        Box::pin(async move {
            tokio::time::timeout(request.within, self.exchange(&request))
                .await
                .unwrap_or(Err(NoAnswer::TimedOut))
        })
    }
}
