//! A redemption that was a mistake: within ten minutes whoever redeemed takes it back, later and for others a
//! manager's PIN does, for as long as the box remembers it (a week after the coupon has ended).

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::redeem::{self, Outcome};
use super::sign_in::{self, PinRefused, SignInForm};
use super::{AtTill, fields};
use crate::domain::ids::{RedemptionId, StaffName};
use crate::domain::wallet::{UndoRefused, Undoer};
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, only_say, write_all};
use crate::portal::referral::reward;
use crate::portal::texts::Till;
use crate::wire::bundle::StoreFolder;
use crate::wire::staff::{Role, Staff};

#[derive(Debug, Deserialize)]
pub(super) struct UndoForm {
    redemption: RedemptionId,
}

/// `POST /till/undo`
pub(super) async fn undo(
    Extract(state): Extract<State>,
    at_till: AtTill,
    form: Result<Form<UndoForm>, FormRejection>,
) -> Response {
    let visitor = &at_till.visitor;
    let form = match fields(form) {
        Ok(form) => form,
        Err(apology) => return apology.page(visitor),
    };
    let Some(staff) = at_till.staff else {
        return sign_in::page(&state, visitor, StatusCode::FORBIDDEN, None);
    };
    let by = By::Staff(staff.clone());
    match take_back(&state, form.redemption, by).await {
        Ok(outcome) => redeem::page(&state, visitor, &staff, outcome, None),
        Err(apology) => apology.page(visitor),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ManagerForm {
    redemption: RedemptionId,
    name: StaffName,
    pin: String,
}

/// `POST /till/undo/manager`
pub(super) async fn by_manager(
    Extract(state): Extract<State>,
    at_till: AtTill,
    form: Result<Form<ManagerForm>, FormRejection>,
) -> Response {
    let visitor = &at_till.visitor;
    let ManagerForm {
        redemption,
        name,
        pin,
    } = match fields(form) {
        Ok(form) => form,
        Err(apology) => return apology.page(visitor),
    };
    let (Some(device), Some(staff)) = (at_till.device, at_till.staff) else {
        return sign_in::page(&state, visitor, StatusCode::FORBIDDEN, None);
    };
    let is_manager = |staff: &Staff| staff.role == Role::Manager;
    let typed = SignInForm { name, pin };
    let outcome = match sign_in::try_pin(&state, visitor, device, typed, is_manager).await {
        Ok(manager) => take_back(&state, redemption, By::Manager(manager.name)).await,
        Err(PinRefused::NotKept(apology)) => Err(apology),
        Err(PinRefused::Said(status, fault)) => Ok(Outcome::NeedsManager(Ask {
            redemption,
            why: UndoRefused::TooLate,
            fault: Some((status, fault)),
        })),
    };
    match outcome {
        Ok(outcome) => redeem::page(&state, visitor, &staff, outcome, None),
        Err(apology) => apology.page(visitor),
    }
}

/// Who asks, on the way to the owner thread.
enum By {
    Staff(StaffName),
    Manager(StaffName),
}

impl By {
    const fn undoer(&self) -> Undoer<'_> {
        match self {
            Self::Staff(name) => Undoer::Staff(name),
            Self::Manager(name) => Undoer::Manager(name),
        }
    }
}

async fn take_back(state: &State, redemption: RedemptionId, by: By) -> Result<Outcome, Apology> {
    let bundle = state.bundle();
    let folder = state.own_store(&bundle).ok_or(Apology::NoSuchPage)?;
    let (store, clock, boot_time) = (
        folder.store.clone(),
        Arc::clone(&state.clock),
        state.boot_time(),
    );
    let decide = move |ledger: &mut Ledger| {
        let now = clock.now();
        let wallet = ledger.wallet();
        match wallet.undo(redemption, by.undoer(), now) {
            Ok(undone) => {
                let events = reward::undone((ledger, &wallet), undone, now);
                write_all(boot_time, (&store, now), events, Ok(()))
            }
            Err(refused) => only_say(Err(refused)),
        }
    };
    let decided = state.journal.commit(decide).await;
    Ok(match decided.map_err(|error| not_saved(&error))? {
        Err(why @ (UndoRefused::NotTheirs | UndoRefused::TooLate)) => Outcome::NeedsManager(Ask {
            redemption,
            why,
            fault: None,
        }),
        decided @ (Ok(()) | Err(UndoRefused::Unknown)) => Outcome::Undone(decided),
    })
}

/// Only a manager may take it back.
pub(in crate::portal) struct Ask {
    redemption: RedemptionId,
    why: UndoRefused,
    /// What came of a PIN that was typed.
    fault: Option<(StatusCode, String)>,
}

impl Ask {
    pub(super) fn why<'t>(&self, t: &'t Till) -> &'t str {
        refusal(self.why, t)
    }
}

pub(super) fn refusal(why: UndoRefused, t: &Till) -> &str {
    match why {
        UndoRefused::Unknown => &t.undo_unknown,
        UndoRefused::NotTheirs => &t.undo_theirs,
        UndoRefused::TooLate => &t.undo_late,
    }
}

/// The form for a manager's PIN.
pub(super) struct AskManager {
    pub(super) redemption: RedemptionId,
    pub(super) managers: Vec<StaffName>,
    pub(super) fault: Option<String>,
    status: StatusCode,
}

impl AskManager {
    pub(super) fn of(ask: &Ask, folder: &StoreFolder) -> Self {
        let managers = folder.staff.iter();
        let managers = managers.filter(|staff| staff.role == Role::Manager);
        let (status, fault) = ask.fault.clone().unzip();
        Self {
            redemption: ask.redemption,
            managers: managers.map(|staff| staff.name.clone()).collect(),
            fault,
            status: status.unwrap_or(StatusCode::CONFLICT),
        }
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }
}
