//! The bundle: everything a gateway needs to know of its store, signed, in one file.
//!
//! It is a tar (POSIX ustar) of the files that a person can also write by hand, and two more:
//!
//! ```text
//! manifest.json                    version, and the SHA-256 of every file below
//! signature.json                   who signed the manifest, and the root's word for that key
//! chain.toml                       the chain's id and name
//! policy.toml                      words of notice and consent (optional)
//! holidays.toml                    the days that are not like their weekday (optional)
//! invitations.toml                 what guests are invited to beside a coupon (optional)
//! members.toml                     what makes a guest a VIP (optional)
//! wifi.toml                        what each zone of the guest Wi-Fi grants (optional)
//! logo.png                         the chain's picture on its pages (optional)
//! overrides.toml                   rules of the linter that somebody answers for (optional)
//! slices.toml                      this gateway's share of campaigns with a total (optional)
//! keys.toml                        the coupon keys this gateway believes, and what it seals to (optional)
//! campaigns/<id>.toml
//! partners.toml                    whom headquarters pays for what their codes bring; it stays there (optional)
//! stores/<ID>/store.toml           a store gateway has one, a street gateway has all
//! stores/<ID>/touchpoints.csv      code,kind,label,cost_fen
//! stores/<ID>/bindings.toml        what staff said of stickers and headquarters has heard (optional)
//! stores/<ID>/staff.toml           (optional)
//! stores/<ID>/pos.toml             points of sale that may ask the box (optional)
//! stores/<ID>/events.toml          tasting events that guests can sign up for (optional)
//! stores/<ID>/invitations.toml     invitations of this store's own (optional)
//! stores/<ID>/certificate.pem      of the store's host, and those up to a root (optional)
//! stores/<ID>/certificate-<gateway>.pem
//!                                  the same for the key of one box: each makes its own (optional)
//! stores/<ID>/logo.png             the store's own instead of the chain's (optional)
//! stores/<ID>/wifi.toml            zones that are different in this store (optional)
//! ```
//!
//! A bundle is believed when a publish key signed the manifest's bytes, the pinned root certified that key,
//! and every file has the digest that the manifest gives. It replaces only a bundle with a lower version.

mod lawful;
mod referral;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use super::encoding::{from_base64, sha256_hex, to_base64};
use super::pos::{Pos, PosFile};
use super::rules::register;
use super::sealed::SealingKey;
use super::signing::{PublicKey, SigningKey};
use super::staff::{Staff, StaffFile};
use crate::domain::booking::book::House;
use crate::domain::booking::tasting::{Tasting, TastingFile};
use crate::domain::calendar::Holidays;
use crate::domain::campaign::Campaign;
use crate::domain::ids::{BindingId, CampaignId, GatewayId, Slug, StoreId, TouchpointCode};
use crate::domain::invitation::{Invitation, Invitations};
use crate::domain::linter::overrides::Overrides;
use crate::domain::linter::rules::Region;
use crate::domain::members::MemberRules;
use crate::domain::referral::ReferralRules;
use crate::domain::stickers::Stickers;
use crate::domain::store::{Logo, Store, Touchpoint};
use crate::domain::text::Text;
use crate::domain::wifi::{Policy as WifiPolicy, Wifi, ZoneName};
use crate::domain::written::{BadFile, read_leniently, read_strictly};
pub use lawful::{Looked, Verdict, campaign_file};

/// The most that a bundle may unpack to: 3,000 stores of a street gateway at about 4 KiB each.
const MAX_BYTES: u64 = 16 << 20;

/// The files of a bundle or of a folder, by their path in it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a gateway knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bundle {
    pub version: u64,
    pub chain: Option<Chain>,
    pub stores: BTreeMap<StoreId, StoreFolder>,
    pub campaigns: BTreeMap<CampaignId, Campaign>,
    pub policy: Policy,
    pub members: MemberRules,
    wifi: Wifi,
    invitations: Invitations,
    overrides: Overrides,
    /// Each store has a copy.
    holidays: Holidays,
    /// Each store without its own has it.
    logo: Option<Logo>,
    /// Whom the chain pays, by the code that is theirs.
    #[cfg(feature = "hq")]
    pub partners: BTreeMap<TouchpointCode, Partner>,
    pub slices: BTreeMap<CampaignId, u32>,
    pub coupon_keys: Vec<PublicKey>,
    /// What a guest types is sealed to it. Without it, in a shop that has no headquarters or one of before, nothing
    /// can be typed.
    pub sealing_key: Option<SealingKey>,
    /// The access log is sealed to it, where the law wants one.
    pub log_key: Option<SealingKey>,
    touchpoints: BTreeMap<TouchpointCode, StoreId>,
}

/// Headquarters' own file of a chain's folder.
#[cfg(feature = "hq")]
pub const PARTNERS: &str = "partners.toml";

/// Who is paid for what their code brings: one level, so there is no key for what others bring by them.
///
/// ```toml
/// [Q3UXJ5J5]                   # a code of stores/<ID>/touchpoints.csv
/// name = "隔壁书店"
/// per_redemption_fen = 300
/// ```
#[cfg(feature = "hq")]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    pub name: String,
    pub per_redemption_fen: u32,
}

/// One store's folder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreFolder {
    pub store: Store,
    pub touchpoints: BTreeMap<TouchpointCode, Touchpoint>,
    pub staff: Vec<Staff>,
    /// The words of staff on stickers that the table above is made with.
    heard: BTreeSet<BindingId>,
    pub pos: Vec<Pos>,
    /// Certificates of the host, in PEM, each for the key of one of the store's boxes.
    pub certificates: Vec<String>,
    wifi: Wifi,
    invitations: Invitations,
    pub tastings: Vec<Tasting>,
}

impl StoreFolder {
    /// Where something can be booked.
    pub fn house(&self) -> House<'_> {
        House {
            store: &self.store,
            tastings: &self.tastings,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    pub id: Slug,
    pub name: Text,
    /// Whose rules its campaigns are held to.
    #[serde(default)]
    pub profile: Region,
    /// What whoever brings a friend gets, and the friend; a store may say something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<ReferralRules>,
}

/// The words that the law wants shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Raised with every change of the words.
    pub version: u32,
    /// What the unticked box on the coupon page asks.
    pub marketing: Text,
    /// The page behind "privacy".
    pub notice: Text,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            version: 2,
            marketing: Text::new(
                "我愿意收到本店的优惠消息（可随时取消）",
                "Send me this shop's offers (I can stop them at any time)",
            )
            .in_traditional("我願意收到本店的優惠訊息（可隨時取消）"),
            notice: Text::new(
                "领取优惠券不需要任何个人信息。我们在本机保存一个随机编号（Cookie），用来识别您的优惠券；不收集姓名、电话或位置。您可以随时清除浏览器数据来删除它。",
                "Claiming a coupon asks for no personal data. We keep one random number in your browser (a cookie) to recognise your coupon; no name, phone number or location. Clearing your browser's data removes it.",
            )
            .in_traditional("領取優惠券不需要任何個人資料。我們在您的瀏覽器保存一個隨機編號（Cookie），用來認得您的優惠券；不收集姓名、電話或位置。您可以隨時清除瀏覽器資料來刪除它。"),
        }
    }
}

impl Policy {
    /// The first 8 bytes of the SHA-256 of the consent's words, all languages.
    pub fn marketing_hash(&self) -> String {
        let Text { zh, zh_hant, en } = &self.marketing;
        let mut words = format!("{zh}\n{en}");
        if let Some(zh_hant) = zh_hant {
            words.push('\n');
            words.push_str(zh_hant);
        }
        sha256_hex(words.as_bytes())[..16].to_owned()
    }
}

/// `slices.toml`: coupons by campaign.
type Slices = BTreeMap<CampaignId, u32>;

/// `keys.toml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub coupon_keys: Vec<PublicKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<SealingKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_key: Option<SealingKey>,
}

/// `bindings.toml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heard {
    heard: BTreeSet<BindingId>,
}

impl Bundle {
    /// Lays over a store's table what its staff have said, where headquarters has not heard it yet.
    pub fn lay_over(&mut self, store: &StoreId, stickers: &Stickers) {
        let Some(folder) = self.stores.get_mut(store) else {
            return;
        };
        for (code, bound) in stickers.iter() {
            if folder.heard.contains(&bound.id) {
                continue;
            }
            if let Some(touchpoint) = folder.touchpoints.get_mut(&code) {
                touchpoint.kind = bound.kind;
                touchpoint.label.clone_from(&bound.label);
            }
        }
    }

    /// The touchpoint that carries `code`, and its store.
    pub fn touchpoint(&self, code: TouchpointCode) -> Option<(&StoreFolder, &Touchpoint)> {
        let folder = self.stores.get(self.touchpoints.get(&code)?)?;
        Some((folder, folder.touchpoints.get(&code)?))
    }

    /// What a zone of the guest Wi-Fi grants in `store`: the store's word, or else the chain's.
    pub fn wifi(&self, store: &StoreId, zone: &ZoneName) -> WifiPolicy {
        let own = self
            .stores
            .get(store)
            .and_then(|folder| folder.wifi.zones.get(zone));
        own.or_else(|| self.wifi.zones.get(zone))
            .cloned()
            .unwrap_or_default()
    }

    /// An invitation in `store`: the store's own, or else the chain's.
    pub fn invitation(&self, store: &StoreId, name: &Slug) -> Option<&Invitation> {
        let own = self.stores.get(store)?.invitations.get(name);
        own.or_else(|| self.invitations.get(name))
    }

    /// This gateway's share of a campaign with a total.
    pub fn slice(&self, campaign: &Campaign) -> Option<u32> {
        self.slices.get(&campaign.id).copied()
    }

    /// What `store` may show as its host's certificate, for whoever has the key.
    pub fn certificates(&self, store: Option<&StoreId>) -> &[String] {
        let folder = store.and_then(|store| self.stores.get(store));
        folder.map_or(&[], |folder| &folder.certificates)
    }

    pub fn campaign(&self, id: &CampaignId) -> Option<&Campaign> {
        self.campaigns.get(id)
    }

    /// Reads a folder that people wrote; every mistake is returned.
    pub fn from_folder(files: &Files) -> Result<Self, Vec<BadFile>> {
        let mut reader = Reader::default();
        let bundle = reader.read(files, &Strict);
        reader.faults.extend(referral::faults(&bundle));
        #[cfg(feature = "hq")]
        reader.faults.extend(bundle.unknown_partners());
        if reader.faults.is_empty() {
            Ok(bundle)
        } else {
            Err(reader.faults)
        }
    }

    /// Partners whose code is on no list, who would be paid nothing.
    #[cfg(feature = "hq")]
    fn unknown_partners(&self) -> impl Iterator<Item = BadFile> {
        let codes = self.partners.keys();
        let unknown = codes.filter(|code| !self.touchpoints.contains_key(code));
        unknown.map(|code| BadFile {
            hint: Some("the codes of a store are in its touchpoints.csv".to_owned()),
            ..BadFile::whole(PARTNERS, format!("no store has the code {code}"))
        })
    }

    /// Reads the files of a signed bundle: a campaign that does not read is left out and returned,
    /// anything else that does not read fails the bundle.
    fn from_bundle(files: &Files, version: u64) -> Result<(Self, Vec<BadFile>), BadBundle> {
        let mut reader = Reader::default();
        let mut bundle = reader.read(files, &Lenient);
        bundle.version = version;
        let (campaigns, others): (Vec<_>, Vec<_>) = reader
            .faults
            .into_iter()
            .partition(|fault| fault.file.starts_with("campaigns/"));
        match others.into_iter().next() {
            Some(fault) => Err(BadBundle::File(fault)),
            None => Ok((bundle, campaigns)),
        }
    }
}

/// How strictly a file is read.
trait Reading {
    fn toml<T: serde::de::DeserializeOwned>(&self, file: &str, text: &str) -> Result<T, BadFile>;
    /// What becomes of a file whose name is not known.
    fn stranger(&self, file: &str) -> Option<BadFile>;
}

struct Strict;
struct Lenient;

impl Reading for Strict {
    fn toml<T: serde::de::DeserializeOwned>(&self, file: &str, text: &str) -> Result<T, BadFile> {
        read_strictly(file, text)
    }

    fn stranger(&self, file: &str) -> Option<BadFile> {
        let mut fault = BadFile::whole(file, "no file of this name belongs in a bundle");
        let hint = if file.rsplit('/').next()?.starts_with("logo.") {
            "a logo is a PNG called logo.png: it can carry no script, and every phone shows it"
        } else {
            "campaigns are in campaigns/<id>.toml, a store in stores/<ID>/"
        };
        fault.hint = Some(hint.to_owned());
        Some(fault)
    }
}

impl Reading for Lenient {
    fn toml<T: serde::de::DeserializeOwned>(&self, file: &str, text: &str) -> Result<T, BadFile> {
        read_leniently(file, text).map(|(value, _)| value)
    }

    fn stranger(&self, _file: &str) -> Option<BadFile> {
        None
    }
}

#[derive(Default)]
struct Reader {
    faults: Vec<BadFile>,
}

impl Reader {
    fn read(&mut self, files: &Files, how: &impl Reading) -> Bundle {
        let mut bundle = Bundle::default();
        // `store.toml` first: the other files of its folder have nowhere to go without it.
        let (stores, rest): (Vec<_>, Vec<_>) = files
            .iter()
            .partition(|(path, _)| path.ends_with("/store.toml"));
        for (path, bytes) in stores.into_iter().chain(rest) {
            if let Err(fault) = read_file(&mut bundle, path, bytes, how) {
                self.faults.push(fault);
            }
        }
        for folder in bundle.stores.values_mut() {
            folder.store.holidays = bundle.holidays.clone();
            let logo = &mut folder.store.brand.logo;
            *logo = logo.take().or_else(|| bundle.logo.clone());
        }
        self.check_codes(&mut bundle);
        bundle
    }

    /// A code stands for one place in the whole bundle.
    fn check_codes(&mut self, bundle: &mut Bundle) {
        for (id, folder) in &bundle.stores {
            for code in folder.touchpoints.keys() {
                if let Some(other) = bundle.touchpoints.insert(*code, id.clone()) {
                    let file = format!("stores/{id}/touchpoints.csv");
                    let fault = format!("code {code} is also in store {other}");
                    self.faults.push(BadFile::whole(&file, fault));
                }
            }
        }
    }
}

fn read_file(
    bundle: &mut Bundle,
    path: &str,
    bytes: &[u8],
    how: &impl Reading,
) -> Result<(), BadFile> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["logo.png"] => {
            bundle.logo = Some(read_logo(path, bytes)?);
            return Ok(());
        }
        ["stores", id, "logo.png"] => {
            let folder = folder_of(bundle, path, id)?;
            folder.store.brand.logo = Some(read_logo(path, bytes)?);
            return Ok(());
        }
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        if [".toml", ".csv", ".pem"]
            .iter()
            .any(|end| path.ends_with(end))
        {
            return Err(BadFile::whole(path, "not UTF-8"));
        }
        // A newer headquarters may send what this version does not know.
        return how.stranger(path).map_or(Ok(()), Err);
    };
    match parts.as_slice() {
        ["chain.toml"] => bundle.chain = Some(how.toml(path, text)?),
        ["policy.toml"] => bundle.policy = how.toml(path, text)?,
        ["members.toml"] => {
            let members: MemberRules = how.toml(path, text)?;
            if let Some(fault) = members.fault() {
                return Err(BadFile::whole(path, fault));
            }
            bundle.members = members;
        }
        #[cfg(feature = "hq")]
        [PARTNERS] => bundle.partners = how.toml(path, text)?,
        ["holidays.toml"] => bundle.holidays = how.toml(path, text)?,
        ["invitations.toml"] => bundle.invitations = how.toml(path, text)?,
        ["wifi.toml"] => bundle.wifi = how.toml(path, text)?,
        ["overrides.toml"] => {
            let overrides = Overrides::new(how.toml(path, text)?, register());
            bundle.overrides = overrides.map_err(|fault| BadFile::whole(path, fault))?;
        }
        ["slices.toml"] => bundle.slices = how.toml::<Slices>(path, text)?,
        ["keys.toml"] => {
            let keys: Keys = how.toml(path, text)?;
            bundle.coupon_keys = keys.coupon_keys;
            bundle.sealing_key = keys.sealing_key;
            bundle.log_key = keys.log_key;
        }
        ["campaigns", name] if name.ends_with(".toml") => {
            let campaign: Campaign = how.toml(path, text)?;
            if name.strip_suffix(".toml") != Some(campaign.id.as_str()) {
                let fault = format!("the file is called {name} and its id is {}", campaign.id);
                return Err(BadFile::whole(path, fault));
            }
            bundle.campaigns.insert(campaign.id.clone(), campaign);
        }
        ["stores", id, file] => read_store_file(bundle, path, (id, file), text, how)?,
        _ => return how.stranger(path).map_or(Ok(()), Err),
    }
    Ok(())
}

fn read_store_file(
    bundle: &mut Bundle,
    path: &str,
    (id, file): (&str, &str),
    text: &str,
    how: &impl Reading,
) -> Result<(), BadFile> {
    if file == "store.toml" {
        let store: Store = how.toml(path, text)?;
        if store.id.as_str() != id {
            let fault = format!(
                "the folder is called {id} and the store's id is {}",
                store.id
            );
            return Err(BadFile::whole(path, fault));
        }
        let folder = StoreFolder {
            store,
            touchpoints: BTreeMap::new(),
            staff: Vec::new(),
            heard: BTreeSet::new(),
            pos: Vec::new(),
            certificates: Vec::new(),
            wifi: Wifi::default(),
            invitations: Invitations::new(),
            tastings: Vec::new(),
        };
        bundle.stores.insert(folder.store.id.clone(), folder);
        return Ok(());
    }
    let folder = folder_of(bundle, path, id)?;
    match file {
        "touchpoints.csv" => folder.touchpoints = read_touchpoints(path, text)?,
        "events.toml" => folder.tastings = how.toml::<TastingFile>(path, text)?.events,
        "invitations.toml" => folder.invitations = how.toml(path, text)?,
        "wifi.toml" => folder.wifi = how.toml(path, text)?,
        "bindings.toml" => folder.heard = how.toml::<Heard>(path, text)?.heard,
        "pos.toml" => folder.pos = how.toml::<PosFile>(path, text)?.pos,
        "staff.toml" => folder.staff = how.toml::<StaffFile>(path, text)?.staff,
        _ if Certified::by(file).is_some() => {
            folder.certificates.push(read_certificate(path, text)?);
        }
        _ => return how.stranger(path).map_or(Ok(()), Err),
    }
    Ok(())
}

/// The folder that the file at `path` belongs to.
fn folder_of<'b>(
    bundle: &'b mut Bundle,
    path: &str,
    id: &str,
) -> Result<&'b mut StoreFolder, BadFile> {
    StoreId::parse(id)
        .ok()
        .and_then(|id| bundle.stores.get_mut(&id))
        .ok_or_else(|| BadFile::whole(path, "its folder has no store.toml that reads"))
}

fn read_logo(path: &str, bytes: &[u8]) -> Result<Logo, BadFile> {
    Logo::read(bytes).map_err(|why| BadFile {
        hint: Some("a PNG some 120 pixels high, of few colours, has 1 to 3 kB".to_owned()),
        ..BadFile::whole(path, why)
    })
}

/// Whose key a store's certificate is for, as its file's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certified {
    /// That of whichever box it fits.
    Anybody,
    Gateway(GatewayId),
}

impl Certified {
    /// None where `file` is no name of a certificate's.
    pub fn by(file: &str) -> Option<Self> {
        match file.strip_prefix("certificate")?.strip_suffix(".pem")? {
            "" => Some(Self::Anybody),
            of => Some(Self::Gateway(of.strip_prefix('-')?.parse().ok()?)),
        }
    }

    /// The name of its file in a store's folder.
    pub fn file(self) -> String {
        match self {
            Self::Anybody => "certificate.pem".to_owned(),
            Self::Gateway(gateway) => format!("certificate-{gateway}.pem"),
        }
    }
}

/// Whether it can be used is for the box to say, which has the key.
fn read_certificate(path: &str, text: &str) -> Result<String, BadFile> {
    if text.contains("PRIVATE KEY") {
        let fault = "it holds a private key, which must not leave its box";
        return Err(BadFile::whole(path, fault));
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(BadFile::whole(path, "no certificate in PEM form")),
    }
}

fn read_touchpoints(
    path: &str,
    text: &str,
) -> Result<BTreeMap<TouchpointCode, Touchpoint>, BadFile> {
    let mut touchpoints = BTreeMap::new();
    for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<Touchpoint>() {
        let touchpoint = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            BadFile {
                line: usize::try_from(line).unwrap_or_default(),
                hint: Some("the columns are code,kind,label and, if you like, cost_fen".to_owned()),
                ..BadFile::whole(path, error)
            }
        })?;
        let code = touchpoint.code;
        if touchpoints.insert(code, touchpoint).is_some() {
            return Err(BadFile::whole(
                path,
                format!("code {code} stands here twice"),
            ));
        }
    }
    Ok(touchpoints)
}

/// Writes a store's `touchpoints.csv`.
pub fn touchpoints_file(folder: &StoreFolder) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for touchpoint in folder.touchpoints.values() {
        let row = writer.serialize(touchpoint);
        row.expect("a touchpoint is a flat row, and memory takes it");
    }
    let bytes = writer.into_inner().expect("memory takes it");
    String::from_utf8(bytes).expect("codes, words and labels are text")
}

/// Writes `bindings.toml`.
pub fn bindings_file(heard: BTreeSet<BindingId>) -> String {
    toml::to_string(&Heard { heard }).expect("ids are plain data")
}

/// Writes `keys.toml`.
pub fn keys_file(keys: &Keys) -> String {
    toml::to_string(keys).expect("keys are plain data")
}

/// Writes `slices.toml`.
pub fn slices_file(slices: &BTreeMap<CampaignId, u32>) -> String {
    toml::to_string(slices).expect("slices are plain data")
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    v: u64,
    made_at: i64,
    files: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    certificate: PublishCertificate,
    /// Over the bytes of `manifest.json`.
    signature: String,
}

/// The root's word for a publish key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishCertificate {
    pub key: PublicKey,
    /// Unix milliseconds; for headquarters to renew in time. A box without a clock cannot hold it against a
    /// bundle, so a gateway does not.
    pub not_after: i64,
    signature: String,
}

impl PublishCertificate {
    pub fn issue(key: PublicKey, not_after: i64, root: &SigningKey) -> Self {
        let signature = to_base64(&root.sign(&Self::signed_bytes(key, not_after)));
        Self {
            key,
            not_after,
            signature,
        }
    }

    fn signed_bytes(key: PublicKey, not_after: i64) -> Vec<u8> {
        format!("maitred publish key v1\n{key}\n{not_after}\n").into_bytes()
    }

    fn is_by(&self, root: PublicKey) -> bool {
        let signature = from_base64(&self.signature).unwrap_or_default();
        root.verify(&Self::signed_bytes(self.key, self.not_after), &signature)
            .is_ok()
    }
}

/// Why a bundle is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    #[error("the bundle is no tar with a manifest and a signature: {0}")]
    Malformed(String),
    #[error("the bundle's signature does not fit")]
    Signature,
    #[error("the bundle's publish key is not certified by the root pinned at enrolment")]
    Root,
    #[error("file {0} is missing, added or changed")]
    Digest(String),
    #[error("the bundle has version {found} and version {have} is in use")]
    Older { found: u64, have: u64 },
    #[error("{0}")]
    File(BadFile),
}

impl BadBundle {
    /// A stable word for metrics and reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Signature => "signature",
            Self::Root => "root",
            Self::Digest(_) => "digest",
            Self::Older { .. } => "older",
            Self::File(_) => "file",
        }
    }
}

/// Packs and signs `files` as version `version`.
pub fn pack(
    files: &Files,
    version: u64,
    made_at: i64,
    certificate: &PublishCertificate,
    key: &SigningKey,
) -> Vec<u8> {
    let manifest = Manifest {
        v: version,
        made_at,
        files: files
            .iter()
            .map(|(path, bytes)| (path.clone(), sha256_hex(bytes)))
            .collect(),
    };
    let manifest = serde_json::to_vec(&manifest).expect("a manifest is plain data");
    let signature = Signature {
        certificate: certificate.clone(),
        signature: to_base64(&key.sign(&manifest)),
    };
    let signature = serde_json::to_vec(&signature).expect("a signature is plain data");

    let mut tar = tar::Builder::new(Vec::new());
    let own = [("manifest.json", &manifest), ("signature.json", &signature)];
    let given = files.iter().map(|(path, bytes)| (path.as_str(), bytes));
    for (path, bytes) in own.into_iter().chain(given) {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes.as_slice())
            .expect("paths are short and memory takes every write");
    }
    tar.into_inner().expect("memory takes every write")
}

/// A bundle that is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    pub bundle: Bundle,
    /// Campaigns that this version cannot read; the rest is in use.
    pub left_out: Vec<BadFile>,
}

/// Reads a bundle, believes it only as the module says, and only if it is newer than version `have`.
pub fn open(bytes: &[u8], root: PublicKey, have: u64) -> Result<Opened, BadBundle> {
    let mut files = unpack(bytes)?;
    let missing = |name: &str| BadBundle::Malformed(format!("{name} is missing"));
    let manifest_bytes = files
        .remove("manifest.json")
        .ok_or_else(|| missing("manifest.json"))?;
    let signature_bytes = files
        .remove("signature.json")
        .ok_or_else(|| missing("signature.json"))?;
    let malformed = |error: serde_json::Error| BadBundle::Malformed(error.to_string());
    let signature: Signature = serde_json::from_slice(&signature_bytes).map_err(malformed)?;

    if !signature.certificate.is_by(root) {
        return Err(BadBundle::Root);
    }
    let signed = from_base64(&signature.signature).unwrap_or_default();
    signature
        .certificate
        .key
        .verify(&manifest_bytes, &signed)
        .map_err(|_| BadBundle::Signature)?;

    let manifest: Manifest = serde_json::from_slice(&manifest_bytes).map_err(malformed)?;
    if manifest.v <= have {
        return Err(BadBundle::Older {
            found: manifest.v,
            have,
        });
    }
    for path in manifest.files.keys().chain(files.keys()) {
        let digest = files.get(path).map(|bytes| sha256_hex(bytes));
        if digest.is_none() || digest.as_ref() != manifest.files.get(path) {
            return Err(BadBundle::Digest(path.clone()));
        }
    }
    let (bundle, left_out) = Bundle::from_bundle(&files, manifest.v)?;
    Ok(Opened { bundle, left_out })
}

fn unpack(bytes: &[u8]) -> Result<Files, BadBundle> {
    let malformed = |error: std::io::Error| BadBundle::Malformed(error.to_string());
    if bytes.len() as u64 > MAX_BYTES {
        return Err(BadBundle::Malformed(format!("over {MAX_BYTES} bytes")));
    }
    let mut files = Files::new();
    for entry in tar::Archive::new(bytes).entries().map_err(malformed)? {
        let mut entry = entry.map_err(malformed)?;
        // Paths are only ever looked up, never opened: `..` in one leads nowhere.
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(malformed)?;
        files.insert(path, bytes);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Files {
        let mut files = Files::new();
        let mut put = |path: &str, text: &str| {
            files.insert(path.to_owned(), text.as_bytes().to_vec());
        };
        put(
            "chain.toml",
            include_str!("../../tests/fixtures/chain/chain.toml"),
        );
        put(
            "campaigns/quiet-hours.toml",
            include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml"),
        );
        put(
            "stores/SZ01/store.toml",
            include_str!("../../tests/fixtures/chain/stores/SZ01/store.toml"),
        );
        put(
            "stores/SZ01/touchpoints.csv",
            include_str!("../../tests/fixtures/chain/stores/SZ01/touchpoints.csv"),
        );
        files
    }

    struct TestPublisher {
        root: SigningKey,
        key: SigningKey,
    }

    impl TestPublisher {
        fn new() -> Self {
            let key = || SigningKey::from_pkcs8(&SigningKey::generate()).unwrap();
            Self {
                root: key(),
                key: key(),
            }
        }

        fn pack(&self, files: &Files, version: u64) -> Vec<u8> {
            let certificate = PublishCertificate::issue(self.key.public(), 0, &self.root);
            pack(files, version, 0, &certificate, &self.key)
        }
    }

    const LOGO: &[u8] = include_bytes!("../../deploy/demo/chain/logo.png");

    #[test]
    fn a_store_shows_its_own_logo_or_else_the_chains() {
        let mut files = folder();
        let logo = |files: &Files| {
            let publisher = TestPublisher::new();
            let opened = open(&publisher.pack(files, 1), publisher.root.public(), 0).unwrap();
            let folder = opened.bundle.stores.values().next().unwrap();
            let logo = folder.store.brand.logo.as_ref();
            logo.map(|logo| logo.bytes().to_vec())
        };
        assert_eq!(logo(&files), None);
        files.insert("logo.png".to_owned(), LOGO.to_vec());
        assert_eq!(logo(&files).unwrap(), LOGO);
        // Another, by one bit of a checksum that a phone would refuse.
        let mut own = LOGO.to_vec();
        *own.last_mut().unwrap() ^= 1;
        files.insert("stores/SZ01/logo.png".to_owned(), own.clone());
        assert_eq!(logo(&files).unwrap(), own);
    }

    #[test]
    fn a_logo_that_cannot_be_shown_is_a_mistake_of_its_file() {
        let fault = |path: &str, bytes: &[u8]| {
            let mut files = folder();
            files.insert(path.to_owned(), bytes.to_vec());
            Bundle::from_folder(&files).unwrap_err().remove(0)
        };
        let large = fault("logo.png", &[0; 5000]);
        assert_eq!(large.file, "logo.png");
        assert!(large.fault.contains("5000 bytes are more"), "{large}");
        let cut = fault("stores/SZ01/logo.png", &LOGO[..100]);
        assert!(cut.fault.contains("only a part of one"), "{cut}");
        let nowhere = fault("stores/SZ09/logo.png", LOGO);
        assert!(nowhere.fault.contains("no store.toml"), "{nowhere}");
        for other in ["logo.svg", "stores/SZ01/logo.jpg"] {
            let fault = fault(other, b"\xff\xd8");
            assert!(fault.hint.unwrap().contains("a PNG called logo.png"));
        }
    }

    #[test]
    fn a_bundle_may_hold_files_that_this_version_does_not_know() {
        let mut files = folder();
        files.insert("stores/SZ01/photo.jpg".to_owned(), b"\xff\xd8".to_vec());
        let publisher = TestPublisher::new();
        let opened = open(&publisher.pack(&files, 1), publisher.root.public(), 0).unwrap();
        assert_eq!(opened.bundle.stores.len(), 1);
    }

    #[test]
    fn a_signed_bundle_carries_what_the_folder_says() {
        let publisher = TestPublisher::new();
        let opened = open(&publisher.pack(&folder(), 7), publisher.root.public(), 6).unwrap();
        let mut expected = Bundle::from_folder(&folder()).unwrap();
        expected.version = 7;
        assert_eq!(opened.bundle, expected);
        assert!(opened.left_out.is_empty());
        let code = *expected.touchpoints.keys().next().unwrap();
        assert_eq!(
            opened.bundle.touchpoint(code).unwrap().0.store.id.as_str(),
            "SZ01"
        );
    }

    #[test]
    fn an_older_bundle_is_refused() {
        let publisher = TestPublisher::new();
        let bytes = publisher.pack(&folder(), 7);
        assert_eq!(
            open(&bytes, publisher.root.public(), 7).unwrap_err(),
            BadBundle::Older { found: 7, have: 7 }
        );
    }

    #[test]
    fn a_bundle_of_another_root_is_refused() {
        let publisher = TestPublisher::new();
        let stranger = TestPublisher::new();
        let bytes = stranger.pack(&folder(), 7);
        assert_eq!(
            open(&bytes, publisher.root.public(), 0).unwrap_err(),
            BadBundle::Root
        );
    }

    #[test]
    fn a_bundle_with_one_letter_changed_is_refused() {
        let publisher = TestPublisher::new();
        let bytes = publisher.pack(&folder(), 7);
        let place = bytes
            .windows(8)
            .position(|window| window == b"cucumber")
            .unwrap();
        let mut changed = bytes;
        changed[place] = b'k';
        assert_eq!(
            open(&changed, publisher.root.public(), 0).unwrap_err(),
            BadBundle::Digest("campaigns/quiet-hours.toml".to_owned())
        );
    }

    #[test]
    fn a_bundle_cut_short_is_refused() {
        let publisher = TestPublisher::new();
        let bytes = publisher.pack(&folder(), 7);
        for length in [0, 100, 600, bytes.len() / 2] {
            assert!(open(&bytes[..length], publisher.root.public(), 0).is_err());
        }
    }

    #[test]
    fn keys_of_before_name_nothing_to_seal_to() {
        let mut files = folder();
        files.insert("keys.toml".to_owned(), b"coupon_keys = []".to_vec());
        let bundle = Bundle::from_folder(&files).unwrap();
        assert_eq!((bundle.sealing_key, bundle.log_key), (None, None));
        let no_key = b"coupon_keys = []\nsealing_key = \"AAAA\"".to_vec();
        files.insert("keys.toml".to_owned(), no_key);
        let fault = Bundle::from_folder(&files).unwrap_err().remove(0);
        assert!(fault.fault.contains("not an X25519 public key"), "{fault}");
    }

    #[test]
    fn a_campaign_that_cannot_be_read_is_left_out_and_named() {
        let publisher = TestPublisher::new();
        let mut files = folder();
        files.insert(
            "campaigns/broken.toml".to_owned(),
            b"id = \"broken\"".to_vec(),
        );
        let opened = open(&publisher.pack(&files, 7), publisher.root.public(), 0).unwrap();
        assert_eq!(opened.bundle.campaigns.len(), 1);
        assert_eq!(opened.left_out[0].file, "campaigns/broken.toml");
    }

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_store_has_a_certificate_for_each_of_its_boxes_and_never_a_key() {
        let mut files = folder();
        for name in ["certificate.pem", "certificate-gw-000012.pem"] {
            files.insert(
                format!("stores/SZ01/{name}"),
                CERTIFICATE.as_bytes().to_vec(),
            );
        }
        let bundle = Bundle::from_folder(&files).unwrap();
        let store = StoreId::parse("SZ01").unwrap();
        assert_eq!(bundle.certificates(Some(&store)), [CERTIFICATE; 2]);
        let key = CERTIFICATE.replace("CERTIFICATE", "EC PRIVATE KEY");
        for (name, bytes, fault) in [
            ("certificate.pem", "", "no certificate"),
            ("certificate.pem", "x", "no certificate"),
            (
                "certificate-gw-000012.pem",
                &[CERTIFICATE, &key].concat(),
                "a private key",
            ),
            (
                "certificate-box.pem",
                CERTIFICATE,
                "no file of this name belongs",
            ),
        ] {
            let mut wrong = files.clone();
            wrong.insert(format!("stores/SZ01/{name}"), bytes.as_bytes().to_vec());
            let said = Bundle::from_folder(&wrong).unwrap_err()[0].to_string();
            assert!(said.contains(fault), "{name}: {said}");
        }
    }

    #[test]
    fn the_name_of_a_certificates_file_says_whose_key_it_is_for() {
        for certified in [Certified::Anybody, Certified::Gateway(GatewayId(12))] {
            assert_eq!(Certified::by(&certified.file()), Some(certified));
        }
        for other in ["certificate-.pem", "certificate-x.pem", "staff.toml"] {
            assert_eq!(Certified::by(other), None, "{other}");
        }
    }

    #[test]
    fn a_folder_names_every_mistake_in_it() {
        let mut files = folder();
        files.insert(
            "campaigns/other.toml".to_owned(),
            files["campaigns/quiet-hours.toml"].clone(),
        );
        files.insert("readme.txt".to_owned(), Vec::new());
        files.insert(
            "stores/SZ01/touchpoints.csv".to_owned(),
            b"code,kind,label\nNOTACODE,table,A1\n".to_vec(),
        );
        let faults = Bundle::from_folder(&files).unwrap_err();
        let mut named: Vec<_> = faults.iter().map(|fault| fault.file.as_str()).collect();
        named.sort_unstable();
        assert_eq!(
            named,
            [
                "campaigns/other.toml",
                "readme.txt",
                "stores/SZ01/touchpoints.csv"
            ]
        );
        assert!(faults.iter().any(|fault| fault.line == 2));
    }
}
