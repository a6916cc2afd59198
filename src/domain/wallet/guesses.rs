//! Somebody types codes until one fits: five unknown ones within a minute, and typed codes wait half a minute on
//! that device. A scanned token is never kept waiting, and no other device is.
//!
//! A restart may forget the last minute of guesses; the checkpoint does not hold them.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{CLOCK_SET_BACK, Wallet, later_by};
use crate::domain::event::{RedeemRefused, RefusalReason};
use crate::domain::ids::DeviceId;

const GUESSES: usize = 5;
const WITHIN: SignedDuration = SignedDuration::from_mins(1);
const WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The last unknown codes that were typed on each till device, oldest first.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    by_device: HashMap<DeviceId, VecDeque<Timestamp>>,
    /// When a device had to wait last.
    last_wait: Option<Timestamp>,
}

impl Guesses {
    pub(super) fn hear(&mut self, refused: &RedeemRefused, at: Timestamp) {
        if refused.reason != RefusalReason::UnknownCode {
            return;
        }
        let guesses = self.by_device.entry(refused.device).or_default();
        // Read again from a log that overlaps a checkpoint, or the clock was set back. The same instant is neither:
        // a program guesses more than once a millisecond.
        if guesses.back().is_some_and(|last| *last > at) {
            guesses.clear();
        }
        guesses.push_back(at);
        if guesses.len() > GUESSES {
            guesses.pop_front();
        }
        if are_too_many(guesses) {
            self.last_wait = Some(at);
        }
    }
}

fn are_too_many(guesses: &VecDeque<Timestamp>) -> bool {
    let ends = guesses.front().zip(guesses.back());
    guesses.len() == GUESSES
        && ends.is_some_and(|(first, last)| last.duration_since(*first) <= WITHIN)
}

impl Wallet {
    /// From when on a code may be typed on this device.
    pub fn codes_allowed_from(&self, device: DeviceId, now: Timestamp) -> Timestamp {
        match self.guesses.by_device.get(&device) {
            Some(guesses) if are_too_many(guesses) => {
                let last = guesses.back().copied().unwrap_or(Timestamp::MIN);
                let is_of_another_clock = last.duration_since(now) > CLOCK_SET_BACK;
                if is_of_another_clock {
                    Timestamp::MIN
                } else {
                    later_by(last, WAIT)
                }
            }
            Some(_) | None => Timestamp::MIN,
        }
    }

    /// When somebody last typed too many unknown codes.
    pub fn last_guessing(&self) -> Option<Timestamp> {
        self.guesses.last_wait
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::super::tests::TestShop;
    use super::*;

    const TILL: [u8; 16] = [1; 16];

    fn guess(shop: &mut TestShop, device: [u8; 16]) {
        shop.happen(Event::RedeemRefused(RedeemRefused {
            reason: RefusalReason::UnknownCode,
            device: DeviceId::from_entropy(device),
            coupon: None,
        }));
    }

    fn waits(shop: &TestShop, device: [u8; 16]) -> bool {
        let device = DeviceId::from_entropy(device);
        shop.wallet.codes_allowed_from(device, shop.now) > shop.now
    }

    #[test]
    fn five_unknown_codes_in_a_minute_make_their_own_device_wait_half_a_minute() {
        let mut shop = TestShop::open();
        for _ in 0..4 {
            guess(&mut shop, TILL);
            shop.now += SignedDuration::from_secs(15);
        }
        assert!(!waits(&shop, TILL));
        guess(&mut shop, TILL);
        assert!(waits(&shop, TILL) && !waits(&shop, [2; 16]));
        assert_eq!(shop.wallet.last_guessing(), Some(shop.now));
        shop.now += SignedDuration::from_secs(29);
        assert!(waits(&shop, TILL));
        shop.now += SignedDuration::from_secs(1);
        assert!(!waits(&shop, TILL));
    }

    #[test]
    fn guesses_of_one_instant_are_counted_one_by_one() {
        let mut shop = TestShop::open();
        for _ in 0..4 {
            guess(&mut shop, TILL);
        }
        assert!(!waits(&shop, TILL));
        for _ in 0..3 {
            guess(&mut shop, TILL);
            assert!(waits(&shop, TILL));
        }
    }

    #[test]
    fn slips_of_a_busy_evening_make_nobody_wait() {
        let mut shop = TestShop::open();
        for _ in 0..20 {
            guess(&mut shop, TILL);
            shop.now += SignedDuration::from_secs(16);
            assert!(!waits(&shop, TILL));
        }
        assert_eq!(shop.wallet.last_guessing(), None);
    }
}
