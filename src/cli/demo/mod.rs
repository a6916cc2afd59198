//! `maitred demo`: a whole chain on this machine, over real TLS and HTTP, with simulated guests.
//!
//! Headquarters, three stores and a street gateway run in this process, put together by the same code as
//! the real ones. Only the shop's calendar is compressed: about ten shop days pass in twenty seconds, then
//! it runs at its pace. Guests count what they got at their phones; headquarters counts what arrived; at
//! the end both must agree.

mod chain;
mod guests;
pub mod phone;
mod report;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::Timestamp;

use super::syntax::{Command, Given, Word};
use super::{block_on, print, start_logging};
use crate::config::written::Log;
use crate::ops::clock::{Clock, FastClock, SystemClock};
use crate::ops::tasks::asked_to_stop;
use crate::wire::qr::terminal;
use chain::DemoChain;
use guests::Guests;
use report::Report;

/// Ten days in twenty seconds.
const FACTOR: u32 = 10 * 24 * 3600 / 20;

/// How long the compressed calendar runs where nobody says how long.
const FAST_FOR: Duration = Duration::from_secs(20);

/// The calendar begins on a Monday at three in the afternoon, so that after whole days the quiet hours
/// are open for whoever looks.
const FIRST_DAY: &str = "2025-03-03T15:00:00+08:00";

/// The last receipts are in after the batch delay; a minute means that something is broken.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

const FOR: Word = Word::option("for", "TIME", "End by itself after so long: 20s, 2m");
const REPORT: Word = Word::option("report", "FILE", "Write the counts as JSON");
const LISTEN: Word = Word::option(
    "listen",
    "ADDRESS",
    "Also let phones on the LAN in: the address of this machine there",
);
const STATE: Word = Word::option(
    "state",
    "DIR",
    "Keep everything here instead of a temporary directory",
);

pub(super) const COMMAND: Command = Command::new(
    "demo",
    "Run a whole chain on this machine with simulated guests, and show where to look",
    &[FOR, REPORT, LISTEN, STATE],
    run,
);

struct Arguments {
    duration: Option<Duration>,
    report: Option<PathBuf>,
    listen: Option<IpAddr>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.trim_end_matches('s'), 1),
    };
    number
        .parse::<u64>()
        .map(|count| Duration::from_secs(count * unit))
        .map_err(|_| format!("`{text}` is not a time such as 20s or 2m"))
}

fn run(given: &Given) -> anyhow::Result<()> {
    let arguments = Arguments {
        duration: given.optional_by(&FOR, parse_time)?,
        report: given.optional_path(&REPORT),
        listen: given.optional(&LISTEN)?,
    };
    start_logging(&Log {
        filter: "warn".to_owned(),
    });
    let (dir, temporary) = match given.optional_path(&STATE) {
        Some(dir) => (dir, false),
        None => (temporary_dir(), true),
    };
    let outcome = block_on(play(&arguments, &dir))?;
    if temporary {
        fs_err::remove_dir_all(&dir).ok();
    }
    outcome
}

fn temporary_dir() -> PathBuf {
    std::env::temp_dir().join(format!("maitred-demo-{}", std::process::id()))
}

async fn play(arguments: &Arguments, dir: &Path) -> anyhow::Result<()> {
    let fast_for = arguments.duration.unwrap_or(FAST_FOR);
    print::aside(format_args!(
        "setting up headquarters, three stores and a street gateway in {}",
        dir.display()
    ));
    let start: Timestamp = FIRST_DAY.parse().context("reading the first day")?;
    let listen = arguments.listen.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    // The calendar starts with the guests: set-up takes real seconds, and shop days must not pass in it.
    let clock = Arc::new(chain::LateClock::new(start));
    let chain = DemoChain::start(dir, listen, Arc::clone(&clock) as Arc<dyn Clock>).await?;
    let guests = Guests::expected_at(&chain).await?;
    clock.go(FastClock::new(start, FACTOR, fast_for));
    show_links(&chain, arguments.listen);

    let counted = guests.come(fast_for, |counts, left| {
        print::aside(format_args!(
            "{:>3} s left · shop time {} · {} taps, {} coupons, {} redeemed",
            left.as_secs(),
            chain.shop_time(&*clock),
            counts.taps,
            counts.captures,
            counts.redeemed
        ));
    });
    let seen = tokio::select! {
        seen = counted => seen?,
        () = asked_to_stop() => bail!("stopped before the guests had left; nothing was compared"),
    };
    print::aside("the guests have left; waiting for the last frames at headquarters");
    let report = Report::settle(&chain, &seen, fast_for, SETTLE_WITHIN).await?;
    print::line(report.summary());
    if let Some(file) = &arguments.report {
        fs_err::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    if arguments.duration.is_none() {
        print::aside("everything stays up; the calendar now runs at its own pace. Ctrl-C ends it.");
        asked_to_stop().await;
    }
    chain.stop().await?;
    if !report.agrees() {
        bail!("phones and headquarters do not agree");
    }
    Ok(())
}

/// Where to look, for a person.
fn show_links(chain: &DemoChain, lan: Option<IpAddr>) {
    print::line(chain.ready_line());
    print::line(format_args!(
        "calendar: {FACTOR} times as fast as time while the guests are there"
    ));
    let first = &chain.stores[0];
    let landing = format!("http://{}/t/{}", first.gateway.portal, first.tables[0]);
    print::line(format_args!("landing page of a table:  {landing}"));
    print::line(format_args!(
        "guest Wi-Fi page:         http://{}/",
        first.gateway.portal
    ));
    print::line(format_args!(
        "till:                     http://{}/till   pairing code {} (10 minutes)   staff {}   PIN {}",
        first.gateway.portal,
        first.gateway.pairing.give_out(&SystemClock),
        first.staff,
        first.pin
    ));
    print::line(format_args!(
        "console:                  http://{}/   login {}   password {}",
        chain.console, chain.admin_login, chain.admin_password
    ));
    print::line(format_args!(
        "table sheet to print:     {}",
        first.sheet.display()
    ));
    if let Some(address) = lan {
        let portal = SocketAddr::new(address, first.gateway.portal.port());
        let url = format!("http://{portal}/t/{}", first.tables[0]);
        print::line(format_args!("for a phone on this LAN:  {url}"));
        if let Ok(symbol) = terminal(&url) {
            print::line(symbol);
        }
    }
}
