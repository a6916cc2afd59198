//! `maitred sessions`: who is let in at the Wi-Fi wall, and the operator's hand on it.
//!
//! It asks the running gateway, so it works while guests come and go. Hardware addresses are shown on the box
//! to whoever asks there, and are sent nowhere.

use axum::http::Method;

use super::syntax::{Command, Given, Word};
use super::{print, running};
use crate::admission::Mac;
use crate::control::sessions::{Admit, Extend, Listing, Shown};
use crate::domain::wifi::{Tier, ZoneName};

const CONFIG: Word = Word::option("config", "FILE", "The settings of the running gateway")
    .or("/etc/maitred/gateway.toml");
const DEVICE: Word = Word::operand("MAC", "The device's hardware address, as `ls` prints it");
const ZONE: Word = Word::option("zone", "NAME", "The zone whose policy it gets").or("guest");
const TIER: Word = Word::option("tier", "TIER", "What it is: guest, coupon or vip").or("guest");
const MINUTES: Word = Word::option("minutes", "N", "By how much").or("60");

pub(super) const COMMAND: Command = Command::group(
    "sessions",
    "See and change who is let in at the Wi-Fi wall",
    &[CONFIG],
    &[
        Command::new("ls", "List the devices that are let in", &[], list),
        Command::new("show", "Print one session", &[DEVICE], |given| {
            let shown: Shown = serde_json::from_slice(&ask(given, Method::GET, "", &())?)?;
            print::line(serde_json::to_string_pretty(&shown)?);
            Ok(())
        }),
        Command::new("admit", "Let a device in", &[DEVICE, ZONE, TIER], |given| {
            let admit = Admit {
                zone: given.value_by(&ZONE, |name| ZoneName::try_from(name.to_owned()))?,
                tier: given.value_by(&TIER, tier)?,
            };
            done(given, Method::PUT, "", &admit, "is let in")
        }),
        Command::new(
            "revoke",
            "End a session and cut what the device has open; it may tap again",
            &[DEVICE],
            |given| done(given, Method::DELETE, "", &(), "is out"),
        ),
        Command::new(
            "extend",
            "Lengthen a session",
            &[DEVICE, MINUTES],
            |given| {
                let minutes = given.value(&MINUTES)?;
                let said = format!("has {minutes} minutes more");
                done(given, Method::POST, "/extend", &Extend { minutes }, &said)
            },
        ),
    ],
);

fn ask(
    given: &Given,
    method: Method,
    what: &str,
    body: &impl serde::Serialize,
) -> anyhow::Result<axum::body::Bytes> {
    let device: Mac = given.value(&DEVICE)?;
    let path = format!("/api/v1/sessions/{device}{what}");
    running::ask(&given.path(&CONFIG)?, method, &path, body)
}

fn done(
    given: &Given,
    method: Method,
    what: &str,
    body: &impl serde::Serialize,
    said: &str,
) -> anyhow::Result<()> {
    ask(given, method, what, body)?;
    let device: Mac = given.value(&DEVICE)?;
    print::line(format_args!("{device} {said}"));
    Ok(())
}

fn list(given: &Given) -> anyhow::Result<()> {
    let settings = given.path(&CONFIG)?;
    let body = running::ask(&settings, Method::GET, "/api/v1/sessions?devices=1", &())?;
    let listing: Listing = serde_json::from_slice(&body)?;
    if listing.sessions.is_empty() {
        print::line("nobody is let in");
        return Ok(());
    }
    print::line(
        "device             zone          tier    kind  left      up MB    down MB  quota left MB",
    );
    for shown in &listing.sessions {
        let Shown { device, zone, .. } = shown;
        let quota = shown.bytes_left.map_or_else(|| "-".to_owned(), megabytes);
        print::line(format_args!(
            "{device}  {:<12}  {:<6}  {:<4}  {:<6}  {:>7}  {:>9}  {quota:>13}",
            zone.as_str(),
            shown.tier.name(),
            shown.kind.name(),
            hours(shown.seconds_left),
            megabytes(shown.bytes_up),
            megabytes(shown.bytes_down),
        ));
    }
    Ok(())
}

fn tier(name: &str) -> Result<Tier, &'static str> {
    [Tier::Guest, Tier::Coupon, Tier::Vip]
        .into_iter()
        .find(|tier| tier.name() == name)
        .ok_or("it is none of guest, coupon, vip")
}

/// `3:07`: hours and minutes.
fn hours(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// Millions of bytes, as quotas are written.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_as_people_expect() {
        assert_eq!(hours(0), "0:00");
        assert_eq!(hours(1), "0:01");
        assert_eq!(hours(4 * 3600), "4:00");
        assert_eq!(megabytes(1_999_999), "1.9");
        assert_eq!(megabytes(12), "0.0");
    }
}
