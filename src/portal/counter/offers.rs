//! What staff say of an offer: sold out for today, so many left, stopped; each with its way back.
//!
//! It is one frame of the journal, so it counts for the next tap and survives a power cut.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::response::Response;
use serde::Deserialize;

use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::{Event, PromoSwitched};
use crate::domain::ids::CampaignId;
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::domain::wallet::TapRefused;
use crate::portal::State;
use crate::portal::error::{Apology, not_saved};
use crate::portal::form::{Form, FormRejection};
use crate::portal::ledger::{Ledger, happening, only_say, write};
use crate::portal::pages::see_other;
use crate::portal::table::left_in_words;
use crate::portal::texts::texts;
use crate::portal::till::SignedIn;
use crate::wire::bundle::Bundle;

/// The most that staff can say is left.
const MOST_LEFT: u32 = 9_999;

/// One offer of today.
pub(super) struct Offer {
    pub(super) campaign: CampaignId,
    pub(super) title: String,
    pub(super) gift: String,
    /// What is left, in words.
    pub(super) left: String,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Planned,
    /// Staff said how many are left today.
    SetByHand,
    Stopped,
}

impl Offer {
    pub(super) fn is_stopped(&self) -> bool {
        self.standing == Standing::Stopped
    }

    pub(super) fn is_set_by_hand(&self) -> bool {
        self.standing == Standing::SetByHand
    }
}

/// The offers of today in `store`, whatever the hour is.
pub(super) fn today(
    state: &State,
    bundle: &Bundle,
    store: &Store,
    language: Language,
) -> Vec<Offer> {
    let now = state.now();
    let day = business_day(store.local(now));
    let t = &texts(language).counter;
    let left = |stock| match stock {
        Ok(Some(left)) => left_in_words(left, language),
        Ok(None) => t.stock_open.clone(),
        Err(TapRefused::Stopped) => t.stopped.clone(),
        Err(TapRefused::CampaignIsDone) => t.used_up.clone(),
        Err(_) => t.sold_out.clone(),
    };
    let wallet = state.wallet.read();
    let runs = |campaign: &&Campaign| campaign.reaches(store) && campaign.runs_on(day);
    let offer = |campaign: &Campaign| Offer {
        campaign: campaign.id.clone(),
        title: campaign.title.of(language).to_owned(),
        gift: campaign.offer.gift.name(language),
        left: left(wallet.stock(campaign, store, None, bundle.slice(campaign), now)),
        standing: if wallet.is_stopped(campaign) {
            Standing::Stopped
        } else if wallet.is_set_by_hand(campaign, store, now) {
            Standing::SetByHand
        } else {
            Standing::Planned
        },
    };
    bundle.campaigns.values().filter(runs).map(offer).collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct StockForm {
    campaign: CampaignId,
    /// Empty: as the campaign's own limits say.
    left: String,
}

/// `POST /counter/stock`
pub(super) async fn set_stock(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    form: Result<Form<StockForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    let left = match form.left.trim() {
        "" => None,
        number => match number.parse::<u32>() {
            Ok(left) if left <= MOST_LEFT => Some(left),
            Ok(_) | Err(_) => return Apology::Incomplete.page(&signed_in.visitor),
        },
    };
    say(&state, signed_in, form.campaign, Said::Left(left)).await
}

#[derive(Debug, Deserialize)]
pub(super) struct SwitchForm {
    campaign: CampaignId,
    on: bool,
}

/// `POST /counter/switch`
pub(super) async fn switch(
    Extract(state): Extract<State>,
    signed_in: SignedIn,
    form: Result<Form<SwitchForm>, FormRejection>,
) -> Response {
    let Ok(Form(SwitchForm { campaign, on })) = form else {
        return Apology::Incomplete.page(&signed_in.visitor);
    };
    let said = if on { Said::GoOn } else { Said::Stop };
    say(&state, signed_in, campaign, said).await
}

#[derive(Debug, Clone, Copy)]
enum Said {
    /// So many today; none for as many as the campaign's limits leave.
    Left(Option<u32>),
    Stop,
    GoOn,
}

async fn say(
    state: &State,
    SignedIn { visitor, staff, .. }: SignedIn,
    campaign: CampaignId,
    said: Said,
) -> Response {
    let Some(store) = state.store.clone() else {
        return see_other("/till");
    };
    let bundle = state.bundle();
    let clock = Arc::clone(&state.clock);
    let boot_time = state.boot_time();
    let decide = move |ledger: &mut Ledger| {
        let folder = bundle.stores.get(&store);
        let campaign = bundle.campaign(&campaign);
        let Some((folder, campaign)) = folder.zip(campaign) else {
            // Gone from the bundle since the page was shown.
            return only_say(Err(Apology::Incomplete));
        };
        let now = clock.now();
        let switched = |on| PromoSwitched {
            campaign: campaign.id.clone(),
            on,
            staff: staff.clone(),
        };
        let event = match said {
            Said::Left(left) => {
                let wallet = ledger.wallet();
                let (store, staff) = (&folder.store, staff.clone());
                Event::StockChanged(wallet.set_stock(campaign, store, left, staff, now))
            }
            Said::Stop => Event::PromoSwitched(switched(false)),
            Said::GoOn => Event::PromoSwitched(switched(true)),
        };
        write(boot_time, happening(&folder.store, now, event), Ok(()))
    };
    match state.journal.commit(decide).await {
        Ok(Ok(())) => see_other("/counter"),
        Ok(Err(apology)) => apology.page(&visitor),
        Err(error) => not_saved(&error).page(&visitor),
    }
}
