//! `/v1/redeem` and `/v1/unused`: a store asks whether it may redeem a coupon of another one.
//!
//! What the answer means and how long it holds is written in `db::sisters`. A box speaks for the store that it
//! was enrolled for, whatever it says. Asks the ledger once and waits for nothing else: a guest stands at a till.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;

use super::sync::Known;
use super::{Refused, read_json};
use crate::domain::wallet::Said;
use crate::hq::db::sisters::Wish;
use crate::hq::state::Shared;
use crate::ops::metrics;
use crate::wire::link::{RedeemAnswer, RedeemQuestion, Serves, Unused};

pub(super) async fn redeem(
    State(hq): State<Shared>,
    Known(gateway): Known,
    body: Body,
) -> Result<Json<RedeemAnswer>, Refused> {
    let question: RedeemQuestion = read_json(body).await?;
    let Serves::Store(store) = gateway.serves else {
        let message = "a street gateway redeems nothing";
        return Err(Refused::new(StatusCode::FORBIDDEN, "no_till", &message));
    };
    let now = hq.clock.now();
    if !hq.admission.admits(gateway.id, now) {
        let message = "this gateway asks too often; try again";
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Err(Refused::new(status, "gateway_busy", &message));
    }
    let wish = Wish {
        coupon: question.coupon,
        redemption: question.redemption,
        nonce: question.nonce,
        gateway: gateway.id,
        store,
        home: question.home,
        now,
    };
    let (answer, word) = match hq.ledger.reserve(wish).await? {
        // The ledger always says something; nothing would be a no.
        Said::Nothing => {
            let message = "headquarters has no answer; try again";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Refused::new(status, "no_answer", &message));
        }
        Said::Yes => (RedeemAnswer::Yes, "yes"),
        Said::Used { store, at } => (RedeemAnswer::Used { store, at }, "used"),
        Said::Voided => (RedeemAnswer::Voided, "voided"),
    };
    metrics::add_of(metrics::HQ_SISTERS, ("answer", word), 1);
    Ok(Json(answer))
}

pub(super) async fn unused(
    State(hq): State<Shared>,
    Known(gateway): Known,
    body: Body,
) -> Result<StatusCode, Refused> {
    let unused: Unused = read_json(body).await?;
    hq.ledger.release(gateway.id, unused).await?;
    Ok(StatusCode::NO_CONTENT)
}
