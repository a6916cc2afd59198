//! The accept loop: HTTP/1.1 over TCP or TLS, with the limits that keep one client from starving the rest.
//!
//! It promises: a client that does not finish its request head in time is closed; nobody holds more than
//! their share of connections; an accept error is logged and the loop goes on; on shutdown requests that
//! have begun are finished. It never reads the first line of a request without a limit, which is why it
//! sits on hyper's HTTP/1 connection and not on `axum::serve` (axum #2741).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::metrics;
use super::stream::Stream;
use super::tasks::Tasks;

/// Who is at the other end of a connection; every request carries it as an extension.
#[derive(Debug, Clone)]
pub struct Peer {
    pub address: SocketAddr,
    /// The client's certificate, DER, where the listener asked for one.
    pub certificate: Option<Vec<u8>>,
}

/// What one listener grants.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the connection (or the last answer) to the end of the request head, TLS included.
    pub head_within: Duration,
    /// From the request's head to the answer's, the body read and the work done.
    pub answer_within: Duration,
    pub connections: usize,
    pub connections_per_address: usize,
}

impl Limits {
    /// For diners: a phone opens six connections at most, and a café's tables may share one address.
    pub const PORTAL: Self = Self {
        head_within: Duration::from_secs(5),
        answer_within: Duration::from_secs(15),
        connections: 1024,
        connections_per_address: 64,
    };

    /// For gateways, which may all come through one balancer.
    pub const HQ: Self = Self {
        head_within: Duration::from_secs(10),
        // A long poll is held for up to 50 seconds.
        answer_within: Duration::from_secs(120),
        connections: 8192,
        connections_per_address: 8192,
    };

    /// For newcomers and people's browsers: strangers reach these, and what they take must not be missed
    /// by gateways. One address may be an office, or a balancer in front of it.
    pub const HQ_FRONT: Self = Self {
        head_within: Duration::from_secs(10),
        answer_within: Duration::from_secs(30),
        connections: 512,
        connections_per_address: 128,
    };
}

/// Binds a listener; an error names the address and what was to listen there.
pub async fn bind(address: SocketAddr, what: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {address} for the {what}: {error}"),
        )
    })
}

/// What a server listens with.
pub struct Listener {
    pub name: &'static str,
    pub tcp: TcpListener,
    pub limits: Limits,
}

/// Serves `router` in plain HTTP on `listener` until the tasks stop.
pub fn serve(tasks: &Tasks, listener: Listener, router: Router) {
    start(tasks, listener, Plain, router);
}

/// Serves `router` in HTTPS on `listener` until the tasks stop.
pub fn serve_tls(
    tasks: &Tasks,
    listener: Listener,
    tls: Arc<rustls::ServerConfig>,
    router: Router,
) {
    start(tasks, listener, Tls(TlsAcceptor::from(tls)), router);
}

/// What a connection begins with. Two types and no switch, so that a program which serves no TLS does not
/// carry a TLS server.
trait Greet: Clone + Send + Sync + 'static {
    /// The stream to speak HTTP on, and the client's certificate; none where the two do not agree.
    fn greet(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = Option<(Stream, Option<Vec<u8>>)>> + Send;
}

#[derive(Clone)]
struct Plain;

impl Greet for Plain {
    async fn greet(&self, stream: TcpStream) -> Option<(Stream, Option<Vec<u8>>)> {
        Some((Box::new(stream), None))
    }
}

#[derive(Clone)]
struct Tls(TlsAcceptor);

impl Greet for Tls {
    async fn greet(&self, stream: TcpStream) -> Option<(Stream, Option<Vec<u8>>)> {
        let stream = self.0.accept(stream).await.ok()?;
        let certificate = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|leaf| leaf.to_vec());
        Some((Box::new(stream), certificate))
    }
}

fn start(tasks: &Tasks, listener: Listener, greet: impl Greet, router: Router) {
    let connections = Arc::new(Connections::new(listener.limits));
    let own = tasks.clone();
    tasks.spawn(listener.name, async move {
        accept_loop(&own, listener, greet, router, connections).await;
    });
}

async fn accept_loop(
    tasks: &Tasks,
    listener: Listener,
    greet: impl Greet,
    router: Router,
    connections: Arc<Connections>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.tcp.accept() => accepted,
            () = tasks.stopping() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others have to close first. Nothing is lost by waiting.
                tracing::warn!(listener = listener.name, %error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // A listener for both families shows an IPv4 client in an IPv6 address (RFC 4291, 2.5.5.2).
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let Some(place) = connections.admit(address.ip()) else {
            metrics::count(metrics::CONNECTIONS_REFUSED);
            continue;
        };
        let own = tasks.clone();
        let (router, greet) = (router.clone(), greet.clone());
        let limits = listener.limits;
        tasks.spawn_guest("connection", async move {
            // Small answers leave at once; failing to say so costs only speed.
            stream.set_nodelay(true).ok();
            let greeted = tokio::time::timeout(limits.head_within, greet.greet(stream)).await;
            if let Ok(Some((stream, certificate))) = greeted {
                let peer = Peer {
                    address,
                    certificate,
                };
                http(&own, stream, peer, router, limits).await;
            } else {
                metrics::count(metrics::TLS_HANDSHAKES_FAILED);
            }
            drop(place);
        });
    }
}

async fn http(tasks: &Tasks, stream: Stream, peer: Peer, router: Router, limits: Limits) {
    let service = hyper::service::service_fn(move |request: hyper::Request<_>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        // A router is always ready, so there is nothing to wait for before the call.
        let answer = router.clone().call(request);
        async move {
            match tokio::time::timeout(limits.answer_within, answer).await {
                Ok(answer) => answer,
                // A body that never came, most often: the phone has gone out of the door with it.
                Err(_) => Ok(StatusCode::REQUEST_TIMEOUT.into_response()),
            }
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(16 * 1024);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = tasks.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = served {
        // A phone that walks out of the door; nobody has to act.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Who holds how many connections.
struct Connections {
    limits: Limits,
    all: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place; dropping it gives it back.
struct Place {
    connections: Arc<Connections>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            all: Arc::new(Semaphore::new(limits.connections)),
            by_address: Mutex::new(HashMap::new()),
        }
    }

    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let address = subscriber(address);
        let mut held = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= self.limits.connections_per_address {
            return None;
        }
        *count += 1;
        Some(Place {
            connections: Arc::clone(self),
            address,
            _permit: permit,
        })
    }
}

/// The part of an address that one phone cannot choose: a phone makes up the last 64 bits of its IPv6
/// addresses as it likes (RFC 8981).
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(network.into())
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self
            .connections
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}
