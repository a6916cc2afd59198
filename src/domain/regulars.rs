//! Regulars: at which stage a guest is, who stands on which list, and whether somebody may write to them.
//!
//! Pure, and by dates alone. Nobody is written to who did not agree, whom no channel reaches, or who was written
//! to of late: the caps are the chain's own ([`MemberRules`]).

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::members::{Birthday, MemberRules};

/// At which stage a guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Seen on one day, of late.
    New,
    /// Seen on several, and of late.
    Active,
    Sleeping,
    Lost,
}

impl Stage {
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Sleeping => "sleeping",
            Self::Lost => "lost",
        }
    }
}

/// The stage of a guest who was seen on so many days, the last of them then.
pub fn stage(days: u32, last: Date, today: Date, rules: &MemberRules) -> Stage {
    let away = today.duration_since(last).as_hours() / 24;
    if away >= i64::from(rules.lost_days) {
        Stage::Lost
    } else if away >= i64::from(rules.sleeping_days) {
        Stage::Sleeping
    } else if days > 1 {
        Stage::Active
    } else {
        Stage::New
    }
}

/// Whom to look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Not seen for a while, and not lost yet.
    Sleeping,
    /// With a birthday this month, told for this purpose.
    Birthdays,
    /// The fifth of the guests who were seen on most days.
    TopByVisits,
    /// The fifth whose parties paid most.
    TopBySpend,
}

impl List {
    pub const ALL: [Self; 4] = [
        Self::Sleeping,
        Self::Birthdays,
        Self::TopByVisits,
        Self::TopBySpend,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sleeping => "sleeping",
            Self::Birthdays => "birthdays",
            Self::TopByVisits => "top-visits",
            Self::TopBySpend => "top-spend",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.name() == name)
    }
}

/// What a list is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regular {
    /// Days seen, and the last of them.
    pub seen: Option<(u32, Date)>,
    pub spent_fen: u64,
    pub birthday: Option<Birthday>,
}

/// Who of `guests` stands on a list, by their places, those first who matter most.
pub fn on_list(list: List, guests: &[Regular], today: Date, rules: &MemberRules) -> Vec<usize> {
    let worth = |guest: &Regular| {
        let (days, last) = guest.seen.unwrap_or((0, Date::MIN));
        match list {
            List::Sleeping => {
                let sleeps =
                    guest.seen.is_some() && stage(days, last, today, rules) == Stage::Sleeping;
                sleeps.then_some(u64::from(days))
            }
            List::Birthdays => {
                let is_now = guest
                    .birthday
                    .is_some_and(|day| day.month() == today.month());
                is_now.then_some(u64::from(days))
            }
            List::TopByVisits => (days > 0).then_some(u64::from(days)),
            List::TopBySpend => (guest.spent_fen > 0).then_some(guest.spent_fen),
        }
    };
    let places = guests.iter().enumerate();
    let worths = places.filter_map(|(place, guest)| Some((worth(guest)?, place)));
    let mut worths: Vec<(u64, usize)> = worths.collect();
    worths.sort_unstable_by_key(|(worth, place)| (std::cmp::Reverse(*worth), *place));
    match list {
        List::Sleeping | List::Birthdays => {}
        // A fifth, and at least one.
        List::TopByVisits | List::TopBySpend => worths.truncate(worths.len().div_ceil(5)),
    }
    worths.into_iter().map(|(_, place)| place).collect()
}

/// Why nobody writes to a guest now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// They can be spoken to when they come, and that is all.
    #[error("did not agree to messages")]
    NoConsent,
    #[error("was written to of late")]
    OfLate,
    #[error("was written to as often as a year allows")]
    OftenEnough,
}

/// A year of a cap.
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Whether a guest may be written to at `now`, who was at the times `reached` before.
pub fn may_reach(
    consents: bool,
    reached: &[Timestamp],
    now: Timestamp,
    rules: &MemberRules,
) -> Result<(), NotNow> {
    let every = SignedDuration::from_hours(i64::from(rules.reach_every_days) * 24);
    // What a clock that was wrong wrote down as of tomorrow was lately, too.
    let within = |span: SignedDuration| {
        let is_within = move |at: &&Timestamp| now.duration_since(**at) < span;
        reached.iter().filter(is_within).count()
    };
    if !consents {
        Err(NotNow::NoConsent)
    } else if within(every) > 0 {
        Err(NotNow::OfLate)
    } else if within(YEAR) >= usize::from(rules.reach_most_a_year) {
        Err(NotNow::OftenEnough)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = date(2026, 12, 1);

    fn seen(days: u32, days_ago: i32) -> Regular {
        Regular {
            seen: Some((days, TODAY.saturating_sub(days_ago.days()))),
            spent_fen: 0,
            birthday: None,
        }
    }

    #[test]
    fn a_stage_follows_from_the_days_alone() {
        let rules = MemberRules::default();
        for (days, days_ago, expected) in [
            (1, 0, Stage::New),
            (1, 44, Stage::New),
            (2, 0, Stage::Active),
            (9, 44, Stage::Active),
            (1, 45, Stage::Sleeping),
            (9, 45, Stage::Sleeping),
            (9, 119, Stage::Sleeping),
            (9, 120, Stage::Lost),
            (1, 999, Stage::Lost),
            // A box's clock was ahead.
            (2, -3, Stage::Active),
        ] {
            let (days, last) = seen(days, days_ago).seen.unwrap();
            assert_eq!(
                stage(days, last, TODAY, &rules),
                expected,
                "{days} {days_ago}"
            );
        }
    }

    #[test]
    fn who_sleeps_stands_on_the_list_the_most_faithful_first_and_who_is_lost_does_not() {
        let guests = [seen(2, 50), seen(9, 3), seen(7, 60), seen(9, 200)];
        let list = |list| on_list(list, &guests, TODAY, &MemberRules::default());
        assert_eq!(list(List::Sleeping), [2, 0]);
        assert_eq!(list(List::TopByVisits), [1], "a fifth of four is one");
        assert!(list(List::TopBySpend).is_empty());
        assert!(list(List::Birthdays).is_empty());
    }

    #[test]
    fn a_birthday_counts_in_its_month_of_every_year() {
        let mut guests = [seen(1, 0), seen(3, 0), seen(2, 0)];
        guests[0].birthday = Birthday::parse("12-31").ok();
        guests[1].birthday = Birthday::parse("11-30").ok();
        guests[2].birthday = Birthday::parse("12-01").ok();
        let rules = MemberRules::default();
        assert_eq!(on_list(List::Birthdays, &guests, TODAY, &rules), [2, 0]);
    }

    #[test]
    fn the_top_fifth_by_spend_are_those_who_paid_most() {
        let guests: Vec<_> = (0..11)
            .map(|n| Regular {
                spent_fen: n * 100,
                ..seen(1, 0)
            })
            .collect();
        let rules = MemberRules::default();
        assert_eq!(on_list(List::TopBySpend, &guests, TODAY, &rules), [10, 9]);
    }

    fn now() -> Timestamp {
        "2026-12-01T04:00:00Z".parse().unwrap()
    }

    fn days_ago(days: i64) -> Timestamp {
        now() - SignedDuration::from_hours(days * 24)
    }

    #[test]
    fn nobody_is_written_to_without_consent_or_more_often_than_the_chain_says() {
        let rules = MemberRules {
            reach_most_a_year: 2,
            ..MemberRules::default()
        };
        let may = |consents, days: &[i64]| {
            let reached: Vec<_> = days.iter().copied().map(days_ago).collect();
            may_reach(consents, &reached, now(), &rules)
        };
        assert_eq!(may(true, &[]), Ok(()));
        assert_eq!(may(false, &[]), Err(NotNow::NoConsent));
        assert_eq!(may(true, &[13]), Err(NotNow::OfLate));
        assert_eq!(may(true, &[14]), Ok(()));
        assert_eq!(may(true, &[400, 100, 14]), Err(NotNow::OftenEnough));
        assert_eq!(may(true, &[400, 366, 14]), Ok(()));
        assert_eq!(
            may(true, &[-1]),
            Err(NotNow::OfLate),
            "a clock that was wrong"
        );
    }

    proptest! {
        #[test]
        fn whoever_is_written_to_whenever_it_may_be_is_written_to_within_the_caps(
            tries in proptest::collection::vec(0..400_i64, 0..60),
            (every, most) in (1..40_u16, 1..6_u16),
        ) {
            let rules = MemberRules {
                reach_every_days: every,
                reach_most_a_year: most,
                ..MemberRules::default()
            };
            let mut tries = tries;
            tries.sort_unstable();
            let mut reached: Vec<Timestamp> = Vec::new();
            for day in tries {
                let at = days_ago(400 - day);
                if may_reach(true, &reached, at, &rules).is_ok() {
                    reached.push(at);
                }
                prop_assert!(may_reach(false, &reached, at, &rules).is_err());
            }
            for pair in reached.windows(2) {
                let apart = pair[1].duration_since(pair[0]);
                prop_assert!(apart.as_hours() >= i64::from(every) * 24);
            }
            for (place, first) in reached.iter().enumerate() {
                let year = reached[place..].iter().filter(|at| at.duration_since(*first) < YEAR);
                prop_assert!(year.count() <= usize::from(most));
            }
        }
    }
}
