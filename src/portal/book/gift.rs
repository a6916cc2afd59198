//! What comes with a table or a tasting: what pages promise, and the coupon when its guest sits down.
//!
//! Both ask the wallet, the one for the booked time and the other for now. So nothing is promised that the campaign
//! would not give then by its dates, its windows and its stock, or that this guest has had already; and whoever comes
//! early or late gets what was promised for their time. A table is worth more than a gift: where there is none, the
//! table stays.

use jiff::Timestamp;

use crate::domain::booking::Booking;
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::Event;
use crate::domain::ids::{CouponId, TapId};
use crate::domain::offer::Occasion;
use crate::domain::store::Touchpoint;
use crate::domain::text::Language;
use crate::domain::wallet::{Fresh, TapAsked, TapRefused, Tapped};
use crate::ops::metrics;
use crate::portal::State;
use crate::portal::ledger::Ledger;
use crate::portal::texts::texts;
use crate::wire::bundle::{Bundle, StoreFolder};

/// The campaign that comes with what was booked, at one of the store's tables, and who asks for it.
struct Gift<'a> {
    state: &'a State,
    bundle: &'a Bundle,
    folder: &'a StoreFolder,
    ledger: &'a Ledger,
    booking: &'a Booking,
    campaign: &'a Campaign,
    touchpoint: &'a Touchpoint,
}

impl<'a> Gift<'a> {
    /// None where the store gives nothing with it, or the guest has it.
    fn of(
        state: &'a State,
        bundle: &'a Bundle,
        ledger: &'a Ledger,
        booking: &'a Booking,
    ) -> Option<Self> {
        if booking.gift.is_some() {
            return None;
        }
        let folder = bundle.stores.get(&booking.store)?;
        let campaign = bundle.campaign(folder.house().gift(booking)?)?;
        // A claim counts for a place, and nobody has said yet which table it is.
        let mut places = folder.touchpoints.values();
        let touchpoint =
            places.find(|place| place.is_bound() && campaign.touchpoints.contains(&place.kind))?;
        Some(Self {
            state,
            bundle,
            folder,
            ledger,
            booking,
            campaign,
            touchpoint,
        })
    }

    fn asked(&self, at: Timestamp, fresh: Fresh) -> TapAsked<'_> {
        let vid = Some(self.booking.vid);
        TapAsked {
            // The same booking is the same tap, however often it is seated.
            tap: TapId::from_entropy(self.booking.id.to_bytes()),
            vid,
            standing: self.ledger.members().standing(vid),
            occasion: Occasion::Seated,
            store: &self.folder.store,
            touchpoint: self.touchpoint,
            campaign: self.campaign,
            slice: self.bundle.slice(self.campaign),
            issuer: self.state.issuer,
            now: at,
            fresh,
        }
    }

    /// Whether it will be there at the booked time, beside those that were promised before.
    fn is_to_come(&self) -> bool {
        let store = &self.folder.store;
        let Some(at) = store.moment_of(self.booking.at) else {
            return false;
        };
        let asked = self.asked(at, Fresh::default());
        let wallet = self.ledger.wallet();
        let limit = wallet.limit_reached(self.booking.vid, self.campaign, store, at);
        match (limit, wallet.left(&asked)) {
            (Some(_), _) | (None, Err(_)) => false,
            (None, Ok(None)) => true,
            (None, Ok(Some(left))) => {
                let day = left.is_of_today.then(|| business_day(self.booking.at));
                let before = self.ledger.bookings().others_before(self.booking, day);
                before < usize::try_from(left.coupons).unwrap_or(usize::MAX)
            }
        }
    }
}

/// What comes with a table, in words, where it is certain enough to be said.
pub(in crate::portal) fn promised(
    state: &State,
    bundle: &Bundle,
    ledger: &Ledger,
    booking: &Booking,
    language: Language,
) -> Option<String> {
    let gift = Gift::of(state, bundle, ledger, booking)?;
    if !booking.standing.is_ahead() || !gift.is_to_come() {
        return None;
    }
    let name = gift.campaign.offer.gift.name(language);
    Some(texts(language).book.gift.replace("{gift}", &name))
}

/// The coupon of a guest who sits down now, and its claim where it is new. None where the campaign gives nothing to
/// them, or where staff note days later that they came.
pub(in crate::portal) fn given(
    state: &State,
    bundle: &Bundle,
    ledger: &Ledger,
    booking: &Booking,
    fresh: Fresh,
) -> (Option<CouponId>, Option<Event>) {
    let Some(gift) = Gift::of(state, bundle, ledger, booking) else {
        return (None, None);
    };
    let (store, now) = (&gift.folder.store, state.now());
    if business_day(booking.at) < business_day(store.local(now)) {
        return (None, None);
    }
    let claim = |at| ledger.wallet().claim(&gift.asked(at, fresh));
    let claimed = match (claim(now), store.moment_of(booking.at)) {
        (Err(TapRefused::Closed), Some(booked)) => claim(booked),
        (claimed, _) => claimed,
    };
    match claimed {
        Ok(Tapped::Held(coupon)) => (Some(coupon), None),
        Ok(Tapped::New(claim)) => {
            metrics::count(metrics::CLAIMS);
            (Some(claim.coupon), Some(Event::Claim(*claim)))
        }
        Err(_) => {
            metrics::count(metrics::CLAIMS_REFUSED);
            (None, None)
        }
    }
}
