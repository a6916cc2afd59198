//! What a place has brought is a part of what it was given, whatever the power did.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::*;
use crate::domain::event::{Claim, CouponKnown, Event, Moment, Origin, Redeem, RedeemUndone, View};
use crate::domain::ids::{
    CampaignId, CouponId, DeviceId, RedemptionId, ShortCode, StaffName, StreamId, TapId,
};
use crate::domain::text::Text;

const FIRST_DAY: Date = jiff::civil::date(2026, 12, 1);

fn shop() -> StoreId {
    StoreId::parse("SZ01").unwrap()
}

fn place(number: u64) -> TouchpointCode {
    TouchpointCode::from_entropy(number)
}

fn noon(day: i64) -> Timestamp {
    let local = (FIRST_DAY + day.days()).at(12, 0, 0, 0);
    Offset::constant(8).to_timestamp(local).unwrap()
}

fn on(day: i64, event: Event) -> Occurrence {
    Occurrence {
        store: shop(),
        moment: Moment {
            at: noon(day),
            offset: Offset::constant(8),
        },
        event,
    }
}

fn seen(day: i64, at: u64, vid: Option<u8>) -> Occurrence {
    let view = View {
        touchpoint: Some(place(at)),
        campaign: None,
        vid: vid.map(|vid| Vid::from_entropy([vid; 16])),
        off_peak: false,
    };
    on(day, Event::TouchpointView(view))
}

fn claim(day: i64, at: u64, vid: u8) -> Claim {
    Claim {
        coupon: CouponId::from_entropy([vid; 16]),
        code: ShortCode::parse("7K3F").unwrap(),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        touchpoint: place(at),
        tap: TapId::from_entropy([vid; 16]),
        vid: Vid::from_entropy([vid; 16]),
        not_before: noon(day),
        not_after: noon(day + 7),
        gift: Text::new("凉拌黄瓜", "cucumber salad"),
        remember_until: noon(day + 14),
        off_peak: false,
        given: false,
    }
}

fn claimed(day: i64, at: u64, vid: u8) -> Occurrence {
    on(day, Event::Claim(claim(day, at, vid)))
}

/// Where a coupon came from, where it is known.
fn origin(from: Option<(u64, i64)>) -> Option<Origin> {
    from.map(|(at, day)| Origin {
        touchpoint: place(at),
        day: FIRST_DAY + day.days(),
    })
}

fn redeemed(day: i64, from: Option<(u64, i64)>) -> Occurrence {
    let redeem = Redeem {
        redemption: RedemptionId::from_entropy([1; 16]),
        coupon: CouponId::from_entropy([1; 16]),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        staff: StaffName::parse("lin").unwrap(),
        device: DeviceId::from_entropy([3; 16]),
        vid: None,
        remember_until: noon(day),
        off_peak: false,
        origin: origin(from),
        home: None,
    };
    on(day, Event::Redeem(redeem))
}

fn undone(day: i64, from: Option<(u64, i64)>) -> Occurrence {
    let undone = RedeemUndone {
        redemption: RedemptionId::from_entropy([1; 16]),
        coupon: CouponId::from_entropy([1; 16]),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        staff: StaffName::parse("lin").unwrap(),
        redeemed_at: noon(day),
        off_peak: false,
        origin: origin(from),
        home: None,
    };
    on(day, Event::RedeemUndone(undone))
}

fn frame(seq: u64) -> FramePlace {
    FramePlace {
        stream: StreamId::from_time_and_entropy(1, [1; 10]),
        seq,
    }
}

fn book(frames: &[Vec<Occurrence>]) -> PlaceBook {
    let mut book = PlaceBook::of(Some(shop()));
    for (seq, events) in (1..).zip(frames) {
        book.apply(frame(seq), events);
    }
    book
}

fn days(from: i64, to: i64) -> RangeInclusive<Date> {
    FIRST_DAY + from.days()..=FIRST_DAY + to.days()
}

#[test]
fn a_coupon_counts_where_and_when_it_was_claimed_whenever_it_is_redeemed() {
    let book = book(&[
        vec![seen(0, 1, None)],
        vec![claimed(0, 1, 1)],
        vec![redeemed(3, Some((1, 0)))],
        vec![redeemed(3, None)],
    ]);
    let first = book.over(days(0, 0));
    let at = |places: &Places, deed| places.at(place(1), deed);
    let of = [Deed::Seen, Deed::Claimed, Deed::Redeemed].map(|deed| at(&first, deed));
    assert_eq!(of, [1, 1, 1]);
    let later = book.over(days(3, 3));
    assert_eq!(at(&later, Deed::Redeemed), 0);
    assert_eq!(later.redeemed_from_unknown(), 1);
    assert_eq!(book.over(days(0, 3)).of_store(Deed::Redeemed), 2);
}

#[test]
fn a_coupon_from_the_street_counts_as_claimed_on_its_day_once_it_has_come_down() {
    let known = CouponKnown {
        claim: claim(0, 1, 1),
        claimed_at: noon(0),
        day: FIRST_DAY,
        store: None,
    };
    let book = book(&[
        vec![on(2, Event::CouponKnown(known))],
        vec![redeemed(3, Some((1, 0)))],
        vec![seen(3, 2, Some(1))],
    ]);
    let first = book.over(days(0, 0));
    let of = [Deed::Claimed, Deed::Redeemed].map(|deed| first.at(place(1), deed));
    assert_eq!(of, [1, 1]);
    let patrons = first.patrons[&place(1)];
    assert_eq!((patrons.people, patrons.came_back), (1, 1));
    assert_eq!(book.over(days(1, 5)).of_store(Deed::Claimed), 0);
}

#[test]
fn what_is_undone_is_taken_from_the_day_and_place_it_was_added_to() {
    let from = Some((1, 0));
    let book = book(&[
        vec![claimed(0, 1, 1)],
        vec![redeemed(2, from)],
        vec![undone(2, from)],
        vec![redeemed(2, None)],
        vec![undone(2, None)],
    ]);
    assert_eq!(book.over(days(0, 5)).of_store(Deed::Redeemed), 0);
    assert_eq!(book.over(days(0, 5)).at(place(1), Deed::Claimed), 1);
}

#[test]
fn a_diner_came_back_on_a_later_day_and_not_on_the_same() {
    let mut book = book(&[
        vec![claimed(0, 1, 1), seen(0, 2, Some(1))],
        vec![claimed(0, 1, 2)],
        vec![claimed(1, 2, 1)],
    ]);
    let patrons = |book: &PlaceBook, from, to, at| {
        let patrons = book.over(days(from, to)).patrons;
        let of = patrons.get(&place(at)).copied().unwrap_or_default();
        (of.people, of.came_back)
    };
    assert_eq!(
        patrons(&book, 0, 0, 1),
        (2, 1),
        "one claimed again the day after"
    );
    assert_eq!(patrons(&book, 0, 1, 2), (1, 0));
    book.apply(frame(9), &[seen(5, 3, Some(1))]);
    assert_eq!(patrons(&book, 0, 1, 2), (1, 1));
    assert_eq!(
        patrons(&book, 0, 1, 1),
        (2, 1),
        "a diner is one, however often they come"
    );
}

#[test]
fn a_checkpoint_and_frames_that_are_shown_again_give_the_same_figures() {
    let frames = [
        vec![claimed(0, 1, 1), seen(0, 1, None)],
        vec![seen(1, 2, Some(1)), claimed(1, 2, 2)],
        vec![redeemed(2, Some((1, 0)))],
        vec![seen(2, 1, Some(2))],
    ];
    let whole = book(&frames).over(days(0, 9));
    for cut in 0..=frames.len() {
        let mut before = book(&frames[..cut]);
        let written = before.take_changes();
        assert!(before.take_changes().is_empty());
        let mut after = PlaceBook::of(Some(shop()));
        for (day, line) in written {
            let text = serde_json::to_string(&line.unwrap()).unwrap();
            let line: WrittenDay = serde_json::from_str(&text).unwrap();
            assert_eq!(line.day, day);
            after.restore(line);
        }
        // All of them, those that the checkpoint holds among them.
        for (seq, events) in (1..).zip(&frames) {
            after.apply(frame(seq), events);
        }
        assert_eq!(
            after.over(days(0, 9)),
            whole,
            "a checkpoint after {cut} frames"
        );
    }
}

#[test]
fn a_book_keeps_weeks_and_another_stores_events_are_not_in_it() {
    let frames: Vec<_> = (0..50).map(|day| vec![claimed(day, 1, 1)]).collect();
    let mut long = book(&frames);
    assert_eq!(long.days.len(), KEPT_DAYS);
    assert_eq!(long.begins(), Some(FIRST_DAY + 14.days()));
    let gone = long
        .take_changes()
        .into_iter()
        .filter(|(_, day)| day.is_none());
    assert_eq!(gone.count(), 50 - KEPT_DAYS);
    let mut elsewhere = claimed(0, 1, 1);
    elsewhere.store = StoreId::parse("SZ02").unwrap();
    assert_eq!(book(&[vec![elsewhere]]).over(days(0, 9)), Places::default());
}

#[test]
fn places_stand_in_groups_with_what_they_cost_and_shares_only_of_enough() {
    let touchpoint = |number, kind, label: &str, cost_fen| Touchpoint {
        code: place(number),
        kind,
        label: label.to_owned(),
        cost_fen,
    };
    let touchpoints = [
        touchpoint(1, TouchpointKind::Table, "A1", Some(100)),
        touchpoint(2, TouchpointKind::Table, "A2", None),
        touchpoint(3, TouchpointKind::Door, "Door", Some(9_000)),
        touchpoint(4, TouchpointKind::Table, "", None),
        touchpoint(5, TouchpointKind::Table, "A4", None),
        touchpoint(6, TouchpointKind::Table, "A3", None),
    ];
    let mut places = Places::default();
    for (at, deed, count) in [
        (1, Deed::Seen, 10),
        (2, Deed::Seen, 30),
        (2, Deed::Claimed, 24),
        (2, Deed::Redeemed, 12),
        (3, Deed::Claimed, 3),
    ] {
        places.counts.insert((Some(place(at)), deed), count);
    }
    let groups = compare(touchpoints.iter(), &places);
    let [tables, doors] = groups.as_slice() else {
        panic!("two kinds, not {groups:?}");
    };
    let labels: Vec<_> = tables
        .lines
        .iter()
        .map(|line| line.label.as_str())
        .collect();
    assert_eq!(labels, ["A2", "A1", "A3", "A4"], "the best first");
    assert_eq!((tables.sum.seen, tables.sum.cost_fen), (40, Some(100)));
    assert_eq!(tables.sum.fen_per_claim(), Some(4));
    assert_eq!(
        tables.lines[0].redeem_share().map(|share| share.percent),
        Some(50)
    );
    assert_eq!(tables.lines[1].claim_share(), None, "too few");
    assert_eq!(doors.sum.fen_per_claim(), Some(3_000));
    assert_eq!(doors.sum.fen_per_redeemed(), None);
}

#[test]
fn a_day_that_is_only_known_by_a_coupon_used_later_was_not_counted() {
    let old = redeemed(6, Some((1, 2)));
    assert_eq!(book(&[vec![old.clone()]]).begins(), None);
    let begins = book(&[vec![old], vec![seen(6, 1, None)]]).begins();
    assert_eq!(begins, Some(FIRST_DAY + 6.days()));
}
