//! What one transaction does for all the deliveries that waited for it: decided here, written by a ledger.
//!
//! A group has each stream once, so no delivery's decision depends on another's. The ledger reads where the
//! streams stand, asks [`Group::questions`] of its frames, and writes the [`Settlement`] as a whole or not
//! at all.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plan::{Disagreement, Hole, Mark, Plan, Take, plan};
use super::tally::Tally;
use super::{AuditEntry, Delivery, Entry, Frame, IngestOutcome, Taken};
use crate::domain::ids::{FrameId, GatewayId, StreamId};
use crate::wire::batch::GapReason;

/// A stream as the ledger has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) owner: GatewayId,
    pub(super) mark: Mark,
}

/// Deliveries with what is to be done about each.
pub(super) struct Group<'a> {
    planned: Vec<(&'a Delivery, Verdict)>,
}

enum Verdict {
    /// Another gateway's stream.
    Foreign(GatewayId),
    Own(Mark, Plan),
}

/// Ids of stored frames by stream and number.
pub(super) type Held = BTreeMap<(StreamId, u64), FrameId>;

impl<'a> Group<'a> {
    /// Every delivery's stream must be among the standings.
    pub(super) fn plan(
        deliveries: impl Iterator<Item = &'a Delivery>,
        standings: &BTreeMap<StreamId, Standing>,
    ) -> Self {
        let verdict = |delivery: &Delivery| {
            let new = Standing {
                owner: delivery.gateway,
                mark: Mark::START,
            };
            let standing = standings.get(&delivery.stream).unwrap_or(&new);
            if standing.owner == delivery.gateway {
                Verdict::Own(standing.mark, plan(&standing.mark, delivery))
            } else {
                Verdict::Foreign(standing.owner)
            }
        };
        Self {
            planned: deliveries
                .map(|delivery| (delivery, verdict(delivery)))
                .collect(),
        }
    }

    /// Numbers whose stored ids the settlement has to know; none for what is new and in order.
    pub(super) fn questions(&self) -> Vec<(StreamId, Vec<u64>)> {
        let question = |(delivery, verdict): &(&Delivery, Verdict)| {
            let asked = match verdict {
                Verdict::Own(_, Plan::Take(take)) if take.is_unproven => {
                    &delivery.entries[..take.skip]
                }
                Verdict::Own(_, Plan::Close(_) | Plan::Closed) => delivery.entries.as_slice(),
                Verdict::Own(_, Plan::Take(_) | Plan::Expected { .. }) | Verdict::Foreign(_) => &[],
            };
            let numbers: Vec<_> = frames(asked).map(|frame| frame.seq).collect();
            (!numbers.is_empty()).then_some((delivery.stream, numbers))
        };
        self.planned.iter().filter_map(question).collect()
    }

    pub(super) fn settle(self, held: &Held) -> Settlement<'a> {
        let mut settlement = Settlement::default();
        for (delivery, verdict) in self.planned {
            let outcome = match verdict {
                Verdict::Foreign(owner) => settlement.refuse(delivery, owner),
                Verdict::Own(_, Plan::Expected { acked }) => IngestOutcome::Expected { acked },
                Verdict::Own(_, Plan::Closed) => IngestOutcome::Closed {
                    known: known(delivery, held),
                    now: None,
                },
                Verdict::Own(mark, Plan::Close(why)) => settlement.close(delivery, mark, why, held),
                Verdict::Own(mark, Plan::Take(_)) if contradicts(delivery, held) => {
                    settlement.close(delivery, mark, Disagreement::Frames, held)
                }
                Verdict::Own(_, Plan::Take(take)) => settlement.take(delivery, &take),
            };
            settlement.outcomes.push(outcome);
        }
        settlement
    }
}

fn frames(entries: &[Entry]) -> impl Iterator<Item = &Frame> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Frame(frame) => Some(frame),
        Entry::Gap { .. } => None,
    })
}

/// Frames of the delivery that are stored under their numbers.
fn known(delivery: &Delivery, held: &Held) -> Vec<u64> {
    frames(&delivery.entries)
        .filter(|frame| held.get(&(delivery.stream, frame.seq)) == Some(&frame.id))
        .map(|frame| frame.seq)
        .collect()
}

/// Whether another frame is stored under a number of the delivery.
fn contradicts(delivery: &Delivery, held: &Held) -> bool {
    frames(&delivery.entries).any(|frame| {
        let stored = held.get(&(delivery.stream, frame.seq));
        stored.is_some_and(|id| *id != frame.id)
    })
}

/// What to write, in one transaction.
#[derive(Debug, Default)]
pub(super) struct Settlement<'a> {
    /// One for each delivery, in their order.
    pub(super) outcomes: Vec<IngestOutcome>,
    pub(super) moves: Vec<Move>,
    pub(super) closings: Vec<Closing>,
    pub(super) frames: Vec<NewFrame<'a>>,
    pub(super) gaps: Vec<NewGap>,
    pub(super) notes: Vec<AuditEntry>,
    pub(super) tally: Tally,
}

/// A stream's mark moves.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) stream: StreamId,
    pub(super) gateway: GatewayId,
    pub(super) mark: Mark,
    pub(super) resent: u64,
    pub(super) waiting: u64,
    pub(super) received: Timestamp,
}

#[derive(Debug)]
pub(super) struct Closing {
    pub(super) stream: StreamId,
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct NewFrame<'a> {
    pub(super) stream: StreamId,
    pub(super) received: Timestamp,
    pub(super) frame: &'a Frame,
}

#[derive(Debug)]
pub(super) struct NewGap {
    pub(super) stream: StreamId,
    pub(super) hole: Hole,
    pub(super) received: Timestamp,
}

impl<'a> Settlement<'a> {
    fn refuse(&mut self, delivery: &Delivery, owner: GatewayId) -> IngestOutcome {
        let what = format!("stream {} of {owner}", delivery.stream);
        self.note(delivery, "stream_foreign", &what);
        IngestOutcome::ForeignStream
    }

    fn close(
        &mut self,
        delivery: &Delivery,
        mark: Mark,
        why: Disagreement,
        held: &Held,
    ) -> IngestOutcome {
        self.closings.push(Closing {
            stream: delivery.stream,
            at: delivery.received,
        });
        let what = format!(
            "stream {}, {} frames are here: {}",
            delivery.stream,
            mark.acked,
            why.code()
        );
        self.note(delivery, "stream_closed", &what);
        IngestOutcome::Closed {
            known: known(delivery, held),
            now: Some(why),
        }
    }

    fn take(&mut self, delivery: &'a Delivery, take: &Take) -> IngestOutcome {
        let (again, new) = delivery.entries.split_at(take.skip);
        let resent = frames(again).count() as u64;
        let mut taken = Taken {
            acked: take.mark.acked,
            fresh: 0,
            resent,
            put_aside: Vec::new(),
        };
        for frame in frames(new) {
            taken.fresh += 1;
            let aside = frame.put_aside.iter().map(|aside| (frame.seq, aside.code));
            taken.put_aside.extend(aside);
            self.tally.add(frame);
            self.frames.push(NewFrame {
                stream: delivery.stream,
                received: delivery.received,
                frame,
            });
        }
        let gap = |hole: &Hole| NewGap {
            stream: delivery.stream,
            hole: *hole,
            received: delivery.received,
        };
        self.gaps.extend(take.gaps.iter().map(gap));
        if let Some(first) = take.gaps.first() {
            let lost: u64 = take.gaps.iter().map(Hole::frames).sum();
            let what = format!(
                "stream {}: {lost} frames from {} on will not come: {}",
                delivery.stream,
                first.from,
                reason(first.why)
            );
            self.note(delivery, "stream_gap", &what);
        }
        self.moves.push(Move {
            stream: delivery.stream,
            gateway: delivery.gateway,
            mark: take.mark,
            resent,
            waiting: delivery.waiting.saturating_sub(resent + taken.fresh),
            received: delivery.received,
        });
        IngestOutcome::Taken(taken)
    }

    fn note(&mut self, delivery: &Delivery, action: &str, what: &str) {
        let entry = AuditEntry::new(delivery.received, action, &delivery.gateway, what);
        self.notes.push(entry);
    }
}

/// As on the wire.
pub(super) const fn reason(why: GapReason) -> &'static str {
    match why {
        GapReason::Evicted => "evicted",
        GapReason::Damaged => "damaged",
        GapReason::Restored => "restored",
    }
}
