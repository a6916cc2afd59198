//! `maitred hq`: runs headquarters, and prepares it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::syntax::{self, Given, Word};
use super::{block_on, print, start_logging};
use crate::config;
use crate::config::overlay::Environment;
use crate::config::settings::HqSettings;
use crate::domain::command::Command;
use crate::domain::ids::{GatewayId, StoreId};
use crate::hq::chain::Chain;
use crate::hq::db::{self, Ledger, Place, Revoked};
use crate::hq::identity::Identity;
use crate::hq::server::{Clocks, Headquarters, Running};
use crate::hq::{chain, init, pos, staff, token};
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::tasks::{Ended, Tasks, asked_to_stop};
use crate::wire::link::Serves;
use crate::wire::staff::Role;

mod access;
mod audit;
mod booking;
mod certificate;
mod commands;
mod doubles;
mod invitations;
mod members;
mod partners;
mod persons;
mod stickers;

/// How long requests that have begun may take to finish.
const GRACE: Duration = Duration::from_secs(10);

/// The console draws what diners will see where their pages are built in.
const HEADQUARTERS: Headquarters = Headquarters {
    #[cfg(feature = "gateway")]
    preview: Some(crate::portal::preview),
    #[cfg(not(feature = "gateway"))]
    preview: None,
};

const CONFIG: Word = Word::option(
    "config",
    "FILE",
    "Settings; deploy/hq/hq.toml has every key",
)
.or("/etc/maitred/hq.toml");
const DIR: Word = Word::option("dir", "DIR", "A directory that does not exist yet").required();
const NAME: Word = Word::option(
    "name",
    "HOST",
    "Hosts and addresses that gateways reach headquarters by; localhost if none is given",
)
.repeated();
const POSTGRES: Word = Word::flag(
    "postgres",
    "Make the ledger in the PostgreSQL database of the settings (`database.url`), not in DIR",
);
const STREET: Word = Word::flag("street", "For a street gateway, which serves all stores");
const VALID: Word = Word::option("valid", "HOURS", "For how many hours the token works").or("24");
const GATEWAY: Word = Word::operand("GATEWAY", "Its number, as on the console: gw-000123");
const WHAT: Word = Word::operand(
    "WHAT",
    "renew: get a new certificate for a new key; resend: say what it has, and send what is missing here",
);
const COUPON: Word = Word::operand("COUPON", "Its id, as in the address of its page");
const DAY: Word = Word::option(
    "day",
    "DAY",
    "A business day, 2026-12-01; it ends at four in the morning",
)
.required();
const ACCESS_STORE: Word = store("The store whose log it is").required();
const ACCESS_DAY: Word = Word::option("day", "DAY", "A day in UTC, 2026-12-01").required();
const CERTIFICATE_STORE: Word = store("The store whose host it is for").required();
const ASKING: Word = Word::option(
    "gateway",
    "GATEWAY",
    "Which box, where the store has several",
);
const CHAIN: Word = Word::operand(
    "FILE",
    "PEM: the certificate that was asked for, then those between it and a root",
);
const STAFF_NAME: Word =
    Word::option("name", "NAME", "A short name, as shown at the till").required();

const POS_NAME: Word =
    Word::option("name", "NAME", "A short name, as redemptions will carry it").required();

const MANAGER: Word = Word::flag(
    "manager",
    "Their PIN also takes back what others redeemed, up to a week after the coupon has ended",
);

/// A store means something else to each command.
const fn store(about: &'static str) -> Word {
    Word::option("store", "STORE", about)
}

const TOKEN_STORE: Word = store("For the box in this store");
const VOID_STORE: Word =
    store("The store that it is for; every gateway hears of it if none is given");
const UNDO_STORE: Word = store("The store that it was redeemed in").required();
const AUDIT_STORE: Word = store("The store whose day it is").required();
const POS_STORE: Word = store("The store that it stands in").required();
const STAFF_STORE: Word = store("The store that they work in").required();

pub(super) const COMMAND: syntax::Command = syntax::Command::group(
    "hq",
    "Run headquarters, prepare it, or look after its gateways",
    &[CONFIG],
    &[
        syntax::Command::new(
            "init",
            "Make the authorities, the keys, the ledger and the first admin, once",
            &[DIR, NAME, POSTGRES],
            run_init,
        ),
        syntax::Command::new(
            "token",
            "Print a one-time token that enrols one gateway",
            &[TOKEN_STORE, STREET, VALID],
            run_token,
        ),
        syntax::Command::new(
            "revoke",
            "Refuse a gateway from now on: a box that was stolen, sold or replaced",
            &[GATEWAY],
            |given| {
                let gateway = given.value(&GATEWAY)?;
                revoke(&settings(given)?, gateway)
            },
        ),
        syntax::Command::new(
            "tell",
            "Ask a gateway to do something, now or when it comes back",
            &[GATEWAY, WHAT],
            |given| {
                let (gateway, what) = (given.value(&GATEWAY)?, given.value_by(&WHAT, ask)?);
                with_ledger(given, |ledger| commands::tell(ledger, gateway, what))
            },
        ),
        syntax::Command::new(
            "void",
            "Make a coupon void: no till that hears of it gives anything on it any more; it is not looked up, so that one whose claim is still on its way can be void",
            &[VOID_STORE, COUPON],
            |given| {
                let (store, coupon) = (given.optional(&VOID_STORE)?, given.value(&COUPON)?);
                with_ledger(given, |ledger| commands::void(ledger, store, coupon))
            },
        ),
        syntax::Command::new(
            "undo",
            "Take back the redemption of a coupon, up to a week after the coupon has ended",
            &[UNDO_STORE, COUPON],
            |given| {
                let (store, coupon) = (given.value(&UNDO_STORE)?, given.value(&COUPON)?);
                with_ledger(given, |ledger| commands::undo(ledger, store, coupon))
            },
        ),
        syntax::Command::new(
            "commands",
            "List what a gateway was asked to do, and what came of it",
            &[GATEWAY],
            |given| {
                let gateway = given.value(&GATEWAY)?;
                with_ledger(given, |ledger| commands::list(ledger, gateway))
            },
        ),
        stickers::COMMAND,
        members::MEMBERS,
        members::REGULARS,
        invitations::COMMAND,
        booking::COMMAND,
        partners::COMMAND,
        syntax::Command::new(
            "audit",
            "Count a store's day again from the stored frames, and compare it with the figures",
            &[AUDIT_STORE, DAY],
            |given| {
                let (store, day) = (given.value(&AUDIT_STORE)?, given.value(&DAY)?);
                with_ledger(given, |ledger| audit::audit(ledger, store, day))
            },
        ),
        syntax::Command::new(
            "doubles",
            "List coupons that stores have redeemed more than once while they could not hear each other",
            &[],
            |given| with_ledger(given, doubles::list),
        ),
        syntax::Command::new(
            "erasures",
            "List who asked to be forgotten, as numbers, and which boxes have done it",
            &[],
            |given| with_ledger(given, persons::list_erasures),
        ),
        syntax::Command::new(
            "consents",
            "Count who agreed to which version of the words, and who took it back",
            &[],
            |given| with_ledger(given, persons::list_consents),
        ),
        syntax::Command::group(
            "access-log",
            "Who was on the guest Wi-Fi and when, of stores that have to keep it",
            &[],
            &[syntax::Command::new(
                "open",
                "Print a day of a store's log; the audit says that it was read",
                &[ACCESS_STORE, ACCESS_DAY],
                |given| {
                    let (store, day) = (given.value(&ACCESS_STORE)?, given.value(&ACCESS_DAY)?);
                    let settings = &settings(given)?;
                    with_ledger(given, |ledger| access::open(ledger, settings, store, day))
                },
            )],
        ),
        syntax::Command::group(
            "certificate",
            "Get a certificate for a store's host: the box's key stays on the box",
            &[],
            &[
                syntax::Command::new(
                    "csr",
                    "Print what the store's box asks to have signed, for an authority that phones believe",
                    &[CERTIFICATE_STORE, ASKING],
                    |given| {
                        let store = given.value(&CERTIFICATE_STORE)?;
                        let gateway = given.optional(&ASKING)?;
                        with_ledger(given, |ledger| {
                            certificate::print_request(ledger, store, gateway)
                        })
                    },
                ),
                syntax::Command::new(
                    "put",
                    "Send the box what the authority has signed, with its next bundle",
                    &[CERTIFICATE_STORE, CHAIN],
                    |given| {
                        let (store, file) = (given.value(&CERTIFICATE_STORE)?, given.path(&CHAIN)?);
                        let settings = &settings(given)?;
                        with_ledger(given, |ledger| {
                            certificate::take(ledger, settings, store, &file)
                        })
                    },
                ),
            ],
        ),
        syntax::Command::group(
            "pos",
            "Manage which points of sale may redeem in a store",
            &[],
            &[syntax::Command::new(
                "add",
                "Add a point of sale, or give one a new key; the key is printed once",
                &[POS_STORE, POS_NAME],
                add_pos,
            )],
        ),
        syntax::Command::group(
            "staff",
            "Manage who may use a store's till",
            &[],
            &[syntax::Command::new(
                "add",
                "Add a member of staff, or give one a new PIN; the PIN is printed once",
                &[STAFF_STORE, STAFF_NAME, MANAGER],
                add_staff,
            )],
        ),
    ],
)
.running(|given| serve(&settings(given)?));

fn settings(given: &Given) -> anyhow::Result<HqSettings> {
    Ok(config::hq(
        &given.path(&CONFIG)?,
        &Environment::of_process(),
    )?)
}

fn run_init(given: &Given) -> anyhow::Result<()> {
    let dir = given.path(&DIR)?;
    let place = if given.has(&POSTGRES) {
        let database = settings(given)?.database.context(
            "the settings name no database\nhint: set database.url, or MAITRED_DATABASE__URL",
        )?;
        Place::Database(database)
    } else {
        Place::Folder(dir.clone())
    };
    initialise(&dir, &place, &given.values(&NAME))
}

fn run_token(given: &Given) -> anyhow::Result<()> {
    let store: Option<StoreId> = given.optional(&TOKEN_STORE)?;
    let serves = match (store, given.has(&STREET)) {
        (Some(store), false) => Serves::Store(store),
        (None, true) => Serves::Street,
        (Some(_), true) | (None, false) => {
            return Err(given.misuse("say either --store or --street").into());
        }
    };
    let hours = given.value(&VALID)?;
    print_token(&settings(given)?, serves, hours)
}

fn ask(text: &str) -> Result<Command, &'static str> {
    match text {
        "renew" => Ok(Command::Renew),
        "resend" => Ok(Command::AskResend),
        _ => Err("a gateway can be asked to renew or to resend"),
    }
}

fn add_staff(given: &Given) -> anyhow::Result<()> {
    let (store, name) = (given.value(&STAFF_STORE)?, given.value(&STAFF_NAME)?);
    let role = given.has(&MANAGER).then_some(Role::Manager);
    let pin = staff::add(&settings(given)?.chain_dir, &store, name, role)?;
    print::line(format_args!("PIN: {pin}"));
    print::line("it is shown this once; the store's till knows it within a minute");
    Ok(())
}

fn add_pos(given: &Given) -> anyhow::Result<()> {
    let (store, name) = (given.value(&POS_STORE)?, given.value(&POS_NAME)?);
    let key = pos::add(&settings(given)?.chain_dir, &store, name)?;
    print::line(format_args!("key: {key}"));
    print::line("it is shown this once; the store's box knows it within a minute");
    print::line("requests carry it as `Authorization: Bearer <key>`");
    Ok(())
}

fn with_ledger<F>(given: &Given, work: impl FnOnce(Arc<dyn Ledger>) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let settings = settings(given)?;
    block_on(async { work(open_ledger(&settings).await?).await })?
}

async fn open_ledger(settings: &HqSettings) -> anyhow::Result<Arc<dyn Ledger>> {
    let opened = db::open(&Place::of(settings)).await;
    opened.context("opening the ledger")
}

fn revoke(settings: &HqSettings, gateway: GatewayId) -> anyhow::Result<()> {
    let revoked = block_on(async {
        let ledger = open_ledger(settings).await?;
        anyhow::Ok(ledger.revoke(gateway, SystemClock.now()).await?)
    })??;
    match revoked {
        Revoked::Now => {
            print::line(format_args!(
                "{gateway} is revoked: headquarters refuses it from now on,"
            ));
            print::line(
                "and stores refuse coupons that it signed once they have their next bundle",
            );
            print::line("if it turns up in good hands, enrol it again with a new token");
        }
        Revoked::Before => print::line(format_args!("{gateway} was revoked before")),
        Revoked::Unknown => bail!("there is no {gateway}\nhint: the console lists the gateways"),
    }
    Ok(())
}

fn serve(settings: &HqSettings) -> anyhow::Result<()> {
    start_logging(&settings.log);
    block_on(async {
        let tasks = Tasks::new();
        let clocks = Clocks::both(Arc::new(SystemClock));
        let running = HEADQUARTERS.start(settings, clocks, &tasks).await?;
        print::line(ready_line(settings, &running));
        let broken = tokio::select! {
            () = asked_to_stop() => false,
            () = tasks.stopping() => true,
        };
        tracing::info!("stopping");
        if tasks.shut_down(GRACE).await == Ended::GraceExceeded {
            tracing::warn!("some requests were cut off");
        }
        if broken {
            bail!("a part of headquarters ended unexpectedly; the log says which");
        }
        Ok(())
    })?
}

/// The first line on stdout, which whoever started the process waits for.
fn ready_line(settings: &HqSettings, running: &Running) -> String {
    let scheme = match settings.console_tls {
        Some(_) => "https",
        None => "http",
    };
    format!(
        "ready sync=https://{} enroll=https://{} console={scheme}://{} ops=http://{} pin={}",
        running.sync, running.enroll, running.console, running.ops, running.pin
    )
}

fn initialise(dir: &Path, place: &Place, names: &[String]) -> anyhow::Result<()> {
    let made = block_on(init::init_with(dir, place, names, &SystemClock))??;
    print::line(format_args!("headquarters is ready in {}", dir.display()));
    print::line("");
    print::line(format_args!("pin for `maitred enroll`: {}", made.pin));
    print::line(format_args!(
        "console login: {}  password: {}",
        made.admin_login, made.admin_password
    ));
    print::line("the password is shown this once");
    print::line("");
    print::line("back up, encrypted, and try the backup:");
    for file in &made.back_up {
        print::line(format_args!("  {}", file.display()));
    }
    if let Place::Database(_) = place {
        print::line("  the database, with its own tools");
    }
    print::line(format_args!(
        "take offline: move {} to a safe; it is needed once a year",
        made.take_offline.display()
    ));
    Ok(())
}

fn read_chain(settings: &HqSettings) -> anyhow::Result<Chain> {
    chain::read(&settings.chain_dir).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        anyhow!(
            "{} cannot be used:\n{}",
            settings.chain_dir.display(),
            faults.join("\n")
        )
    })
}

fn print_token(settings: &HqSettings, serves: Serves, hours: u64) -> anyhow::Result<()> {
    let chain = read_chain(settings)?;
    let identity = Identity::load(&settings.dir, SystemClock.now())?;
    let valid = Duration::from_secs(hours * 3600);
    let token = block_on(async {
        let ledger = open_ledger(settings).await?;
        token::make(&*ledger, &chain, serves, valid, &SystemClock).await
    })??;
    print::line(format_args!("token: {token}"));
    print::line(format_args!(
        "it works once, within {hours} hours; on the box:"
    ));
    print::line(format_args!(
        "  maitred enroll --hq https://<this host>:{} --pin {} --token {token} --state /var/lib/maitred",
        settings.enroll_listen.port(),
        identity.pin()?
    ));
    Ok(())
}
