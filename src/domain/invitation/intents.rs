//! Which guest was shown which code in the last days: so that a guest who asks again on the same day sees the
//! same one, and that caps and groups hold what they can.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::business_day;
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{Slug, Vid};

/// As long as a group's code lasts.
const REMEMBERED_DAYS: i64 = 7;

/// The intents of the last business days at this box, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intents(Vec<Shown>);

/// A guest asked for an invitation and was shown this code of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub day: Date,
    pub vid: Vid,
    pub invitation: Slug,
    pub code: Slug,
}

impl Intents {
    /// The code that a guest was shown on `day`.
    pub fn of(&self, vid: Vid, invitation: &Slug, day: Date) -> Option<&Slug> {
        let is_it = |shown: &&Shown| {
            shown.day == day && shown.vid == vid && shown.invitation == *invitation
        };
        self.0.iter().rfind(is_it).map(|shown| &shown.code)
    }

    /// How many guests were shown a code from `since` on.
    pub fn count(&self, invitation: &Slug, code: &Slug, since: Date) -> u32 {
        let is_it = |shown: &&Shown| {
            shown.day >= since && shown.invitation == *invitation && shown.code == *code
        };
        u32::try_from(self.0.iter().filter(is_it).count()).unwrap_or(u32::MAX)
    }

    /// Takes in an event; whether it was one of these.
    pub fn apply(&mut self, occurrence: &Occurrence) -> bool {
        let (Event::FollowIntent(intent)
        | Event::ContactIntent(intent)
        | Event::GroupIntent(intent)) = &occurrence.event
        else {
            return false;
        };
        let shown = Shown {
            day: business_day(occurrence.moment.local()),
            vid: intent.vid,
            invitation: intent.invitation.clone(),
            code: intent.code.clone(),
        };
        // Read again from a log that overlaps a checkpoint.
        if self.0.contains(&shown) {
            return false;
        }
        let oldest = shown.day.saturating_sub(REMEMBERED_DAYS.days());
        self.0.retain(|known| known.day > oldest);
        self.0.push(shown);
        true
    }
}
