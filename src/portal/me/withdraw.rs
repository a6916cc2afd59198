//! Taking an agreement back: one tap, as giving it was.

use axum::extract::State as Extract;
use axum::response::Response;

use crate::domain::event::{Consent, Event};
use crate::portal::State;
use crate::portal::error::not_kept;
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::visitor::Visitor;

/// `POST /me/withdraw`
pub(super) async fn withdraw(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    let (bundle, now, boot_time) = (state.bundle(), state.now(), state.boot_time());
    let vid = visitor.vid;
    let decide = move |ledger: &mut Ledger| {
        let given = vid.and_then(|vid| ledger.agreements().of(vid));
        let folder = given.and_then(|given| bundle.stores.get(&given.store));
        // Sent twice, or a store that has left the chain and its bundle: nothing is given here.
        let Some((given, folder)) = given.zip(folder) else {
            return only_say(());
        };
        let withdrawn = Event::ConsentWithdrawn(Consent {
            words: None,
            ..given.consent.clone()
        });
        write(boot_time, happening(&folder.store, now, withdrawn), ())
    };
    match state.journal.commit(decide).await {
        Ok(()) => visitor.see_other("/me"),
        Err(error) => not_kept(&error).page(&visitor),
    }
}
