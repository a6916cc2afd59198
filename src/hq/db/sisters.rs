//! A coupon that stores of a chain take from each other: which of them may redeem it.
//!
//! Pure; the SQL is in `embedded` and `postgres`. A store that is shown a coupon of another asks, and one at a
//! time is told yes: the yes is a reservation of that coupon, compared and set in one transaction. What really
//! happened comes later, in journals, as [`Use`]s: redeemed, taken back. Each fact comes by itself and in any
//! order, and where there is one it counts and the reservation does not any more.
//!
//! | what goes wrong | what then |
//! |---|---|
//! | the answer is lost | whoever asked gives nothing and says so (`unused`); asked again, under this or another redemption's id, the same box gets the same yes, because its own journal keeps it from giving twice |
//! | `unused` comes late, after the coupon was asked for again | each question has a number of its own, and it ends the yes to that one alone |
//! | two tills of one box ask, one of them gives | the other's no says nothing: `unused` would end the yes that was used |
//! | the box that asked dies before it gave anything | the reservation ends by itself after [`HELD_FOR`]; until then other sisters are refused, the coupon's own store never |
//! | the box gave it, and its line is down for longer than that | another sister may be told yes: the coupon is used twice, which [`Double`] shows |
//! | the own store redeemed it before it heard of it, or its journal is still on its way | the same |
//! | a redemption is taken back | it counts no more; the own store hears of that, too, by a notice |
//!
//! Nothing that is found out later is taken out on the diner.

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{CouponId, GatewayId, RedemptionId, StoreId};
use crate::domain::wallet::Said;
use crate::wire::link::HELD_FOR;

/// A store that is shown another store's coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub coupon: CouponId,
    pub redemption: RedemptionId,
    /// The question's own number.
    pub nonce: u32,
    pub gateway: GatewayId,
    /// Where it is shown.
    pub store: StoreId,
    /// The coupon's own store.
    pub home: StoreId,
    pub now: Timestamp,
}

/// A yes that no journal has confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reservation {
    pub(super) redemption: RedemptionId,
    /// Of the last question that was told yes; only that one's `unused` ends it.
    pub(super) nonce: u32,
    pub(super) gateway: GatewayId,
    pub(super) store: StoreId,
    pub(super) made: Timestamp,
}

/// What journals say of one redemption of one coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub coupon: CouponId,
    pub redemption: RedemptionId,
    pub store: StoreId,
    /// The coupon's own store, where that is another.
    pub home: Option<StoreId>,
    pub redeemed: Option<Timestamp>,
    pub undone: Option<Timestamp>,
}

impl Use {
    /// What an event says; none where it is about no redemption.
    pub fn of(occurrence: &Occurrence) -> Option<Self> {
        let at = occurrence.moment.at;
        if let Event::Redeem(redeem) = &occurrence.event {
            Some(Self {
                coupon: redeem.coupon,
                redemption: redeem.redemption,
                store: occurrence.store.clone(),
                home: redeem.home.as_ref().map(|home| home.store.clone()),
                redeemed: Some(at),
                undone: None,
            })
        } else if let Event::RedeemUndone(undone) = &occurrence.event {
            Some(Self {
                coupon: undone.coupon,
                redemption: undone.redemption,
                store: occurrence.store.clone(),
                home: undone.home.clone(),
                redeemed: None,
                undone: Some(at),
            })
        } else {
            None
        }
    }

    /// When the coupon was used, where that still counts.
    pub(super) const fn counts(&self) -> Option<Timestamp> {
        match (self.redeemed, self.undone) {
            (Some(at), None) => Some(at),
            (Some(_) | None, _) => None,
        }
    }

    /// Takes in what else is said of the same redemption.
    pub(super) fn merge(&mut self, other: &Self) {
        self.redeemed = self.redeemed.or(other.redeemed);
        self.undone = self.undone.or(other.undone);
        if self.home.is_none() {
            self.home.clone_from(&other.home);
        }
    }
}

/// A coupon that was used twice while stores could not hear each other; every use of it that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Double {
    pub coupon: CouponId,
    /// The first one first.
    pub uses: Vec<Use>,
}

impl Double {
    /// Finds them among the uses of some coupons, which come coupon by coupon.
    pub(super) fn among(uses: Vec<Use>) -> Vec<Self> {
        let mut doubles: Vec<Self> = Vec::new();
        for one in uses.into_iter().filter(|one| one.counts().is_some()) {
            match doubles.last_mut() {
                Some(last) if last.coupon == one.coupon => last.uses.push(one),
                _ => doubles.push(Self {
                    coupon: one.coupon,
                    uses: vec![one],
                }),
            }
        }
        doubles.retain(|double| double.uses.len() > 1);
        for double in &mut doubles {
            double.uses.sort_by_key(Use::counts);
        }
        doubles
    }
}

/// Whether a store may redeem: `uses` are all of the coupon. A yes is to be kept as a reservation.
pub(super) fn decide(
    wish: &Wish,
    reserved: Option<&Reservation>,
    uses: &[Use],
    is_voided: bool,
) -> Said {
    let mut others = uses.iter().filter(|one| one.redemption != wish.redemption);
    if let Some((other, at)) = others.find_map(|one| Some((one, one.counts()?))) {
        return Said::Used {
            store: other.store.clone(),
            at,
        };
    }
    if is_voided {
        return Said::Voided;
    }
    match reserved {
        Some(held) if held.stands_against(wish, uses) => Said::Used {
            store: held.store.clone(),
            at: held.made,
        },
        Some(_) | None => Said::Yes,
    }
}

impl Reservation {
    pub(super) fn of(wish: &Wish) -> Self {
        Self {
            redemption: wish.redemption,
            nonce: wish.nonce,
            gateway: wish.gateway,
            store: wish.store.clone(),
            made: wish.now,
        }
    }

    fn stands_against(&self, wish: &Wish, uses: &[Use]) -> bool {
        let is_told = uses.iter().any(|one| one.redemption == self.redemption);
        let lasts = SignedDuration::try_from(HELD_FOR).unwrap_or(SignedDuration::MAX);
        self.gateway != wish.gateway && !is_told && wish.now.duration_since(self.made) < lasts
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::hq::testing::{now, store};

    const COUPON: CouponId = CouponId::from_entropy([1; 16]);
    const HOME: usize = 0;

    fn shop(number: usize) -> StoreId {
        store(&format!("SZ0{number}"))
    }

    /// What a box has given and sent. What it remembers of its questions is lost with a restart and missed by
    /// nobody, so there is none.
    #[derive(Debug, Clone, Default)]
    struct Shop {
        journal: Vec<Use>,
        sent: usize,
        /// What counts here, and since when.
        gave: Option<(RedemptionId, Timestamp)>,
        /// The form is sent again under this number.
        again: Option<RedemptionId>,
        /// The own store has heard of uses elsewhere.
        heard: Vec<RedemptionId>,
    }

    #[derive(Debug, Default)]
    struct World {
        shops: [Shop; 3],
        uses: BTreeMap<RedemptionId, Use>,
        reserved: Option<Reservation>,
        /// Words of `unused` that have not come yet: of whose question.
        late: Vec<(RedemptionId, u32)>,
        minutes: i64,
        ids: u8,
        nonces: u32,
        /// A yes was older than it is held for when its journal came, or had not come.
        was_late: bool,
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// A sister is shown the coupon; the answer reaches it or not, and then it says so or not.
        Show {
            at: usize,
            answer: Answer,
        },
        ShowAtHome,
        Undo(usize),
        /// A journal's next event comes in; the own store hears of it.
        Send(usize),
        /// What was said to be unused some time ago comes in.
        LateUnused,
        Minutes(i64),
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Answer {
        Comes,
        Lost,
        LostAndSaid,
        /// It is said, but that comes late, and the guest shows the coupon again.
        LostAndSaidLate,
        /// It comes, and another till of the box has asked meanwhile: that one says no, and no more.
        ComesToTwo,
    }

    impl World {
        fn now(&self) -> Timestamp {
            now() + SignedDuration::from_mins(self.minutes)
        }

        fn id(&mut self) -> RedemptionId {
            self.ids += 1;
            RedemptionId::from_entropy([self.ids; 16])
        }

        fn wish(&mut self, at: usize) -> Wish {
            self.nonces += 1;
            let again = self.shops[at].again.take();
            Wish {
                coupon: COUPON,
                redemption: again.unwrap_or_else(|| self.id()),
                nonce: self.nonces,
                gateway: GatewayId(u32::try_from(at).unwrap()),
                store: shop(at),
                home: shop(HOME),
                now: self.now(),
            }
        }

        fn ask(&mut self, wish: &Wish) -> Said {
            let uses: Vec<Use> = self.uses.values().cloned().collect();
            let said = decide(wish, self.reserved.as_ref(), &uses, false);
            if said == Said::Yes {
                self.reserved = Some(Reservation::of(wish));
            }
            said
        }

        fn give(&mut self, at: usize, redemption: RedemptionId) {
            let (time, home) = (self.now(), (at != HOME).then(|| shop(HOME)));
            self.shops[at].gave = Some((redemption, time));
            self.shops[at].journal.push(Use {
                coupon: COUPON,
                redemption,
                store: shop(at),
                home,
                redeemed: Some(time),
                undone: None,
            });
        }

        fn step(&mut self, step: Step) {
            match step {
                Step::Show { at, answer } if self.shops[at].gave.is_none() => {
                    let wish = self.wish(at);
                    let said = self.ask(&wish);
                    assert_eq!(self.ask(&wish), said, "the same question, the same answer");
                    match answer {
                        Answer::Comes if said == Said::Yes => self.give(at, wish.redemption),
                        Answer::ComesToTwo if said == Said::Yes => {
                            let other = self.wish(at);
                            self.ask(&other);
                            self.give(at, wish.redemption);
                        }
                        Answer::LostAndSaid => self.release((wish.redemption, wish.nonce)),
                        Answer::LostAndSaidLate => {
                            self.late.push((wish.redemption, wish.nonce));
                            self.shops[at].again = Some(wish.redemption);
                        }
                        Answer::Comes | Answer::ComesToTwo | Answer::Lost => {}
                    }
                }
                Step::ShowAtHome => {
                    let home = &self.shops[HOME];
                    if home.gave.is_none() && home.heard.is_empty() {
                        let id = self.id();
                        self.give(HOME, id);
                    }
                }
                Step::Undo(at) => {
                    if let Some((redemption, _)) = self.shops[at].gave.take() {
                        let undone = Some(self.now());
                        self.shops[at].journal.push(Use {
                            coupon: COUPON,
                            redemption,
                            store: shop(at),
                            home: (at != HOME).then(|| shop(HOME)),
                            redeemed: None,
                            undone,
                        });
                    }
                }
                Step::Send(at) => self.send(at),
                Step::LateUnused => {
                    if let Some(said) = self.late.pop() {
                        self.release(said);
                    }
                }
                Step::Minutes(minutes) => self.minutes += minutes,
                Step::Show { .. } => {}
            }
            self.was_late |= self.shops[1..].iter().any(|shop| {
                let late = SignedDuration::try_from(HELD_FOR).unwrap();
                let waits = shop.sent < shop.journal.len();
                let gave = shop.journal[shop.sent.min(shop.journal.len())..].first();
                let since = gave.and_then(|one| one.redeemed.or(one.undone));
                waits && since.is_some_and(|since| self.now().duration_since(since) >= late)
            });
        }

        fn release(&mut self, said: (RedemptionId, u32)) {
            self.reserved
                .take_if(|held| (held.redemption, held.nonce) == said);
        }

        fn send(&mut self, at: usize) {
            let shop = &mut self.shops[at];
            let Some(told) = shop.journal.get(shop.sent).cloned() else {
                return;
            };
            shop.sent += 1;
            if told.home.is_some() {
                let heard = &mut self.shops[HOME].heard;
                match told.undone {
                    None => heard.push(told.redemption),
                    Some(_) => heard.retain(|one| *one != told.redemption),
                }
            }
            let known = self.uses.entry(told.redemption).or_insert(told.clone());
            known.merge(&told);
        }

        /// Shops in which it counts as used.
        fn gave(&self) -> usize {
            self.shops.iter().filter(|shop| shop.gave.is_some()).count()
        }

        fn doubles(&self) -> Vec<Double> {
            Double::among(self.uses.values().cloned().collect())
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let answer = prop_oneof![
            4 => Just(Answer::Comes),
            1 => Just(Answer::Lost),
            1 => Just(Answer::LostAndSaid),
            2 => Just(Answer::LostAndSaidLate),
            1 => Just(Answer::ComesToTwo),
        ];
        let step = prop_oneof![
            4 => (1..3_usize, answer).prop_map(|(at, answer)| Step::Show { at, answer }),
            1 => Just(Step::ShowAtHome),
            2 => (0..3_usize).prop_map(Step::Undo),
            4 => (0..3_usize).prop_map(Step::Send),
            2 => Just(Step::LateUnused),
            2 => (1..6_i64).prop_map(Step::Minutes),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        /// Sisters that ask never give twice while journals come before a reservation ends. Whatever else is given
        /// twice is found once all journals are in; and nothing stays taken that nobody uses.
        #[test]
        fn whatever_is_lost_on_the_way_sisters_give_once_and_doubles_are_found(steps in steps()) {
            let mut world = World::default();
            for step in steps {
                world.step(step);
                let sisters = world.shops[1..].iter().filter(|shop| shop.gave.is_some());
                prop_assert!(sisters.count() < 2 || world.was_late);
            }
            let was_late = world.was_late;
            for at in 0..3 {
                while world.shops[at].sent < world.shops[at].journal.len() {
                    world.send(at);
                }
            }
            let gave = world.gave();
            prop_assert!(gave < 2 || world.shops[HOME].gave.is_some() || was_late);
            let doubles = world.doubles();
            prop_assert_eq!(doubles.len(), usize::from(gave > 1));
            prop_assert!(doubles.iter().all(|double| double.uses.len() == gave));
            world.minutes += 10;
            let wish = world.wish(1);
            prop_assert_eq!(world.ask(&wish) == Said::Yes, gave == 0);
        }
    }

    #[test]
    fn what_its_own_store_has_redeemed_is_told_with_where_and_when() {
        let mut world = World::default();
        world.step(Step::ShowAtHome);
        world.step(Step::Send(HOME));
        let wish = world.wish(2);
        let (store, at) = (shop(HOME), now());
        assert_eq!(world.ask(&wish), Said::Used { store, at });
        assert_eq!(decide(&wish, None, &[], true), Said::Voided);
    }
}
