//! Which guest was shown which code in the last days: so that a guest who asks again on the same day sees the
//! same one, and that caps and groups hold what they can.
//!
//! After a clock that was ahead and was set right, the counts of the last days begin anew.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::business_day;
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{Slug, StoreId, Vid};

/// As long as a group's code lasts.
const REMEMBERED_DAYS: i64 = 7;

/// More than a street gateway of a large chain has in a week; beyond it the oldest are forgotten.
const MOST: usize = 20_000;

/// The intents of the last business days at this box, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intents(Vec<Shown>);

/// A guest asked for an invitation and was shown this code of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    day: Date,
    store: StoreId,
    vid: Vid,
    invitation: Slug,
    code: Slug,
}

/// An invitation in a store: stores may use the same names.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    pub store: &'a StoreId,
    pub invitation: &'a Slug,
}

impl Shown {
    fn is_of(&self, of: Of<'_>) -> bool {
        self.store == *of.store && self.invitation == *of.invitation
    }
}

impl Intents {
    /// The code that a guest was shown last on `day`.
    pub fn shown(&self, of: Of<'_>, vid: Vid, day: Date) -> Option<&Slug> {
        let is_it = |shown: &&Shown| shown.day == day && shown.vid == vid && shown.is_of(of);
        self.0.iter().rfind(is_it).map(|shown| &shown.code)
    }

    /// How many guests were shown a code from the business day `since` up to `today`.
    pub fn count(&self, of: Of<'_>, code: &Slug, (since, today): (Date, Date)) -> u32 {
        let is_it = |shown: &&Shown| {
            since <= shown.day && shown.day <= today && shown.code == *code && shown.is_of(of)
        };
        u32::try_from(self.0.iter().filter(is_it).count()).unwrap_or(u32::MAX)
    }

    /// Takes in an event; whether it changed anything.
    pub fn apply(&mut self, occurrence: &Occurrence) -> bool {
        if let Event::EraseRequested(erased) = &occurrence.event {
            let before = self.0.len();
            self.0.retain(|known| known.vid != erased.vid);
            return self.0.len() < before;
        }
        let (Event::FollowIntent(intent)
        | Event::ContactIntent(intent)
        | Event::GroupIntent(intent)) = &occurrence.event
        else {
            return false;
        };
        let shown = Shown {
            day: business_day(occurrence.moment.local()),
            store: occurrence.store.clone(),
            vid: intent.vid,
            invitation: intent.invitation.clone(),
            code: intent.code.clone(),
        };
        // Read again from a log that overlaps a checkpoint.
        if self.0.contains(&shown) {
            return false;
        }
        let oldest = shown.day.saturating_sub(REMEMBERED_DAYS.days());
        self.0
            .retain(|known| oldest < known.day && known.day <= shown.day);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(shown);
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::Offset;

    use super::*;
    use crate::domain::event::{Intent, Moment};
    use crate::domain::ids::CouponId;

    fn intent(store: &str, day: &str, vid: u8) -> Occurrence {
        Occurrence {
            store: StoreId::parse(store).unwrap(),
            moment: Moment {
                at: format!("{day}T12:00:00Z").parse().unwrap(),
                offset: Offset::UTC,
            },
            event: Event::ContactIntent(Intent {
                invitation: Slug::parse("manager").unwrap(),
                code: Slug::parse("lin-1").unwrap(),
                vid: Vid::from_entropy([vid; 16]),
                coupon: CouponId::from_entropy([1; 16]),
            }),
        }
    }

    fn counted(intents: &Intents, store: &str, since: Date, today: Date) -> u32 {
        let of = Of {
            store: &StoreId::parse(store).unwrap(),
            invitation: &Slug::parse("manager").unwrap(),
        };
        intents.count(of, &Slug::parse("lin-1").unwrap(), (since, today))
    }

    #[test]
    fn a_week_is_remembered_each_store_by_itself_and_each_intent_once() {
        let mut intents = Intents::default();
        let first = intent("SZ01", "2026-12-01", 1);
        assert!(intents.apply(&first) && !intents.apply(&first));
        intents.apply(&intent("SZ01", "2026-12-02", 2));
        intents.apply(&intent("SZ03", "2026-12-02", 3));
        let (one, two) = (date(2026, 12, 1), date(2026, 12, 2));
        assert_eq!(counted(&intents, "SZ01", one, two), 2);
        assert_eq!(counted(&intents, "SZ01", two, two), 1);
        assert_eq!(counted(&intents, "SZ03", one, two), 1);
        let text = serde_json::to_string(&intents).unwrap();
        let mut again: Intents = serde_json::from_str(&text).unwrap();
        assert_eq!(again, intents);
        again.apply(&intent("SZ01", "2026-12-08", 4));
        let now = date(2026, 12, 8);
        assert_eq!(
            counted(&again, "SZ01", one, now),
            2,
            "the first is forgotten"
        );
    }

    #[test]
    fn a_clock_that_was_years_ahead_fills_no_cap_for_ever() {
        let mut intents = Intents::default();
        intents.apply(&intent("SZ01", "2036-01-01", 1));
        let today = date(2026, 12, 1);
        assert_eq!(counted(&intents, "SZ01", today, today), 0);
        intents.apply(&intent("SZ01", "2026-12-01", 2));
        assert_eq!(counted(&intents, "SZ01", today, date(2036, 1, 1)), 1);
    }
}
