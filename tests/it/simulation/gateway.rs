//! A gateway's uplink without a network: does what `uplink::step` says, as `uplink::up` does.

use std::collections::BTreeMap;
use std::time::Duration;

use maitred::domain::ids::{FrameId, StreamId};
use maitred::journal::{Spool, StreamDepth};
use maitred::uplink::lines;
use maitred::uplink::standing::Standing;
use maitred::uplink::step::{Delays, Machine, Said, Step, Waiting};
use maitred::wire::batch::Batch;
use maitred::wire::link::{StreamMark, StreamOffer};

use super::dice::Dice;
use super::headquarters::Answer;
use super::journal::{Place, Row};

/// How the line between the two behaves.
pub(super) trait Line {
    fn hello(&mut self, offers: Vec<StreamOffer>) -> Result<Vec<StreamMark>, NoAnswer>;
    fn deliver(&mut self, stream: StreamId, batch: Batch) -> Result<Answer, NoAnswer>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    TimedOut,
    Refused,
}

/// What it promised is in its rows; the rest is gone when it restarts.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) rows: [Row; 2],
    machine: Machine,
    marks: BTreeMap<StreamId, u64>,
    now: Duration,
}

impl Gateway {
    pub(super) fn with(rows: [Row; 2]) -> Self {
        Self {
            rows,
            machine: Machine::new(Delays {
                p0: Duration::from_secs(2),
                p1: Duration::from_secs(60),
            }),
            marks: BTreeMap::new(),
            now: Duration::ZERO,
        }
    }

    pub(super) fn fresh(dice: &mut Dice) -> Self {
        Self::with([Spool::P0, Spool::P1].map(|spool| Row::new(spool, dice.stream())))
    }

    pub(super) fn restart(&mut self) {
        *self = Self::with(self.rows.clone());
    }

    pub(super) fn capture(&mut self, spool: Spool, dice: &mut Dice) -> Place {
        let body = dice.below(1 << 40).to_be_bytes().to_vec();
        self.row(spool).append(dice.frame(), body)
    }

    /// Whether all is said for now.
    pub(super) fn is_quiet(&mut self) -> bool {
        let waiting = self.waiting();
        waiting == Waiting::default() && self.machine.next(waiting, self.now) == Step::Sleep
    }

    /// One step of the sender, waits included; gives back what was put under new numbers.
    pub(super) fn step(&mut self, line: &mut impl Line, dice: &mut Dice) -> Vec<Place> {
        let mut moved = Vec::new();
        let waiting = self.waiting();
        let said = match self.machine.next(waiting, self.now) {
            Step::Sleep => return moved,
            Step::WaitOut(wait) | Step::WaitForCompany(wait) => {
                self.now += wait;
                return moved;
            }
            Step::Hello => self.hello(line, dice),
            Step::Send { spool, max_frames } => {
                // Batches of a few frames meet more than batches of all.
                let max_frames = max_frames.min(1 + dice.index(6));
                self.send(spool, max_frames, line, dice, &mut moved)
            }
        };
        match said {
            Some(said) => self.machine.learn(said, self.now, dice.chance()),
            None => self.restart(),
        }
        moved
    }

    fn hello(&mut self, line: &mut impl Line, dice: &mut Dice) -> Option<Said> {
        let own: Vec<(Spool, StreamDepth)> = self
            .rows
            .iter()
            .flat_map(|row| row.depth().streams.into_iter().map(|s| (row.spool, s)))
            .collect();
        let offers = own.iter().map(|(spool, stream)| StreamOffer {
            id: stream.stream,
            cls: u8::from(*spool == Spool::P1),
            floor: stream.floor,
            next: stream.next,
            last: stream.last,
        });
        let Ok(marks) = line.hello(offers.collect()) else {
            return Some(Said::Failed);
        };
        self.marks.clear();
        let mut said = Said::Greeted;
        for mark in marks {
            let (spool, stream) = own.iter().find(|(_, own)| own.stream == mark.id)?;
            let fresh = dice.stream();
            let row = self.row(*spool);
            let was_written = row.written() == mark.id;
            match Standing::of(stream, &mark) {
                Standing::Agrees => {}
                Standing::Closed => row.leave(mark.id, fresh),
                Standing::Behind { has } => row.take_back(mark.id, has),
                Standing::Impossible => return Some(Said::Failed),
            }
            self.marks.insert(mark.id, mark.acked);
            if mark.closed && was_written {
                said = Said::OutOfStep;
            }
        }
        Some(said)
    }

    /// None: the power went in between.
    fn send(
        &mut self,
        spool: Spool,
        max_frames: usize,
        line: &mut impl Line,
        dice: &mut Dice,
        moved: &mut Vec<Place>,
    ) -> Option<Said> {
        let row = self.row(spool);
        let (peeked, depth) = (row.peek(max_frames)?, row.depth());
        let stream = peeked.stream;
        let Some(mark) = self.marks.get(&stream).copied() else {
            return self.hello(line, dice);
        };
        let batch = lines::batch(peeked, spool, mark, &depth, |_| None);
        let last = batch.lines.last()?.end();
        match line.deliver(stream, batch) {
            Err(NoAnswer::TimedOut) => Some(Said::TimedOut),
            Err(NoAnswer::Refused) => Some(Said::Failed),
            Ok(Answer::Expected) => Some(Said::OutOfStep),
            Ok(Answer::Taken { acked }) if acked >= last => {
                self.row(spool).acknowledge(stream, last);
                self.marks.insert(stream, acked);
                let wait = Duration::ZERO;
                Some(Said::Committed { wait })
            }
            Ok(Answer::Taken { .. }) => Some(Said::Failed),
            Ok(Answer::Closed { known }) => {
                let fresh = dice.stream();
                let row = self.row(spool);
                row.leave(stream, fresh);
                moved.extend(row.copy_on(stream, last, &known));
                if dice.one_in(5) {
                    return None;
                }
                row.acknowledge(stream, last);
                Some(Said::MovedOn)
            }
        }
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            p0: self.rows[0].depth().frames,
            p1: self.rows[1].depth().frames,
        }
    }

    pub(super) fn row(&mut self, spool: Spool) -> &mut Row {
        match spool {
            Spool::P0 => &mut self.rows[0],
            Spool::P1 => &mut self.rows[1],
        }
    }

    /// Everything that is still here, and in which stream.
    pub(super) fn kept(&self) -> impl Iterator<Item = (StreamId, FrameId)> {
        self.rows.iter().flat_map(Row::kept)
    }
}
