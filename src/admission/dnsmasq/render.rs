//! What dnsmasq reads, as text. Pure.
//!
//! Three files, because dnsmasq reads them at different times: `maitred.conf` at its start only, `options` and
//! `hosts` also at a SIGHUP. A router's own settings of dnsmasq name the first with one line,
//! `conf-file=DIR/maitred.conf`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::admission::garden::{Garden, Sets, Version};
use crate::domain::wifi::{CHECK_HOSTS, GardenName};

pub(super) const CONF: &str = "maitred.conf";
pub(super) const OPTIONS: &str = "options";
pub(super) const HOSTS: &str = "hosts";

/// What dnsmasq is to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    /// The portal's host; a name that cannot be one has no lines.
    pub(super) host: String,
    /// The guest networks' interfaces.
    pub(super) interfaces: Vec<String>,
    pub(super) garden: Garden,
    /// The address of the RFC 8908 interface, while it can be asked.
    pub(super) advertise: Option<String>,
    pub(super) wan_is_up: bool,
}

/// The three files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) conf: String,
    pub(super) options: String,
    pub(super) hosts: String,
}

/// dnsmasq reads lines into a buffer of 1,025 bytes (its `MAXDNAME`); a longer one keeps it from starting.
const LONGEST_LINE: usize = 1_000;

/// The addresses of the names of connectivity checks while the Internet is away. Anything public will do, since
/// their port 80 leads to the portal then; Android takes a private address for "no Internet" instead of "sign
/// in". These two are routed all over the world and belong to nobody's home.
const AWAY: [&str; 2] = ["1.1.1.1", "2606:4700:4700::1111"];

/// What resolvers may remember, in seconds: the sets forget their addresses in time, and only a fresh answer
/// puts them back.
const REMEMBERED_SECONDS: u32 = 60;

pub(super) fn render(wanted: &Wanted, dir: &Path) -> Rendered {
    Rendered {
        conf: conf(wanted, dir),
        options: options(wanted),
        hosts: hosts(wanted),
    }
}

fn conf(wanted: &Wanted, dir: &Path) -> String {
    let mut text =
        "# Written by maitred, which writes it anew when something changes.\n".to_owned();
    if GardenName::try_from(wanted.host.clone()).is_ok() {
        text.push_str(
            "\n# The portal's name is this box, in each guest network by its own address, and is asked of\n\
             # nobody else: it works without an Internet.\n",
        );
        let host = &wanted.host;
        line(&mut text, format_args!("local=/{host}/"));
        for interface in &wanted.interfaces {
            line(&mut text, format_args!("interface-name={host},{interface}"));
        }
        line(&mut text, format_args!("localise-queries"));
    }
    text.push_str(
        "\n# An address is offered at once. Asking first whether somebody has it takes three seconds, and some\n\
         # phones have given up by then.\nno-ping\n",
    );
    text.push_str(
        "\n# Addresses go into the wall's sets when their name is looked up, and have to be looked up again\n\
         # before the sets forget them. A name stands for everything under it, too.\n",
    );
    line(&mut text, format_args!("max-ttl={REMEMBERED_SECONDS}"));
    line(
        &mut text,
        format_args!("max-cache-ttl={REMEMBERED_SECONDS}"),
    );
    for (name, sets) in wanted.garden.sets() {
        nftset(&mut text, name, &sets);
    }
    text.push_str("\n# These two are read again at a SIGHUP.\n");
    let dir = dir.display();
    line(&mut text, format_args!("dhcp-optsfile={dir}/{OPTIONS}"));
    line(&mut text, format_args!("addn-hosts={dir}/{HOSTS}"));
    text
}

fn nftset(text: &mut String, name: &str, sets: &BTreeSet<Sets<'_>>) {
    let specs: Vec<_> = sets
        .iter()
        .flat_map(|sets| {
            let spec = |version: Version| {
                format!("{}#inet#maitred#{}", version.number(), sets.name(version))
            };
            Version::BOTH.map(spec)
        })
        .collect();
    let set = format!("nftset=/{name}/{}", specs.join(","));
    if set.len() <= LONGEST_LINE {
        line(text, format_args!("{set}"));
    } else {
        line(
            text,
            format_args!("# {name} is in too many zones for a line of dnsmasq's and stays closed"),
        );
    }
}

/// Each line is for one guest network: dnsmasq gives a request the name of its interface as a tag.
fn options(wanted: &Wanted) -> String {
    let mut text = "# Written by maitred. Where it asks phones to look (RFC 8910), while there is an answer.\n".to_owned();
    if let Some(url) = &wanted.advertise {
        for interface in &wanted.interfaces {
            line(&mut text, format_args!("tag:{interface},114,{url}"));
            line(&mut text, format_args!("tag:{interface},option6:103,{url}"));
        }
    }
    text
}

fn hosts(wanted: &Wanted) -> String {
    let mut text = "# Written by maitred. While the Internet is away, phones still ask these, and see the portal.\n\
                    # The addresses are public, because some phones take private ones for no network at all.\n"
        .to_owned();
    if !wanted.wan_is_up {
        for host in CHECK_HOSTS {
            for address in AWAY {
                line(&mut text, format_args!("{address} {host}"));
            }
        }
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::zone::ZoneName;
    use crate::domain::wifi::GardenNames;

    fn rendered(wanted: &Wanted) -> Rendered {
        render(wanted, Path::new("/run/maitred/dnsmasq"))
    }

    fn lines<'a>(text: &'a str, begins: &str) -> Vec<&'a str> {
        let lines = text.lines();
        lines.filter(|line| line.starts_with(begins)).collect()
    }

    fn in_zones(zones: usize, name: &str) -> Garden {
        let names = GardenNames {
            always: vec![GardenName::try_from(name.to_owned()).unwrap()],
            with_pass: Vec::new(),
        };
        let zone = |n: usize| ZoneName::try_from(format!("zone{n}")).unwrap();
        Garden {
            zones: (0..zones).map(|n| (zone(n), names.clone())).collect(),
        }
    }

    #[test]
    fn a_garden_is_open_in_the_zones_that_have_it_and_checks_have_sets_of_their_own() {
        let wanted = Wanted {
            garden: in_zones(2, "sw.cn"),
            ..Wanted::default()
        };
        let conf = rendered(&wanted).conf;
        assert_eq!(
            lines(&conf, "nftset=/sw.cn/"),
            [
                "nftset=/sw.cn/4#inet#maitred#garden4_zone0,6#inet#maitred#garden6_zone0,\
                 4#inet#maitred#garden4_zone1,6#inet#maitred#garden6_zone1"
            ]
        );
        assert_eq!(
            lines(&conf, "nftset=/captive.apple.com/"),
            ["nftset=/captive.apple.com/4#inet#maitred#probe4,6#inet#maitred#probe6"]
        );
    }

    #[test]
    fn no_line_is_longer_than_dnsmasq_can_read() {
        let wanted = Wanted {
            garden: in_zones(40, "sw.cn"),
            ..Wanted::default()
        };
        let conf = rendered(&wanted).conf;
        assert!(conf.lines().all(|line| line.len() <= LONGEST_LINE));
        assert_eq!(lines(&conf, "# sw.cn is in too many zones").len(), 1);
    }

    #[test]
    fn the_portals_name_is_this_box_on_every_interface() {
        let mut wanted = Wanted {
            host: "sz01.sw.cn".to_owned(),
            interfaces: vec!["br-guest".to_owned(), "br-vip".to_owned()],
            ..Wanted::default()
        };
        assert_eq!(
            lines(&rendered(&wanted).conf, "interface-name="),
            [
                "interface-name=sz01.sw.cn,br-guest",
                "interface-name=sz01.sw.cn,br-vip"
            ]
        );
        // What is no name must not become a line.
        wanted.host = "x/\nlog-queries".to_owned();
        assert_eq!(lines(&rendered(&wanted).conf, "log-queries").len(), 0);
    }

    #[test]
    fn phones_are_asked_to_look_only_while_somebody_answers() {
        let mut wanted = Wanted {
            interfaces: vec!["br-guest".to_owned()],
            advertise: Some("https://sz01.sw.cn/capport".to_owned()),
            ..Wanted::default()
        };
        assert_eq!(
            lines(&rendered(&wanted).options, "tag:"),
            [
                "tag:br-guest,114,https://sz01.sw.cn/capport",
                "tag:br-guest,option6:103,https://sz01.sw.cn/capport"
            ]
        );
        wanted.advertise = None;
        assert_eq!(lines(&rendered(&wanted).options, "tag:").len(), 0);
    }

    #[test]
    fn checks_have_a_public_address_of_our_own_only_while_the_internet_is_away() {
        let away = rendered(&Wanted::default()).hosts;
        assert_eq!(lines(&away, "1.1.1.1 ").len(), CHECK_HOSTS.len());
        let up = Wanted {
            wan_is_up: true,
            ..Wanted::default()
        };
        assert_eq!(lines(&rendered(&up).hosts, "#").len(), 2);
        assert_eq!(rendered(&up).hosts.lines().count(), 2);
    }
}
