//! What can happen in a shop, as it is written into the journal and counted at headquarters.
//!
//! Each kind has a number that is never reused ([`Kind`]). The payloads hold pseudonyms only: no phone
//! number, no hardware address, and no name but the one that a guest books a table under.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use super::bill::{BillNumber, Fen, Party};
use super::booking::Booking;
use super::command::CommandDone;
use super::feedback::inbox::Standing;
use super::feedback::{Call, Rating, Words};
use super::floor::HalfHour;
use super::ids::{
    CampaignId, CouponId, DeviceId, RedemptionId, RequestId, ShortCode, Slug, StaffName, StoreId,
    TapId, TouchpointCode, Vid,
};
use super::members::{BirthdayTold, Membership};
use super::referral::{ReferralRewarded, ReferralShown, ReferralUsed};
use super::sealed::Sealed;
use super::stickers::{TouchpointBound, WalkFinished};
use super::text::Text;
use super::together::{TableJoined, TableTreated};
use super::wifi::{Tier, ZoneName};

/// Declares the registry: every kind with its number and the class of its spool.
macro_rules! registry {
    ($($class:ident { $($number:literal $kind:ident $name:literal,)* })*) => {
        /// A kind of event. The numbers are for ever: a kind that is given up keeps its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Kind { $($($kind = $number,)*)* }

        impl Kind {
            pub const ALL: &'static [Self] = &[$($(Self::$kind,)*)*];

            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($($number => Some(Self::$kind),)*)*
                    _ => None,
                }
            }

            pub const fn name(self) -> &'static str {
                match self { $($(Self::$kind => $name,)*)* }
            }

            pub const fn class(self) -> Class {
                match self { $($(Self::$kind => Class::$class,)*)* }
            }
        }
    };
}

/// What a kind of event is worth when space runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Never lost, never behind a backlog.
    P0,
    /// May be dropped, oldest first, and then says so.
    P1,
}

registry! {
    P0 {
        1 ConsentGiven "consent_given",
        2 ConsentWithdrawn "consent_withdrawn",
        3 Claim "claim",
        4 Redeem "redeem",
        5 RedeemUndone "redeem_undone",
        6 RedeemRefused "redeem_refused",
        7 FollowIntent "follow_intent",
        8 FollowConfirmed "follow_confirmed",
        9 Unfollowed "unfollowed",
        10 ContactIntent "contact_intent",
        11 ContactAdded "contact_added",
        12 ContactLost "contact_lost",
        13 GroupIntent "group_intent",
        14 GroupJoined "group_joined",
        15 GroupLeft "group_left",
        16 MemberRegistered "member_registered",
        17 BookingRequested "booking_requested",
        18 BookingChanged "booking_changed",
        19 EventRsvp "event_rsvp",
        20 EventCheckin "event_checkin",
        21 ReferralShown "referral_shown",
        22 ReferralUsed "referral_used",
        23 Feedback "feedback",
        24 StockChanged "stock_changed",
        25 PromoSwitched "promo_switched",
        26 CoversCounted "covers_counted",
        27 Bill "bill",
        28 EraseRequested "erase_requested",
        29 Gap "gap",
        30 CommandDone "command_done",
        31 CouponVoided "coupon_voided",
        32 CouponKnown "coupon_known",
        33 RedeemedElsewhere "redeemed_elsewhere",
        34 UndoneElsewhere "undone_elsewhere",
        35 FeedbackKnown "feedback_known",
        36 StaffCalled "staff_called",
        37 GuestAnswered "guest_answered",
        38 TouchpointBound "touchpoint_bound",
        39 WalkFinished "walk_finished",
        40 SlipIssued "slip_issued",
        43 AccessLogged "access_logged",
        44 VipChanged "vip_changed",
        45 AnswerKnown "answer_known",
        46 BirthdayTold "birthday_told",
        47 GroupReported "group_reported",
        51 TableJoined "table_joined",
        52 ReferralRewarded "referral_rewarded",
        53 TableTreated "table_treated",
    }
    P1 {
        101 Associated "associated",
        102 PortalView "portal_view",
        103 TouchpointView "touchpoint_view",
        104 OfferView "offer_view",
        105 Admitted "admitted",
        106 AdmissionEnded "admission_ended",
        107 PassUsed "pass_used",
        108 Dwell "dwell",
        109 OutageBegan "outage_began",
        110 OutageEnded "outage_ended",
    }
}

/// The circumstances that the events of one frame share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    /// The store's offset from UTC then: figures go by the hour on the store's wall.
    pub offset: Offset,
}

impl Moment {
    pub fn local(self) -> DateTime {
        self.offset.to_datetime(self.at)
    }
}

/// One event with where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    pub store: StoreId,
    pub moment: Moment,
    pub event: Event,
}

/// What happened. Kinds of the registry without a variant here have no sender yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Claim(Claim),
    ConsentGiven(Consent),
    ConsentWithdrawn(Consent),
    Redeem(Redeem),
    RedeemUndone(RedeemUndone),
    RedeemRefused(RedeemRefused),
    TouchpointView(View),
    PortalView(View),
    Admitted(Admitted),
    EraseRequested(EraseRequested),
    AccessLogged(AccessLogged),
    AdmissionEnded(AdmissionEnded),
    PassUsed(PassUsed),
    CommandDone(CommandDone),
    CouponVoided(CouponVoided),
    CouponKnown(CouponKnown),
    RedeemedElsewhere(RedeemedElsewhere),
    UndoneElsewhere(UndoneElsewhere),
    FeedbackKnown(Box<FeedbackKnown>),
    AnswerKnown(Box<AnswerKnown>),
    StockChanged(StockChanged),
    PromoSwitched(PromoSwitched),
    CoversCounted(CoversCounted),
    Bill(Bill),
    SlipIssued(SlipIssued),
    FollowIntent(Intent),
    ContactIntent(Intent),
    GroupIntent(Intent),
    TouchpointBound(TouchpointBound),
    WalkFinished(WalkFinished),
    Feedback(Feedback),
    StaffCalled(StaffCalled),
    GuestAnswered(GuestAnswered),
    /// A guest took a member's card.
    MemberRegistered(Membership),
    VipChanged(Membership),
    /// Staff say that a guest has joined the group, or left it.
    GroupReported(Membership),
    BirthdayTold(BirthdayTold),
    BookingRequested(Box<Booking>),
    BookingChanged(Box<Booking>),
    EventRsvp(Box<Booking>),
    EventCheckin(Box<Booking>),
    ReferralShown(ReferralShown),
    ReferralUsed(ReferralUsed),
    ReferralRewarded(ReferralRewarded),
    TableJoined(TableJoined),
    TableTreated(TableTreated),
}

impl Event {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Claim(_) => Kind::Claim,
            Self::ConsentGiven(_) => Kind::ConsentGiven,
            Self::ConsentWithdrawn(_) => Kind::ConsentWithdrawn,
            Self::Redeem(_) => Kind::Redeem,
            Self::RedeemUndone(_) => Kind::RedeemUndone,
            Self::RedeemRefused(_) => Kind::RedeemRefused,
            Self::TouchpointView(_) => Kind::TouchpointView,
            Self::PortalView(_) => Kind::PortalView,
            Self::Admitted(_) => Kind::Admitted,
            Self::EraseRequested(_) => Kind::EraseRequested,
            Self::AccessLogged(_) => Kind::AccessLogged,
            Self::AdmissionEnded(_) => Kind::AdmissionEnded,
            Self::PassUsed(_) => Kind::PassUsed,
            Self::CommandDone(_) => Kind::CommandDone,
            Self::CouponVoided(_) => Kind::CouponVoided,
            Self::CouponKnown(_) => Kind::CouponKnown,
            Self::RedeemedElsewhere(_) => Kind::RedeemedElsewhere,
            Self::UndoneElsewhere(_) => Kind::UndoneElsewhere,
            Self::FeedbackKnown(_) => Kind::FeedbackKnown,
            Self::AnswerKnown(_) => Kind::AnswerKnown,
            Self::StockChanged(_) => Kind::StockChanged,
            Self::PromoSwitched(_) => Kind::PromoSwitched,
            Self::CoversCounted(_) => Kind::CoversCounted,
            Self::Bill(_) => Kind::Bill,
            Self::SlipIssued(_) => Kind::SlipIssued,
            Self::FollowIntent(_) => Kind::FollowIntent,
            Self::ContactIntent(_) => Kind::ContactIntent,
            Self::GroupIntent(_) => Kind::GroupIntent,
            Self::TouchpointBound(_) => Kind::TouchpointBound,
            Self::WalkFinished(_) => Kind::WalkFinished,
            Self::Feedback(_) => Kind::Feedback,
            Self::StaffCalled(_) => Kind::StaffCalled,
            Self::GuestAnswered(_) => Kind::GuestAnswered,
            Self::MemberRegistered(_) => Kind::MemberRegistered,
            Self::VipChanged(_) => Kind::VipChanged,
            Self::GroupReported(_) => Kind::GroupReported,
            Self::BirthdayTold(_) => Kind::BirthdayTold,
            Self::BookingRequested(_) => Kind::BookingRequested,
            Self::BookingChanged(_) => Kind::BookingChanged,
            Self::EventRsvp(_) => Kind::EventRsvp,
            Self::EventCheckin(_) => Kind::EventCheckin,
            Self::ReferralShown(_) => Kind::ReferralShown,
            Self::ReferralUsed(_) => Kind::ReferralUsed,
            Self::ReferralRewarded(_) => Kind::ReferralRewarded,
            Self::TableJoined(_) => Kind::TableJoined,
            Self::TableTreated(_) => Kind::TableTreated,
        }
    }
}

/// A diner tapped and holds a coupon now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "cd")]
    pub code: ShortCode,
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    #[serde(rename = "tp")]
    pub touchpoint: TouchpointCode,
    pub tap: TapId,
    pub vid: Vid,
    #[serde(rename = "nb", with = "unix_millis")]
    pub not_before: Timestamp,
    #[serde(rename = "na", with = "unix_millis")]
    pub not_after: Timestamp,
    /// Kept with the coupon: it holds what it promised, whatever becomes of the campaign.
    pub gift: Text,
    /// Until when the limits have to remember this claim.
    #[serde(rename = "rem", with = "unix_millis")]
    pub remember_until: Timestamp,
    /// Claimed inside the hours of a campaign about certain hours.
    #[serde(rename = "off", default, skip_serializing_if = "is_false")]
    pub off_peak: bool,
    /// Nobody tapped: the shop gave it, to somebody who need not be there.
    #[serde(rename = "gvn", default, skip_serializing_if = "is_false")]
    pub given: bool,
}

/// A diner ticked, or took back, the box about messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub vid: Vid,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    pub purpose: Purpose,
    /// The version of the words that were shown.
    #[serde(rename = "v")]
    pub version: u32,
    /// The first 8 bytes of the SHA-256 of those words in all languages, in hexadecimal.
    #[serde(rename = "h")]
    pub words_hash: String,
    /// The words themselves as this diner read them, for their receipt; none where they took it back.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// Somebody's access to the Internet began or ended, and who and when only headquarters can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogged {
    /// None in a frame that headquarters keeps: there it has a place and a time of its own.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// A diner wants to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseRequested {
    pub vid: Vid,
    /// What counted people counts this one under from now on, so that no sum changes. Nobody has a cookie of it.
    #[serde(rename = "as")]
    pub instead: Vid,
    /// They asked elsewhere, and headquarters has passed it on.
    #[serde(rename = "hq", default, skip_serializing_if = "is_false")]
    pub passed_on: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Marketing,
}

/// The till handed over what a coupon promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeem {
    #[serde(rename = "red")]
    pub redemption: RedemptionId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    #[serde(rename = "stf")]
    pub staff: StaffName,
    #[serde(rename = "dev")]
    pub device: DeviceId,
    /// Known where the coupon was issued by this gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vid: Option<Vid>,
    /// When the coupon may be forgotten.
    #[serde(rename = "rem", with = "unix_millis")]
    pub remember_until: Timestamp,
    #[serde(rename = "off", default, skip_serializing_if = "is_false")]
    pub off_peak: bool,
    /// Known where the coupon was issued by this gateway.
    #[serde(rename = "from", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whose coupon it is, where it is another store's.
    #[serde(rename = "hm", default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Home>,
}

/// Where and on which business day a coupon was claimed: what becomes of it counts for that place and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    #[serde(rename = "tp")]
    pub touchpoint: TouchpointCode,
    #[serde(rename = "d")]
    pub day: Date,
}

/// The own store of a coupon that was redeemed in another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    #[serde(rename = "st")]
    pub store: StoreId,
    /// Headquarters could not be asked, and the coupon's worth was within what its campaign allows then.
    #[serde(rename = "prv", default, skip_serializing_if = "is_false")]
    pub provisional: bool,
}

/// A redemption was a mistake and is taken back; the coupon can be used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemUndone {
    #[serde(rename = "red")]
    pub redemption: RedemptionId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    #[serde(rename = "stf")]
    pub staff: StaffName,
    /// When the redemption itself was, so that its figures and not today's are corrected.
    #[serde(rename = "was", with = "unix_millis")]
    pub redeemed_at: Timestamp,
    #[serde(rename = "off", default, skip_serializing_if = "is_false")]
    pub off_peak: bool,
    /// As its redemption had it.
    #[serde(rename = "from", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The coupon's own store, where that is another.
    #[serde(rename = "hm", default, skip_serializing_if = "Option::is_none")]
    pub home: Option<StoreId>,
}

/// The till said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemRefused {
    #[serde(rename = "why")]
    pub reason: RefusalReason,
    #[serde(rename = "dev")]
    pub device: DeviceId,
    #[serde(rename = "cpn", default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<CouponId>,
}

/// Why a till said no, as a word for figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    WrongPin,
    UnknownCode,
    StreetCode,
    BadToken,
    OtherStore,
    AlreadyRedeemed,
    NotYetValid,
    Expired,
    OutsideHours,
    Voided,
    OtherChain,
    HeadquartersAway,
}

/// A page was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    #[serde(rename = "tp", default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointCode>,
    /// The offer it showed.
    #[serde(rename = "cmp", default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// Known where the phone brought its cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vid: Option<Vid>,
    #[serde(rename = "off", default, skip_serializing_if = "is_false")]
    pub off_peak: bool,
}

/// A device was let through to the Internet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vid: Option<Vid>,
    #[serde(rename = "zn", default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneName>,
    #[serde(rename = "tr", default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
}

/// A device's time, or what else it had, is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionEnded {
    #[serde(rename = "zn")]
    pub zone: ZoneName,
    #[serde(rename = "tr")]
    pub tier: Tier,
    /// `time`, `idle`, `quota`, `revoked`; more may come.
    #[serde(rename = "why")]
    pub reason: String,
    #[serde(rename = "s")]
    pub seconds: u64,
    /// Bytes of the network layer.
    pub up: u64,
    pub down: u64,
}

/// A device took a temporary pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassUsed {
    #[serde(rename = "zn")]
    pub zone: ZoneName,
}

/// Headquarters has taken a coupon back: nobody gives anything on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponVoided {
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    /// Until when somebody might show it.
    #[serde(rename = "rem", with = "unix_millis")]
    pub remember_until: Timestamp,
}

/// A guest claimed a coupon at another box that speaks for the store, and headquarters has passed it on: from the
/// street to the store's boxes, and from everywhere to the street's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponKnown {
    #[serde(rename = "cl")]
    pub claim: Claim,
    #[serde(rename = "was", with = "unix_millis")]
    pub claimed_at: Timestamp,
    /// The business day of the claim.
    pub day: Date,
    /// Its home, for boxes of the street; a box of the store knows.
    #[serde(rename = "st", default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
}

/// A coupon was redeemed in another place than where this is kept: one of this store in another store, or, for a
/// box of the street, any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemedElsewhere {
    #[serde(rename = "red")]
    pub redemption: RedemptionId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "st")]
    pub store: StoreId,
    #[serde(rename = "was", with = "unix_millis")]
    pub redeemed_at: Timestamp,
    /// When the coupon may be forgotten.
    #[serde(rename = "rem", with = "unix_millis")]
    pub remember_until: Timestamp,
}

/// A redemption in another place was taken back there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoneElsewhere {
    #[serde(rename = "red")]
    pub redemption: RedemptionId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
}

/// Staff said how much of a campaign's gift is left in the store today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChanged {
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    /// The business day it is true of.
    pub day: Date,
    /// The number of the day's last coupon, so that it is said once however often it is read; none where the
    /// campaign's own limits hold again.
    #[serde(rename = "upto", default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u32>,
    #[serde(rename = "stf")]
    pub staff: StaffName,
}

/// A guest asked to follow, add or join, and was shown how. Whether they did, the platform says or nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    #[serde(rename = "inv")]
    pub invitation: Slug,
    /// Which code of the invitation's pool.
    #[serde(rename = "cd")]
    pub code: Slug,
    pub vid: Vid,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
}

/// Staff stopped a campaign in their store, or let it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromoSwitched {
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    pub on: bool,
    #[serde(rename = "stf")]
    pub staff: StaffName,
}

/// Staff issued a coupon on paper; its claim is in the same frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlipIssued {
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    #[serde(rename = "stf")]
    pub staff: StaffName,
}

/// Staff counted guests, by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoversCounted {
    /// The business day.
    pub day: Date,
    #[serde(rename = "hh")]
    pub half: HalfHour,
    pub by: i16,
    /// How many of that half-hour it makes.
    #[serde(rename = "now")]
    pub total: u16,
    #[serde(rename = "stf")]
    pub staff: StaffName,
}

/// What is known of a bill. A later word of the same bill, by its number or else its redemption, adds to it or
/// replaces what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    #[serde(rename = "red", default, skip_serializing_if = "Option::is_none")]
    pub redemption: Option<RedemptionId>,
    #[serde(rename = "no", default, skip_serializing_if = "Option::is_none")]
    pub number: Option<BillNumber>,
    #[serde(rename = "pty", default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    #[serde(rename = "fen", default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Fen>,
    #[serde(rename = "stf")]
    pub staff: StaffName,
    #[serde(rename = "dev")]
    pub device: DeviceId,
}

/// A guest said how it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    #[serde(rename = "rq")]
    pub id: RequestId,
    /// The place whose code they scanned, where there is one.
    #[serde(rename = "tp", default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<TouchpointCode>,
    pub vid: Vid,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
    /// What it goes on with: the guest writes back to the shop's answer.
    #[serde(rename = "re", default, skip_serializing_if = "Option::is_none")]
    pub of: Option<RequestId>,
}

/// A guest called for staff, or once more where the call has been waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffCalled {
    #[serde(rename = "rq")]
    pub id: RequestId,
    #[serde(rename = "tp")]
    pub touchpoint: TouchpointCode,
    pub what: Call,
    pub vid: Vid,
    /// The same call, which has been waiting.
    #[serde(rename = "ag", default, skip_serializing_if = "is_false")]
    pub again: bool,
}

/// Staff saw to what a guest asked or said, answered it, or found that it is not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestAnswered {
    #[serde(rename = "rq")]
    pub of: RequestId,
    #[serde(rename = "stf")]
    pub staff: StaffName,
    #[serde(rename = "is")]
    pub standing: Standing,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
    /// The guest said it on the street, where they look for the answer.
    #[serde(rename = "str", default, skip_serializing_if = "is_false")]
    pub on_street: bool,
}

/// What a guest said of this store on the street, passed down by headquarters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackKnown {
    #[serde(rename = "fb")]
    pub feedback: Feedback,
    #[serde(rename = "was", with = "unix_millis")]
    pub said_at: Timestamp,
}

/// The shop's answer to it, passed back to the street.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerKnown {
    #[serde(rename = "an")]
    pub answered: GuestAnswered,
    #[serde(rename = "was", with = "unix_millis")]
    pub answered_at: Timestamp,
    #[serde(rename = "st")]
    pub store: StoreId,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Timestamps as whole milliseconds since 1970.
pub mod unix_millis {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(time: &Timestamp, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_i64(time.as_millisecond())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<Timestamp, D::Error> {
        let millis = i64::deserialize(reader)?;
        Timestamp::from_millisecond(millis).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(*kind as u16), Some(*kind));
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!(Kind::from_number(99), None);
    }

    /// Boxes in the field and ledgers of years ago speak in these numbers.
    #[test]
    fn no_kind_is_renumbered_renamed_or_taken_away() {
        let registry = include_str!("../../tests/fixtures/event-kinds.txt");
        let written: Vec<String> = registry
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let line = |kind: &Kind| format!("{} {:?} {}", *kind as u16, kind.class(), kind.name());
        let known: Vec<String> = Kind::ALL.iter().map(line).collect();
        for line in &written {
            assert!(known.contains(line), "`{line}` is for ever");
        }
        for line in &known {
            assert!(
                written.contains(line),
                "`{line}` is new: add it to the file"
            );
        }
        let number = |line: &String| line.split(' ').next().map(str::to_owned);
        let numbers: std::collections::BTreeSet<_> = written.iter().map(number).collect();
        assert_eq!(numbers.len(), written.len(), "a number is given twice");
    }

    #[test]
    fn what_must_never_be_lost_is_p0() {
        assert_eq!(Kind::Claim.class(), Class::P0);
        assert_eq!(Kind::Gap.class(), Class::P0);
        assert_eq!(Kind::TouchpointView.class(), Class::P1);
    }
}
