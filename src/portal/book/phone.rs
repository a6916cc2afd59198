//! A number that a guest types with a booking: checked, sealed to headquarters, and then unreadable here.
//!
//! It lives as long as the request that brings it. The pages say afterwards that there is one, and no digit of it.

use super::{Fields, store_of};
use crate::domain::phone::{BadPhone, Phone};
use crate::domain::sealed::Sealed;
use crate::portal::State;
use crate::portal::texts::Book as Texts;
use crate::wire::bundle::Bundle;
use crate::wire::sealed::about_booking;

/// Why a number is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    Bad(BadPhone),
    /// There is nobody to seal it to.
    NoKey,
}

/// Whether there is somebody to seal a number to.
pub(super) const fn is_taken(bundle: &Bundle) -> bool {
    bundle.sealing_key.is_some()
}

/// What may be kept of the number that was typed; none where none was.
pub(super) fn sealed(state: &State, fields: &Fields) -> Result<Option<Sealed>, NotTaken> {
    let bundle = state.bundle();
    let folder = store_of(state, &bundle, fields.store.as_ref());
    let country = folder.map(|folder| folder.store.country);
    let typed = Phone::typed(&fields.phone, country.unwrap_or_default());
    let Some(phone) = typed.map_err(NotTaken::Bad)? else {
        return Ok(None);
    };
    let (Some(key), Some(id)) = (bundle.sealing_key, fields.id) else {
        return Err(NotTaken::NoKey);
    };
    match key.seal_phone(&about_booking(id), &phone) {
        Ok(kept) => Ok(Some(kept.sealed)),
        Err(_) => Err(NotTaken::NoKey),
    }
}

/// What is wrong with it, said at its field.
pub(super) fn fault(t: &Texts, why: NotTaken) -> &str {
    match why {
        NotTaken::Bad(BadPhone::NotDigits) => &t.fault_phone,
        NotTaken::Bad(BadPhone::NotOfHere) => &t.fault_phone_here,
        NotTaken::Bad(BadPhone::NotOfThere) => &t.fault_phone_there,
        NotTaken::NoKey => &t.fault_phone_key,
    }
}
