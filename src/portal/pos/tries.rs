//! Wrong keys by the address they came from: five within a minute, and it waits half a minute.
//!
//! In memory only: a key is 256 random bits, and the wait keeps a broken POS from filling the box and its log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const WRONG_KEYS: u32 = 5;
const WITHIN: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(30);

/// More machines than a shop's staff network has. Beyond it the oldest are forgotten.
const MOST_ADDRESSES: usize = 256;

/// Times are since the boot of the box.
#[derive(Debug, Default)]
pub(in crate::portal) struct Tries(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    since: Duration,
    last: Duration,
}

impl Tries {
    pub(super) fn must_wait(&self, address: IpAddr, now: Duration) -> bool {
        let wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = wrong.get(&address);
        wrong.is_some_and(|wrong| wrong.count >= WRONG_KEYS && now < wrong.last + WAIT)
    }

    pub(super) fn was_wrong(&self, address: IpAddr, now: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_ADDRESSES {
            all.retain(|_, wrong| now < wrong.last + WITHIN);
        }
        if all.len() >= MOST_ADDRESSES {
            all.clear();
        }
        let begun = Wrong {
            count: 0,
            since: now,
            last: now,
        };
        let wrong = all.entry(address).or_insert(begun);
        let is_over = now >= wrong.since + WITHIN || wrong.count >= WRONG_KEYS;
        if is_over {
            *wrong = begun;
        }
        wrong.count += 1;
        wrong.last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn five_wrong_keys_in_a_minute_make_their_own_address_wait() {
        let tries = Tries::default();
        let [own, other] = [1, 2].map(|n| IpAddr::from(Ipv4Addr::new(10, 0, 0, n)));
        let at = Duration::from_secs;
        for second in 0..5 {
            assert!(!tries.must_wait(own, at(second)));
            tries.was_wrong(own, at(second));
        }
        assert!(tries.must_wait(own, at(33)) && !tries.must_wait(other, at(33)));
        assert!(!tries.must_wait(own, at(34)), "half a minute later");
        tries.was_wrong(own, at(34));
        assert!(!tries.must_wait(own, at(34)), "it begins anew");
        for second in [100, 120, 140, 161, 180] {
            tries.was_wrong(own, at(second));
            assert!(!tries.must_wait(own, at(second)), "slips of a slow hour");
        }
    }

    #[test]
    fn addresses_without_end_take_no_memory() {
        let tries = Tries::default();
        for n in 0..10_000_u32 {
            tries.was_wrong(IpAddr::from(Ipv4Addr::from(n)), Duration::from_secs(1));
        }
        assert!(tries.0.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
