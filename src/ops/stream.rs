//! What HTTP is spoken on. One type for plain connections and encrypted ones, for servers and clients: hyper
//! is compiled for each type anew, which is 40 kB on a router every time.

use tokio::io::{AsyncRead, AsyncWrite};

pub type Stream = Box<dyn Duplex>;

/// Bytes in and bytes out.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}
