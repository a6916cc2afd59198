//! After green, where staff like: how many the party are, and what they paid.
//!
//! Each answer is a form of its own, so that one tap on a number is enough; a later answer of the same redemption
//! takes the place of the one before. What cannot be is said at its field, and changes nothing.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::redeem::{self, Outcome, gift};
use super::{AtTill, fields, sign_in};
use crate::domain::bill::{Fen, Party, in_yuan};
use crate::domain::event::{Bill, Event, Redeem};
use crate::domain::floor::{BillIs, Noted};
use crate::domain::ids::RedemptionId;
use crate::domain::text::Text;
use crate::domain::wallet::UndoRefused;
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, only_say, write_and_promote};
use crate::portal::texts::Texts;

#[derive(Debug, Deserialize)]
pub(super) struct BillForm {
    redemption: RedemptionId,
    party: Option<String>,
    amount: Option<String>,
}

/// What came of an answer.
#[derive(Default)]
pub(in crate::portal) struct Said {
    pub(super) gift: Option<Text>,
    noted: Noted,
    fault: Option<Fault>,
}

/// What was typed and cannot be.
#[derive(Clone)]
enum Fault {
    Party(String),
    Amount(String),
}

/// `POST /till/bill`
pub(super) async fn note(
    Extract(state): Extract<State>,
    at_till: AtTill,
    form: Result<Form<BillForm>, FormRejection>,
) -> Response {
    let visitor = &at_till.visitor;
    let form = match fields(form) {
        Ok(form) => form,
        Err(apology) => return apology.page(visitor),
    };
    let (Some(device), Some(staff)) = (at_till.device, at_till.staff) else {
        return sign_in::page(&state, visitor, StatusCode::FORBIDDEN, None);
    };
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(visitor);
    };
    let mut bill = Bill {
        redemption: Some(form.redemption),
        number: None,
        party: None,
        amount: None,
        staff: staff.clone(),
        device,
    };
    let fault = read(&form, &mut bill).err();
    let (store, clock, boot_time) = (
        folder.store.clone(),
        Arc::clone(&state.clock),
        state.boot_time(),
    );
    let rules = Arc::clone(&bundle);
    let decide = move |ledger: &mut Ledger| {
        let done = ledger.wallet().redemption_by_id(form.redemption);
        let Some(redeem) = done.map(|done| done.redeem) else {
            return only_say(None);
        };
        let (is, noted) = ledger.floor().look_at(&bill);
        let said = Said {
            gift: gift(&ledger.wallet(), &rules, redeem.coupon, &redeem.campaign),
            noted,
            fault,
        };
        let answer = Some((said, redeem.coupon));
        let says_nothing = bill.party.is_none() && bill.amount.is_none();
        if is == BillIs::New && !says_nothing {
            let rules = (boot_time, &rules.members);
            let at = (&store, clock.now());
            write_and_promote(ledger, rules, at, (Event::Bill(bill), Vec::new()), answer)
        } else {
            only_say(answer)
        }
    };
    match state.journal.commit(decide).await {
        Ok(Some((said, coupon))) => {
            let noted = Outcome::Noted(said);
            redeem::page(&state, visitor, &staff, noted, Some(coupon))
        }
        Ok(None) => {
            // Taken back since the page was shown.
            let gone = Outcome::Undone(Err(UndoRefused::Unknown));
            redeem::page(&state, visitor, &staff, gone, None)
        }
        Err(error) => not_saved(&error).page(visitor),
    }
}

/// Reads what was typed into `bill`; a field that stayed empty says nothing.
fn read(form: &BillForm, bill: &mut Bill) -> Result<(), Fault> {
    let typed = |field: &Option<String>| field.clone().filter(|text| !text.trim().is_empty());
    if let Some(party) = typed(&form.party) {
        bill.party = Some(Party::parse(&party).map_err(|_| Fault::Party(party))?);
    }
    if let Some(amount) = typed(&form.amount) {
        bill.amount = Some(Fen::parse_yuan(&amount).map_err(|_| Fault::Amount(amount))?);
    }
    Ok(())
}

/// The questions after green, with what is known.
pub(super) struct Paid {
    pub(super) redemption: RedemptionId,
    noted: Noted,
    fault: Option<Fault>,
}

impl Paid {
    /// None where there is nothing to ask.
    pub(super) fn after(outcome: &Outcome, redeem: &Redeem) -> Option<Self> {
        let (noted, fault) = match outcome {
            Outcome::Redeemed(_) => (Noted::default(), None),
            Outcome::Noted(said) => (said.noted.clone(), said.fault.clone()),
            Outcome::None | Outcome::Refused(_) | Outcome::Undone(_) | Outcome::NeedsManager(_) => {
                return None;
            }
        };
        Some(Self {
            redemption: redeem.redemption,
            noted,
            fault,
        })
    }

    pub(super) const fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    pub(super) fn is_party_of(&self, people: &u8) -> bool {
        self.noted.party.map(Party::people) == Some(*people)
    }

    pub(super) fn party_fault(&self) -> Option<&str> {
        match &self.fault {
            Some(Fault::Party(typed)) => Some(typed),
            Some(Fault::Amount(_)) | None => None,
        }
    }

    pub(super) fn amount_fault(&self) -> Option<&str> {
        match &self.fault {
            Some(Fault::Amount(typed)) => Some(typed),
            Some(Fault::Party(_)) | None => None,
        }
    }

    pub(super) fn noted_in_words(&self, t: &Texts) -> Option<String> {
        let party = self.noted.party.map(Party::people);
        let party = party.map(|people| t.till.noted_party.replace("{n}", &people.to_string()));
        let amount = self.noted.amount.map(|fen| in_yuan(u64::from(fen.fen())));
        let parts: Vec<_> = party
            .into_iter()
            .chain(amount.map(|yuan| format!("¥{yuan}")))
            .collect();
        (!parts.is_empty()).then(|| parts.join(" · "))
    }
}
