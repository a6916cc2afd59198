//! What makes a guest a VIP, and when a regular sleeps or is lost, as a chain writes it: `members.toml`.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;

use super::MOST_VISITS;

/// A members file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemberRules {
    /// A VIP after so many days on which a coupon of theirs was handed over; none: visits lead nowhere.
    pub visits: Option<u32>,
    /// A VIP after so much as their parties paid, in fen; none: money leads nowhere. Either way is enough.
    pub spend_fen: Option<u32>,
    /// How far back both look, today included.
    pub within_days: u16,
    /// Whoever was not seen for so many days sleeps.
    pub sleeping_days: u16,
    /// And after so many is lost.
    pub lost_days: u16,
    /// Nobody is written to more often than once in so many days.
    pub reach_every_days: u16,
    /// Nor more often than so many times in a year.
    pub reach_most_a_year: u16,
}

impl Default for MemberRules {
    fn default() -> Self {
        Self {
            visits: None,
            spend_fen: None,
            within_days: 90,
            sleeping_days: 45,
            lost_days: 120,
            // Four a month are what the platforms let an account send, and half of that is what people stand.
            reach_every_days: 14,
            reach_most_a_year: 12,
        }
    }
}

/// A guest is remembered for longer than this.
const LONGEST: u16 = 366;

impl MemberRules {
    /// What is wrong with the file, where something is.
    pub fn fault(&self) -> Option<&'static str> {
        let visits = self.visits.map(usize::try_from);
        if visits.is_some_and(|visits| !visits.is_ok_and(|n| (1..=MOST_VISITS).contains(&n))) {
            Some("`visits` is 1 to 40")
        } else if self.spend_fen == Some(0) {
            Some("`spend_fen` is more than 0")
        } else if !(1..=LONGEST).contains(&self.within_days) {
            Some("`within_days` is 1 to 366")
        } else if self.sleeping_days == 0 || self.lost_days <= self.sleeping_days {
            Some("`lost_days` is more than `sleeping_days`, which is more than 0")
        } else {
            None
        }
    }

    /// Whether there is a way to become a VIP.
    pub const fn ask_for_something(&self) -> bool {
        self.visits.is_some() || self.spend_fen.is_some()
    }

    /// What is missing after these visits, each with what was paid; none where nothing is.
    pub fn missing(&self, visits: &[(Date, u32)], today: Date) -> Option<Missing> {
        let first = today.saturating_sub(i32::from(self.within_days.saturating_sub(1)).days());
        let counted = || {
            let is_counted = move |visit: &&(Date, u32)| first <= visit.0 && visit.0 <= today;
            visits.iter().filter(is_counted)
        };
        let days: BTreeSet<Date> = counted().map(|(day, _)| *day).collect();
        let days = u32::try_from(days.len()).unwrap_or(u32::MAX);
        let fen = counted().fold(0_u32, |sum, (_, fen)| sum.saturating_add(*fen));
        let missing = Missing {
            visits: self.visits.map(|asked| asked.saturating_sub(days)),
            fen: self.spend_fen.map(|asked| asked.saturating_sub(fen)),
        };
        let is_met = missing.visits == Some(0) || missing.fen == Some(0);
        (!is_met && self.ask_for_something()).then_some(missing)
    }
}

/// What a guest lacks to be a VIP: either is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub visits: Option<u32>,
    pub fen: Option<u32>,
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2026, 12, 31);

    fn rules(visits: Option<u32>, spend_fen: Option<u32>) -> MemberRules {
        MemberRules {
            visits,
            spend_fen,
            within_days: 30,
            ..MemberRules::default()
        }
    }

    #[test]
    fn visits_are_days_and_only_those_of_late_count() {
        let rules = rules(Some(3), None);
        let came = |days: &[i8]| {
            let visits: Vec<_> = days.iter().map(|day| (date(2026, 12, *day), 0)).collect();
            rules.missing(&visits, TODAY).map(|missing| missing.visits)
        };
        assert_eq!(came(&[]), Some(Some(3)));
        assert_eq!(came(&[30, 30, 30]), Some(Some(2)), "one day is one visit");
        assert_eq!(came(&[1, 30, 31]), Some(Some(1)), "the first is too old");
        assert_eq!(came(&[2, 30, 31]), None);
    }

    #[test]
    fn either_way_is_enough_and_no_way_leads_nowhere() {
        let paid = [(date(2026, 12, 20), 30_000), (date(2026, 12, 21), 20_000)];
        assert_eq!(rules(Some(9), Some(50_000)).missing(&paid, TODAY), None);
        assert_eq!(
            rules(Some(3), Some(50_001)).missing(&paid, TODAY),
            Some(Missing {
                visits: Some(1),
                fen: Some(1)
            })
        );
        assert_eq!(rules(None, None).missing(&paid, TODAY), None);
        assert!(!rules(None, None).ask_for_something());
    }

    #[test]
    fn a_rule_that_nobody_could_meet_or_that_forgets_is_a_mistake_of_its_file() {
        assert_eq!(MemberRules::default().fault(), None);
        let wrong = |change: fn(&mut MemberRules)| {
            let mut rules = rules(Some(3), None);
            change(&mut rules);
            rules.fault().is_some()
        };
        assert!(!wrong(|_| {}));
        assert!(wrong(|rules| rules.visits = Some(0)));
        assert!(wrong(|rules| rules.visits = Some(41)));
        assert!(wrong(|rules| rules.spend_fen = Some(0)));
        assert!(wrong(|rules| rules.within_days = 367));
        assert!(wrong(|rules| rules.lost_days = 45));
    }
}
