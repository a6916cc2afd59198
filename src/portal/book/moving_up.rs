//! Whoever waits for a table or a place has it when there is room again.
//!
//! Room comes where somebody cancels, stays away or is forgotten, and where a new bundle takes more. Each who moves up
//! is one frame; what a crash leaves undone the next start does.

use std::sync::Arc;

use super::said;
use crate::domain::ids::StoreId;
use crate::journal::Journal;
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::{State, boot_time};
use crate::wire::bundle::Bundle;

/// Lets everybody move up for whom there is room in the store this box stands in.
pub(in crate::portal) async fn move_up(state: &State) {
    if let Some(store) = &state.store {
        let clock = (&state.clock, state.boot);
        move_up_in(&state.journal, (store, &state.bundle()), clock).await;
    }
}

/// The same, for whoever is no page.
pub(in crate::portal) async fn move_up_in(
    journal: &Journal<Ledger>,
    (store, bundle): (&StoreId, &Arc<Bundle>),
    (clock, boot): (&Arc<dyn Clock>, u32),
) {
    loop {
        let (store, bundle, clock) = (store.clone(), Arc::clone(bundle), Arc::clone(clock));
        let decide = move |ledger: &mut Ledger| {
            let now = clock.now();
            let next = bundle.stores.get(&store).and_then(|folder| {
                let next = ledger.bookings().next_up(folder.house(), now)?;
                Some((&folder.store, next))
            });
            match next {
                Some((store, next)) => {
                    let happened = happening(store, now, said(next));
                    write(boot_time(&*clock, boot), happened, true)
                }
                None => only_say(false),
            }
        };
        // A journal that cannot write has said so where the decision before was made.
        if !journal.commit(decide).await.unwrap_or(false) {
            return;
        }
    }
}

/// Lets them move up at the start, and with each bundle from then on.
pub(in crate::portal) fn follow(state: &State, tasks: &Tasks) {
    let (own, state) = (tasks.clone(), state.clone());
    tasks.spawn("bookings", async move {
        let mut bundles = state.parts.bundle.clone();
        loop {
            move_up(&state).await;
            let next = tokio::select! {
                next = bundles.changed() => next,
                () = own.stopping() => return,
            };
            // Nobody brings one to a shop without headquarters.
            if next.is_err() {
                return;
            }
        }
    });
}
