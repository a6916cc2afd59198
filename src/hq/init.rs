//! `maitred hq init`: makes the keys, the ledger and the first administrator, once.
//!
//! It never touches a folder that holds anything: a second set of keys over the first would lock out every
//! gateway that was enrolled with the first.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};

use super::authority::{Authority, new_key};
use super::console::password;
use super::db::{self, AuditEntry, Place};
use super::identity::ROOT_KEY;
use super::secret;
use crate::ops::clock::Clock;
use crate::ops::files::{self, Readers, random};
use crate::ops::tls;
use crate::wire::bundle::PublishCertificate;
use crate::wire::encoding::hex;
use crate::wire::sealed::OpeningKey;
use crate::wire::signing::SigningKey;

/// The root certifies a publish key for a year: long enough to need the safe once a year only.
const PUBLISH_KEY_LASTS: SignedDuration = SignedDuration::from_hours(24 * 365);

/// The sync certificate's names where none are given: enough for one machine and the demo.
pub const DEFAULT_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The first administrator's login.
pub const FIRST_ADMIN: &str = "admin";

/// What was made, for printing; the password is kept nowhere else.
#[derive(Debug)]
pub struct Initialised {
    /// SHA-256 of the server authority, 64 hexadecimal digits: `maitred enroll --pin`.
    pub pin: String,
    pub admin_login: String,
    pub admin_password: String,
    /// Without these nothing can be brought back.
    pub back_up: Vec<PathBuf>,
    /// The publish root's key: after a copy has been put in a safe, it belongs off this machine.
    pub take_offline: PathBuf,
}

/// Makes headquarters in `dir`, with its ledger there; `names` are the hosts and addresses that gateways
/// reach it by.
pub async fn init(dir: &Path, names: &[String], clock: &dyn Clock) -> anyhow::Result<Initialised> {
    init_with(dir, &Place::Folder(dir.to_owned()), names, clock).await
}

/// Makes headquarters in `dir` and its ledger in `place`.
pub async fn init_with(
    dir: &Path,
    place: &Place,
    names: &[String],
    clock: &dyn Clock,
) -> anyhow::Result<Initialised> {
    make_folder(dir)?;
    let now = clock.now();
    let pin = make_certificates(dir, names, now)?;
    make_publish_keys(dir, now)?;
    make_exchange_key(dir, "sealing")?;
    make_exchange_key(dir, "log")?;

    let ledger = db::create(place).await?;
    let admin_password = secret::letters(5);
    let hash = password::hash(&admin_password)?;
    ledger.add_admin(FIRST_ADMIN.to_owned(), hash).await?;
    ledger
        .note(AuditEntry::new(now, "initialised", &FIRST_ADMIN, ""))
        .await?;
    files::sync_directory(dir).context("making headquarters' files last")?;
    Ok(Initialised {
        pin,
        admin_login: FIRST_ADMIN.to_owned(),
        admin_password,
        back_up: back_up(dir, place),
        take_offline: dir.join(ROOT_KEY),
    })
}

fn back_up(dir: &Path, place: &Place) -> Vec<PathBuf> {
    [
        "gateway-ca.key",
        "server-ca.key",
        "sync.key",
        ROOT_KEY,
        "publish.key",
        "publish-certificate.json",
        "sealing.key",
        "log.key",
    ]
    .into_iter()
    .map(|name| dir.join(name))
    .chain(match place {
        Place::Folder(dir) => Some(db::file(dir)),
        // Its own tools back a database up.
        Place::Database(_) => None,
    })
    .collect()
}

fn make_folder(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() && fs_err::read_dir(dir)?.next().is_some() {
        bail!(
            "{} is not empty\nhint: headquarters is made once; give another folder, or move this one away",
            dir.display()
        );
    }
    fs_err::create_dir_all(dir)?;
    let only_us = std::fs::Permissions::from_mode(0o700);
    fs_err::set_permissions(dir, only_us).context("keeping others out of headquarters' folder")
}

/// Makes both authorities and the sync certificate; returns the pin.
fn make_certificates(dir: &Path, names: &[String], now: Timestamp) -> anyhow::Result<String> {
    let gateway_ca = Authority::make("maitred gateway authority", now)?;
    keep_public(dir, "gateway-ca.pem", &gateway_ca.certificate_pem)?;
    keep_secret(dir, "gateway-ca.key", gateway_ca.key_pem.as_bytes())?;

    let server_ca = Authority::make("maitred server authority", now)?;
    keep_public(dir, "server-ca.pem", &server_ca.certificate_pem)?;
    keep_secret(dir, "server-ca.key", server_ca.key_pem.as_bytes())?;

    let pin = tls::fingerprint(&server_ca.certificate_pem)?;
    let server_ca = Authority::load(server_ca.certificate_pem, &server_ca.key_pem)?;
    let sync_key = new_key()?.serialize_pem();
    let defaults = DEFAULT_NAMES.map(str::to_owned);
    let names = if names.is_empty() { &defaults } else { names };
    keep_public(
        dir,
        "sync.pem",
        &server_ca.issue_server(names, &sync_key, now)?,
    )?;
    keep_secret(dir, "sync.key", sync_key.as_bytes())?;
    Ok(hex(&pin))
}

fn make_publish_keys(dir: &Path, now: Timestamp) -> anyhow::Result<()> {
    let (root_document, document) = (SigningKey::generate(), SigningKey::generate());
    let read = |document: &[u8]| {
        SigningKey::from_pkcs8(document).context("reading a key that was just made")
    };
    let (root, key) = (read(&root_document)?, read(&document)?);
    let not_after = (now + PUBLISH_KEY_LASTS).as_millisecond();
    let certificate = PublishCertificate::issue(key.public(), not_after, &root);
    keep_secret(dir, ROOT_KEY, &root_document)?;
    keep_public(dir, "publish-root.pub", &format!("{}\n", root.public()))?;
    keep_secret(dir, "publish.key", &document)?;
    keep_public(
        dir,
        "publish-certificate.json",
        &serde_json::to_string(&certificate)?,
    )
}

/// Makes an X25519 key (RFC 7748): 32 bytes as they are, and the public half in base64.
fn make_exchange_key(dir: &Path, name: &str) -> anyhow::Result<()> {
    let secret = random::<32>();
    let key = OpeningKey::read(&secret).context("making a key to seal to")?;
    keep_secret(dir, &format!("{name}.key"), &secret)?;
    keep_public(dir, &format!("{name}.pub"), &format!("{}\n", key.public()))
}

fn keep_public(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    files::replace(&dir.join(name), text.as_bytes(), Readers::Everyone)
        .with_context(|| format!("writing {name}"))
}

fn keep_secret(dir: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    files::replace(&dir.join(name), bytes, Readers::OnlyUs)
        .with_context(|| format!("writing {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::identity::Identity;
    use crate::hq::testing::now;
    use crate::ops::clock::TestClock;

    #[tokio::test]
    async fn what_init_made_is_what_headquarters_runs_with() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("hq");
        let made = init(&dir, &[], &TestClock::at(now())).await.unwrap();
        let identity = Identity::load(&dir, now()).unwrap();
        assert_eq!(identity.pin().unwrap(), made.pin);
        identity.sync_tls().unwrap();
        identity.enroll_tls().unwrap();
        assert!(made.back_up.iter().all(|file| file.exists()));
    }

    #[tokio::test]
    async fn a_folder_that_was_never_initialised_has_no_ledger_to_open() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Folder(dir.path().to_owned());
        let Err(missing) = db::open(&place).await else {
            panic!("nothing was there");
        };
        assert!(missing.to_string().contains("maitred hq init"), "{missing}");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn secrets_are_readable_by_us_only() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("hq");
        init(&dir, &[], &TestClock::at(now())).await.unwrap();
        for entry in fs_err::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            if name.ends_with(".key") || name.starts_with("ledger.db") {
                assert_eq!(mode, 0o600, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn a_second_init_leaves_the_first_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("hq");
        let first = init(&dir, &[], &TestClock::at(now())).await.unwrap();
        let refused = init(&dir, &[], &TestClock::at(now())).await.unwrap_err();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert_eq!(
            Identity::load(&dir, now()).unwrap().pin().unwrap(),
            first.pin
        );
    }

    #[tokio::test]
    async fn the_sync_certificate_is_reissued_at_half_of_its_life_and_the_pin_stays() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("hq");
        let made = init(&dir, &[], &TestClock::at(now())).await.unwrap();
        let later = now() + SignedDuration::from_hours(24 * 200);
        let identity = Identity::load(&dir, later).unwrap();
        assert_eq!(
            identity.sync_expires,
            later + crate::hq::authority::SERVER_LASTS
        );
        assert_eq!(identity.pin().unwrap(), made.pin);
    }
}
