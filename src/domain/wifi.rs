//! The guest Wi-Fi's rules, as a chain or a store writes them: `wifi.toml`.
//!
//! A zone is one guest network. Its policy says for how long, how fast and how far a device may pass, and
//! what is open before it may. Which device that is, and the wall itself, are no matter of rules.

mod checks;
mod garden;
mod mac;
mod zone;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::calendar::{Holidays, Window};
use super::ids::TouchpointCode;
use super::text::Text;

pub use checks::{CHECK_HOSTS, is_check_host};
pub use garden::{BadName, GardenName, GardenNames, covers};
pub use mac::{BadMac, Mac};
pub use zone::{BadZoneName, ZoneName};

/// `wifi.toml`: a policy for each zone. A zone without one has the default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wifi {
    #[serde(rename = "zone")]
    pub zones: BTreeMap<ZoneName, Policy>,
}

/// What one zone grants.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub access: Reach,
    /// The code of kind `wifi` whose page is shown; none: the store's first.
    pub touchpoint: Option<TouchpointCode>,
    /// The headline where there is no offer; none: "Guest Wi-Fi".
    pub welcome: Option<Text>,
    /// None: what the box's own settings say.
    pub session_minutes: Option<u32>,
    /// A device that moves nothing for so long has left; 0: it never has.
    pub idle_minutes: u32,
    /// Both ways together, in millions of bytes; 0: without a limit.
    pub quota_mb: u64,
    /// Thousands of bits a second; 0: without a limit.
    pub up_kbit: u64,
    pub down_kbit: u64,
    /// When the Internet is open to guests; empty: always. Pages always are.
    pub hours: Vec<Window>,
    /// Whether a device that was let in today is let in again unasked.
    pub same_day: bool,
    pub pass: Pass,
    pub garden: GardenNames,
    /// What is different for whoever holds a coupon of ours.
    pub coupon: Better,
    /// What is different for whoever staff have made a VIP.
    pub vip: Better,
}

/// How far the zone leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    #[default]
    Internet,
    /// Pages and nothing behind them: for a shop that may not offer access.
    Local,
}

/// What a tier changes; what it does not say stays as it is for every guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Better {
    pub session_minutes: Option<u32>,
    pub quota_mb: Option<u64>,
    pub up_kbit: Option<u64>,
    pub down_kbit: Option<u64>,
}

/// The temporary pass: into the walled garden and no further, without a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pass {
    /// 60 to 300; 0: there is none.
    pub seconds: u32,
    /// At most 3 for one device.
    pub per_hour: u32,
}

impl Default for Pass {
    fn default() -> Self {
        Self {
            seconds: 180,
            per_hour: 3,
        }
    }
}

impl Pass {
    /// How long one lasts. A number out of bounds counts as the nearest in them.
    pub fn lasts(self) -> Option<Duration> {
        (self.seconds > 0).then(|| Duration::from_secs(u64::from(self.seconds.clamp(60, 300))))
    }

    pub fn most_in_an_hour(self) -> usize {
        usize::try_from(self.per_hour.min(3)).unwrap_or(3)
    }
}

/// What a device is to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    Guest,
    /// Holds a coupon that can still be used.
    Coupon,
    Vip,
}

impl Tier {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Coupon => "coupon",
            Self::Vip => "vip",
        }
    }
}

/// What one session gets. None: without a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub session: Duration,
    pub idle: Option<Duration>,
    /// Bytes, both ways together.
    pub quota: Option<u64>,
    /// Bytes a second.
    pub up: Option<u64>,
    pub down: Option<u64>,
}

impl Policy {
    /// What a device of `tier` gets; `session` where the policy does not say how long.
    pub fn terms(&self, tier: Tier, session: Duration) -> Terms {
        let better = match tier {
            Tier::Guest => Better::default(),
            Tier::Coupon => self.coupon,
            Tier::Vip => self.vip,
        };
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        let or_unlimited =
            |number: u64, unit: u64| (number > 0).then(|| number.saturating_mul(unit));
        // A thousand bits are 125 bytes.
        let rate = |kbit| or_unlimited(kbit, 125);
        Terms {
            session: better
                .session_minutes
                .or(self.session_minutes)
                .map_or(session, minutes),
            idle: (self.idle_minutes > 0).then(|| minutes(self.idle_minutes)),
            quota: or_unlimited(better.quota_mb.unwrap_or(self.quota_mb), 1_000_000),
            up: rate(better.up_kbit.unwrap_or(self.up_kbit)),
            down: rate(better.down_kbit.unwrap_or(self.down_kbit)),
        }
    }

    /// Whether the Internet is open to guests at this time of the store's wall clock.
    pub fn is_open(&self, local: DateTime, holidays: &Holidays) -> bool {
        let mut hours = self.hours.iter();
        let in_hours = self.hours.is_empty() || hours.any(|hours| hours.contains(local, holidays));
        self.access == Reach::Internet && in_hours
    }

    /// When the hours that `local` lies in are over.
    pub fn closes_at(&self, local: DateTime, holidays: &Holidays) -> Option<DateTime> {
        self.hours
            .iter()
            .filter_map(|hours| hours.end_of(local, holidays))
            .max()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;
    use crate::domain::written::read_strictly;

    const FULL: &str = r#"
[zone.guest]
session_minutes = 240
idle_minutes = 30
quota_mb = 500
up_kbit = 2000
down_kbit = 10000
same_day = true
[[zone.guest.hours]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "10:00"
to = "22:30"
[zone.guest.coupon]
quota_mb = 2000
down_kbit = 0
[zone.guest.pass]
seconds = 120
[zone.guest.garden]
always = ["sw.cn"]
with_pass = ["*.weixin.qq.com"]
[zone.yard]
access = "local"
"#;

    fn policy(zone: &str) -> Policy {
        let wifi: Wifi = read_strictly("wifi.toml", FULL).unwrap();
        wifi.zones[&ZoneName::try_from(zone.to_owned()).unwrap()].clone()
    }

    #[test]
    fn a_tier_changes_what_it_names_and_nothing_else() {
        let hour = Duration::from_secs(3600);
        let guest = policy("guest").terms(Tier::Guest, hour);
        let coupon = policy("guest").terms(Tier::Coupon, hour);
        assert_eq!(guest.session, Duration::from_secs(4 * 3600));
        assert_eq!(guest.idle, Some(Duration::from_secs(1800)));
        assert_eq!(
            (guest.quota, guest.up, guest.down),
            (Some(500_000_000), Some(250_000), Some(1_250_000))
        );
        assert_eq!(
            (coupon.quota, coupon.up, coupon.down),
            (Some(2_000_000_000), Some(250_000), None)
        );
        assert_eq!(Policy::default().terms(Tier::Vip, hour).session, hour);
    }

    #[test]
    fn the_internet_closes_with_the_shop_and_a_local_zone_never_opens() {
        let guest = policy("guest");
        assert!(guest.is_open(datetime(2026, 12, 1, 22, 29, 0, 0), &Holidays::default()));
        assert!(!guest.is_open(datetime(2026, 12, 1, 22, 30, 0, 0), &Holidays::default()));
        let noon = datetime(2026, 12, 1, 12, 0, 0, 0);
        assert_eq!(
            guest.closes_at(noon, &Holidays::default()),
            Some(datetime(2026, 12, 1, 22, 30, 0, 0))
        );
        assert!(!policy("yard").is_open(noon, &Holidays::default()));
        assert!(Policy::default().is_open(noon, &Holidays::default()));
    }

    #[test]
    fn a_pass_stays_in_its_bounds_whatever_is_written() {
        let pass = |seconds, per_hour| Pass { seconds, per_hour };
        assert_eq!(pass(10, 9).lasts(), Some(Duration::from_secs(60)));
        assert_eq!(pass(9_999, 9).lasts(), Some(Duration::from_secs(300)));
        assert_eq!(pass(0, 9).lasts(), None);
        assert_eq!(pass(60, 9).most_in_an_hour(), 3);
    }
}
