//! The decision for a delivery and for an offer, case by case.

use super::*;
use crate::domain::ids::GatewayId;
use crate::hq::testing::{delivery, frames, now, stream, view};
use crate::wire::batch::Gap;

/// Frames 1 to `count` of a stream.
fn story(count: usize) -> Vec<Entry> {
    frames(1, vec![view(None); count])
}

fn lost(from: u64, to: u64, chain: Option<Chain>) -> Entry {
    let why = GapReason::Evicted;
    Entry::Gap {
        from,
        gap: Gap { to, why, chain },
    }
}

fn chain_of(entries: &[Entry]) -> Option<Chain> {
    entries.iter().fold(Some(Chain::START), follow)
}

/// Where a stream stands that has taken these.
fn after(entries: &[Entry]) -> Mark {
    Mark {
        acked: entries.last().map_or(0, Entry::last),
        chain: chain_of(entries),
        closed: false,
    }
}

fn sent(prev: Option<Chain>, entries: &[Entry]) -> Delivery {
    let mut delivery = delivery(GatewayId(1), stream(1), entries.to_vec());
    delivery.prev = prev;
    assert_eq!(delivery.received, now());
    delivery
}

fn taken(plan: Plan) -> Take {
    match plan {
        Plan::Take(take) => take,
        other @ (Plan::Expected { .. } | Plan::Close(_) | Plan::Closed) => {
            panic!("not taken: {other:?}")
        }
    }
}

#[test]
fn the_mark_ends_at_the_same_place_by_whatever_way_the_frames_come() {
    let all = story(9);
    for split in 1..9 {
        for overlap in 0..=split {
            let mark = taken(plan(&Mark::START, &sent(None, &all[..split]))).mark;
            let take = taken(plan(&mark, &sent(None, &all[split - overlap..])));
            assert_eq!(take.skip, overlap);
            assert_eq!(take.mark, after(&all));
        }
    }
}

#[test]
fn a_delivery_that_leaves_something_out_is_told_where_to_go_on() {
    let all = story(5);
    let mark = after(&all[..2]);
    let expected = Plan::Expected { acked: 2 };
    assert_eq!(plan(&mark, &sent(None, &all[3..])), expected);
    assert_eq!(taken(plan(&mark, &sent(None, &[]))).mark, mark);
}

#[test]
fn a_chain_is_compared_at_the_mark_wherever_the_delivery_begins() {
    let all = story(6);
    let mark = after(&all[..4]);
    for first in 0..=4 {
        let right = chain_of(&all[..first]);
        let take = taken(plan(&mark, &sent(right, &all[first..])));
        assert_eq!(take.mark, after(&all));
        assert!(!take.is_unproven);
        let wrong = Some(Chain::from_bytes([1; 8]));
        let closed = Plan::Close(Disagreement::Frames);
        assert_eq!(plan(&mark, &sent(wrong, &all[first..])), closed);
    }
}

#[test]
fn frames_that_come_again_without_a_chain_at_the_mark_are_unproven() {
    let all = story(6);
    let mark = after(&all[..4]);
    for (prev, from, to, is_unproven) in [
        (None, 0, 6, true),
        (chain_of(&all[..1]), 1, 3, true),
        (chain_of(&all[..1]), 1, 4, false),
        (None, 4, 6, false),
    ] {
        let take = taken(plan(&mark, &sent(prev, &all[from..to])));
        assert_eq!(take.is_unproven, is_unproven, "{from}..{to}");
    }
    let unknown = Mark {
        chain: None,
        ..mark
    };
    let take = taken(plan(&unknown, &sent(chain_of(&all[..2]), &all[2..])));
    assert!(take.is_unproven);
    assert_eq!(take.mark, after(&all), "the chain told is better than none");
}

#[test]
fn a_gap_that_is_partly_here_is_trimmed_and_hides_the_chain_unless_it_tells_it() {
    let mark = after(&story(4));
    let told = Chain::from_bytes([5; 8]);
    for (from, chain) in [(5, None), (2, None), (1, Some(told))] {
        let right = (from == 5).then_some(mark.chain).flatten();
        let take = taken(plan(&mark, &sent(right, &[lost(from, 9, chain)])));
        let hole = Hole {
            from: 5,
            to: 9,
            why: GapReason::Evicted,
        };
        assert_eq!((take.gaps, take.skip), (vec![hole], 0));
        assert_eq!((take.mark.acked, take.mark.chain), (9, chain));
    }
    let old = taken(plan(&mark, &sent(None, &[lost(2, 4, None)])));
    assert_eq!((old.gaps, old.skip, old.mark), (vec![], 1, mark));
}

#[test]
fn nothing_is_taken_into_a_closed_stream() {
    let all = story(3);
    let closed = Mark {
        closed: true,
        ..after(&all[..1])
    };
    for from in 0..3 {
        assert_eq!(plan(&closed, &sent(None, &all[from..])), Plan::Closed);
    }
}

#[test]
fn the_last_number_there_is_does_not_overflow() {
    let take = taken(plan(&Mark::START, &sent(None, &[lost(1, u64::MAX, None)])));
    assert_eq!(take.mark.acked, u64::MAX);
    let again = plan(&take.mark, &sent(None, &story(1)));
    assert_eq!(taken(again).mark, take.mark);
}

#[test]
fn a_hello_is_held_against_the_mark() {
    let all = story(4);
    let mark = after(&all);
    let offer = |floor, next, last| StreamOffer {
        id: stream(1),
        cls: 0,
        floor,
        next,
        last,
    };
    let wrong = Some(Chain::from_bytes([1; 8]));
    for (floor, next, last, heard, waits) in [
        (1, 5, mark.chain, Heard::Follows, 0),
        (1, 5, None, Heard::Follows, 0),
        (3, 9, wrong, Heard::Follows, 4),
        (5, 9, None, Heard::Follows, 4),
        (6, 9, None, Heard::Behind, 3),
        (9, 9, None, Heard::Behind, 0),
        (1, 4, None, Heard::Close(Disagreement::Numbers), 0),
        (1, 5, wrong, Heard::Close(Disagreement::Frames), 0),
    ] {
        let offer = offer(floor, next, last);
        assert_eq!(hear(&mark, &offer), heard, "{offer:?}");
        assert_eq!(waiting(&mark, &offer), waits, "{offer:?}");
    }
    let closed = Mark {
        closed: true,
        ..mark
    };
    assert_eq!(hear(&closed, &offer(3, 9, None)), Heard::Closed);
    assert_eq!(waiting(&closed, &offer(3, 9, None)), 6);
    let new = offer(1, 1, Some(Chain::START));
    assert_eq!(hear(&Mark::START, &new), Heard::Follows);
}
