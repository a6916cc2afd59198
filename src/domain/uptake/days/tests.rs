//! The figures are the fold over all frames, whatever the power did.

use std::collections::BTreeMap;

use jiff::civil::date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::domain::event::{
    Event, Moment, Redeem, RedeemRefused, RedeemUndone, RefusalReason, View,
};
use crate::domain::ids::{CouponId, DeviceId, RedemptionId, StaffName};

const FIRST_DAY: Date = date(2026, 12, 1);

fn shop() -> StoreId {
    StoreId::parse("SZ01").unwrap()
}

fn book() -> DayBook {
    DayBook::of(Some(shop()))
}

fn campaign(number: u8) -> CampaignId {
    CampaignId::parse(["quiet-hours", "all-day", "opening"][usize::from(number % 3)]).unwrap()
}

/// Noon on the `day`th day.
fn noon(day: u8) -> Timestamp {
    let local = (FIRST_DAY + i64::from(day).days()).at(12, 0, 0, 0);
    Offset::constant(8).to_timestamp(local).unwrap()
}

fn on(day: u8, event: Event) -> Occurrence {
    Occurrence {
        store: shop(),
        moment: Moment {
            at: noon(day),
            offset: Offset::constant(8),
        },
        event,
    }
}

fn view(day: u8, shown: Option<CampaignId>) -> Occurrence {
    let off_peak = shown.as_ref() == Some(&campaign(0));
    let view = View {
        touchpoint: None,
        campaign: shown,
        vid: None,
        off_peak,
    };
    on(day, Event::TouchpointView(view))
}

fn redeem(day: u8, of: u8) -> Occurrence {
    let redeem = Redeem {
        redemption: RedemptionId::from_entropy([1; 16]),
        coupon: CouponId::from_entropy([2; 16]),
        campaign: campaign(of),
        staff: StaffName::parse("lin").unwrap(),
        device: DeviceId::from_entropy([3; 16]),
        vid: None,
        remember_until: noon(day),
        off_peak: of == 0,
        origin: None,
        home: None,
    };
    on(day, Event::Redeem(redeem))
}

/// Taken back just after four in the morning: the day before loses one.
fn undone(day: u8, of: u8) -> Occurrence {
    let undone = RedeemUndone {
        redemption: RedemptionId::from_entropy([1; 16]),
        coupon: CouponId::from_entropy([2; 16]),
        campaign: campaign(of),
        staff: StaffName::parse("lin").unwrap(),
        redeemed_at: noon(day.saturating_sub(1)),
        off_peak: of == 0,
        origin: None,
        home: None,
    };
    on(day, Event::RedeemUndone(undone))
}

fn refused(day: u8) -> Occurrence {
    let refused = RedeemRefused {
        coupon: None,
        reason: RefusalReason::UnknownCode,
        device: DeviceId::from_entropy([3; 16]),
    };
    on(day, Event::RedeemRefused(refused))
}

fn stream(number: u8) -> StreamId {
    StreamId::from_time_and_entropy(u64::from(number), [number; 10])
}

fn place(stream_number: u8, seq: u64) -> FramePlace {
    FramePlace {
        stream: stream(stream_number),
        seq,
    }
}

type Figures = BTreeMap<Date, Day>;

fn figures_of(book: &DayBook) -> Figures {
    let days = book.lines.iter().map(|line| line.day);
    days.map(|day| (day, book.day(day))).collect()
}

/// What headquarters makes of the same frames, for the days that a book keeps.
fn folded<'a>(frames: impl Iterator<Item = &'a [Occurrence]>) -> Figures {
    let mut figures = Figures::new();
    for fact in frames.flatten().flat_map(fold) {
        let Fact::Add { cell, step, by } = fact else {
            continue;
        };
        let day = figures.entry(business_day(cell.hour)).or_default();
        day.all.0[step as usize] += by;
        if let Some(campaign) = cell.campaign {
            let known = day.campaigns.iter().position(|of| of.0 == campaign);
            let at = known.unwrap_or(day.campaigns.len());
            if known.is_none() {
                day.campaigns.push((campaign, Sums::default()));
            }
            day.campaigns[at].1.0[step as usize] += by;
        }
    }
    for day in figures.values_mut() {
        day.campaigns.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    }
    while figures.len() > KEPT_DAYS {
        figures.pop_first();
    }
    figures
}

#[test]
fn a_day_ends_at_four_in_the_morning_and_has_a_line_for_each_campaign() {
    let mut book = book();
    let late = |hour, minute| {
        let local = (FIRST_DAY + 1.day()).at(hour, minute, 0, 0);
        let mut view = view(0, Some(campaign(0)));
        view.moment.at = Offset::constant(8).to_timestamp(local).unwrap();
        view
    };
    book.apply(place(1, 1), &[late(3, 59), late(4, 0), view(0, None)]);
    book.apply(place(1, 2), &[redeem(0, 1), refused(0)]);
    let first = book.day(FIRST_DAY);
    assert_eq!(
        (first.all.of(Step::Came), first.all.of(Step::Refused)),
        (2, 1)
    );
    assert_eq!(first.all.of(Step::OffPeakCame), 1);
    let [(all_day, redeemed), (quiet_hours, came)] = first.campaigns.as_slice() else {
        panic!("two campaigns, not {first:?}");
    };
    assert_eq!((all_day, quiet_hours), (&campaign(1), &campaign(0)));
    assert_eq!(redeemed.of(Step::Redeemed), 1);
    assert_eq!(came.of(Step::Came), 1);
    assert_eq!(book.day(FIRST_DAY + 1.day()).all.of(Step::Came), 1);
    assert_eq!(book.day(FIRST_DAY + 2.days()), Day::default());
}

#[test]
fn another_stores_events_are_not_counted_and_a_box_without_a_store_counts_none() {
    let mut elsewhere = view(0, None);
    elsewhere.store = StoreId::parse("SZ02").unwrap();
    let mut own = book();
    own.apply(place(1, 1), &[elsewhere.clone()]);
    let mut street = DayBook::of(None);
    street.apply(place(1, 1), &[elsewhere, view(0, None)]);
    for mut book in [own, street] {
        assert_eq!(figures_of(&book), Figures::new());
        assert!(book.take_changes().is_empty());
    }
}

#[test]
fn a_line_reads_back_and_one_of_a_version_with_fewer_steps_too() {
    let mut book = book();
    book.apply(place(1, 7), &[view(0, Some(campaign(0)))]);
    let changes = book.take_changes();
    let [(key, Some(line))] = changes.as_slice() else {
        panic!("one line, not {changes:?}");
    };
    assert_eq!(key, "2026-12-01 quiet-hours");
    // It stands in state directories: what is written here must stay readable for ever.
    let golden =
        "SZ01|2026-12-01|quiet-hours|1 0 0 0 0 1 0 0|00000000-0001-7101-8101-010101010101 7";
    assert_eq!(line, golden);
    assert_eq!(Line::read(golden).as_ref(), Some(&book.lines[0]));
    for (other, came) in [("1 0 0 0", 1), ("2 0 0 0 0 0 0 0 5", 2)] {
        let line = Line::read(&golden.replace("1 0 0 0 0 1 0 0", other)).unwrap();
        assert_eq!(line.sums.of(Step::Came), came);
    }
    for broken in [
        "",
        "SZ01",
        "SZ01|2026-12-01||",
        "SZ01|2026-13-01||0",
        "SZ01|2026-12-01||0|x 1",
    ] {
        assert_eq!(Line::read(broken), None, "{broken}");
    }
    // In one part of the smallest profile's entries, however many streams there were: a cut cannot tear it.
    for number in 2..100 {
        book.apply(place(number, u64::MAX - 1), &[view(0, Some(campaign(0)))]);
    }
    let changes = book.take_changes();
    let grown = changes[0].1.as_ref().unwrap();
    assert!(grown.len() < 800, "{grown}");
}

/// What happens to a box.
#[derive(Debug, Clone)]
enum Lived {
    /// A commit, or one that fails after the book has seen it.
    Commit(Vec<Occurrence>, bool),
    Views(Vec<Occurrence>),
    Checkpoint,
    /// The plug is pulled in the middle of a checkpoint: some of its lines are on the disk, its position not.
    TornCheckpoint(Vec<bool>),
    Restart,
    /// The checkpoint's position is lost with a page of the medium: all frames are shown again.
    PositionLost,
    /// A sequence could not be proven.
    NewStream,
}

#[derive(Default)]
struct Shop {
    book: DayBook,
    /// Durable frames, P0 and P1, with their places.
    frames: [Vec<(FramePlace, Vec<Occurrence>)>; 2],
    lines: BTreeMap<String, String>,
    /// How many frames of each spool the checkpoint's position covers.
    covered: [usize; 2],
    streams: u8,
    seqs: [u64; 2],
}

impl Shop {
    fn new() -> Self {
        Self {
            book: book(),
            ..Self::default()
        }
    }

    fn next(&mut self, spool: usize) -> FramePlace {
        self.seqs[spool] += 1;
        place(
            self.streams * 2 + u8::try_from(spool).unwrap(),
            self.seqs[spool],
        )
    }

    fn live(&mut self, step: Lived) {
        match step {
            Lived::Commit(events, is_kept) => {
                let at = self.next(0);
                self.book.apply(at, &events);
                if is_kept {
                    self.frames[0].push((at, events));
                } else {
                    self.seqs[0] -= 1;
                    self.start();
                }
            }
            Lived::Views(views) => {
                let at = self.next(1);
                self.frames[1].push((at, views.clone()));
                self.book.apply(at, &views);
            }
            Lived::Checkpoint => {
                for (key, line) in self.book.take_changes() {
                    self.write(key, line);
                }
                self.covered = [self.frames[0].len(), self.frames[1].len()];
            }
            Lived::TornCheckpoint(written) => {
                let changes = self.book.take_changes();
                for ((key, line), written) in changes.into_iter().zip(written) {
                    if written {
                        self.write(key, line);
                    }
                }
                self.start();
            }
            Lived::Restart => self.start(),
            Lived::PositionLost => {
                self.covered = [0, 0];
                self.start();
            }
            Lived::NewStream => {
                self.streams += 1;
                self.seqs = [0, 0];
            }
        }
    }

    fn write(&mut self, key: String, line: Option<String>) {
        match line {
            Some(line) => self.lines.insert(key, line),
            None => self.lines.remove(&key),
        };
    }

    fn start(&mut self) {
        self.book.reset();
        for line in self.lines.values() {
            self.book.restore(Line::read(line).unwrap());
        }
        for (frames, covered) in self.frames.iter().zip(self.covered) {
            for (at, events) in &frames[covered..] {
                self.book.apply(*at, events);
            }
        }
    }
}

fn events(most_days: u8) -> impl Strategy<Value = Vec<Occurrence>> {
    let event = (0..most_days, 0_u8..3, 0_u8..4).prop_map(|(day, of, kind)| match kind {
        0 => redeem(day, of),
        1 => undone(day, of),
        2 => refused(day),
        _ => view(day, Some(campaign(of))),
    });
    prop::collection::vec(event, 1..4)
}

fn steps(most_days: u8) -> impl Strategy<Value = Vec<Lived>> {
    let step = prop_oneof![
        8 => (events(most_days), prop::bool::weighted(0.9)).prop_map(|(e, kept)| Lived::Commit(e, kept)),
        8 => events(most_days).prop_map(Lived::Views),
        2 => Just(Lived::Checkpoint),
        2 => prop::collection::vec(any::<bool>(), 60).prop_map(Lived::TornCheckpoint),
        2 => Just(Lived::Restart),
        1 => Just(Lived::PositionLost),
        1 => Just(Lived::NewStream),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn the_figures_are_the_fold_over_all_frames_whatever_the_power_did(
        steps in prop_oneof![steps(3), steps(40)],
    ) {
        let mut shop = Shop::new();
        for step in steps {
            // More streams than a line remembers are another story: a medium that is damaged each week.
            if matches!(step, Lived::NewStream) && shop.streams >= 3 {
                continue;
            }
            shop.live(step);
            let all = shop.frames.iter().flatten().map(|(_, events)| events.as_slice());
            prop_assert_eq!(figures_of(&shop.book), folded(all));
        }
    }

    #[test]
    fn a_frame_that_is_shown_again_changes_nothing(
        frames in prop::collection::vec(events(3), 1..20),
        from in any::<Index>(),
    ) {
        let mut book = book();
        let frames: Vec<_> = (1..).map(|seq| place(1, seq)).zip(frames).collect();
        for (at, events) in &frames {
            book.apply(*at, events);
        }
        let before = figures_of(&book);
        book.take_changes();
        for (at, events) in &frames[from.index(frames.len())..] {
            book.apply(*at, events);
        }
        prop_assert_eq!(figures_of(&book), before);
        prop_assert!(book.take_changes().is_empty());
    }
}

#[test]
fn a_week_of_claims_is_said_honestly_or_not_at_all() {
    let today = FIRST_DAY + 20.days();
    let said = |claims: &[(i64, i64)]| {
        let mut days = book();
        for (days_ago, claimed) in claims {
            let mut sums = Sums::default();
            sums.0[Step::Claimed as usize] = *claimed;
            for number in [0, 1] {
                days.insert(Line {
                    store: shop(),
                    day: today - days_ago.days(),
                    campaign: Some(campaign(number)),
                    sums,
                    through: Through::default(),
                    has_changed: false,
                });
            }
        }
        days.claimed_in_a_week(&campaign(0), today)
    };
    assert_eq!(said(&[]), None);
    assert_eq!(said(&[(0, 4), (3, 5)]), None, "too few to be worth saying");
    assert_eq!(said(&[(0, 4), (6, 6)]), Some(10));
    assert_eq!(said(&[(0, 38), (7, 100)]), Some(38), "a week and no more");
    assert_eq!(said(&[(0, 99), (1, 99)]), Some(190), "rounded down");
    assert_eq!(said(&[(-1, 50)]), None, "a clock that ran ahead");
}
