//! The sender: performs what [`Machine`] decides, one batch at a time.
//!
//! A frame leaves the journal only here, and only up to what headquarters has acknowledged.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use super::lines;
use super::standing::Standing;
use super::step::{Delays, MAX_BYTES, Machine, Said, Step, Waiting};
use super::transport::{Content, NoAnswer, Request, Response};
use super::way::Way;
use crate::config::settings::UplinkSettings;
use crate::domain::ids::StreamId;
use crate::journal::{Depths, Frame, Outbox, OutboxError, Spool, StreamDepth};
use crate::ops::clock::{Anchored, Clock, Known, Placed};
use crate::ops::files::random;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::batch::{self, Closed, Line, Receipt, Time, TimeQuality};
use crate::wire::encoding::gzip;
use crate::wire::frame;
use crate::wire::link::{Hello, HelloReply, SOFTWARE, StreamMark, StreamOffer};

/// A batch on a bad line: 64 KiB compress to about 12 KiB.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// An answer that took longer says too little about the time that it was given at.
const ANCHOR_WITHIN: Duration = Duration::from_secs(4);

/// The sender and what it works with.
pub(super) struct Up {
    pub(super) way: Way,
    pub(super) outbox: Outbox,
    pub(super) clock: Option<Arc<Anchored>>,
    pub(super) settings: UplinkSettings,
    pub(super) boot: u32,
    /// Changes when headquarters asks what there is, or is heard again.
    pub(super) asked_for_hello: watch::Receiver<u64>,
    /// What the box asks to have certified for its host.
    pub(super) host_request: watch::Receiver<Option<String>>,
    /// The request that headquarters has heard.
    pub(super) asked_with: Option<String>,
    /// What headquarters has of each stream, as it last said.
    pub(super) marks: BTreeMap<StreamId, u64>,
}

/// What ended a rest.
enum Rest {
    Over,
    /// Headquarters wants to know what there is.
    Asked,
    /// The journal has ended.
    Ended,
}

/// A stream could not be brought into step now; the log says why.
struct NotSettled;

impl Up {
    pub(super) async fn run(self, tasks: &Tasks) {
        tokio::select! {
            () = self.work() => {}
            // Whatever is in flight is sent again after the next start, and counts once.
            () = tasks.stopping() => {}
        }
    }

    async fn work(mut self) {
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
                Step::WaitOut(wait) => tokio::select! {
                    () = tokio::time::sleep(wait) => continue,
                    () = self.has_to_say_hello() => Said::AskedForHello,
                },
                Step::WaitForCompany(wait) => match self.rest(&mut depths, Some(wait)).await {
                    Rest::Over => continue,
                    Rest::Asked => Said::AskedForHello,
                    Rest::Ended => return,
                },
                Step::Sleep => match self.rest(&mut depths, None).await {
                    Rest::Over => continue,
                    Rest::Asked => Said::AskedForHello,
                    Rest::Ended => return,
                },
            };
            machine.learn(said, start.elapsed(), chance());
        }
    }

    /// Waits for frames, or until `wait` is over.
    async fn rest(&mut self, depths: &mut watch::Receiver<Depths>, wait: Option<Duration>) -> Rest {
        let over = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = over => Rest::Over,
            changed = depths.changed() => changed.map_or(Rest::Ended, |()| Rest::Over),
            () = self.has_to_say_hello() => Rest::Asked,
        }
    }

    /// Ends when headquarters asks, or is to hear of a new request.
    async fn has_to_say_hello(&mut self) {
        tokio::select! {
            // It may have come back from a backup, and not know the request any more.
            Ok(()) = self.asked_for_hello.changed() => self.asked_with = None,
            Ok(()) = self.host_request.changed() => {}
            else => pending().await,
        }
    }

    // --- hello ------------------------------------------------------------------------------------------

    async fn hello(&mut self, depths: &Depths) -> Said {
        let csr = self.host_request.borrow_and_update().clone();
        let hello = Hello {
            sw: SOFTWARE.to_owned(),
            boot: self.boot,
            streams: streams(depths)
                .map(|(spool, stream)| offer(spool, stream))
                .collect(),
            host_csr: csr.clone().filter(|_| csr != self.asked_with),
        };
        let body = serde_json::to_vec(&hello).expect("a hello is plain data");
        let request = Request::post("/v1/hello".to_owned(), body, Content::Json, ANSWER_WITHIN);
        let asked = Instant::now();
        let Ok(response) = self.way.ask(request).await else {
            return Said::Failed;
        };
        if response.status != StatusCode::OK {
            return self.unexpected(&response);
        }
        let Ok(reply) = serde_json::from_slice::<HelloReply>(&response.body) else {
            return self.unexpected(&response);
        };
        self.asked_with = csr;
        // Before anything is sent: what is sent is dated by it.
        if !self.set_the_clock(reply.now, asked.elapsed()) {
            return Said::Failed;
        }
        self.marks.clear();
        let mut said = Said::Greeted;
        for mark in &reply.streams {
            let own = streams(depths).find(|(_, stream)| stream.stream == mark.id);
            let Some((spool, stream)) = own else {
                continue;
            };
            let written = match spool {
                Spool::P0 => depths.p0.written(),
                Spool::P1 => depths.p1.written(),
            };
            let is_written = mark.id == written.stream;
            self.marks.insert(mark.id, mark.acked);
            if mark.closed && !is_written {
                // Left before. What it still holds moves on when it is sent.
                continue;
            }
            if self.settle(spool, stream, mark).await.is_err() {
                return Said::Failed;
            }
            if mark.closed {
                // Asked again after a wait, so that a headquarters that closes everything is not spun on.
                said = Said::OutOfStep;
            }
        }
        said
    }

    /// Brings the journal into step with what headquarters has.
    async fn settle(
        &self,
        spool: Spool,
        own: &StreamDepth,
        mark: &StreamMark,
    ) -> Result<(), NotSettled> {
        let settled = match Standing::of(own, mark) {
            Standing::Agrees => Ok(()),
            Standing::Closed => {
                tracing::warn!(
                    spool = spool.name(),
                    "headquarters closed a stream: this box or a copy of it was put back to an older state; \
                     what waits is sent in a new one"
                );
                self.outbox.leave(spool, own.stream).await
            }
            Standing::Behind { has } => self.take_back(spool, own, has).await,
            Standing::Impossible => {
                // To go on would lose what comes next without a word. Everything is kept.
                tracing::error!(
                    spool = spool.name(),
                    "headquarters has frames that this box has never written, and does not close the stream"
                );
                self.way.link.not_understood();
                return Err(NotSettled);
            }
        };
        settled.map_err(|error| {
            tracing::error!(%error, "the journal could not be brought into step with headquarters");
            NotSettled
        })
    }

    /// Headquarters lacks what was let go here: whatever is still kept is sent again, and the rest is a
    /// stated gap.
    async fn take_back(
        &self,
        spool: Spool,
        own: &StreamDepth,
        has: u64,
    ) -> Result<(), OutboxError> {
        let floor = self.outbox.take_back(spool, own.stream, has).await?;
        let (again, missing) = (
            own.floor.saturating_sub(floor),
            floor.saturating_sub(has + 1),
        );
        if again > 0 || spool == Spool::P0 {
            tracing::warn!(
                spool = spool.name(),
                frames.again = again,
                frames.missing = missing,
                "headquarters has less than it acknowledged, as after a backup; what is kept is sent again"
            );
        }
        Ok(())
    }

    // --- batches ----------------------------------------------------------------------------------------

    async fn send(&mut self, spool: Spool, max_frames: usize, depths: &Depths) -> Said {
        let peeked = match self.outbox.peek(spool, max_frames, MAX_BYTES).await {
            Ok(peeked) => peeked,
            Err(error) => {
                tracing::error!(%error, "the journal could not be read for sending");
                return Said::Failed;
            }
        };
        if peeked.frames.is_empty() {
            return Said::Committed {
                wait: Duration::ZERO,
            };
        }
        let stream = peeked.stream;
        let Some(mark) = self.marks.get(&stream).copied() else {
            // Begun since the last hello.
            return self.hello(depths).await;
        };
        let depth = match spool {
            Spool::P0 => &depths.p0,
            Spool::P1 => &depths.p1,
        };
        let batch = lines::batch(peeked, spool, mark, depth, |frame| self.date(frame));
        let last = batch.lines.last().map_or(mark, Line::end);
        let body = gzip(&batch::encode(&batch));
        let path = format!("/v1/up/{stream}");
        let request = Request::post(path, body, Content::GzippedLines, ANSWER_WITHIN);
        let asked = Instant::now();
        let response = match self.way.ask(request).await {
            Ok(response) => response,
            Err(NoAnswer::TimedOut) => return Said::TimedOut,
            Err(_) => return Said::Failed,
        };
        match response.status {
            StatusCode::OK => match serde_json::from_slice::<Receipt>(&response.body) {
                Ok(receipt) if receipt.acked >= last => {
                    self.set_the_clock(receipt.now, asked.elapsed());
                    metrics::add(metrics::UPLINK_FRAMES_SENT, batch.lines.len() as u64);
                    self.take_receipt(spool, stream, last, &receipt).await
                }
                Ok(_) | Err(_) => self.unexpected(&response),
            },
            // Hello says how far headquarters is, and whether that can be.
            StatusCode::CONFLICT => Said::OutOfStep,
            StatusCode::GONE => match serde_json::from_slice::<Closed>(&response.body) {
                Ok(closed) => self.move_on(spool, stream, last, closed).await,
                Err(_) => self.unexpected(&response),
            },
            StatusCode::PAYLOAD_TOO_LARGE => Said::TooLarge,
            _ => self.unexpected(&response),
        }
    }

    async fn take_receipt(
        &mut self,
        spool: Spool,
        stream: StreamId,
        last: u64,
        receipt: &Receipt,
    ) -> Said {
        for refused in &receipt.refused {
            tracing::warn!(
                frame.seq = refused.s,
                reason = %refused.why,
                "headquarters put an event aside"
            );
        }
        // Only what was sent: past it there may be frames of a copy of this box, and ours under the same
        // numbers are not there. Frames stay where this cannot be written down, are sent again and counted
        // once.
        if let Err(error) = self.outbox.acknowledge(spool, stream, last).await {
            tracing::error!(%error, "an acknowledgement could not be kept");
            return Said::Failed;
        }
        self.marks.insert(stream, receipt.acked);
        Said::Committed {
            wait: Duration::from_millis(receipt.wait_ms),
        }
    }

    /// Headquarters closed this stream: what it does not have of these frames goes into a new one.
    async fn move_on(&self, spool: Spool, stream: StreamId, through: u64, closed: Closed) -> Said {
        let moved = match self.outbox.leave(spool, stream).await {
            Ok(()) => {
                self.outbox
                    .move_on(spool, stream, through, closed.known)
                    .await
            }
            Err(error) => Err(error),
        };
        match moved {
            Ok(()) => Said::MovedOn,
            Err(error) => {
                tracing::error!(%error, "frames of a closed stream could not be moved");
                Said::Failed
            }
        }
    }

    // --- time -------------------------------------------------------------------------------------------

    /// Takes headquarters' time; false where it could not be kept, and nothing may be dated by it.
    fn set_the_clock(&self, now_unix_ms: i64, round_trip: Duration) -> bool {
        let (Some(clock), Ok(now)) = (&self.clock, Timestamp::from_millisecond(now_unix_ms)) else {
            return true;
        };
        if round_trip > ANCHOR_WITHIN && clock.doubt().is_none() {
            return true;
        }
        let half = SignedDuration::try_from(round_trip / 2).unwrap_or_default();
        let Ok(now) = now.saturating_add(half) else {
            return true;
        };
        let kept = clock.anchor(clock.since_boot(), now);
        if let Err(error) = &kept {
            tracing::error!(%error, "headquarters' time could not be kept");
        }
        kept.is_ok()
    }

    fn date(&self, frame: &Frame) -> Option<Time> {
        let (written, wall) = frame::written_at(&frame.body)?;
        let since_boot = Duration::from_millis(written.millis);
        let clock = self.clock.as_ref()?;
        let Placed { time, known } = clock.place(written.boot, since_boot, wall)?;
        Some(Time {
            unix_ms: time.as_millisecond(),
            quality: match known {
                Known::Floor => TimeQuality::Floor,
                Known::Bounded => TimeQuality::Bounded,
                Known::Anchored => TimeQuality::Anchored,
            },
        })
    }

    // --- the line ---------------------------------------------------------------------------------------

    /// Takes an answer that headquarters gives when it is busy, broken or not itself.
    fn unexpected(&self, response: &Response) -> Said {
        match (response.status, response.retry_after) {
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(after)) => {
                Said::Busy { after }
            }
            (status, _) => {
                self.way.link.not_understood();
                tracing::warn!(
                    http.status = status.as_u16(),
                    "headquarters gave an answer that is not understood; everything is kept"
                );
                Said::Failed
            }
        }
    }
}

/// Every stream that is held or written, with its spool.
fn streams(depths: &Depths) -> impl Iterator<Item = (Spool, &StreamDepth)> {
    let spools = [(Spool::P0, &depths.p0), (Spool::P1, &depths.p1)];
    spools
        .into_iter()
        .flat_map(|(spool, depth)| depth.streams.iter().map(move |stream| (spool, stream)))
}

const fn offer(spool: Spool, stream: &StreamDepth) -> StreamOffer {
    StreamOffer {
        id: stream.stream,
        cls: match spool {
            Spool::P0 => 0,
            Spool::P1 => 1,
        },
        floor: stream.floor,
        next: stream.next,
        last: stream.last,
    }
}

const fn waiting(depths: &Depths) -> Waiting {
    Waiting {
        p0: depths.p0.frames,
        p1: depths.p1.frames,
    }
}

fn report(depths: &Depths) {
    for (spool, depth) in [(Spool::P0, &depths.p0), (Spool::P1, &depths.p1)] {
        let label = ("spool", spool.name());
        metrics::set_of(metrics::JOURNAL_WAITING_FRAMES, label, depth.frames);
    }
}

/// Uniform in 0 to 1.
pub(super) fn chance() -> f64 {
    f64::from(u32::from_be_bytes(random())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
