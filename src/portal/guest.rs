//! The device behind a request, and the taps that only it can use.
//!
//! The kernel says which device an address is; what the client says of itself is never asked. A tap shown to a
//! device carries a mark of that device and of its address, which only this box can make: no page elsewhere can
//! let a visitor's phone in, nor can one phone use what another was shown.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use ring::hmac;

use super::Shared;
use super::ledger::happening;
use super::visitor::Visitor;
use crate::admission::book::Asked;
use crate::admission::zone::ZoneName;
use crate::admission::{Mac, Standing};
use crate::domain::calendar::business_day;
use crate::domain::event::{Admitted, Event};
use crate::domain::ids::{DayMark, TapId, Vid};
use crate::domain::wifi::{Policy, Terms, Tier};
use crate::ops::files::random;
use crate::wire::bundle::{Bundle, StoreFolder};

/// A page that was left open for longer is shown anew.
const VALID_FOR_MINUTES: u32 = 60;

/// A device in a guest network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) mac: Mac,
    pub(super) zone: ZoneName,
    pub(super) address: IpAddr,
}

/// Makes taps for one device, and knows them again.
///
/// ```text
/// tap (16 bytes) = minutes since the machine started 3   random 5   HMAC-SHA256 of both and the device 8
/// ```
#[derive(Debug)]
pub(super) struct Tapper(hmac::Key);

impl Tapper {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn tap(&self, guest: &Guest, since_boot: Duration, random: [u8; 5]) -> TapId {
        let mut tap = [0; 16];
        tap[..3].copy_from_slice(&minutes(since_boot).to_be_bytes()[1..]);
        tap[3..8].copy_from_slice(&random);
        let tag = hmac::sign(&self.0, &signed(&tap, guest));
        tap[8..].copy_from_slice(&tag.as_ref()[..8]);
        TapId::from_entropy(tap)
    }

    fn knows(&self, tap: TapId, guest: &Guest, since_boot: Duration) -> bool {
        let tap = tap.to_bytes();
        let shown = u32::from_be_bytes([0, tap[0], tap[1], tap[2]]);
        let is_recent = minutes(since_boot)
            .checked_sub(shown)
            .is_some_and(|age| age <= VALID_FOR_MINUTES);
        let tag = hmac::sign(&self.0, &signed(&tap, guest));
        // All bytes are looked at, whichever differs.
        let differs = |sum, (a, b): (&u8, &u8)| sum | (a ^ b);
        let is_ours = tap[8..].iter().zip(tag.as_ref()).fold(0, differs) == 0;
        is_recent && is_ours
    }
}

/// Tells the devices of one business day apart. The key is in memory alone, and another one every day.
#[derive(Default)]
pub(super) struct DayMarks(Mutex<Option<(Date, hmac::Key)>>);

impl DayMarks {
    fn mark(&self, mac: Mac, today: Date) -> DayMark {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.take().filter(|(day, _)| *day == today);
        let (_, key) = kept.insert(known.unwrap_or_else(|| {
            let key: [u8; 32] = random();
            (today, hmac::Key::new(hmac::HMAC_SHA256, &key))
        }));
        let tag = hmac::sign(key, &mac.0);
        let first = tag.as_ref().first_chunk().expect("a tag is 32 bytes");
        DayMark(u32::from_be_bytes(*first))
    }
}

fn minutes(since_boot: Duration) -> u32 {
    // Three bytes are 31 years.
    u32::try_from(since_boot.as_secs() / 60).unwrap_or_default() & 0x00ff_ffff
}

fn signed(tap: &[u8; 16], guest: &Guest) -> Vec<u8> {
    let mut bytes = b"tap of a device\n".to_vec();
    bytes.extend_from_slice(&tap[..8]);
    bytes.extend_from_slice(&guest.mac.0);
    bytes.extend_from_slice(guest.address.to_string().as_bytes());
    bytes
}

impl Shared {
    /// The device that asks; none from outside the guest networks.
    pub(super) fn guest(&self, visitor: &Visitor) -> Option<Guest> {
        let address = visitor.address?;
        let neighbour = self.wall.find(address)?;
        Some(Guest {
            mac: neighbour.mac,
            zone: neighbour.zone,
            address,
        })
    }

    /// The mark of the device that asks, where it is in a guest network of this shop.
    pub(super) fn day_mark(&self, visitor: &Visitor) -> Option<DayMark> {
        let bundle = self.bundle();
        let folder = self.own_store(&bundle)?;
        let today = business_day(folder.store.local(self.now()));
        let guest = self.guest(visitor)?;
        Some(self.day_marks.mark(guest.mac, today))
    }

    /// A fresh tap: one that lets `guest` in, where there is one.
    pub(super) fn tap_for(&self, guest: Option<&Guest>) -> TapId {
        match guest {
            Some(guest) => self.tapper.tap(guest, self.clock.since_boot(), random()),
            None => TapId::from_entropy(random()),
        }
    }

    /// Whether `tap` was shown to this device, at this address, within the hour.
    pub(super) fn was_shown(&self, tap: TapId, guest: &Guest) -> bool {
        self.tapper.knows(tap, guest, self.clock.since_boot())
    }

    /// How a device stands to the wall. One that was in today is let in again unasked, where its zone says so.
    pub(super) fn standing(
        &self,
        bundle: &Bundle,
        folder: &StoreFolder,
        guest: &Guest,
    ) -> Standing {
        let standing = self.wall.standing(guest.mac, &guest.zone);
        if standing != Standing::Walled {
            return standing;
        }
        let policy = bundle.wifi(&folder.store.id, &guest.zone);
        let may_return = policy.same_day && self.wan_is_up();
        let returns = || self.wall.returns(guest.mac, &guest.zone);
        match may_return.then(returns).flatten() {
            Some(tier) => {
                if let Some(terms) = self.terms(folder, &policy, tier) {
                    // Whoever cannot return unasked is shown the page, as everybody is.
                    if self
                        .wall
                        .admit(&guest.asks(tier, terms))
                        .is_ok_and(|is_new| is_new)
                    {
                        self.saw_admitted(folder, guest, tier, None);
                    }
                }
                self.wall.standing(guest.mac, &guest.zone)
            }
            None => standing,
        }
    }

    /// Tells headquarters that somebody was let in, without saying who.
    pub(super) fn saw_admitted(
        &self,
        folder: &StoreFolder,
        guest: &Guest,
        tier: Tier,
        vid: Option<Vid>,
    ) {
        self.log_beginning(folder, guest);
        let event = Event::Admitted(Admitted {
            vid,
            zone: Some(guest.zone.clone()),
            tier: Some(tier),
        });
        self.views.saw(happening(&folder.store, self.now(), event));
    }

    /// What a device of `tier` would get now; none while the zone is closed.
    pub(super) fn terms(&self, folder: &StoreFolder, policy: &Policy, tier: Tier) -> Option<Terms> {
        let now = self.now();
        let (local, holidays) = (folder.store.local(now), &folder.store.holidays);
        if !policy.is_open(local, holidays) {
            return None;
        }
        let mut terms = policy.terms(tier, self.wall.session());
        if let Some(closes) = policy.closes_at(local, holidays) {
            let left = closes.duration_since(local);
            terms.session = terms
                .session
                .min(Duration::try_from(left).unwrap_or_default());
        }
        Some(terms)
    }

    /// A guest with a coupon that can still be used is more than a guest.
    pub(super) fn tier(&self, vid: Option<Vid>, now: Timestamp) -> Tier {
        match vid.is_some_and(|vid| self.wallet.read().holds_usable(vid, now)) {
            true => Tier::Coupon,
            false => Tier::Guest,
        }
    }

    /// Whether a shop's guests are told that the Internet is away: on the street they would not read this.
    pub(super) fn is_away(&self) -> bool {
        self.store.is_some() && !self.wan_is_up()
    }

    pub(super) fn wan_is_up(&self) -> bool {
        *self.wan.borrow()
    }
}

impl Guest {
    pub(super) fn asks(&self, tier: Tier, terms: Terms) -> Asked {
        Asked {
            mac: self.mac,
            zone: self.zone.clone(),
            tier,
            terms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(last: u8, address: &str) -> Guest {
        Guest {
            mac: Mac([2, 0, 0, 0, 0, last]),
            zone: ZoneName::try_from("guest".to_owned()).unwrap(),
            address: address.parse().unwrap(),
        }
    }

    #[test]
    fn a_device_is_known_again_today_and_not_tomorrow() {
        let (today, marks) = (Date::constant(2026, 12, 1), DayMarks::default());
        let (phone, other) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let mark = marks.mark(phone, today);
        assert_eq!(marks.mark(phone, today), mark);
        assert_ne!(marks.mark(other, today), mark);
        assert_ne!(marks.mark(phone, today.tomorrow().unwrap()), mark);
        assert_ne!(marks.mark(phone, today), mark, "the key is gone");
    }

    #[test]
    fn a_tap_is_good_for_the_device_and_the_address_it_was_shown_to_and_for_an_hour() {
        let tapper = Tapper::new(&[1; 32]);
        let at = |minutes: u64| Duration::from_secs(minutes * 60);
        let phone = guest(1, "10.77.0.20");
        let tap = tapper.tap(&phone, at(100), [7; 5]);
        assert!(tapper.knows(tap, &phone, at(100)));
        assert!(tapper.knows(tap, &phone, at(160)));
        assert!(!tapper.knows(tap, &phone, at(161)));
        assert!(!tapper.knows(tap, &phone, at(99)), "of another boot");
        assert!(!tapper.knows(tap, &guest(2, "10.77.0.20"), at(100)));
        assert!(!tapper.knows(tap, &guest(1, "10.77.0.21"), at(100)));
        assert!(!Tapper::new(&[2; 32]).knows(tap, &phone, at(100)));
        let guessed = TapId::from_entropy([9; 16]);
        assert!(!tapper.knows(guessed, &phone, at(100)));
        assert_ne!(tap, tapper.tap(&phone, at(100), [8; 5]));
    }
}
