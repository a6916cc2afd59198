//! What happens at the wall, on its way to headquarters: ended sessions and used passes, as counts and bytes
//! without a device. And the sweep that ends them.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::State;
use super::ledger::happening;
use crate::admission::book::Kind;
use crate::admission::{Told, What};
use crate::domain::event::{AdmissionEnded, Event, PassUsed};
use crate::ops::metrics;
use crate::ops::tasks::Tasks;

/// A quota is cut by the kernel at once; whoever has used theirs up is told so within this.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

pub(super) fn start(state: &State, tasks: &Tasks) {
    let (own, wall) = (tasks.clone(), state.wall.clone());
    tasks.spawn("sessions", async move {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = own.stopping() => return,
            }
            let wall = wall.clone();
            if tokio::task::spawn_blocking(move || wall.sweep())
                .await
                .is_err()
            {
                tracing::error!("the sweep of the sessions panicked; the next one goes on");
            }
        }
    });
    let (own, state) = (tasks.clone(), state.clone());
    let mut told = state.wall.listen();
    tasks.spawn("endings", async move {
        loop {
            let next = tokio::select! {
                next = told.recv() => next,
                () = own.stopping() => return,
            };
            match next {
                Ok(told) => state.saw_at_the_wall(&told),
                // P1: what a crowd leaves behind may be dropped.
                Err(RecvError::Lagged(dropped)) => metrics::add(metrics::ENDINGS_MISSED, dropped),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

impl State {
    fn saw_at_the_wall(&self, told: &Told) {
        let bundle = self.bundle();
        let Some(folder) = self.own_store(&bundle) else {
            return;
        };
        self.log_ending(&bundle, folder, told);
        let Some(event) = event(told) else {
            return;
        };
        self.views.saw(happening(&folder.store, told.at, event));
    }
}

fn event(told: &Told) -> Option<Event> {
    let zone = told.zone.clone();
    match told.what {
        What::Admitted {
            kind: Kind::Pass, ..
        } => Some(Event::PassUsed(PassUsed { zone })),
        What::Ended {
            tier,
            kind: Kind::Open,
            reason,
            seconds,
            moved,
        } => Some(Event::AdmissionEnded(AdmissionEnded {
            zone,
            tier,
            reason: reason.name().to_owned(),
            seconds,
            up: moved.up,
            down: moved.down,
        })),
        // Who was let in is known with their cookie where they tapped; the end of a pass, as a refusal, is the
        // box's own affair.
        What::Admitted {
            kind: Kind::Open, ..
        }
        | What::Ended {
            kind: Kind::Pass, ..
        } => None,
    }
}
