//! `maitred hq`: runs headquarters, and prepares it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;

use super::{block_on, print, start_logging};
use crate::config;
use crate::config::overlay::Environment;
use crate::config::settings::HqSettings;
use crate::domain::command::Command;
use crate::domain::ids::{CouponId, GatewayId, StaffName, StoreId};
use crate::hq::db::{self, Ledger, Place, Revoked};
use crate::hq::identity::Identity;
use crate::hq::server::{Clocks, Headquarters, Running};
use crate::hq::{chain, init, staff, token};
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::tasks::{Ended, Tasks, asked_to_stop};
use crate::wire::link::Serves;

mod audit;
mod commands;

/// How long requests that have begun may take to finish.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Settings; deploy/hq/hq.toml has every key
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/maitred/hq.toml",
        global = true
    )]
    config: PathBuf,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the authorities, the keys, the ledger and the first admin, once
    Init {
        /// A directory that does not exist yet
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Hosts and addresses that gateways reach headquarters by; localhost if none is given
        #[arg(long = "name", value_name = "HOST")]
        names: Vec<String>,
        /// Make the ledger in the PostgreSQL database of the settings (`database.url`), not in DIR
        #[arg(long)]
        postgres: bool,
    },
    /// Print a one-time token that enrols one gateway
    Token {
        /// For the box in this store
        #[arg(long, conflicts_with = "street", required_unless_present = "street")]
        store: Option<StoreId>,
        /// For a street gateway, which serves all stores
        #[arg(long)]
        street: bool,
        /// For how many hours the token works
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        valid: u64,
    },
    /// Refuse a gateway from now on: a box that was stolen, sold or replaced
    Revoke {
        /// Its number, as on the console: gw-000123
        #[arg(value_parser = gateway)]
        gateway: GatewayId,
    },
    /// Ask a gateway to do something, now or when it comes back
    Tell {
        /// Its number, as on the console: gw-000123
        #[arg(value_parser = gateway)]
        gateway: GatewayId,
        what: Ask,
    },
    /// Make a coupon void: no till that hears of it gives anything on it any more
    Void {
        /// The store that it is for; every gateway hears of it if none is given
        #[arg(long)]
        store: Option<StoreId>,
        /// Its id, as in the address of its page; it is not looked up, so that one whose claim is still on its way can be void
        coupon: CouponId,
    },
    /// Take back the redemption of a coupon, up to a week after the coupon has ended
    Undo {
        /// The store that it was redeemed in
        #[arg(long)]
        store: StoreId,
        /// Its id, as in the address of its page
        coupon: CouponId,
    },
    /// List what a gateway was asked to do, and what came of it
    Commands {
        /// Its number, as on the console: gw-000123
        #[arg(value_parser = gateway)]
        gateway: GatewayId,
    },
    /// Count a store's day again from the stored frames, and compare it with the figures
    Audit {
        #[arg(long)]
        store: StoreId,
        /// A business day, 2026-12-01; it ends at four in the morning
        #[arg(long)]
        day: Date,
    },
    /// Manage who may use a store's till
    Staff {
        #[command(subcommand)]
        action: StaffAction,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ask {
    /// Get a new certificate for a new key
    Renew,
    /// Say what it has, and send what is missing here
    Resend,
}

impl From<Ask> for Command {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Renew => Self::Renew,
            Ask::Resend => Self::AskResend,
        }
    }
}

#[derive(Debug, Subcommand)]
enum StaffAction {
    /// Add a member of staff, or give one a new PIN; the PIN is printed once
    Add {
        #[arg(long)]
        store: StoreId,
        /// A short name, as shown at the till
        #[arg(long)]
        name: StaffName,
    },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = || config::hq(&arguments.config, &Environment::of_process());
    match arguments.action {
        None => serve(&settings()?),
        Some(Action::Init {
            dir,
            names,
            postgres: false,
        }) => initialise(&dir, &Place::Folder(dir.clone()), &names),
        Some(Action::Init {
            dir,
            names,
            postgres: true,
        }) => {
            let database = settings()?.database.context(
                "the settings name no database\nhint: set database.url, or MAITRED_DATABASE__URL",
            )?;
            initialise(&dir, &Place::Database(database), &names)
        }
        Some(Action::Token {
            store,
            street: _,
            valid,
        }) => print_token(&settings()?, store, valid),
        Some(Action::Revoke { gateway }) => revoke(&settings()?, gateway),
        Some(Action::Tell { gateway, what }) => with_ledger(&settings()?, |ledger| {
            commands::tell(ledger, gateway, what.into())
        }),
        Some(Action::Void { store, coupon }) => {
            with_ledger(&settings()?, |ledger| commands::void(ledger, store, coupon))
        }
        Some(Action::Undo { store, coupon }) => {
            with_ledger(&settings()?, |ledger| commands::undo(ledger, store, coupon))
        }
        Some(Action::Commands { gateway }) => {
            with_ledger(&settings()?, |ledger| commands::list(ledger, gateway))
        }
        Some(Action::Audit { store, day }) => {
            with_ledger(&settings()?, |ledger| audit::audit(ledger, store, day))
        }
        Some(Action::Staff {
            action: StaffAction::Add { store, name },
        }) => {
            let pin = staff::add(&settings()?.chain_dir, &store, name)?;
            print::line(format_args!("PIN: {pin}"));
            print::line("it is shown this once; the store's till knows it within a minute");
            Ok(())
        }
    }
}

fn with_ledger<F>(
    settings: &HqSettings,
    work: impl FnOnce(Arc<dyn Ledger>) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    block_on(async { work(open_ledger(settings).await?).await })?
}

async fn open_ledger(settings: &HqSettings) -> anyhow::Result<Arc<dyn Ledger>> {
    let opened = db::open(&Place::of(settings)).await;
    opened.context("opening the ledger")
}

fn gateway(text: &str) -> Result<GatewayId, &'static str> {
    let number = text.strip_prefix("gw-").unwrap_or(text).parse();
    number
        .map(GatewayId)
        .map_err(|_| "a gateway's number looks like gw-000123")
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
        let running = Headquarters::start(settings, clocks, &tasks).await?;
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

fn print_token(settings: &HqSettings, store: Option<StoreId>, hours: u64) -> anyhow::Result<()> {
    let chain = chain::read(&settings.chain_dir).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        anyhow!(
            "{} cannot be used:\n{}",
            settings.chain_dir.display(),
            faults.join("\n")
        )
    })?;
    let identity = Identity::load(&settings.dir, SystemClock.now())?;
    let serves = store.map_or(Serves::Street, Serves::Store);
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
