//! The ways out of the page that the Wi-Fi offers: the Internet, and the temporary pass.

use super::Shared;
use super::guest::Guest;
use super::texts::Texts;
use crate::domain::wifi::{Reach, Tier};
use crate::wire::bundle::Bundle;

/// Which buttons a page of the Wi-Fi has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doors {
    pub(super) internet: bool,
    pub(super) pass: bool,
    /// The Internet behind the wall.
    is_away: bool,
}

impl Doors {
    /// Of a zone that leads to the Internet, at an hour when it is open.
    #[cfg(feature = "hq")]
    pub(super) const OPEN: Self = Self {
        internet: true,
        pass: false,
        is_away: false,
    };

    /// Why there is no Internet to be let into: what it is, and what works all the same.
    pub(super) fn why_not(self, t: &Texts) -> Option<(&str, &str)> {
        match (self.internet, self.is_away) {
            (true, _) => None,
            (false, true) => Some((&t.wifi.away_title, &t.wifi.away_text)),
            (false, false) => Some((&t.wifi.closed_title, &t.wifi.closed_text)),
        }
    }
}

impl Shared {
    /// The doors of the zone that a device is in; none outside the shop.
    pub(super) fn doors(&self, bundle: &Bundle, guest: &Guest) -> Option<Doors> {
        let folder = self.own_store(bundle)?;
        let policy = bundle.wifi(&folder.store.id, &guest.zone);
        let is_away = !self.wan_is_up();
        let is_open = self.terms(folder, &policy, Tier::Guest).is_some();
        let has_garden = !policy.garden.with_pass.is_empty() && policy.pass.lasts().is_some();
        Some(Doors {
            internet: is_open && !is_away,
            pass: has_garden && policy.access == Reach::Internet && !is_away,
            is_away: is_away && is_open,
        })
    }
}
