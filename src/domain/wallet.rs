//! Every coupon a gateway has issued and what became of it: the limits, the till's yes and no.
//!
//! The wallet decides and is told; it does neither input nor output. A decision ([`Wallet::claim`],
//! [`Wallet::redeem`], [`Wallet::undo`]) looks and changes nothing; the event it returns changes the wallet
//! when it is [applied](Wallet::apply), once it is in the journal. Applying an event a second time is harmless,
//! so a wallet can be rebuilt from a checkpoint and a log that overlap.

mod by_hand;
mod checkpoint;
mod coupons;
mod elsewhere;
mod erased;
mod given_back;
mod guesses;
mod index;
mod packed;
mod passed_down;
mod redemptions;
mod slab;
mod stock;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::business_day;
use super::campaign::{Campaign, MOST_VALID_DAYS, RedeemableAt};
use super::event::{
    Claim, CouponVoided, Event, Moment, Occurrence, Origin, Redeem, RedeemRefused, RedeemUndone,
    RedeemedElsewhere, RefusalReason, unix_millis,
};
use super::ids::{
    CampaignId, CouponId, DeviceId, Issuer, RedemptionId, ShortCode, StaffName, StoreId, TapId,
    TouchpointCode, Vid,
};
use super::offer::{Diner, Occasion, Place, Standing, is_open_to};
use super::store::{Store, Touchpoint};
use by_hand::ByHand;
use coupons::Coupons;
use guesses::Guesses;
use packed::{Flag, Names, Number, Saved};
use redemptions::Redemptions;

/// A mistaken redemption can be taken back for this long.
pub const UNDO_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// A till device's slips are forgotten after this long without another.
const SLIPS_FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// A time that lies further ahead than this was written by a clock that was wrong.
const CLOCK_SET_BACK: SignedDuration = SignedDuration::from_hours(1);

/// A short code is not given out again until this long after its coupon has expired.
const CODE_RESTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A coupon may be shown for so long whose own end is not known where it is asked about.
/// One that begins with the next visit ends up to a day later.
pub const SHOWN_WITHIN: SignedDuration =
    SignedDuration::from_hours((MOST_VALID_DAYS as i64 + 2) * 24);

/// Above this many remembered coupons a short code has five characters.
///
/// Four characters make 893,730 store codes; at 5,000 a stranger's guess hits one time in 180.
const FOUR_CHARACTERS_UP_TO: usize = 5_000;

/// One coupon, from its claim on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    pub claim: Claim,
    /// Its home: the store of the touchpoint, whoever issued it.
    pub store: StoreId,
    #[serde(with = "unix_millis")]
    pub issued_at: Timestamp,
    /// The business day of the claim, which the day's limits count.
    pub day: Date,
    /// The diner agreed to messages; never a condition of anything.
    #[serde(default)]
    pub consented: bool,
    /// It ran out unused, and the limits count it no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_back: bool,
    /// It was issued on the street: this box's share of the campaign does not count it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed_down: bool,
}

/// One coupon handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    pub redeem: Redeem,
    #[serde(with = "unix_millis")]
    pub at: Timestamp,
    /// Its coupon was not here yet, so it counted at no place, and taking it back does too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unplaced: bool,
}

/// Wrong PINs typed on one till device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct WrongPins {
    count: u32,
    #[serde(with = "unix_millis")]
    last: Timestamp,
}

/// The state of one gateway's coupons.
///
/// Coupons and redemptions are kept packed (180 and 110 bytes with all that finds them) and written out when
/// somebody asks for one.
#[derive(Debug, Default)]
pub struct Wallet {
    names: Names,
    coupons: Coupons,
    redemptions: Redemptions,
    wrong_pins: HashMap<DeviceId, WrongPins>,
    guesses: Guesses,
    /// Coupons that nobody gives anything on, and until when somebody might show them. Also such as were
    /// issued elsewhere: their signature is good.
    voided: HashMap<CouponId, Timestamp>,
    /// Redemptions of this store's coupons in others.
    elsewhere: BTreeMap<(CouponId, RedemptionId), RedeemedElsewhere>,
    /// Redemptions that were taken back, and until when their coupons might be shown again: an id that were used
    /// twice would be one redemption to everybody else.
    taken_back: HashMap<RedemptionId, Timestamp>,
    /// What staff said of a campaign at the counter.
    by_hand: HashMap<CampaignId, ByHand>,
    /// Claims of coupons that have been forgotten, which a campaign's total still counts.
    forgotten: HashMap<CampaignId, u32>,
    tally: HashMap<Tally, u32>,

    /// What the checkpoint has to write, but for coupons and redemptions that are here: they carry a mark.
    dirty: BTreeSet<Key>,
    /// The time that forgetting goes by; see [`Self::keep_time`].
    steady: Timestamp,
    /// What ends before it has run out: neither a clock that jumps ahead nor a `steady` that is ahead moves it.
    run_out_until: Timestamp,
    /// Raised with every change of what the limits count, so that a page can tell whether its stock may have
    /// changed.
    stock_changes: u64,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tally {
    Campaign(Number),
    StoreDay(Number, Number, Date),
    TableDay(Number, TouchpointCode, Date),
}

/// Everything that the decision on a tap looks at.
#[derive(Debug, Clone)]
pub struct TapAsked<'a> {
    pub tap: TapId,
    /// From the phone's cookie, where it brought one.
    pub vid: Option<Vid>,
    /// As the members say, whom the wallet does not know.
    pub standing: Standing,
    pub occasion: Occasion,
    pub store: &'a Store,
    pub touchpoint: &'a Touchpoint,
    pub campaign: &'a Campaign,
    /// This gateway's share of the campaign's total.
    pub slice: Option<u32>,
    pub issuer: Issuer,
    pub now: Timestamp,
    pub fresh: Fresh,
}

/// Random bits for a new coupon.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fresh {
    pub coupon: [u8; 16],
    pub vid: [u8; 16],
    /// Each is tried as a short code until one is free.
    pub codes: [u64; 8],
}

/// What a tap leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tapped {
    /// The same tap, or the same diner within the campaign's limit: the coupon they hold already.
    Held(CouponId),
    New(Box<Claim>),
}

/// Why a tap brings no coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TapRefused {
    #[error("the offer is not open now")]
    Closed,
    #[error("today's share of this table is used up")]
    TableIsDone,
    #[error("today's share of this store is used up")]
    StoreIsDone,
    #[error("the campaign is used up")]
    CampaignIsDone,
    #[error("staff have stopped the offer")]
    Stopped,
    #[error("no free coupon code was found")]
    NoCodeLeft,
}

impl TapRefused {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::TableIsDone => "table_is_done",
            Self::StoreIsDone => "store_is_done",
            Self::CampaignIsDone => "campaign_is_done",
            Self::Stopped => "stopped",
            Self::NoCodeLeft => "no_code_left",
        }
    }
}

/// What a guest shows at the till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    Code(ShortCode),
    /// The contents of a coupon token whose signature has been checked.
    Token(TokenClaims),
}

/// What a coupon token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    pub coupon: CouponId,
    pub campaign: CampaignId,
    pub store: StoreId,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// What another store may give on it, in fen, while it cannot ask headquarters; 0 for nothing.
    pub cap_fen: u32,
}

/// Everything that the till's decision looks at.
#[derive(Debug, Clone)]
pub struct RedeemAsked<'a> {
    pub presented: &'a Presented,
    pub store: &'a Store,
    pub staff: &'a StaffName,
    pub device: DeviceId,
    pub redemption: RedemptionId,
    pub now: Timestamp,
}

/// The till says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TillRefused {
    UnknownCode,
    /// A code from the street whose coupon has not reached this store: the QR carries all it needs.
    AskForQr,
    OtherStore(StoreId),
    AlreadyRedeemed(Timestamp),
    Voided,
    NotYet(Timestamp),
    Expired(Timestamp),
    OutsideHours,
    /// Headquarters would have to be asked about this store's coupon, and does not answer.
    HeadquartersAway(StoreId),
    UsedElsewhere {
        store: StoreId,
        at: Timestamp,
    },
}

impl TillRefused {
    pub const fn reason(&self) -> RefusalReason {
        match self {
            Self::UnknownCode => RefusalReason::UnknownCode,
            Self::AskForQr => RefusalReason::StreetCode,
            Self::OtherStore(_) => RefusalReason::OtherStore,
            Self::AlreadyRedeemed(_) | Self::UsedElsewhere { .. } => RefusalReason::AlreadyRedeemed,
            Self::Voided => RefusalReason::Voided,
            Self::NotYet(_) => RefusalReason::NotYetValid,
            Self::Expired(_) => RefusalReason::Expired,
            Self::OutsideHours => RefusalReason::OutsideHours,
            Self::HeadquartersAway(_) => RefusalReason::HeadquartersAway,
        }
    }
}

/// Who takes a redemption back at the till.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undoer<'a> {
    /// Their own, within ten minutes.
    Staff(&'a StaffName),
    /// Everybody's, for as long as it is remembered: a week after the coupon has ended.
    Manager(&'a StaffName),
}

/// Why a redemption stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoRefused {
    /// Not redeemed here, or taken back before.
    Unknown,
    /// Somebody else redeemed it.
    NotTheirs,
    TooLate,
}

impl Wallet {
    pub fn coupon(&self, id: CouponId) -> Option<Coupon> {
        Some(self.coupons.get(id)?.unpack(&self.names))
    }

    /// When it was used, here or in another store.
    pub fn used_at(&self, coupon: CouponId) -> Option<Timestamp> {
        let here = self.redemptions.of(coupon).map(|done| done.at.into());
        here.or_else(|| Some(self.used_elsewhere(coupon)?.redeemed_at))
    }

    pub fn redemption(&self, coupon: CouponId) -> Option<Redemption> {
        Some(self.unpacked(self.redemptions.of(coupon)?))
    }

    /// How often the stock of any campaign has changed since the start of the process.
    pub fn stock_changes(&self) -> u64 {
        self.stock_changes
    }

    /// The redemption with this id, unless it was taken back.
    pub fn redemption_by_id(&self, id: RedemptionId) -> Option<Redemption> {
        let found = self.redemptions.iter().find(|done| done.redemption == id)?;
        Some(self.unpacked(found))
    }

    /// Whether a redemption has had this id, also one that was taken back.
    pub fn is_used(&self, id: RedemptionId) -> bool {
        self.taken_back.contains_key(&id) || self.redemption_by_id(id).is_some()
    }

    /// A redemption as it was written: where its coupon came from stands with the coupon, while that is here.
    /// Not with one that came down later: an undo must take away what was counted, where it was counted.
    fn unpacked(&self, done: &redemptions::Record) -> Redemption {
        let mut redemption = done.unpack(&self.names);
        if !redemption.unplaced {
            redemption.redeem.origin = self.origin(done.coupon);
        }
        redemption
    }

    fn origin(&self, coupon: CouponId) -> Option<Origin> {
        self.coupons.get(coupon).map(|own| Origin {
            touchpoint: own.touchpoint,
            day: own.day,
        })
    }

    pub fn len(&self) -> usize {
        self.coupons.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The coupon that a tap has become.
    pub fn of_tap(&self, tap: TapId) -> Option<Coupon> {
        Some(self.coupons.of_tap(tap)?.unpack(&self.names))
    }

    /// What the wallet knows of a diner who is known to others as `standing` says.
    pub fn diner(&self, vid: Vid, standing: Standing) -> Diner {
        let new = Diner {
            standing,
            ..Diner::default()
        };
        let held = self.coupons.of_diner(vid);
        held.fold(new, |diner, coupon| Diner {
            claimed: diner.claimed + 1,
            redeemed: diner.redeemed + usize::from(self.is_redeemed(coupon.coupon)),
            ..diner
        })
    }

    /// The coupons of a diner that the wallet remembers, in no order.
    pub fn coupons_of(&self, vid: Vid) -> Vec<Coupon> {
        let held = self.coupons.of_diner(vid);
        held.map(|coupon| coupon.unpack(&self.names)).collect()
    }

    pub fn is_redeemed(&self, coupon: CouponId) -> bool {
        self.redemptions.of(coupon).is_some() || self.used_elsewhere(coupon).is_some()
    }

    /// Whether a diner holds a coupon that can be used, now or later.
    pub fn holds_usable(&self, vid: Vid, now: Timestamp) -> bool {
        self.usable(vid, now).next().is_some()
    }

    /// When a diner was last heard of in the wallet: they claimed something, or it was handed over.
    pub fn last_heard_of(&self, vid: Vid) -> Option<Timestamp> {
        let heard = self.coupons.of_diner(vid).map(|coupon| {
            let redeemed = self.redemptions.of(coupon.coupon).map(|done| done.at);
            redeemed.unwrap_or(coupon.issued_at).max(coupon.issued_at)
        });
        heard.max().map(Timestamp::from)
    }

    /// The latest of them.
    pub fn latest_usable(&self, vid: Vid, now: Timestamp) -> Option<Coupon> {
        let latest = self
            .usable(vid, now)
            .max_by_key(|coupon| coupon.issued_at)?;
        Some(latest.unpack(&self.names))
    }

    fn usable(&self, vid: Vid, now: Timestamp) -> impl Iterator<Item = &coupons::Record> {
        self.coupons.of_diner(vid).filter(move |coupon| {
            Timestamp::from(coupon.not_after) > now
                && !self.is_redeemed(coupon.coupon)
                && !self.is_voided(coupon.coupon)
        })
    }

    /// The latest coupon of `campaign` that a diner holds and the limits still remember.
    pub fn held_by(&self, vid: Vid, campaign: &CampaignId) -> Option<Coupon> {
        let latest = self
            .held(vid, campaign)
            .max_by_key(|coupon| coupon.issued_at)?;
        Some(latest.unpack(&self.names))
    }

    fn held(&self, vid: Vid, campaign: &CampaignId) -> impl Iterator<Item = &coupons::Record> {
        let campaign = self.names.campaigns.find(campaign);
        self.coupons
            .of_diner(vid)
            .filter(move |coupon| Some(coupon.campaign) == campaign)
    }

    /// The redemptions that whoever redeemed can still take back at `now`: the newest `most`, newest first.
    pub fn undoable(&self, now: Timestamp, most: usize) -> Vec<Redemption> {
        let since = now.saturating_sub(UNDO_WITHIN).unwrap_or(Timestamp::MIN);
        self.redeemed_since(since, most)
    }

    /// The newest `most` redemptions since `time` that were not taken back, newest first.
    pub fn redeemed_since(&self, time: Timestamp, most: usize) -> Vec<Redemption> {
        let is_recent = |done: &&redemptions::Record| Timestamp::from(done.at) >= time;
        let mut recent: Vec<_> = self.redemptions.iter().filter(is_recent).collect();
        recent.sort_unstable_by_key(|done| std::cmp::Reverse(done.at));
        recent.truncate(most);
        recent.into_iter().map(|done| self.unpacked(done)).collect()
    }

    /// Decides on a tap.
    pub fn claim(&self, asked: &TapAsked<'_>) -> Result<Tapped, TapRefused> {
        if let Some(held) = self.coupons.of_tap(asked.tap) {
            return Ok(Tapped::Held(held.coupon));
        }
        let campaign = asked.campaign;
        // How often somebody brings a friend, or a table has its gift, has a limit of its own.
        if let Some(vid) = asked.vid
            && asked.occasion == Occasion::Offered
            && let Some(held) = self.limit_reached(vid, campaign, asked.store, asked.now)
        {
            return Ok(Tapped::Held(held));
        }
        self.left(asked)?;
        let code = self.free_code(asked).ok_or(TapRefused::NoCodeLeft)?;
        let (not_before, not_after) = campaign.validity.span(asked.store, asked.now);
        let person = later(asked.now, campaign.limits.per_person_days);
        Ok(Tapped::New(Box::new(Claim {
            coupon: CouponId::from_entropy(asked.fresh.coupon),
            code,
            campaign: campaign.id.clone(),
            touchpoint: asked.touchpoint.code,
            tap: asked.tap,
            vid: asked.vid.unwrap_or(Vid::from_entropy(asked.fresh.vid)),
            not_before,
            not_after,
            gift: campaign.offer.gift.text(),
            remember_until: person.max(later_by(not_after, CODE_RESTS)),
            off_peak: asked.occasion != Occasion::Referral && campaign.is_off_peak(),
            given: false,
        })))
    }

    /// What is left for a tap by the campaign's rules and limits, a diner's own aside; none where nothing limits it.
    pub fn left(&self, asked: &TapAsked<'_>) -> Result<Option<Left>, TapRefused> {
        let place = Place {
            store: asked.store,
            kind: asked.touchpoint.kind,
            local: asked.store.local(asked.now),
        };
        let known = asked.vid.map(|vid| self.diner(vid, asked.standing));
        let diner = Diner {
            occasion: asked.occasion,
            ..known.unwrap_or_default()
        };
        if !is_open_to(asked.campaign, place, diner) {
            return Err(TapRefused::Closed);
        }
        let table = Some(asked.touchpoint.code);
        self.stock(asked.campaign, asked.store, table, asked.slice, asked.now)
    }

    /// The coupon a diner is shown instead of one more, once a personal limit is reached.
    pub fn limit_reached(
        &self,
        vid: Vid,
        campaign: &Campaign,
        store: &Store,
        now: Timestamp,
    ) -> Option<CouponId> {
        let limits = &campaign.limits;
        let today = business_day(store.local(now));
        let since = now
            .checked_sub((i64::from(limits.per_person_days) * 24).hours())
            .unwrap_or(Timestamp::MIN);
        let (mut in_period, mut on_day) = (0, 0);
        let counted = self.held(vid, &campaign.id);
        for coupon in counted.filter(|coupon| !coupon.is_given_back()) {
            in_period += u32::from(Timestamp::from(coupon.issued_at) > since);
            on_day += u32::from(coupon.day == today);
        }
        let latest = self
            .held(vid, &campaign.id)
            .max_by_key(|coupon| coupon.issued_at)?;
        // Until the wall tells devices apart, a device is the cookie it carries.
        let device = limits.per_device_per_day.is_some_and(|n| on_day >= n);
        (in_period >= limits.per_person || device).then_some(latest.coupon)
    }

    fn free_code(&self, asked: &TapAsked<'_>) -> Option<ShortCode> {
        let length = if self.coupons.len() < FOUR_CHARACTERS_UP_TO {
            4
        } else {
            5
        };
        asked
            .fresh
            .codes
            .iter()
            .map(|entropy| ShortCode::from_entropy(*entropy, length, asked.issuer))
            .find(|code| self.coupons.of_code(*code).next().is_none())
    }

    /// Decides at the till, where headquarters is not asked. `campaign` finds the rules of a campaign that is
    /// still in the bundle.
    pub fn redeem<'c>(
        &self,
        asked: &RedeemAsked<'_>,
        campaign: impl FnOnce(&CampaignId) -> Option<&'c Campaign>,
    ) -> Result<Redeem, TillRefused> {
        self.redeem_as_said(asked, &Said::Nothing, campaign)
    }

    /// The same with what headquarters said of another store's coupon.
    pub fn redeem_as_said<'c>(
        &self,
        asked: &RedeemAsked<'_>,
        said: &Said,
        campaign: impl FnOnce(&CampaignId) -> Option<&'c Campaign>,
    ) -> Result<Redeem, TillRefused> {
        let shown = self.look_up(asked.presented, asked.now)?;
        let rules = campaign(&shown.campaign);
        let anywhere = rules.is_some_and(|rules| rules.validity.stores == RedeemableAt::Any);
        if shown.store != asked.store.id && !anywhere {
            return Err(TillRefused::OtherStore(shown.store));
        }
        if let Some(before) = self.redemptions.of(shown.coupon) {
            return Err(TillRefused::AlreadyRedeemed(before.at.into()));
        }
        if let Some(used) = self.used_elsewhere(shown.coupon) {
            return Err(TillRefused::UsedElsewhere {
                store: used.store.clone(),
                at: used.redeemed_at,
            });
        }
        if self.is_voided(shown.coupon) {
            return Err(TillRefused::Voided);
        }
        if asked.now > shown.not_after {
            return Err(TillRefused::Expired(shown.not_after));
        }
        if asked.now < shown.not_before {
            return Err(TillRefused::NotYet(shown.not_before));
        }
        let (local, holidays) = (asked.store.local(asked.now), &asked.store.holidays);
        let inside = rules.is_none_or(|rules| rules.is_inside_windows(local, holidays));
        let hours_apply = rules.is_some_and(|rules| rules.validity.windows_apply);
        if hours_apply && !inside {
            return Err(TillRefused::OutsideHours);
        }
        // Last: headquarters keeps a coupon for whoever asks, so nobody asks in vain.
        let home = elsewhere::home(asked.store, &shown, said, rules)?;
        Ok(Redeem {
            redemption: asked.redemption,
            coupon: shown.coupon,
            campaign: shown.campaign,
            staff: asked.staff.clone(),
            device: asked.device,
            vid: self.coupons.get(shown.coupon).map(|own| own.vid),
            remember_until: later_by(shown.not_after, CODE_RESTS),
            off_peak: inside && rules.is_some_and(Campaign::is_off_peak),
            origin: self.origin(shown.coupon),
            home,
        })
    }

    /// The coupon that was shown, from our own record where there is one.
    fn look_up(&self, presented: &Presented, now: Timestamp) -> Result<TokenClaims, TillRefused> {
        let own = match presented {
            Presented::Code(code) => self.typed(*code, now)?,
            Presented::Token(token) => self.coupons.get(token.coupon),
        };
        match (own, presented) {
            (Some(coupon), _) => Ok(TokenClaims {
                coupon: coupon.coupon,
                campaign: self.names.campaigns.get(coupon.campaign).clone(),
                store: self.names.stores.get(coupon.store).clone(),
                not_before: coupon.not_before.into(),
                not_after: coupon.not_after.into(),
                cap_fen: 0,
            }),
            (None, Presented::Token(token)) => Ok(token.clone()),
            (None, Presented::Code(_)) => Err(TillRefused::UnknownCode),
        }
    }

    /// The coupon that was shown, where it can be told.
    pub fn shown(&self, presented: &Presented) -> Option<CouponId> {
        match presented {
            Presented::Code(code) => Some(self.latest_of(*code)?.coupon),
            Presented::Token(token) => Some(token.coupon),
        }
    }

    /// Decides whether a redemption may be taken back.
    pub fn undo(
        &self,
        redemption: RedemptionId,
        by: Undoer<'_>,
        now: Timestamp,
    ) -> Result<RedeemUndone, UndoRefused> {
        let found = self
            .redemption_by_id(redemption)
            .ok_or(UndoRefused::Unknown)?;
        match by {
            Undoer::Manager(manager) => Ok(undone(found, manager)),
            Undoer::Staff(_) if now.duration_since(found.at) > UNDO_WITHIN => {
                Err(UndoRefused::TooLate)
            }
            Undoer::Staff(staff) if *staff != found.redeem.staff => Err(UndoRefused::NotTheirs),
            Undoer::Staff(staff) => Ok(undone(found, staff)),
        }
    }

    /// Takes back a coupon's redemption for headquarters, however long ago it was; none if there is none here.
    pub fn take_back(&self, coupon: CouponId, by: &StaffName) -> Option<RedeemUndone> {
        Some(undone(self.redemption(coupon)?, by))
    }

    pub fn is_voided(&self, coupon: CouponId) -> bool {
        self.voided.contains_key(&coupon)
    }

    /// Decides whether a coupon may be made void; none where it has been redeemed.
    pub fn void(&self, coupon: CouponId, now: Timestamp) -> Option<CouponVoided> {
        if self.is_redeemed(coupon) {
            return None;
        }
        let own = self.coupons.get(coupon);
        let remember_until =
            own.map_or(later_by(now, SHOWN_WITHIN), |own| own.remember_until.into());
        Some(CouponVoided {
            coupon,
            remember_until,
        })
    }

    /// When a wrong PIN that was typed at `now` is to be stamped, so that it counts: after the one before,
    /// also where the clock was set back a little in between.
    pub fn slip_stamp(&self, device: DeviceId, now: Timestamp) -> Timestamp {
        match self.wrong_pins.get(&device) {
            Some(before) if before.last.duration_since(now) <= CLOCK_SET_BACK => {
                now.max(later_by(before.last, SignedDuration::from_millis(1)))
            }
            _ => now,
        }
    }

    /// From when on a PIN may be typed on this device.
    ///
    /// Two slips are free; then half a minute; from the fifth on, five minutes. A quarter of an hour
    /// without a wrong one forgets them. It is the device that waits, so nobody else can lock the till.
    pub fn pin_allowed_from(&self, device: DeviceId, now: Timestamp) -> Timestamp {
        let Some(wrong) = self.wrong_pins.get(&device) else {
            return Timestamp::MIN;
        };
        if wrong.last.duration_since(now) > CLOCK_SET_BACK {
            return Timestamp::MIN;
        }
        let wait = match wrong.count {
            0..=2 => SignedDuration::ZERO,
            3..=4 => SignedDuration::from_secs(30),
            _ => SignedDuration::from_mins(5),
        };
        later_by(wrong.last, wait)
    }

    /// Takes in an event of this gateway's journal.
    pub fn apply(&mut self, occurrence: &Occurrence) {
        let at = occurrence.moment.at;
        self.keep_time(at);
        match &occurrence.event {
            Event::Claim(claim) => self.issue(&Coupon {
                claim: claim.clone(),
                store: occurrence.store.clone(),
                issued_at: at,
                day: business_day(occurrence.moment.local()),
                consented: false,
                given_back: false,
                passed_down: false,
            }),
            Event::CouponKnown(known) => self.take_in(known, &occurrence.store),
            Event::RedeemedElsewhere(_) | Event::UndoneElsewhere(_) => {
                self.hear_of_elsewhere(&occurrence.event);
            }
            Event::ConsentGiven(consent) => self.set_consent(consent.vid, Consented::Yes),
            Event::ConsentWithdrawn(consent) => self.set_consent(consent.vid, Consented::No),
            Event::EraseRequested(erased) => self.cut_from(erased.vid),
            Event::Redeem(redeem) => self.redeemed(redeem, at),
            Event::RedeemUndone(undone) => {
                self.redemptions.remove(undone.coupon);
                self.dirty.insert(Key::Redemption(undone.coupon));
                self.taken_back
                    .insert(undone.redemption, later_by(at, SHOWN_WITHIN));
                self.dirty.insert(Key::TakenBack(undone.redemption));
                self.count_or_give_back(undone.coupon);
            }
            Event::RedeemRefused(refused) => {
                self.guesses.hear(refused, at);
                self.count_wrong_pin(refused, at);
            }
            Event::CouponVoided(voided) => {
                self.voided.insert(voided.coupon, voided.remember_until);
                self.dirty.insert(Key::Voided(voided.coupon));
            }
            Event::StockChanged(_) | Event::PromoSwitched(_) => {
                self.hear_staff(&occurrence.event);
            }
            Event::TouchpointView(_)
            | Event::PortalView(_)
            | Event::AccessLogged(_)
            | Event::Admitted(_)
            | Event::AdmissionEnded(_)
            | Event::PassUsed(_)
            | Event::FollowIntent(_)
            | Event::ContactIntent(_)
            | Event::GroupIntent(_)
            | Event::CoversCounted(_)
            | Event::SlipIssued(_)
            | Event::Bill(_)
            | Event::CommandDone(_)
            | Event::TouchpointBound(_)
            | Event::WalkFinished(_)
            | Event::Feedback(_)
            | Event::StaffCalled(_)
            | Event::MemberRegistered(_)
            | Event::VipChanged(_)
            | Event::GroupReported(_)
            | Event::BirthdayTold(_)
            | Event::GuestAnswered(_)
            | Event::FeedbackKnown(_)
            | Event::AnswerKnown(_)
            | Event::BookingRequested(_)
            | Event::BookingChanged(_)
            | Event::EventRsvp(_)
            | Event::EventCheckin(_)
            | Event::ReferralShown(_)
            | Event::ReferralUsed(_)
            | Event::ReferralRewarded(_)
            | Event::TableJoined(_)
            | Event::TableTreated(_) => {}
        }
    }

    /// Moves the time that forgetting goes by towards `at`, by an hour an event at most.
    ///
    /// A box without a battery may wake up in 2036 and be set right a minute later. If forgetting went by
    /// that clock, every coupon would be gone; so it goes by a time that a few wrong events cannot move far.
    ///
    /// Page views move it, too: when nothing is left to claim, nothing else happens.
    pub fn keep_time(&mut self, at: Timestamp) {
        let steady = if self.remembers_nothing() {
            // There is nothing yet that could be forgotten too early.
            at
        } else {
            let within_an_hour = at.min(later_by(self.steady, SignedDuration::from_hours(1)));
            within_an_hour.max(self.steady)
        };
        if steady != self.steady {
            self.steady = steady;
            self.dirty.insert(Key::Steady);
        }
        self.run_out_until = steady.min(at);
        self.give_back_what_ran_out();
    }

    /// The time that forgetting goes by.
    pub const fn steady(&self) -> Timestamp {
        self.steady
    }

    fn remembers_nothing(&self) -> bool {
        self.is_empty()
            && self.redemptions.is_empty()
            && self.voided.is_empty()
            && self.elsewhere.is_empty()
            && self.taken_back.is_empty()
    }

    fn issue(&mut self, coupon: &Coupon) {
        if self.coupons.get(coupon.claim.coupon).is_none() {
            self.stock_changes += 1;
            self.remember(coupon, Saved::Never);
        }
    }

    fn remember(&mut self, coupon: &Coupon, saved: Saved) {
        let record = coupons::Record::pack(coupon, saved, &mut self.names);
        if !record.is_given_back() {
            for tally in tallies(&record) {
                *self.tally.entry(tally).or_default() += 1;
            }
        }
        self.coupons.insert(record);
    }

    fn redeemed(&mut self, redeem: &Redeem, at: Timestamp) {
        let done = Redemption {
            redeem: redeem.clone(),
            at,
            unplaced: redeem.origin.is_none(),
        };
        self.hand_over(&done, Saved::Never);
        self.count_or_give_back(redeem.coupon);
    }

    fn hand_over(&mut self, redemption: &Redemption, saved: Saved) {
        let record = redemptions::Record::pack(redemption, saved, &mut self.names);
        self.redemptions.put(record);
    }

    /// An agreement is a person's: it is on all their coupons or on none.
    fn set_consent(&mut self, vid: Vid, consented: Consented) {
        self.coupons.change(vid, |coupon| {
            coupon
                .flags
                .set(Flag::Consented, consented == Consented::Yes);
            coupon.saved.has_changed();
        });
    }

    fn count_wrong_pin(&mut self, refused: &RedeemRefused, at: Timestamp) {
        if refused.reason != RefusalReason::WrongPin {
            return;
        }
        let before = self.wrong_pins.get(&refused.device).copied();
        let count = match before {
            // An hour back and more: the clock was wrong before and has been set right.
            Some(before) if before.last.duration_since(at) > CLOCK_SET_BACK => 1,
            // The same event again, from a log that overlaps the checkpoint.
            Some(before) if before.last >= at => return,
            Some(before) if at.duration_since(before.last) < SLIPS_FORGOTTEN_AFTER => {
                before.count + 1
            }
            _ => 1,
        };
        self.wrong_pins
            .insert(refused.device, WrongPins { count, last: at });
        self.dirty.insert(Key::WrongPins(refused.device));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consented {
    Yes,
    No,
}

fn undone(done: Redemption, by: &StaffName) -> RedeemUndone {
    RedeemUndone {
        redemption: done.redeem.redemption,
        coupon: done.redeem.coupon,
        campaign: done.redeem.campaign,
        staff: by.clone(),
        redeemed_at: done.at,
        off_peak: done.redeem.off_peak,
        origin: done.redeem.origin,
        home: done.redeem.home.map(|home| home.store),
    }
}

fn tallies(coupon: &coupons::Record) -> impl Iterator<Item = Tally> {
    let share = (!coupon.is_passed_down()).then_some(Tally::Campaign(coupon.campaign));
    share.into_iter().chain(days_tallies(coupon))
}

fn days_tallies(coupon: &coupons::Record) -> [Tally; 2] {
    [
        Tally::StoreDay(coupon.campaign, coupon.store, coupon.day),
        Tally::TableDay(coupon.campaign, coupon.touchpoint, coupon.day),
    ]
}

fn later(now: Timestamp, days: u16) -> Timestamp {
    later_by(now, SignedDuration::from_hours(i64::from(days) * 24))
}

fn later_by(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The moment of an event at `store`.
pub fn moment_at(store: &Store, now: Timestamp) -> Moment {
    Moment {
        at: now,
        offset: store.offset(now),
    }
}

pub use checkpoint::{Entry, Key};
pub use elsewhere::Said;
pub use passed_down::Learnt;
pub use stock::Left;

#[cfg(test)]
mod tests;
