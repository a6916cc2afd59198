//! The sender: performs what [`Machine`] decides, one batch at a time.
//!
//! A frame leaves the journal only here, and only up to what headquarters has acknowledged.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use super::captive::{Probe, Upstream};
use super::link::Link;
use super::step::{Delays, MAX_BYTES, Machine, Said, Step, Waiting};
use super::transport::{Content, NoAnswer, Request, Response, Transport};
use crate::config::settings::UplinkSettings;
use crate::domain::ids::StreamId;
use crate::journal::{Depth, Depths, Frame, Outbox, Spool, StreamDepth};
use crate::ops::clock::Anchored;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::batch::{self, Batch, Header, Line, Receipt, VERSION};
use crate::wire::encoding::gzip;
use crate::wire::link::{Hello, HelloReply, SOFTWARE, StreamOffer};

/// A batch on a bad line: 64 KiB compress to about 12 KiB.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The sender and what it works with.
pub(super) struct Up {
    pub(super) transport: Box<dyn Transport>,
    pub(super) outbox: Outbox,
    pub(super) clock: Option<Arc<Anchored>>,
    pub(super) probe: Option<Probe>,
    pub(super) settings: UplinkSettings,
    pub(super) link: Link,
    pub(super) boot: u32,
}

impl Up {
    pub(super) async fn run(self, tasks: &Tasks) {
        tokio::select! {
            () = self.work() => {}
            // Whatever is in flight is sent again after the next start, and counts once.
            () = tasks.stopping() => {}
        }
    }

    async fn work(self) {
        let start = Instant::now();
        let mut depths = self.outbox.depths();
        let mut machine = Machine::new(Delays {
            p0: self.settings.batch_delay,
            p1: self.settings.views_delay,
        });
        loop {
            let now = depths.borrow_and_update().clone();
            report(&now);
            let said = match machine.next(waiting(&now), start.elapsed()) {
                Step::Hello => self.hello(&now).await,
                Step::Send { spool, max_frames } => self.send(spool, max_frames, &now).await,
                Step::WaitOut(wait) => {
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Step::WaitForCompany(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        changed = depths.changed() => if changed.is_err() { return },
                    }
                    continue;
                }
                Step::Sleep => {
                    if depths.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            machine.learn(said, start.elapsed(), chance());
        }
    }

    async fn hello(&self, depths: &Depths) -> Said {
        let offer = |cls, depth: &Depth| StreamOffer {
            id: depth.written().stream,
            cls,
            floor: depth.written().floor,
            next: depth.written().next,
            last: None,
        };
        let hello = Hello {
            sw: SOFTWARE.to_owned(),
            boot: self.boot,
            streams: vec![offer(0, &depths.p0), offer(1, &depths.p1)],
        };
        let body = serde_json::to_vec(&hello).expect("a hello is plain data");
        let request = Request::post("/v1/hello".to_owned(), body, Content::Json, ANSWER_WITHIN);
        let answer = self.ask(request).await;
        let Ok(response) = answer else {
            return Said::Failed;
        };
        if response.status != StatusCode::OK {
            return self.unexpected(&response);
        }
        let Ok(reply) = serde_json::from_slice::<HelloReply>(&response.body) else {
            return self.unexpected(&response);
        };
        for mark in reply.streams {
            for (spool, depth) in [(Spool::P0, &depths.p0), (Spool::P1, &depths.p1)] {
                let written = depth.written();
                if mark.id == written.stream && !self.take_mark(spool, written, mark.acked).await {
                    return Said::Failed;
                }
            }
        }
        Said::Greeted
    }

    /// Compares headquarters' mark with what is here; false where the two cannot both be right.
    async fn take_mark(&self, spool: Spool, depth: &StreamDepth, acked: u64) -> bool {
        let fault = if acked >= depth.next {
            "headquarters has frames that this box has never written: its state directory is an older copy"
        } else if acked + 1 < depth.floor {
            "headquarters has lost frames that this box has let go: its ledger was restored from a backup"
        } else if acked >= depth.floor {
            // A receipt that was lost on the way.
            return self.acknowledge(spool, depth.stream, acked).await;
        } else {
            return true;
        };
        // To go on would lose what comes next without a word. Everything is kept until somebody looks.
        tracing::error!(
            spool = spool.name(),
            mark = acked,
            first = depth.floor,
            next = depth.next,
            "{fault}"
        );
        self.link.not_understood();
        false
    }

    async fn send(&self, spool: Spool, max_frames: usize, depths: &Depths) -> Said {
        let frames = match self.outbox.peek(spool, max_frames, MAX_BYTES).await {
            Ok(peeked) => peeked.frames,
            Err(error) => {
                tracing::error!(%error, "the journal could not be read for sending");
                return Said::Failed;
            }
        };
        let Some((stream, first)) = frames.first().map(|frame| (frame.stream, frame.seq)) else {
            return Said::Committed {
                wait: Duration::ZERO,
            };
        };
        let count = frames.len() as u64;
        let body = gzip(&batch::encode(&pack(frames, spool, depths)));
        let path = format!("/v1/up/{stream}");
        let request = Request::post(path, body, Content::GzippedLines, ANSWER_WITHIN);
        let response = match self.ask(request).await {
            Ok(response) => response,
            Err(NoAnswer::TimedOut) => return Said::TimedOut,
            Err(_) => return Said::Failed,
        };
        match response.status {
            StatusCode::OK => match serde_json::from_slice::<Receipt>(&response.body) {
                Ok(receipt) if receipt.acked >= first => {
                    self.take_receipt(spool, stream, &receipt, count).await
                }
                Ok(_) | Err(_) => self.unexpected(&response),
            },
            // Hello says how far headquarters is, and whether that can be.
            StatusCode::CONFLICT => Said::OutOfStep,
            StatusCode::PAYLOAD_TOO_LARGE => Said::TooLarge,
            _ => self.unexpected(&response),
        }
    }

    async fn take_receipt(
        &self,
        spool: Spool,
        stream: StreamId,
        receipt: &Receipt,
        frames: u64,
    ) -> Said {
        for refused in &receipt.refused {
            tracing::warn!(
                frame.seq = refused.s,
                reason = %refused.why,
                "headquarters put an event aside"
            );
        }
        ::metrics::counter!(metrics::UPLINK_FRAMES_SENT).increment(frames);
        if !self.acknowledge(spool, stream, receipt.acked).await {
            return Said::Failed;
        }
        Said::Committed {
            wait: Duration::from_millis(receipt.wait_ms),
        }
    }

    /// Lets go of what headquarters has; false where that could not be written down. The frames stay then and
    /// are sent again after a wait, and headquarters counts them once.
    async fn acknowledge(&self, spool: Spool, stream: StreamId, through: u64) -> bool {
        let kept = self.outbox.acknowledge(spool, stream, through).await;
        if let Err(error) = &kept {
            tracing::error!(%error, "an acknowledgement could not be kept");
        }
        kept.is_ok()
    }

    /// Takes an answer that headquarters gives when it is busy, broken or not itself.
    fn unexpected(&self, response: &Response) -> Said {
        match (response.status, response.retry_after) {
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(after)) => {
                Said::Busy { after }
            }
            (status, _) => {
                self.link.not_understood();
                tracing::warn!(
                    http.status = status.as_u16(),
                    "headquarters gave an answer that is not understood; everything is kept"
                );
                Said::Failed
            }
        }
    }

    async fn ask(&self, request: Request) -> Result<Response, NoAnswer> {
        let answer = self.transport.ask(request).await;
        self.link.note(&answer);
        if let (Err(_), Some(probe)) = (&answer, &self.probe)
            && probe.look().await == Upstream::Captive
        {
            self.link.upstream_captive();
        }
        answer
    }
}

fn pack(frames: Vec<Frame>, spool: Spool, depths: &Depths) -> Batch {
    let depth = match spool {
        Spool::P0 => &depths.p0,
        Spool::P1 => &depths.p1,
    };
    let lines: Vec<Line> = frames
        .into_iter()
        .map(|frame| Line::frame(frame.seq, frame.id, frame.body))
        .collect();
    Batch {
        header: Header {
            v: VERSION,
            first: lines.first().map_or(1, |line| line.seq),
            n: lines.len(),
            prev: None,
            sw: SOFTWARE.to_owned(),
            q: batch::Waiting {
                frames: depth.frames,
                bytes: depth.bytes,
            },
        },
        lines,
    }
}

const fn waiting(depths: &Depths) -> Waiting {
    Waiting {
        p0: depths.p0.frames,
        p1: depths.p1.frames,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is for looking at")]
fn report(depths: &Depths) {
    for (spool, depth) in [(Spool::P0, &depths.p0), (Spool::P1, &depths.p1)] {
        ::metrics::gauge!(metrics::JOURNAL_WAITING_FRAMES, "spool" => spool.name())
            .set(depth.frames as f64);
    }
}

/// Uniform in 0 to 1.
pub(super) fn chance() -> f64 {
    f64::from(u32::from_be_bytes(random())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
