//! Who asked this box to be forgotten, so that what is said of them later does not bring them back.
//!
//! Of each it keeps a mark that tells nobody who it was: very many names make the same one, and only for a name that
//! comes again it says that it is one of these. As the wallet, this decides nothing and is told; taking in an event a
//! second time is harmless. It is bounded by [`MOST`] and by [`REMEMBERED_FOR`].

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::{Event, Occurrence};
use super::ids::{CouponId, Vid};

/// Longer than another box may be cut off before it tells what it knew of them.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(60 * 24);

/// More than ask in a year, beside headquarters too. Those who asked first go first.
const MOST: usize = 4_096;

/// The marks, each with when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Erased(BTreeMap<u64, i64>);

impl Erased {
    pub fn knows(&self, vid: Vid) -> bool {
        self.0.contains_key(&mark(vid))
    }

    /// Takes in an event of this gateway's journal; whether it changed anything.
    pub fn apply(&mut self, occurrence: &Occurrence) -> bool {
        let Event::EraseRequested(erased) = &occurrence.event else {
            return false;
        };
        let at = occurrence.moment.at;
        let over = at.saturating_sub(REMEMBERED_FOR).unwrap_or(Timestamp::MIN);
        self.0.retain(|_, made| *made >= over.as_second());
        self.0.insert(mark(erased.vid), at.as_second());
        if self.0.len() > MOST {
            let oldest = self.0.iter().min_by_key(|(_, made)| **made);
            if let Some(mark) = oldest.map(|(mark, _)| *mark) {
                self.0.remove(&mark);
            }
        }
        true
    }
}

/// Half as long as a name, and made of all of it.
fn mark(vid: Vid) -> u64 {
    let name = vid.to_bytes();
    let half = |from: usize| u64::from_be_bytes(std::array::from_fn(|at| name[from + at]));
    // Any odd factor will do, so that the halves of a name do not cancel each other out.
    half(0) ^ half(8).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Whose a coupon is after its guest was forgotten: a person of its own, so that not even two coupons of one guest
/// are one guest's any more.
pub const fn nobody(coupon: CouponId) -> Vid {
    Vid::from_entropy(coupon.to_bytes())
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::event::{EraseRequested, Moment};
    use crate::domain::ids::StoreId;

    fn asks(vid: [u8; 16], day: i64) -> Occurrence {
        let start: Timestamp = "2026-12-01T04:00:00Z".parse().unwrap();
        Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: start + SignedDuration::from_hours(day * 24),
                offset: Offset::constant(8),
            },
            event: Event::EraseRequested(EraseRequested {
                vid: Vid::from_entropy(vid),
                instead: Vid::from_entropy([1; 16]),
                passed_on: false,
            }),
        }
    }

    #[test]
    fn who_asked_is_known_for_two_months() {
        let mut erased = Erased::default();
        erased.apply(&asks([3; 16], 0));
        erased.apply(&asks([4; 16], 60));
        assert!(erased.knows(Vid::from_entropy([3; 16])));
        erased.apply(&asks([5; 16], 61));
        assert!(!erased.knows(Vid::from_entropy([3; 16])));
        assert!(erased.knows(Vid::from_entropy([4; 16])));
    }

    #[test]
    fn there_is_room_for_so_many_and_the_first_go_first() {
        let mut erased = Erased::default();
        let name = |n: usize| (n as u128 + 1).to_be_bytes();
        for n in 0..=MOST {
            erased.apply(&asks(name(n), i64::from(n > 0)));
        }
        assert_eq!(erased.0.len(), MOST);
        assert!(!erased.knows(Vid::from_entropy(name(0))));
        assert!(erased.knows(Vid::from_entropy(name(MOST))));
    }

    proptest! {
        #[test]
        fn what_is_kept_knows_its_own_and_nobody_else(own: [u8; 16], other: [u8; 16]) {
            prop_assume!(own != other);
            let mut erased = Erased::default();
            erased.apply(&asks(own, 0));
            let kept: Erased = serde_json::from_str(&serde_json::to_string(&erased).unwrap()).unwrap();
            prop_assert!(kept.knows(Vid::from_entropy(own)));
            prop_assert!(!kept.knows(Vid::from_entropy(other)));
        }
    }
}
