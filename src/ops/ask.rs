//! A plain HTTP/1.1 client for one connection: the program asking its own listeners on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

use super::stream::Stream;
use super::tasks::Tasks;

/// No answer for this long from a listener on the same machine means there will be none.
const WITHIN: Duration = Duration::from_secs(30);

/// One open connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NotAnswered {
    #[error("no connection to {0}: {1}")]
    NoConnection(SocketAddr, std::io::Error),
    #[error("the request failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] axum::http::Error),
    #[error("no answer in {} s", WITHIN.as_secs())]
    TimedOut,
}

impl Connection {
    pub async fn open(address: SocketAddr, tasks: &Tasks) -> Result<Self, NotAnswered> {
        Self::over(TcpStream::connect(address).await, address, tasks).await
    }

    /// The same from another address of this machine: on loopback, that is another device.
    pub async fn open_from(
        from: Ipv4Addr,
        address: SocketAddr,
        tasks: &Tasks,
    ) -> Result<Self, NotAnswered> {
        let bound = TcpSocket::new_v4().and_then(|socket| {
            socket.bind(SocketAddr::from((from, 0)))?;
            Ok(socket)
        });
        let stream = match bound {
            Ok(socket) => socket.connect(address).await,
            Err(error) => Err(error),
        };
        Self::over(stream, address, tasks).await
    }

    async fn over(
        stream: std::io::Result<TcpStream>,
        address: SocketAddr,
        tasks: &Tasks,
    ) -> Result<Self, NotAnswered> {
        let stream = stream.map_err(|error| NotAnswered::NoConnection(address, error))?;
        stream.set_nodelay(true).ok();
        let stream: Stream = Box::new(stream);
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tasks.spawn_guest("connection to a listener", async move {
            // Its end shows in the next request.
            connection.await.ok();
        });
        Ok(Self {
            sender,
            host: address.to_string(),
        })
    }

    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, NotAnswered> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .body(Full::new(body.into()))?;
        request.headers_mut().extend(
            headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let exchange = async {
            // The answer before this one may have come while its connection was still being tidied up.
            self.sender.ready().await?;
            let (parts, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        tokio::time::timeout(WITHIN, exchange)
            .await
            .unwrap_or(Err(NotAnswered::TimedOut))
    }

    pub async fn get(&mut self, path: &str) -> Result<Response<Bytes>, NotAnswered> {
        self.ask(Method::GET, path, &HeaderMap::new(), Bytes::new())
            .await
    }
}
