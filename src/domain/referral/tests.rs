//! Nobody earns anything by themselves, in a circle, twice, or without a friend who has come.

use std::collections::BTreeMap;

use jiff::tz::Offset;
use proptest::prelude::*;

use super::*;
use crate::domain::event::{CouponVoided, EraseRequested, Moment};
use crate::domain::ids::StoreId;

const PER_MONTH: u8 = 2;

/// A phone: its cookie changes when its browser forgets, and its device does not.
#[derive(Debug, Clone, Copy)]
enum Step {
    Show(usize),
    Open(usize, usize),
    Redeem(usize),
    Undo(usize),
    ForgetCookie(usize),
    NextDay,
    /// A checkpoint is written.
    Save,
    /// The plug is pulled: the last checkpoint, and the log from somewhere before it.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let phone = 0_usize..4;
    let use_ = 0_usize..8;
    let step = prop_oneof![
        4 => phone.clone().prop_map(Step::Show),
        8 => (phone.clone(), phone.clone()).prop_map(|(phone, of)| Step::Open(phone, of)),
        5 => use_.clone().prop_map(Step::Redeem),
        2 => use_.prop_map(Step::Undo),
        2 => phone.prop_map(Step::ForgetCookie),
        1 => Just(Step::NextDay),
        1 => Just(Step::Save),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

/// A friend was brought, as the world knows it.
#[derive(Debug, Clone)]
struct Use {
    coupon: CouponId,
    not_after: Timestamp,
    bringer: (usize, Vid),
    friend: (usize, Vid),
    day: Date,
    gift: Option<CouponId>,
}

struct Shop {
    referrals: Referrals,
    log: Vec<Occurrence>,
    kept: BTreeMap<String, String>,
    saved: usize,
    now: Timestamp,
    cookies: [Vid; 4],
    /// When each cookie was first seen with a coupon.
    first_days: BTreeMap<Vid, Date>,
    uses: Vec<Use>,
    drawn: u8,
}

impl Shop {
    fn open() -> Self {
        Self {
            referrals: Referrals::default(),
            log: Vec::new(),
            kept: BTreeMap::new(),
            saved: 0,
            now: "2026-12-01T04:00:00Z".parse().unwrap(),
            cookies: [1, 2, 3, 4].map(|n| Vid::from_entropy([n; 16])),
            first_days: BTreeMap::new(),
            uses: Vec::new(),
            drawn: 10,
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
        self.referrals.apply(&occurrence);
        self.log.push(occurrence);
    }

    fn show(&mut self, phone: usize) {
        let drawn = ReferralCode::from_entropy(self.draw().into());
        let (vid, device) = (self.cookies[phone], Some(mark(phone, self.today())));
        let today = self.today();
        self.first_days.entry(vid).or_insert(today);
        if let Some(shown) = self.referrals.show(vid, device, drawn, today) {
            self.happen(shown);
        }
    }

    fn opened(&self, phone: usize, of: usize) -> Option<Opened> {
        let (vid, today) = (self.cookies[phone], self.today());
        let first = self.first_days.get(&vid).copied();
        Some(Opened {
            code: self.referrals.code_of(self.cookies[of], today)?,
            vid: first.map(|_| vid),
            device: Some(mark(phone, today)),
            is_first_visit: is_first_visit(first.into_iter(), None, today),
            today,
            now: self.now,
            per_month: PER_MONTH,
        })
    }

    fn open_code(&mut self, phone: usize, of: usize) -> Option<Result<Vid, NotBrought>> {
        let opened = self.opened(phone, of)?;
        let decided = self.referrals.bring(&opened);
        if let Ok(bringer) = decided {
            assert_eq!(bringer, self.cookies[of]);
            let one = Use {
                coupon: CouponId::from_entropy([self.draw(); 16]),
                not_after: self.now + SignedDuration::from_hours(7 * 24),
                bringer: (of, bringer),
                friend: (phone, self.cookies[phone]),
                day: opened.today,
                gift: None,
            };
            self.first_days.entry(one.friend.1).or_insert(opened.today);
            self.happen(Event::ReferralUsed(ReferralUsed {
                coupon: one.coupon,
                not_after: one.not_after,
                vid: bringer,
                device: opened.device,
            }));
            self.uses.push(one);
        }
        Some(decided)
    }

    /// As the till does: whoever brought the friend has a gift in the same moment.
    fn redeem(&mut self, n: usize) {
        let Some(coupon) = self.uses.get(n).map(|one| one.coupon) else {
            return;
        };
        let due = self.referrals.bringer_of(coupon);
        assert_eq!(
            due.is_some(),
            self.uses[n].gift.is_none(),
            "once, and always"
        );
        if let Some(bringer) = due {
            assert_eq!(bringer, self.uses[n].bringer.1);
            let gift = CouponId::from_entropy([self.draw(); 16]);
            self.uses[n].gift = Some(gift);
            self.happen(Event::ReferralRewarded(ReferralRewarded {
                of: coupon,
                gift,
            }));
        }
    }

    fn undo(&mut self, n: usize) {
        let Some(coupon) = self.uses.get(n).map(|one| one.coupon) else {
            return;
        };
        let gift = self.referrals.gift_for(coupon);
        assert_eq!(gift, self.uses[n].gift);
        if let Some(coupon) = gift {
            self.uses[n].gift = None;
            self.happen(Event::CouponVoided(CouponVoided {
                coupon,
                remember_until: self.now,
            }));
        }
    }

    fn save(&mut self) {
        for (name, line) in self.referrals.take_changes(self.now, self.today()) {
            match line {
                Some(line) => self.kept.insert(name, line),
                None => self.kept.remove(&name),
            };
        }
        self.saved = self.log.len();
    }

    fn restart(&mut self) {
        self.referrals = Referrals::default();
        for (name, line) in &self.kept {
            assert!(self.referrals.restore(name, line), "{name} {line}");
        }
        for occurrence in &self.log[self.saved / 2..] {
            self.referrals.apply(occurrence);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Show(phone) => self.show(phone),
            Step::Open(phone, of) => {
                self.open_code(phone, of);
            }
            Step::Redeem(n) => self.redeem(n),
            Step::Undo(n) => self.undo(n),
            Step::ForgetCookie(phone) => {
                self.cookies[phone] = Vid::from_entropy([self.draw(); 16]);
            }
            Step::NextDay => self.now += SignedDuration::from_hours(24),
            Step::Save => self.save(),
            Step::Restart => self.restart(),
        }
    }

    /// Whether `from` has brought `to`, or somebody who has.
    fn leads_to(&self, from: Vid, to: Vid) -> bool {
        let mut friends = self.uses.iter().filter(|one| one.bringer.1 == from);
        friends.any(|one| one.friend.1 == to || self.leads_to(one.friend.1, to))
    }
}

fn mark(phone: usize, day: Date) -> DayMark {
    DayMark(u32::try_from(phone).unwrap() * 100 + u32::from(day.day().unsigned_abs()))
}

proptest! {
    #[test]
    fn nothing_is_earned_by_one_phone_twice_or_by_a_circle_or_without_a_visit(steps in steps()) {
        let mut shop = Shop::open();
        for step in steps {
            let known = shop.uses.len();
            shop.take(step);
            for new in &shop.uses[known..] {
                let before = &shop.uses[..known];
                prop_assert!(new.friend.0 != new.bringer.0, "by themselves: {new:?}");
                prop_assert!(
                    !before.iter().any(|one| one.friend.1 == new.friend.1),
                    "a guest is brought twice"
                );
                prop_assert!(
                    !before.iter().any(|one| (one.friend.0, one.day) == (new.friend.0, new.day)),
                    "a phone is brought twice in a day"
                );
                prop_assert!(!shop.leads_to(new.friend.1, new.bringer.1), "a circle: {new:?}");
                let counted = shop.uses.iter().filter(|one| {
                    one.bringer.1 == new.bringer.1
                        && one.day.first_of_month() == new.day.first_of_month()
                        && (one.gift.is_some() || one.not_after > shop.now)
                });
                prop_assert!(counted.count() <= usize::from(PER_MONTH));
            }
            // A gift is there while its friend's coupon stands redeemed, and then one.
            for one in &shop.uses {
                prop_assert_eq!(shop.referrals.gift_for(one.coupon), one.gift);
            }
        }
    }
}

#[test]
fn a_code_is_good_today_and_for_others() {
    let mut shop = Shop::open();
    shop.show(0);
    let own = shop.opened(0, 0).unwrap();
    assert_eq!(shop.referrals.bring(&own), Err(NotBrought::Oneself));
    let other_browser = Opened { vid: None, ..own };
    assert_eq!(
        shop.referrals.bring(&other_browser),
        Err(NotBrought::Oneself)
    );
    let friend = shop.opened(1, 0).unwrap();
    assert!(shop.referrals.bring(&friend).is_ok());
    let of_before = Opened {
        today: friend.today.tomorrow().unwrap(),
        ..friend
    };
    assert_eq!(
        shop.referrals.bring(&of_before),
        Err(NotBrought::UnknownCode)
    );
}

#[test]
fn who_has_been_here_before_is_brought_by_nobody() {
    let today: Date = "2026-12-02".parse().unwrap();
    let yesterday = today.yesterday().unwrap();
    assert!(is_first_visit([].into_iter(), None, today));
    assert!(
        is_first_visit([today].into_iter(), None, today),
        "they tapped a table's code first"
    );
    assert!(!is_first_visit([today, yesterday].into_iter(), None, today));
}

#[test]
fn a_guest_brings_as_many_in_a_month_as_the_shop_says() {
    let mut shop = Shop::open();
    shop.show(0);
    assert!(shop.open_code(1, 0).unwrap().is_ok());
    assert!(shop.open_code(2, 0).unwrap().is_ok());
    assert_eq!(shop.open_code(3, 0), Some(Err(NotBrought::Enough)));
    let tally = shop
        .referrals
        .tally(shop.cookies[0], shop.today(), shop.now);
    assert_eq!((tally.this_month, tally.came), (2, 0));
    // Their coupons run out unused, and there is room again.
    shop.now += SignedDuration::from_hours(8 * 24);
    shop.show(0);
    shop.cookies[3] = Vid::from_entropy([0xee; 16]);
    assert!(shop.open_code(3, 0).unwrap().is_ok());
}

#[test]
fn who_is_forgotten_has_no_code_and_no_friends_here_or_in_the_checkpoint() {
    let mut shop = Shop::open();
    shop.show(0);
    shop.open_code(1, 0).unwrap().unwrap();
    shop.save();
    assert_eq!(shop.kept.len(), 2);
    let vid = shop.cookies[0];
    shop.happen(Event::EraseRequested(EraseRequested {
        vid,
        instead: Vid::from_entropy([0xaa; 16]),
        passed_on: false,
    }));
    assert!(!shop.referrals.knows(vid));
    assert_eq!(shop.referrals.bringer_of(shop.uses[0].coupon), None);
    shop.save();
    assert!(shop.kept.is_empty());
}

#[test]
fn what_is_over_leaves_the_books() {
    let mut shop = Shop::open();
    shop.show(0);
    shop.open_code(1, 0).unwrap().unwrap();
    shop.save();
    shop.now += SignedDuration::from_hours(3 * 24);
    shop.save();
    assert_eq!(shop.kept.len(), 1, "the code's day is over");
    shop.now += SignedDuration::from_hours(31 * 24);
    shop.save();
    assert!(shop.kept.is_empty());
}
