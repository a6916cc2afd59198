//! Never twice a sitting, never below the number, never by one phone.

use std::collections::BTreeMap;

use jiff::tz::Offset;
use proptest::prelude::*;

use super::*;
use crate::domain::event::{EraseRequested, Moment};
use crate::domain::ids::StoreId;

const GROUP: Group = Group {
    guests: 3,
    within_minutes: 30,
    sitting_minutes: 120,
};

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(usize, usize),
    Minutes(u8),
    ForgetCookie(usize),
    /// A checkpoint is written.
    Save,
    /// The plug is pulled: the last checkpoint, and the log from somewhere before it.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let phone = 0_usize..6;
    let step = prop_oneof![
        12 => (phone.clone(), 0_usize..2).prop_map(|(phone, place)| Step::Join(phone, place)),
        4 => (1_u8..90).prop_map(Step::Minutes),
        2 => phone.prop_map(Step::ForgetCookie),
        1 => Just(Step::Save),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..90)
}

/// A table's coupon, as the world knows it.
#[derive(Debug)]
struct Treat {
    place: TouchpointCode,
    at: Timestamp,
    coupon: CouponId,
}

struct Shop {
    tables: Tables,
    log: Vec<Occurrence>,
    kept: BTreeMap<String, String>,
    saved: usize,
    now: Timestamp,
    cookies: [Vid; 6],
    drawn: u8,
    /// Every word that counted: whose phone, where and when.
    words: Vec<(usize, TouchpointCode, Timestamp)>,
    treats: Vec<Treat>,
}

fn place(n: usize) -> TouchpointCode {
    TouchpointCode::from_entropy(n as u64)
}

impl Shop {
    fn open() -> Self {
        Self {
            tables: Tables::default(),
            log: Vec::new(),
            kept: BTreeMap::new(),
            saved: 0,
            now: "2026-12-01T04:00:00Z".parse().unwrap(),
            cookies: [1, 2, 3, 4, 5, 6].map(|n| Vid::from_entropy([n; 16])),
            drawn: 10,
            words: Vec::new(),
            treats: Vec::new(),
        }
    }

    fn draw(&mut self) -> u8 {
        self.drawn += 1;
        self.drawn
    }

    fn today(&self) -> Date {
        business_day(Offset::constant(8).to_datetime(self.now))
    }

    fn happen(&mut self, event: Event) {
        let moment = Moment {
            at: self.now,
            offset: Offset::constant(8),
        };
        let store = StoreId::parse("SZ01").unwrap();
        let occurrence = Occurrence {
            store,
            moment,
            event,
        };
        self.tables.apply(&occurrence);
        self.log.push(occurrence);
    }

    fn asked(&self, phone: usize, at: usize) -> Asked {
        Asked {
            place: place(at),
            guest: Guest {
                vid: Some(self.cookies[phone]),
                device: Some(DayMark(u32::try_from(phone).unwrap())),
            },
            group: GROUP,
            today: self.today(),
            now: self.now,
        }
    }

    fn join(&mut self, phone: usize, at: usize) -> Joined {
        let joined = self
            .tables
            .join(&self.asked(phone, at), self.cookies[phone]);
        match &joined {
            Joined::Stands(_) => {}
            Joined::Counts(word) => {
                self.words.push((phone, word.place, self.now));
                self.happen(Event::TableJoined(word.clone()));
            }
            Joined::Completes(word, since) => {
                let coupon = CouponId::from_entropy([self.draw(); 16]);
                self.words.push((phone, word.place, self.now));
                self.happen(Event::TableJoined(word.clone()));
                self.happen(Event::TableTreated(TableTreated {
                    place: word.place,
                    campaign: CampaignId::parse("table-of-three").unwrap(),
                    coupon,
                    since: *since,
                }));
                self.treats.push(Treat {
                    place: word.place,
                    at: self.now,
                    coupon,
                });
            }
        }
        joined
    }

    fn save(&mut self) {
        for (name, line) in self.tables.take_changes(self.now) {
            match line {
                Some(line) => self.kept.insert(name.to_string(), line),
                None => self.kept.remove(&name.to_string()),
            };
        }
        self.saved = self.log.len();
    }

    fn restart(&mut self) {
        self.tables = Tables::default();
        for (name, line) in &self.kept {
            assert!(self.tables.restore(name, line), "{name} {line}");
        }
        for occurrence in &self.log[self.saved / 2..] {
            self.tables.apply(occurrence);
        }
    }

    fn take(&mut self, step: Step) {
        // No two things happen in the same millisecond of a shop.
        self.now += SignedDuration::from_secs(1);
        match step {
            Step::Join(phone, at) => {
                self.join(phone, at);
            }
            Step::Minutes(n) => self.now += SignedDuration::from_mins(n.into()),
            Step::ForgetCookie(phone) => {
                self.cookies[phone] = Vid::from_entropy([self.draw(); 16]);
            }
            Step::Save => self.save(),
            Step::Restart => self.restart(),
        }
    }

    /// The phones that a table's coupon is for.
    fn phones(&self, treat: &Treat) -> Vec<usize> {
        let since = treat.at - minutes(GROUP.within_minutes);
        let words = self
            .words
            .iter()
            .filter(|(_, place, at)| *place == treat.place && since <= *at && *at <= treat.at);
        let mut phones: Vec<_> = words.map(|(phone, ..)| *phone).collect();
        phones.sort_unstable();
        phones.dedup();
        phones
    }
}

proptest! {
    #[test]
    fn a_table_is_treated_never_twice_a_sitting_never_below_its_number_never_by_one_phone(steps in steps()) {
        let mut shop = Shop::open();
        for step in steps {
            shop.take(step);
        }
        for (n, treat) in shop.treats.iter().enumerate() {
            prop_assert!(shop.phones(treat).len() >= usize::from(GROUP.guests), "{treat:?}");
            for before in shop.treats[..n].iter().filter(|before| before.place == treat.place) {
                let apart = treat.at.duration_since(before.at);
                prop_assert!(apart > minutes(GROUP.sitting_minutes), "{before:?} {treat:?}");
            }
        }
        // A phone has one part a day, whatever table it sits at and whatever its cookie is.
        let seats = shop.tables.seats.values().flatten();
        let mut parts: Vec<_> = seats
            .filter(|seat| seat.coupon.is_some())
            .map(|seat| (seat.day, seat.device))
            .collect();
        let all = parts.len();
        parts.sort_unstable();
        parts.dedup();
        prop_assert_eq!(parts.len(), all);
    }
}

#[test]
fn the_page_says_how_many_are_there_and_then_what_they_have() {
    let mut shop = Shop::open();
    let look = |shop: &Shop, phone| shop.tables.look(&shop.asked(phone, 0));
    shop.join(0, 0);
    shop.join(1, 0);
    assert_eq!(
        shop.join(1, 0),
        Joined::Stands(look(&shop, 1)),
        "a double tap"
    );
    let there = |here, is_counted| Table::Gathers { here, is_counted };
    assert_eq!(look(&shop, 1), there(2, true));
    assert_eq!(look(&shop, 2), there(2, false));
    shop.join(2, 0);
    let coupon = shop.treats[0].coupon;
    assert_eq!(look(&shop, 0), Table::HasHad(Some(coupon)));
    assert_eq!(look(&shop, 3), Table::HasHad(None), "they came too late");
    shop.now += minutes(GROUP.sitting_minutes) + SignedDuration::from_mins(1);
    assert_eq!(look(&shop, 3), there(0, false), "another party");
    assert_eq!(look(&shop, 0), Table::HadToday);
}

#[test]
fn whoever_waits_too_long_counts_no_more() {
    let mut shop = Shop::open();
    shop.join(0, 0);
    shop.join(1, 0);
    shop.now += minutes(GROUP.within_minutes) + SignedDuration::from_mins(1);
    assert!(matches!(shop.join(2, 0), Joined::Counts(_)));
    assert!(
        matches!(shop.join(0, 0), Joined::Counts(_)),
        "they say it again"
    );
    assert!(matches!(shop.join(1, 0), Joined::Completes(..)));
}

#[test]
fn who_is_forgotten_sits_nowhere_and_the_table_has_had_its_gift_all_the_same() {
    let mut shop = Shop::open();
    for phone in 0..3 {
        shop.join(phone, 0);
    }
    shop.save();
    let vid = shop.cookies[0];
    shop.happen(Event::EraseRequested(EraseRequested {
        vid,
        instead: Vid::from_entropy([0xaa; 16]),
        passed_on: false,
    }));
    shop.save();
    assert!(!shop.tables.knows(vid));
    let line = &shop.kept[&place(0).to_string()];
    assert!(!line.contains(&vid.to_string()), "{line}");
    assert!(matches!(
        shop.join(3, 0),
        Joined::Stands(Table::HasHad(None))
    ));
    shop.now += KEPT_FOR + SignedDuration::from_hours(1);
    shop.save();
    assert!(shop.kept.is_empty(), "the day is over");
}
