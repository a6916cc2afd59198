//! What becomes of a delivery or an offer, held against where its stream stands: one decision for every
//! ledger, and for whoever simulates one.
//!
//! It promises that a mark never goes back, that nothing before the mark is taken twice, and that nothing
//! is skipped unless the gateway says in so many words that it will never come. Two holders of one stream
//! who disagree close it for ever: what each still has goes on in a stream of its own. Nothing here reads or
//! writes anything.

use super::{Delivery, Entry};
use crate::domain::ids::Chain;
use crate::wire::batch::GapReason;
use crate::wire::link::StreamOffer;

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Everything up to here is stored, or will never come.
    pub acked: u64,
    /// The chain after `acked`; none where a gap hid it.
    pub chain: Option<Chain>,
    /// For ever.
    pub closed: bool,
}

impl Mark {
    /// Of a stream that was never heard of.
    pub const START: Self = Self {
        acked: 0,
        chain: Some(Chain::START),
        closed: false,
    };
}

/// How a gateway shows that it does not have the stream that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// It would give numbers again that are taken: its image was put back.
    Numbers,
    /// It has other frames under these numbers: a copied card, or an image put back that ran on.
    Frames,
}

impl Disagreement {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Numbers => "rolled_back",
            Self::Frames => "other_frames",
        }
    }
}

/// What to do with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Take(Take),
    /// It does not follow: the gateway goes on after `acked`.
    Expected {
        acked: u64,
    },
    /// From now on.
    Close(Disagreement),
    /// It is closed already.
    Closed,
}

/// What is new in a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// So many entries are here already, whole.
    pub skip: usize,
    /// Gaps past the mark, without the part that is here already.
    pub gaps: Vec<Hole>,
    /// Afterwards.
    pub mark: Mark,
    /// No chain vouches for the frames that came again: those stored under their numbers must have the
    /// same ids, or the stream closes.
    pub is_unproven: bool,
}

/// Numbers of a stream that will never come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    pub from: u64,
    pub to: u64,
    pub why: GapReason,
}

impl Hole {
    pub const fn frames(&self) -> u64 {
        self.to - self.from + 1
    }
}

/// The chain after each entry, as it goes on from what the gateway says was before them.
pub fn chains(delivery: &Delivery) -> Vec<Option<Chain>> {
    let mut chain = delivery.prev;
    let after = |entry| {
        chain = follow(chain, entry);
        chain
    };
    delivery.entries.iter().map(after).collect()
}

/// Holds a delivery against its stream's mark.
pub fn plan(mark: &Mark, delivery: &Delivery) -> Plan {
    plan_along(mark, delivery, &chains(delivery))
}

/// Like [`plan`], with the delivery's [`chains`]: hashing is most of the work, and needs no mark.
pub(super) fn plan_along(mark: &Mark, delivery: &Delivery, chains: &[Option<Chain>]) -> Plan {
    if mark.closed {
        return Plan::Closed;
    }
    let next = mark.acked.saturating_add(1);
    let first = delivery.entries.first().map_or(next, Entry::first);
    if first > next {
        return Plan::Expected { acked: mark.acked };
    }
    let skip = delivery
        .entries
        .partition_point(|entry| entry.last() <= mark.acked);
    let (again, new) = delivery.entries.split_at(skip);
    let told = skip
        .checked_sub(1)
        .map_or(delivery.prev, |last| chains[last]);
    // Past an overlap that ends elsewhere the chain told is not the one at the mark.
    let told = told.filter(|_| again.last().map_or(first - 1, Entry::last) == mark.acked);
    if let (Some(told), Some(kept)) = (told, mark.chain)
        && told != kept
    {
        return Plan::Close(Disagreement::Frames);
    }
    let chain = match chains.last() {
        // The same at the mark, so the same at the end.
        Some(end) if told.is_some() => *end,
        _ => new.iter().fold(mark.chain, follow),
    };
    let gaps = new.iter().filter_map(|entry| match entry {
        Entry::Gap { from, gap } => Some(Hole {
            from: next.max(*from),
            to: gap.to,
            why: gap.why,
        }),
        Entry::Frame(_) => None,
    });
    Plan::Take(Take {
        skip,
        gaps: gaps.collect(),
        mark: Mark {
            acked: new.last().map_or(mark.acked, Entry::last),
            chain,
            closed: false,
        },
        is_unproven: skip > 0 && (told.is_none() || mark.chain.is_none()),
    })
}

/// The chain after one more entry.
fn follow(chain: Option<Chain>, entry: &Entry) -> Option<Chain> {
    match entry {
        Entry::Frame(frame) => chain.map(|chain| chain.after(frame.seq, frame.id, &frame.body)),
        Entry::Gap { gap, .. } => gap.chain,
    }
}

/// What a stream of a hello comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It goes on after the mark.
    Follows,
    /// The gateway has let go of frames that are not here: headquarters came back from a backup.
    Behind,
    Close(Disagreement),
    Closed,
}

/// Holds what a hello says of a stream against its mark.
pub fn hear(mark: &Mark, offer: &StreamOffer) -> Heard {
    let next = mark.acked.saturating_add(1);
    if mark.closed {
        return Heard::Closed;
    }
    if offer.next < next {
        return Heard::Close(Disagreement::Numbers);
    }
    if let (Some(told), Some(kept)) = (offer.last, mark.chain)
        && offer.next == next
        && told != kept
    {
        return Heard::Close(Disagreement::Frames);
    }
    if offer.floor > next && offer.floor <= offer.next {
        return Heard::Behind;
    }
    Heard::Follows
}

/// Frames that the gateway holds and that are not here.
pub fn waiting(mark: &Mark, offer: &StreamOffer) -> u64 {
    let missing = if mark.closed {
        1
    } else {
        mark.acked.saturating_add(1)
    };
    offer.next.saturating_sub(offer.floor.max(missing))
}

#[cfg(test)]
mod tests;
