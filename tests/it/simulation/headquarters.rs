//! A headquarters without a database: what every ledger does with what `hq::db::plan` decides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use maitred::domain::ids::{FrameId, GatewayId, StreamId};
use maitred::hq::db::plan::{Heard, Mark, Plan, Take, hear, plan};
use maitred::hq::db::{Delivery, Entry, Frame};
use maitred::wire::batch::{Batch, Line, What};
use maitred::wire::link::{StreamMark, StreamOffer};

/// Cloned for a backup.
#[derive(Debug, Clone, Default)]
pub(super) struct Headquarters {
    streams: BTreeMap<StreamId, Mark>,
    frames: BTreeMap<(StreamId, u64), FrameId>,
    /// A frame may come under several numbers, and counts once.
    ids: BTreeSet<FrameId>,
    /// First and last.
    gaps: Vec<(StreamId, u64, u64)>,
}

/// What it says of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Taken { acked: u64 },
    Expected,
    Closed { known: Vec<u64> },
}

impl Headquarters {
    pub(super) fn hello(&mut self, offers: &[StreamOffer]) -> Vec<StreamMark> {
        let marks = offers.iter().map(|offer| {
            let mark = self.streams.entry(offer.id).or_insert(Mark::START);
            match hear(mark, offer) {
                Heard::Close(_) => mark.closed = true,
                Heard::Follows | Heard::Behind | Heard::Closed => {}
            }
            StreamMark {
                id: offer.id,
                acked: mark.acked,
                closed: mark.closed,
            }
        });
        marks.collect()
    }

    pub(super) fn deliver(&mut self, stream: StreamId, batch: &Batch) -> Answer {
        let delivery = delivery(stream, batch);
        let mark = *self.streams.entry(stream).or_insert(Mark::START);
        match plan(&mark, &delivery) {
            Plan::Expected { .. } => Answer::Expected,
            Plan::Take(take) if take.is_unproven && self.contradicts(&delivery, take.skip) => {
                self.close(&delivery)
            }
            Plan::Take(take) => self.take(&delivery, &take),
            Plan::Close(_) | Plan::Closed => self.close(&delivery),
        }
    }

    fn take(&mut self, delivery: &Delivery, take: &Take) -> Answer {
        for entry in &delivery.entries[take.skip..] {
            if let Entry::Frame(frame) = entry {
                self.frames.insert((delivery.stream, frame.seq), frame.id);
                self.ids.insert(frame.id);
            }
        }
        let gaps = take
            .gaps
            .iter()
            .map(|gap| (delivery.stream, gap.from, gap.to));
        self.gaps.extend(gaps);
        self.streams.insert(delivery.stream, take.mark);
        Answer::Taken {
            acked: take.mark.acked,
        }
    }

    fn close(&mut self, delivery: &Delivery) -> Answer {
        if let Some(mark) = self.streams.get_mut(&delivery.stream) {
            mark.closed = true;
        }
        let known = delivery.entries.iter().filter_map(|entry| match entry {
            Entry::Frame(frame) => self.ids.contains(&frame.id).then_some(frame.seq),
            Entry::Gap { .. } => None,
        });
        Answer::Closed {
            known: known.collect(),
        }
    }

    fn contradicts(&self, delivery: &Delivery, skip: usize) -> bool {
        delivery.entries[..skip].iter().any(|entry| match entry {
            Entry::Frame(frame) => self
                .frames
                .get(&(delivery.stream, frame.seq))
                .is_some_and(|id| *id != frame.id),
            Entry::Gap { .. } => false,
        })
    }

    /// Every frame that was counted.
    pub(super) const fn ids(&self) -> &BTreeSet<FrameId> {
        &self.ids
    }

    pub(super) fn is_closed(&self, stream: StreamId) -> bool {
        self.streams.get(&stream).is_some_and(|mark| mark.closed)
    }

    /// Whether it was said that nothing comes under this number.
    pub(super) fn has_gap_at(&self, stream: StreamId, seq: u64) -> bool {
        let covers =
            |(of, from, to): &(StreamId, u64, u64)| *of == stream && (*from..=*to).contains(&seq);
        self.gaps.iter().any(covers)
    }
}

fn delivery(stream: StreamId, batch: &Batch) -> Delivery {
    let entry = |line: &Line| match &line.what {
        What::Frame { id, time, body } => Entry::Frame(Frame {
            seq: line.seq,
            id: *id,
            time: *time,
            store: None,
            body: body.clone(),
            events: Vec::new(),
            facts: Vec::new(),
            uncertain: Vec::new(),
            notices: Vec::new(),
            used: Vec::new(),
            commands_done: Vec::new(),
            told: Vec::new(),
            members: Vec::new(),
            persons: Vec::new(),
            access: Vec::new(),
            phones: Vec::new(),
            put_aside: Vec::new(),
        }),
        What::Gap(gap) => Entry::Gap {
            from: line.seq,
            gap: *gap,
        },
    };
    Delivery {
        gateway: GatewayId(1),
        stream,
        received: Timestamp::UNIX_EPOCH,
        waiting: batch.header.q.frames,
        prev: batch.header.prev,
        entries: batch.lines.iter().map(entry).collect(),
    }
}
