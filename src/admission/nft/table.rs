//! The table `inet maitred`, as `nft -j -f -` reads it: from zones and options to JSON, and nothing else.
//!
//! What passes is decided by the mark of its connection. Every packet out of a zone sets it: to the mark
//! that the map `guests` has for the card, or to 0. So a device that is taken out, or whose time is up, is
//! refused with its next packet, also in the middle of a download. Per device there are elements of sets and
//! never rules. IPv4 and IPv6 go through the same rules.
//!
//! Limits, counters and quotas are not written here: `nft` 1.0.6 cannot say them of an element in JSON. They
//! follow as elements ([`super::entries`]); until then a device passes unmetered, for milliseconds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::super::firewall::{Access, Entry, Mark, Place};
use super::super::zone::{Ports, Zone, ZoneName};

pub(crate) const TABLE: &str = "maitred";

/// From a card to its mark.
pub(crate) const GUESTS: &str = "guests";
/// Marks that are let in, each with its counter and its limit for one direction.
pub(crate) const UP: &str = "up";
pub(crate) const DOWN: &str = "down";
/// Marks with a quota. One is found here once its quota is used up.
pub(crate) const SPENT: &str = "spent";
/// Marks with a temporary pass.
pub(crate) const PASSING: &str = "passing";
/// The zones' interfaces, while there is no Internet.
pub(crate) const WAN_AWAY: &str = "wan_away";
/// What only this program changes, and nothing runs out of by itself but devices.
pub(crate) const OWN_SETS: [&str; 6] = [GUESTS, UP, DOWN, SPENT, PASSING, WAN_AWAY];

/// More devices than a router's Wi-Fi can carry, with the marks they had before.
const MOST_DEVICES: u32 = 4_096;
const MOST_ADDRESSES: u32 = 16_384;
/// dnsmasq adds an address when a name is asked for beyond its cache, which keeps nothing for so long.
const ADDRESS_LASTS: Duration = Duration::from_secs(24 * 3600);
/// Until the exact time follows as an element; `nft` 1.0.6 counts these in 32 bits of milliseconds.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What the table is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub zones: Vec<Zone>,
    /// The interface behind which guests share the box's address. None: somebody else sees to that.
    pub masquerade: Option<String>,
}

/// What dnsmasq has put into a set of addresses, and how long it stays.
pub(crate) type Addresses = BTreeMap<String, Vec<(std::net::IpAddr, Duration)>>;

/// A family's word in nft, and the digit in the names of its sets.
const FAMILIES: [(&str, char); 2] = [("ip", '4'), ("ip6", '6')];

/// The set of addresses that a zone's walled garden is made of: `garden4_guest`.
pub fn garden_set(zone: &ZoneName, is_ipv4: bool) -> String {
    format!("garden{}_{zone}", if is_ipv4 { 4 } else { 6 })
}

/// The same for what is open with a temporary pass only.
pub fn pass_set(zone: &ZoneName, is_ipv4: bool) -> String {
    format!("pass{}_{zone}", if is_ipv4 { 4 } else { 6 })
}

/// The addresses of the hosts that phones try their connection with.
pub fn probe_set(is_ipv4: bool) -> &'static str {
    if is_ipv4 { "probe4" } else { "probe6" }
}

impl Layout {
    /// Every set that dnsmasq fills, with the kernel's word for what is in it.
    pub(crate) fn address_sets(&self) -> Vec<(String, &'static str)> {
        let mut sets = Vec::new();
        for (is_ipv4, kind) in [(true, "ipv4_addr"), (false, "ipv6_addr")] {
            sets.push((probe_set(is_ipv4).to_owned(), kind));
            for zone in &self.zones {
                sets.push((garden_set(&zone.name, is_ipv4), kind));
                sets.push((pass_set(&zone.name, is_ipv4), kind));
            }
        }
        sets
    }

    /// Every set and map of the table.
    pub(crate) fn sets(&self) -> Vec<String> {
        let own = OWN_SETS.into_iter().map(str::to_owned);
        let filled = self.address_sets().into_iter().map(|(set, _)| set);
        own.chain(filled).collect()
    }

    /// The chains, each with how often the kernel says it is used: by its rules and by those that lead to it.
    pub(crate) fn chains(&self) -> BTreeMap<String, u32> {
        let mut script = Script::default();
        script.chains(self);
        script.uses
    }

    /// The whole table, in place of one that is there, with these devices in it.
    pub(crate) fn write(
        &self,
        entries: &[Entry],
        addresses: &Addresses,
        wan_is_up: bool,
    ) -> String {
        let mut script = Script::default();
        let table = named("table", "");
        // The delete needs something to delete.
        script.command("add", &table);
        script.command("delete", &table);
        script.command("add", &table);
        script.sets(self, wan_is_up);
        script.devices(entries);
        script.addresses(addresses);
        script.chains(self);
        format!("{{\"nftables\":[\n{}\n]}}\n", script.commands.join(",\n"))
    }
}

/// Commands of `nft`, one a line.
#[derive(Default)]
struct Script {
    commands: Vec<String>,
    uses: BTreeMap<String, u32>,
}

impl Script {
    fn command(&mut self, verb: &str, what: &str) {
        self.commands.push(format!("{{\"{verb}\":{what}}}"));
    }

    fn sets(&mut self, layout: &Layout, wan_is_up: bool) {
        let devices = format!(r#","flags":["timeout"],"size":{MOST_DEVICES}"#);
        // Who is not in the map has the mark 0.
        let map = format!(r#","type":"ether_addr","map":"mark"{devices},"elem":[["*",0]]"#);
        self.command("add", &named_with("map", GUESTS, &map));
        for set in [UP, DOWN, SPENT, PASSING] {
            let marks = format!(r#","type":"mark"{devices}"#);
            self.command("add", &named_with("set", set, &marks));
        }
        let away = format!(r#","type":"ifname","size":{MOST_DEVICES}"#);
        self.command("add", &named_with("set", WAN_AWAY, &away));
        if !wan_is_up {
            let interfaces = interfaces(layout);
            self.elements(WAN_AWAY, &interfaces);
        }
        for (set, kind) in layout.address_sets() {
            let lasts = ADDRESS_LASTS.as_secs();
            let rest = format!(
                r#","type":"{kind}","flags":["timeout"],"timeout":{lasts},"size":{MOST_ADDRESSES}"#
            );
            self.command("add", &named_with("set", &set, &rest));
        }
    }

    fn devices(&mut self, entries: &[Entry]) {
        let (mut guests, mut open, mut passing) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            let mark = entry.mark.bits();
            let card = timed(&format!("\"{}\"", entry.mac), entry.lasts);
            guests.push(format!("[{card},{mark}]"));
            let element = timed(&mark.to_string(), entry.lasts);
            match entry.access {
                Access::Open(_) => open.push(element),
                Access::Garden => passing.push(element),
            }
        }
        self.elements(GUESTS, &guests);
        self.elements(UP, &open);
        self.elements(DOWN, &open);
        self.elements(PASSING, &passing);
    }

    fn addresses(&mut self, addresses: &Addresses) {
        for (set, addresses) in addresses {
            let elements: Vec<_> = addresses
                .iter()
                .map(|(address, lasts)| timed(&format!("\"{address}\""), *lasts))
                .collect();
            self.elements(set, &elements);
        }
    }

    fn elements(&mut self, set: &str, elements: &[String]) {
        if !elements.is_empty() {
            let rest = format!(r#","elem":[{}]"#, elements.join(","));
            self.command("add", &named_with("element", set, &rest));
        }
    }

    fn chains(&mut self, layout: &Layout) {
        let zones = interfaces(layout).join(",");
        let zones = format!(r#"{{"set":[{zones}]}}"#);
        self.refuse();
        self.hook("prerouting", "filter", "prerouting", -150);
        let mark = r#"{"mangle":{"key":{"ct":{"key":"mark"}},"value":{"map":{"key":{"payload":{"protocol":"ether","field":"saddr"}},"data":"@guests"}}}}"#;
        self.rule("prerouting", &[&equals(IIFNAME, &zones), NOT_OURS, mark]);
        for (index, zone) in layout.zones.iter().enumerate() {
            // Let in somewhere else: here it is a stranger.
            let interface = equals(IIFNAME, &quoted(&zone.interface));
            let elsewhere = is_not_of(Place::of(index));
            self.rule("prerouting", &[&interface, NOT_OURS, &elsewhere, UNMARK]);
        }

        for (chain, kind, hook, priority) in [
            ("redirect", "nat", "prerouting", -101),
            ("input", "filter", "input", -1),
            ("forward", "filter", "forward", -1),
            ("postrouting", "nat", "postrouting", 100),
        ] {
            self.hook(chain, kind, hook, priority);
        }
        // Guests reach no guest of another network. (Two on one bridge speak past the router: to keep them
        // apart is the access point's work.)
        let between = [&*equals(IIFNAME, &zones), &equals(OIFNAME, &zones)];
        self.rule("forward", &[between[0], between[1], &goto("refuse")]);
        for zone in &layout.zones {
            let name = &zone.name;
            let (inward, outward) = (
                equals(IIFNAME, &quoted(&zone.interface)),
                equals(OIFNAME, &quoted(&zone.interface)),
            );
            self.redirect_of(zone);
            self.input_of(zone);
            self.from(name);
            self.to(name);
            self.rule("redirect", &[&inward, &goto(&format!("redirect_{name}"))]);
            self.rule("input", &[&inward, &goto(&format!("input_{name}"))]);
            self.rule("forward", &[&inward, &goto(&format!("from_{name}"))]);
            self.rule("forward", &[&outward, &goto(&format!("to_{name}"))]);
        }
        if let Some(wan) = &layout.masquerade {
            let out = equals(OIFNAME, &quoted(wan));
            let masquerade = r#"{"masquerade":null}"#;
            self.rule("postrouting", &[&equals(IIFNAME, &zones), &out, masquerade]);
        }
    }

    /// What ends refused packets, so that phones do not wait, and what counts those that pass.
    fn refuse(&mut self) {
        self.chain("refuse");
        // A late or stray packet of a connection: an answer would end what still goes on.
        self.rule("refuse", &[INVALID, DROP]);
        let reset = r#"{"reject":{"type":"tcp reset"}}"#;
        let prohibited = r#"{"reject":{"type":"icmpx","expr":"admin-prohibited"}}"#;
        self.rule("refuse", &[&equals(L4PROTO, TCP), reset]);
        self.rule("refuse", &[prohibited]);
        // Only what passes the rate counts against the quota.
        self.chain("pay_up");
        self.rule("pay_up", &[&found(MARK, SPENT), &goto("refuse")]);
        self.rule("pay_up", &[ACCEPT]);
        self.chain("pay_down");
        self.rule("pay_down", &[&found(MARK, SPENT), DROP]);
        self.rule("pay_down", &[ACCEPT]);
    }

    /// Port 80 and DNS of those who may not pass lead to the box.
    fn redirect_of(&mut self, zone: &Zone) {
        let chain = &format!("redirect_{}", zone.name);
        let Ports { http, https } = zone.ports;
        self.chain(chain);
        let to_portal = redirect(http);
        let port_80 = equals(TCP_PORT, "80");
        self.rule(chain, &[TO_THE_BOX, &port_80, &to_portal]);
        if let Some(https) = https {
            let port_443 = equals(TCP_PORT, "443");
            self.rule(chain, &[TO_THE_BOX, &port_443, &redirect(https)]);
        }
        self.rule(chain, &[TO_THE_BOX, RETURN]);
        let wan_is_up = not_found(IIFNAME, WAN_AWAY);
        self.rule(chain, &[&is_open(), &wan_is_up, RETURN]);

        let tcp_or_udp = equals(L4PROTO, TCP_AND_UDP);
        self.rule(
            chain,
            &[&tcp_or_udp, &equals(ANY_PORT, "53"), &redirect(53)],
        );
        for (family, digit) in FAMILIES {
            let probe = found(&address(family, "daddr"), &format!("probe{digit}"));
            self.rule(chain, &[&probe, &port_80, &to_portal]);
        }
        for (family, digit) in FAMILIES {
            let to = address(family, "daddr");
            let garden = found(&to, &format!("garden{digit}_{}", zone.name));
            let pass = found(&to, &format!("pass{digit}_{}", zone.name));
            self.rule(chain, &[&wan_is_up, &garden, RETURN]);
            self.rule(chain, &[&wan_is_up, &found(MARK, PASSING), &pass, RETURN]);
        }
        self.rule(chain, &[&port_80, &to_portal]);
    }

    /// Guests reach what they need of the box and no more.
    fn input_of(&mut self, zone: &Zone) {
        let chain = &format!("input_{}", zone.name);
        let Ports { http, https } = zone.ports;
        self.chain(chain);
        self.rule(chain, &[ESTABLISHED, ACCEPT]);
        let icmp = equals(L4PROTO, ICMP);
        self.rule(chain, &[&icmp, ACCEPT]);
        // Names, and addresses of both families.
        let udp = equals(UDP_PORT, r#"{"set":[53,67,547]}"#);
        self.rule(chain, &[&udp, ACCEPT]);
        let mut ports = format!("53,{http}");
        if let Some(https) = https {
            write!(ports, ",{https}").expect("a string takes everything");
        }
        let tcp = equals(TCP_PORT, &format!(r#"{{"set":[{ports}]}}"#));
        self.rule(chain, &[&tcp, ACCEPT]);
        self.rule(chain, &[&goto("refuse")]);
    }

    /// Out of a zone.
    fn from(&mut self, zone: &ZoneName) {
        let chain = &format!("from_{zone}");
        self.chain(chain);
        self.rule(chain, &[&found(MARK, UP), &goto("pay_up")]);
        // Let in, and not found: over its rate.
        self.rule(chain, &[&is_open(), DROP]);
        for (family, digit) in FAMILIES {
            let probe = found(&address(family, "daddr"), &format!("probe{digit}"));
            // Never open, also where a garden's name leads to the same address: phones would take it for
            // the Internet.
            self.rule(chain, &[&probe, &equals(TCP_PORT, "80"), &goto("refuse")]);
        }
        for (family, digit) in FAMILIES {
            let to = address(family, "daddr");
            let garden = found(&to, &format!("garden{digit}_{zone}"));
            let pass = found(&to, &format!("pass{digit}_{zone}"));
            self.rule(chain, &[&garden, ACCEPT]);
            self.rule(chain, &[&found(MARK, PASSING), &pass, ACCEPT]);
        }
        self.rule(chain, &[&goto("refuse")]);
    }

    /// Into a zone. A packet from outside does not carry the phone's card, so its connection's mark decides.
    fn to(&mut self, zone: &ZoneName) {
        let chain = &format!("to_{zone}");
        self.chain(chain);
        self.rule(chain, &[&found(MARK, DOWN), &goto("pay_down")]);
        for (family, digit) in FAMILIES {
            // Where the connection went, and not where this packet is from: an error on the way is from
            // somebody else.
            let to = format!(r#"{{"ct":{{"key":"{family} daddr","dir":"original"}}}}"#);
            let garden = found(&to, &format!("garden{digit}_{zone}"));
            let pass = found(&to, &format!("pass{digit}_{zone}"));
            self.rule(chain, &[ESTABLISHED, &garden, ACCEPT]);
            self.rule(chain, &[ESTABLISHED, &found(MARK, PASSING), &pass, ACCEPT]);
        }
        self.rule(chain, &[DROP]);
    }

    fn chain(&mut self, chain: &str) {
        self.uses.entry(chain.to_owned()).or_default();
        self.command("add", &named("chain", chain));
    }

    fn hook(&mut self, chain: &str, kind: &str, hook: &str, priority: i32) {
        self.uses.entry(chain.to_owned()).or_default();
        let rest =
            format!(r#","type":"{kind}","hook":"{hook}","prio":{priority},"policy":"accept""#);
        self.command("add", &named_with("chain", chain, &rest));
    }

    fn rule(&mut self, chain: &str, expressions: &[&str]) {
        *self.uses.entry(chain.to_owned()).or_default() += 1;
        if let Some(target) = expressions.last().and_then(|last| goes_to(last)) {
            *self.uses.entry(target.to_owned()).or_default() += 1;
        }
        let expressions = expressions.join(",");
        self.command(
            "add",
            &format!(
                r#"{{"rule":{{"family":"inet","table":"{TABLE}","chain":"{chain}","expr":[{expressions}]}}}}"#
            ),
        );
    }
}

const IIFNAME: &str = r#"{"meta":{"key":"iifname"}}"#;
const OIFNAME: &str = r#"{"meta":{"key":"oifname"}}"#;
const L4PROTO: &str = r#"{"meta":{"key":"l4proto"}}"#;
const MARK: &str = r#"{"ct":{"key":"mark"}}"#;
const TCP_PORT: &str = r#"{"payload":{"protocol":"tcp","field":"dport"}}"#;
const UDP_PORT: &str = r#"{"payload":{"protocol":"udp","field":"dport"}}"#;
const ANY_PORT: &str = r#"{"payload":{"protocol":"th","field":"dport"}}"#;
const ESTABLISHED: &str =
    r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}}"#;
const INVALID: &str = r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":"invalid"}}"#;
/// Not led to the box by us (the bit is `IPS_DST_NAT`). What a phone has open to the portal must bear no
/// mark, or the page that says "you are out" would be cut with all the rest.
const NOT_OURS: &str =
    r#"{"match":{"op":"==","left":{"&":[{"ct":{"key":"status"}},32]},"right":0}}"#;
const UNMARK: &str = r#"{"mangle":{"key":{"ct":{"key":"mark"}},"value":0}}"#;
const TO_THE_BOX: &str =
    r#"{"match":{"op":"==","left":{"fib":{"result":"type","flags":["daddr"]}},"right":"local"}}"#;
// As numbers: the names are in /etc/protocols, which not every router has.
const TCP: &str = "6";
const TCP_AND_UDP: &str = r#"{"set":[6,17]}"#;
const ICMP: &str = r#"{"set":[1,58]}"#;
const ACCEPT: &str = r#"{"accept":null}"#;
const DROP: &str = r#"{"drop":null}"#;
const RETURN: &str = r#"{"return":null}"#;

fn equals(left: &str, right: &str) -> String {
    format!(r#"{{"match":{{"op":"==","left":{left},"right":{right}}}}}"#)
}

fn found(left: &str, set: &str) -> String {
    equals(left, &format!("\"@{set}\""))
}

fn not_found(left: &str, set: &str) -> String {
    format!(r#"{{"match":{{"op":"!=","left":{left},"right":"@{set}"}}}}"#)
}

/// Whether the connection is of a device that was let in.
fn is_open() -> String {
    let bit = Mark::OPEN_BIT;
    equals(&format!(r#"{{"&":[{MARK},{bit}]}}"#), &bit.to_string())
}

/// Whether the connection's mark is of a device of another zone than `place`.
fn is_not_of(place: Place) -> String {
    let (bits, own, any) = (Mark::ZONE_BITS, place.bits(), Place::ANY.bits());
    format!(
        r#"{{"match":{{"op":"!=","left":{{"&":[{MARK},{bits}]}},"right":{{"set":[{own},{any}]}}}}}}"#
    )
}

fn address(family: &str, field: &str) -> String {
    format!(r#"{{"payload":{{"protocol":"{family}","field":"{field}"}}}}"#)
}

fn redirect(port: u16) -> String {
    format!(r#"{UNMARK},{{"redirect":{{"port":{port}}}}}"#)
}

fn goto(chain: &str) -> String {
    format!(r#"{{"goto":{{"target":"{chain}"}}}}"#)
}

fn goes_to(expression: &str) -> Option<&str> {
    let target = expression.strip_prefix(r#"{"goto":{"target":""#)?;
    target.strip_suffix(r#""}}"#)
}

fn named(kind: &str, name: &str) -> String {
    named_with(kind, name, "")
}

/// A part of the table, by its name; the table itself has no other.
fn named_with(kind: &str, name: &str, rest: &str) -> String {
    let name = match kind {
        "table" => format!(r#""name":"{TABLE}""#),
        _ => format!(r#""table":"{TABLE}","name":"{name}""#),
    };
    format!(r#"{{"{kind}":{{"family":"inet",{name}{rest}}}}}"#)
}

fn timed(value: &str, lasts: Duration) -> String {
    let seconds = lasts.min(LONGEST).as_secs().max(1);
    format!(r#"{{"elem":{{"val":{value},"timeout":{seconds}}}}}"#)
}

fn interfaces(layout: &Layout) -> Vec<String> {
    let quoted = |zone: &Zone| quoted(&zone.interface);
    layout.zones.iter().map(quoted).collect()
}

/// An operator has written it; it must stay one word.
fn quoted(word: &str) -> String {
    serde_json::Value::from(word).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Mac;
    use crate::admission::firewall::Meter;

    fn layout() -> Layout {
        let zone = |name: &str, interface: &str, https| Zone {
            name: name.to_owned().try_into().unwrap(),
            interface: interface.to_owned(),
            ports: Ports { http: 2080, https },
        };
        Layout {
            zones: vec![
                zone("guest", "br-guest", Some(2443)),
                zone("vip46", "br-vip", None),
            ],
            masquerade: Some("wan".to_owned()),
        }
    }

    fn entry(last: u8, access: Access) -> Entry {
        Entry {
            mac: Mac([2, 0, 0x5e, 0x10, 0, last]),
            mark: Mark::new(last.into(), Place::of(0), &access),
            access,
            lasts: Duration::from_secs(600),
        }
    }

    /// `nft -c -j -f tests/fixtures/wall/table.json` accepts it; a change here is a change of what every
    /// shop's kernel does.
    #[test]
    fn the_table_is_written_as_it_was_tried() {
        let entries = [
            entry(1, Access::Open(Meter::default())),
            entry(2, Access::Garden),
        ];
        let garden = vec![("192.0.2.7".parse().unwrap(), Duration::from_secs(60))];
        let addresses = [("garden4_guest".to_owned(), garden)].into();
        let written = layout().write(&entries, &addresses, false);
        assert_eq!(
            written,
            include_str!("../../../tests/fixtures/wall/table.json")
        );
    }

    #[test]
    fn whatever_an_interface_is_called_it_stays_one_word() {
        let mut layout = layout();
        layout.zones[0].interface = r#"a"b\c"#.to_owned();
        let written = layout.write(&[], &Addresses::new(), true);
        let parsed: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert!(parsed["nftables"].is_array());
        assert!(written.contains(r#""a\"b\\c""#), "{written}");
    }

    #[test]
    fn a_family_is_not_read_out_of_a_zones_name() {
        let sets = layout().address_sets();
        let kind = |set: &str| sets.iter().find(|(name, _)| name == set).unwrap().1;
        assert_eq!(kind("garden6_vip46"), "ipv6_addr");
        assert_eq!(kind("pass4_vip46"), "ipv4_addr");
    }
}
