//! Bundles: the chain's folder, cut to what each gateway needs, signed, with a version that rises only
//! when the contents change.
//!
//! One task looks at the folder and at the register of gateways every second and publishes what changed;
//! a waiting long poll is answered at once, also when a command was given.
//!
//! A folder that is being written publishes nothing until two looks in a row find the same, so no gateway gets
//! half of somebody's edit, nor a new one the state before. A folder with a mistake publishes nothing: gateways
//! keep what they have, and the mistake is logged, shown on the console and told by `/readyz`. So is a campaign that
//! the linter refuses, but it is left out alone. Newer rules stop nothing that ran; whoever changes a running campaign
//! to what is refused has it withdrawn, and its coupons stay good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use axum::body::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use super::chain::{self, Chain};
use super::db::{Gateway, Ledger, Published};
use super::identity::Identity;
use super::stickers;
use crate::domain::campaign::{Campaign, RedeemableAt};
use crate::domain::ids::{CampaignId, GatewayId};
use crate::domain::written::BadFile;
use crate::ops::clock::Clock;
use crate::ops::tasks::Tasks;
use crate::wire::bundle::{self, Certified, Files, Keys, keys_file, slices_file};
use crate::wire::encoding::sha256_hex;
use crate::wire::link::{BundlePointer, Serves};
use crate::wire::signing::PublicKey;

/// An edited campaign is on its way within twice this; looking costs one directory walk and one query.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The most coupon keys a bundle carries (contracts): the newest gateways' go first.
const MAX_KEYS: usize = 500;

/// What the folder said last.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The last folder without mistakes.
    pub chain: Option<Arc<Chain>>,
    /// What is wrong with it now.
    pub faults: Vec<String>,
    /// Of that folder: the campaigns that are refused, with what is wrong with them.
    pub left_out: Vec<String>,
}

/// A bundle as a gateway fetches it.
#[derive(Debug)]
pub struct Ready {
    pub pointer: BundlePointer,
    pub bytes: Bytes,
}

type Shelf = BTreeMap<GatewayId, Arc<Ready>>;

/// What is published now. The task behind [`Bundles::start`] writes it, everybody else reads.
pub struct Bundles {
    known: ArcSwap<Known>,
    shelf: ArcSwap<Shelf>,
    /// The number of each gateway's last command: whoever gives one may be another process.
    commands: ArcSwap<BTreeMap<GatewayId, u64>>,
    changed: watch::Sender<()>,
    look_now: Notify,
}

impl Bundles {
    /// Publishes what there is, and goes on doing so until the tasks stop.
    pub async fn start(publisher: Publisher, tasks: &Tasks) -> Arc<Self> {
        let bundles = Arc::new(Self::none());
        let mut publisher = publisher;
        publisher.look(&bundles, At::Folder).await;
        let (own, shared) = (tasks.clone(), Arc::clone(&bundles));
        tasks.spawn("bundles", async move {
            // Not a sleep beside the calls to look: many of those would keep the folder from being seen.
            let mut due = tokio::time::interval(LOOK_EVERY);
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            due.reset();
            loop {
                let at = tokio::select! {
                    _ = due.tick() => At::Folder,
                    () = shared.look_now.notified() => At::RegisterOnly,
                    () = own.stopping() => return,
                };
                publisher.look(&shared, at).await;
            }
        });
        bundles
    }

    fn none() -> Self {
        Self {
            known: ArcSwap::default(),
            shelf: ArcSwap::default(),
            commands: ArcSwap::default(),
            changed: watch::Sender::new(()),
            look_now: Notify::new(),
        }
    }

    pub fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    pub fn chain(&self) -> Option<Arc<Chain>> {
        self.known.load().chain.clone()
    }

    pub fn of(&self, gateway: GatewayId) -> Option<Arc<Ready>> {
        self.shelf.load().get(&gateway).cloned()
    }

    /// How many gateways have a bundle ready.
    pub fn count(&self) -> usize {
        self.shelf.load().len()
    }

    /// The bundle that `gateway` should have.
    pub fn pointer(&self, gateway: GatewayId) -> Option<BundlePointer> {
        self.of(gateway).map(|ready| ready.pointer.clone())
    }

    /// The number of the last command to `gateway` that was seen; 0 before the first.
    pub fn last_command(&self, gateway: GatewayId) -> u64 {
        let commands = self.commands.load();
        commands.get(&gateway).copied().unwrap_or_default()
    }

    fn tell_of_commands(&self, gateways: &[Gateway]) {
        let given = gateways
            .iter()
            .map(|gateway| (gateway.id, gateway.commands.given));
        let given: BTreeMap<_, _> = given.filter(|(_, last)| *last > 0).collect();
        if **self.commands.load() != given {
            self.commands.store(Arc::new(given));
            self.changed.send_replace(());
        }
    }

    /// Wakes when what is published changes, what is known of the folder, or a command was given.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn tell(&self, known: Known) {
        self.known.store(Arc::new(known));
        self.changed.send_replace(());
    }

    /// Has a new gateway served now and not within the second; the folder has its own time.
    pub fn look_now(&self) {
        self.look_now.notify_one();
    }
}

/// What the publishing task works with.
pub struct Publisher {
    dir: PathBuf,
    /// Where what runs is kept over restarts.
    kept: PathBuf,
    identity: Arc<Identity>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    /// The folder as it was last read without mistakes.
    written: Option<Arc<Chain>>,
    /// The last word on a sticker that was laid over it.
    last_word: Option<u64>,
    /// Of the folder at the look before.
    glimpsed: Option<u64>,
    /// Of the folder and of the register, as last published.
    read: Option<u64>,
    register: Option<String>,
    /// Of the folder that was last found with faults.
    faulty: Option<u64>,
}

/// What a look is for. The folder is looked at in even steps only: two looks close to each other say
/// nothing about whether somebody is still writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Folder,
    RegisterOnly,
}

impl Publisher {
    /// `dir` is the chain's folder; `kept` is where what runs is kept over restarts.
    pub fn new(
        (dir, kept): (&Path, &Path),
        identity: Arc<Identity>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            kept: kept.to_owned(),
            identity,
            ledger,
            clock,
            written: None,
            last_word: None,
            glimpsed: None,
            read: None,
            register: None,
            faulty: None,
        }
    }

    async fn look(&mut self, bundles: &Bundles, at: At) {
        if let Err(error) = self.publish_changes(bundles, at).await {
            // The next look tries again; what was published before stays.
            tracing::error!(error = %format!("{error:#}"), "bundles cannot be published");
        }
    }

    async fn publish_changes(&mut self, bundles: &Bundles, at: At) -> anyhow::Result<()> {
        let gateways = self.ledger.gateways().await?;
        bundles.tell_of_commands(&gateways);
        let register = register_stamp(&gateways, &bundles.shelf.load());
        let last_word = self.ledger.last_word().await?;
        let stamp = self.folder_stamp().await?;
        let newly_read = match at {
            At::Folder => self.read_settled_folder(bundles, stamp).await?,
            At::RegisterOnly => None,
        };
        if ![newly_read, self.read, self.faulty].contains(&Some(stamp)) {
            // An edit is on its way: a new gateway's first bundle, a look or two from now, has it.
            return Ok(());
        }
        let something_was_said = self.last_word != Some(last_word);
        let register_is_same = self.register.as_ref() == Some(&register);
        if newly_read.is_none() && register_is_same && !something_was_said {
            return Ok(());
        }
        if newly_read.is_some() || something_was_said {
            let faults = match newly_read {
                Some(_) => Vec::new(),
                None => bundles.known().faults.clone(),
            };
            self.tell_of_the_chain(bundles, faults).await?;
        }
        if let Some(chain) = bundles.chain() {
            self.publish_all(bundles, &chain, &gateways).await?;
        }
        // Only now: whatever failed on the way is tried again at the next look.
        self.register = Some(register);
        self.last_word = Some(last_word);
        self.read = newly_read.or(self.read);
        Ok(())
    }

    /// Makes of the folder what the chain is in its shops.
    async fn tell_of_the_chain(
        &self,
        bundles: &Bundles,
        faults: Vec<String>,
    ) -> anyhow::Result<()> {
        let Some(written) = &self.written else {
            return Ok(());
        };
        let words = self.ledger.words().await?;
        bundles.tell(Known {
            chain: Some(stickers::lay_over(written, &words)),
            faults,
            left_out: written.left_out.iter().map(BadFile::to_string).collect(),
        });
        Ok(())
    }

    /// Reads the folder where it has changed and nobody is writing to it any more; returns the stamp of
    /// what was read. At the first look there is nothing to compare with, and gateways wait.
    async fn read_settled_folder(
        &mut self,
        bundles: &Bundles,
        stamp: u64,
    ) -> anyhow::Result<Option<u64>> {
        let before = self.glimpsed.replace(stamp);
        if self.read == Some(stamp) || before.is_some_and(|before| before != stamp) {
            return Ok(None);
        }
        let read = self.read_folder().await?;
        if self.folder_stamp().await? != stamp {
            return Ok(None);
        }
        match read {
            Ok(chain) => {
                name_left_out(&chain, self.written.as_deref());
                self.written = Some(Arc::new(chain));
                Ok(Some(stamp))
            }
            Err(faults) => {
                let faults: Vec<String> = faults.iter().map(BadFile::to_string).collect();
                if bundles.known().faults != faults {
                    for fault in &faults {
                        tracing::error!(%fault, "the chain's folder has a mistake; gateways keep what they have");
                    }
                    let known = bundles.known();
                    bundles.tell(Known {
                        faults,
                        ..Known::clone(&known)
                    });
                }
                // Not remembered: a file that we may not read, or a disk that failed, is read again.
                self.read = None;
                self.faulty = Some(stamp);
                Ok(None)
            }
        }
    }

    /// A folder that cannot be walked has a stamp, too: reading it says why.
    async fn folder_stamp(&self) -> anyhow::Result<u64> {
        let dir = self.dir.clone();
        let stamp = tokio::task::spawn_blocking(move || chain::stamp(&dir));
        Ok(stamp
            .await
            .context("looking at the chain's folder")?
            .unwrap_or_default())
    }

    async fn read_folder(&self) -> anyhow::Result<Result<Chain, Vec<BadFile>>> {
        let (dir, kept) = (self.dir.clone(), self.kept.clone());
        tokio::task::spawn_blocking(move || chain::read_beside(&dir, &kept))
            .await
            .context("reading the chain's folder")
    }

    async fn publish_all(
        &self,
        bundles: &Bundles,
        chain: &Chain,
        gateways: &[Gateway],
    ) -> anyhow::Result<()> {
        let before = bundles.shelf.load_full();
        let mut shelf = Shelf::new();
        for gateway in gateways.iter().filter(|gateway| !gateway.is_revoked()) {
            let Some(files) = contents(chain, gateways, gateway, &self.identity) else {
                // Its store has left the chain: it keeps what it has until somebody revokes it.
                continue;
            };
            let had = before.get(&gateway.id);
            let ready = self.publish(gateway, &files, had).await?;
            shelf.insert(gateway.id, ready);
        }
        bundles.shelf.store(Arc::new(shelf));
        bundles.changed.send_replace(());
        Ok(())
    }

    /// Packs one gateway's files: under the version they had, or under the next one where they changed.
    async fn publish(
        &self,
        gateway: &Gateway,
        files: &Files,
        had: Option<&Arc<Ready>>,
    ) -> anyhow::Result<Arc<Ready>> {
        let content = self.fingerprint(files)?;
        let last = self.ledger.published(gateway.id).await?;
        // After headquarters came back from a backup a gateway may be ahead; it takes only what is newer.
        let ahead = gateway.reported.as_ref().map_or(0, |report| report.version);
        let same = last
            .as_ref()
            .filter(|last| last.content == content && last.version >= ahead);
        if let (Some(last), Some(had)) = (same, had)
            && had.pointer.v == last.version
        {
            return Ok(Arc::clone(had));
        }
        let (version, made) = match same {
            Some(last) => (last.version, last.made),
            None => {
                let above = last.map_or(0, |last| last.version).max(ahead);
                (above + 1, self.clock.now())
            }
        };
        let bytes = bundle::pack(
            files,
            version,
            made.as_millisecond(),
            &self.identity.publish_certificate,
            &self.identity.publish_key,
        );
        let sha256 = sha256_hex(&bytes);
        let published = Published {
            version,
            sha256: sha256.clone(),
            content,
            made,
        };
        self.ledger.publish(gateway.id, published).await?;
        tracing::info!(gateway.id = %gateway.id, bundle.version = version, "a bundle is ready");
        let pointer = BundlePointer { v: version, sha256 };
        let bytes = Bytes::from(bytes);
        Ok(Arc::new(Ready { pointer, bytes }))
    }

    /// Of the files and of who signs them: a new publish key has to reach gateways as well.
    fn fingerprint(&self, files: &Files) -> anyhow::Result<String> {
        let digests: BTreeMap<&str, String> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), sha256_hex(bytes)))
            .collect();
        let whole = serde_json::to_vec(&(&self.identity.publish_certificate, digests))
            .context("writing a bundle's fingerprint")?;
        Ok(sha256_hex(&whole))
    }
}

/// Says which campaigns go to no box, and which of them ran until now.
fn name_left_out(chain: &Chain, before: Option<&Chain>) {
    for fault in &chain.left_out {
        let ran = before.is_some_and(|before| before.files.contains_key(&fault.file));
        if ran {
            tracing::error!(%fault, "a campaign that ran is refused now and is withdrawn from all boxes");
        } else {
            tracing::error!(%fault, "a campaign is refused and goes to no box; the others do");
        }
    }
}

/// Changes with everything in the register that bundles are made from.
fn register_stamp(gateways: &[Gateway], shelf: &Shelf) -> String {
    gateways
        .iter()
        .map(|gateway| {
            let reported = gateway.reported.as_ref().map_or(0, |report| report.version);
            let ready = shelf.get(&gateway.id).map_or(0, |ready| ready.pointer.v);
            let ahead = reported.saturating_sub(ready);
            format!("{} {} {ahead}\n", gateway.id, gateway.is_revoked())
        })
        .collect()
}

/// The files for `gateway`; none where its store is not in the chain.
fn contents(
    chain: &Chain,
    gateways: &[Gateway],
    gateway: &Gateway,
    identity: &Identity,
) -> Option<Files> {
    let folder = match &gateway.serves {
        Serves::Store(store) => Some(chain.bundle.stores.get(store)?),
        Serves::Street => None,
    };
    // What it may give out, and what its till may be shown.
    let matters = |campaign: &Campaign| {
        folder.is_none_or(|own| campaign.reaches(&own.store)) || is_good_anywhere(campaign)
    };
    let wanted = |path: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        match (parts.as_slice(), folder) {
            (["stores", id, file], Some(own)) => {
                *id == own.store.id.as_str() && !is_of_another_box(file, gateway.id)
            }
            // A street gateway has no till, so nothing of a PIN or a POS goes out to it; nor a store's
            // certificate, whose key is in the store, nor what its boxes said of stickers, which only they ask.
            (["stores", _, file], None) => {
                !matches!(*file, "staff.toml" | "pos.toml" | "bindings.toml")
                    && Certified::by(file).is_none()
            }
            (["campaigns", name], _) => name
                .strip_suffix(".toml")
                .and_then(|id| CampaignId::parse(id).ok())
                .and_then(|id| chain.bundle.campaigns.get(&id))
                .is_some_and(matters),
            _ => true,
        }
    };
    let mut files: Files = chain
        .files
        .iter()
        .filter(|(path, _)| wanted(path))
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect();
    let keys = Keys {
        coupon_keys: coupon_keys(gateways, gateway),
        sealing_key: identity.sealing_key,
        log_key: identity.log_key,
    };
    files.insert("keys.toml".to_owned(), keys_file(&keys).into_bytes());
    let slices = slices_file(&slices(chain, gateways, gateway.id));
    files.insert("slices.toml".to_owned(), slices.into_bytes());
    Some(files)
}

/// Whether a file is a certificate for the key of another box.
fn is_of_another_box(file: &str, gateway: GatewayId) -> bool {
    match Certified::by(file) {
        Some(Certified::Gateway(of)) => of != gateway,
        Some(Certified::Anybody) | None => false,
    }
}

fn is_good_anywhere(campaign: &Campaign) -> bool {
    campaign.validity.stores == RedeemableAt::Any
}

/// The keys that `gateway` believes: its store's and the street's, and then all others of the chain, so that a
/// till that may not take a sister's coupon says whose it is. A street gateway redeems nothing, but a diner whom
/// any store knows is known there, too.
fn coupon_keys(gateways: &[Gateway], gateway: &Gateway) -> Vec<PublicKey> {
    let is_near =
        |other: &Gateway| other.serves == gateway.serves || other.serves == Serves::Street;
    let trusted = || gateways.iter().rev().filter(|other| !other.is_revoked());
    let near = trusted().filter(|other| is_near(other));
    near.chain(trusted().filter(|other| !is_near(other)))
        .map(|other| other.coupon_key)
        .take(MAX_KEYS)
        .collect()
}

/// `gateway`'s share of every campaign with a total: the total over all gateways that may issue it, and
/// what does not divide goes one by one to the first of them.
fn slices(chain: &Chain, gateways: &[Gateway], gateway: GatewayId) -> BTreeMap<CampaignId, u32> {
    let share = |campaign: &Campaign| {
        let total = campaign.limits.total?;
        let issuers: Vec<GatewayId> = gateways
            .iter()
            .filter(|other| !other.is_revoked() && may_issue(chain, other, campaign))
            .map(|other| other.id)
            .collect();
        let place = u32::try_from(issuers.iter().position(|id| *id == gateway)?).ok()?;
        let count = u32::try_from(issuers.len()).ok()?;
        Some(total / count + u32::from(place < total % count))
    };
    let campaigns = chain.bundle.campaigns.values();
    campaigns
        .filter_map(|campaign| Some((campaign.id.clone(), share(campaign)?)))
        .collect()
}

fn may_issue(chain: &Chain, gateway: &Gateway, campaign: &Campaign) -> bool {
    let mut stores = chain.bundle.stores.iter();
    stores.any(|(id, folder)| {
        let serves = match &gateway.serves {
            Serves::Store(own) => own == id,
            Serves::Street => true,
        };
        serves && campaign.reaches(&folder.store)
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::event::Event;
    use crate::domain::ids::{BindingId, StaffName, TouchpointCode};
    use crate::domain::stickers::{Stickers, TouchpointBound};
    use crate::domain::store::TouchpointKind;
    use crate::hq::testing::{
        Kind, Scratch, at_store, chain_folder, delivery, frames, identity, now, open_store, stream,
    };
    use crate::ops::clock::TestClock;
    use crate::wire::bundle::{Bundle, open};
    use crate::wire::encoding::to_base64;
    use crate::wire::link::BundleState;
    use crate::wire::sealed::OpeningKey;

    struct TestPublisher {
        hq: Scratch,
        folder: TempDir,
        identity: Arc<Identity>,
        tasks: Tasks,
    }

    impl TestPublisher {
        async fn new(stores: &[&str]) -> Self {
            let folder = chain_folder();
            for id in stores {
                open_store(&folder, id);
            }
            let hq = Scratch::new(Kind::Embedded).await;
            let identity = identity(&hq.dir).await;
            Self {
                hq,
                folder,
                identity,
                tasks: Tasks::new(),
            }
        }

        fn publisher(&self) -> Publisher {
            Publisher::new(
                (self.folder.path(), &self.hq.dir.path().join("in-force")),
                Arc::clone(&self.identity),
                Arc::clone(&self.hq.ledger),
                Arc::new(TestClock::at(now())),
            )
        }

        /// Starts headquarters' publishing, as after a restart.
        async fn start(&self) -> Arc<Bundles> {
            Bundles::start(self.publisher(), &self.tasks).await
        }

        fn opened(&self, bundles: &Bundles, gateway: GatewayId) -> Bundle {
            let ready = bundles.of(gateway).unwrap();
            let opened = open(&ready.bytes, self.identity.publish_root, 0).unwrap();
            assert!(opened.left_out.is_empty());
            opened.bundle
        }

        fn edit(&self, file: &str, from: &str, to: &str) {
            let path = self.folder.path().join(file);
            let text = fs_err::read_to_string(&path).unwrap();
            fs_err::write(path, text.replace(from, to)).unwrap();
        }
    }

    impl Drop for TestPublisher {
        fn drop(&mut self) {
            self.tasks.stop();
        }
    }

    const CAMPAIGN: &str = "campaigns/quiet-hours.toml";

    #[tokio::test]
    async fn a_store_gets_its_own_files_and_the_street_gets_all_stores() {
        let test = TestPublisher::new(&["SZ02", "SZ03"]).await;
        let (first, _) = test.hq.enrol(at_store("SZ01")).await;
        let (second, _) = test.hq.enrol(at_store("SZ02")).await;
        let (street, _) = test.hq.enrol(Serves::Street).await;
        let bundles = test.start().await;

        let of_first = test.opened(&bundles, first);
        assert_eq!(of_first.stores.len(), 1);
        assert_eq!(of_first.campaigns.len(), 1);
        // Nothing of a sister's is taken, but the till knows whose it is; the street knows everybody's diners.
        assert_eq!(of_first.coupon_keys.len(), 3);
        let of_second = test.opened(&bundles, second);
        assert!(
            of_second.campaigns.is_empty(),
            "SZ02 is not in the campaign"
        );
        let of_street = test.opened(&bundles, street);
        assert_eq!(of_street.stores.len(), 3);
        assert_eq!(of_street.campaigns.len(), 1);
        assert_eq!(of_street.coupon_keys.len(), 3);
    }

    #[tokio::test]
    async fn a_box_is_told_what_to_seal_to_and_never_what_opens_it() {
        let test = TestPublisher::new(&[]).await;
        let (gateway, _) = test.hq.enrol(at_store("SZ01")).await;
        let bundles = test.start().await;
        let bundle = test.opened(&bundles, gateway);
        let opens = |name: &str| {
            let secret = fs_err::read(test.hq.dir.path().join("keys").join(name)).unwrap();
            OpeningKey::read(&secret).unwrap()
        };
        let sealing = opens("sealing.key");
        assert_eq!(bundle.sealing_key, Some(sealing.public()));
        assert_eq!(bundle.log_key, Some(opens("log.key").public()));
        let bytes = &bundles.of(gateway).unwrap().bytes;
        let secret = to_base64(&sealing.to_bytes());
        assert!(
            !bytes
                .windows(43)
                .any(|letters| letters == secret.as_bytes())
        );
    }

    #[tokio::test]
    async fn what_is_good_in_any_store_brings_its_campaign_and_its_keys_to_all_of_them() {
        let test = TestPublisher::new(&["SZ02"]).await;
        test.edit(CAMPAIGN, "stores = \"issuing\"", "stores = \"any\"");
        let (first, _) = test.hq.enrol(at_store("SZ01")).await;
        let (second, _) = test.hq.enrol(at_store("SZ02")).await;
        let (street, _) = test.hq.enrol(Serves::Street).await;
        let bundles = test.start().await;
        for (gateway, keys) in [(first, 3), (second, 3), (street, 3)] {
            let bundle = test.opened(&bundles, gateway);
            assert_eq!(bundle.coupon_keys.len(), keys, "{gateway}");
            assert_eq!(bundle.campaigns.len(), 1, "{gateway}");
        }
        // SZ02 takes its coupons and gives none out.
        let of_second = test.opened(&bundles, second);
        assert!(of_second.slices.is_empty());
    }

    #[tokio::test]
    async fn slices_add_up_to_the_total_over_all_that_may_issue() {
        let test = TestPublisher::new(&["SZ02", "SZ03"]).await;
        test.edit(CAMPAIGN, "total = 5000", "total = 11");
        let mut enrolled = Vec::new();
        for serves in [
            at_store("SZ01"),
            at_store("SZ02"),
            at_store("SZ03"),
            Serves::Street,
            Serves::Street,
        ] {
            enrolled.push(test.hq.enrol(serves).await.0);
        }
        let bundles = test.start().await;
        let shares: Vec<_> = enrolled
            .iter()
            .map(|id| test.opened(&bundles, *id).slices.into_values().next())
            .collect();
        assert_eq!(shares, [Some(3), None, Some(3), Some(3), Some(2)]);

        test.hq.ledger.revoke(enrolled[0], now()).await.unwrap();
        let bundles = test.start().await;
        assert!(bundles.of(enrolled[0]).is_none());
        let left: u32 = enrolled[1..]
            .iter()
            .flat_map(|id| test.opened(&bundles, *id).slices.into_values())
            .sum();
        assert_eq!(left, 11);
    }

    #[tokio::test]
    async fn a_version_rises_when_the_contents_change_and_not_at_a_restart() {
        let test = TestPublisher::new(&[]).await;
        let (gateway, _) = test.hq.enrol(at_store("SZ01")).await;
        let first = test.start().await.pointer(gateway).unwrap();
        assert_eq!(first.v, 1);
        assert_eq!(test.start().await.pointer(gateway).unwrap(), first);
        test.edit(CAMPAIGN, "per_table_per_day = 4", "per_table_per_day = 5");
        let second = test.start().await.pointer(gateway).unwrap();
        assert_eq!(second.v, 2);
        assert_ne!(second.sha256, first.sha256);
    }

    #[tokio::test]
    async fn a_folder_that_is_still_being_written_is_not_published() {
        let test = TestPublisher::new(&[]).await;
        let (gateway, _) = test.hq.enrol(at_store("SZ01")).await;
        let (mut publisher, bundles) = (test.publisher(), Bundles::none());
        publisher.look(&bundles, At::Folder).await;
        let version = || bundles.pointer(gateway).unwrap().v;
        assert_eq!(version(), 1);
        test.edit(CAMPAIGN, "per_person = 1", "per_person = 2");
        publisher.look(&bundles, At::Folder).await;
        assert_eq!(version(), 1, "somebody has just written");
        let (newcomer, _) = test.hq.enrol(Serves::Street).await;
        publisher.look(&bundles, At::RegisterOnly).await;
        assert!(bundles.of(newcomer).is_none(), "it is given the edit, too");
        test.edit(CAMPAIGN, "total = 5000", "total = 60000");
        publisher.look(&bundles, At::Folder).await;
        assert_eq!(version(), 1, "and has written more");
        publisher.look(&bundles, At::Folder).await;
        assert_eq!(version(), 2);
        for gateway in [gateway, newcomer] {
            let opened = test.opened(&bundles, gateway);
            assert_eq!(opened.slices.values().sum::<u32>(), 30_000);
        }
    }

    #[tokio::test]
    async fn a_box_gets_the_certificates_for_its_own_key_and_the_street_gets_none() {
        let test = TestPublisher::new(&[]).await;
        let mut boxes = Vec::new();
        for serves in [at_store("SZ01"), at_store("SZ01"), Serves::Street] {
            boxes.push(test.hq.enrol(serves).await.0);
        }
        let pem = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let names = [Certified::Anybody, Certified::Gateway(boxes[1])];
        for (certified, body) in names.iter().zip(["AAAA", "BBBB"]) {
            let file = test
                .folder
                .path()
                .join("stores/SZ01")
                .join(certified.file());
            fs_err::write(file, pem(body)).unwrap();
        }
        let bundles = test.start().await;
        let store = crate::hq::testing::store("SZ01");
        let expected = [vec![pem("AAAA")], vec![pem("BBBB"), pem("AAAA")], vec![]];
        for (gateway, expected) in boxes.into_iter().zip(expected) {
            let bundle = test.opened(&bundles, gateway);
            assert_eq!(bundle.certificates(Some(&store)), expected, "{gateway}");
        }
    }

    #[tokio::test]
    async fn what_staff_said_of_a_sticker_is_in_the_next_bundle_of_store_and_street() {
        let test = TestPublisher::new(&["SZ02"]).await;
        let (own, _) = test.hq.enrol(at_store("SZ01")).await;
        let (other, _) = test.hq.enrol(at_store("SZ02")).await;
        let (street, _) = test.hq.enrol(Serves::Street).await;
        let (mut publisher, bundles) = (test.publisher(), Bundles::none());
        publisher.look(&bundles, At::Folder).await;
        let blank = TouchpointCode::parse("C6ACKWGQ").unwrap();
        let label = |gateway| {
            let bundle = test.opened(&bundles, gateway);
            bundle.touchpoint(blank).unwrap().1.label.clone()
        };
        assert_eq!(label(own), "");

        let bound = |id: u8, label: &str| {
            Event::TouchpointBound(TouchpointBound {
                code: blank,
                id: BindingId::from_entropy([id; 16]),
                kind: TouchpointKind::Table,
                label: label.to_owned(),
                staff: StaffName::parse("lin").unwrap(),
            })
        };
        let told = delivery(own, stream(1), frames(1, vec![bound(1, "B1")]));
        test.hq.ledger.ingest(told).await.unwrap();
        publisher.look(&bundles, At::Folder).await;
        assert_eq!([label(own), label(street)], ["B1", "B1"]);
        assert_eq!(bundles.pointer(other).unwrap().v, 1, "not its business");
        assert_eq!(bundles.pointer(own).unwrap().v, 2);

        // The box's own word, which it has laid over its table, gives way to the bundle that has heard it.
        let mut opened = test.opened(&bundles, own);
        let mut stickers = Stickers::default();
        stickers.apply(&bound(1, "B9"));
        opened.lay_over(&crate::hq::testing::store("SZ01"), &stickers);
        assert_eq!(opened.touchpoint(blank).unwrap().1.label, "B1");
        stickers.apply(&bound(2, "B9"));
        opened.lay_over(&crate::hq::testing::store("SZ01"), &stickers);
        assert_eq!(opened.touchpoint(blank).unwrap().1.label, "B9");
    }

    #[tokio::test]
    async fn a_mistake_that_stays_is_told_once() {
        let test = TestPublisher::new(&[]).await;
        test.edit(CAMPAIGN, "per_person", "per_persn");
        let (mut publisher, bundles) = (test.publisher(), Bundles::none());
        let mut changed = bundles.subscribe();
        publisher.look(&bundles, At::Folder).await;
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        publisher.look(&bundles, At::Folder).await;
        assert!(!changed.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_gateway_that_is_ahead_after_a_restored_backup_gets_something_newer() {
        let test = TestPublisher::new(&[]).await;
        let (gateway, _) = test.hq.enrol(at_store("SZ01")).await;
        let report = crate::hq::db::Report {
            gateway,
            bundle: crate::hq::db::ReportedBundle {
                version: 41,
                state: BundleState::Applied,
                why: String::new(),
            },
            software: String::new(),
            now: now(),
        };
        test.hq.ledger.record_report(report).await.unwrap();
        assert_eq!(test.start().await.pointer(gateway).unwrap().v, 42);
    }

    #[tokio::test]
    async fn an_edited_campaign_is_published_without_a_restart_and_a_broken_one_is_not() {
        let test = TestPublisher::new(&[]).await;
        let (gateway, _) = test.hq.enrol(at_store("SZ01")).await;
        let bundles = test.start().await;
        let mut changed = bundles.subscribe();

        test.edit(CAMPAIGN, "per_person = 1", "per_persn = 1");
        bundles.look_now();
        changed.changed().await.unwrap();
        assert!(bundles.known().faults[0].contains("did you mean `per_person`?"));
        assert_eq!(bundles.pointer(gateway).unwrap().v, 1);

        test.edit(CAMPAIGN, "per_persn = 1", "per_person = 2");
        bundles.look_now();
        while bundles.pointer(gateway).unwrap().v == 1 {
            changed.changed().await.unwrap();
        }
        assert!(bundles.known().faults.is_empty());
        let campaigns = test.opened(&bundles, gateway).campaigns;
        assert_eq!(campaigns.values().next().unwrap().limits.per_person, 2);
    }
}
