//! The shop's box: two bridges, a cable to the Internet, a real dnsmasq, and maitred.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::internet::RESOLVER;
use super::{Space, Zone, output_of, path, program, run};
use crate::support::{Process, write_chain};

/// A card that was down has forgotten its routes, and its addresses of version 6.
const WAN_IS_UP: &str = "link set wan0 up\n\
                         addr replace 203.0.113.2/24 dev wan0\n\
                         addr replace 2001:db8:113::2/64 dev wan0 nodad\n\
                         route replace default via 203.0.113.1\n\
                         route replace default via 2001:db8:113::1\n";

/// The box, with its networks up.
pub(crate) struct Router {
    pub(crate) space: Space,
}

impl Router {
    pub(super) fn open(space: Space) -> Self {
        space.set("net/ipv4/ip_forward", "1");
        space.set("net/ipv6/conf/all/forwarding", "1");
        for zone in Zone::ALL {
            let (bridge, address, address6) = (zone.bridge(), zone.address(), zone.address6());
            space.ip(&format!(
                "link add {bridge} type bridge\n\
                 addr add {address}/24 dev {bridge}\n\
                 addr add {address6}/64 dev {bridge} nodad\n\
                 link set {bridge} up\n"
            ));
        }
        space.ip(WAN_IS_UP);
        write_chain(&path("chain"));
        fs_err::write(space.resolv_conf(), format!("nameserver {RESOLVER}\n")).unwrap();
        Self { space }
    }

    /// The way to the Internet is gone: a cable is out, or the provider's line is down.
    pub(crate) fn lose_the_internet(&self) {
        self.space.ip("link set wan0 down\n");
    }

    pub(crate) fn find_the_internet(&self) {
        self.space.ip(WAN_IS_UP);
    }

    /// Starts dnsmasq with what a router's own settings say, and `more`. It is ready when this returns.
    pub(crate) fn start_dnsmasq(&self, more: &str) {
        let mut settings = String::new();
        for zone in Zone::ALL {
            let (bridge, number) = (zone.bridge(), zone.number());
            settings.push_str(&format!(
                "interface={bridge}\n\
                 dhcp-range=10.{number}.0.10,10.{number}.0.200,1h\n\
                 dhcp-range=fd{number}::,ra-stateless,1h\n"
            ));
        }
        let lab = super::DIR;
        // It would become another user and group, which a lab without root does not have.
        let text = format!(
            "{settings}bind-dynamic\nenable-ra\nno-resolv\nno-hosts\nno-ping\nserver={RESOLVER}\n\
             user=root\ngroup=\npid-file={lab}/dnsmasq.pid\ndhcp-leasefile={lab}/leases\n\
             log-facility={lab}/dnsmasq.log\n{more}"
        );
        fs_err::write(path("dnsmasq.conf"), text).unwrap();
        self.check_dnsmasq();
        self.space.run("dnsmasq", &[&Self::dnsmasq()]);
    }

    /// Has dnsmasq read its settings, and what they include, without starting.
    pub(crate) fn check_dnsmasq(&self) {
        self.space.run("dnsmasq", &[&Self::dnsmasq(), "--test"]);
    }

    /// Changes the kernel's rules by hand.
    pub(crate) fn nft(&self, rules: &str) {
        let file = path("rules");
        fs_err::write(&file, rules).unwrap();
        run(self.space.command("nft").arg("--file").arg(file));
    }

    fn dnsmasq() -> String {
        format!("--conf-file={}", path("dnsmasq.conf").display())
    }

    /// What a router's service manager does at `restart`, as a command.
    pub(crate) fn restart_dnsmasq(&self) -> Vec<String> {
        let script = format!(
            "read -r old <{pid} && kill \"$old\" && tail --pid=\"$old\" --follow /dev/null\n\
             exec nsenter --net=/run/netns/{router} dnsmasq {start}\n",
            pid = Self::dnsmasq_pid().display(),
            router = self.space.name,
            start = Self::dnsmasq(),
        );
        let file = path("restart-dnsmasq");
        fs_err::write(&file, script).unwrap();
        vec!["sh".to_owned(), file.display().to_string()]
    }

    pub(crate) fn dnsmasq_pid() -> PathBuf {
        path("dnsmasq.pid")
    }

    /// Starts a shop that cannot open, and waits for its end.
    pub(crate) fn fail_to_open_shop(&self, admission: &str) -> Output {
        Self::write_settings(admission);
        output_of(&mut self.command_line(&["gateway"]))
    }

    /// Starts a shop without headquarters; `admission` is added to its settings.
    pub(crate) fn open_shop(&self, admission: &str) -> Process {
        Self::write_settings(admission);
        self.start_maitred()
    }

    fn write_settings(admission: &str) {
        let settings = format!(
            "state_dir = \"state\"\n[portal]\nlisten = \"[::]:2080\"\n[bundle]\ndir = \"chain\"\n[journal]\nin_memory = true\n{admission}"
        );
        fs_err::write(Self::settings(), settings).unwrap();
    }

    /// Writes the shop's `wifi.toml`; to be called before the shop opens.
    pub(crate) fn grant(&self, policy: &str) {
        fs_err::write(path("chain/wifi.toml"), policy).unwrap();
    }

    /// Takes the shop's campaigns away; to be called before the shop opens.
    pub(crate) fn offer_nothing(&self) {
        fs_err::remove_dir_all(path("chain/campaigns")).unwrap();
    }

    /// Where the gateway keeps its sessions.
    pub(crate) fn kept_sessions(&self) -> PathBuf {
        path("state/sessions")
    }

    /// What an operator types at the box; what it printed.
    pub(crate) fn maitred(&self, arguments: &[&str]) -> String {
        run(&mut self.command_line(arguments))
    }

    /// The program in the router, with the settings that are there.
    pub(crate) fn command_line(&self, arguments: &[&str]) -> Command {
        let mut command = self.space.command(env!("CARGO_BIN_EXE_maitred"));
        command
            .args(arguments)
            .arg("--config")
            .arg(Self::settings());
        command
    }

    /// Starts the gateway with the settings that are there.
    pub(crate) fn start_maitred(&self) -> Process {
        Process::of(self.command_line(&["gateway"]), &path("maitred.log"))
    }

    /// Sets a value below `/proc/sys`.
    pub(crate) fn write_sysctl(&self, key: &str, value: &str) {
        self.space.set(key, value);
    }

    fn settings() -> PathBuf {
        path("gateway.toml")
    }

    /// Puts a phone's cable into a bridge.
    pub(super) fn plug(space: Space, phone: &'static str, mac: &str, zone: Zone) {
        let bridge = zone.bridge();
        run(program("ip")
            .args(["-n", phone, "link", "add", "eth0", "address", mac])
            .args(["type", "veth", "peer", "name", phone, "netns", space.name]));
        space.ip(&format!("link set {phone} master {bridge} up\n"));
    }
}
