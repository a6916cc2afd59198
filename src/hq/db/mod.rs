//! The ledger: what headquarters keeps, in the words of headquarters.
//!
//! [`Ledger`] is all that the rest of `hq` sees. It promises that a frame is counted once however often it
//! is sent: the mark of its stream moves in the same transaction that stores and counts it. Nothing outside
//! this folder knows SQL, or which database it is.
//!
//! | file | what it does |
//! |---|---|
//! | [`plan`] | decides what becomes of a delivery or of a hello's stream; reads and writes nothing |
//! | `row`, `settle`, `greet` | deliveries that wait share a transaction; what it writes; what a hello writes |
//! | [`commands`] | how a gateway's cursor is understood |
//! | [`notice`] | what the boxes of a store are told of coupons, VIPs and persons |
//! | [`members`] | what is known of guests, and who was written to |
//! | [`access`] | who was on the Wi-Fi and when, sealed |
//! | [`phones`] | numbers that guests typed with bookings, sealed |
//! | [`persons`] | who agreed to what, and who asked to be forgotten |
//! | [`stickers`] | what was said of stickers, and how stores were walked |
//! | [`sisters`] | which store may redeem a coupon of another, and what was redeemed twice |
//! | `runs` | which frames are stored under which numbers |
//! | [`tally`], [`audit`] | what frames add to the figures; the figures held against the frames |
//! | `embedded`, `postgres` | the SQL: a file in headquarters' folder, a database of the chain's own |

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::config::settings::{Database, HqSettings};
use crate::domain::command::{Cursor, Outcome};
use crate::domain::ids::{
    CampaignId, Chain, CommandId, CouponId, FrameId, GatewayId, StoreId, StreamId, TouchpointCode,
    Vid,
};
use crate::domain::uptake::places::Places;
use crate::domain::uptake::{Cell, Fact};
use crate::domain::wallet::Said;
use crate::wire::batch::{Gap, Time, TimeQuality};
use crate::wire::frame::without_sealed;
use crate::wire::link::{BundleState, Item, Serves, StreamMark, StreamOffer, Unused};
use crate::wire::signing::PublicKey;

pub mod access;
pub mod audit;
pub mod commands;
mod embedded;
mod greet;
pub mod members;
pub mod notice;
pub mod persons;
pub mod phones;
pub mod plan;
mod postgres;
mod row;
mod runs;
#[cfg(test)]
pub(super) mod scratch;
mod settle;
pub mod sisters;
pub mod stickers;
pub mod tally;
#[cfg(test)]
mod tests;

use access::{Asked, Held, Kept};
use audit::{DayAudit, StreamCount};
use commands::{Given, Order};
use members::{Imported, Member, MemberNews, Reached};
use notice::Notice;
use persons::{Agreed, Erasure, PersonNews, Unanswered};
use phones::{BookedPhone, Found, Which};
use plan::Disagreement;
use sisters::{Double, Use, Wish};
use stickers::{Told, Walked, Word};

/// Where the ledger of a headquarters is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SQLite file in headquarters' folder.
    Folder(PathBuf),
    /// A PostgreSQL database.
    Database(Database),
}

impl Place {
    pub fn of(settings: &HqSettings) -> Self {
        match &settings.database {
            Some(database) => Self::Database(database.clone()),
            None => Self::Folder(settings.dir.clone()),
        }
    }
}

/// Opens the ledger, and brings it to this version first.
pub async fn open(place: &Place) -> Answer<Arc<dyn Ledger>> {
    match place {
        // Making one here would hide a wrong folder, or a wrong database, behind an empty ledger.
        Place::Folder(dir) if !file(dir).exists() => {
            Err(LedgerError::Missing(dir.display().to_string()))
        }
        Place::Folder(dir) => embedded(dir).await,
        Place::Database(database) => Ok(Arc::new(postgres::Postgres::open(database).await?)),
    }
}

/// Makes an empty ledger.
pub async fn create(place: &Place) -> Answer<Arc<dyn Ledger>> {
    match place {
        Place::Folder(dir) => embedded(dir).await,
        Place::Database(database) => Ok(Arc::new(postgres::Postgres::create(database).await?)),
    }
}

async fn embedded(dir: &Path) -> Answer<Arc<dyn Ledger>> {
    let file = file(dir);
    let opened = tokio::task::spawn_blocking(move || embedded::Embedded::open(&file)).await;
    let ledger = opened.map_err(|error| LedgerError::Storage(error.to_string()))??;
    Ok(Arc::new(ledger))
}

/// The embedded ledger's file, for backups.
pub fn file(dir: &Path) -> PathBuf {
    dir.join("ledger.db")
}

/// The ledger cannot do its work. Whoever asked may ask again; nothing was half done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger has stopped")]
    Stopped,
    #[error("there is no ledger in {0}\nhint: `maitred hq init` makes one")]
    Missing(String),
    /// The database is away; what was asked may or may not have been done.
    #[error("the ledger cannot be reached: {0}")]
    Unreachable(String),
    #[error("the ledger failed: {0}")]
    Storage(String),
}

type Answer<T> = Result<T, LedgerError>;

/// Diners by the place that brought them.
pub type FirstVisits = BTreeMap<TouchpointCode, i64>;

/// Business days, from the first to the last.
pub type Days = RangeInclusive<Date>;

/// What headquarters remembers.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Ends when the ledger has stopped for good, which it does by a fault only.
    async fn stopped(&self);

    /// Answers when the ledger can be read.
    async fn ping(&self) -> Answer<()>;

    /// Stores and counts the frames that are new, and moves the stream's mark, in one transaction.
    async fn ingest(&self, delivery: Delivery) -> Answer<IngestOutcome>;
    /// Where the streams of a hello stand; one that was never seen stands at 0. Closes those of which the
    /// gateway has something else, and notes once of each stream that frames are missing here.
    async fn greet(&self, greeting: Greeting) -> Answer<Marks>;

    /// A store's business day as the stored frames say, and as the figures say.
    async fn audit_day(&self, store: StoreId, day: Date) -> Answer<DayAudit>;
    /// What is stored of every stream.
    async fn audit_streams(&self) -> Answer<Vec<StreamCount>>;

    /// The figures of stores on business days, in the order asked.
    async fn figures(&self, asked: Vec<(StoreId, Date)>) -> Answer<Vec<Figures>>;
    /// What a store's places have brought over business days.
    async fn places(&self, store: StoreId, days: Days) -> Answer<Places>;
    /// Of the diners who claimed at each place, such as had never been in the store before.
    async fn first_visits(&self, store: StoreId, days: Days) -> Answer<FirstVisits>;
    /// The same of stores on single business days, in the order asked, and without their diners.
    async fn deeds(&self, asked: Vec<(StoreId, Date)>) -> Answer<Vec<Places>>;
    /// The first business day whose places are counted whole; none where every day's are.
    async fn places_since(&self) -> Answer<Option<Date>>;
    async fn totals(&self) -> Answer<Totals>;
    /// Every coupon, for an audit against what others have counted.
    async fn coupons(&self) -> Answer<Coupons>;

    async fn gateways(&self) -> Answer<Vec<Gateway>>;
    /// Whether the holder of this certificate may speak; notes that it was seen.
    async fn recognise(&self, caller: Caller) -> Answer<Result<Gateway, Denied>>;
    async fn record_certificate(&self, certificate: Certificate) -> Answer<()>;
    async fn record_report(&self, report: Report) -> Answer<()>;
    /// Refuses a gateway from now on; the audit has it.
    async fn revoke(&self, gateway: GatewayId, now: Timestamp) -> Answer<Revoked>;

    /// Keeps what a gateway asks to have certified, in place of what it asked before.
    async fn keep_host_request(&self, request: HostRequest) -> Answer<()>;
    /// What the gateways of a store ask, in the order of their numbers; those that are revoked are not heard.
    async fn host_requests(&self, store: StoreId) -> Answer<Vec<HostRequest>>;

    async fn keep_token(&self, token: NewToken) -> Answer<()>;
    /// What a token is for, without using it up.
    async fn look_at_token(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> Answer<Result<Serves, TokenRefusal>>;
    /// Uses up a token and gives the gateway its number, in one transaction. A box that comes again with
    /// its key keeps the number, a revoked one, too: the token says that it is in good hands.
    async fn enrol(&self, enrolment: Enrolment) -> Answer<Result<GatewayId, TokenRefusal>>;

    /// Gives a gateway a command, under the next number; none where there is no such gateway.
    async fn give(&self, order: Order) -> Answer<Option<u64>>;
    /// Takes in how far a gateway has come, and says what comes next. The audit has it when the gateway was
    /// ahead of this ledger.
    async fn commands_after(
        &self,
        gateway: GatewayId,
        cursor: Option<Cursor>,
        now: Timestamp,
    ) -> Answer<Vec<Item>>;
    /// Has boxes that are enrolled from now on told, until the notice is over. Those that are here are not.
    async fn keep_notice(&self, notice: Notice) -> Answer<()>;
    /// A gateway's commands in the order of their numbers, with what became of them.
    async fn commands(&self, gateway: GatewayId) -> Answer<Vec<Given>>;

    /// An operator's word on a sticker; staff's come with their frames. The audit has it.
    async fn say(&self, word: Word) -> Answer<()>;
    /// The number of the last word on any sticker; 0 before the first.
    async fn last_word(&self) -> Answer<u64>;
    /// What was last said of each sticker, in the order of headquarters.
    async fn words(&self) -> Answer<Vec<Word>>;
    /// The last walk of each store.
    async fn walks(&self) -> Answer<Vec<Walked>>;
    /// Whether a store may redeem a coupon of another one. A yes holds it, for a while, against everybody else.
    async fn reserve(&self, wish: Wish) -> Answer<Said>;
    /// Nothing was given on a yes: the coupon is free again, unless it was asked for once more since.
    async fn release(&self, gateway: GatewayId, unused: Unused) -> Answer<()>;
    /// Coupons of one store that count as used more than once, another store being among those that took them.
    async fn doubles(&self) -> Answer<Vec<Double>>;

    /// The guests of a store, in the order of their pseudonyms.
    async fn members(&self, store: StoreId) -> Answer<Vec<Member>>;
    /// Takes in a list of members as a whole, and tells the boxes of the store and the street of its VIPs.
    async fn import(&self, imported: Imported) -> Answer<()>;
    /// Writes down who was written to.
    async fn reach(&self, reached: Vec<Reached>) -> Answer<()>;
    /// Goes through everything stored for those who asked to be forgotten, as far as that is due; how many were.
    async fn sweep(&self, now: Timestamp) -> Answer<usize>;
    /// Everybody who asked to be forgotten, and how far that has come.
    async fn erasures(&self) -> Answer<Vec<Erasure>>;
    /// Which boxes have not answered a request that is not closed; those that are revoked are not waited for.
    async fn unanswered(&self) -> Answer<Vec<Unanswered>>;
    /// How much of a store's access log is there; none where nothing is.
    async fn access_held(&self, store: StoreId) -> Answer<Option<Held>>;
    /// A part of a store's access log, in the order of the times.
    async fn access(&self, asked: Asked) -> Answer<Vec<Kept>>;
    /// Has what was received before go; how many entries that were.
    async fn forget_access(&self, before: Timestamp) -> Answer<u64>;
    /// The number of one of a store's bookings, where it has one.
    async fn booked_phone(&self, store: StoreId, which: Which) -> Answer<Option<Found>>;
    /// Has the numbers go of bookings for before then; how many that were.
    async fn forget_phones(&self, before: Timestamp) -> Answer<u64>;
    /// How many have agreed to which words.
    async fn agreed(&self) -> Answer<Vec<Agreed>>;

    /// The bundle last published for a gateway.
    async fn published(&self, gateway: GatewayId) -> Answer<Option<Published>>;
    async fn publish(&self, gateway: GatewayId, published: Published) -> Answer<()>;

    async fn add_admin(&self, login: String, password_hash: String) -> Answer<()>;
    async fn admin_password_hash(&self, login: String) -> Answer<Option<String>>;
    async fn open_session(&self, session: NewSession) -> Answer<()>;
    /// Whose session this is, while it lasts.
    async fn session(&self, hash: SessionHash, now: Timestamp) -> Answer<Option<String>>;
    async fn close_session(&self, hash: SessionHash) -> Answer<()>;

    async fn note(&self, entry: AuditEntry) -> Answer<()>;
    /// The latest entries, newest first.
    async fn audit(&self, count: u32) -> Answer<Vec<AuditEntry>>;
}

/// A batch that has been read, on its way into the ledger.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub gateway: GatewayId,
    pub stream: StreamId,
    pub received: Timestamp,
    /// Frames that wait at the gateway in this stream's spool, these included.
    pub waiting: u64,
    /// The chain before the first entry, where the gateway knows it.
    pub prev: Option<Chain>,
    /// Dense and ascending.
    pub entries: Vec<Entry>,
}

/// A line of a delivery.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are frames, and a box for each would be one more allocation a frame"
)]
#[derive(Debug, Clone)]
pub enum Entry {
    Frame(Frame),
    /// The numbers from `from` on will never come.
    Gap {
        from: u64,
        gap: Gap,
    },
}

impl Entry {
    pub const fn frame(&self) -> Option<&Frame> {
        match self {
            Self::Frame(frame) => Some(frame),
            Self::Gap { .. } => None,
        }
    }

    pub const fn first(&self) -> u64 {
        match self {
            Self::Frame(frame) => frame.seq,
            Self::Gap { from, .. } => *from,
        }
    }

    pub const fn last(&self) -> u64 {
        match self {
            Self::Frame(frame) => frame.seq,
            Self::Gap { gap, .. } => gap.to,
        }
    }
}

/// A frame with everything that it says.
#[derive(Debug, Clone)]
pub struct Frame {
    pub seq: u64,
    pub id: FrameId,
    /// As the gateway fixed it; none: only the body tells.
    pub time: Option<Time>,
    pub store: Option<StoreId>,
    pub body: Vec<u8>,
    pub events: Vec<EventRow>,
    pub facts: Vec<Fact>,
    /// Where each event counts whose hour is not certain.
    pub uncertain: Vec<Cell>,
    /// What other boxes have to hear of.
    pub notices: Vec<Notice>,
    /// Redemptions that other stores may ask about, and those that were taken back.
    pub used: Vec<Use>,
    /// Commands that it says have been dealt with.
    pub commands_done: Vec<(CommandId, Outcome)>,
    /// What it tells of stickers.
    pub told: Vec<(Timestamp, Told)>,
    /// What it says of guests.
    pub members: Vec<MemberNews>,
    /// What it says of persons by themselves.
    pub persons: Vec<PersonNews>,
    /// What it brings for the access log.
    pub access: Vec<Kept>,
    /// Numbers that guests typed with bookings.
    pub phones: Vec<BookedPhone>,
    pub put_aside: Vec<PutAside>,
}

impl Frame {
    /// The bytes that are kept of it: what is sealed is kept in a place of its own, and only as long as it may be.
    pub(super) fn kept_body(&self) -> Cow<'_, [u8]> {
        if self.access.is_empty() && self.phones.is_empty() {
            Cow::Borrowed(&self.body)
        } else {
            Cow::Owned(without_sealed(&self.body))
        }
    }
}

/// What is kept of an event besides its bytes, for audits and look-ups.
#[derive(Debug, Clone)]
pub struct EventRow {
    pub kind: u16,
    pub at: Timestamp,
    pub quality: TimeQuality,
    pub campaign: Option<CampaignId>,
    pub coupon: Option<CouponId>,
    pub vid: Option<Vid>,
}

/// An event, or a whole frame, that is acknowledged and not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAside {
    pub kind: Option<u16>,
    /// A stable word.
    pub code: &'static str,
    /// Stays in the ledger: it may quote what was sent.
    pub reason: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngestOutcome {
    Taken(Taken),
    /// It does not follow what is there: go on after `acked`.
    Expected {
        acked: u64,
    },
    /// Nothing more is taken into this stream. Of this delivery, `known` are here all the same.
    Closed {
        known: Vec<u64>,
        /// Why, where it was this delivery that closed it.
        now: Option<Disagreement>,
    },
    /// The stream belongs to another gateway; the attempt is in the audit.
    ForeignStream,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub acked: u64,
    pub fresh: u64,
    /// Frames that were there already.
    pub resent: u64,
    /// Sequence and word of what was put aside.
    pub put_aside: Vec<(u64, &'static str)>,
}

/// A gateway's hello.
#[derive(Debug, Clone)]
pub struct Greeting {
    pub gateway: GatewayId,
    pub offers: Vec<StreamOffer>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marks {
    At {
        streams: Vec<StreamMark>,
        /// Those that this hello closed.
        closed_now: Vec<(StreamId, Disagreement)>,
    },
    ForeignStream(StreamId),
}

/// A store's business day. Each figure counts events, but the two of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    pub came: i64,
    pub claimed: i64,
    pub consented: i64,
    pub redeemed: i64,
    pub refused: i64,
    pub off_peak_came: i64,
    pub off_peak_claimed: i64,
    pub off_peak_redeemed: i64,
    /// Of the events counted here, those whose hour is not certain: the box did not know the time.
    pub uncertain: i64,
    /// Diners with a cookie who were seen that day.
    pub people: i64,
    /// Those of them who had been in this store on an earlier day.
    pub came_back: i64,
}

/// Counted from the stored events and not from the figures, so that one can be held against the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub frames: u64,
    /// Frames that came again and were trimmed.
    pub frames_resent: u64,
    /// Frames stored more than once, by their own ids: anything but 0 is a fault.
    pub frames_twice: u64,
    pub events: u64,
    /// Pages of touchpoints that were opened.
    pub views: u64,
    pub claims: u64,
    pub coupons: u64,
    pub redemptions: u64,
    pub redemptions_undone: u64,
    pub quarantined: u64,
}

/// Coupons by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coupons {
    pub claimed: BTreeSet<CouponId>,
    /// Redeemed and not taken back.
    pub redeemed: BTreeSet<CouponId>,
    /// Redeemed more often than taken back and once more: anything but none is a fault.
    pub redeemed_twice: BTreeSet<CouponId>,
}

impl Totals {
    pub const fn redemptions_net(&self) -> u64 {
        self.redemptions.saturating_sub(self.redemptions_undone)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    pub id: GatewayId,
    pub serves: Serves,
    pub coupon_key: PublicKey,
    pub software: String,
    pub enrolled: Timestamp,
    pub revoked: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    /// Frames that wait there, over all streams, as it last said; none before it has said anything.
    pub waiting: Option<u64>,
    pub reported: Option<ReportedBundle>,
    pub commands: commands::Row,
}

impl Gateway {
    pub const fn is_revoked(&self) -> bool {
        self.revoked.is_some()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedBundle {
    pub version: u64,
    pub state: BundleState,
    pub why: String,
}

/// Who knocks at the sync listener, as the certificate says.
#[derive(Debug, Clone)]
pub struct Caller {
    pub gateway: GatewayId,
    pub serial: String,
    pub now: Timestamp,
}

/// Why a certificate that headquarters signed is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("this gateway is not known here; enrol it again")]
    Unknown,
    #[error("this gateway has been revoked; enrol it again if it is in good hands")]
    Revoked,
    #[error("this certificate has been replaced by a newer one")]
    Retired,
}

impl Denied {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "gateway_unknown",
            Self::Revoked => "gateway_revoked",
            Self::Retired => "certificate_retired",
        }
    }
}

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Now,
    /// It was so already.
    Before,
    /// There is no such gateway.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Certificate {
    pub serial: String,
    pub gateway: GatewayId,
    pub issued: Timestamp,
    pub not_after: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Report {
    pub gateway: GatewayId,
    pub bundle: ReportedBundle,
    pub software: String,
    pub now: Timestamp,
}

/// A request to certify the key that a gateway has made for its store's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRequest {
    pub gateway: GatewayId,
    pub csr_pem: String,
    pub received: Timestamp,
}

/// The SHA-256 of a token; the token itself is shown once and kept nowhere.
pub type TokenHash = [u8; 32];

#[derive(Debug, Clone)]
pub struct NewToken {
    pub hash: TokenHash,
    pub serves: Serves,
    pub made: Timestamp,
    pub expires: Timestamp,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    #[error(
        "this token was not made by this headquarters; check for typing mistakes and for the right --hq address"
    )]
    Unknown,
    #[error("this token has been used; a token enrols one gateway, so make another one")]
    Used,
    #[error("this token has expired; make another one")]
    Expired,
    #[error("this token is for a store that this chain does not have; make one for a store it has")]
    Foreign,
}

impl TokenRefusal {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "token_unknown",
            Self::Used => "token_used",
            Self::Expired => "token_expired",
            Self::Foreign => "token_foreign",
        }
    }
}

/// A gateway that comes with a token.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub token: TokenHash,
    pub coupon_key: PublicKey,
    pub software: String,
    /// Drawn beforehand, so that no certificate exists whose serial is not recorded.
    pub serial: String,
    pub now: Timestamp,
    pub not_after: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub version: u64,
    /// Of the packed bundle.
    pub sha256: String,
    /// Of what is in it: the version rises only when this changes.
    pub content: String,
    pub made: Timestamp,
}

/// The SHA-256 of a session's secret, which only the browser holds.
pub type SessionHash = [u8; 32];

#[derive(Debug, Clone)]
pub struct NewSession {
    pub hash: SessionHash,
    pub login: String,
    pub now: Timestamp,
    pub expires: Timestamp,
}

/// Who did what, for the chain's own eyes. Never a secret, never a diner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub action: String,
    /// What it was done to: `gw-000003`, `SZ01`.
    pub object: String,
    pub detail: String,
}

impl AuditEntry {
    pub fn new(at: Timestamp, action: &str, object: &dyn fmt::Display, detail: &str) -> Self {
        Self {
            at,
            action: action.to_owned(),
            object: object.to_string(),
            detail: detail.to_owned(),
        }
    }
}

/// `street`, or the store's id: no store is called `street`, because ids are capital letters.
pub fn serves_text(serves: &Serves) -> String {
    match serves {
        Serves::Store(store) => store.to_string(),
        Serves::Street => STREET.to_owned(),
    }
}

const STREET: &str = "street";
