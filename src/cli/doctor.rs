//! `maitred doctor`: every check, and what to do about what it found.

use anyhow::bail;
use jiff::Timestamp;

use super::gateway::{CONFIG, Place, identity_dir, read_folder, shown};
use super::names::garden;
use super::syntax::{Command, Given, Word};
use super::wall::layout;
use super::{block_on, print};
use crate::admission::nft::Layout;
use crate::admission::zone::Ports;
use crate::config;
use crate::config::overlay::Environment;
use crate::config::settings::{BundleFrom, GatewaySettings};
use crate::config::written::Firewall;
use crate::doctor::{
    self, Finding, Health, certificate, clock, dnsmasq, forwarding, identity, interface, internet,
    kept, names, offload, ports, state_dir, wall,
};
use crate::ops::clock::{Clock, SystemClock};
use crate::portal::https::host_of;

const JSON: Word = Word::flag("json", "Print what was found as JSON");
const NAME: Word = Word::operand("NAME", "A host's name, such as weixin.qq.com");

pub(super) const COMMAND: Command = Command::group(
    "doctor",
    "Look for what keeps a box from working, and say what to do",
    &[CONFIG, JSON],
    &[Command::new(
        "garden",
        "Say why a name is open, or is not, to devices that are not let in",
        &[NAME],
        open_or_not,
    )],
)
.running(run);

fn run(given: &Given) -> anyhow::Result<()> {
    let settings = config::gateway(&given.path(&CONFIG)?, &Environment::of_process())?;
    if let BundleFrom::Folder { dir, .. } = &settings.bundle {
        read_folder(dir)?;
    }
    report(given, &block_on(examine(&settings, SystemClock.now()))?)
}

async fn examine(settings: &GatewaySettings, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![
        clock::check(now),
        state_dir::check(&settings.state_dir),
        kept::check(&settings.state_dir),
    ];
    if settings.bundle == BundleFrom::Hq {
        findings.push(identity::check(&identity_dir(&settings.state_dir), now));
    }
    findings.push(ports::check(settings.ops_listen, settings.portal_listen).await);
    let place = Place::find(settings).ok();
    let layout = layout_of(settings);
    findings.extend(layout.zones.iter().map(interface::check));
    match settings.admission.firewall {
        Firewall::Dry => findings.push(wall::dry(&layout.zones)),
        Firewall::Nft => findings.extend(examine_wall(&settings.admission.nft, &layout)),
    }
    let dnsmasq = &settings.admission.dnsmasq;
    if !dnsmasq.dir.as_os_str().is_empty() {
        findings.push(dnsmasq::check(&dnsmasq.dir, &dnsmasq.pid_file));
    }
    if let Some(place) = &place {
        let base_url = settings.portal_base_url.as_deref();
        let portal = host_of(base_url, &place.bundle, place.store.as_ref()).unwrap_or_default();
        findings.push(certificate::check(&shown(settings, place), &portal, now));
        for zone in &layout.zones {
            findings.extend(names::check(zone, &portal).await);
        }
    }
    findings.extend(internet::check(&settings.uplink.probe_url).await);
    if let Some(url) = place.as_ref().and_then(Place::headquarters) {
        findings.push(internet::headquarters(url).await);
    }
    findings
}

fn layout_of(settings: &GatewaySettings) -> Layout {
    let ports = Ports {
        http: settings.portal_listen.port(),
        https: Some(settings.portal_tls.listen.port()),
    };
    layout(&settings.admission, ports)
}

fn examine_wall(nft: &str, layout: &Layout) -> Vec<Finding> {
    let mut findings = forwarding::check();
    findings.extend([
        wall::program(nft),
        wall::table(layout),
        offload::check(nft, &layout.zones),
    ]);
    findings
}

fn open_or_not(given: &Given) -> anyhow::Result<()> {
    let settings = config::gateway(&given.path(&CONFIG)?, &Environment::of_process())?;
    let name: String = given.value(&NAME)?;
    let place = Place::find(&settings)?;
    let zones = layout_of(&settings).zones;
    if zones.is_empty() {
        bail!("the settings have no [[admission.zone]], so there is nothing to open");
    }
    let garden = garden(&place.bundle, place.store.as_ref(), &zones);
    let nft = &settings.admission.nft;
    let findings = block_on(doctor::garden::check(nft, &zones, &garden, &name))?;
    report(given, &findings)
}

/// Prints the findings; an error if one is bad.
fn report(given: &Given, findings: &[Finding]) -> anyhow::Result<()> {
    if given.has(&JSON) {
        print::line(serde_json::to_string_pretty(findings)?);
    } else {
        findings.iter().for_each(show);
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.health == Health::Bad)
        .count();
    if bad > 0 {
        bail!("{bad} of {} checks found a fault", findings.len());
    }
    Ok(())
}

fn show(finding: &Finding) {
    let mark = match finding.health {
        Health::Good => "ok  ",
        Health::Warning => "warn",
        Health::Bad => "BAD ",
    };
    print::line(format_args!("{mark} {}: {}", finding.check, finding.what));
    if let Some(hint) = &finding.hint {
        print::line(format_args!("     hint: {hint}"));
    }
}
