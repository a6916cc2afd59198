//! `POST /api/v1/bill`: what a party paid, told by its point of sale; a number is noted once.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{Asked, Refusal, json};
use crate::domain::bill::{BadBill, BillNumber, Fen, Party};
use crate::domain::event::{Bill, Event};
use crate::domain::floor::BillIs;
use crate::domain::ids::RedemptionId;
use crate::portal::State;
use crate::portal::ledger::{Ledger, only_say, write_and_promote};
use crate::wire::pos::Pos;

/// Numbers wide enough that one which cannot be is named as such.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    number: String,
    amount_fen: Option<i64>,
    party: Option<i64>,
    redemption: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    number: String,
    is: &'static str,
}

impl Question {
    fn bill(&self, pos: &Pos) -> Result<Bill, Refusal> {
        let party = self.party.map(|people| {
            let people = u8::try_from(people).map_err(|_| BadBill::Party)?;
            Party::try_from(people)
        });
        let amount = self.amount_fen.map(|fen| {
            let fen = u32::try_from(fen).map_err(|_| BadBill::Amount)?;
            Fen::try_from(fen)
        });
        let redemption = self.redemption.as_deref().map(RedemptionId::parse);
        if party.is_none() && amount.is_none() {
            return Err(bad(BadBill::Amount));
        }
        Ok(Bill {
            redemption: redemption.transpose().map_err(|_| {
                let message = "a redemption is named by the 32 digits of its answer";
                Refusal::bad("bad_redemption", message)
            })?,
            number: Some(BillNumber::parse(&self.number).map_err(bad)?),
            party: party.transpose().map_err(bad)?,
            amount: amount.transpose().map_err(bad)?,
            staff: pos.name.clone(),
            device: pos.device(),
        })
    }
}

fn bad(why: BadBill) -> Refusal {
    let code = match why {
        BadBill::Party => "bad_party",
        BadBill::Amount => "bad_amount",
        BadBill::Number => "bad_number",
    };
    Refusal::bad(code, &why.to_string())
}

pub(super) async fn bill(
    Extract(state): Extract<State>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let question: Question = asked.read()?;
    let bill = question.bill(&asked.pos)?;
    let bundle = state.bundle();
    let folder = state.own_store(&bundle).ok_or_else(Refusal::not_ready)?;
    let (store, clock, boot_time) = (
        folder.store.clone(),
        Arc::clone(&state.clock),
        state.boot_time(),
    );
    let decide = move |ledger: &mut Ledger| {
        let is_stranger = |id| ledger.wallet().redemption_by_id(id).is_none();
        if bill.redemption.is_some_and(is_stranger) {
            return only_say(Err(Refusal::no(
                "unknown_redemption",
                "nothing was redeemed under it, or it was taken back",
            )));
        }
        match ledger.floor().look_at(&bill).0 {
            BillIs::New => {
                let rules = (boot_time, &bundle.members);
                let at = (&store, clock.now());
                write_and_promote(
                    ledger,
                    rules,
                    at,
                    (Event::Bill(bill), Vec::new()),
                    Ok("new"),
                )
            }
            BillIs::Known => only_say(Ok("known")),
            BillIs::Another => only_say(Err(Refusal::no(
                "number_used",
                "this number was noted with other contents",
            ))),
        }
    };
    let is = state
        .journal
        .commit(decide)
        .await
        .map_err(|error| Refusal::not_kept(&error))??;
    let number = question.number;
    Ok(json(StatusCode::OK, &Answer { number, is }))
}
