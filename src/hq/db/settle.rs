//! What one transaction does for all the deliveries that waited for it: decided here, written by a ledger.
//!
//! A group has each stream once, so where one stands depends on no other delivery. The ledger reads where the
//! streams stand, asks [`Group::questions`] and [`Group::names`] of its frames, and writes the [`Settlement`]
//! as a whole or not at all.
//!
//! A frame can come under two numbers: when a stream is closed, whoever held its frames gives them new ones,
//! and two boxes from one image both do; or a ledger from a backup takes it under the old number again. So
//! a gateway that has left a stream is asked for the names of what is older than its newest one, and what is
//! there already is stored as a name without a body and not counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::members::MemberTally;
use super::notice::Notice;
use super::persons::PersonNews;
use super::plan::{Disagreement, Hole, Mark, Plan, Take, plan_along};
use super::row::Prepared;
use super::runs::{Run, runs};
use super::sisters::Use;
use super::stickers::NewTold;
use super::tally::Tally;
use super::{AuditEntry, Delivery, Entry, Frame, IngestOutcome, Taken};
use crate::domain::command::Outcome;
use crate::domain::ids::{CommandId, CouponId, FrameId, GatewayId, RedemptionId, StreamId};
use crate::wire::batch::GapReason;

/// A stream as the ledger has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) owner: GatewayId,
    pub(super) mark: Mark,
}

/// Deliveries with what is to be done about each.
pub(super) struct Group<'a> {
    planned: Vec<(&'a Prepared, Verdict)>,
    families: &'a Families,
}

/// Every stream that a gateway has ever named.
pub(super) type Families = BTreeMap<GatewayId, Vec<StreamId>>;

/// One for captures and one for views: whoever has more has left one.
const ORDINARY_STREAMS: usize = 2;

enum Verdict {
    /// Another gateway's stream.
    Foreign(GatewayId),
    Own(Mark, Plan),
}

/// What is stored of the frames that were asked for.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Ids by stream and number.
    pub(super) numbers: BTreeMap<(StreamId, u64), FrameId>,
    /// Whatever their streams and numbers are.
    pub(super) names: BTreeSet<FrameId>,
}

impl<'a> Group<'a> {
    /// Every delivery's stream must be among the standings.
    pub(super) fn plan(
        deliveries: impl Iterator<Item = &'a Prepared>,
        standings: &BTreeMap<StreamId, Standing>,
        families: &'a Families,
    ) -> Self {
        let verdict = |prepared: &Prepared| {
            let delivery = &prepared.delivery;
            let new = Standing {
                owner: delivery.gateway,
                mark: Mark::START,
            };
            let standing = standings.get(&delivery.stream).unwrap_or(&new);
            if standing.owner == delivery.gateway {
                let plan = plan_along(&standing.mark, delivery, &prepared.chains);
                Verdict::Own(standing.mark, plan)
            } else {
                Verdict::Foreign(standing.owner)
            }
        };
        Self {
            planned: deliveries
                .map(|prepared| (prepared, verdict(prepared)))
                .collect(),
            families,
        }
    }

    /// Numbers whose stored ids the settlement has to know; none for what is new and in order.
    pub(super) fn questions(&self) -> Vec<(StreamId, Vec<u64>)> {
        let question = |(prepared, verdict): &(&Prepared, Verdict)| {
            let delivery = &prepared.delivery;
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

    /// Names that the settlement has to know, with the gateway and the streams that they may be stored in.
    pub(super) fn names(&self) -> Vec<(GatewayId, &[StreamId], Vec<FrameId>)> {
        let question = |(prepared, verdict): &(&Prepared, Verdict)| {
            let delivery = &prepared.delivery;
            let Verdict::Own(_, Plan::Take(take)) = verdict else {
                return None;
            };
            let family = self.families.get(&delivery.gateway)?;
            let new = frames(&delivery.entries[take.skip..]).map(|frame| frame.id);
            let names: Vec<_> = new.filter(|id| may_be_elsewhere(*id, family)).collect();
            (!names.is_empty()).then_some((delivery.gateway, family.as_slice(), names))
        };
        self.planned.iter().filter_map(question).collect()
    }

    pub(super) fn settle(self, held: &Held) -> Settlement<'a> {
        let mut settlement = Settlement {
            names: held.names.clone(),
            ..Settlement::default()
        };
        let none = Vec::new();
        for (prepared, verdict) in self.planned {
            let delivery = &prepared.delivery;
            let family = self.families.get(&delivery.gateway).unwrap_or(&none);
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
                Verdict::Own(_, Plan::Take(take)) => settlement.take(prepared, &take, family),
            };
            settlement.outcomes.push(outcome);
        }
        settlement.runs = runs(&settlement.frames);
        // As everything is that a ledger locks.
        settlement.persons.sort_by_key(|(person, _)| person.vid());
        settlement
    }
}

/// Whether a frame may be stored in another stream of its gateway: it is older than the newest of them.
fn may_be_elsewhere(frame: FrameId, family: &[StreamId]) -> bool {
    let begun = |stream: &StreamId| unix_millis(stream.0);
    family.len() > ORDINARY_STREAMS && family.iter().map(begun).max() >= Some(unix_millis(frame.0))
}

/// What a version 7 UUID begins with (RFC 9562, section 5.7).
fn unix_millis(id: Uuid) -> u64 {
    u64::try_from(id.as_u128() >> 80).expect("48 bits are left")
}

fn frames(entries: &[Entry]) -> impl Iterator<Item = &Frame> {
    entries.iter().filter_map(Entry::frame)
}

/// Frames of the delivery that are stored under their numbers.
fn known(delivery: &Delivery, held: &Held) -> Vec<u64> {
    frames(&delivery.entries)
        .filter(|frame| held.numbers.get(&(delivery.stream, frame.seq)) == Some(&frame.id))
        .map(|frame| frame.seq)
        .collect()
}

/// Whether another frame is stored under a number of the delivery.
fn contradicts(delivery: &Delivery, held: &Held) -> bool {
    frames(&delivery.entries).any(|frame| {
        let stored = held.numbers.get(&(delivery.stream, frame.seq));
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
    /// Of those frames.
    pub(super) runs: Vec<Run>,
    pub(super) gaps: Vec<NewGap>,
    pub(super) notices: Vec<NewNotice<'a>>,
    /// In the order of their keys, as everything is that a ledger locks.
    pub(super) uses: BTreeMap<(CouponId, RedemptionId), Use>,
    pub(super) commands_done: Vec<NewOutcome>,
    pub(super) told: Vec<NewTold>,
    pub(super) members: MemberTally,
    pub(super) persons: Vec<(&'a PersonNews, Timestamp)>,
    pub(super) notes: Vec<AuditEntry>,
    pub(super) tally: Tally,
    /// Of frames that are stored and may come under another number, those of this group included.
    names: BTreeSet<FrameId>,
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
    pub(super) seq: u64,
    pub(super) id: FrameId,
    /// None: it is here under another number, and only its name is kept under this one.
    pub(super) frame: Option<&'a Frame>,
}

/// Something for the boxes of a store.
#[derive(Debug)]
pub(super) struct NewNotice<'a> {
    pub(super) notice: &'a Notice,
    pub(super) received: Timestamp,
}

/// What became of a command.
#[derive(Debug)]
pub(super) struct NewOutcome {
    pub(super) gateway: GatewayId,
    pub(super) command: CommandId,
    pub(super) outcome: Outcome,
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

    fn take(&mut self, prepared: &'a Prepared, take: &Take, family: &[StreamId]) -> IngestOutcome {
        let delivery = &prepared.delivery;
        let (again, new) = delivery.entries.split_at(take.skip);
        let resent = frames(again).count() as u64;
        let mut taken = Taken {
            acked: take.mark.acked,
            fresh: 0,
            resent,
            put_aside: Vec::new(),
        };
        let begins = self.frames.len();
        for frame in frames(new) {
            let is_here = may_be_elsewhere(frame.id, family) && !self.names.insert(frame.id);
            self.frames.push(NewFrame {
                stream: delivery.stream,
                received: delivery.received,
                seq: frame.seq,
                id: frame.id,
                frame: (!is_here).then_some(frame),
            });
            if is_here {
                taken.resent += 1;
                continue;
            }
            taken.fresh += 1;
            let aside = frame.put_aside.iter().map(|aside| (frame.seq, aside.code));
            taken.put_aside.extend(aside);
            self.commands_done.extend(outcomes(delivery.gateway, frame));
            self.hear(frame, delivery.received);
            self.told.extend(told(delivery.gateway, frame));
            frame.members.iter().for_each(|news| self.members.add(news));
            let persons = frame.persons.iter();
            self.persons
                .extend(persons.map(|person| (person, delivery.received)));
        }
        if taken.resent == 0 {
            self.tally.merge(&prepared.tally);
        } else {
            let fresh = self.frames[begins..].iter().filter_map(|new| new.frame);
            fresh.for_each(|frame| self.tally.add(frame));
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
            resent: taken.resent,
            waiting: delivery.waiting.saturating_sub(taken.resent + taken.fresh),
            received: delivery.received,
        });
        IngestOutcome::Taken(taken)
    }

    /// Takes in what a frame says of redemptions, and what others are to hear of.
    fn hear(&mut self, frame: &'a Frame, received: Timestamp) {
        for used in &frame.used {
            let key = (used.coupon, used.redemption);
            let known = self.uses.entry(key).or_insert_with(|| used.clone());
            known.merge(used);
        }
        let notices = frame.notices.iter();
        self.notices
            .extend(notices.map(|notice| NewNotice { notice, received }));
    }

    fn note(&mut self, delivery: &Delivery, action: &str, what: &str) {
        let entry = AuditEntry::new(delivery.received, action, &delivery.gateway, what);
        self.notes.push(entry);
    }
}

/// Not of commands that had been dealt with before: another frame tells of them.
fn outcomes(gateway: GatewayId, frame: &Frame) -> impl Iterator<Item = NewOutcome> {
    let told = frame.commands_done.iter().copied();
    told.filter(|(_, outcome)| *outcome != Outcome::Before)
        .map(move |(command, outcome)| NewOutcome {
            gateway,
            command,
            outcome,
        })
}

fn told(gateway: GatewayId, frame: &Frame) -> impl Iterator<Item = NewTold> {
    let of_a_store = frame.store.iter();
    of_a_store.flat_map(move |store| {
        frame.told.iter().map(move |(at, told)| NewTold {
            gateway,
            store: store.clone(),
            at: *at,
            told: told.clone(),
        })
    })
}

/// As on the wire.
pub(super) const fn reason(why: GapReason) -> &'static str {
    match why {
        GapReason::Evicted => "evicted",
        GapReason::Damaged => "damaged",
        GapReason::Restored => "restored",
    }
}
