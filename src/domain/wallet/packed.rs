//! What a record is made of, small: 50,000 coupons have to live in a router's memory.
//!
//! A name that many coupons share is a number here and is written out in [`Names`] once.

use jiff::Timestamp;

use crate::domain::ids::{CampaignId, StaffName, StoreId};
use crate::domain::text::Text;

/// A time to the millisecond, which is how frames and checkpoints keep it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(i64);

impl Millis {
    /// The minute it lies in, since 1970; what is before that lies in the first.
    pub(super) fn minute(self) -> u32 {
        u32::try_from(self.0.max(0) / 60_000).unwrap_or(u32::MAX)
    }
}

impl From<Timestamp> for Millis {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl From<Millis> for Timestamp {
    fn from(Millis(millis): Millis) -> Self {
        Self::from_millisecond(millis).expect("it was a timestamp before")
    }
}

/// What is true of a coupon or a redemption or is not, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(u8);

#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Flag {
    OffPeak = 1,
    Consented = 2,
    GivenBack = 4,
    PassedDown = 8,
    FromElsewhere = 16,
    Provisional = 32,
    Unplaced = 64,
    Given = 128,
}

impl Flags {
    pub(super) fn of(flags: impl IntoIterator<Item = (Flag, bool)>) -> Self {
        flags
            .into_iter()
            .fold(Self::default(), |mut all, (flag, is_so)| {
                all.set(flag, is_so);
                all
            })
    }

    pub(super) const fn has(self, flag: Flag) -> bool {
        self.0 & flag as u8 != 0
    }

    pub(super) const fn set(&mut self, flag: Flag, is_so: bool) {
        if is_so {
            self.0 |= flag as u8;
        } else {
            self.0 &= !(flag as u8);
        }
    }
}

/// How much of a record the checkpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// Nothing: a replay of the log brings it again, so it must not be forgotten.
    Never,
    /// What it was before it changed.
    Older,
    AsItIs,
}

impl Saved {
    pub(super) fn has_changed(&mut self) {
        if *self == Self::AsItIs {
            *self = Self::Older;
        }
    }
}

/// Stands for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Number(u32);

impl Number {
    /// Stands for nothing, where something else says so.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// The names that records share.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) campaigns: Shared<CampaignId>,
    pub(super) stores: Shared<StoreId>,
    pub(super) gifts: Shared<Text>,
    pub(super) staff: Shared<StaffName>,
}

/// Values that are kept once and for as long as the process runs: a chain writes a few dozen a year.
#[derive(Debug)]
pub(super) struct Shared<T>(Vec<T>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + PartialEq> Shared<T> {
    /// The number of a value that may be new.
    pub(super) fn number(&mut self, value: &T) -> Number {
        self.find(value).unwrap_or_else(|| {
            self.0.push(value.clone());
            Self::nth(self.0.len() - 1)
        })
    }

    /// The number of a value that a record has had.
    pub(super) fn find(&self, value: &T) -> Option<Number> {
        // From the end, because the campaign that runs now is asked for most.
        self.0
            .iter()
            .rposition(|known| known == value)
            .map(Self::nth)
    }

    pub(super) fn get(&self, Number(number): Number) -> &T {
        &self.0[number as usize]
    }

    fn nth(place: usize) -> Number {
        Number(u32::try_from(place).expect("memory ends long before the numbers"))
    }
}
