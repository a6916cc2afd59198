//! What the floor of a shop says by hand: guests by the half-hour, and what parties paid.
//!
//! The events carry what is true after them and not only what changed, so that one that is read twice, from a
//! log that overlaps a checkpoint, changes nothing. Nothing is ever below zero.
//!
//! The limits: the last sixteen business days are kept, and of each the first 2,000 bills; headquarters has all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

use super::bill::{BillNumber, Fen, Party};
use super::calendar::business_day;
use super::event::{Bill, CoversCounted, Event, Occurrence};
use super::ids::{RedemptionId, StaffName};

/// The counter shows one; a bill may be corrected later, and a clock may have been wrong.
const KEPT_DAYS: usize = 16;

/// More than a shop of a hundred seats has in a day.
const MOST_BILLS: usize = 2_000;

/// More guests than come in half an hour.
const MOST_COVERS: u16 = 999;

/// Half an hour on the store's wall, as its number since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct HalfHour(u8);

impl HalfHour {
    const IN_A_DAY: u8 = 48;

    pub fn of(local: DateTime) -> Self {
        let number = local.hour() * 2 + local.minute() / 30;
        Self(u8::try_from(number).expect("a day has 48 of them"))
    }

    /// All of a business day, which begins at four in the morning, in their order.
    pub fn of_a_business_day() -> impl Iterator<Item = Self> {
        (0..Self::IN_A_DAY).map(|n| Self((n + 8) % Self::IN_A_DAY))
    }

    pub fn begins(self) -> Time {
        let number = i8::try_from(self.0).expect("less than 48");
        Time::constant(number / 2, number % 2 * 30, 0, 0)
    }

    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for HalfHour {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number < Self::IN_A_DAY {
            Ok(Self(number))
        } else {
            Err("a day has 48 half-hours")
        }
    }
}

impl From<HalfHour> for u8 {
    fn from(HalfHour(number): HalfHour) -> Self {
        number
    }
}

/// What was said of one business day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FloorDay {
    covers: BTreeMap<HalfHour, u16>,
    bills: Vec<Noted>,
}

/// A bill as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Noted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redemption: Option<RedemptionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<BillNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Fen>,
}

/// What a bill that is said now would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillIs {
    New,
    /// The same was said before.
    Known,
    /// Its number stands for something else.
    Another,
}

impl FloorDay {
    pub fn covers(&self, half: HalfHour) -> u16 {
        self.covers.get(&half).copied().unwrap_or_default()
    }

    /// Whether anybody was counted.
    pub fn has_covers(&self) -> bool {
        self.covers.values().any(|covers| *covers > 0)
    }

    pub fn bills(&self) -> &[Noted] {
        &self.bills
    }
}

impl Noted {
    fn is(&self, bill: &Bill) -> bool {
        match (&self.number, &bill.number) {
            // One guest's coupon on two bills: the bill was split.
            (Some(own), Some(other)) => own == other,
            _ => self.redemption.is_some() && self.redemption == bill.redemption,
        }
    }

    fn hear(&mut self, bill: &Bill) {
        self.redemption = bill.redemption.or(self.redemption);
        self.number = bill.number.clone().or(self.number.take());
        self.party = bill.party.or(self.party);
        self.amount = bill.amount.or(self.amount);
    }
}

/// The last days of the shop's floor.
#[derive(Debug, Default)]
pub struct Floor {
    days: BTreeMap<Date, FloorDay>,
    changed: BTreeSet<Date>,
}

impl Floor {
    pub fn day(&self, day: Date) -> FloorDay {
        self.days.get(&day).cloned().unwrap_or_default()
    }

    /// What is to be written when staff, who saw `seen` guests, count `by` more or fewer; none where it would be
    /// below zero, and where it is no longer what they saw: a tap that is sent again counts once.
    pub fn count(
        &self,
        (day, half): (Date, HalfHour),
        seen: u16,
        by: i16,
        staff: StaffName,
    ) -> Option<CoversCounted> {
        let before = self.days.get(&day).map_or(0, |day| day.covers(half));
        let total = before.checked_add_signed(by)?;
        (before == seen && total <= MOST_COVERS && by != 0).then_some(CoversCounted {
            day,
            half,
            by,
            total,
            staff,
        })
    }

    /// What `bill` is beside those that are known, and all that is known of it then. Staff may say another word
    /// of a bill; a number is for ever.
    pub fn look_at(&self, bill: &Bill) -> (BillIs, Noted) {
        let mut bills = self.days.values().flat_map(FloorDay::bills);
        let known = bills.find(|noted| noted.is(bill));
        let mut then = known.cloned().unwrap_or_default();
        then.hear(bill);
        let is = match known {
            Some(known) if then == *known => BillIs::Known,
            Some(known) if known.number.is_some() && bill.number.is_some() => BillIs::Another,
            Some(_) | None => BillIs::New,
        };
        (is, then)
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let day = if let Event::CoversCounted(counted) = &occurrence.event {
            let day = self.days.entry(counted.day).or_default();
            day.covers.insert(counted.half, counted.total);
            counted.day
        } else if let Event::Bill(bill) = &occurrence.event {
            self.note(bill, business_day(occurrence.moment.local()))
        } else {
            if let Event::RedeemUndone(undone) = &occurrence.event {
                self.let_go_of(undone.redemption);
            }
            return;
        };
        self.changed.insert(day);
        self.forget_the_old();
    }

    /// Writes a bill down, where it is known or else at `today`; the day it stands at.
    fn note(&mut self, bill: &Bill, today: Date) -> Date {
        for (day, known) in &mut self.days {
            if let Some(noted) = known.bills.iter_mut().find(|noted| noted.is(bill)) {
                noted.hear(bill);
                return *day;
            }
        }
        let known = self.days.entry(today).or_default();
        if known.bills.len() < MOST_BILLS {
            let mut noted = Noted::default();
            noted.hear(bill);
            known.bills.push(noted);
        }
        today
    }

    /// What was said only of a redemption that is taken back goes with it; a bill with a number stays a bill.
    fn let_go_of(&mut self, redemption: RedemptionId) {
        for (day, known) in &mut self.days {
            known.bills.retain_mut(|noted| {
                if noted.redemption != Some(redemption) {
                    return true;
                }
                self.changed.insert(*day);
                noted.redemption = None;
                noted.number.is_some()
            });
        }
    }

    fn forget_the_old(&mut self) {
        while self.days.len() > KEPT_DAYS
            && let Some((day, _)) = self.days.pop_first()
        {
            self.changed.insert(day);
        }
    }

    /// The days that have changed since the last call: `None` for one that is gone.
    pub fn take_changes(&mut self) -> Vec<(Date, Option<&FloorDay>)> {
        let changed = std::mem::take(&mut self.changed);
        let days = &self.days;
        changed
            .into_iter()
            .map(|day| (day, days.get(&day)))
            .collect()
    }

    /// Takes back a day of the checkpoint.
    pub fn restore(&mut self, day: Date, said: FloorDay) {
        self.days.insert(day, said);
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::{Moment, RedeemUndone};
    use crate::domain::ids::{CampaignId, CouponId, DeviceId, StoreId};

    const TODAY: Date = date(2026, 12, 1);

    fn staff() -> StaffName {
        StaffName::parse("lin").unwrap()
    }

    fn happen(floor: &mut Floor, event: Event) {
        floor.apply(&Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: "2026-12-01T12:00:00Z".parse().unwrap(),
                offset: Offset::UTC,
            },
            event,
        });
    }

    fn bill(redemption: Option<u8>, number: Option<&str>, party: u8, fen: u32) -> Bill {
        Bill {
            redemption: redemption.map(|n| RedemptionId::from_entropy([n; 16])),
            number: number.map(|text| BillNumber::parse(text).unwrap()),
            party: Party::try_from(party).ok(),
            amount: Fen::try_from(fen).ok(),
            staff: staff(),
            device: DeviceId::from_entropy([1; 16]),
        }
    }

    #[test]
    fn a_half_hour_is_where_the_clock_on_the_wall_is() {
        let half = HalfHour::of(TODAY.at(14, 59, 59, 0));
        assert_eq!(half.begins(), Time::constant(14, 30, 0, 0));
        let day: Vec<_> = HalfHour::of_a_business_day().collect();
        assert_eq!(day.len(), 48);
        assert_eq!(day[0].begins(), Time::constant(4, 0, 0, 0));
        assert_eq!(day[47].begins(), Time::constant(3, 30, 0, 0));
        assert!(HalfHour::try_from(48).is_err());
    }

    #[test]
    fn what_is_said_of_a_party_in_two_words_is_one_bill() {
        let mut floor = Floor::default();
        happen(&mut floor, Event::Bill(bill(Some(1), None, 4, 0)));
        happen(&mut floor, Event::Bill(bill(Some(1), None, 0, 12_800)));
        happen(&mut floor, Event::Bill(bill(Some(1), None, 5, 0)));
        let day = floor.day(TODAY);
        let [noted] = day.bills() else {
            panic!("one bill, not {:?}", day.bills());
        };
        assert_eq!(noted.party.map(Party::people), Some(5), "the last word");
        assert_eq!(noted.amount.map(Fen::fen), Some(12_800));
        // The till of the house knows the same party by its number.
        let numbered = bill(Some(1), Some("A-17"), 0, 12_800);
        assert_eq!(floor.look_at(&numbered).0, BillIs::New);
        happen(&mut floor, Event::Bill(numbered));
        assert_eq!(floor.day(TODAY).bills().len(), 1);
    }

    #[test]
    fn a_number_stands_for_one_bill_and_a_split_bill_is_two() {
        let mut floor = Floor::default();
        let first = bill(Some(1), Some("A-17"), 2, 9_900);
        assert_eq!(floor.look_at(&first).0, BillIs::New);
        happen(&mut floor, Event::Bill(first.clone()));
        assert_eq!(floor.look_at(&first).0, BillIs::Known);
        let other = bill(Some(1), Some("A-17"), 2, 9_901);
        assert_eq!(floor.look_at(&other).0, BillIs::Another);
        let split = bill(Some(1), Some("A-18"), 2, 5_000);
        assert_eq!(floor.look_at(&split).0, BillIs::New);
        happen(&mut floor, Event::Bill(split));
        assert_eq!(floor.day(TODAY).bills().len(), 2);
    }

    #[test]
    fn what_was_said_of_a_redemption_goes_with_it_but_for_a_numbered_bill() {
        let undone = |n| {
            Event::RedeemUndone(RedeemUndone {
                redemption: RedemptionId::from_entropy([n; 16]),
                coupon: CouponId::from_entropy([n; 16]),
                campaign: CampaignId::parse("quiet-hours").unwrap(),
                staff: staff(),
                redeemed_at: "2026-12-01T11:58:00Z".parse().unwrap(),
                off_peak: false,
                origin: None,
                home: None,
            })
        };
        let events = [
            Event::Bill(bill(Some(1), None, 4, 12_800)),
            Event::Bill(bill(Some(2), Some("A-17"), 2, 9_900)),
            Event::Bill(bill(Some(3), None, 3, 6_600)),
            undone(1),
            undone(2),
        ];
        let mut floor = Floor::default();
        for event in &events[..3] {
            happen(&mut floor, event.clone());
        }
        floor.take_changes();
        for event in &events[3..] {
            happen(&mut floor, event.clone());
        }
        let left = |floor: &Floor| {
            let day = floor.day(TODAY);
            let bills = day.bills().iter();
            let mut left: Vec<_> = bills
                .map(|noted| (noted.redemption.is_some(), noted.amount.map(Fen::fen)))
                .collect();
            left.sort_unstable();
            left
        };
        let expected = [(false, Some(9_900)), (true, Some(6_600))];
        assert_eq!(left(&floor), expected);
        assert_eq!(floor.take_changes().len(), 1, "the checkpoint hears of it");
        // The log overlaps the checkpoint.
        for event in &events {
            happen(&mut floor, event.clone());
        }
        assert_eq!(left(&floor), expected);
    }

    /// An entry that boxes in shops have on their disks.
    #[test]
    fn a_day_of_the_checkpoint_reads_as_it_was_written() {
        let written = r#"{"covers":{"31":7},"bills":[{"redemption":"01010101010101010101010101010101","number":"A-17","party":4,"amount":12800},{"party":2}]}"#;
        let day: FloorDay = serde_json::from_str(written).unwrap();
        assert_eq!(day.covers(HalfHour(31)), 7);
        assert_eq!(day.bills()[0].amount.map(Fen::fen), Some(12_800));
        assert_eq!(serde_json::to_string(&day).unwrap(), written);
    }

    #[test]
    fn the_oldest_days_are_forgotten_in_the_checkpoint_too() {
        let mut floor = Floor::default();
        let half = HalfHour::of(TODAY.at(12, 0, 0, 0));
        let mut day = TODAY;
        for _ in 0..=KEPT_DAYS {
            let counted = floor.count((day, half), 0, 1, staff()).unwrap();
            happen(&mut floor, Event::CoversCounted(counted));
            day = day.tomorrow().unwrap();
        }
        let changes = floor.take_changes();
        assert_eq!(changes.len(), KEPT_DAYS + 1);
        assert_eq!(changes[0], (TODAY, None));
    }

    proptest! {
        #[test]
        fn guests_are_never_fewer_than_none_and_are_right_after_any_restart(
            steps in prop::collection::vec((0_u8..48, -3_i16..4, any::<bool>()), 0..80),
        ) {
            let (mut floor, mut sums) = (Floor::default(), [0_i16; 48]);
            let mut events = Vec::new();
            for (number, by, restarts) in steps {
                let half = HalfHour::try_from(number).unwrap();
                let sum = &mut sums[usize::from(number)];
                let seen = u16::try_from(*sum).unwrap();
                let other = floor.count((TODAY, half), seen + 1, by, staff());
                prop_assert_eq!(other, None, "not what was seen");
                match floor.count((TODAY, half), seen, by, staff()) {
                    Some(counted) => {
                        *sum += by;
                        events.push(Event::CoversCounted(counted));
                        happen(&mut floor, events[events.len() - 1].clone());
                    }
                    None => prop_assert!(by == 0 || *sum + by < 0),
                }
                if restarts {
                    let mut again = Floor::default();
                    for (day, said) in floor.take_changes() {
                        again.restore(day, said.unwrap().clone());
                    }
                    // The log overlaps the checkpoint.
                    for event in &events {
                        happen(&mut again, event.clone());
                    }
                    floor = again;
                }
            }
            for number in 0..48 {
                let half = HalfHour::try_from(number).unwrap();
                let sum = u16::try_from(sums[usize::from(number)]).unwrap();
                prop_assert_eq!(floor.day(TODAY).covers(half), sum);
            }
        }
    }
}
