//! No sequence of claims, consents, withdrawals and erasures leaves a box with what nobody agreed to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::Offset;
use proptest::prelude::*;

use super::*;
use crate::domain::bill::Party;
use crate::domain::booking::{Booking, GuestName, Standing};
use crate::domain::command::{Command, Outcome};
use crate::domain::event::{
    Claim, Consent, CouponKnown, EraseRequested, Feedback, Intent, Moment, Purpose,
};
use crate::domain::feedback::Words;
use crate::domain::ids::{
    BookingId, CampaignId, CouponId, ReferralCode, RequestId, ShortCode, Slug, StreamId, TapId,
    TouchpointCode, Vid,
};
use crate::domain::members::Membership;
use crate::domain::referral::{ReferralShown, ReferralUsed};
use crate::domain::text::Text;
use crate::domain::together::TableJoined;
use crate::portal::commands::effect;

#[derive(Debug, Clone, Copy)]
enum Step {
    Claim(u8),
    Agree(u8),
    Withdraw(u8),
    Say(u8),
    Follow(u8),
    Book(u8),
    Register(u8),
    /// Headquarters says that they are a VIP, and of a coupon of theirs.
    Told(u8),
    Bring(u8),
    Sit(u8),
    Erase(u8),
    /// A checkpoint is written.
    Save,
    /// The plug is pulled: the last checkpoint, and the log from somewhere before it.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let diner = 0_u8..4;
    let step = prop_oneof![
        4 => diner.clone().prop_map(Step::Claim),
        4 => diner.clone().prop_map(Step::Agree),
        2 => diner.clone().prop_map(Step::Withdraw),
        2 => diner.clone().prop_map(Step::Say),
        2 => diner.clone().prop_map(Step::Follow),
        2 => diner.clone().prop_map(Step::Book),
        2 => diner.clone().prop_map(Step::Register),
        2 => diner.clone().prop_map(Step::Told),
        2 => diner.clone().prop_map(Step::Bring),
        2 => diner.clone().prop_map(Step::Sit),
        2 => diner.prop_map(Step::Erase),
        1 => Just(Step::Save),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

fn vid(diner: u8) -> Vid {
    Vid::from_entropy([0xd0 + diner; 16])
}

/// A box's journal and its checkpoint.
struct Shop {
    ledger: Ledger,
    log: Vec<Vec<u8>>,
    kept: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Frames that the checkpoint contains.
    saved: usize,
    now: Timestamp,
}

impl Shop {
    fn open() -> Self {
        Self {
            ledger: Ledger::new(Some(store())).0,
            log: Vec::new(),
            kept: BTreeMap::new(),
            saved: 0,
            now: "2026-12-01T07:30:00Z".parse().unwrap(),
        }
    }

    fn place(seq: usize) -> FramePlace {
        FramePlace {
            stream: StreamId::from_time_and_entropy(1, [1; 10]),
            seq: seq as u64 + 1,
        }
    }

    fn happen(&mut self, event: Event) {
        self.now += SignedDuration::from_secs(30);
        let moment = Moment {
            at: self.now,
            offset: Offset::constant(8),
        };
        let boot_time = BootTime { boot: 1, millis: 2 };
        let contents = Contents::of(store(), boot_time, moment, event);
        let body = frame::encode(&contents);
        self.ledger.apply(Self::place(self.log.len()), &body);
        self.log.push(body);
    }

    /// Carries out what headquarters asks.
    fn obey(&mut self, command: Command) {
        let (events, _) = effect(Some(command), &self.ledger, self.now);
        events.into_iter().for_each(|event| self.happen(event));
    }

    fn save(&mut self) {
        let kept = &mut self.kept;
        self.ledger.take_changes(&mut |change| match change {
            Change::Put { key, value } => {
                kept.insert(key, value);
            }
            Change::Delete { key } => {
                kept.remove(&key);
            }
        });
        self.saved = self.log.len();
    }

    fn restart(&mut self) {
        self.ledger = Ledger::new(Some(store())).0;
        for (key, value) in &self.kept {
            self.ledger.restore(key, value);
        }
        for seq in self.saved / 2..self.log.len() {
            self.ledger.apply(Self::place(seq), &self.log[seq]);
        }
    }

    /// Whether the checkpoint knows a diner by anything at all.
    fn checkpoint_names(&self, diner: u8) -> bool {
        let name = vid(diner).to_string();
        let holds = |bytes: &[u8]| bytes.windows(name.len()).any(|at| at == name.as_bytes());
        self.kept
            .iter()
            .any(|(key, value)| holds(key) || holds(value))
    }
}

fn store() -> StoreId {
    StoreId::parse("SZ01").unwrap()
}

fn claim(n: u8, diner: u8, now: Timestamp) -> Event {
    Event::Claim(Claim {
        coupon: CouponId::from_entropy([n; 16]),
        code: ShortCode::parse("7K3F").unwrap(),
        campaign: CampaignId::parse("quiet-hours").unwrap(),
        touchpoint: TouchpointCode::from_entropy(7),
        tap: TapId::from_entropy([n; 16]),
        vid: vid(diner),
        not_before: now,
        not_after: now + SignedDuration::from_hours(24),
        gift: Text::new("凉拌黄瓜", "cucumber salad"),
        remember_until: now + SignedDuration::from_hours(48),
        off_peak: false,
        given: false,
    })
}

fn consent(diner: u8) -> Consent {
    Consent {
        vid: vid(diner),
        coupon: CouponId::from_entropy([diner; 16]),
        purpose: Purpose::Marketing,
        version: 2,
        words_hash: "0123456789abcdef".to_owned(),
        words: Some("我愿意收到本店的优惠消息".to_owned()),
    }
}

fn booking(n: u8, diner: u8, now: Timestamp) -> Booking {
    Booking {
        id: BookingId::from_entropy([n; 16]),
        revision: 1,
        store: store(),
        at: "2026-12-01T19:00".parse().unwrap(),
        tasting: None,
        invited_with: None,
        party: Party::try_from(2).unwrap(),
        name: GuestName::typed("王女士").unwrap(),
        phone: None,
        vid: vid(diner),
        code: ShortCode::parse("7K3F").unwrap(),
        standing: Standing::Requested,
        before: None,
        staff: None,
        asked_at: now,
        is_vip: false,
        gift: None,
    }
}

fn told(n: u8, diner: u8, now: Timestamp) -> [Command; 2] {
    let Event::Claim(claim) = claim(n, diner, now) else {
        unreachable!("`claim` makes claims");
    };
    let day = "2026-12-01".parse().unwrap();
    let known = CouponKnown {
        claim,
        claimed_at: now,
        day,
        store: None,
    };
    let vip = Membership::now(vid(diner), true, (day, now), None);
    [
        Command::KnowCoupon(Box::new(known)),
        Command::VipIs(Box::new(vip)),
    ]
}

fn event(step: Step, n: u8, now: Timestamp) -> Option<Event> {
    Some(match step {
        Step::Claim(diner) => claim(n, diner, now),
        Step::Agree(diner) => Event::ConsentGiven(consent(diner)),
        Step::Withdraw(diner) => Event::ConsentWithdrawn(consent(diner)),
        Step::Say(diner) => Event::Feedback(Feedback {
            id: RequestId::from_entropy([n; 16]),
            touchpoint: None,
            vid: vid(diner),
            rating: None,
            words: Words::typed("很好吃").unwrap(),
            of: None,
        }),
        Step::Follow(diner) => Event::FollowIntent(Intent {
            invitation: Slug::parse("follow").unwrap(),
            code: Slug::parse("qr1").unwrap(),
            vid: vid(diner),
            coupon: CouponId::from_entropy([n; 16]),
        }),
        Step::Book(diner) => Event::BookingRequested(Box::new(booking(n, diner, now))),
        Step::Register(diner) => {
            let today = "2026-12-01".parse().unwrap();
            Event::MemberRegistered(Membership::now(vid(diner), true, (today, now), None))
        }
        Step::Bring(diner) if n.is_multiple_of(2) => Event::ReferralShown(ReferralShown {
            code: ReferralCode::from_entropy(n.into()),
            vid: vid(diner),
            device: None,
        }),
        Step::Bring(diner) => Event::ReferralUsed(ReferralUsed {
            coupon: CouponId::from_entropy([n; 16]),
            not_after: now,
            vid: vid(diner),
            device: None,
        }),
        Step::Sit(diner) => Event::TableJoined(TableJoined {
            place: TouchpointCode::from_entropy(7),
            vid: vid(diner),
            device: None,
        }),
        Step::Erase(diner) => Event::EraseRequested(EraseRequested {
            vid: vid(diner),
            instead: Vid::from_entropy([n; 16]),
            passed_on: false,
        }),
        Step::Told(_) | Step::Save | Step::Restart => return None,
    })
}

proptest! {
    #[test]
    fn no_sequence_leaves_marketing_data_without_consent_or_anything_of_whoever_was_erased(steps in steps()) {
        let mut shop = Shop::open();
        let mut agreed = BTreeSet::new();
        let mut erased = BTreeSet::new();
        for (n, step) in (1..).zip(steps) {
            match step {
                Step::Save => shop.save(),
                Step::Restart => shop.restart(),
                // Nobody who has ever asked comes back by a word of headquarters.
                Step::Told(diner) => {
                    let now = shop.now;
                    told(n, diner, now).into_iter().for_each(|command| shop.obey(command));
                }
                Step::Claim(diner)
                | Step::Say(diner)
                | Step::Follow(diner)
                | Step::Book(diner)
                | Step::Register(diner)
                | Step::Bring(diner)
                | Step::Sit(diner) => {
                    erased.remove(&diner);
                }
                Step::Agree(diner) => {
                    agreed.insert(diner);
                    erased.remove(&diner);
                }
                Step::Withdraw(diner) => {
                    agreed.remove(&diner);
                }
                Step::Erase(diner) => {
                    agreed.remove(&diner);
                    erased.insert(diner);
                }
            }
            if let Some(event) = event(step, n, shop.now) {
                shop.happen(event);
            }
            for diner in 0..4 {
                let held = shop.ledger.agreements().of(vid(diner)).is_some();
                prop_assert_eq!(held, agreed.contains(&diner));
                let coupons = shop.ledger.wallet().coupons_of(vid(diner));
                let marked = coupons.iter().any(|coupon| coupon.consented);
                prop_assert!(!marked || agreed.contains(&diner));
                if erased.contains(&diner) {
                    prop_assert!(coupons.is_empty());
                    prop_assert_eq!(shop.ledger.inbox().of_diner(vid(diner)).count(), 0);
                    prop_assert_eq!(shop.ledger.bookings().of_diner(vid(diner)).len(), 0);
                    prop_assert!(shop.ledger.members().get(vid(diner)).is_none());
                    prop_assert!(!shop.ledger.referrals().knows(vid(diner)));
                    prop_assert!(!shop.ledger.tables().knows(vid(diner)));
                }
            }
        }
        shop.save();
        for diner in &erased {
            prop_assert!(!shop.checkpoint_names(*diner));
        }
        // The check itself can find one.
        shop.happen(Event::ConsentGiven(consent(3)));
        shop.save();
        prop_assert!(shop.checkpoint_names(3));
    }
}

#[test]
fn an_erased_diners_coupon_stays_good_and_is_nobodys() {
    let mut shop = Shop::open();
    let now = shop.now;
    shop.happen(claim(1, 0, now));
    shop.happen(claim(2, 0, now));
    shop.happen(event(Step::Erase(0), 9, now).unwrap());
    let wallet = shop.ledger.wallet();
    let own: Vec<_> = [1, 2]
        .map(|n| {
            wallet
                .coupon(CouponId::from_entropy([n; 16]))
                .unwrap()
                .claim
                .vid
        })
        .to_vec();
    assert!(own[0] != own[1] && !own.contains(&vid(0)));
    assert!(!wallet.knows(vid(0)));
    assert!(wallet.holds_usable(own[0], now));
}

#[test]
fn a_word_of_headquarters_that_comes_late_brings_nobody_back() {
    let mut shop = Shop::open();
    let now = shop.now;
    shop.happen(event(Step::Erase(0), 9, now).unwrap());
    shop.save();
    shop.restart();
    let [coupon, vip] = told(1, 0, now);
    assert_eq!(
        effect(Some(vip), &shop.ledger, now),
        (Vec::new(), Outcome::NotFound)
    );
    shop.obey(coupon);
    let wallet = shop.ledger.wallet();
    assert!(!wallet.knows(vid(0)));
    let coupon = wallet.coupon(CouponId::from_entropy([1; 16])).unwrap();
    assert!(
        wallet.holds_usable(coupon.claim.vid, now),
        "their coupon stays good"
    );
}

#[test]
fn somebody_who_asks_to_be_forgotten_is_owed_a_checkpoint_until_it_is_written() {
    let mut shop = Shop::open();
    let now = shop.now;
    shop.happen(claim(1, 0, now));
    shop.save();
    assert!(!shop.ledger.must_forget());
    shop.happen(event(Step::Erase(0), 9, now).unwrap());
    assert!(shop.ledger.must_forget());
    shop.restart();
    assert!(shop.ledger.must_forget(), "a power cut forgives nothing");
    shop.save();
    assert!(!shop.ledger.must_forget());
}
