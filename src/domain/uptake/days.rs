//! A shop's figures of the last business days, for the page at its own counter: sums of [`fold`].
//!
//! A sum counts, so a frame that it took twice would be wrong, and after a crash the journal shows frames again.
//! Therefore each line knows how far into each stream it has come, and takes nothing a second time. A line is
//! one entry of the checkpoint, its sums and its places in one value: whichever of the older and the newer
//! lines a power cut leaves behind, the frames after the checkpoint make each of them right.
//!
//! Promises that a line is the fold over all frames that the journal has shown, in whatever order its two spools
//! come, and that its size is bounded. The limits:
//!
//! - The latest days are kept. Days of a clock that ran ahead stay until they have come, and a box that was so
//!   wrong on more than a fortnight of them has no room left for today.
//! - A day is that of the box's clock. Headquarters dates again what was noted while that was wrong.
//! - A frame that moved to a new stream counts twice if the medium loses the checkpoint's position after the old
//!   frames have gone, and nothing has happened since in its line.

use std::fmt::Write;

use jiff::ToSpan;
use jiff::civil::Date;

use super::through::Through;
use super::{Fact, Step, fold};
use crate::domain::calendar::business_day;
use crate::domain::event::Occurrence;
use crate::domain::ids::{CampaignId, FramePlace, StoreId, StreamId};

/// The page shows two. The others are room for a clock that was wrong.
const KEPT_DAYS: usize = 16;

/// The lines of one store.
#[derive(Debug, Default)]
pub struct DayBook {
    /// Nobody asks a box beside headquarters, which has the events of all stores.
    store: Option<StoreId>,
    /// By day and campaign.
    lines: Vec<Line>,
    /// Keys of lines that the checkpoint may hold.
    gone: Vec<String>,
}

/// A day's sums of one campaign, or of what belongs to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    store: StoreId,
    day: Date,
    campaign: Option<CampaignId>,
    sums: Sums,
    /// What is in the sums.
    through: Through,
    has_changed: bool,
}

/// A figure for each [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums([i64; Step::COUNT]);

/// A day as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    pub all: Sums,
    /// Those that anything happened in, by name.
    pub campaigns: Vec<(CampaignId, Sums)>,
}

impl DayBook {
    pub fn of(store: Option<StoreId>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// Whether it counts nothing.
    pub const fn is_of_nobody(&self) -> bool {
        self.store.is_none()
    }

    /// Takes in all events of the frame at `at`, or none where it was taken in before.
    pub fn apply(&mut self, at: FramePlace, frame: &[Occurrence]) {
        let mut adds = Vec::new();
        for fact in frame.iter().flat_map(fold) {
            if let Fact::Add { cell, step, by } = fact
                && self.store.as_ref() == Some(&cell.store)
            {
                adds.push((business_day(cell.hour), cell.campaign, step, by));
            }
        }
        for (day, campaign, step, by) in &adds {
            if let Some(line) = self.line(*day, campaign.as_ref())
                && !line.through.contains(at)
            {
                line.sums.0[*step as usize] += by;
                line.has_changed = true;
            }
        }
        // Not before: another event of this frame may be of the same line.
        for (day, campaign, ..) in &adds {
            if let Some(line) = self.line(*day, campaign.as_ref()) {
                line.through.reach(at);
            }
        }
    }

    pub fn day(&self, day: Date) -> Day {
        let mut shown = Day::default();
        for line in self.lines.iter().filter(|line| line.day == day) {
            shown.all.add(&line.sums);
            if let Some(campaign) = &line.campaign {
                shown.campaigns.push((campaign.clone(), line.sums));
            }
        }
        shown
    }

    /// How often a campaign's coupons were claimed in the seven days up to `today`, as it may be said in public:
    /// nothing below ten, and from a hundred on whole tens, rounded down.
    pub fn claimed_in_a_week(&self, campaign: &CampaignId, today: Date) -> Option<i64> {
        const WORTH_SAYING: i64 = 10;
        let first = today.checked_sub(6.days()).ok()?;
        let is_its = |line: &&Line| {
            (first..=today).contains(&line.day) && line.campaign.as_ref() == Some(campaign)
        };
        let lines = self.lines.iter().filter(is_its);
        let claimed: i64 = lines.map(|line| line.sums.of(Step::Claimed)).sum();
        let said = if claimed < 100 {
            claimed
        } else {
            claimed - claimed % 10
        };
        (said >= WORTH_SAYING).then_some(said)
    }

    /// Forgets everything but whose book it is.
    pub fn reset(&mut self) {
        *self = Self::of(self.store.take());
    }

    /// The lines that have changed since the last call, written out, by their keys: `None` for one that is gone.
    pub fn take_changes(&mut self) -> Vec<(String, Option<String>)> {
        let gone = std::mem::take(&mut self.gone).into_iter();
        let mut changes: Vec<_> = gone.map(|key| (key, None)).collect();
        for line in &mut self.lines {
            if std::mem::take(&mut line.has_changed) {
                changes.push((line.key(), Some(line.write())));
            }
        }
        changes
    }

    /// Takes back a line of the checkpoint. One of another store was written before the box moved.
    pub fn restore(&mut self, line: Line) {
        if self.store.as_ref() == Some(&line.store) {
            self.insert(line);
        }
    }

    /// The line of a day and a campaign, begun if need be; none for a day that is older than all that are kept.
    fn line(&mut self, day: Date, campaign: Option<&CampaignId>) -> Option<&mut Line> {
        let is_it = |line: &Line| line.day == day && line.campaign.as_ref() == campaign;
        if !self.lines.iter().any(is_it) {
            self.insert(Line {
                store: self.store.clone()?,
                day,
                campaign: campaign.cloned(),
                sums: Sums::default(),
                through: Through::default(),
                has_changed: false,
            });
        }
        self.lines.iter_mut().find(|line| is_it(line))
    }

    /// Puts a line in its place, and lets go of the oldest day if there is one too many.
    fn insert(&mut self, line: Line) {
        let goes_before = |other: &Line| (other.day, &other.campaign) < (line.day, &line.campaign);
        let place = self.lines.iter().take_while(|other| goes_before(other));
        self.lines.insert(place.count(), line);
        let mut days = 1;
        for pair in self.lines.windows(2) {
            days += usize::from(pair[0].day != pair[1].day);
        }
        let oldest = self.lines[0].day;
        while days > KEPT_DAYS && self.lines[0].day == oldest {
            let key = self.lines.remove(0).key();
            // A replay of weeks begins the same old day with every frame of it.
            if !self.gone.contains(&key) {
                self.gone.push(key);
            }
        }
    }
}

impl Day {
    /// The sums of one campaign.
    pub fn of(&self, campaign: &CampaignId) -> Sums {
        let found = self.campaigns.iter().find(|(id, _)| id == campaign);
        found.map_or_else(Sums::default, |(_, sums)| *sums)
    }
}

impl Line {
    /// Reads what [`DayBook::take_changes`] has written.
    pub fn read(written: &str) -> Option<Self> {
        let mut fields = written.split('|');
        let mut field = || fields.next();
        let mut line = Self {
            store: StoreId::parse(field()?).ok()?,
            day: field()?.parse().ok()?,
            campaign: match field()? {
                "" => None,
                id => Some(CampaignId::parse(id).ok()?),
            },
            sums: Sums::default(),
            through: Through::default(),
            has_changed: false,
        };
        // A later version may have more steps, and an earlier one had fewer.
        for (sum, written) in line.sums.0.iter_mut().zip(field()?.split(' ')) {
            *sum = written.parse().ok()?;
        }
        for place in fields {
            let (stream, last) = place.split_once(' ')?;
            let stream = StreamId(stream.parse().ok()?);
            line.through.push(stream, last.parse().ok()?);
        }
        Some(line)
    }

    /// `store|day|campaign|sum sum …|stream last|stream last …`
    fn write(&self) -> String {
        let mut written = format!("{}|{}|{}|", self.store, self.day, self.campaign_name());
        for (place, sum) in self.sums.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(written, "{space}{sum}").expect("writing into memory does not fail");
        }
        for (stream, last) in self.through.iter() {
            write!(written, "|{stream} {last}").expect("writing into memory does not fail");
        }
        written
    }

    fn key(&self) -> String {
        format!("{} {}", self.day, self.campaign_name())
    }

    fn campaign_name(&self) -> &str {
        self.campaign.as_ref().map_or("", CampaignId::as_str)
    }
}

impl Sums {
    pub const fn of(&self, step: Step) -> i64 {
        self.0[step as usize]
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, more: &Self) {
        for (sum, more) in self.0.iter_mut().zip(more.0) {
            *sum += more;
        }
    }
}

#[cfg(test)]
mod tests;
