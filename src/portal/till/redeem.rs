//! Green or red: a code is redeemed once.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::about::About;
use super::bill::{self, Paid};
use super::undo::{self, AskManager};
use super::{AtTill, fields, script, sign_in, sisters};
use crate::domain::calendar::clock;
use crate::domain::event::{Event, Redeem, RedeemRefused, RefusalReason};
use crate::domain::ids::{
    CampaignId, CouponId, DeviceId, Issuer, MemberCode, RedemptionId, ShortCode, StaffName, StoreId,
};
use crate::domain::store::Store;
use crate::domain::text::{Language, Text};
use crate::domain::wallet::{
    Fresh, Presented, RedeemAsked, Said as Told, TillRefused, UndoRefused, Wallet,
};
use crate::journal::{CommitError, Verdict};
use crate::ops::clock::Clock;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::State;
use crate::portal::counter;
use crate::portal::coupon::on_the_wall;
use crate::portal::error::{Apology, not_kept};
use crate::portal::form::{Form, FormRejection};
use crate::portal::join::fresh;
use crate::portal::ledger::{Ledger, only_say, write_and_promote};
use crate::portal::pages::{self, LanguageLink, Shell, render, see_other};
use crate::portal::referral::reward;
use crate::portal::texts::Texts;
use crate::portal::visitor::Visitor;
use crate::wire::bundle::Bundle;
use crate::wire::frame::BootTime;
use crate::wire::token::{self, BadToken};

/// Slips that the page lists. The red page of a coupon that was used leads to every other one.
const MOST_RECENT: usize = 8;

/// What the page has to say about what was just done.
pub(in crate::portal) enum Outcome {
    None,
    /// The coupon is good; this is what it is for.
    Redeemed(Option<Text>),
    Refused(No),
    Undone(Result<(), UndoRefused>),
    /// Only a manager may take it back.
    NeedsManager(undo::Ask),
    /// Something was said of the party, or could not be.
    Noted(bill::Said),
}

/// Why the till says no.
pub(in crate::portal) enum No {
    /// What was typed or scanned is neither a code nor a token that can be checked.
    Unreadable(RefusalReason),
    Wallet(TillRefused),
    /// Too many unknown codes were typed on this device.
    Wait,
    /// The asker's own number stands for another coupon, or for what was taken back.
    NumberUsed,
}

#[derive(Debug, Deserialize)]
pub(super) struct RedeemForm {
    code: String,
    /// Made with the page: the same form sent twice is one redemption.
    redemption: RedemptionId,
}

/// `POST /till/redeem`
pub(super) async fn redeem(
    axum::extract::State(state): axum::extract::State<State>,
    at_till: AtTill,
    form: Result<Form<RedeemForm>, FormRejection>,
) -> Response {
    let visitor = &at_till.visitor;
    let form = match fields(form) {
        Ok(form) => form,
        Err(apology) => return apology.page(visitor),
    };
    let (Some(device), Some(staff)) = (at_till.device, at_till.staff) else {
        return sign_in::page(&state, visitor, StatusCode::FORBIDDEN, None);
    };
    let Some(store) = state.store.clone() else {
        return Apology::NoSuchPage.page(visitor);
    };
    if let Ok(card) = MemberCode::parse(&form.code) {
        return see_other(&counter::guest_with(card));
    }
    let bundle = state.bundle();
    let presented = read(&form.code, &state, &bundle);
    let shown = presented.as_ref().ok();
    let coupon = shown.and_then(|shown| state.wallet.read().shown(shown));
    let asked = Asked {
        presented,
        redemption: form.redemption,
        spare: Some(RedemptionId::from_entropy(random())),
        staff: staff.clone(),
        device,
        store,
        bundle,
        clock: Arc::clone(&state.clock),
        boot_time: state.boot_time(),
        issuer: state.issuer,
        fresh: fresh(),
    };
    let outcome = settle(&state, asked).await;
    match outcome {
        Ok(outcome) => {
            metrics::count(match outcome {
                Outcome::Redeemed(_) => metrics::REDEMPTIONS,
                Outcome::None
                | Outcome::Refused(_)
                | Outcome::Undone(_)
                | Outcome::NeedsManager(_)
                | Outcome::Noted(_) => metrics::REDEMPTIONS_REFUSED,
            });
            page(&state, visitor, &staff, outcome, coupon)
        }
        Err(error) => not_kept(&error).page(visitor),
    }
}

/// Decides and writes, headquarters asked before where that could make a difference.
pub(in crate::portal) async fn settle(state: &State, asked: Asked) -> Result<Outcome, CommitError> {
    let heard = sisters::ask(state, &asked).await;
    let told = heard.said.clone();
    let outcome = state
        .journal
        .commit(move |ledger| asked.decide(ledger, &told))
        .await;
    heard.settle(state, outcome.as_ref().ok());
    outcome
}

/// Reads what was typed or scanned.
pub(in crate::portal) fn read(
    text: &str,
    state: &State,
    bundle: &Bundle,
) -> Result<Presented, RefusalReason> {
    if token::is_token(text) {
        // Our own key, too: a coupon of a minute ago must not wait for a bundle that lists it.
        let mut keys = bundle.coupon_keys.clone();
        keys.push(state.keys.coupon_public());
        return token::verify(text, &keys)
            .map(Presented::Token)
            .map_err(|bad| match bad {
                // As if it were ours in everything but the key that signed it.
                BadToken::UnknownKey => RefusalReason::OtherChain,
                BadToken::Malformed | BadToken::Version | BadToken::Signature => {
                    RefusalReason::BadToken
                }
            });
    }
    ShortCode::parse(text)
        .map(Presented::Code)
        .map_err(|_| RefusalReason::UnknownCode)
}

/// A redemption on its way to the owner thread.
pub(in crate::portal) struct Asked {
    pub(in crate::portal) presented: Result<Presented, RefusalReason>,
    pub(in crate::portal) redemption: RedemptionId,
    /// For a number that has been used; without one that is refused.
    pub(in crate::portal) spare: Option<RedemptionId>,
    pub(in crate::portal) staff: StaffName,
    pub(in crate::portal) device: DeviceId,
    pub(in crate::portal) store: StoreId,
    pub(in crate::portal) bundle: Arc<Bundle>,
    pub(in crate::portal) clock: Arc<dyn Clock>,
    pub(in crate::portal) boot_time: BootTime,
    /// For the gift of whoever brought the guest.
    pub(in crate::portal) issuer: Issuer,
    pub(in crate::portal) fresh: Fresh,
}

impl Asked {
    fn decide(self, ledger: &Ledger, told: &Told) -> Verdict<Outcome> {
        let Some(folder) = self.bundle.stores.get(&self.store) else {
            return only_say(Outcome::None);
        };
        let store = &folder.store;
        let wallet = ledger.wallet();
        if let Some(done) = wallet.redemption_by_id(self.redemption) {
            let redeem = &done.redeem;
            let shown = self.presented.as_ref().ok();
            if shown.and_then(|shown| wallet.shown(shown)) == Some(redeem.coupon) {
                let gift = gift(&wallet, &self.bundle, redeem.coupon, &redeem.campaign);
                return only_say(Outcome::Redeemed(gift));
            }
        }
        let now = self.now();
        let is_scanned = matches!(
            self.presented,
            Ok(Presented::Token(_)) | Err(RefusalReason::BadToken | RefusalReason::OtherChain)
        );
        if !is_scanned && now < wallet.codes_allowed_from(self.device, now) {
            return only_say(Outcome::Refused(No::Wait));
        }
        let Some(redemption) = self.number(&wallet) else {
            return only_say(Outcome::Refused(No::NumberUsed));
        };
        let (event, outcome) = self.ask(&wallet, redemption, (store, now), told);
        let gift = if let Event::Redeem(redeem) = &event {
            let drawn = (now, self.issuer, self.fresh);
            reward::for_bringer((ledger, &wallet), (&self.bundle, folder), redeem, drawn)
        } else {
            Vec::new()
        };
        let rules = (self.boot_time, &self.bundle.members);
        write_and_promote(ledger, rules, (store, now), (event, gift), outcome)
    }

    /// The store of this till.
    pub(super) fn store(&self) -> Option<&Store> {
        let folder = self.bundle.stores.get(&self.store)?;
        Some(&folder.store)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The number of what may become a redemption; none where the one that was given is used.
    pub(super) fn number(&self, wallet: &Wallet) -> Option<RedemptionId> {
        // A page that the browser kept may send its number again with another guest's code.
        if wallet.is_used(self.redemption) {
            self.spare
        } else {
            Some(self.redemption)
        }
    }

    /// The wallet's yes or no, each with the event that it is.
    fn ask(
        &self,
        wallet: &Wallet,
        redemption: RedemptionId,
        at: (&Store, Timestamp),
        told: &Told,
    ) -> (Event, Outcome) {
        let presented = match &self.presented {
            Ok(presented) => presented,
            Err(reason) => {
                let outcome = Outcome::Refused(No::Unreadable(*reason));
                return (self.refusal(*reason, None), outcome);
            }
        };
        match self.as_told(wallet, redemption, presented, at, told) {
            Ok(redeem) => {
                let gift = gift(wallet, &self.bundle, redeem.coupon, &redeem.campaign);
                (Event::Redeem(redeem), Outcome::Redeemed(gift))
            }
            Err(refused) => {
                let coupon = match presented {
                    Presented::Token(token) => Some(token.coupon),
                    Presented::Code(_) => None,
                };
                let event = self.refusal(refused.reason(), coupon);
                (event, Outcome::Refused(No::Wallet(refused)))
            }
        }
    }

    /// The wallet's answer, with what headquarters said of a coupon of another store.
    pub(super) fn as_told(
        &self,
        wallet: &Wallet,
        redemption: RedemptionId,
        presented: &Presented,
        (store, now): (&Store, Timestamp),
        told: &Told,
    ) -> Result<Redeem, TillRefused> {
        let asked = RedeemAsked {
            presented,
            store,
            staff: &self.staff,
            device: self.device,
            redemption,
            now,
        };
        wallet.redeem_as_said(&asked, told, |id| self.bundle.campaign(id))
    }

    fn refusal(&self, reason: RefusalReason, coupon: Option<CouponId>) -> Event {
        Event::RedeemRefused(RedeemRefused {
            reason,
            device: self.device,
            coupon,
        })
    }
}

/// What was promised: as written on our own coupon, else as the campaign says.
pub(in crate::portal) fn gift(
    wallet: &Wallet,
    bundle: &Bundle,
    coupon: CouponId,
    campaign: &CampaignId,
) -> Option<Text> {
    let own = wallet.coupon(coupon);
    own.map(|coupon| coupon.claim.gift)
        .or_else(|| Some(bundle.campaign(campaign)?.offer.gift.text()))
}

/// The till's page, with what has just happened on top, and to which coupon.
pub(super) fn page(
    state: &State,
    visitor: &Visitor,
    staff: &StaffName,
    outcome: Outcome,
    coupon: Option<CouponId>,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(visitor);
    };
    let shell = Shell::new(
        visitor.language,
        LanguageLink::At("/till"),
        Some(&folder.store),
    );
    let language = visitor.language;
    let wall = |time| on_the_wall(&folder.store, time);
    let wallet = state.wallet.read();
    let paid = coupon
        .and_then(|coupon| wallet.redemption(coupon))
        .and_then(|done| Paid::after(&outcome, &done.redeem));
    let ask = match &outcome {
        Outcome::NeedsManager(ask) => Some(AskManager::of(ask, folder)),
        Outcome::None
        | Outcome::Redeemed(_)
        | Outcome::Refused(_)
        | Outcome::Undone(_)
        | Outcome::Noted(_) => None,
    };
    let said = said(outcome, shell.t, language, wall);
    let recent = wallet
        .undoable(state.now(), MOST_RECENT)
        .into_iter()
        .map(|done| Row {
            at: clock(folder.store.local(done.at).time()),
            gift: gift(&wallet, &bundle, done.redeem.coupon, &done.redeem.campaign)
                .map(|gift| gift.of(language).to_owned())
                .unwrap_or_default(),
            redemption: done.redeem.redemption,
        })
        .collect();
    let status = match said {
        Said::No { .. } => StatusCode::CONFLICT,
        Said::Noted { .. } if paid.as_ref().is_some_and(Paid::has_fault) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Said::Nothing | Said::Yes { .. } | Said::Noted { .. } | Said::Note { .. } => {
            ask.as_ref().map_or(StatusCode::OK, AskManager::status)
        }
    };
    let done = coupon.and_then(|coupon| wallet.redemption(coupon));
    let undoable = match said {
        Said::No { .. } => done.map(|done| done.redeem.redemption),
        Said::Nothing | Said::Yes { .. } | Said::Noted { .. } | Said::Note { .. } => None,
    };
    let coupon = coupon.and_then(|coupon| wallet.coupon(coupon));
    let vip_since = coupon.as_ref().and_then(|coupon| {
        let members = state.members.read();
        members.get(coupon.claim.vid)?.vip_since()
    });
    let html = render(&TillPage {
        shell,
        store: folder.store.name.of(language),
        staff,
        next: RedemptionId::from_entropy(random()),
        about: coupon.map(|coupon| About::of(&coupon, &bundle, state.now(), language)),
        vip_since,
        said,
        paid,
        ask,
        undoable,
        recent,
        script: script::address(),
    });
    pages::scripted(status, visitor.packing, html)
}

/// What stands on top of the page.
enum Said {
    Nothing,
    Yes {
        gift: String,
    },
    No {
        reason: String,
    },
    /// Green still: the party is being written down.
    Noted {
        gift: String,
    },
    Note {
        words: String,
    },
}

impl Said {
    /// Whether the whole page is its colour.
    const fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Yes { .. } | Self::Noted { .. } | Self::No { .. }
        )
    }
}

/// An outcome in words.
fn said(
    outcome: Outcome,
    t: &Texts,
    language: Language,
    wall: impl Fn(Timestamp) -> String,
) -> Said {
    let t = &t.till;
    match outcome {
        Outcome::None => Said::Nothing,
        Outcome::Redeemed(gift) => Said::Yes {
            gift: gift.map_or_else(String::new, |gift| gift.of(language).to_owned()),
        },
        Outcome::Refused(No::Unreadable(RefusalReason::BadToken)) => Said::No {
            reason: t.bad_token.clone(),
        },
        Outcome::Refused(No::Unreadable(RefusalReason::OtherChain)) => Said::No {
            reason: t.other_chain.clone(),
        },
        Outcome::Refused(No::Unreadable(_) | No::NumberUsed) => Said::No {
            reason: t.unknown_code.clone(),
        },
        Outcome::Refused(No::Wait) => Said::No {
            reason: t.code_wait.clone(),
        },
        Outcome::Refused(No::Wallet(refused)) => Said::No {
            reason: match refused {
                TillRefused::UnknownCode => t.unknown_code.clone(),
                TillRefused::AskForQr => t.street_code.clone(),
                TillRefused::OtherStore(store) => format!("{} {store}", t.other_store),
                TillRefused::AlreadyRedeemed(at) => format!("{} {}", t.already_redeemed, wall(at)),
                TillRefused::Voided => t.voided.clone(),
                TillRefused::NotYet(from) => format!("{} {}", t.not_yet, wall(from)),
                TillRefused::Expired(at) => format!("{} {}", t.expired, wall(at)),
                TillRefused::OutsideHours => t.outside_hours.clone(),
                TillRefused::HeadquartersAway(store) => format!("{} {store}", t.headquarters_away),
                TillRefused::UsedElsewhere { store, at } => {
                    format!("{} {store}, {}", t.used_elsewhere, wall(at))
                }
            },
        },
        Outcome::Noted(said) => Said::Noted {
            gift: said
                .gift
                .map_or_else(String::new, |gift| gift.of(language).to_owned()),
        },
        Outcome::NeedsManager(ask) => Said::Note {
            words: ask.why(t).to_owned(),
        },
        Outcome::Undone(undone) => Said::Note {
            words: match undone {
                Ok(()) => t.undone.clone(),
                Err(refused) => undo::refusal(refused, t).to_owned(),
            },
        },
    }
}

#[derive(Template)]
#[template(path = "portal/till.html")]
struct TillPage<'a> {
    shell: Shell,
    store: &'a str,
    staff: &'a StaffName,
    next: RedemptionId,
    said: Said,
    /// The coupon that was shown, where it was issued here.
    about: Option<About>,
    /// Since when its guest is a VIP.
    vip_since: Option<Date>,
    /// The questions after green.
    paid: Option<Paid>,
    /// The manager's PIN.
    ask: Option<AskManager>,
    /// The redemption that is in the way, where it was here.
    undoable: Option<RedemptionId>,
    recent: Vec<Row>,
    script: &'static str,
}

struct Row {
    at: String,
    gift: String,
    redemption: RedemptionId,
}
