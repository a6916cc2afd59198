//! Questions about coupons of other stores: asked of headquarters while a guest stands at the till.
//!
//! Each has a connection of its own, because an idle one may be dead without a sign and there is no time to find
//! out, and is given up after [`ANSWER_WITHIN`]. Whoever asked and gave nothing says so ([`Sisters::not_used`]);
//! that is tried again until headquarters has forgotten the question by itself. Decides nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::transport::{Content, Request, Transport};
use super::up::chance;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::link::{HELD_FOR, RedeemAnswer, RedeemQuestion, Unused};

/// A till answers within 300 ms where it can; a guest waits for no more than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What waits to be said to be unused. More than this lapses at headquarters, as it all does.
const WAITING: usize = 64;

/// Makes a connection's client.
pub(super) type Dial = Arc<dyn Fn() -> Option<Box<dyn Transport>> + Send + Sync>;

/// The way to ask.
#[derive(Clone)]
pub struct Sisters {
    dial: Dial,
    unused: mpsc::Sender<Unused>,
}

impl Sisters {
    pub(super) fn start(dial: Dial, tasks: &Tasks) -> Self {
        let (unused, waiting) = mpsc::channel(WAITING);
        let (own, dial_again) = (tasks.clone(), Arc::clone(&dial));
        tasks.spawn("uplink sisters", async move {
            tokio::select! {
                () = say_unused(dial_again, waiting) => {}
                () = own.stopping() => {}
            }
        });
        Self { dial, unused }
    }

    /// What headquarters says; none where it does not, in time.
    pub async fn ask(&self, question: &RedeemQuestion) -> Option<RedeemAnswer> {
        let answer = self.ask_once(question).await;
        let word = if answer.is_some() { "came" } else { "none" };
        metrics::add_of(metrics::UPLINK_SISTERS, ("answer", word), 1);
        answer
    }

    async fn ask_once(&self, question: &RedeemQuestion) -> Option<RedeemAnswer> {
        let body = post(&self.dial, "/v1/redeem", question).await?;
        serde_json::from_slice(&body).ok()
    }

    /// Nothing was given on what was asked.
    pub fn not_used(&self, unused: Unused) {
        self.unused.try_send(unused).ok();
    }
}

async fn say_unused(dial: Dial, mut waiting: mpsc::Receiver<Unused>) {
    while let Some(unused) = waiting.recv().await {
        let (until, mut backoff) = (Instant::now() + HELD_FOR, Backoff::default());
        while Instant::now() < until && post(&dial, "/v1/unused", &unused).await.is_none() {
            tokio::time::sleep(backoff.next(chance())).await;
        }
    }
}

/// The body of a good answer.
async fn post(dial: &Dial, path: &str, said: &impl Serialize) -> Option<axum::body::Bytes> {
    let body = serde_json::to_vec(said).expect("ids and names are plain data");
    let request = Request::post(path.to_owned(), body, Content::Json, ANSWER_WITHIN);
    let response = dial()?.ask(request).await.ok()?;
    let is_good = matches!(response.status, StatusCode::OK | StatusCode::NO_CONTENT);
    is_good.then_some(response.body)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::transport::{NoAnswer, Response};
    use super::*;
    use crate::domain::ids::{CampaignId, CouponId, RedemptionId, StoreId};
    use crate::ops::tasks::BoxFuture;

    /// A headquarters that answers after some failures, and what it was asked.
    #[derive(Default)]
    struct Line {
        failures: AtomicUsize,
        answer: &'static str,
        asked: Mutex<Vec<String>>,
        heard: tokio::sync::Notify,
    }

    struct Once(Arc<Line>);

    impl Transport for Once {
        fn ask(&self, request: Request) -> BoxFuture<'_, Result<Response, NoAnswer>> {
            Box::pin(async move {
                let left = &self.0.failures;
                let fails =
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
                if fails.is_ok() {
                    return Err(NoAnswer::TimedOut);
                }
                self.0.asked.lock().unwrap().push(request.path);
                self.0.heard.notify_one();
                Ok(Response {
                    status: StatusCode::OK,
                    retry_after: None,
                    body: self.0.answer.into(),
                })
            })
        }
    }

    fn sisters(line: &Arc<Line>, tasks: &Tasks) -> Sisters {
        let line = Arc::clone(line);
        let dial: Dial = Arc::new(move || Some(Box::new(Once(Arc::clone(&line)))));
        Sisters::start(dial, tasks)
    }

    fn question() -> RedeemQuestion {
        RedeemQuestion {
            redemption: RedemptionId::from_entropy([1; 16]),
            coupon: CouponId::from_entropy([2; 16]),
            campaign: CampaignId::parse("quiet-hours").unwrap(),
            home: StoreId::parse("SZ01").unwrap(),
            nonce: 3,
        }
    }

    #[tokio::test]
    async fn a_question_is_asked_once_and_no_answer_is_an_answer_too() {
        let tasks = Tasks::new();
        let line = Arc::new(Line {
            failures: AtomicUsize::new(1),
            answer: "\"yes\"",
            ..Line::default()
        });
        let sisters = sisters(&line, &tasks);
        assert_eq!(sisters.ask(&question()).await, None);
        assert_eq!(sisters.ask(&question()).await, Some(RedeemAnswer::Yes));
        assert_eq!(*line.asked.lock().unwrap(), ["/v1/redeem"]);
        tasks.stop();
    }

    #[tokio::test(start_paused = true)]
    async fn that_nothing_was_given_is_said_until_it_is_heard() {
        let tasks = Tasks::new();
        let line = Arc::new(Line {
            failures: AtomicUsize::new(5),
            ..Line::default()
        });
        let RedeemQuestion {
            redemption,
            coupon,
            nonce,
            ..
        } = question();
        let unused = Unused {
            redemption,
            coupon,
            nonce,
        };
        sisters(&line, &tasks).not_used(unused);
        line.heard.notified().await;
        assert_eq!(*line.asked.lock().unwrap(), ["/v1/unused"]);
        tasks.stop();
    }
}
