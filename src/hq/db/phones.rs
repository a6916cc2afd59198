//! Numbers that guests typed with bookings, as the ledger keeps them: sealed, for a store and a booking, until a week
//! after its day.
//!
//! Pure; the SQL is in `embedded` and `postgres`. Of two words about one booking the one with more changes counts, so
//! neither the order nor the number of times that they come in changes anything. A booking that is cancelled has no
//! number any more, until its guest takes that back.

use jiff::{SignedDuration, Timestamp};

use crate::domain::booking::{Booking, Standing};
use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{BookingId, ShortCode, StoreId, Vid};
use crate::domain::sealed::Sealed;

/// Somebody leaves an umbrella, and the shop calls them.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What an event says of a booking with a number.
#[derive(Debug, Clone)]
pub struct BookedPhone {
    pub booking: BookingId,
    pub(super) store: StoreId,
    pub(super) code: ShortCode,
    pub(super) vid: Vid,
    pub(super) revision: u32,
    /// For when it is booked.
    pub(super) at: Timestamp,
    pub(super) sealed: Option<Sealed>,
}

impl BookedPhone {
    pub(crate) fn of(occurrence: &Occurrence) -> Option<Self> {
        let booking: &Booking = if let Event::BookingRequested(booking)
        | Event::BookingChanged(booking)
        | Event::EventRsvp(booking)
        | Event::EventCheckin(booking) = &occurrence.event
        {
            booking
        } else {
            return None;
        };
        let phone = booking.phone.clone()?;
        let moment = &occurrence.moment;
        let at = moment.offset.to_timestamp(booking.at).ok();
        Some(Self {
            booking: booking.id,
            store: occurrence.store.clone(),
            code: booking.code,
            vid: booking.vid,
            revision: booking.revision,
            at: at.unwrap_or(moment.at),
            sealed: (booking.standing != Standing::Cancelled).then_some(phone),
        })
    }
}

/// Which of a store's bookings is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Booking(BookingId),
    /// As its guest says it at the door, and the counter shows it.
    Code(ShortCode),
}

impl Which {
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match (BookingId::parse(text), ShortCode::parse(text)) {
            (Ok(booking), _) => Ok(Self::Booking(booking)),
            (Err(_), Ok(code)) => Ok(Self::Code(code)),
            (Err(_), Err(_)) => Err("a booking is meant by its code, or by the end of its address"),
        }
    }
}

/// A number that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub booking: BookingId,
    pub sealed: Sealed,
}
