//! One worker's way to headquarters: asks, and keeps note of how the way there is.
//!
//! Where headquarters does not answer, somebody else is asked whether the Internet does. Decides nothing.

use super::captive::Probe;
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
        // Before anybody is told: each failure would show for seconds as something that it is not.
        let upstream = match (&answer, &self.probe) {
            (Err(_), Some(probe)) => Some(probe.look().await),
            (Ok(_), _) | (Err(_), None) => None,
        };
        self.link.note(&answer, upstream);
        answer
    }
}
