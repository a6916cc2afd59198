//! A guest brings a friend: the code that one of them shows, and the page behind it that gives the other a gift.
//!
//! It is shown from phone to phone at the table, and there is nothing to send. The friend's tap is a claim as every
//! other; whose code it came by is in the same frame. What becomes of it at the till is in [`reward`]. Only the
//! shop's own box knows its codes: a street gateway says that there is no such page.

pub(super) mod reward;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::civil::Date;
use serde::Deserialize;

use super::State;
use super::coupon::spelled;
use super::diner;
use super::error::{Apology, not_kept, not_saved};
use super::join::{Held, fresh};
use super::ledger::{Ledger, only_say, write_all};
use super::pages::{MessagePage, Shell, page, render};
use super::texts::texts;
use super::visitor::Visitor;
use crate::domain::calendar::business_day;
use crate::domain::campaign::Campaign;
use crate::domain::event::Event;
use crate::domain::ids::{DayMark, ReferralCode, TapId, TouchpointCode, Vid};
use crate::domain::offer::Occasion;
use crate::domain::referral::{
    NotBrought, Opened, ReferralRules, ReferralUsed, Tally, is_first_visit, may_bring,
};
use crate::domain::store::{Store, Touchpoint};
use crate::domain::wallet::{Fresh, TapAsked, TapRefused, Tapped};
use crate::journal::Verdict;
use crate::ops::files::random;
use crate::ops::metrics;
use crate::portal::form::{Form, FormRejection};
use crate::wire::bundle::{Bundle, StoreFolder};
use crate::wire::qr::{Correction, Symbol};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(own).post(make))
        .route("/{code}", get(open).post(claim))
}

/// What a shop gives these days to whoever brings somebody, and to whom they bring.
pub(super) struct Deal<'b> {
    folder: &'b StoreFolder,
    rules: &'b ReferralRules,
    bringers: &'b Campaign,
    friends: &'b Campaign,
    today: Date,
}

impl<'b> Deal<'b> {
    /// None beside headquarters, where there is no `[referral]`, and on days when one of the gifts is not given.
    pub(super) fn of(state: &State, bundle: &'b Bundle) -> Option<Self> {
        let folder = state.own_store(bundle)?;
        let rules = bundle.referral(folder)?;
        let today = business_day(folder.store.local(state.now()));
        let gift = |id| {
            let campaign = bundle.campaign(id)?;
            (campaign.reaches(&folder.store) && campaign.runs_on(today)).then_some(campaign)
        };
        Some(Self {
            folder,
            rules,
            bringers: gift(&rules.bringer)?,
            friends: gift(&rules.friend)?,
            today,
        })
    }

    const fn store(&self) -> &'b Store {
        &self.folder.store
    }
}

/// A claim counts for a place: where the guest was before, or else any that carries a code.
fn place(folder: &StoreFolder, before: Option<TouchpointCode>) -> Option<&Touchpoint> {
    let known = before.and_then(|code| folder.touchpoints.get(&code));
    let mut all = folder.touchpoints.values();
    known
        .filter(|place| place.is_bound())
        .or_else(|| all.find(|place| place.is_bound()))
}

/// What the ledger says of a guest's own code.
#[derive(Default)]
struct Own {
    code: Option<ReferralCode>,
    tally: Tally,
    may_bring: bool,
}

impl Own {
    fn read(ledger: &Ledger, vid: Vid, state: &State, today: Date) -> Self {
        let members = ledger.members();
        let diner = ledger.wallet().diner(vid, members.standing(Some(vid)));
        Self {
            code: ledger.referrals().code_of(vid, today),
            tally: ledger.referrals().tally(vid, today, state.now()),
            may_bring: may_bring(diner, members.get(vid)),
        }
    }
}

/// `GET /r`: the guest's own code, and what it gives.
async fn own(Extract(state): Extract<State>, visitor: Visitor) -> Response {
    let bundle = state.bundle();
    let Some(deal) = Deal::of(&state, &bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let own = match visitor.vid {
        Some(vid) => {
            let (on_thread, today) = (state.clone(), deal.today);
            let look =
                move |ledger: &mut Ledger| only_say(Own::read(ledger, vid, &on_thread, today));
            // A journal that cannot write draws no code either, and says so then.
            state.journal.commit(look).await.unwrap_or_default()
        }
        None => Own::default(),
    };
    let t = &texts(visitor.language).referral;
    let base = state.base_url(Some(deal.store()));
    let tally = (own.tally.this_month > 0).then(|| {
        t.tally
            .replace("{n}", &own.tally.this_month.to_string())
            .replace("{most}", &deal.rules.per_month.to_string())
            .replace("{came}", &own.tally.came.to_string())
    });
    let html = render(&ReferralPage {
        shell: Shell::of(&visitor, Some(deal.store())),
        friends_gift: deal.friends.offer.gift.name(visitor.language),
        own_gift: deal.bringers.offer.gift.name(visitor.language),
        is_enough: own.tally.this_month >= usize::from(deal.rules.per_month),
        code: own.code.map(|code| Shown::of(code, &base)),
        may_bring: own.may_bring,
        tally,
    });
    let answer = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), answer).into_response()
}

#[derive(Debug, Deserialize)]
struct OwnForm {
    /// A friend's, typed. None: the guest's own is asked for.
    code: Option<String>,
}

/// `POST /r`: draws the guest's code for today, or opens the one they typed.
async fn make(
    Extract(state): Extract<State>,
    visitor: Visitor,
    form: Result<Form<OwnForm>, FormRejection>,
) -> Response {
    let Ok(Form(OwnForm { code })) = form else {
        return Apology::Incomplete.page(&visitor);
    };
    if let Some(typed) = code {
        return match ReferralCode::parse(&typed) {
            Ok(code) => visitor.see_other(&format!("/r/{code}")),
            Err(_) => refuse(
                &state,
                &visitor,
                Refused::NotBrought(NotBrought::UnknownCode),
            ),
        };
    }
    let Some(vid) = visitor.vid else {
        return visitor.see_other("/r");
    };
    let (on_thread, bundle, device) = (state.clone(), state.bundle(), state.day_mark(&visitor));
    let drawn = ReferralCode::from_entropy(u64::from_be_bytes(random()));
    let decide = move |ledger: &mut Ledger| {
        let Some(deal) = Deal::of(&on_thread, &bundle) else {
            return only_say(());
        };
        if !Own::read(ledger, vid, &on_thread, deal.today).may_bring {
            return only_say(());
        }
        match ledger.referrals().show(vid, device, drawn, deal.today) {
            Some(shown) => {
                let at = (deal.store(), on_thread.now());
                write_all(on_thread.boot_time(), at, [shown], ())
            }
            None => only_say(()),
        }
    };
    match state.journal.commit(decide).await {
        Ok(()) => visitor.see_other("/r"),
        Err(error) => not_saved(&error).page(&visitor),
    }
}

/// Why the friend gets nothing.
#[derive(Clone, Copy)]
enum Refused {
    NotBrought(NotBrought),
    Tap(TapRefused),
}

/// What a friend's opening of a code comes to.
enum Answer {
    /// They hold the gift already.
    Held(Held),
    /// It is theirs for a tap.
    Offered,
    Refused(Refused),
}

/// A friend, on the way to the owner thread.
struct Friend {
    state: State,
    bundle: Arc<Bundle>,
    code: ReferralCode,
    vid: Option<Vid>,
    device: Option<DayMark>,
}

impl Friend {
    fn of(state: &State, visitor: &Visitor, code: ReferralCode) -> Self {
        Self {
            state: state.clone(),
            bundle: state.bundle(),
            code,
            vid: visitor.vid,
            device: state.day_mark(visitor),
        }
    }

    /// Who brings them; or the coupon that they hold by now.
    fn brought(&self, ledger: &Ledger, deal: &Deal<'_>) -> Result<Vid, Answer> {
        let wallet = ledger.wallet();
        let own = self
            .vid
            .map(|vid| wallet.coupons_of(vid))
            .unwrap_or_default();
        let mut gifts = own.iter();
        let is_todays = gifts.find(|coupon| {
            coupon.claim.campaign == deal.friends.id
                && coupon.day == deal.today
                && !coupon.claim.given
        });
        if let Some(coupon) = is_todays {
            return Err(Answer::Held(Held::from(coupon.clone())));
        }
        let members = ledger.members();
        let member = self.vid.and_then(|vid| members.get(vid));
        let opened = Opened {
            code: self.code,
            vid: self.vid,
            device: self.device,
            is_first_visit: is_first_visit(own.iter().map(|own| own.day), member, deal.today),
            today: deal.today,
            now: self.state.now(),
            per_month: deal.rules.per_month,
        };
        let brought = ledger.referrals().bring(&opened);
        brought.map_err(|why| Answer::Refused(Refused::NotBrought(why)))
    }

    fn look(&self, ledger: &Ledger) -> Answer {
        match Deal::of(&self.state, &self.bundle) {
            Some(deal) => self.brought(ledger, &deal).err().unwrap_or(Answer::Offered),
            None => Answer::Refused(Refused::Tap(TapRefused::Closed)),
        }
    }

    fn claim(&self, ledger: &Ledger, tap: TapId, fresh: Fresh) -> Verdict<Answer> {
        if let Some(coupon) = ledger.wallet().of_tap(tap) {
            return only_say(Answer::Held(Held::from(coupon)));
        }
        let closed = || Answer::Refused(Refused::Tap(TapRefused::Closed));
        let Some(deal) = Deal::of(&self.state, &self.bundle) else {
            return only_say(closed());
        };
        let bringer = match self.brought(ledger, &deal) {
            Ok(bringer) => bringer,
            Err(answer) => return only_say(answer),
        };
        let now = self.state.now();
        let wallet = ledger.wallet();
        let before = wallet.coupons_of(bringer).into_iter();
        let latest = before.max_by_key(|coupon| coupon.issued_at);
        let Some(touchpoint) = place(deal.folder, latest.map(|latest| latest.claim.touchpoint))
        else {
            return only_say(closed());
        };
        let asked = TapAsked {
            tap,
            vid: self.vid,
            standing: ledger.members().standing(self.vid),
            occasion: Occasion::Referral,
            store: deal.store(),
            touchpoint,
            campaign: deal.friends,
            slice: self.bundle.slice(deal.friends),
            issuer: self.state.issuer,
            now,
            fresh,
        };
        match wallet.claim(&asked) {
            Err(refused) => only_say(Answer::Refused(Refused::Tap(refused))),
            // A tap that was answered before has had its answer above.
            Ok(Tapped::Held(_)) => only_say(closed()),
            Ok(Tapped::New(claim)) => {
                let held = Held {
                    coupon: claim.coupon,
                    vid: claim.vid,
                    is_new: true,
                };
                let used = ReferralUsed {
                    coupon: claim.coupon,
                    not_after: claim.not_after,
                    vid: bringer,
                    device: self.device,
                };
                let events = [Event::Claim(*claim), Event::ReferralUsed(used)];
                let boot_time = self.state.boot_time();
                write_all(boot_time, (deal.store(), now), events, Answer::Held(held))
            }
        }
    }
}

/// `GET /r/{code}`: what a friend sees who scans it.
async fn open(
    Extract(state): Extract<State>,
    visitor: Visitor,
    code: Result<Path<ReferralCode>, PathRejection>,
) -> Response {
    let unknown = Refused::NotBrought(NotBrought::UnknownCode);
    let Ok(Path(code)) = code else {
        return refuse(&state, &visitor, unknown);
    };
    let friend = Friend::of(&state, &visitor, code);
    let look = move |ledger: &mut Ledger| only_say(friend.look(ledger));
    let answer = match state.journal.commit(look).await {
        Ok(answer) => answer,
        Err(error) => return not_kept(&error).page(&visitor),
    };
    let bundle = state.bundle();
    match (answer, Deal::of(&state, &bundle)) {
        (Answer::Held(held), _) => see(&state, &visitor, held),
        (Answer::Refused(why), _) => refuse(&state, &visitor, why),
        (Answer::Offered, None) => refuse(&state, &visitor, Refused::Tap(TapRefused::Closed)),
        (Answer::Offered, Some(deal)) => {
            let html = render(&BroughtPage {
                shell: Shell::of(&visitor, Some(deal.store())),
                code,
                gift: deal.friends.offer.gift.name(visitor.language),
                title: deal.friends.title.of(visitor.language),
                terms: deal.friends.terms.of(visitor.language),
                tap: TapId::from_entropy(random()),
            });
            let answer = page(StatusCode::OK, visitor.packing, html);
            (visitor.remember_language(), answer).into_response()
        }
    }
}

#[derive(Debug, Deserialize)]
struct ClaimForm {
    tap: TapId,
}

/// `POST /r/{code}`: the friend takes the gift.
async fn claim(
    Extract(state): Extract<State>,
    visitor: Visitor,
    code: Result<Path<ReferralCode>, PathRejection>,
    form: Result<Form<ClaimForm>, FormRejection>,
) -> Response {
    let (Ok(Path(code)), Ok(Form(ClaimForm { tap }))) = (code, form) else {
        return Apology::Incomplete.page(&visitor);
    };
    let (friend, fresh) = (Friend::of(&state, &visitor, code), fresh());
    let decide = move |ledger: &mut Ledger| friend.claim(ledger, tap, fresh);
    match state.journal.commit(decide).await {
        Ok(Answer::Held(held)) => {
            metrics::count(metrics::CLAIMS);
            see(&state, &visitor, held)
        }
        Ok(Answer::Refused(why)) => {
            metrics::count(metrics::CLAIMS_REFUSED);
            refuse(&state, &visitor, why)
        }
        Ok(Answer::Offered) => visitor.see_other(&format!("/r/{code}")),
        Err(error) => not_kept(&error).page(&visitor),
    }
}

fn see(state: &State, visitor: &Visitor, held: Held) -> Response {
    let mut response = visitor.see_other(&format!("/c/{}", held.coupon));
    let cookie = diner::remembered(state, held.vid);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// Says why, and that nothing was issued.
fn refuse(state: &State, visitor: &Visitor, why: Refused) -> Response {
    let bundle = state.bundle();
    let store = state.own_store(&bundle).map(|folder| &folder.store);
    let shell = Shell::of(visitor, store);
    let t = &shell.t.referral;
    let (status, text) = match why {
        Refused::Tap(refused) => return Apology::from(refused).page(visitor),
        Refused::NotBrought(NotBrought::UnknownCode) => (StatusCode::NOT_FOUND, &t.unknown),
        Refused::NotBrought(NotBrought::Oneself) => (StatusCode::CONFLICT, &t.oneself),
        Refused::NotBrought(NotBrought::BeenHere) => (StatusCode::CONFLICT, &t.been_here),
        Refused::NotBrought(NotBrought::Enough) => (StatusCode::CONFLICT, &t.friend_enough),
    };
    let html = render(&MessagePage {
        title: &t.refused,
        text,
        back: Some("/r".to_owned()),
        shell,
    });
    page(status, visitor.packing, html)
}

/// A code, to be shown.
struct Shown {
    code: ReferralCode,
    spelled: String,
    qr: String,
}

impl Shown {
    fn of(code: ReferralCode, base: &str) -> Self {
        let symbol = Symbol::of(&format!("{base}/r/{code}"), Correction::Quartile);
        let symbol = symbol.expect("an address of some forty characters fits");
        Self {
            code,
            spelled: spelled(code.as_str()),
            qr: symbol.svg(code.as_str()),
        }
    }
}

#[derive(Template)]
#[template(path = "portal/referral.html")]
struct ReferralPage {
    shell: Shell,
    friends_gift: String,
    own_gift: String,
    code: Option<Shown>,
    is_enough: bool,
    may_bring: bool,
    tally: Option<String>,
}

#[derive(Template)]
#[template(path = "portal/brought.html")]
struct BroughtPage<'a> {
    shell: Shell,
    code: ReferralCode,
    gift: String,
    title: &'a str,
    terms: &'a str,
    tap: TapId,
}
