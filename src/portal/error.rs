//! What a diner reads when something does not work: what happened, what was kept, what to do next.

use axum::http::StatusCode;
use axum::response::Response;

use super::pages::{MessagePage, Shell, page, render};
use super::visitor::Visitor;
use crate::domain::wallet::TapRefused;
use crate::journal::CommitError;

/// Everything that can end in a page of apology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apology {
    /// A touchpoint code that is malformed, unknown or not bound to a place.
    UnknownCode,
    UnknownCoupon,
    /// The form came without what it needs.
    Incomplete,
    OfferClosed,
    SoldOut,
    /// The journal cannot keep something else than a claim.
    NotSaved,
    /// More calls or feedback than the counter takes from one guest, or one place.
    Enough,
    /// More bookings ahead than one guest, or the shop, can have.
    BookedEnough,
    /// The shop takes none here.
    NoBookings,
    /// An invitation whose people are away, or that is there no more.
    NobodyThere,
    /// The journal cannot keep a capture, so nothing is promised.
    CannotKeep,
    NoSuchPage,
    /// The till from outside the staff network.
    StaffOnly,
    /// A device that is in no guest network of this box.
    WifiElsewhere,
    /// Not at this hour, or not in this shop at all.
    WifiClosed,
    /// There is no Internet to be let into.
    WifiAway,
    WifiBlocked,
    /// The quota of the day.
    WifiSpent,
    WifiPassesSpent,
    /// The wall has no room, or does not answer.
    WifiFull,
}

impl Apology {
    const fn status(self) -> StatusCode {
        match self {
            Self::UnknownCode
            | Self::UnknownCoupon
            | Self::NobodyThere
            | Self::NoBookings
            | Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::Incomplete | Self::WifiElsewhere => StatusCode::UNPROCESSABLE_ENTITY,
            Self::OfferClosed | Self::SoldOut => StatusCode::CONFLICT,
            Self::CannotKeep | Self::NotSaved | Self::WifiFull | Self::WifiAway => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::StaffOnly | Self::WifiClosed | Self::WifiBlocked => StatusCode::FORBIDDEN,
            Self::WifiSpent | Self::WifiPassesSpent | Self::Enough | Self::BookedEnough => {
                StatusCode::TOO_MANY_REQUESTS
            }
        }
    }

    /// Where there is still something to do, the way there.
    fn way_back(self) -> Option<String> {
        match self {
            Self::WifiClosed
            | Self::WifiAway
            | Self::WifiSpent
            | Self::WifiPassesSpent
            | Self::WifiFull => Some("/".to_owned()),
            Self::NobodyThere | Self::BookedEnough => Some("/me".to_owned()),
            Self::UnknownCode
            | Self::UnknownCoupon
            | Self::Enough
            | Self::NoBookings
            | Self::Incomplete
            | Self::OfferClosed
            | Self::SoldOut
            | Self::NotSaved
            | Self::CannotKeep
            | Self::NoSuchPage
            | Self::StaffOnly
            | Self::WifiElsewhere
            | Self::WifiBlocked => None,
        }
    }

    /// The page, in the visitor's language.
    pub(super) fn page(self, visitor: &Visitor) -> Response {
        let shell = Shell::of(visitor, None);
        let (error, coupon, till) = (&shell.t.error, &shell.t.coupon, &shell.t.till);
        let wifi = &shell.t.wifi;
        let (title, text) = match self {
            Self::UnknownCode => (&error.unknown_title, &error.unknown_text),
            Self::UnknownCoupon => (&coupon.unknown_title, &coupon.unknown_text),
            Self::Incomplete => (&error.form_title, &error.form_text),
            Self::OfferClosed => (&error.closed_title, &error.closed_text),
            Self::SoldOut => (&error.sold_out_title, &error.sold_out_text),
            Self::Enough => (
                &shell.t.feedback.enough_title,
                &shell.t.feedback.enough_text,
            ),
            Self::BookedEnough => (&shell.t.book.enough_title, &shell.t.book.enough_text),
            Self::NoBookings => (&shell.t.book.none_title, &shell.t.book.none_text),
            Self::NotSaved => (&error.unsaved_title, &error.unsaved_text),
            Self::NobodyThere => (&shell.t.invite.nobody_title, &shell.t.invite.nobody_text),
            Self::CannotKeep => (&error.busy_title, &error.busy_text),
            Self::NoSuchPage => (&error.missing_title, &error.missing_text),
            Self::StaffOnly => (&till.staff_only, &till.staff_only_text),
            Self::WifiElsewhere => (&wifi.elsewhere_title, &wifi.elsewhere_text),
            Self::WifiClosed => (&wifi.closed_title, &wifi.closed_text),
            Self::WifiAway => (&wifi.away_title, &wifi.away_text),
            Self::WifiBlocked => (&wifi.blocked_title, &wifi.blocked_text),
            Self::WifiSpent => (&wifi.spent_title, &wifi.spent_text),
            Self::WifiPassesSpent => (&wifi.passes_title, &wifi.passes_text),
            Self::WifiFull => (&wifi.full_title, &wifi.full_text),
        };
        let html = render(&MessagePage {
            title,
            text,
            back: self.way_back(),
            shell,
        });
        page(self.status(), visitor.packing, html)
    }
}

impl From<TapRefused> for Apology {
    fn from(refused: TapRefused) -> Self {
        match refused {
            TapRefused::Closed | TapRefused::Stopped => Self::OfferClosed,
            TapRefused::TableIsDone | TapRefused::StoreIsDone | TapRefused::CampaignIsDone => {
                Self::SoldOut
            }
            TapRefused::NoCodeLeft => Self::CannotKeep,
        }
    }
}

/// The same for what is no claim: whoever did it holds what they held.
pub(super) fn not_saved(error: &CommitError) -> Apology {
    not_kept(error);
    Apology::NotSaved
}

/// Logs a capture that could not be kept, once, and turns it into the honest page.
pub(super) fn not_kept(error: &CommitError) -> Apology {
    tracing::error!(error = %error, error.code = error.code(), "a capture could not be kept and was not acknowledged");
    Apology::CannotKeep
}
