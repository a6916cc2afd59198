//! Page views on their way into the journal: many small events packed into few P1 frames.
//!
//! A page never waits for its view. Views are gathered for up to a second, or until a dozen frames are full,
//! and handed to the journal, which writes them with the next capture or after some seconds, and drops and
//! counts what it has no room for. A power cut loses the views of the last seconds, and only those.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::StoreId;
use crate::ops::tasks::Tasks;
use crate::wire::frame::{self, BootTime, Contents};

/// What the views of one frame may take: with the 75 bytes around them a frame stays below the small
/// profile's limit of 1,497 bytes.
const MOST_BYTES: usize = 1_400;

/// Full frames that go to the journal together: each time its thread wakes up, which costs more than a page.
const MOST_FULL: usize = 12;

/// How long a view waits for company.
const GATHER_FOR: Duration = Duration::from_secs(1);

/// Where pages drop their views.
#[derive(Clone)]
pub(super) struct Views(Arc<Gathering>);

struct Gathering {
    packer: Mutex<Packer>,
    /// There is a view, so the second has begun.
    begun: Notify,
}

impl Views {
    /// Starts the gathering; `keep` takes each finished frame.
    pub(super) fn start(
        tasks: &Tasks,
        boot_time: impl Fn() -> BootTime + Send + 'static,
        keep: impl Fn(Vec<u8>) + Send + 'static,
    ) -> Self {
        let views = Self(Arc::new(Gathering {
            packer: Mutex::new(Packer {
                frames: BTreeMap::new(),
                full: Vec::new(),
                patience: Patience::Gather,
                boot_time: Box::new(boot_time),
                keep: Box::new(keep),
            }),
            begun: Notify::new(),
        }));
        let own = tasks.clone();
        tasks.spawn("views", views.clone().finish_every_second(own));
        views
    }

    pub(super) fn saw(&self, occurrence: Occurrence) {
        let mut packer = self.packer();
        let first = packer.is_empty();
        packer.add(occurrence);
        drop(packer);
        if first {
            self.0.begun.notify_one();
        }
    }

    async fn finish_every_second(self, tasks: Tasks) {
        while !tasks.is_stopping() {
            // Asleep until there is a view: an idle shop wakes nobody.
            tokio::select! {
                () = self.0.begun.notified() => {}
                () = tasks.stopping() => break,
            }
            tokio::select! {
                () = tokio::time::sleep(GATHER_FOR) => {}
                () = tasks.stopping() => break,
            }
            self.packer().finish_all();
        }
        // Pages that have begun are still answered, and nobody gathers their views any more.
        let mut packer = self.packer();
        packer.patience = Patience::None;
        packer.finish_all();
    }

    fn packer(&self) -> MutexGuard<'_, Packer> {
        self.0.packer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Gather,
    /// Every view leaves at once.
    None,
}

/// A frame and the bytes that its views will take.
struct Filling {
    contents: Contents,
    bytes: usize,
}

struct Packer {
    /// The frames being filled, one a store.
    frames: BTreeMap<StoreId, Filling>,
    full: Vec<Vec<u8>>,
    patience: Patience,
    boot_time: Box<dyn Fn() -> BootTime + Send>,
    keep: Box<dyn Fn(Vec<u8>) + Send>,
}

impl Packer {
    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.full.is_empty()
    }

    fn add(&mut self, view: Occurrence) {
        let Occurrence {
            store,
            moment,
            event,
        } = view;
        let bytes = bytes_at_most(&event);
        if let Some(full) = self.frames.get(&store)
            && full.bytes + bytes > MOST_BYTES
        {
            self.full.push(frame::encode(&full.contents));
            self.frames.remove(&store);
        }
        let filling = self.frames.entry(store.clone()).or_insert_with(|| Filling {
            contents: Contents {
                store,
                boot_time: (self.boot_time)(),
                moment,
                events: Vec::new(),
            },
            bytes: 0,
        });
        let after = moment.at.duration_since(filling.contents.moment.at);
        let event = (after.max(SignedDuration::ZERO), event);
        filling.contents.events.push(event);
        filling.bytes += bytes;
        if self.patience == Patience::None {
            self.finish_all();
        } else if self.full.len() >= MOST_FULL {
            self.full.drain(..).for_each(&self.keep);
        }
    }

    fn finish_all(&mut self) {
        let begun = std::mem::take(&mut self.frames).into_values();
        self.full
            .extend(begun.map(|filling| frame::encode(&filling.contents)));
        self.full.drain(..).for_each(&self.keep);
    }
}

/// What an event takes in a frame, at most: names of keys and ids of fixed length, and the campaign's own.
fn bytes_at_most(event: &Event) -> usize {
    let (Event::TouchpointView(view) | Event::PortalView(view)) = event else {
        // Nothing else comes this way but admissions, which are smaller.
        return 96;
    };
    let campaign = view.campaign.as_ref().map_or(0, |id| id.as_str().len() + 9);
    let vid = view.vid.map_or(0, |_| 41);
    // Kind, delay, braces, touchpoint and the off-peak mark.
    64 + campaign + vid
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::event::{Moment, View};
    use crate::domain::ids::{CampaignId, TouchpointCode, Vid};

    fn view() -> Occurrence {
        Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: "2026-12-01T12:00:00Z".parse().unwrap(),
                offset: jiff::tz::Offset::constant(8),
            },
            // The largest that a view can be.
            event: Event::TouchpointView(View {
                touchpoint: Some(TouchpointCode::from_entropy(7)),
                campaign: Some(CampaignId::parse(&"c".repeat(32)).unwrap()),
                vid: Some(Vid::from_entropy([7; 16])),
                off_peak: true,
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
        for _ in 0..39 {
            views.saw(view());
        }
        tasks.shut_down(Duration::from_secs(5)).await;
        // From a page that was still being answered.
        views.saw(view());
        let frames = kept.lock().unwrap();
        let events: usize = frames
            .iter()
            .map(|body| frame::decode(body).unwrap().occurrences.len())
            .sum();
        assert_eq!(events, 40);
        assert!(
            frames.iter().all(|body| body.len() <= 1_497),
            "the small profile takes it"
        );
    }
}
