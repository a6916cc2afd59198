//! What a gateway and headquarters say to each other besides batches: hello, the long poll, enrolment.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::signing::PublicKey;
use crate::domain::command::{Command, Cursor, Details};
use crate::domain::event::unix_millis;
use crate::domain::ids::{
    CampaignId, Chain, CouponId, GatewayId, RedemptionId, Slug, StoreId, StreamId,
};
use crate::domain::wallet::Said;

/// This version, as both sides tell it.
pub const SOFTWARE: &str = env!("CARGO_PKG_VERSION");

/// `POST /v1/hello`: what the gateway has: every stream with frames that wait, and those written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub sw: String,
    pub boot: u32,
    pub streams: Vec<StreamOffer>,
    /// A request to certify the key that the box has made for its host, until headquarters has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_csr: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOffer {
    pub id: StreamId,
    /// 0 for P0, 1 for P1.
    pub cls: u8,
    /// The first sequence that is still held.
    pub floor: u64,
    /// The sequence that the next frame will get.
    pub next: u64,
    /// The chain before `next`, where the gateway knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Chain>,
}

/// The answer to hello: where each stream stands at headquarters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// Headquarters' clock, in Unix milliseconds.
    pub now: i64,
    pub streams: Vec<StreamMark>,
    pub desired: Option<BundlePointer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamMark {
    pub id: StreamId,
    pub acked: u64,
    /// Nothing more is taken into this stream: two holders of it do not agree.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// `GET /v1/down?v=&c=&i=&wait=`: what is new for a gateway that says how far it has come with its commands.
/// One that says nothing of commands gets a [`BundlePointer`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct News {
    /// Where it is newer than the gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundlePointer>,
    /// In the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
}

/// A numbered command. What a kind needs beyond this comes in keys that older gateways leave alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    #[serde(rename = "cur")]
    pub cursor: Cursor,
    pub kind: String,
    #[serde(rename = "cpn", default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<CouponId>,
    #[serde(rename = "x", default, skip_serializing_if = "Details::is_empty")]
    pub details: Details,
}

impl Item {
    /// `None` where this version does not know it.
    pub fn command(&self) -> Option<Command> {
        Command::of(&self.kind, self.coupon, &self.details)
    }
}

/// The bundle that a gateway should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundlePointer {
    pub v: u64,
    /// The SHA-256 of the bundle, in hexadecimal, under which `GET /v1/bundle/{sha256}` gives it.
    pub sha256: String,
}

/// `POST /v1/reported`: what became of a bundle, and how the gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub v: u64,
    pub state: BundleState,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    pub sw: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BundleState {
    Applied,
    Refused,
}

/// Whom a gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serves {
    Store(StoreId),
    /// All stores, for phones on 4G.
    Street,
}

/// `POST /v1/enroll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollRequest {
    pub token: String,
    pub csr_pem: String,
    pub coupon_key: PublicKey,
    pub sw: String,
}

/// Everything a gateway keeps of its enrolment, besides the keys it made itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    pub gateway: GatewayId,
    pub chain: Slug,
    pub serves: Serves,
    pub certificate_pem: String,
    /// Unix seconds; said here so that a box need not take its own certificate apart.
    pub certificate_ends: i64,
    /// The authority that signs headquarters' own certificate: the only one this gateway believes.
    pub server_ca_pem: String,
    pub publish_root: PublicKey,
    /// Where the sync listener is, `https://host:port`.
    pub sync_url: String,
}

/// The answer to `POST /v1/renew`, whose body is a signing request in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    pub certificate_pem: String,
    /// Unix seconds.
    pub certificate_ends: i64,
}

/// A yes to [`RedeemQuestion`] that no journal confirms is held for so long.
pub const HELD_FOR: Duration = Duration::from_secs(10 * 60);

/// `POST /v1/redeem`: may this box's store redeem a coupon of another one?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemQuestion {
    #[serde(rename = "red")]
    pub redemption: RedemptionId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    #[serde(rename = "cmp")]
    pub campaign: CampaignId,
    /// The coupon's own store.
    #[serde(rename = "hm")]
    pub home: StoreId,
    /// Another one each time it is asked; 0 from a box that is older than this.
    #[serde(rename = "n", default)]
    pub nonce: u32,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeemAnswer {
    Yes,
    Used {
        #[serde(rename = "st")]
        store: StoreId,
        #[serde(with = "unix_millis")]
        at: Timestamp,
    },
    Voided,
}

impl From<RedeemAnswer> for Said {
    fn from(answer: RedeemAnswer) -> Self {
        match answer {
            RedeemAnswer::Yes => Self::Yes,
            RedeemAnswer::Used { store, at } => Self::Used { store, at },
            RedeemAnswer::Voided => Self::Voided,
        }
    }
}

/// `POST /v1/unused`: nothing was given on a yes, or on an answer that was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    #[serde(rename = "red")]
    pub redemption: RedemptionId,
    #[serde(rename = "cpn")]
    pub coupon: CouponId,
    /// The question's: it may come late, and must not free what was asked for again.
    #[serde(rename = "n", default)]
    pub nonce: u32,
}

/// What every refusal of headquarters looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// How the way to headquarters is, as `/readyz`, `/metrics` and the manager see it; the worse is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LinkState {
    /// Nothing has been tried since the start.
    #[default]
    Unknown,
    Online,
    /// All is well, but the box's own clock is more than a day off; headquarters' time is used.
    ClockBad,
    /// No connection can be made.
    Offline,
    /// Something answers, but not as headquarters does.
    HqDown,
    /// The certificates do not fit.
    CertBad,
    /// The shop's Internet wants somebody to sign in.
    UpstreamCaptive,
}

impl LinkState {
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Online,
        Self::ClockBad,
        Self::Offline,
        Self::HqDown,
        Self::CertBad,
        Self::UpstreamCaptive,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Online => "online",
            Self::ClockBad => "clock_bad",
            Self::Offline => "offline",
            Self::HqDown => "hq_down",
            Self::CertBad => "cert_bad",
            Self::UpstreamCaptive => "upstream_captive",
        }
    }
}
