//! What is open to a device before it is let in, and which of the kernel's sets an address belongs in.
//!
//! The resolver puts the addresses of a name into sets when somebody asks for it; the wall looks into the sets.
//! A name goes into the sets of every rule that covers it, because a resolver's list knows only the longest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::nft::{garden_set, pass_set, probe_set};
use super::zone::ZoneName;
use crate::domain::wifi::{CHECK_HOSTS, GardenNames, covers};

/// The walled garden of every zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Garden {
    pub zones: BTreeMap<ZoneName, GardenNames>,
}

/// A pair of the kernel's sets, one for each version of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sets<'a> {
    /// The hosts of connectivity checks.
    Checks,
    /// Open to every device of the zone.
    Garden(&'a ZoneName),
    /// Open to a device of the zone that has a temporary pass.
    Pass(&'a ZoneName),
}

/// A version of the Internet's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V4,
    V6,
}

impl Version {
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

impl Sets<'_> {
    /// What the kernel calls the set, in the table `inet maitred`.
    pub fn name(&self, version: Version) -> String {
        let is_ipv4 = version == Version::V4;
        match self {
            Self::Checks => probe_set(is_ipv4).to_owned(),
            Self::Garden(zone) => garden_set(zone, is_ipv4),
            Self::Pass(zone) => pass_set(zone, is_ipv4),
        }
    }
}

/// A rule, and the sets that it fills.
pub type Rule<'a> = (&'a str, Sets<'a>);

impl Garden {
    /// Every rule there is.
    pub fn rules(&self) -> Vec<Rule<'_>> {
        let checks = CHECK_HOSTS.iter().map(|host| (*host, Sets::Checks));
        let zones = self.zones.iter().flat_map(|(zone, names)| {
            let always = names.always.iter();
            let with_pass = names.with_pass.iter();
            always
                .map(move |name| (name.domain(), Sets::Garden(zone)))
                .chain(with_pass.map(move |name| (name.domain(), Sets::Pass(zone))))
        });
        checks.chain(zones).collect()
    }

    /// The rules that cover `host`, in small letters.
    pub fn covering(&self, host: &str) -> Vec<Rule<'_>> {
        let mut rules = self.rules();
        rules.retain(|(name, _)| covers(name, host));
        rules
    }

    /// For every name of a rule the sets of all rules that cover it.
    pub fn sets(&self) -> BTreeMap<&str, BTreeSet<Sets<'_>>> {
        let rules = self.rules();
        let sets_of = |host: &str| {
            let covering = rules.iter().filter(|(name, _)| covers(name, host));
            covering.map(|(_, sets)| *sets).collect()
        };
        rules
            .iter()
            .map(|(name, _)| (*name, sets_of(name)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::wifi::GardenName;

    fn garden(zone: &str, always: &[&str], with_pass: &[&str]) -> Garden {
        let names = |names: &[&str]| {
            let name = |name: &&str| GardenName::try_from((*name).to_owned()).unwrap();
            names.iter().map(name).collect()
        };
        let zone = ZoneName::try_from(zone.to_owned()).unwrap();
        let names = GardenNames {
            always: names(always),
            with_pass: names(with_pass),
        };
        Garden {
            zones: [(zone, names)].into(),
        }
    }

    #[test]
    fn a_name_under_another_is_in_the_sets_of_both() {
        let garden = garden("guest", &["qq.com", "apple.com"], &["*.weixin.qq.com"]);
        let sets = garden.sets();
        let zone = garden.zones.keys().next().unwrap();
        assert_eq!(sets["qq.com"], [Sets::Garden(zone)].into());
        assert_eq!(
            sets["weixin.qq.com"],
            [Sets::Garden(zone), Sets::Pass(zone)].into()
        );
        assert_eq!(
            sets["captive.apple.com"],
            [Sets::Checks, Sets::Garden(zone)].into()
        );
        let covering = garden.covering("res.weixin.qq.com");
        assert_eq!(covering.len(), 2, "{covering:?}");
    }
}
