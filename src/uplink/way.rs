//! One worker's way to headquarters: asks, and keeps note of how the way there is.
//!
//! Where headquarters does not answer, somebody else is asked whether the Internet does. Decides nothing.

use super::captive::{Probe, Upstream};
use super::link::Link;
use super::transport::{NoAnswer, Request, Response, Transport};

pub(super) struct Way {
    pub(super) transport: Box<dyn Transport>,
    pub(super) link: Link,
    /// None where nobody else is to be asked.
    pub(super) probe: Option<Probe>,
}

impl Way {
    pub(super) async fn ask(&self, request: Request) -> Result<Response, NoAnswer> {
        let answer = self.transport.ask(request).await;
        self.link.note(&answer);
        if let (Err(_), Some(probe)) = (&answer, &self.probe) {
            match probe.look().await {
                Upstream::Captive => self.link.upstream_captive(),
                Upstream::Open => self.link.internet_is_there(),
                Upstream::Unreachable => {}
            }
        }
        answer
    }
}
