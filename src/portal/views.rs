//! Page views on their way into the journal: many small events packed into few P1 frames.
//!
//! A page never waits for its view. Views are gathered for up to a second, or until a frame is full, and
//! handed to the journal, which writes them with the next capture or after some seconds. A view that finds
//! no room is dropped and counted; a power cut loses the views of the last seconds, and only those.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc;

use crate::domain::event::Occurrence;
use crate::domain::ids::StoreId;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use crate::wire::frame::{self, BootTime, Contents};

/// How many views may wait for the packer.
const MOST_WAITING: usize = 8_192;

/// Views in one frame: at about 60 bytes each it stays below the small profile's limit of 1.5 KiB.
const MOST_IN_A_FRAME: usize = 16;

/// How long a view waits for company.
const GATHER_FOR: Duration = Duration::from_secs(1);

/// Where pages drop their views.
#[derive(Debug, Clone)]
pub(super) struct Views(mpsc::Sender<Occurrence>);

impl Views {
    /// Starts the packer; `keep` takes each finished frame.
    pub(super) fn start(
        tasks: &Tasks,
        boot_time: impl Fn() -> BootTime + Send + 'static,
        keep: impl Fn(Vec<u8>) + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let own = tasks.clone();
        tasks.spawn("views", async move {
            let packer = Packer {
                frames: BTreeMap::new(),
                boot_time: Box::new(boot_time),
                keep: Box::new(keep),
            };
            gather(&own, receiver, packer).await;
        });
        Self(sender)
    }

    pub(super) fn saw(&self, occurrence: Occurrence) {
        if self.0.try_send(occurrence).is_err() {
            metrics::count(metrics::VIEWS_DROPPED);
        }
    }
}

async fn gather(tasks: &Tasks, mut views: mpsc::Receiver<Occurrence>, mut packer: Packer) {
    loop {
        // Asleep until there is a view: an idle shop wakes nobody.
        let first = tokio::select! {
            view = views.recv() => view,
            () = tasks.stopping() => None,
        };
        let Some(first) = first else { break };
        packer.add(first);
        let full_second = tokio::time::sleep(GATHER_FOR);
        tokio::pin!(full_second);
        loop {
            tokio::select! {
                view = views.recv() => match view {
                    Some(view) => packer.add(view),
                    None => break,
                },
                () = &mut full_second => break,
                () = tasks.stopping() => break,
            }
        }
        packer.finish_all();
    }
    while let Ok(view) = views.try_recv() {
        packer.add(view);
    }
    packer.finish_all();
}

/// The frames being filled, one a store.
struct Packer {
    frames: BTreeMap<StoreId, Contents>,
    boot_time: Box<dyn Fn() -> BootTime + Send>,
    keep: Box<dyn Fn(Vec<u8>) + Send>,
}

impl Packer {
    fn add(&mut self, view: Occurrence) {
        let Occurrence {
            store,
            moment,
            event,
        } = view;
        let contents = self
            .frames
            .entry(store.clone())
            .or_insert_with(|| Contents {
                store: store.clone(),
                boot_time: (self.boot_time)(),
                moment,
                events: Vec::with_capacity(MOST_IN_A_FRAME),
            });
        let after = moment.at.duration_since(contents.moment.at);
        contents
            .events
            .push((after.max(SignedDuration::ZERO), event));
        if contents.events.len() >= MOST_IN_A_FRAME
            && let Some(full) = self.frames.remove(&store)
        {
            (self.keep)(frame::encode(&full));
        }
    }

    fn finish_all(&mut self) {
        for contents in std::mem::take(&mut self.frames).into_values() {
            (self.keep)(frame::encode(&contents));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::event::{Event, Moment, View};

    fn view() -> Occurrence {
        Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: "2026-12-01T12:00:00Z".parse().unwrap(),
                offset: jiff::tz::Offset::constant(8),
            },
            event: Event::TouchpointView(View {
                touchpoint: None,
                campaign: None,
                vid: None,
                off_peak: false,
            }),
        }
    }

    #[tokio::test]
    async fn a_stop_loses_no_view_that_was_taken() {
        let tasks = Tasks::new();
        let kept: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let keeper = Arc::clone(&kept);
        let boot_time = || BootTime { boot: 1, millis: 2 };
        let views = Views::start(&tasks, boot_time, move |body| {
            keeper.lock().unwrap().push(body);
        });
        for _ in 0..40 {
            views.saw(view());
        }
        tasks.shut_down(Duration::from_secs(5)).await;
        let frames = kept.lock().unwrap();
        let events: usize = frames
            .iter()
            .map(|body| frame::decode(body).unwrap().occurrences.len())
            .sum();
        assert_eq!(events, 40);
        assert!(frames.iter().all(|body| body.len() <= 1_400));
    }
}
